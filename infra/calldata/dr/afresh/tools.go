package afresh

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/calls"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/routing"
	"github.com/calldata/calldata-foundation/infra/calldata/setup"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke"
	rehearsal "github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// tools do the work of the steps; tests replace them.
type tools struct {
	snapshot func(ctx context.Context, region, database string) (Snapshot, error)
	zones    func(ctx context.Context, region string, count int) ([]string, error)
	backups  func(ctx context.Context, streams *cli.IO, stack stacks.Outputs, bucket string, roles ...stacks.Role) ([]backup.Backup, error)
	known    func(ctx context.Context, root, stack string) (bool, error)
	create   func(ctx context.Context, root, stack, secretsProvider string) error
	deploy   func(context.Context, *deploy.Options) (*deploy.Report, error)
	outputs  func(context.Context, outputs.Source) (stacks.Outputs, error)
	restore  func(ctx context.Context, t *task, engine, backup string) error
	play     func(context.Context, *configure.Options) (*configure.Outcome, error)
	routing  func(context.Context, *task) error
	setup    func(context.Context, *task) error
	health   func(context.Context, *cli.IO, stacks.Outputs, time.Duration, progress.Step) (health.Report, error)
	tables   func(context.Context, *cli.IO, stacks.Outputs) (map[string]table, error)
	smoke    func(context.Context, *task) error
	calls    func(ctx context.Context, t *task, plan string) error
	// certificates are what the SBCs of a plan show for themselves.
	certificates func(context.Context, rehearsal.Plan) ([]byte, error)

	destroy func(context.Context, *task) error
	now     func() time.Time
}

func system() tools {
	return tools{
		snapshot: NewestSnapshot, zones: zonesOf, backups: backup.From, known: beside.Known, create: beside.Create, deploy: deploy.Run,
		outputs: func(ctx context.Context, s outputs.Source) (stacks.Outputs, error) { return s.Load(ctx, nil) },
		restore: restore, play: configure.Run,
		routing: func(ctx context.Context, t *task) error {
			// Through the new stack, also where the environment names the old one's database.
			return run(ctx, routing.NewCmdRouting(t.IO.Quiet()), "apply", t.home.name, "--database-url-file", "")
		},
		setup: func(ctx context.Context, t *task) error {
			return run(ctx, setup.NewCmdSetup(t.IO.Quiet()), t.home.name, "--yes")
		},
		health: health.Check, tables: readTables, smoke: place, certificates: rehearsal.Certificates, calls: func(ctx context.Context, t *task, plan string) error {
			return run(ctx, calls.NewCmdCalls(t.IO.Quiet()), "--plan", plan)
		}, destroy: func(ctx context.Context, t *task) error {
			return beside.TakeDown(ctx, t.IO.Quiet(), t.root, t.home.name)
		}, now: time.Now,
	}
}

// run runs another command of ours.
func run(ctx context.Context, cmd *cobra.Command, args ...string) error {
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(ctx)
}

// restore brings a backup of another stack back on an engine.
func restore(ctx context.Context, t *task, engine, id string) error {
	_, err := backup.Restore(ctx, &backup.RestoreOptions{
		Options: backup.Options{
			IO: t.IO.Quiet(), Source: outputs.Source{Stack: t.home.name, Dir: t.root}, Dir: t.root, Node: engine, From: t.bucket, Timeout: backup.DefaultTimeout,
		},
		Backups: []string{id}, Allow: []string{"stack"}, Identity: backup.Identity{File: t.Identity}, Yes: true,
	})
	return err
}

// place places the call of `calldata smoke`.
func place(ctx context.Context, t *task) error {
	work, finish := t.IO.Reporter()
	defer finish()
	s := work.Step("call")
	_, err := smoke.Check(ctx, t.IO, t.stack, s)
	s.Done(err)
	return err
}
