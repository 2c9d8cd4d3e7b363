package rollback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
)

// How a repair ended.
const (
	// Repaired: the checkpoint is the state. Planned: it was a dry run. Whole: there was nothing to repair. Declined: somebody said no.
	Repaired = "repaired"
	Planned  = "planned"
	Whole    = "whole"
	Declined = "declined"
	// Failed: it is as it was, unless Kept is set.
	Failed = "failed"
)

// Resource is something in AWS.
type Resource struct {
	Type string `json:"type"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Repair is what came of going back to a checkpoint.
type Repair struct {
	// Stack is the stack's name, Result one of the constants above.
	Stack  string `json:"stack"`
	Result string `json:"result"`
	// Present is the state that was found, absent where there was none; Checkpoint what becomes the state.
	Present    *Copy `json:"present,omitempty"`
	Checkpoint *Copy `json:"checkpoint,omitempty"`
	// Forgotten are resources that the present state names and the checkpoint does not, Known those that only the checkpoint names.
	Forgotten []Resource `json:"forgotten"`
	Known     []Resource `json:"known"`
	// Kept is the file in the backend with the state that was replaced.
	Kept string `json:"kept,omitempty"`
	// Differs is what a deployment would then change, compared with what is in AWS.
	Differs *preview.Report `json:"differs,omitempty"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
}

func (o *Options) repair(ctx context.Context, root string) error {
	s, err := o.stack(ctx, root)
	if err != nil {
		return err
	}
	r := &Repair{Stack: o.Source.Stack, Result: Failed, Forgotten: []Resource{}, Known: []Resource{}}
	err = o.mend(ctx, root, s, r)
	switch {
	case cli.Code(err) == cli.ExitDeclined:
		r.Result = Declined
	case err != nil:
		r.Error = err.Error()
	}
	if r.Checkpoint == nil && err != nil { // nothing was found that could be shown
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, r, r.write), err)
}

func (o *Options) mend(ctx context.Context, root string, s statestore.Stack, r *Repair) error {
	var err error
	if r.Present, err = present(ctx, s); err != nil {
		return err
	}
	if o.To == "" && r.Present != nil && r.Present.Damaged == "" {
		r.Result = Whole
		return nil
	}
	all, err := copies(ctx, s, o.Limit)
	if err != nil {
		return err
	}
	if r.Present == nil && len(all) == 0 {
		return cli.UsageErrorf("the backend has neither a state nor copies of one for stack %s of project %s: is Pulumi logged in where it was deployed from?", s.Name, s.Project)
	}
	chosen, err := choose(all, o.To)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	r.Checkpoint = chosen
	if r.Present != nil {
		r.Forgotten = append(r.Forgotten, named(r.Present.state.Unknown(chosen.state.State))...)
		r.Known = append(r.Known, named(chosen.state.Unknown(r.Present.state.State))...)
	}
	if err := r.writePlan(o.IO.Err); err != nil {
		return err
	}
	if err := o.refuse(ctx, s, r); err != nil {
		return err
	}
	if o.DryRun {
		r.Result = Planned
		return nil
	}
	question := fmt.Sprintf("The state of stack %s is replaced by the copy of %s.", r.Stack, chosen.ID)
	if err := confirm.Unless(ctx, o.Yes, o.IO, question, r.Stack); err != nil {
		return err
	}
	// Somebody may have deployed while the question stood.
	now, err := present(ctx, s)
	if err != nil {
		return err
	}
	if (now == nil) != (r.Present == nil) || now != nil && !bytes.Equal(now.data, r.Present.data) {
		return cli.UsageErrorf("the state of stack %s has changed since it was looked at: call this again", r.Stack)
	}
	if err := o.refuse(ctx, s, r); err != nil {
		return err
	}
	return o.replace(ctx, root, s, r)
}

