package preflight

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const defaultTimeout = 30 * time.Second

// Options is what `calldata preflight` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Profile is the AWS profile. Default: the environment's.
	Profile string
	// Timeout bounds each check, default 30 s.
	Timeout time.Duration
	// JSON prints the report as JSON instead of a table.
	JSON bool

	// connect makes the clients; tests answer their own.
	connect func(ctx context.Context, region, profile string) (*clients, error)
	tools   toolbox
}

// NewCmdPreflight makes the command.
func NewCmdPreflight(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, connect: connect, tools: system(streams.Getenv)})
}

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preflight STACK",
		Short: "Look for what would make a deployment fail",
		Long: `Look for everything that would make a deployment of a stack fail, before it begins. Nothing is changed.

On this machine: the stack's settings, the SSH key, who hears of alarms, Pulumi, Ansible, and what leads to machines without an
open SSH port. In AWS: credentials, the region and its zones, instance types, the quotas that the stack needs next to what is in
use, the roles of AWS's services that it names, the machines' image, the domain's hosted zone, the key of the secrets. For the
account's stack, what AWS takes one of and the account may have already: GitHub's identity provider and a monitor of cost
anomalies; and whether the bill knows our tags. Of the state: its bucket, and whether somebody holds the stack's lock.

What could not be checked, for want of permission for example, is a warning. A stack that is deployed already counts for
what it has. Where a setting is only missing, the other checks go on with an example of it.

Exit codes: 0 nothing stands in the way (also with warnings), 2 wrong input, 3 a check failed.`,
		Example: `  calldata preflight dev
  calldata preflight prod --profile telephony --json | jq '.checks[] | select(.status != "ok")'
  calldata preflight prod --set sbcMax=12`,
		Args:              opts.Source.Args,
		ValidArgsFunction: opts.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Source.AddSetFlag(cmd.Flags())
	cmd.Flags().StringVar(&opts.Profile, "profile", "", "AWS profile (default: the environment's)")
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", defaultTimeout, "time limit for each check")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	if o.Timeout <= 0 {
		return cli.UsageErrorf("--timeout is %s, want more than 0", o.Timeout)
	}
	file, _, err := o.Source.File()
	if err != nil {
		return err
	}
	work, finish := o.IO.Reporter()
	step := work.Step("preflight of stack " + file.Stack)
	report, err := check(ctx, o, file, step)
	step.Done(err)
	finish()
	if report == nil {
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.table), err)
}

// Check looks at everything that the command looks at, with its defaults, and tells step how far it is. An error with the code
// cli.ExitUnhealthy names the checks that failed; with any other error there is no report.
func Check(ctx context.Context, streams *cli.IO, source stackarg.Source, step progress.Step) (*Report, error) {
	file, _, err := source.File()
	if err != nil {
		return nil, err
	}
	return check(ctx, &Options{IO: streams, Source: source, Timeout: defaultTimeout, connect: connect, tools: system(streams.Getenv)}, file, step)
}

func check(ctx context.Context, o *Options, file *stackfile.File, step progress.Step) (*Report, error) {
	report := inspect(ctx, o, file, step)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("preflight: %w", ctx.Err())
	}
	return report, report.err()
}
