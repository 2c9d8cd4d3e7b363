package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func namespace() string {
	link, _ := os.Readlink("/proc/thread-self/ns/net")
	return link
}

func TestDoIsInsideAndComesBack(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("makes a network namespace: needs root")
	}
	name := fmt.Sprintf("cd-test-netns-%d", os.Getpid())
	require.NoError(t, exec.Command("ip", "netns", "add", name).Run())
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	boom := errors.New("boom")
	home := namespace()
	for range 20 {
		err := Do(name, func() error {
			assert.NotEqual(t, home, namespace())
			return boom
		})
		require.ErrorIs(t, err, boom)
		assert.Equal(t, home, namespace())
	}
}

func TestDoTellsWhichNamespaceIsMissing(t *testing.T) {
	t.Parallel()
	err := Do("cd-nowhere", func() error { return nil })
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "cd-nowhere")
}

func TestDialWantsAnAddress(t *testing.T) {
	t.Parallel()
	_, err := DialContext(t.Context(), "cd-nowhere", "tcp", "example.com:80")
	assert.ErrorContains(t, err, "want an IP address")
}
