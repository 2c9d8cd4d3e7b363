package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/stacks"
)

// deployment is one run of the steps, and what they hand to each other.
type deployment struct {
	*Options
	root     string
	topology stacks.Topology
	plan     automation.Plan // saved, of --plan
	stack    opened
	outputs  *stacks.Outputs // nil where the stack has no machines
	report   *Report
}

// step is a piece of the deployment. It answers what came of it; an error that wraps progress.ErrSkipped says why it was left out.
type step struct {
	name string
	run  func(context.Context, progress.Step) (string, error)
}

func skip(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{progress.ErrSkipped}, args...)...)
}

// rehearse deploys the stack offline.
func (d *deployment) rehearse(ctx context.Context) error {
	work, finish := d.IO.Reporter()
	defer finish()
	begin := time.Now()
	detail, err := d.tools.rehearse(ctx, d.root, d.Source.Stack, work)
	d.record(StepRehearsal, begin, detail, err)
	if err != nil {
		return fmt.Errorf("rehearsal of stack %s: %w", d.Source.Stack, err)
	}
	return nil
}

// run looks, asks, and deploys. Nobody can answer while progress is drawn, so that the question is between two parts.
func (d *deployment) run(ctx context.Context) error {
	defer func() {
		if d.stack.close != nil {
			_ = d.stack.close() // a log
		}
	}()
	look := []step{{StepPreflight, d.preflight}, {StepPreview, d.preview}, {StepPolicies, d.policies}}
	act := []step{{StepUp, d.up}, {StepHealth, d.health}, {StepSmoke, d.smoke}}
	if d.Rehearse {
		if err := d.rehearse(ctx); err != nil {
			return err
		}
	}
	if err := d.perform(ctx, look); err != nil {
		return err
	}
	if err := d.show(); err != nil {
		return err
	}
	if d.report.dryRun = d.DryRun; d.DryRun {
		return nil
	}
	begin := time.Now()
	detail, err := d.confirm(ctx)
	d.record(StepConfirm, begin, detail, err)
	if err != nil && !errors.Is(err, progress.ErrSkipped) {
		return err
	}
	return d.perform(ctx, act)
}

// perform runs steps until one fails.
func (d *deployment) perform(ctx context.Context, steps []step) error {
	work, finish := d.IO.Reporter()
	defer finish()
	for _, s := range steps {
		begin, running := time.Now(), work.Step(s.name)
		if slices.Contains(d.Skip, s.name) {
			s.run = func(context.Context, progress.Step) (string, error) { return "", skip("by --skip") }
		}
		detail, err := s.run(ctx, running)
		running.Done(err)
		d.record(s.name, begin, detail, err)
		if err != nil && !errors.Is(err, progress.ErrSkipped) {
			return err
		}
	}
	return nil
}

func (d *deployment) record(name string, begin time.Time, detail string, err error) {
	d.report.Steps = append(d.report.Steps, verdict.Step{Name: name, Outcome: verdict.Of(begin, detail, err)})
}

func (d *deployment) preflight(ctx context.Context, step progress.Step) (string, error) {
	report, err := d.tools.preflight(ctx, d.IO, d.Source, step)
	if report == nil {
		return "", err
	}
	warnings := 0
	for _, c := range report.Checks {
		switch c.Status {
		case verdict.Fail:
			err = fmt.Errorf("%w\n%s: %s", err, c.Name, c.Detail)
		case verdict.Warn:
			warnings++
			step.Logf("%s: %s", c.Name, c.Detail)
		}
	}
	return fmt.Sprintf("%d checks, %d warnings", len(report.Checks), warnings), err
}

// preview says what would change, and what an earlier deployment left.
func (d *deployment) preview(ctx context.Context, step progress.Step) (string, error) {
	pack, err := d.tools.policies(ctx, d.root, step)
	if err != nil {
		return "", err
	}
	if d.stack, err = d.tools.open(ctx, d.root, d.Source.Stack); err != nil {
		return "", err
	}
	d.report.Log = d.stack.log
	if d.report.Resumes, err = resumes(ctx, d.stack); err != nil {
		return "", err
	}
	o := automation.PreviewOptions{Policies: []string{pack}}
	if d.plan != nil {
		dir, err := os.MkdirTemp("", "calldata-plan-")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.Plan = filepath.Join(dir, "now.plan")
	}
	report, err := preview.Run(ctx, d.stack, d.Source.Stack, o, step)
	if report == nil {
		return "", err
	}
	report.Plan, report.Log = "", ""
	d.report.Planned = report
	if err == nil && d.KeepProtected {
		err = d.keeps(ctx)
		return report.Summary(), err
	}
	if err == nil && d.plan != nil { // a broken policy is for the next step to tell
		err = d.fits(o.Plan)
		return report.Summary(), err
	}
	return report.Summary(), nil
}

