// Package adhoc is `calldata ansible`: Ansible by hand, with the inventory and the access of a stack.
package adhoc

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
)

// Options is what `calldata ansible` works with.
type Options struct {
	// IO is where Ansible's output goes.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Args are Ansible's own.
	Args []string

	// start runs Ansible; configure.Adhoc but in tests.
	start func(context.Context, *configure.Options, []string) error
}

// NewCmdAnsible makes the command.
func NewCmdAnsible(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, start: configure.Adhoc})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ansible STACK -- ARGS...",
		Short: "Run Ansible by hand on the machines of a stack",
		Long: `Run ansible, or, where the first of ARGS is the name of a playbook, ansible-playbook, with ARGS, on the fixed machines of
a stack: with the inventory of its outputs and the variables of ansible/inventories/STACK, with the vaults and secrets, and
over the way that calldata configure goes. Its environment is that of calldata configure, see there; secrets are needed
only where ARGS need them. They are masked in what is printed.

Playbooks are named as seen from ansible/. What calldata configure, backup and drain do is better left to them: they wait
for the machines, keep others off the stack meanwhile, and write a log.

Exit codes: 0 done, 1 a task failed, 2 wrong input, 4 a machine does not answer, 6 a tool is missing.`,
		Example: `  calldata ansible dev -- all -m ping
  calldata ansible stage -- c4_router -b -a 'kamcmd -s unix:/run/kamailio/ctl.sock core.uptime'
  calldata ansible stage -- playbooks/c4-router.yml --limit stage-router-1 --list-tasks`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 1 || len(args) < 2 {
				return cli.UsageErrorf("want a stack, and after -- what Ansible is to do, for example `%s dev -- all -m ping`", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Source.Stack, o.Args = args[0], args[1:]
			return run(cmd.Context(), o)
		},
	}
	o.Source.AddFileFlag(cmd.Flags())
	return cmd
}

func run(ctx context.Context, o *Options) error {
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	inventory, err := ansible.FromOutputs(stack)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("inventory of stack %s: %w", stack.Stack, err))
	}
	return o.start(ctx, &configure.Options{IO: o.IO, Dir: o.Dir, Stack: stack.Stack, Machines: inventory}, o.Args)
}
