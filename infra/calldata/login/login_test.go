package login

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestDialLocal(t *testing.T) {
	t.Parallel()
	server := sshtest.Start(t, func(command string) sshtest.Reply {
		if strings.Contains(command, "/dev/tcp/127.0.0.1/443 ") {
			return sshtest.Reply{Stdout: "the web server's words"}
		}
		return sshtest.Reply{Code: 1}
	})
	env := map[string]string{KeyVariable: server.KeyFile, KnownHostsVariable: server.KnownHosts}
	access, err := New(t.Context(), stacks.Outputs{Stack: "dev"}, func(name string) string { return env[name] })
	require.NoError(t, err)
	access.Port = server.Port
	client, err := access.Dial(t.Context(), stacks.Node{Name: "dev-uc-1", PrivateIP: "127.0.0.1", User: sshtest.User})
	require.NoError(t, err)
	conn, err := DialLocal(t.Context(), client, 443)
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:443", conn.RemoteAddr().String())
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "the web server's words", string(text))
	_ = conn.Close()
	require.NoError(t, client.Close())
	require.NoError(t, access.Close())
	_, err = DialLocal(t.Context(), client, 443)
	require.ErrorContains(t, err, "open an SSH session")
}
