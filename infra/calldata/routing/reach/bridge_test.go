package reach

import (
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
)

// Whether the first write or the first read finds the command gone is a matter of luck: both tell why.
func TestCommandThatBreaksOff(t *testing.T) {
	server := sshtest.Start(t, func(string) sshtest.Reply { return sshtest.Reply{Stderr: "connection refused\n", Code: 1} })
	key, err := os.ReadFile(server.KeyFile)
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(key)
	require.NoError(t, err)
	client, err := ssh.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)), &ssh.ClientConfig{
		User: sshtest.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // a test's server
	})
	require.NoError(t, err)
	defer func() { _ = client.Close() }()

	way, err := through(client, "a way that leads nowhere")
	require.NoError(t, err)
	defer func() { _ = way.Close() }()
	<-way.(*conn).ended
	_, err = way.Write([]byte("startup"))
	require.ErrorContains(t, err, "connection refused")
	_, err = way.Read(make([]byte, 1))
	require.ErrorContains(t, err, "connection refused")
}
