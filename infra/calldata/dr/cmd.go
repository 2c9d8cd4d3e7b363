// Package dr is `calldata dr`: what a loss would cost a stack now, what brings it back, and the stack made afresh elsewhere.
package dr

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/dr/afresh"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/stacks"
)

// defaultTimeout bounds a plan. Machines are asked one after the other.
const defaultTimeout = 10 * time.Minute

// Options is what `calldata dr` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Timeout bounds everything, default ten minutes.
	Timeout time.Duration
	// JSON prints the result as JSON.
	JSON bool

	tools
}

// tools are what tests replace.
type tools struct {
	members  fleet.Lister
	backups  func(context.Context, *cli.IO, stacks.Outputs, stacks.Role) ([]backup.Backup, error)
	database func(context.Context, stacks.Outputs) (Database, error)
	copies   func(ctx context.Context, dir, stack string, getenv func(string) string) ([]statestore.Checkpoint, error)
	pair     func(context.Context, *cli.IO, stacks.Node, stacks.Outputs) (*Pair, error)
	archives func(context.Context, *cli.IO, stacks.Outputs, string, ...stacks.Role) ([]backup.Backup, error)
	now      func() time.Time
}

// NewCmdDR makes the command.
func NewCmdDR(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, tools: tools{
		members: fleet.Members, backups: backup.Of, database: describeDatabase, copies: copies, pair: askPair, archives: backup.From, now: time.Now,
	}})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dr",
		Short: "Say what a loss would cost, and bring back what it took",
	}
	cmd.AddCommand(newCmdPlan(o), afresh.NewCmdFailover(o.IO), afresh.NewCmdDrill(o.IO))
	return cmd
}

func newCmdPlan(base *Options) *cobra.Command {
	o := *base
	cmd := &cobra.Command{
		Use:   "plan STACK",
		Short: "What would be lost now, how long it would take, and the steps",
		Long: `For each thing that a stack can lose, a machine, the database, the state, a zone, the region: how old the data is that would
come back if it were lost now, what docs/dr.md promises, and the commands that bring it back. Nothing is changed.

Ages are those of what there really is: backups as the machines list them and as they lie in a second region (copyRegion), the
restorable time of RDS, the hourly copy of a pair of engines, the copies of the state. Machines are asked as by calldata ssh; RDS,
EC2 and S3 with the AWS credentials of the environment. What could not be asked is said, and the rest is answered all the same.

Exit codes: 0 every promise is kept, 2 wrong input, 3 a promise is not kept, 4 something could not be asked, 5 out of time.`,
		Example: `  calldata dr plan prod
  calldata dr plan stage --json | jq -r '.losses[] | select(.status == "fail") | .what'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.UsageErrorf("want one stack, for example `calldata dr plan stage`, got %d arguments", len(args))
			}
			o.Source.Stack = args[0]
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), &o) },
	}
	o.Source.AddFileFlag(cmd.Flags())
	cmd.Flags().DurationVar(&o.Timeout, "timeout", defaultTimeout, "limit for the whole run")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the plan as JSON")
	return cmd
}
