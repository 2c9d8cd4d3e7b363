package login

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxOutput bounds what Output keeps, in bytes.
const maxOutput = 1 << 20

// Output runs a shell command on the machine and answers what it printed, of which the first MiB is kept. A non-zero exit is an
// error that wraps *ssh.ExitError and carries the command's own message.
func Output(ctx context.Context, client *ssh.Client, command string) (string, error) {
	stdout := &limited{}
	err := Stream(ctx, client, command, stdout)
	return stdout.String(), err
}

// Stream runs a shell command on the machine and passes on what it prints, as it comes, until it or the context ends. A
// non-zero exit is an error that wraps *ssh.ExitError and carries the command's own message.
func Stream(ctx context.Context, client *ssh.Client, command string, stdout io.Writer) error {
	return run(ctx, client, command, nil, stdout)
}

// Feed runs a shell command on the machine with data as its standard input, which no list of processes shows. Errors are Stream's.
func Feed(ctx context.Context, client *ssh.Client, command string, data []byte) error {
	return run(ctx, client, command, bytes.NewReader(data), io.Discard)
}

func run(ctx context.Context, client *ssh.Client, command string, stdin io.Reader, stdout io.Writer) error {
	session, err := client.NewSession()
	if err != nil {
		return fmt.Errorf("open an SSH session: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	stderr := &limited{}
	session.Stdin, session.Stdout, session.Stderr = stdin, stdout, stderr
	err = session.Run(command)
	_ = session.Close() // Run has ended it; a second close says so
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// limited keeps the first maxOutput bytes and drops the rest, so that a runaway command does not fill the memory.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		_, _ = l.Buffer.Write(p[:min(room, len(p))]) // never fails, see bytes.Buffer
	}
	return len(p), nil
}
