// Package child starts processes that do not outlive this one. The kernel kills them when their parent dies, however
// it dies, so that a crashed rehearsal leaves as little behind as it can.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Process is a started child.
type Process struct {
	// Pid is its process id.
	Pid  int
	done chan struct{}
	err  error
}

// Start starts cmd and asks the kernel to send it sig when this process dies. Of cmd, only SysProcAttr.Pdeathsig is
// overwritten.
//
// The kernel means the death of the thread that forked, not of the process, and the Go runtime may end threads. So one
// goroutine keeps its thread for as long as the child lives.
func Start(cmd *exec.Cmd, sig syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = sig
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.Pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait blocks until the child has ended and answers what exec.Cmd.Wait does.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Run starts cmd bound to this process and waits for it.
func Run(cmd *exec.Cmd) error {
	p, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	return p.Wait()
}
