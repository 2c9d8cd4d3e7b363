// Package inventory is `calldata inventory`: the machines of a stack for Ansible and for ssh, from the stack's outputs
// alone.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshconfig"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

// Options is what `calldata inventory` works with.
type Options struct {
	// IO is where the inventory goes.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository, for host keys that `calldata configure` has learnt. Default: the working
	// directory. Outside of a repository there are none.
	Dir string

	// List and Host print what Ansible asks a program for: everything, or the variables of one host. SSHConfig prints a
	// configuration of ssh, JSON the inventory as JSON. Without any of them it is YAML.
	List      bool
	Host      string
	SSHConfig bool
	JSON      bool
}

// NewCmdInventory makes the command.
func NewCmdInventory(streams *cli.IO) *cobra.Command { return newCommand(&Options{IO: streams}) }

func newCommand(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory [STACK]",
		Short: "Print the machines of a stack, for Ansible or for ssh",
		Long: `Print the fixed machines of a stack and what the stack tells them, from its outputs alone: as the YAML that calldata
configure reads, in the form in which Ansible asks programs, or as a configuration of ssh. Machines of fleets are not in it:
they come and go, and configure themselves.

Ansible asks by way of the programs in ansible/inventories, one for each stack:
  ansible-inventory -i ansible/inventories/stage -i ansible/inventories/stage.sh --graph

The configuration of ssh knows each machine by name and by address. Machines without an open port are reached through AWS
Systems Manager, with the AWS CLI and its session-manager-plugin, or inside their network with ` + tunnel.Variable + `=direct.
It trusts the hosts that calldata configure has learnt, or those in the file that ` + login.KnownHostsVariable + ` names, and
uses the key that ` + login.KeyVariable + ` names.

Exit codes: 0 done, 2 wrong input, 6 Pulumi is missing.`,
		Example: `  calldata inventory dev
  calldata inventory stage --ssh-config >stage.ssh && ssh -F stage.ssh stage-router-1
  pulumi stack output --json | calldata inventory --outputs - --list | jq '._meta.hostvars'
  calldata inventory prod --host prod-uc-1`,
		Args: func(_ *cobra.Command, args []string) error { return o.bind(args) },
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.Source.AddFlags(f)
	f.BoolVar(&o.List, "list", false, "print everything in the JSON that Ansible wants of a program")
	f.StringVar(&o.Host, "host", "", "print the variables of this host as JSON")
	f.BoolVar(&o.SSHConfig, "ssh-config", false, "print a configuration of ssh")
	f.BoolVar(&o.JSON, "json", false, "print the inventory as JSON instead of YAML")
	return cmd
}

// bind takes the stack's name, which --stack may give as well.
func (o *Options) bind(args []string) error {
	switch {
	case len(args) > 1:
		return cli.UsageErrorf("want the name of one stack, for example dev, got %d arguments", len(args))
	case len(args) == 1 && o.Source.Stack != "" && o.Source.Stack != args[0]:
		return cli.UsageErrorf("the argument is stack %q, and --stack is %q: name one", args[0], o.Source.Stack)
	case len(args) == 1:
		o.Source.Stack = args[0]
	}
	return nil
}

// validate reports flags that exclude each other.
func (o *Options) validate() error {
	var given []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"--list", o.List}, {"--host", o.Host != ""}, {"--ssh-config", o.SSHConfig}, {"--json", o.JSON}} {
		if f.set {
			given = append(given, f.name)
		}
	}
	if len(given) > 1 {
		return cli.UsageErrorf("%s say different things to print: give one", strings.Join(given, " and "))
	}
	return nil
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	inv, err := ansible.FromOutputs(stack)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("inventory of stack %s: %w", stack.Stack, err))
	}
	if o.SSHConfig {
		text, err := sshconfig.Machines{Stack: stack.Stack, Hosts: inv.Hosts, Dir: o.Dir, Getenv: o.IO.Getenv}.Text()
		if err != nil {
			return cli.WithCode(cli.ExitUsage, err)
		}
		return o.IO.Print(false, nil, func(out io.Writer) error {
			_, err := io.WriteString(out, text)
			return err
		})
	}
	return o.print(inv)
}

func (o *Options) print(inv ansible.Inventory) error {
	text, err := inv.YAML()
	if err != nil {
		return err
	}
	if !o.List && !o.JSON && o.Host == "" {
		return o.IO.Print(false, nil, func(out io.Writer) error {
			_, err := out.Write(text)
			return err
		})
	}
	d, err := parse(text)
	if err != nil {
		return err
	}
	switch {
	case o.List:
		return o.IO.Print(true, d.list(), nil)
	case o.JSON:
		return o.IO.Print(true, d, nil)
	}
	vars, known := d.All.Hosts[o.Host]
	if !known {
		var names []string
		for _, h := range inv.Hosts {
			names = append(names, h.Name)
		}
		return cli.WithCode(cli.ExitUsage, errors.New("--host is "+o.Host+", and the machines are "+strings.Join(names, ", ")))
	}
	return o.IO.Print(true, vars, nil)
}
