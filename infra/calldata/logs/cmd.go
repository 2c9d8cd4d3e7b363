// Package logs is `calldata logs`: what the machines of a stack log, from their journals, or from CloudWatch where nobody can
// log in.
package logs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

// Source is where lines come from.
type Source string

const (
	// Auto is Journal, and CloudWatch for machines that cannot be logged in to.
	Auto Source = "auto"
	// Journal is the machine's own journal, read over SSH.
	Journal Source = "journal"
	// CloudWatch is what the machine has shipped.
	CloudWatch Source = "cloudwatch"
)

const (
	defaultSince = time.Hour
	defaultLines = 1000
	// poll is the time between two questions to CloudWatch; machines ship every five seconds.
	poll = 5 * time.Second
)

// Options is what `calldata logs` works with.
type Options struct {
	// IO is where lines and complaints go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// Who is a machine's name, an instance id, or a role.
	Who string
	// Since is how far back to begin, default one hour. Lines is how many of each machine's lines to show at most, the newest,
	// default 1000; 0 shows all.
	Since time.Duration
	Lines int
	// Unit is a systemd unit, in CloudWatch the name of a log. Empty is all of the journal.
	Unit string
	// From is where lines come from, default Auto.
	From Source
	// Follow goes on with new lines until it is interrupted.
	Follow bool
	// JSON prints an object for each line.
	JSON bool

	members fleet.Lister
	port    int // of the machines' SSH servers; 0 is 22
	connect func(ctx context.Context, region string) (cloudAPI, error)
	poll    time.Duration
}

// NewCmdLogs makes the command.
func NewCmdLogs(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, members: fleet.Members, connect: connect, poll: poll})
}

func newCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs STACK NODE|ROLE",
		Short: "Show what machines log",
		Long: `Show what a machine of a stack logs, or all machines of a role, in the order of time: their journals, read over SSH as by
calldata ssh, or what they have shipped to CloudWatch.

--from auto, the default, reads the journal, and CloudWatch where a machine cannot be logged in to; --from cloudwatch also
takes the instance id of a machine that is gone. Programs that log to files of their own, as an engine's do, are found in
CloudWatch alone, by the name of their log: --from cloudwatch --unit wazo-calld. What is shipped is masked; a journal is not.

Logging in needs ` + login.KeyVariable + `, ` + login.KnownHostsVariable + ` and ` + tunnel.Variable + ` as calldata health does; CloudWatch
needs AWS credentials.

Exit codes: 0 done, 2 wrong input, 4 neither a machine nor CloudWatch answers, 6 a tool is missing, 130 --follow was ended.`,
		Example: `  calldata logs stage c4-router --since 10m
  calldata logs prod c4-sbc --unit kamailio --follow
  calldata logs prod i-0123456789abcdef0 --from cloudwatch --since 24h --json | jq -r .text`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.UsageErrorf("want a stack and a machine or role, for example `%s dev dev-uc-1`, got %d arguments", cmd.CommandPath(), len(args))
			}
			o.Source.Stack, o.Who = args[0], args[1]
			return nil
		},
		ValidArgsFunction: (&stackarg.Source{}).Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.Source.AddFileFlag(f)
	f.DurationVar(&o.Since, "since", defaultSince, "how far back to begin")
	f.IntVarP(&o.Lines, "lines", "n", defaultLines, "show at most so many of each machine's lines, the newest; 0 shows all")
	f.StringVarP(&o.Unit, "unit", "u", "", "only this systemd unit, in CloudWatch this log (default: all of the journal)")
	f.StringVar((*string)(&o.From), "from", string(Auto), "auto, journal or cloudwatch")
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on with new lines, until Ctrl-C")
	f.BoolVar(&o.JSON, "json", false, "print an object for each line")
	return cmd
}

// unitForm is what names of units have: nothing that a shell would take for more than a word.
var unitForm = regexp.MustCompile(`^[A-Za-z0-9@:._-]+$`)

func (o *Options) validate() error {
	var errs []error
	if o.Since <= 0 {
		errs = append(errs, fmt.Errorf("--since is %s, want more than 0, for example 10m", o.Since))
	}
	if o.Lines < 0 {
		errs = append(errs, fmt.Errorf("--lines is %d, want 0 or more", o.Lines))
	}
	if o.Unit != "" && !unitForm.MatchString(o.Unit) {
		errs = append(errs, fmt.Errorf("--unit is %q, want the name of a systemd unit", o.Unit))
	}
	if o.From != Auto && o.From != Journal && o.From != CloudWatch {
		errs = append(errs, fmt.Errorf("--from is %q, want %s, %s or %s", o.From, Auto, Journal, CloudWatch))
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
	nodes, err := o.choose(ctx, stack)
	if err != nil {
		return err
	}
	r := o.reader(stack)
	out := &printer{w: o.IO.Out, json: o.JSON}
	if o.Follow {
		err = r.read(ctx, nodes, out.print)
	} else {
		var lines []Line
		lines, err = r.collect(ctx, nodes)
		for _, l := range lines {
			out.print(l)
		}
	}
	if ctx.Err() != nil {
		return cli.WithCode(cli.ExitInterrupted, fmt.Errorf("%w: %w", cli.ErrSilent, ctx.Err()))
	}
	return errors.Join(err, out.err)
}
