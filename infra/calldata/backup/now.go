package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// busy is calldata-backup's exit code where another machine is at it.
const busy = 75

// Saved is what `calldata backup now` prints.
type Saved struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// Fixed is what the playbook did on fixed machines. Nil where none was meant.
	Fixed *configure.Outcome `json:"fixed,omitempty"`
	// Members is what each machine of a fleet said, by its instance id.
	Members map[string]string `json:"members,omitempty"`
}

func (s Saved) write(w io.Writer) error {
	if s.Fixed != nil {
		if err := s.Fixed.WriteText(w); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.Members)) {
		if _, err := fmt.Fprintf(w, "%s: %s\n", id, strings.TrimSpace(s.Members[id])); err != nil {
			return err
		}
	}
	return nil
}

func runNow(ctx context.Context, o *Options) error {
	stack, inventory, err := o.load(ctx)
	if err != nil {
		return err
	}
	fixed, members, err := o.machines(ctx, stack)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	saved := Saved{Stack: stack.Stack, Members: map[string]string{}}
	var errs []error
	if len(fixed) > 0 {
		saved.Fixed, err = o.play(ctx, &configure.Options{
			IO: o.IO, Dir: o.Dir, Stack: stack.Stack, Machines: inventory, Playbook: "backup", Tags: []string{"backup_now"}, Limit: names(fixed), Own: true,
			Timeout: o.Timeout,
		})
		errs = append(errs, err)
	}
	for _, n := range members {
		said, err := o.on(ctx, stack, n, "sudo -n /usr/local/sbin/calldata-backup now")
		var exit *ssh.ExitError
		if errors.As(err, &exit) && exit.ExitStatus() == busy {
			said, err = "another machine is at it", nil
		}
		saved.Members[n.Name] = said
		errs = append(errs, err)
	}
	return errors.Join(append(errs, o.IO.Print(o.JSON, saved, saved.write))...)
}

// names are those of machines, as a limit of Ansible's.
func names(nodes []stacks.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, ",")
}

// on runs a command on a machine and answers what it printed.
func (o *Options) on(ctx context.Context, stack stacks.Outputs, n stacks.Node, command string) (out string, err error) {
	err = o.logIn(ctx, stack, n, command, func(client *ssh.Client) (err error) {
		switch out, err = login.Output(ctx, client, command); {
		case err != nil && stack.Backups == nil:
			return fmt.Errorf("calldata-backup: %w: stack %s has no bucket for backups", err, stack.Stack)
		case err != nil:
			return fmt.Errorf("calldata-backup: %w", err)
		}
		return nil
	})
	return out, err
}

// logIn does something on a machine, as a step called what.
func (o *Options) logIn(ctx context.Context, stack stacks.Outputs, n stacks.Node, what string, do func(*ssh.Client) error) error {
	report, done := o.IO.Reporter()
	defer done()
	step := report.Step(n.Name + ": " + what)
	client, closed, err := login.To(ctx, stack, n, o.IO.Getenv, o.port)
	if err != nil {
		if err = fmt.Errorf("%s: %w", n.Name, err); cli.Code(err) == cli.ExitError {
			err = cli.WithCode(cli.ExitUnreachable, err)
		}
		step.Done(err)
		return err
	}
	defer closed()
	if err = do(client); err != nil {
		err = fmt.Errorf("%s: %w", n.Name, err)
	}
	step.Done(err)
	return err
}
