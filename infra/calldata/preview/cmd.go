// Package preview is `calldata preview`: it says what a deployment would change.
package preview

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// Options is what `calldata preview` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Diff shows the value of every property that changes, as Pulumi does. Secrets are masked.
	Diff bool
	// Refresh compares with what is in AWS instead of the stored state.
	Refresh bool
	// ExpectNoChanges makes a change an error.
	ExpectNoChanges bool
	// SavePlan is the file for the plan. Empty saves none.
	SavePlan string
	// JSON prints the report as JSON instead of a table.
	JSON bool

	// open and policies are what tests replace.
	open     func(ctx context.Context, root, stack string) (opened, error)
	policies func(ctx context.Context, root string, step progress.Step) (string, error)
}

// opened is a stack that can be previewed.
type opened struct {
	Engine
	log   string
	close func() error
}

// NewCmdPreview makes the command.
func NewCmdPreview(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, open: open, policies: automation.Policies})
}

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview STACK",
		Short: "Say what a deployment would change, and what policies say of it",
		Long: `Say what a deployment of a stack would change, and what the policies say of it. Nothing is changed, nothing is locked.

The table has changes in the order of what they risk: what is deleted, replaced, updated, made. Of a replacement it names the
properties that force it. --diff shows every property with its old and its new value, in Pulumi's own form; secrets are masked.

--save-plan FILE writes what was shown, for calldata deploy STACK --plan FILE, which does this and nothing else: so that a
pipeline can plan in one job, wait for an approval, and apply in another. Secrets in the file are encrypted with the stack's key.

--refresh --expect-no-changes looks for drift: it compares with what is in AWS now, and ends with code 7 where that is not what
the program of this commit says. The stored state stays as it is.

The full log is .calldata/STACK/logs/preview-TIME.log.

Exit codes: 0 done, also where there are changes; 1 the engine failed, 2 wrong input, 3 a mandatory policy would be broken,
6 Pulumi is missing, 7 there are changes and --expect-no-changes was given.`,
		Example: `  calldata preview dev
  calldata preview prod --diff
  calldata preview prod --save-plan prod.plan
  calldata preview stage --refresh --expect-no-changes
  calldata preview prod --json | jq .counts`,
		Args:              opts.Source.Args,
		ValidArgsFunction: opts.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.Diff, "diff", false, "show every property that changes, with its values; secrets are masked")
	flags.BoolVar(&opts.Refresh, "refresh", false, "compare with what is in AWS now instead of the stored state")
	flags.BoolVar(&opts.ExpectNoChanges, "expect-no-changes", false, fmt.Sprintf("end with code %d if anything would change", cli.ExitChanges))
	flags.StringVar(&opts.SavePlan, "save-plan", "", "save what would be done in this `FILE`, for calldata deploy --plan")
	flags.BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

func open(ctx context.Context, root, stack string) (opened, error) {
	s, err := automation.Operate(ctx, root, stack, "preview")
	if err != nil {
		return opened{}, err
	}
	return opened{Engine: s, log: s.LogFile, close: s.Close}, nil
}

// validate reports everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	if o.SavePlan != "" && o.Refresh {
		errs = append(errs, errors.New("--save-plan and --refresh exclude each other: a plan is of the stored state, which a preview does not refresh"))
	}
	if o.SavePlan != "" && o.ExpectNoChanges {
		errs = append(errs, errors.New("--save-plan and --expect-no-changes exclude each other: there would be nothing to plan"))
	}
	if o.Diff && o.JSON {
		errs = append(errs, errors.New("--diff and --json exclude each other: JSON has the names of properties that change, and no values"))
	}
	file, _, err := o.Source.File()
	if err == nil {
		_, err = stackarg.Topology(file)
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(append(errs, err)...))
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	root, err := repo.Find(o.Source.Dir)
	if err != nil {
		return err
	}
	plan, err := NewPlanFile(o.SavePlan)
	if err != nil {
		return err
	}
	work, finish := o.IO.Reporter()
	step := work.Step("preview of stack " + o.Source.Stack)
	report, err := o.look(ctx, root, plan, step)
	step.Done(err)
	finish()
	if err != nil && plan != "" {
		_ = os.Remove(plan) // half a plan is none
	}
	if report == nil {
		return err
	}
	if err == nil && o.ExpectNoChanges {
		err = report.unexpected()
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.WriteTable), err)
}

func (o *Options) look(ctx context.Context, root, plan string, step progress.Step) (*Report, error) {
	pack, err := o.policies(ctx, root, step)
	if err != nil {
		return nil, err
	}
	engine, err := o.open(ctx, root, o.Source.Stack)
	if err != nil {
		return nil, err
	}
	defer func() { _ = engine.close() }() // a log
	report, err := Run(ctx, engine, o.Source.Stack, automation.PreviewOptions{Policies: []string{pack}, Refresh: o.Refresh, Diff: o.Diff, Plan: plan}, step)
	if report != nil {
		report.Log = engine.log
	}
	return report, err
}

// NewPlanFile makes an empty file of mode 0600 for a plan and answers its absolute path. It is a usage error where one is already, so
// that no approved plan is overwritten. For no path it answers none.
func NewPlanFile(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(abs, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return "", cli.UsageErrorf("--save-plan: %w", err)
	}
	return abs, file.Close()
}
