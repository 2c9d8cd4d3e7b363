// Package drain is `calldata drain`: it takes a Class-4 machine out of service, lets its calls end, and brings it back.
package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/stacks"
)

// Level is how far a machine is out of service, by the words of c4-maintenance.
type Level string

const (
	// Normal is in service.
	Normal Level = "normal"
	// Leave gets no new calls from others, and takes those that come all the same.
	Leave Level = "leave"
	// Drain refuses new calls.
	Drain Level = "drain"
	// Stop refuses new calls and, after a while, ends those that are up.
	Stop Level = "stop"
)

const (
	// defaultWait is how long calls may last: what drain.yml and the machines of fleets wait, too.
	defaultWait = 2 * time.Hour
	// overhead is what a playbook may take besides.
	overhead = 15 * time.Minute
	// pause is the time between two questions how many calls are left.
	pause = 2 * time.Second
)

// Options is what `calldata drain` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Node is a machine's name or an instance id.
	Node string
	// Level is how far to take it out of service, default Drain.
	Level Level
	// Wait bounds the wait for calls to end, default two hours.
	Wait time.Duration
	// Back brings the machine back, Replace has Auto Scaling put another in its place, Status only looks.
	Back, Replace, Status bool
	// Yes asks nobody; JSON prints the result as JSON.
	Yes, JSON bool

	members fleet.Lister
	play    func(context.Context, *configure.Options) (*configure.Outcome, error)
	replace func(ctx context.Context, region, instance string) error
	pause   time.Duration
	port    int // of the machines' SSH servers; 0 is 22
}

// NewCmdDrain makes the command.
func NewCmdDrain(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, members: fleet.Members, play: configure.Run, replace: replace, pause: pause})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain STACK NODE",
		Short: "Take a Router or SBC out of service and let its calls end, or bring it back",
		Long: `Take a C4 Router or SBC out of service: others send it no new calls, it refuses those that come, and the command waits
until the calls that are up have ended. Out of service it stays, also over a restart, until --back brings it back.

Levels: leave, others send no new calls here, but it takes what comes; drain, it refuses new calls, the default; stop, it also
ends the calls that are up after half a minute.

NODE is a fixed machine, for which the playbook drain.yml is run with the environment of calldata configure, or the instance
id of a machine of a fleet, which is told over SSH as by calldata ssh. Auto Scaling takes a machine behind the carriers' load
balancer that refuses calls for ill, and may replace it. To have another machine in its place, --replace asks Auto Scaling for
that; it drains the machine first, and the command does not wait for it.

Exit codes: 0 done and no call left, 1 a task failed, 2 wrong input, 8 not confirmed, 4 the machine does not answer, 5 calls are
still up: it stays out of service, 6 a tool is missing.`,
		Example: `  calldata drain stage stage-router-1
  calldata drain stage stage-router-1 --back
  calldata drain prod i-0123456789abcdef0 --replace
  calldata drain prod i-0123456789abcdef0 --status --json | jq .activeCalls`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.UsageErrorf("want a stack and a machine, for example `%s stage stage-router-1`, got %d arguments", cmd.CommandPath(), len(args))
			}
			o.Source.Stack, o.Node = args[0], args[1]
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.Source.AddFileFlag(f)
	f.StringVar((*string)(&o.Level), "level", string(Drain), "leave, drain or stop")
	f.DurationVar(&o.Wait, "wait", defaultWait, "wait at most so long for calls to end")
	f.BoolVar(&o.Back, "back", false, "bring the machine back into service")
	f.BoolVar(&o.Replace, "replace", false, "have Auto Scaling drain the machine of a fleet and put another in its place")
	f.BoolVar(&o.Status, "status", false, "only look")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask for the stack's name, with --replace or --level stop")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

func (o *Options) validate() error {
	var errs []error
	if o.Level != Leave && o.Level != Drain && o.Level != Stop {
		errs = append(errs, fmt.Errorf("--level is %q, want %s, %s or %s; --back brings a machine back", o.Level, Leave, Drain, Stop))
	}
	if (o.Back && o.Replace) || (o.Back && o.Status) || (o.Replace && o.Status) {
		errs = append(errs, errors.New("--back, --replace and --status exclude each other: give one"))
	}
	if o.Wait < time.Second {
		errs = append(errs, fmt.Errorf("--wait is %s, want at least 1s", o.Wait))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	node, err := o.choose(ctx, stack)
	if err != nil {
		return err
	}
	m := &machine{Options: o, stack: stack, node: node}
	switch {
	case o.Status:
	case o.Replace:
		return m.replaced(ctx)
	case !o.Back && o.Level == Stop:
		if err := confirm.Unless(ctx, o.Yes, o.IO, fmt.Sprintf("Calls on %s of stack %s will be ended.", node.Name, stack.Stack), stack.Stack); err != nil {
			return err
		}
		fallthrough
	default:
		level := o.Level
		if o.Back {
			level = Normal
		}
		if err := m.set(ctx, level); err != nil {
			return err
		}
	}
	status, err := m.status(ctx)
	if err != nil {
		return err
	}
	return o.IO.Print(o.JSON, status, status.write)
}

// choose answers the machine that is meant, which has to be of Class 4: engines cannot be drained.
func (o *Options) choose(ctx context.Context, stack stacks.Outputs) (stacks.Node, error) {
	if stacks.Role(o.Node).Valid() {
		return stacks.Node{}, cli.UsageErrorf("%q is a role: machines are drained one at a time, name one", o.Node)
	}
	nodes, err := fleet.Choose(ctx, stack, o.Node, o.members)
	if err != nil {
		return stacks.Node{}, err
	}
	node := nodes[0]
	c4 := func(r stacks.Role) bool { return r == stacks.RoleC4Router || r == stacks.RoleC4SBC }
	switch {
	case !slices.ContainsFunc(node.Roles, c4):
		return stacks.Node{}, cli.UsageErrorf("%s is neither a C4 Router nor an SBC, but %s: it cannot be drained", node.Name, roles(node))
	case o.Replace && !fleet.IsMember(node):
		return stacks.Node{}, cli.UsageErrorf("%s is a fixed machine: Auto Scaling does not know it; `pulumi up --replace` makes it anew", node.Name)
	}
	return node, nil
}

func roles(n stacks.Node) string {
	var words []string
	for _, r := range n.Roles {
		words = append(words, string(r))
	}
	return strings.Join(words, ", ")
}
