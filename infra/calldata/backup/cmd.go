// Package backup is `calldata backup`: it takes, lists and restores backups of a stack's machines.
package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/stacks"
)

// DefaultTimeout is for backups and restores of an engine with recordings, which takes longer than its configuration.
const DefaultTimeout = 3 * time.Hour

// Options is what every verb works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Node is the machine that is meant, a role, or empty for all.
	Node string
	// From is where backups are that lie elsewhere than in the stack's own bucket: another stack's name; a stack's name with ":copy", for
	// its copies in a second region; or s3://BUCKET, with ?region=REGION where it is another than the stack's. Empty is the own bucket.
	From string
	// Timeout bounds everything, default three hours.
	Timeout time.Duration
	// JSON prints the result as JSON.
	JSON bool

	tools
}

// tools are what tests replace.
type tools struct {
	members fleet.Lister
	play    func(context.Context, *configure.Options) (*configure.Outcome, error)
	outputs func(context.Context, outputs.Source) (stacks.Outputs, error) // of another stack
	bucket  func(ctx context.Context, b statestore.Bucket, region string) (reader, error)
	port    int // of the machines' SSH servers; 0 is 22
}

// defaults are what is not a test's.
func (o *Options) defaults() {
	if o.members == nil {
		o.tools = tools{members: fleet.Members, play: configure.Run, bucket: openBucket, outputs: func(ctx context.Context, s outputs.Source) (stacks.Outputs, error) {
			return s.Load(ctx, nil)
		}}
	}
}

// environment says what the verbs that run playbooks need.
const environment = `
The environment is that of calldata configure, see there.`

// NewCmdBackup makes the command.
func NewCmdBackup(streams *cli.IO) *cobra.Command {
	o := &Options{IO: streams}
	o.defaults()
	return newCmd(o)
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Take, list and restore backups of a stack's machines",
		Long: `Every machine saves itself each night, to S3, encrypted; the role backup says what and how. These verbs are for the days
in between: a backup before a change, a look at what there is, and bringing it back.`,
	}
	cmd.AddCommand(newCmdNow(o), newCmdList(o), newCmdRestore(o), newCmdRestoreDatabase(o))
	return cmd
}

func newCmdNow(base *Options) *cobra.Command {
	o := *base
	cmd := &cobra.Command{
		Use:   "now STACK [NODE|ROLE]",
		Short: "Take a backup now",
		Long: `Take a backup of all fixed machines of a stack, or of those that are named, with the playbook backup.yml; and of each fleet
one machine, the oldest. The machines of a fleet are made alike and are replaced, never restored: what is worth saving, the
Routers' database, they share, and the files beside it are the same on all. An instance id means that machine of a fleet.
` + environment + `

Exit codes: 0 done, 1 a backup failed, 2 wrong input, 4 a machine does not answer, 5 out of time, 6 a tool is missing.`,
		Example: `  calldata backup now stage
  calldata backup now prod c4-router
  calldata backup now prod i-0123456789abcdef0`,
		Args:              o.args(1, 2),
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runNow(cmd.Context(), &o) },
	}
	o.addFlags(cmd)
	return cmd
}

// fromText says what --from takes.
const fromText = `
--from looks elsewhere than in the stack's own bucket, with the AWS credentials of the environment: in the bucket of another STACK, in
the copies that STACK:copy has in a second region (copyRegion), or in s3://BUCKET?region=REGION.`

func (o *Options) addFrom(flags *pflag.FlagSet) {
	flags.StringVar(&o.From, "from", "", "where the backups are: STACK, STACK:copy or s3://BUCKET?region=REGION (default: the stack's own bucket)")
}

func (o *Options) checkFrom() error {
	if o.From != "" && !whereForm.MatchString(o.From) {
		return cli.UsageErrorf("--from is %q, want the name of a stack, STACK:copy, or s3://BUCKET?region=REGION", o.From)
	}
	return nil
}

func (o *Options) addFlags(cmd *cobra.Command) {
	o.Source.AddFileFlag(cmd.Flags())
	cmd.Flags().DurationVar(&o.Timeout, "timeout", DefaultTimeout, "limit for the whole run")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the result as JSON")
}

// args binds the stack, and the machine where one is given.
func (o *Options) args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return cli.UsageErrorf("want `%s`, got %d arguments", cmd.UseLine(), len(args))
		}
		o.Source.Stack = args[0]
		if len(args) > 1 {
			o.Node = args[1]
		}
		return nil
	}
}

// load answers the stack, without the machines that save nothing, and its fixed machines.
func (o *Options) load(ctx context.Context) (stacks.Outputs, ansible.Inventory, error) {
	if o.Timeout <= 0 {
		return stacks.Outputs{}, ansible.Inventory{}, cli.UsageErrorf("--timeout is %s, want more than 0", o.Timeout)
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return stacks.Outputs{}, ansible.Inventory{}, err
	}
	inventory, err := ansible.FromOutputs(stack)
	if err != nil {
		return stacks.Outputs{}, ansible.Inventory{}, cli.WithCode(cli.ExitUsage, fmt.Errorf("inventory of stack %s: %w", stack.Stack, err))
	}
	stack.Nodes = slices.DeleteFunc(slices.Clone(stack.Nodes), func(n stacks.Node) bool { return !n.Roles[0].BackedUp() })
	return stack, inventory, nil
}

// machines are those that are meant: fixed ones, and of each fleet the oldest.
func (o *Options) machines(ctx context.Context, stack stacks.Outputs) (fixed, members []stacks.Node, err error) {
	words := []string{o.Node}
	if o.Node == "" {
		words = nil
		for _, n := range stack.Nodes {
			words = append(words, n.Name)
		}
		for _, f := range stack.Fleets {
			words = append(words, string(f.Role))
		}
	}
	seen := map[string]bool{}
	var errs []error
	for _, word := range words {
		nodes, err := fleet.Choose(ctx, stack, word, o.members)
		errs = append(errs, err)
		taken := false
		for _, n := range nodes {
			switch {
			case seen[n.Name]:
			case !fleet.IsMember(n):
				fixed = append(fixed, n)
			case !taken:
				members, taken = append(members, n), true
			}
			seen[n.Name] = true
		}
	}
	return fixed, members, errors.Join(errs...)
}
