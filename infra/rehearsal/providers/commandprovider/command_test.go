package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assertGone waits until the process has ended. One that nobody waited for yet, a zombie, has.
func assertGone(t *testing.T, pid string) {
	t.Helper()
	assert.Eventually(t, func() bool {
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			return true
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		return strings.HasPrefix(after, "Z")
	}, 10*time.Second, 10*time.Millisecond, "process %s still runs", pid)
}

func testCommand(t *testing.T, script string) command {
	t.Helper()
	c, ok := newCommand(propCreate, resource.PropertyMap{propCreate: resource.NewStringProperty(script)}, nil)
	require.True(t, ok)
	return c
}

func TestStubbornCommandIsKilled(t *testing.T) {
	t.Parallel()
	c := testCommand(t, `trap '' TERM; sh -c 'trap "" TERM; sleep 300' & echo "$!"; echo "$$"; wait; sleep 300`)
	c.termGrace = 200 * time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	lines := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		_, err := c.run(ctx, func(line string) { lines <- line })
		done <- err
	}()
	grandchild, child := <-lines, <-lines
	cancel(reason)
	require.ErrorIs(t, <-done, reason)
	assertGone(t, child)
	assertGone(t, grandchild)
}

func TestBackgroundProcessDoesNotHoldTheCommand(t *testing.T) {
	t.Parallel()
	c := testCommand(t, `sleep 300 & echo "$!"; echo done`)
	start := time.Now()
	written, err := c.run(t.Context(), func(string) {})
	require.NoError(t, err)
	pid, rest, _ := strings.Cut(written.stdout, "\n")
	t.Cleanup(func() { _ = exec.Command("kill", pid).Run() })
	assert.Equal(t, "done", rest)
	assert.Less(t, time.Since(start), pipeGrace+10*time.Second)
}

func TestCancelledBeforeItStarts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	mark := filepath.Join(t.TempDir(), "mark")
	_, err := testCommand(t, "touch "+mark).run(ctx, func(string) {})
	require.ErrorIs(t, err, reason)
	assert.NoFileExists(t, mark)
}

func TestLineWriter(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer
	var lines []string
	w := lineWriter{copyTo: &all, line: func(line string) { lines = append(lines, line) }}
	long := strings.Repeat("x", maxLine+1)
	for _, part := range []string{"a", "b\nc\r\n\n", long, "y\n", "\xffz"} {
		n, err := w.Write([]byte(part))
		require.NoError(t, err)
		assert.Len(t, part, n)
	}
	w.flush()
	assert.Equal(t, []string{"ab", "c", "", long, "y", "\uFFFDz"}, lines)
	assert.Equal(t, "ab\nc\r\n\n"+long+"y\n\xffz", all.String())
}
