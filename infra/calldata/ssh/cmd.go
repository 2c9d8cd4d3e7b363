// Package ssh is `calldata ssh`: a shell or a command on a machine of a stack, by OpenSSH, through Systems Manager where no
// port leads to it.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshconfig"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// failed is ssh's exit code where ssh itself failed. Source: ssh(1), EXIT STATUS.
const failed = 255

// Options is what `calldata ssh` works with.
type Options struct {
	// IO is where the command reads and writes.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Node is a machine's name, an instance id, or a role, of whose machines the first is taken.
	Node string
	// Command is what to run there. Empty is a shell.
	Command []string
	// Tty gives Command a terminal, which programs that draw need.
	Tty bool
	// Dir is a directory of the repository, for host keys that are known. Default: the working directory.
	Dir string

	members fleet.Lister
	port    int // of the machines' SSH servers; 0 is 22
}

// NewCmdSSH makes the command.
func NewCmdSSH(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, Dir: ".", members: fleet.Members})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ssh STACK NODE [-- COMMAND...]",
		Short: "Open a shell on a machine of a stack, or run a command there",
		Long: `Open a shell on a machine of a stack, or run a command there, by OpenSSH's own ssh: in dev to the machine's address, in
stage and prod through AWS Systems Manager, for which this machine needs the AWS CLI, its session-manager-plugin, and
credentials that may start sessions. Inside the machines' network, ` + tunnel.Variable + `=direct does without.

NODE is the name of a machine, an EC2 instance id, or a role (uc-engine, c4-router, c4-sbc), of whose machines the first is
taken. Machines of fleets are found by asking EC2; the host key that one shows first is kept, as calldata configure keeps
those of fixed machines, and insisted on from then on.

ssh uses the key that ` + login.KeyVariable + ` names, or the agent, and trusts the hosts in the file that
` + login.KnownHostsVariable + ` names (default: .calldata/STACK/known_hosts). ~/.ssh/config has no part in it;
calldata inventory STACK --ssh-config writes the same configuration into a file, for scp and for other programs.

Exit codes: that of COMMAND, or: 2 wrong input, 4 the machine does not answer, 6 a tool is missing.`,
		Example: `  calldata ssh dev dev-uc-1
  calldata ssh prod c4-sbc -- sudo kamcmd -s unix:/run/kamailio/ctl.sock dispatcher.list
  calldata ssh prod i-0123456789abcdef0 --tty -- top`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 || (cmd.ArgsLenAtDash() >= 0 && cmd.ArgsLenAtDash() != 2) || (cmd.ArgsLenAtDash() < 0 && len(args) > 2) {
				return cli.UsageErrorf("want a stack and a machine, and a command after --, for example `%s dev dev-uc-1 -- uptime`", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Source.Stack, o.Node, o.Command = args[0], args[1], args[2:]
			return run(cmd.Context(), o)
		},
	}
	o.Source.AddFileFlag(cmd.Flags())
	cmd.Flags().BoolVarP(&o.Tty, "tty", "t", false, "give COMMAND a terminal, which programs that draw need")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	binary, err := exec.LookPath("ssh")
	if err != nil {
		return cli.WithCode(cli.ExitPreflight, fmt.Errorf("%w: install openssh-client", err))
	}
	nodes, err := fleet.Choose(ctx, stack, o.Node, o.members)
	if err != nil {
		return err
	}
	node := nodes[0]
	if len(nodes) > 1 {
		_, _ = fmt.Fprintf(o.IO.Err, "%s, the first of %d\n", node.Name, len(nodes))
	}
	if err := o.checkWay(node); err != nil {
		return err
	}
	if err := login.Learn(ctx, stack, node, o.IO.Getenv, o.port); err != nil {
		return cli.WithCode(unreachable(err), fmt.Errorf("%s: %w", node.Name, err))
	}
	dir, err := os.MkdirTemp("", "calldata-ssh-")
	if err != nil {
		return fmt.Errorf("make a directory for ssh's configuration: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	text, err := sshconfig.Machines{
		Stack: stack.Stack, Hosts: []ansible.Host{host(stack, node)}, Dir: o.Dir, Port: o.port, Getenv: o.IO.Getenv,
	}.Text()
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	args := []string{"-F", file}
	if o.Tty {
		args = append(args, "-t")
	}
	return o.start(ctx, binary, append(append(args, "--", node.Name), o.Command...))
}

// checkWay looks for the tools of the way before ssh does, whose complaint would be about a proxy command.
func (o *Options) checkWay(node stacks.Node) error {
	if node.Access != stacks.AccessSSM {
		return nil
	}
	way, err := tunnel.WayOf(o.IO.Getenv)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	return cli.WithCode(cli.ExitPreflight, way.Check())
}

// host is what a configuration of ssh needs of a machine.
func host(stack stacks.Outputs, n stacks.Node) ansible.Host {
	h := ansible.Host{
		Name: n.Name, Address: n.Address(), User: n.User, Stack: stack.Stack, Region: stack.Region, InstanceID: n.InstanceID, PrivateIP: n.PrivateIP,
	}
	if n.Access == stacks.AccessSSM {
		h.Address, h.Access = n.PrivateIP, n.Access
	}
	return h
}

// start runs ssh on the terminal. Its exit code is this command's.
func (o *Options) start(ctx context.Context, binary string, args []string) error {
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // the operator's own words
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.IO.In, o.IO.Out, o.IO.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ssh: %w", ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() == failed:
		return cli.WithCode(cli.ExitUnreachable, fmt.Errorf("%w: ssh", cli.ErrSilent))
	case errors.As(err, &exit):
		return cli.WithCode(exit.ExitCode(), fmt.Errorf("%w: the command", cli.ErrSilent))
	}
	return err
}

// unreachable keeps the code that an error has, and gives one to what has none.
func unreachable(err error) int {
	if code := cli.Code(err); code != cli.ExitError {
		return code
	}
	return cli.ExitUnreachable
}
