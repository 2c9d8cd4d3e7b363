// Package doctor is `calldata doctor`: what this machine has and lacks for work on stacks.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/preflight"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const (
	defaultStack   = "dev"
	defaultTimeout = 30 * time.Second
)

// Options is what `calldata doctor` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Stack is whose region and state are asked for, default dev.
	Stack string
	// Dir is a directory of the repository. Default: the working directory.
	Dir string
	// Profile is the AWS profile. Default: the environment's.
	Profile string
	// Timeout bounds each check, default 30 s.
	Timeout time.Duration
	// JSON prints the report as JSON instead of a table.
	JSON bool

	// find and run look for programs and ask them for their version; laptop runs the checks of `calldata preflight`.
	find   func(program string) (string, error)
	run    func(ctx context.Context, program string, args ...string) (string, error)
	laptop func(context.Context, *cli.IO, *stackfile.File, string, time.Duration) []preflight.Result
}

// NewCmdDoctor makes the command.
func NewCmdDoctor(streams *cli.IO) *cobra.Command { return newCmd(newOptions(streams)) }

func newOptions(streams *cli.IO) *Options {
	return &Options{IO: streams, Stack: defaultStack, Timeout: defaultTimeout, find: exec.LookPath, run: output, laptop: preflight.Laptop}
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [STACK]",
		Short: "Show what this machine has and lacks for work on stacks",
		Long: `Show what this machine has and lacks for work on stacks. Nothing is changed.

Programs: git, ssh, Go, Pulumi, Ansible with its collections, the AWS CLI with its session-manager-plugin, GitHub's gh. Files
that the environment names: the SSH key, known hosts, secrets and the vault's password, and who may read them. AWS: who the
credentials are, and whether they reach the bucket of Pulumi's state. No secret is shown.

STACK (default dev) says in which region, and whose state. Whether that stack can be deployed, calldata preflight says.

Exit codes: 0 nothing needed is lacking (also with warnings), 2 wrong input, 3 something is.`,
		Example: `  calldata doctor
  calldata doctor prod --profile telephony
  calldata doctor --json | jq -r '.checks[] | select(.status == "fail") | .detail'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.UsageErrorf("want the name of one stack at most, for example dev, got %d arguments", len(args))
			}
			o.Stack = append(args, defaultStack)[0]
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.Profile, "profile", "", "AWS profile (default: the environment's)")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", defaultTimeout, "time limit for each check")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print the report as JSON")
	return cmd
}

func run(ctx context.Context, o *Options) error {
	if o.Timeout <= 0 {
		return cli.UsageErrorf("--timeout is %s, want more than 0", o.Timeout)
	}
	root, err := repo.Find(o.Dir)
	if err != nil {
		return err
	}
	file, err := stackfile.Read(root, o.Stack)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	work, finish := o.IO.Reporter()
	step := work.Step("doctor")
	report := o.examine(ctx, root, file)
	if err = report.err(); ctx.Err() != nil {
		err = fmt.Errorf("doctor: %w", ctx.Err())
	}
	step.Done(err)
	finish()
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, report, func(w io.Writer) error { return preflight.Table(w, report.Checks) }), err)
}

// Examine answers the report for another command. The stack names region and state.
func Examine(ctx context.Context, streams *cli.IO, root, stack string) (Report, error) {
	file, err := stackfile.Read(root, stack)
	if err != nil {
		return Report{}, err
	}
	return newOptions(streams).examine(ctx, root, file), ctx.Err()
}

// Report is what was found.
type Report struct {
	// Version is this program's.
	Version version.Info `json:"version"`
	// Healthy tells whether no check failed. Warnings and skipped checks do not count.
	Healthy bool `json:"healthy"`
	// Checks are in a fixed order.
	Checks []preflight.Result `json:"checks"`
}

func (r Report) err() error {
	var failed []string
	for _, c := range r.Checks {
		if c.Status == verdict.Fail {
			failed = append(failed, c.Name)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%d of %d checks failed: %s", len(failed), len(r.Checks), strings.Join(failed, ", ")))
}

func output(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput() // ssh says its version on standard error
	return strings.TrimSpace(string(out)), err
}

// healthy judges the checks.
func healthy(checks []preflight.Result) bool {
	return !slices.ContainsFunc(checks, func(c preflight.Result) bool { return c.Status == verdict.Fail })
}