// refuse says everything that speaks against it.
func (o *Options) refuse(ctx context.Context, s statestore.Stack, r *Repair) error {
	var errs []error
	held, err := statestore.Locks(ctx, s.Store, s.Project, s.Name)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		errs = append(errs, fmt.Errorf("the lock of stack %s is held: %s\nwait until that is over; if it was killed, remove the lock: pulumi cancel -s %s", s.Name, strings.Join(held, "; "), s.Name))
	}
	if len(r.Forgotten) > 0 && !o.Forget {
		errs = append(errs, fmt.Errorf("%d resources would stay in AWS, unknown to Pulumi: choose a copy that knows them with --to, or give --forget and bring them back with `pulumi import`", len(r.Forgotten)))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

// replace keeps the present state, makes the checkpoint the state, and looks.
func (o *Options) replace(ctx context.Context, root string, s statestore.Stack, r *Repair) error {
	work, finish := o.IO.Reporter()
	defer finish()
	step := work.Step("repair the state of stack " + s.Name)
	err := o.exchange(ctx, root, s, r)
	step.Done(err)
	if err != nil {
		return err
	}
	r.Result = Repaired
	step = work.Step("compare with AWS")
	r.Differs, err = o.preview(ctx, root, s.Name, step)
	step.Done(err)
	if err != nil {
		err = fmt.Errorf("the state is repaired, but could not be compared with AWS: %w\n`calldata preview %s --refresh` compares", err, s.Name)
		return cli.WithCode(cli.ExitError, err) // other codes say that nothing was changed
	}
	return nil
}

func (o *Options) exchange(ctx context.Context, root string, s statestore.Stack, r *Repair) error {
	if r.Present != nil {
		key, err := s.Keep(ctx, statestore.Object{Key: r.Present.Key}, r.Present.data, time.Now())
		if err != nil {
			return fmt.Errorf("keep the present state: %w", err)
		}
		r.Kept = key
	} else if err := s.Restore(ctx, r.Checkpoint.data); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	err := o.restore(ctx, root, s.Name, r.Checkpoint.state)
	if automation.IsLocked(err) {
		return fmt.Errorf("%w\n`calldata preflight %s` says who holds the lock, and what to do", err, s.Name)
	}
	return err
}

// look compares the state with AWS.
func look(ctx context.Context, root, stack string, step progress.Step) (*preview.Report, error) {
	s, err := automation.Operate(ctx, root, stack, "rollback")
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // a log
	report, err := preview.Run(ctx, s, stack, automation.PreviewOptions{Refresh: true}, step)
	if report != nil {
		report.Log = s.LogFile
	}
	return report, err
}

func named(resources []apitype.ResourceV3) []Resource {
	var list []Resource
	for _, r := range resources {
		list = append(list, Resource{Type: string(r.Type), Name: automation.Name(string(r.URN)), ID: string(r.ID)})
	}
	return list
}

// writePlan tells a person what would happen, before the question.
func (r *Repair) writePlan(w io.Writer) error {
	var text strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&text, format+"\n", args...) }
	switch p := r.Present; {
	case p == nil:
		line("state of stack %s: missing", r.Stack)
	case p.Damaged != "":
		line("state of stack %s: damaged, %s; %d resources of it can be read", r.Stack, p.Damaged, p.Resources)
	default:
		line("state of stack %s: whole, %d resources", r.Stack, p.Resources)
	}
	c := r.Checkpoint
	after := ""
	if c.Kind != "" {
		after = fmt.Sprintf(", after: %s %s", c.Kind, c.Result)
	}
	if c.Commit != "" {
		after += ", commit " + short(c.Commit)
	}
	line("copy of %s: from %s%s, %d resources", c.ID, c.From, after, c.Resources)
	for _, p := range c.state.Pending {
		line("  was under way then, and nobody knows how it ended: %s %s", p.Type, automation.Name(string(p.Resource.URN)))
	}
	for _, f := range r.Forgotten {
		line("  would be forgotten: %s %s, %s", f.Type, f.Name, f.ID)
	}
	if n := len(r.Known); n > 0 {
		line("  would be known again: %d resources", n)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (r *Repair) write(w io.Writer) error {
	var text strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&text, format+"\n", args...) }
	switch r.Result {
	case Whole:
		line("%s: the state is whole, %d resources: there is nothing to repair; --to goes back all the same", r.Stack, r.Present.Resources)
	case Repaired:
		line("%s: repaired, %d resources", r.Stack, r.Checkpoint.Resources)
	default:
		line("%s: %s", r.Stack, r.Result)
	}
	if r.Kept != "" {
		line("kept: %s", r.Kept)
	}
	if _, err := io.WriteString(w, text.String()); err != nil || r.Differs == nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "what a deployment would now change:"); err != nil {
		return err
	}
	return r.Differs.WriteTable(w)
}
