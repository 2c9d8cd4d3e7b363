// Package destroy is `calldata destroy`: it takes a stack down.
package destroy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/stacks"
)

// Options is what `calldata destroy` works with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Yes asks nobody.
	Yes bool
	// DryRun only shows what would go.
	DryRun bool
	// JSON prints the report as JSON instead of a table.
	JSON bool
	// Remember leaves the record of a stack that was made afresh, for a command that has more to take away and forgets it last.
	Remember bool

	open func(ctx context.Context, root, stack string) (opened, error)
}

// engine is the part of automation.Stack that the command needs.
type engine interface {
	State(context.Context) (automation.State, error)
	Destroy(context.Context, progress.Step) (automation.Result, error)
}

// opened is a stack that can be taken down.
type opened struct {
	engine
	log   string
	close func() error
}

// NewCmdDestroy makes the command.
func NewCmdDestroy(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams})
}

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "destroy STACK",
		Short: "Take a stack down: delete everything that it made",
		Long: `Delete everything in AWS that a stack made. The stack's settings and its history stay, so that it can be deployed again. What calldata dr
remembers of a stack that it made afresh (.calldata/STACK/afresh.json) goes, too.

What would go is shown first, and the stack's name has to be typed. Automation gives --yes; without it, and without a terminal,
nothing happens.

A stack that protects something is refused before anything is deleted: carriers, callers and data depend on it. The message
says how the protection is released, by a setting and a deployment. If a destroy fails half-way, run it again: it goes on with
what is left.

The full log is .calldata/STACK/logs/destroy-TIME.log.

Exit codes: 0 nothing is left, 1 the engine failed, 2 wrong input or something is protected, 6 Pulumi is missing, 8 declined,
130 interrupted. After 2, 6 and 8 nothing was changed.`,
		Example: `  calldata destroy dev
  calldata destroy prod --dry-run
  calldata destroy dev --yes --json`,
		Args:              opts.Source.Args,
		ValidArgsFunction: opts.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return Run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.Yes, "yes", false, "do not ask")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "show what would go, and end")
	flags.BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

func open(ctx context.Context, root, stack string) (opened, error) {
	s, err := automation.Operate(ctx, root, stack, "destroy")
	if err != nil {
		return opened{}, err
	}
	return opened{engine: s, log: s.LogFile, close: s.Close}, nil
}

// Report is what came of it.
type Report struct {
	// Stack is the stack's name; Destroyed tells whether nothing is left of it.
	Stack     string `json:"stack"`
	Destroyed bool   `json:"destroyed"`
	// Resources is what there was, Counts what the engine did, by kind; Left is how many resources are still there.
	Resources []automation.Change `json:"resources"`
	Counts    map[string]int      `json:"counts"`
	Left      int                 `json:"left"`
	// Log is the engine's log, relative to the repository.
	Log string `json:"log,omitempty"`
}

func (r *Report) writeText(w io.Writer) error {
	text := fmt.Sprintf("%s: %d resources are left", r.Stack, r.Left)
	if r.Destroyed {
		text = r.Stack + ": nothing is left"
	}
	if counts := automation.Describe(r.Counts); counts != "" {
		text += " (" + counts + ")"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// Run takes the stack down and prints the report. Its error has an exit code of package cli.
func Run(ctx context.Context, o *Options) error {
	if o.open == nil {
		o.open = open
	}
	if o.Yes && o.DryRun {
		return cli.UsageErrorf("--yes and --dry-run exclude each other: a dry run asks nothing")
	}
	if !o.DryRun {
		if err := confirm.Possible(o.IO, o.Yes); err != nil {
			return err
		}
	}
	if _, _, err := o.Source.File(); err != nil {
		return err
	}
	root, err := repo.Find(o.Source.Dir)
	if err != nil {
		return err
	}
	stack, err := o.open(ctx, root, o.Source.Stack)
	if err != nil {
		return err
	}
	defer func() { _ = stack.close() }() // a log
	state, err := stack.State(ctx)
	if err != nil {
		return fmt.Errorf("read the state of stack %s: %w", o.Source.Stack, err)
	}
	report := &Report{Stack: o.Source.Stack, Resources: resources(state), Counts: map[string]int{}, Left: len(state.Resources), Log: stack.log}
	if report.Left == 0 {
		report.Destroyed = true
		return errors.Join(o.IO.Print(o.JSON, report, report.writeText), o.forget(root))
	}
	if err := preview.WriteChanges(o.IO.Err, report.Resources); err != nil {
		return err
	}
	if err := refuse(o.Source.Stack, state); err != nil {
		return err
	}
	if o.DryRun {
		return o.IO.Print(o.JSON, report, report.writeText)
	}
	if !o.Yes {
		question := fmt.Sprintf("All %d resources of stack %s will be deleted, with the data in them.", len(report.Resources), o.Source.Stack)
		if err := confirm.Type(ctx, o.IO, question, o.Source.Stack); err != nil {
			return err
		}
	}
	if err = o.remove(ctx, stack, report); report.Destroyed {
		err = o.forget(root)
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.writeText), err)
}

// remove deletes, and looks what is left.
func (o *Options) remove(ctx context.Context, stack engine, report *Report) error {
	work, finish := o.IO.Reporter()
	defer finish()
	step := work.Step("destroy stack " + report.Stack)
	result, err := stack.Destroy(ctx, step)
	step.Done(err)
	if result.Counts != nil {
		report.Counts = result.Counts
	}
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("destroy stack %s: %w; run it again, it goes on with what is left", report.Stack, ctx.Err())
	case automation.IsLocked(err):
		err = fmt.Errorf("%w\n`calldata preflight %s` says who holds the lock, and what to do", err, report.Stack)
	case err != nil:
		err = fmt.Errorf("destroy stack %s: %w\nmend the cause and run it again: it goes on with what is left", report.Stack, err)
	}
	state, stateErr := stack.State(context.WithoutCancel(ctx))
	if stateErr == nil {
		report.Left = len(state.Resources)
	}
	report.Destroyed = err == nil && stateErr == nil && report.Left == 0
	return errors.Join(err, stateErr)
}

// forget takes away how the stack was made afresh, if it was: which backups its machines have is of machines that are gone. Another stack
// of this name would be made with them, and without the steps that were done.
func (o *Options) forget(root string) error {
	if o.DryRun || o.Remember {
		return nil
	}
	if err := os.Remove(repo.Afresh(root, o.Source.Stack)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// resources are those of a state that exist somewhere.
func resources(state automation.State) []automation.Change {
	list := []automation.Change{}
	for _, r := range state.Resources {
		if r.Custom && !strings.HasPrefix(string(r.Type), "pulumi:providers:") {
			list = append(list, automation.Change{Op: string(apitype.OpDelete), Type: string(r.Type), Name: automation.Name(string(r.URN)), URN: string(r.URN)})
		}
	}
	return list
}

// refuse names what is protected, and says how it is released.
func refuse(stack string, state automation.State) error {
	var names []string
	for _, r := range state.Protected() {
		names = append(names, automation.Name(string(r.URN)))
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return cli.UsageErrorf("stack %s protects %d resources, and nothing was deleted: %s\nif it is to go for good, with its data, release them first:\n"+
		"  pulumi config set %s:protect false -s %s\n  calldata deploy %s\n  calldata destroy %s",
		stack, len(names), strings.Join(names, ", "), stacks.Project, stack, stack, stack)
}
