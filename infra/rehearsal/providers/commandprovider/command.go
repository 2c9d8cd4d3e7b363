package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const (
	// termGrace is how long a cancelled command has to end after SIGTERM before SIGKILL. `calldata configure` forwards
	// the signal to Ansible and removes its temporary files.
	termGrace = 15 * time.Second
	// pipeGrace is how long output is awaited after the command's end, when something it left in the background keeps
	// its standard output open.
	pipeGrace = 5 * time.Second
	// errorTail is how much of standard error a failure shows.
	errorTail = 4096
)

// A command is one run of create, update or delete.
type command struct {
	// phase is the property that holds the script, for messages. The script itself may hold secrets.
	phase       string
	script      string
	interpreter []string
	dir         string
	stdin       string
	hasStdin    bool
	env         []string
	logging     string
	termGrace   time.Duration
}

// result is what a command wrote, without the last line's end.
type result struct{ stdout, stderr string }

// newCommand makes the command that inputs hold under phase, and answers false if there is none. Earlier is what the
// last run wrote, nil at creation.
func newCommand(phase resource.PropertyKey, inputs resource.PropertyMap, earlier *result) (command, bool) {
	script, ok := text(inputs, phase)
	if !ok {
		return command{}, false
	}
	c := command{phase: string(phase), script: script, env: os.Environ(), termGrace: termGrace}
	if v := plain(inputs[propInterpreter]); v.IsArray() {
		for _, element := range v.ArrayValue() {
			c.interpreter = append(c.interpreter, plain(element).StringValue())
		}
	}
	if len(c.interpreter) == 0 {
		c.interpreter = []string{"/bin/sh", "-c"}
	}
	c.dir, _ = text(inputs, propDir)
	c.stdin, c.hasStdin = text(inputs, propStdin)
	c.logging, _ = text(inputs, propLogging)
	if v := plain(inputs[propEnvironment]); v.IsObject() {
		for _, name := range v.ObjectValue().StableKeys() {
			if value := plain(v.ObjectValue()[name]); value.IsString() {
				c.env = append(c.env, string(name)+"="+value.StringValue())
			}
		}
	}
	if add := plain(inputs[propAddPrevious]); earlier != nil && (!add.IsBool() || add.BoolValue()) {
		c.env = append(c.env, "PULUMI_COMMAND_STDOUT="+earlier.stdout, "PULUMI_COMMAND_STDERR="+earlier.stderr)
	}
	return c, true
}

// run starts the command and waits for its end. Each line it writes goes to log at once, as the property logging
// says. When ctx ends, the command's process group gets SIGTERM, SIGKILL after the grace, and run answers ctx's cause.
func (c command) run(ctx context.Context, log func(line string)) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, fmt.Errorf("the %s command was not started: %w", c.phase, context.Cause(ctx))
	}
	if c.dir != "" {
		// Go blames the interpreter for a directory that does not exist.
		if info, err := os.Stat(c.dir); err != nil || !info.IsDir() {
			return result{}, fmt.Errorf("the %s command cannot start: dir %q is not a directory", c.phase, c.dir)
		}
	}
	args := append(c.interpreter[1:len(c.interpreter):len(c.interpreter)], c.script)
	// Not bound to ctx: wait stops the whole group, and gently.
	cmd := exec.Command(c.interpreter[0], args...) //nolint:gosec,noctx // running the program's command is the purpose
	cmd.Dir, cmd.Env = c.dir, c.env
	if c.hasStdin {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	var stdout, stderr bytes.Buffer
	out, errOut := lineWriter{copyTo: &stdout}, lineWriter{copyTo: &stderr}
	if c.logging == "" || c.logging == "stdoutAndStderr" || c.logging == "stdout" {
		out.line = log
	}
	if c.logging == "" || c.logging == "stdoutAndStderr" || c.logging == "stderr" {
		errOut.line = log
	}
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = pipeGrace
	// A group of its own, so that what the shell starts is ended with it; and an end with this provider, if that is
	// killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}

	err := c.wait(ctx, cmd)
	out.flush()
	errOut.flush()
	written := result{
		stdout: strings.TrimSuffix(stdout.String(), "\n"),
		stderr: strings.TrimSuffix(stderr.String(), "\n"),
	}
	switch {
	case ctx.Err() != nil:
		return written, fmt.Errorf("the %s command was stopped: %w", c.phase, context.Cause(ctx))
	case err != nil:
		return written, c.failure(err, written)
	}
	return written, nil
}

// wait starts cmd and answers when it has ended.
func (c command) wait(ctx context.Context, cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that started the child ends, so it is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		if errors.Is(err, exec.ErrWaitDelay) {
			err = nil // the command ended well; something it left behind holds its output open
		}
		ended <- err
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start: %w", err)
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	signalGroup(cmd, syscall.SIGTERM)
	select {
	case err := <-ended:
		// The leader is gone; what it started may ignore SIGTERM.
		signalGroup(cmd, syscall.SIGKILL)
		return err
	case <-time.After(c.termGrace):
		signalGroup(cmd, syscall.SIGKILL)
		return <-ended
	}
}

// signalGroup signals the command's process group. A group that is gone already is what was wanted.
func signalGroup(cmd *exec.Cmd, signal syscall.Signal) {
	_ = syscall.Kill(-cmd.Process.Pid, signal)
}

// failure says how the command failed and shows the end of its standard error.
func (c command) failure(err error, written result) error {
	tail := written.stderr
	if tail == "" {
		tail = written.stdout
	}
	if len(tail) > errorTail {
		tail = "…" + strings.ToValidUTF8(tail[len(tail)-errorTail:], "")
	}
	if tail != "" {
		tail = "\n" + tail
	}
	return fmt.Errorf("the %s command failed: %w%s", c.phase, err, tail)
}
