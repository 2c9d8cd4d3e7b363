// Package sshtest is an SSH server for tests. It runs in the test's process and makes no process of its own.
package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// User is who may log in.
const User = "admin"

// Reply is what a command gets.
type Reply struct {
	Stdout, Stderr string
	// Code is the exit status.
	Code uint32
	// Hang keeps the command from ever ending.
	Hang bool
	// Stdin takes the command's standard input, before anything is answered.
	Stdin io.Writer
	// Join is what the command's standard input and output lead to, until either side ends.
	Join io.ReadWriteCloser
}

// Server listens on 127.0.0.1 until its test ends.
type Server struct {
	Port int
	// KeyFile is User's private key.
	KeyFile string
	// KnownHosts is a known_hosts file with the server's key, OtherHosts one with another key for it.
	KnownHosts, OtherHosts string
	// Refuse is how many logins of User fail first.
	Refuse atomic.Int32
}

// Start starts a server that answers each command with what run makes of it.
func Start(t *testing.T, run func(command string) Reply) *Server {
	t.Helper()
	s := &Server{}
	var user ssh.Signer
	user, s.KeyFile = NewKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if meta.User() != User || string(key.Marshal()) != string(user.PublicKey().Marshal()) || s.Refuse.Add(-1) >= 0 {
			return nil, os.ErrPermission
		}
		return &ssh.Permissions{}, nil
	}}
	host, _ := NewKey(t)
	config.AddHostKey(host)
	// A second key that known_hosts does not have: clients must ask for the one that they know.
	second, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	config.AddHostKey(signer(t, second))

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	s.Port = listener.Addr().(*net.TCPAddr).Port
	known := func(key ssh.PublicKey) string {
		// A blank in the name shows who quotes it.
		path := filepath.Join(t.TempDir(), "known hosts")
		line := knownhosts.Line([]string{knownhosts.Normalize(listener.Addr().String())}, key)
		require.NoError(t, os.WriteFile(path, []byte(line+"\n"), 0o600))
		return path
	}
	other, _ := NewKey(t)
	s.KnownHosts, s.OtherHosts = known(host.PublicKey()), known(other.PublicKey())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn, config, run)
		}
	}()
	return s
}

// NewKey makes an Ed25519 key and a file with it.
func NewKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return signer(t, private), path
}

func signer(t *testing.T, key crypto.Signer) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromSigner(key)
	require.NoError(t, err)
	return s
}

func serve(conn net.Conn, config *ssh.ServerConfig, run func(string) Reply) {
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
		go session(channel, requests, run)
	}
}

func session(channel ssh.Channel, requests <-chan *ssh.Request, run func(string) Reply) {
	for request := range requests {
		if request.Type != "exec" {
			_ = request.Reply(false, nil)
			continue
		}
		var payload struct{ Command string }
		_ = ssh.Unmarshal(request.Payload, &payload)
		_ = request.Reply(true, nil)
		reply := run(payload.Command)
		if reply.Hang {
			continue
		}
		if reply.Stdin != nil {
			_, _ = io.Copy(reply.Stdin, channel)
		}
		if reply.Join != nil {
			go func() {
				_, _ = io.Copy(reply.Join, channel)
				_ = reply.Join.Close()
			}()
			_, _ = io.Copy(channel, reply.Join)
		}
		_, _ = channel.Write([]byte(reply.Stdout))
		_, _ = channel.Stderr().Write([]byte(reply.Stderr))
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{reply.Code}))
		_ = channel.Close()
	}
}