// keeps refuses what would destroy something that the state protects.
func (d *deployment) keeps(ctx context.Context) error {
	state, err := d.stack.State(ctx)
	if err != nil {
		return err
	}
	protected := map[string]bool{}
	for _, r := range state.Protected() {
		protected[string(r.URN)] = true
	}
	var lost []string
	for _, c := range d.report.Planned.Changes {
		if c.Destroys() && protected[c.URN] {
			lost = append(lost, fmt.Sprintf("%s %s (%s)", c.Op, c.Name, c.Type))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	slices.Sort(lost)
	return cli.UsageErrorf("%d resources that stack %s protects would be lost, and nothing was changed:\n%s", len(lost), d.Source.Stack, strings.Join(lost, "\n"))
}

// fits compares the saved plan with one of now.
func (d *deployment) fits(path string) error {
	now, err := automation.ReadPlan(path)
	if err != nil {
		return err
	}
	differences := d.plan.Differences(now)
	if len(differences) == 0 {
		return nil
	}
	return cli.WithCode(cli.ExitChanges, fmt.Errorf("the plan %s no longer fits, and nothing was changed: make it again with `calldata preview %s --save-plan`\n%s",
		d.Plan, d.Source.Stack, strings.Join(differences, "\n")))
}

func (d *deployment) policies(context.Context, progress.Step) (string, error) {
	found := d.report.Planned.Policies
	return fmt.Sprintf("%d mandatory violations, %d pieces of advice", len(found.Mandatory), len(found.Advice)), found.Err(d.Source.Stack)
}

// show tells a person what would change, before the question.
func (d *deployment) show() error {
	if r := d.report.Resumes; r != nil {
		if _, err := fmt.Fprintf(d.IO.Err, "%s\nwhat it made stays, and this deployment goes on. Pending:\n", r); err != nil {
			return err
		}
	}
	return d.report.Planned.WriteTable(d.IO.Err)
}

func (d *deployment) confirm(ctx context.Context) (string, error) {
	gone := d.report.Planned.Destroys()
	switch {
	case len(d.report.Planned.Changes) == 0:
		return "", skip("there is nothing to change")
	case d.Yes:
		return "", skip("by --yes")
	case d.Question != "":
		return "agreed", confirm.Type(ctx, d.IO, d.Question, d.Source.Stack)
	case len(gone) == 0:
		return "agreed", confirm.Ask(ctx, d.IO, "Deploy stack "+d.Source.Stack+"?")
	}
	question := fmt.Sprintf("Of stack %s, %d resources go away or are made anew.", d.Source.Stack, len(gone))
	return "agreed", confirm.Type(ctx, d.IO, question, d.Source.Stack)
}

// up deploys. It does so also where no resource would change: outputs may, and a preview does not tell.
func (d *deployment) up(ctx context.Context, step progress.Step) (string, error) {
	o := automation.UpOptions{Message: d.Message}
	if d.plan != nil {
		path, err := filepath.Abs(d.Plan)
		if err != nil {
			return "", err
		}
		o.Plan = path
	}
	result, err := d.stack.Up(ctx, step, o)
	d.report.Changed = result.Counts
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("deploy stack %s: %w", d.Source.Stack, ctx.Err())
	case automation.IsLocked(err):
		return "", fmt.Errorf("%w\n`calldata preflight %s` says who holds the lock, and what to do", err, d.Source.Stack)
	case err != nil:
		return "", fmt.Errorf("deploy stack %s: %w", d.Source.Stack, err)
	}
	return automation.Describe(result.Counts), d.read(ctx)
}

// read takes the outputs that the checks work from.
func (d *deployment) read(ctx context.Context) error {
	if d.topology.Kind == stacks.KindAccount {
		return nil
	}
	values, err := d.stack.Outputs(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(outputs.Mask(values, false)) // of what the checks need, nothing is secret
	if err != nil {
		return err
	}
	parsed, err := stacks.ParseOutputs(data)
	if err != nil {
		return err
	}
	d.outputs, d.report.Endpoints = &parsed, &parsed.Endpoints
	return nil
}

func (d *deployment) health(ctx context.Context, step progress.Step) (string, error) {
	switch {
	case d.outputs == nil:
		return "", skip("the stack has no machines")
	case !d.topology.Configuration.Enabled:
		return "", skip("the setting configure is false: nothing is configured")
	}
	report, err := d.tools.health(ctx, d.IO, *d.outputs, d.Wait, step)
	return fmt.Sprintf("%d checks", len(report.Checks)), err
}

// secretsVariable names the file with the SIP password of the smoke test.
const secretsVariable = "CALLDATA_SECRETS_FILE"

// smoke places a call. Other stacks than dev know no phone before somebody has set up routing and tenants.
func (d *deployment) smoke(ctx context.Context, step progress.Step) (string, error) {
	switch {
	case d.outputs == nil:
		return "", skip("the stack has no machines")
	case !d.topology.Configuration.Enabled:
		return "", skip("the setting configure is false: nothing is configured")
	case d.topology.Kind != stacks.KindDev:
		return "", skip("phones of a %s stack come by its routing and its tenants: test it with calldata calls", d.topology.Kind)
	case d.IO.Getenv(secretsVariable) == "":
		return "", skip("%s is not set, so that the test's SIP password is not known here", secretsVariable)
	}
	report, err := d.tools.smoke(ctx, d.IO, *d.outputs, step)
	if report == nil {
		return "", err
	}
	return fmt.Sprintf("%d steps", len(report.Steps)), err
}
