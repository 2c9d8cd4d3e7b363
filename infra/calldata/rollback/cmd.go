// Package rollback is `calldata rollback`: it takes a stack back to an earlier deployment, or a damaged state back to an earlier copy.
package rollback

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// defaultLimit is how many deployments or checkpoints are listed, and looked at for one to go back to.
const defaultLimit = 20

// Options is what `calldata rollback` works with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// State goes back to a checkpoint of the state instead of a deployment.
	State bool
	// To is a commit, or with State a checkpoint's ID or the beginning of one. Empty chooses the newest that makes sense.
	To string
	// List only lists what can be gone back to, at most Limit.
	List  bool
	Limit int
	// Skip, Wait, DryRun, Yes and JSON are as those of `calldata deploy`.
	Skip              []string
	Wait              time.Duration
	DryRun, Yes, JSON bool
	// NewerSchema goes back although the database has migrations of which the commit does not know.
	NewerSchema bool
	// Forget goes back although the checkpoint does not know resources of which the present state knows.
	Forget bool

	tools
}

// tools are what tests replace.
type tools struct {
	history func(ctx context.Context, root, stack string, n int) ([]auto.UpdateSummary, error)
	deploy  func(context.Context, *deploy.Options) (*deploy.Report, error)
	store   func(ctx context.Context, url, dir string) (statestore.Store, error)
	restore func(ctx context.Context, root, stack string, c automation.Checkpoint) error
	preview func(ctx context.Context, root, stack string, step progress.Step) (*preview.Report, error)
}

// NewCmdRollback makes the command.
func NewCmdRollback(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, tools: tools{
		history: history, deploy: deploy.Run, store: statestore.Open, restore: automation.Import, preview: look,
	}})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback STACK",
		Short: "Go back to an earlier deployment, or repair a damaged state from its history",
		Long: `Deploy an earlier commit again: its program, its Pulumi.STACK.yaml and its ansible/, with the steps of calldata deploy. Pulumi's
history says which commits were deployed; --list shows them. Without --to it is the newest that Pulumi deployed whole and is not the
commit of the last deployment; the history does not know what health and smoke said of it. A rollback in which Pulumi failed is gone
on with; after one in which it did not, --to has to say where to go.

The commit is checked out beside the clone, below .calldata, and is gone afterwards. What the clone has that is not committed has no
part in it. The plan says which commits are taken back; then the stack's name has to be typed. Refused are a commit that would delete
or replace what the stack protects, and one that does not know all migrations of the Routers' database that the deployments since
then brought: calls could fail. --newer-schema goes on where you know that they do not. Data in databases and on disks does not go back:
that is calldata backup restore.

--state repairs a state that Pulumi can no longer read, from the copies that the backend keeps in .pulumi/history, .pulumi/backups and
beside the state. It takes the newest that is whole; --list --state shows them, and --to TIME chooses another. The present state is
kept among the backups first, where the same command finds it. Then a preview that asks AWS says what differs. Resources that the
present state names and the copy does not would stay in AWS, unknown to Pulumi: it is refused, and --forget goes on. A state whose
lock is held is refused.

Automation gives --yes; without it, and without a terminal, nothing happens. --dry-run shows the plan, and ends.

Exit codes: 0 done, 1 it failed, 2 wrong input or refused, 3 a check failed: of preflight, policies, health or smoke, 4 a machine does
not answer, 5 out of time, 6 a tool is missing, 8 declined, 130 interrupted. After 2, 6 and 8 nothing was changed.`,
		Example: `  calldata rollback prod --list
  calldata rollback prod --dry-run
  calldata rollback prod --to 1f3c9ab
  calldata rollback prod --to 1f3c9ab --yes --json | jq .deployment.result
  calldata rollback dev --state --list
  calldata rollback dev --state --to 20261130T0214`,
		Args:              o.Source.Args,
		ValidArgsFunction: o.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o, cmd.Flags().Changed) },
	}
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "the `COMMIT` to deploy again, or with --state the checkpoint's TIME as --list shows it, or its beginning")
	f.BoolVar(&o.State, "state", false, "repair the state from its history")
	f.BoolVar(&o.List, "list", false, "only list what can be gone back to")
	f.IntVar(&o.Limit, "limit", defaultLimit, "list and look at so many, newest first")
	f.StringSliceVar(&o.Skip, "skip", nil, "`STEPS` to leave out, as with calldata deploy")
	f.DurationVar(&o.Wait, "wait", deploy.DefaultWait, "how long the stack may take to be well afterwards")
	f.BoolVar(&o.NewerSchema, "newer-schema", false, "go back although the database has migrations that the commit does not know")
	f.BoolVar(&o.Forget, "forget", false, "with --state, go back although resources in AWS are then unknown to Pulumi")
	f.BoolVar(&o.DryRun, "dry-run", false, "show the plan, and end before anything is changed")
	f.BoolVar(&o.Yes, "yes", false, "do not ask")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// validate reports everything that is wrong with the flags. Given tells whether one was given.
func (o *Options) validate(given func(string) bool) error {
	var errs []error
	exclude := func(of, because string, flags ...string) {
		for _, flag := range flags {
			if given(flag) {
				errs = append(errs, fmt.Errorf("--%s and --%s exclude each other: %s", of, flag, because))
			}
		}
	}
	if o.List {
		exclude("list", "a list changes nothing", "to", "skip", "wait", "newer-schema", "forget", "dry-run", "yes")
	}
	if o.State {
		exclude("state", "it deploys nothing", "skip", "wait", "newer-schema")
	} else if given("forget") {
		errs = append(errs, errors.New("--forget is for --state: give both, or none"))
	}
	if o.Yes {
		exclude("yes", "a dry run asks nothing", "dry-run")
	}
	if o.Limit < 1 {
		errs = append(errs, fmt.Errorf("--limit is %d, want 1 or more", o.Limit))
	}
	if strings.HasPrefix(o.To, "-") || (given("to") && o.To == "") {
		errs = append(errs, fmt.Errorf("--to is %q, want a commit, or with --state a checkpoint's time", o.To))
	}
	if stack := o.Source.Stack; !filepath.IsLocal(stack) || strings.ContainsAny(stack, `/\`) {
		errs = append(errs, fmt.Errorf("%q is no name of a stack: want one like dev", stack))
	}
	if !o.List && !o.DryRun {
		errs = append(errs, confirm.Possible(o.IO, o.Yes))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options, given func(string) bool) error {
	if err := o.validate(given); err != nil {
		return err
	}
	root, err := repo.Find(o.Source.Dir)
	if err != nil {
		return err
	}
	switch {
	case o.State && o.List:
		return o.listCheckpoints(ctx, root)
	case o.State:
		return o.repair(ctx, root)
	case o.List:
		return o.listDeploys(ctx, root)
	}
	return o.back(ctx, root)
}
