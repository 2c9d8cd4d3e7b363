package ansible

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"syscall"
)

// Streams are where a program's output goes.
type Streams struct {
	Out, Err io.Writer
}

// Program runs another program of Ansible, "ansible" for example, with the content, the inventories and the access of p, and
// with args after the options that these need. Playbook, limit, tags and reporter of p have no part in it. It answers the
// program's exit code; an error means that it was not started, or that ctx ended it. What it prints has no known secret.
func (p Playbook) Program(ctx context.Context, binary string, args []string, streams Streams) (int, error) {
	p.defaults()
	if _, err := p.validate(); err != nil {
		return -1, err
	}
	scratch, err := os.MkdirTemp("", "cda-")
	if err != nil {
		return -1, fmt.Errorf("run %s: %w", binary, err)
	}
	defer func() {
		closeMasters(scratch)
		_ = os.RemoveAll(scratch)
	}()
	var access []string
	add := func(option, value string) {
		if value != "" {
			access = append(access, option, value)
		}
	}
	add("--private-key", p.PrivateKeyFile)
	add("--vault-password-file", p.VaultPasswordFile)
	for _, file := range p.ExtraVarsFiles {
		add("--extra-vars", "@"+file)
	}
	cmd := osexec.CommandContext(ctx, binary, append(access, args...)...) //nolint:gosec // the operator's own words
	cmd.Dir = p.Dir
	cmd.Env = slices.DeleteFunc(p.environment(scratch), func(pair string) bool { return strings.HasPrefix(pair, "CALLDATA_EVENTS_FD=") })
	out, report := p.Masker.Writer(streams.Out), p.Masker.Writer(streams.Err)
	cmd.Stdout, cmd.Stderr = out, report
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = p.Grace
	err = cmd.Run()
	_, _ = out.Close(), report.Close()
	var exit *osexec.ExitError
	switch {
	case ctx.Err() != nil:
		return -1, fmt.Errorf("%s: %w", binary, ctx.Err())
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	case err != nil:
		return -1, fmt.Errorf("start %s: %w", binary, err)
	}
	return 0, nil
}
