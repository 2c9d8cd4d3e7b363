package rehearsal

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
)

func TestRelayCarriesEventsOutOfTheNetwork(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a network namespace")
	}
	name := fmt.Sprintf("cd-relay-%d", os.Getpid())
	network, err := machines.NewNetwork(t.Context(), name, machines.NetworkOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := machines.Teardown(context.Background(), name)
		assert.NoError(t, err)
	})
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = outside.Close() })
	received := make(chan string, 1)
	go func() {
		conn, err := outside.Accept()
		if err != nil {
			return
		}
		text, _ := io.ReadAll(conn)
		_, _ = conn.Write([]byte("thanks"))
		_ = conn.Close()
		received <- string(text)
	}()

	stop, err := relay(name, outside.Addr().String())
	require.NoError(t, err)
	inside, err := network.DialContext(t.Context(), "tcp", outside.Addr().String())
	require.NoError(t, err)
	_, err = inside.Write([]byte("an event"))
	require.NoError(t, err)
	require.NoError(t, inside.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(inside)
	require.NoError(t, err)
	assert.Equal(t, "thanks", string(answer), "both directions work after one is closed")
	assert.Equal(t, "an event", <-received)

	_ = inside.Close()
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Fatal("the relay does not end")
	}
	_, err = network.DialContext(t.Context(), "tcp", outside.Addr().String())
	assert.Error(t, err, "nothing listens any more")
}
