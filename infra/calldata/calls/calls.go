// Package calls is `calldata calls`: scenarios of real calls against a platform, from a carrier's, a phone's and an
// attacker's place.
package calls

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
)

// secretsVariable names the file with the phones' passwords.
const secretsVariable = "CALLDATA_SECRETS_FILE"

// Options are the command's flags.
type Options struct {
	IO     *cli.IO
	Plan   string
	Groups []string
	Only   string
	// DrainCalls is how many calls are up when machines are drained.
	DrainCalls int
	// Steady makes calls every second in the place of scenarios.
	Steady bool
	JSON   bool
}

// NewCmdCalls makes the command.
func NewCmdCalls(io *cli.IO) *cobra.Command {
	o := &Options{IO: io}
	cmd := &cobra.Command{
		Use:   "calls --plan <file>",
		Short: "Test a platform with calls, attacks and load",
		Long: `Plays carriers, phones and attackers against a platform and says of each scenario what came of it. The plan, a JSON
file, names the platform's machines, numbers and lines, and the addresses of this machine that the parties use; the
platform has to know them as its carriers'. A rehearsal writes one: .calldata/STACK/rehearsal/calls.json.

The phones' passwords come from the file that ` + secretsVariable + ` names: YAML, mode 0600, under the names that the plan gives.

Groups: ` + strings.Join(calls.Groups(), ", ") + `. Of these, load, loss and drain log in to the machines
and break them, attacks send floods: never name them against a platform that people use.

With --steady no scenario runs: a call to the engine, one to a phone and one out begin every second, by the first SBC that
answers, until standard input ends. Each is a line of JSON. A line on standard input hangs up the calls that stand, and tells
which were lost.

Exit codes: 0 everything works, 2 wrong input, 3 a scenario failed.`,
		Example: `  calldata calls --plan calls.json
  calldata calls --plan calls.json --groups calls --only hold --json
  sleep 60 | calldata calls --plan calls.json --steady`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Plan, "plan", "", "file that describes platform and parties")
	f.StringSliceVar(&o.Groups, "groups", []string{calls.GroupCalls, calls.GroupRecords}, "groups of scenarios")
	f.StringVar(&o.Only, "only", "", "run only scenarios with this in their name")
	f.IntVar(&o.DrainCalls, "drain-calls", 100, "how many calls are up when machines are drained")
	f.BoolVar(&o.Steady, "steady", false, "call every second until standard input ends, and tell of each call")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	_ = cmd.MarkFlagRequired("plan")
	for _, other := range []string{"groups", "only", "drain-calls", "json"} {
		cmd.MarkFlagsMutuallyExclusive("steady", other)
	}
	return cmd
}

func (o *Options) run(ctx context.Context) error {
	plan, err := calls.ReadPlan(o.Plan)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if o.Steady {
		return calls.Steady(ctx, plan, o.IO.Getenv(secretsVariable), o.IO.In, o.IO.Out)
	}
	work, done := o.IO.Reporter()
	result, err := calls.Run(ctx, calls.Options{
		Plan: plan, SecretsFile: o.IO.Getenv(secretsVariable), Groups: o.Groups, Only: o.Only, DrainCalls: o.DrainCalls, Progress: work,
	})
	done()
	if err != nil {
		return err
	}
	if err := o.IO.Print(o.JSON, result, result.WriteTable); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !result.Passed {
		return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%d scenarios failed", len(result.Failures())))
	}
	return nil
}
