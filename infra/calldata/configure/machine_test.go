package configure

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// machine is an SSH server in this process. cloudInit is what the wait for cloud-init gets: its output and its exit code.
type machine struct {
	port            int
	key, knownHosts string
	output          string
	code            uint32
	// refuse is how many logins fail first.
	refuse atomic.Int32
}

func startMachine(t *testing.T, m *machine) *machine {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not on PATH")
	}
	dir := t.TempDir()
	hostKey, _ := newKey(t)
	userKey, block := newKey(t)
	m.key = filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(m.key, pem.EncodeToMemory(block), 0o600))
	config := &ssh.ServerConfig{PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if meta.User() != "admin" || string(key.Marshal()) != string(userKey.PublicKey().Marshal()) || m.refuse.Add(-1) >= 0 {
			return nil, os.ErrPermission
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(hostKey)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	m.port = listener.Addr().(*net.TCPAddr).Port
	m.knownHosts = filepath.Join(dir, "known hosts")
	line := knownhosts.Line([]string{knownhosts.Normalize(listener.Addr().String())}, hostKey.PublicKey())
	require.NoError(t, os.WriteFile(m.knownHosts, []byte(line+"\n"), 0o600))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go m.serve(conn, config)
		}
	}()
	return m
}

func newKey(t *testing.T) (ssh.Signer, *pem.Block) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return signer, block
}

func (m *machine) serve(conn net.Conn, config *ssh.ServerConfig) {
	secure, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer func() { _ = secure.Close() }()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go func() {
			for request := range requests {
				if request.Type != "exec" {
					_ = request.Reply(false, nil)
					continue
				}
				var payload struct{ Command string }
				_ = ssh.Unmarshal(request.Payload, &payload)
				_ = request.Reply(true, nil)
				status := struct{ Status uint32 }{}
				if strings.Contains(payload.Command, "cloud-init") {
					_, _ = channel.Write([]byte(m.output))
					status.Status = m.code
				}
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
				_ = channel.Close()
			}
		}()
	}
}
