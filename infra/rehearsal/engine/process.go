package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a stopped tool has to clean up before it is killed.
	stopGrace = 10 * time.Second
	// tailLines is how many of a failed tool's last lines an error shows.
	tailLines = 15
)

// A process is one run of a tool.
type process struct {
	dir string
	env []string
	// program is the tool's file, args its arguments.
	program string
	args    []string
	// line hears each line of standard error, and answers whether it belongs in the text of an error; nil keeps all.
	line func(string) bool
}

// run answers standard output. Its error holds the end of standard error. When ctx ends, the tool and all it started
// are interrupted.
func (p process) run(ctx context.Context) ([]byte, error) {
	// The kernel sends the parent-death signal when the starting thread ends, so this goroutine keeps its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, p.program, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	// Should this process be killed, the tool must not go on building beside the next call.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopGrace

	var stdout bytes.Buffer
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = &stdout, writer
	tail := make(chan []string, 1)
	go func() { tail <- p.follow(reader) }()

	err := cmd.Run()
	_ = writer.Close() // never fails
	last := <-tail
	if err == nil {
		return stdout.Bytes(), nil
	}
	if cmd.Process != nil {
		// Whatever the tool left, as compilers; a group that is gone is what is wanted.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	name := filepath.Base(p.program)
	if len(p.args) > 0 && !strings.HasPrefix(p.args[0], "-") {
		name += " " + p.args[0]
	}
	if len(last) == 0 {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return nil, fmt.Errorf("%s: %w:\n%s", name, err, strings.Join(last, "\n"))
}

// follow reads standard error to its end and answers the last lines that belong in an error.
func (p process) follow(stderr io.Reader) []string {
	var last []string
	reader := bufio.NewReader(stderr)
	for {
		line, err := reader.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" && (p.line == nil || p.line(line)) {
			last = append(last, line)
			last = last[max(0, len(last)-tailLines):]
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				last = append(last, err.Error())
			}
			return last
		}
	}
}
