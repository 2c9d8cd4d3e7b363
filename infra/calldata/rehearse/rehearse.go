// Package rehearse is `calldata rehearse`.
package rehearse

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
)

// Options are the command's arguments and flags.
type Options struct {
	IO        *cli.IO
	Stack     string
	Twice     bool
	Keep      bool
	Stop      bool
	StopAfter string
	Calls     string
	Training  bool
	Restore   bool
	Drill     bool
	Rollback  bool
	Release   bool
	Zone      bool
	JSON      bool
}

// NewCmdRehearse makes the command. A non-nil run replaces the work, for tests of the flags.
func NewCmdRehearse(io *cli.IO, run func(context.Context, *Options) error) *cobra.Command {
	opts := &Options{IO: io}
	if run == nil {
		run = rehearse
	}
	cmd := &cobra.Command{
		Use:   "rehearse <stack>",
		Short: "Deploy a stack offline, from nothing to an answered call, and remove it",
		Long: `Deploys a stack with the real Pulumi engine and the real AWS provider to an emulated AWS, boots a Debian
machine for each instance, configures it over SSH, checks it, places a call, and removes everything.
Needs root on Linux. No AWS account. Nothing leaves this machine's own network namespace.`,
		Example: `  calldata rehearse dev
  calldata rehearse dev --twice
  calldata rehearse dev --keep
  calldata rehearse dev --stop-after provision
  calldata rehearse dev --restore
  calldata rehearse stage --calls full
  calldata rehearse stage --training
  calldata rehearse stage --restore
  calldata rehearse stage --drill
  calldata rehearse stage --rollback
  calldata rehearse prod --release
  calldata rehearse prod --zone
  calldata rehearse dev --stop`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Stack = args[0]
			return run(cmd.Context(), opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.Twice, "twice", false, "deploy and configure a second time, and fail if anything changes")
	f.BoolVar(&opts.Keep, "keep", false, "leave the platform running after the checks, also when one fails, until Ctrl-C or --stop")
	f.BoolVar(&opts.Stop, "stop", false, "end a running or crashed rehearsal of this stack and remove all that it left")
	f.StringVar(&opts.StopAfter, "stop-after", "", "end after a stage: provision or configure")
	f.StringVar(&opts.Calls, "calls", rehearsal.CallsQuick, "how much calling: quick, full (with load, losses and draining) or none")
	f.BoolVar(&opts.Training, "training", false, "stage: then do the exercises of the training")
	f.BoolVar(&opts.Restore, "restore", false, "dev, stage: then lose the engine, in stage the Router and the database too, and restore them from a backup; in stage the database to a time besides")
	f.BoolVar(&opts.Drill, "drill", false, "stage: then make the stack afresh beside itself from its backups, as dr drill does, and take that down")
	f.BoolVar(&opts.Rollback, "rollback", false, "stage: then deploy a commit that breaks the SBC, roll it back, and repair a damaged state")
	f.BoolVar(&opts.Release, "release", false, "prod: then release the other colour of the fleets while calls are up, go back once, and remove the first")
	f.BoolVar(&opts.Zone, "zone", false, "prod: then lose everything in one availability zone at once, and measure until calls succeed again")
	f.BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	cmd.MarkFlagsMutuallyExclusive("stop", "keep")
	cmd.MarkFlagsMutuallyExclusive("stop", "stop-after")
	return cmd
}

func rehearse(ctx context.Context, o *Options) error {
	root, err := repo.Find(".")
	if err != nil {
		return err
	}
	if o.Stop {
		left, err := rehearsal.Stop(ctx, o.Stack)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left behind: %s", strings.Join(left, ", "))
		}
		_, _ = fmt.Fprintf(o.IO.Out, "%d leftovers\n", len(left))
		return err
	}
	report, done := o.IO.Reporter()
	result, err := rehearsal.Run(ctx, rehearsal.Options{
		Stack: o.Stack, Repo: root, Keep: o.Keep, Twice: o.Twice, StopAfter: o.StopAfter, Calls: o.Calls, Training: o.Training, Restore: o.Restore,
		Drill: o.Drill, Rollback: o.Rollback, Release: o.Release, Zone: o.Zone, Progress: report,
		Hold: func(a rehearsal.Access) { hold(ctx, o.IO, a) },
	})
	done()
	if result == nil {
		return err
	}
	return firstOf(err, o.IO.Print(o.JSON, result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s  report: %s/report.{html,json}\n", result.Text(), rehearsal.ReportDir(root, o.Stack))
		return err
	}))
}

// hold says how to get in, and waits for Ctrl-C, SIGTERM or --stop.
func hold(ctx context.Context, io *cli.IO, a rehearsal.Access) {
	_, _ = fmt.Fprintf(io.Out, "\nThe platform stands. From another terminal, as root:\n")
	for _, s := range a.SSH {
		_, _ = fmt.Fprintf(io.Out, "  log in:  %s\n", s)
	}
	_, _ = fmt.Fprintf(io.Out, "  shell:   %s    (the engine answers there on %s)\n", a.Shell, a.Web)
	_, _ = fmt.Fprintf(io.Out, "  stop:    Ctrl-C here, or: %s\n\n", a.Stop)
	<-ctx.Done()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
