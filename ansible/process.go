package ansible

import (
	"context"
	"errors"
	"io"
	"os"
	osexec "os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/apenella/go-ansible/v2/pkg/execute/exec"
	"github.com/apenella/go-ansible/v2/pkg/execute/result"
	"golang.org/x/sys/unix"
)

// drain is how long output may still come after ansible-playbook itself has ended. Longer, and a process that it left
// behind holds the pipes.
const drain = 2 * time.Second

// starter makes the process for go-ansible. It answers a type of its own instead of *exec.Cmd: go-ansible sets directory,
// environment and standard input of the latter, and prints the environment in its errors.
type starter struct {
	dir    string
	env    []string
	events *os.File
	grace  time.Duration
	// made is the process, once go-ansible has asked for it.
	made *process
}

// Command makes the process without a context: it is never cancelled.
func (s *starter) Command(name string, arg ...string) exec.Cmder {
	return s.CommandContext(context.Background(), name, arg...)
}

// CommandContext makes the process. Its end is the context's end at the latest: see process.
func (s *starter) CommandContext(ctx context.Context, name string, arg ...string) exec.Cmder {
	// Not CommandContext: that kills one process, and what it has started would live on and hold the pipes.
	cmd := osexec.Command(name, arg...) //nolint:noctx // process.supervise does it
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.ExtraFiles = []*os.File{s.events}
	// A session of its own: one process group to signal, and no terminal on which ssh or a vault could ask questions. A nil
	// Stdin is /dev/null.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.made = &process{Cmd: cmd, ctx: ctx, grace: s.grace, drained: make(chan struct{}), over: make(chan struct{})}
	return s.made
}

// process is ansible-playbook and everything it has started, one process group. When the context ends the group gets
// SIGTERM, and SIGKILL after the grace; when ansible-playbook ends, what is left of the group gets SIGKILL. The group's
// leader is reaped last, so that its number cannot belong to a stranger when it is signalled.
type process struct {
	*osexec.Cmd
	ctx   context.Context // go-ansible's interface has no other way in
	grace time.Duration

	drained, over chan struct{}
	once          sync.Once
	// err is what Start or Wait said.
	err error
}

// Start starts the process and its supervisor.
func (p *process) Start() error {
	if p.err = p.Cmd.Start(); p.err != nil {
		return p.err
	}
	go p.supervise()
	return nil
}

func (p *process) supervise() {
	defer close(p.over)
	group := -p.Process.Pid
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		for {
			// Leaves the process a zombie, for Wait to reap.
			err := unix.Waitid(unix.P_PID, p.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	patience := drain
	select {
	case <-exited:
	case <-p.ctx.Done():
		_ = syscall.Kill(group, syscall.SIGTERM)
		stop := time.Now().Add(p.grace)
		select {
		case <-exited:
			patience = time.Until(stop)
		case <-time.After(p.grace):
			patience = 0
		}
	}
	select {
	case <-p.drained:
	case <-time.After(patience):
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-exited
}

// Wait reaps the process after its group has ended. It answers an *exec.ExitError or nil, because go-ansible panics on
// anything else.
func (p *process) Wait() error {
	p.once.Do(func() { close(p.drained) })
	<-p.over
	p.err = p.Cmd.Wait()
	var exit *osexec.ExitError
	if errors.As(p.err, &exit) {
		return exit
	}
	return nil
}

// exit is how the process ended.
func (p *process) exit() Exit {
	if p == nil || p.ProcessState == nil {
		return Exit{Code: -1}
	}
	e := Exit{Code: p.ProcessState.ExitCode()}
	if status, ok := p.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal()
	}
	return e
}

// copier moves a stream to its end. go-ansible's own outputs cut lines at 64 KiB and stop at the first line they do not
// like, which leaves the process standing at a full pipe.
type copier struct{}

// Print copies reader to writer. It never fails: what cannot be written is dropped, and the caller's writer knows.
func (copier) Print(_ context.Context, reader io.Reader, writer io.Writer, _ ...result.OptionsFunc) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := reader.Read(buffer)
		if n > 0 {
			_, _ = writer.Write(buffer[:n])
		}
		if err != nil {
			return nil //nolint:nilerr // the end, or a pipe closed under us: the exit code tells
		}
	}
}
