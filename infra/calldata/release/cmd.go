// Package release is `calldata release`: it brings up the other colour of a stack's fleets, moves the calls there step by step, and goes
// back by itself when a step fails.
package release

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// BlueGreen is the way of releasing that there is.
const BlueGreen = "blue-green"

const (
	// defaultWait is how long calls may last, as for calldata drain.
	defaultWait = 2 * time.Hour
	// defaultSoak is long enough for phones to register anew and for two minutes of metrics.
	defaultSoak = 3 * time.Minute
	// defaultLimit is how many percent more calls may fail than in the hour before.
	defaultLimit = 2
	// pause is the time between two questions to a machine or to AWS.
	pause = 5 * time.Second
)

// Options is what `calldata release` works with.
type Options struct {
	// IO is where results and progress go, and where a person is asked.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Domain is what the test phone registers with: one that the routing leads to an engine. Neither Back nor Finish needs one.
	Domain string
	// Back moves the calls to the colour that was there before; Finish removes the colour that takes none.
	Back, Finish bool
	// Wait bounds each wait for calls to end, default two hours. Soak is how long calls come to a colour before that is judged,
	// default three minutes.
	Wait, Soak time.Duration
	// Limit is how many percent more calls may fail than in the hour before, default 2.
	Limit float64
	// Skip are steps of calldata deploy to leave out when the new colour is brought up.
	Skip []string
	// DryRun, Yes and JSON are as those of `calldata deploy`.
	DryRun, Yes, JSON bool

	tools tools
}

// NewCmdRelease makes the command.
func NewCmdRelease(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, tools: system()})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release STACK " + BlueGreen,
		Short: "Bring up the other colour of the fleets and move the calls there, step by step",
		Long: `Release what the working tree has to the SBCs and Routers of a stack, beside those that take the calls now:

  bring up     deploy the other colour. The one that takes the calls stays as it is from now on; everything else of the stack is
               deployed as by calldata deploy. Machines of the new colour send calls to each other alone.
  verify       they are in service, and a test phone calls by each new SBC
  addresses    new SBCs take free addresses of the pool
  calls to it  load balancer, phones and other machines send calls to both colours
  calls leave  the load balancer sends new calls to the new colour alone, and waits until the carriers' flows have moved
  drain        one old SBC after the other refuses new calls, lets those that are up end, and gives its address back
  keep         the old colour stays as it is until --finish removes it, or --back moves the calls there again

Each step from "addresses" on is judged after --soak: machines of the new colour, fixed machines and endpoints are well as by calldata
health, a test phone calls by each SBC that is to take calls, no larger share of calls fails than in the hour before the release (by the
Routers' records, --limit percent more), and no alarm whose name begins with STACK- has come on since the release began. A step that fails
moves the calls back, and ends with code 3.

When it began, and how far it is, stand in the settings releaseBegan, blueFleets and greenFleets, which this command changes: commit
Pulumi.STACK.yaml afterwards. A deployment at any moment keeps it. Ctrl-C, and any failure, leave a state from which the same command goes on, or --back goes back.
Engines have no colour: see docs/decisions/0019.

The test phone is the one of calldata smoke, with its password in the file that CALLDATA_SECRETS_FILE names; --domain is a domain that the
routing leads to an engine. --back and --finish call nobody, and need neither.

Exit codes: 0 done, 1 it failed, 2 wrong input, 3 a step was judged bad and the calls are back, 4 a machine or AWS does not answer, 5 calls
have not ended within --wait, 6 a tool is missing, 8 declined, 130 interrupted. After 2, 6 and 8 nothing was changed.`,
		Example: `  calldata release prod blue-green --domain acme.voice.example.com
  calldata release prod blue-green --domain acme.voice.example.com --dry-run
  calldata release prod blue-green --domain acme.voice.example.com --yes --json | jq .result
  calldata release prod blue-green --back
  calldata release prod blue-green --finish`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 || args[1] != BlueGreen {
				return cli.UsageErrorf("want a stack and %s, for example `%s prod %s`", BlueGreen, cmd.CommandPath(), BlueGreen)
			}
			return o.Source.Args(cmd, args[:1])
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{BlueGreen}, cobra.ShellCompDirectiveNoFileComp
			}
			return o.Source.Complete(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Domain, "domain", "", "`DOMAIN` that the test phone registers with")
	f.BoolVar(&o.Back, "back", false, "move the calls back to the colour that was there before")
	f.BoolVar(&o.Finish, "finish", false, "remove the colour that takes no calls")
	f.DurationVar(&o.Wait, "wait", defaultWait, "wait at most so long for calls, and for carriers' flows, to end")
	f.DurationVar(&o.Soak, "soak", defaultSoak, "let calls come to a colour for so long before a step is judged")
	f.Float64Var(&o.Limit, "limit", defaultLimit, "how many `PERCENT` more calls may fail than in the hour before")
	f.StringSliceVar(&o.Skip, "skip", nil, "`STEPS` to leave out when the new colour is brought up, as with calldata deploy")
	f.BoolVar(&o.DryRun, "dry-run", false, "show the plan, and end before anything is changed")
	f.BoolVar(&o.Yes, "yes", false, "do not ask")
	f.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	return cmd
}

