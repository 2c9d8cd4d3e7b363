// Package health is `calldata health`: it checks the machines and the endpoints of a stack, from the stack's outputs
// alone.
package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	defaultTimeout  = 15 * time.Second
	defaultCertDays = 21
	// pause is the time between two rounds of --wait.
	pause = 5 * time.Second
)

// Options is what `calldata health` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Timeout bounds each check, default 15 s.
	Timeout time.Duration
	// Wait repeats the checks until all are well, for at most so long. 0 checks once.
	Wait time.Duration
	// CertDays is the number of days that the certificate must still be valid, default 21.
	CertDays int
	// JSON prints the report as JSON instead of a table.
	JSON bool

	pause time.Duration
}

// NewCmdHealth makes the command.
func NewCmdHealth(streams *cli.IO) *cobra.Command {
	opts := &Options{IO: streams, pause: pause}
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Check the machines and endpoints of a stack",
		Long: `Check the machines and endpoints of a stack, all at the same time, from its outputs alone.

For each machine: its EC2 status checks, SSH, cloud-init, systemd units, PostgreSQL of an engine, disk space and inodes, and
its clock; an SBC has to answer OPTIONS, and to know a Router that takes calls. A fleet has to have as many machines in service
as it may not go below; each of them is looked at like a fixed one. For the web endpoint: wazo-auth's status, the
setup wizard, the certificate; a name that does not resolve here is a warning. Without AWS credentials the checks of EC2
and of fleets are skipped. SSH uses the key that ` + login.KeyVariable + ` names, or the agent, and trusts only hosts in the file that
` + login.KnownHostsVariable + ` names (default: .calldata/STACK/known_hosts, then the user's own). Machines without an open port are
reached through AWS Systems Manager, with the AWS CLI and its session-manager-plugin, or inside their network with
` + tunnel.Variable + `=direct.

Exit codes: 0 healthy (also with warnings), 2 wrong input, 3 a check failed, 4 a machine or endpoint does not answer, 6 a tool
is missing.`,
		Example: `  calldata health --stack dev
  calldata health --stack dev --wait 10m
  pulumi stack output --json | calldata health --outputs - --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Source.AddFlags(cmd.Flags())
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", defaultTimeout, "time limit for each check")
	cmd.Flags().DurationVar(&opts.Wait, "wait", 0, "repeat the checks until all are well, for at most so long; 20m longer while machines of fleets set themselves up")
	cmd.Flags().IntVar(&opts.CertDays, "cert-days", defaultCertDays, "days that the certificate must still be valid")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

// validate reports everything that is wrong with the options.
func (o *Options) validate() error {
	var errs []error
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout is %s, want more than 0", o.Timeout))
	}
	if o.Wait < 0 {
		errs = append(errs, fmt.Errorf("--wait is %s, want 0 or more", o.Wait))
	}
	if o.CertDays < 0 {
		errs = append(errs, fmt.Errorf("--cert-days is %d, want 0 or more", o.CertDays))
	}
	return cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	c, err := o.prepare(ctx, stack)
	if err != nil {
		return err
	}
	defer func() { _ = c.login.Close() }() // nothing is lost
	return o.report(ctx, c)
}

// Check runs the checks of the command, with its defaults, on a stack with these outputs, until all are well or wait is over. Whoever wants
// some machines of fleets alone adds them to the nodes, named by their instance ids, and takes the fleets away. An
// error of the codes cli.ExitUnhealthy and cli.ExitUnreachable says what is not well; with any other error there is no report.
func Check(ctx context.Context, streams *cli.IO, stack stacks.Outputs, wait time.Duration, step progress.Step) (Report, error) {
	o := &Options{IO: streams, Timeout: defaultTimeout, Wait: wait, CertDays: defaultCertDays, pause: pause}
	c, err := o.prepare(ctx, stack)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = c.login.Close() }() // nothing is lost
	report, err := o.rounds(ctx, c, step)
	if err != nil {
		return Report{}, err
	}
	return report, report.err()
}

// prepare makes the checks of a stack. Its login is to be closed.
func (o *Options) prepare(ctx context.Context, stack stacks.Outputs) (*checker, error) {
	site, err := newWeb(stack.Endpoints.Web, time.Duration(o.CertDays)*24*time.Hour)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	access, err := login.New(ctx, stack, o.IO.Getenv)
	if err != nil {
		return nil, err
	}
	return &checker{stack: stack, web: site, login: access, getenv: o.IO.Getenv, timeout: o.Timeout, aws: instanceStatuses, groups: fleetStates}, nil
}

// report runs the checks, once or until they pass, and prints the last round.
func (o *Options) report(ctx context.Context, c *checker) error {
	work, finish := o.IO.Reporter()
	step := work.Step("health of stack " + c.stack.Stack)
	report, err := o.rounds(ctx, c, step)
	if err != nil {
		step.Done(err)
		finish()
		return err
	}
	step.Done(report.err())
	finish()
	if err := o.IO.Print(o.JSON, report, report.writeTable); err != nil {
		return err
	}
	return report.err()
}

func (o *Options) rounds(ctx context.Context, c *checker, step progress.Step) (Report, error) {
	begin := time.Now()
	since := begin
	for {
		report := c.round(ctx)
		if ctx.Err() != nil {
			return Report{}, fmt.Errorf("health checks: %w", ctx.Err())
		}
		failures := report.failures()
		if time.Since(begin) < stacks.BootTimeout && slices.ContainsFunc(failures, func(r Result) bool { return r.coming }) {
			since = time.Now()
		}
		if len(failures) == 0 || o.Wait == 0 || time.Since(since)+o.pause >= o.Wait {
			return report, nil
		}
		first := failures[0]
		step.Progress(int64(len(report.Checks)-len(failures)), int64(len(report.Checks)),
			fmt.Sprintf("waiting for %s %s: %s", first.Node, first.Name, first.Detail))
		select {
		case <-time.After(o.pause):
		case <-ctx.Done():
		}
	}
}
