package configure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// Adhoc runs a program of Ansible with arguments of the operator's, on the machines and with the access of a stack: "ansible",
// or "ansible-playbook" where the first argument is a playbook. Of o it needs IO, Dir, Stack and Machines. What the program
// prints goes to o.IO, without the secrets that are known. Its error has an exit code of package cli.
func Adhoc(ctx context.Context, o *Options, args []string) error {
	root, err := repo.Find(o.Dir)
	if err != nil {
		return err
	}
	o.Playbook, o.Timeout, o.Own = defaultPlaybook, DefaultTimeout, true
	report, done := o.IO.Reporter()
	done = sync.OnceFunc(done)
	defer done()
	step := report.Step("Check settings")
	s, err := validate(ctx, o, root, step)
	step.Done(err)
	if err != nil {
		return err
	}
	// Not in the stack's directory: what other runs have left there is removed while this one goes on.
	dir, err := os.MkdirTemp("", "calldata-ansible-")
	if err != nil {
		return fmt.Errorf("make a directory for the run: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := errors.Join(os.MkdirAll(s.state, 0o700), s.writeSSHConfig(dir)); err != nil {
		return err
	}
	binary, wazo := filepath.Join(filepath.Dir(s.playbook), "ansible"), &roles{}
	if isPlaybook(args) {
		binary = s.playbook
		if wazo, err = fetchRoles(ctx, s, report); err != nil {
			if ctx.Err() != nil {
				return err
			}
			report.Logf("going on without Wazo's roles, which not every playbook needs")
			wazo = &roles{}
		}
	}
	p, err := s.prepare(ctx, wazo, dir)
	if err != nil {
		return err
	}
	done() // what the program prints is not to be drawn over
	code, err := p.Program(ctx, binary, args, ansible.Streams{Out: o.IO.Out, Err: o.IO.Err})
	switch {
	case err != nil:
		return err
	case code == 0:
		return nil
	}
	return cli.WithCode(exitCode(code), fmt.Errorf("%w: %s ended with code %d", cli.ErrSilent, filepath.Base(binary), code))
}

// exitCode is what a program's exit code means here. Source: ansible.Exit.
func exitCode(code int) int {
	switch exit := (ansible.Exit{Code: code, Ran: code != 5}); {
	case exit.BadInput():
		return cli.ExitUsage
	case exit.UnreachableHosts() && !exit.FailedHosts():
		return cli.ExitUnreachable
	}
	return cli.ExitError
}

// isPlaybook tells whether the operator means ansible-playbook.
func isPlaybook(args []string) bool {
	return len(args) > 0 && (strings.HasSuffix(args[0], ".yml") || strings.HasSuffix(args[0], ".yaml"))
}
