package health

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// machine is an SSH server in this process that answers commands from a script: the answer of the first key that the
// command contains. An answer that begins with "exit:" ends the command with status 1 and that message.
type machine struct {
	port       string
	keyFile    string // the user's private key
	knownHosts string
	otherHosts string // a known_hosts file with another key for this machine
}

func startMachine(t *testing.T, script map[string]string) machine {
	t.Helper()
	signer := newSigner(t)
	userSigner, keyFile := newKeyFile(t)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() != "admin" || string(key.Marshal()) != string(userSigner.PublicKey().Marshal()) {
				return nil, os.ErrPermission
			}
			return &ssh.Permissions{}, nil
		},
	}
	config.AddHostKey(signer)
	// A second key that known_hosts does not have: clients must ask for the one that they know.
	config.AddHostKey(newECDSASigner(t))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn, config, script)
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	known := func(key ssh.PublicKey) string {
		path := filepath.Join(t.TempDir(), "known_hosts")
		line := knownhosts.Line([]string{knownhosts.Normalize(listener.Addr().String())}, key)
		require.NoError(t, os.WriteFile(path, []byte(line+"\n"), 0o600))
		return path
	}
	return machine{port: port, keyFile: keyFile, knownHosts: known(signer.PublicKey()), otherHosts: known(newSigner(t).PublicKey())}
}

func serve(conn net.Conn, config *ssh.ServerConfig, script map[string]string) {
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
				answer, hang := reply(script, payload.Command)
				if hang {
					continue
				}
				if message, failed := strings.CutPrefix(answer, "exit:"); failed {
					status.Status = 1
					_, _ = channel.Stderr().Write([]byte(message))
				} else {
					_, _ = channel.Write([]byte(answer))
				}
				_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
				_ = channel.Close()
			}
		}()
	}
}

func reply(script map[string]string, command string) (answer string, hang bool) {
	for part, answer := range script {
		if strings.Contains(command, part) {
			return answer, answer == "hang"
		}
	}
	return "exit:command not found: " + command, false
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return signer
}

func newKeyFile(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "id")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return signer, path
}
