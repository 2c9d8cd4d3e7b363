package tunnel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dial opens a tunnel to t. The context is for the opening alone, as in net.Dialer. Through Systems Manager the session is
// still being opened when Dial answers; the first Read or Write tells why if it was refused.
func Dial(ctx context.Context, way Way, t Target) (net.Conn, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := way.Check(); err != nil {
		return nil, err
	}
	if way == Direct {
		return (&net.Dialer{}).DialContext(ctx, "tcp", t.address())
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return start(t, command(t))
}

// session is a process whose standard input and output are the connection.
type session struct {
	net.Conn
	target Target
	cmd    *exec.Cmd
	stderr *tail
	// exited is closed once the process is gone, and err is how.
	exited chan struct{}
	err    error
	once   sync.Once
}

func start(t Target, args []string) (*session, error) {
	// A pair of sockets, and not pipes: the connection's deadlines work.
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket for %s: %w", args[0], err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "tunnel"), os.NewFile(uintptr(pair[1]), args[0])
	defer func() { _, _ = ours.Close(), theirs.Close() }() // both are copied
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("make a socket for %s: %w", args[0], err)
	}
	s := &session{Conn: conn, target: t, cmd: exec.Command(args[0], args[1:]...), stderr: &tail{}, exited: make(chan struct{})} //nolint:gosec,noctx // validated; Close ends it
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = theirs, theirs, s.stderr
	// A session of its own: the AWS CLI and its plugin end together, and Ctrl-C on the terminal is the caller's to handle.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// RemoteAddr is the machine's address, which host keys are filed under, and not that of the socket.
func (s *session) RemoteAddr() net.Addr {
	ip, _ := netip.ParseAddr(s.target.Host)
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(s.target.Port))) //nolint:gosec // validated
}

// exitTime is how long the process may take to end after its output has.
const exitTime = 2 * time.Second

// Read reads from the machine. Where the session broke off, the error is what the AWS CLI said.
func (s *session) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.explain(err)
}

// Write writes to the machine. Where the session broke off, the error is what the AWS CLI said.
func (s *session) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.explain(err)
}

// explain puts the process's last words in the place of the socket's.
func (s *session) explain(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	select {
	case <-s.exited:
		if s.err != nil {
			return fmt.Errorf("%s ssm start-session: %w: %s", awsCLI, s.err, s.stderr)
		}
	case <-time.After(exitTime):
	}
	return err
}

// Close ends the session and everything that belongs to it.
func (s *session) Close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		err = s.Conn.Close()
		group := -s.cmd.Process.Pid
		select {
		case <-s.exited:
		default:
			// The plugin tells Systems Manager that the session is over.
			_ = syscall.Kill(group, syscall.SIGTERM)
			select {
			case <-s.exited:
			case <-time.After(exitTime):
				_ = syscall.Kill(group, syscall.SIGKILL)
				<-s.exited
			}
		}
	})
	return err
}

// tail keeps the last line of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// maxTail bounds what is kept, in bytes.
const maxTail = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.text), []byte("\n"))
	return strings.ToValidUTF8(string(bytes.TrimSpace(lines[len(lines)-1])), "?")
}
