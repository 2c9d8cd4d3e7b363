package login

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// DialLocal connects to a TCP port on the machine's loopback address. It runs a shell there, as the machines' SSH servers
// forward no ports.
func DialLocal(ctx context.Context, client *ssh.Client, port int) (net.Conn, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("open an SSH session: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	in, err1 := session.StdinPipe()
	out, err2 := session.StdoutPipe()
	err = session.Start(fmt.Sprintf(`exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d || exit; cat <&3 & cat >&3; kill $! 2>/dev/null'`, port))
	for _, err := range []error{err1, err2, err, ctx.Err()} {
		if err != nil {
			_ = session.Close()
			return nil, fmt.Errorf("connect to port %d of the machine: %w", port, err)
		}
	}
	return &pipe{Reader: out, WriteCloser: in, session: session, port: port}, nil
}

// pipe is a session as a connection. It knows no deadlines: closing it ends a Read.
type pipe struct {
	io.Reader
	io.WriteCloser
	session *ssh.Session
	port    int
}

func (p *pipe) Close() error {
	_ = p.WriteCloser.Close()
	return p.session.Close()
}

func (p *pipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.port} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
