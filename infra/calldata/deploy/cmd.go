// Package deploy is `calldata deploy`: it looks, asks, deploys and verifies a stack, one step after the other.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// DefaultWait is how long a stack may take to be well after the deployment: load balancers look at new machines a few times first.
const DefaultWait = 5 * time.Minute

// Options is what `calldata deploy` works with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Plan is a file that `calldata preview --save-plan` wrote. Empty deploys whatever the program says.
	Plan string
	// Skip names steps to leave out: preflight, health, smoke.
	Skip []string
	// Wait is how long the stack may take to be well, default 5 minutes.
	Wait time.Duration
	// Rehearse deploys the stack offline first.
	Rehearse bool
	// DryRun ends before anything is changed.
	DryRun bool
	// Yes asks nobody.
	Yes bool
	// JSON prints the report as JSON instead of a table.
	JSON bool
	// Question is asked in the place of the usual one, and the stack's name has to be typed for it whatever would change. Empty asks
	// the usual one.
	Question string
	// KeepProtected refuses to replace or delete what the stored state protects, also where the settings protect it no longer: the
	// engine would then do both at once.
	KeepProtected bool
	// Message is what Pulumi's history says of the deployment. Default: the subject of the commit.
	Message string

	tools tools
}

// NewCmdDeploy makes the command.
func NewCmdDeploy(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams})
}

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deploy STACK",
		Short: "Deploy a stack: look, ask, deploy, configure, verify",
		Long: `Deploy a stack, in steps:

  preflight  what would make the deployment fail, as calldata preflight
  preview    what would change
  policies   what the policies say of that; a mandatory violation ends here
  confirm    y or n; where something is replaced or deleted, the stack's name has to be typed
  up         Pulumi makes it so, and configures the machines (the configuration stage is part of it)
  health     the machines and endpoints are well, as calldata health
  smoke      a phone registers and calls, as calldata smoke; in dev

Automation gives --yes; without it, and without a terminal, nothing happens. --dry-run ends before confirm.

A step that fails ends the deployment; what was made stays. Mend the cause and run the same command again: it says how the last
one ended and what is pending, and goes on with that. Where no resource is left to change nobody is asked, and health and smoke
follow at once. Ctrl-C asks Pulumi to finish what is under way, for at most 20 minutes.

--plan FILE does what calldata preview --save-plan wrote, and nothing else. Where the stack or the program are no longer what
they were then, it ends before anything is changed and says what differs.

Secrets are files that the environment names: see calldata configure. The full log is .calldata/STACK/logs/deploy-TIME.log.

Exit codes: 0 deployed and well, 1 the deployment failed, 2 wrong input, 3 a check failed: of preflight, policies, health or
smoke, 4 a machine does not answer, 5 out of time, 6 a tool is missing, 7 the plan no longer fits, 8 declined, 130 interrupted.`,
		Example: `  calldata deploy dev
  calldata deploy prod --rehearse
  calldata deploy stage --dry-run
  calldata deploy stage --yes --json | jq '.steps[] | {name, status, seconds}'
  calldata preview prod --save-plan prod.plan && calldata deploy prod --plan prod.plan`,
		Args:              opts.Source.Args,
		ValidArgsFunction: opts.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Plan, "plan", "", "do what this `FILE` says, which calldata preview --save-plan wrote, and nothing else")
	flags.StringSliceVar(&opts.Skip, "skip", nil, "`STEPS` to leave out: "+strings.Join(skippable, ", "))
	flags.DurationVar(&opts.Wait, "wait", DefaultWait, "how long the stack may take to be well after the deployment; machines of fleets get 20m more")
	flags.BoolVar(&opts.Rehearse, "rehearse", false, "deploy the stack offline first, as calldata rehearse does")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "look, and end before anything is changed")
	flags.BoolVar(&opts.Yes, "yes", false, "do not ask")
	flags.BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

// skippable are the steps that --skip may leave out.
var skippable = []string{StepPreflight, StepHealth, StepSmoke}

// CheckSkip reports every step that --skip may not leave out.
func CheckSkip(steps []string) error {
	var errs []error
	for _, name := range steps {
		if !slices.Contains(skippable, name) {
			errs = append(errs, fmt.Errorf("--skip has %q, want %s", name, strings.Join(skippable, ", ")))
		}
	}
	return errors.Join(errs...)
}

// validate answers the deployment, or everything that is wrong with the options.
func (o *Options) validate() (*deployment, error) {
	var errs []error
	if !o.DryRun {
		errs = append(errs, confirm.Possible(o.IO, o.Yes))
	}
	if o.Yes && o.DryRun {
		errs = append(errs, errors.New("--yes and --dry-run exclude each other: a dry run asks nothing"))
	}
	errs = append(errs, CheckSkip(o.Skip))
	if o.Wait < 0 {
		errs = append(errs, fmt.Errorf("--wait is %s, want 0 or more", o.Wait))
	}
	d := &deployment{Options: o, report: &Report{Stack: o.Source.Stack, Steps: []verdict.Step{}}}
	file, _, err := o.Source.File()
	if err == nil {
		d.topology, err = stackarg.Topology(file)
	}
	errs = append(errs, err)
	if o.Plan != "" {
		d.plan, err = readPlan(o.Plan, o.Source.Stack)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	d.root, err = repo.Find(o.Source.Dir)
	return d, err
}

func readPlan(path, stack string) (automation.Plan, error) {
	plan, err := automation.ReadPlan(path)
	if err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}
	name, err := plan.Stack()
	switch {
	case err != nil:
		return nil, fmt.Errorf("--plan %s: %w", path, err)
	case name != stack:
		return nil, fmt.Errorf("--plan %s is of stack %s, not of %s: name the right file", path, name, stack)
	}
	return plan, nil
}

func run(ctx context.Context, o *Options) error {
	report, err := Run(ctx, o)
	if report == nil {
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.WriteTable), err)
}

// Run deploys. The report is nil where the options are wrong, and nothing was done.
func Run(ctx context.Context, o *Options) (*Report, error) {
	if o.tools.open == nil {
		o.tools = system()
	}
	d, err := o.validate()
	if err != nil {
		return nil, err
	}
	err = d.run(ctx)
	d.report.judge(err)
	return d.report, err
}
