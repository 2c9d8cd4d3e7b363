package reach

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// hostForm is what a host's name or IPv4 address looks like: nothing that a shell would take for more than a word.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$`)

// bridge is a shell command that joins its standard input and output to a socket. The machines' SSH servers forward no ports,
// and Python is on all of them.
func bridge(family, address string) string {
	return "python3 -c '" + strings.Join([]string{
		"import os, socket, threading",
		"s = socket.socket(socket." + family + ")",
		"s.connect(" + address + ")",
		"def send():",
		" while (data := os.read(0, 65536)): s.sendall(data)",
		" s.shutdown(socket.SHUT_WR)",
		"threading.Thread(target=send, daemon=True).start()",
		"while (data := s.recv(65536)): os.write(1, data)",
	}, "\n") + "'"
}

// through is a connection that a command on the machine is the other end of.
func through(client *ssh.Client, command string) (net.Conn, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("open an SSH session: %w", err)
	}
	// A pipe in between, because pgx ends a read by a deadline, and sessions have none.
	ours, theirs := net.Pipe()
	stderr := &tail{}
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	session.Stdout, session.Stderr = theirs, stderr
	if err := session.Start(command); err != nil {
		_ = session.Close()
		return nil, fmt.Errorf("start the way to the database: %w", err)
	}
	c := &conn{Conn: ours, session: session, ended: make(chan struct{})}
	go func() {
		_, _ = io.Copy(in, theirs) // the other direction tells what went wrong
		_ = in.Close()
	}()
	go func() {
		if err := session.Wait(); err != nil {
			c.why = fmt.Errorf("the Router: %w: %s", err, stderr)
		}
		close(c.ended)
		_ = theirs.Close()
	}()
	return c, nil
}

type conn struct {
	net.Conn
	session *ssh.Session
	ended   chan struct{}
	// why is why the command has ended, once it has.
	why error
}

// Read reads. Where the command broke off, the error has its last words.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.told(err)
}

// Write writes. Where the command broke off, the error has its last words.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.told(err)
}

// told is what the command has said, where the pipe's error is that the command is gone.
func (c *conn) told(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	select {
	case <-c.ended:
		if c.why != nil {
			return c.why
		}
	case <-time.After(time.Second):
	}
	return err
}

// Close ends the command.
func (c *conn) Close() error {
	err := c.Conn.Close()
	_ = c.session.Close()
	return err
}

// tail keeps the last line that is written to it.
type tail struct{ text []byte }

const maxTail = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string {
	lines := bytes.Split(bytes.TrimSpace(t.text), []byte("\n"))
	return strings.ToValidUTF8(string(lines[len(lines)-1]), "?")
}
