package health

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxOutput bounds what a remote command may print, in bytes.
const maxOutput = 1 << 20

// host is an open SSH connection.
type host struct {
	client *ssh.Client
}

func (h *host) Close() error { return h.client.Close() }

// run runs a shell command and answers what it printed. A non-zero exit is an error that carries its message.
func (h *host) run(ctx context.Context, command string) (string, error) {
	session, err := h.client.NewSession()
	if err != nil {
		return "", fmt.Errorf("open an SSH session: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	stdout, stderr := &limited{}, &limited{}
	session.Stdout, session.Stderr = stdout, stderr
	err = session.Run(command)
	_ = session.Close() // Run has ended it; a second close says so
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// limited keeps the first maxOutput bytes and drops the rest, so that a runaway command does not fill the memory.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		_, _ = l.Buffer.Write(p[:min(room, len(p))]) // never fails, see bytes.Buffer
	}
	return len(p), nil
}