// domainForm is a name of at least two labels (RFC 1123), in lower case.
var domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// calls says whether a test phone calls: on the way back, and where the other colour goes away, nothing is judged.
func (o *Options) calls() bool { return !o.Back && !o.Finish }

// validate answers the release, or everything that is wrong with the options and the settings.
func (o *Options) validate() (*release, error) {
	var errs []error
	bad := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(o.Back && o.Finish, "--back and --finish exclude each other: give one")
	bad(o.Yes && o.DryRun, "--yes and --dry-run exclude each other: a dry run asks nothing")
	bad(o.Wait < time.Second, "--wait is %s, want at least 1s", o.Wait)
	bad(o.Soak < 0, "--soak is %s, want 0 or more", o.Soak)
	bad(o.Limit < 0 || o.Limit > 100, "--limit is %g, want 0 to 100 percent", o.Limit)
	bad(o.calls() && !domainForm.MatchString(o.Domain), "--domain is %q, want one that the routing leads to an engine, like acme.voice.example.com", o.Domain)
	if o.calls() {
		errs = append(errs, smoke.CheckPassword(o.IO))
	}
	errs = append(errs, deploy.CheckSkip(o.Skip))
	if !o.DryRun {
		errs = append(errs, confirm.Possible(o.IO, o.Yes))
	}
	if stack := o.Source.Stack; !filepath.IsLocal(stack) || strings.ContainsAny(stack, `/\`) {
		bad(true, "%q is no name of a stack: want one like prod", stack)
		return nil, cli.WithCode(cli.ExitUsage, errors.Join(errs...))
	}
	r := &release{Options: o}
	file, _, err := o.Source.File()
	var topology stacks.Topology
	if err == nil {
		topology, err = stackarg.Topology(file)
	}
	errs = append(errs, err)
	if err == nil {
		bad(len(topology.Fleets) == 0, "stack %s has no fleets: only those of a %s stack have colours", o.Source.Stack, stacks.KindProd)
		standings := map[stacks.Colour]stacks.Standing{stacks.Blue: stacks.StandingNone, stacks.Green: stacks.StandingNone}
		for _, f := range topology.Fleets {
			standings[f.Colour] = f.Standing
		}
		if len(topology.Fleets) > 0 {
			r.place, r.stage, err = placeOf(standings)
			errs = append(errs, err)
		}
		r.pooled = topology.SIPEdge != nil && topology.SIPEdge.Phones
		r.begin(file)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	r.report = &Report{Stack: o.Source.Stack, Base: r.place.base, Fresh: r.place.fresh, Standings: r.place.standings, Steps: []verdict.Step{}}
	r.root, err = repo.Find(o.Source.Dir)
	return r, err
}

// begin reads when the release began. One that begins now does so with this second: AWS tells its times by milliseconds.
func (r *release) begin(file *stackfile.File) {
	text, _ := file.Get(stacks.Project + ":" + stacks.ReleaseBegan)
	var err error
	if r.began, err = time.Parse(time.RFC3339, text); err != nil || r.stage == alone { // settings that are wrong have been refused
		r.began, r.unwritten = time.Now().UTC().Truncate(time.Second), true
	}
}

func run(ctx context.Context, o *Options) error {
	r, err := o.validate()
	if err != nil {
		return err
	}
	err = r.run(ctx)
	r.report.judge(err)
	if cli.Code(err) == cli.ExitUsage && len(r.report.Steps) == 0 {
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, r.report, r.report.WriteTable), err)
}

// deployment are the options of a deployment within a release: whoever has agreed to the release has agreed to it.
func (r *release) deployment(message string, skip ...string) *deploy.Options {
	// Whether the stack is well is judged by the release, with more patience for what comes, and none for what calls leave.
	return &deploy.Options{IO: r.IO, Source: r.Source, Skip: append([]string{deploy.StepHealth, deploy.StepSmoke}, skip...), Yes: true, KeepProtected: true, Message: message}
}
