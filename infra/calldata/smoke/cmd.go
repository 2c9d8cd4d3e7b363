// Package smoke is `calldata smoke`: it registers a phone with the stack's engine and places a call whose echo it
// listens to.
package smoke

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	defaultTimeout = time.Minute
	defaultTone    = 1500 * time.Millisecond
	maxTone        = 5 * time.Minute
)

// Options is what `calldata smoke` works with.
type Options struct {
	// IO is where results and progress go.
	IO *cli.IO
	// Source says where the stack's outputs come from.
	Source outputs.Source
	// SecretsFile is a YAML file, mode 0600, with the key smoke_sip_password.
	SecretsFile string
	// Extension is called; the engine has to answer it with an echo. Default stacks.SmokeExtension.
	Extension string
	// Address is the endpoint's address; empty is what its name resolves to.
	Address string
	// LocalIP is the address to call from; empty is the one that routes to the endpoint.
	LocalIP string
	// Timeout bounds everything, default one minute. Tone is how long the tone lasts, default 1.5 s.
	Timeout time.Duration
	Tone    time.Duration
	// Metric tells CloudWatch what came of the call, in the stack's region.
	Metric bool
	// JSON prints the report as JSON instead of a table.
	JSON bool

	reply   time.Duration                                 // of one request; tests make it short
	connect func(context.Context, string) (teller, error) // to CloudWatch
}

// NewCmdSmoke makes the command.
func NewCmdSmoke(streams *cli.IO) *cobra.Command {
	opts := &Options{IO: streams, connect: connect}
	cmd := &cobra.Command{
		Use:   "smoke",
		Short: "Register a phone and place a call",
		Long: `Register a phone with the stack's engine and place a call that the engine answers with an echo.

It works from the stack's outputs alone. An endpoint with a name is called at the first IPv4 address that the name has;
--address calls another one, for example one SBC of several, or one whose name does not resolve here. The SIP password comes from the file that ` + fileVariable + ` names:
YAML, mode 0600, key ` + fileKey + `. Steps: OPTIONS; REGISTER with a wrong password, which has to be refused; REGISTER;
INVITE; a tone as RTP and its echo; BYE; the registration taken back. Each run makes one failed login: an engine's
fail2ban counts it.

--metric tells CloudWatch of the stack's region what came of it, metric ` + metrics.CallWorked + ` of ` + metrics.OutsideNamespace + `: 1 where every step worked, 0
where one failed or the endpoint does not answer. It needs credentials with cloudwatch:PutMetricData for that namespace. The setting
syntheticCalls makes alarms of it.

Exit codes: 0 everything works, 2 wrong input, 3 a step failed, 4 the endpoint does not answer, 5 out of time.`,
		Example: `  calldata smoke --stack dev
  pulumi stack output --json | calldata smoke --outputs - --json
  calldata smoke --outputs /etc/calldata/prod.json --metric`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.SecretsFile = opts.IO.Getenv(fileVariable)
			return run(cmd.Context(), opts)
		},
	}
	opts.Source.AddFlags(cmd.Flags())
	cmd.Flags().StringVar(&opts.Extension, "extension", stacks.SmokeExtension, "extension to call, which has to echo")
	cmd.Flags().StringVar(&opts.Address, "address", "", "IP address of the endpoint (default: what its name resolves to)")
	cmd.Flags().StringVar(&opts.LocalIP, "local-ip", "", "local address to call from (default: the one that routes to the endpoint)")
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", defaultTimeout, "time limit for everything")
	cmd.Flags().DurationVar(&opts.Tone, "tone", defaultTone, "how long the tone lasts")
	cmd.Flags().BoolVar(&opts.Metric, "metric", false, "tell CloudWatch what came of the call, for the stack's alarms")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the report as JSON")
	return cmd
}

// validate reports everything that is wrong with the options, before anything is sent.
func (o *Options) validate() (address, localIP netip.Addr, password string, err error) {
	var errs []error
	parse := func(flag, value string) netip.Addr {
		if value == "" {
			return netip.Addr{}
		}
		ip, err := netip.ParseAddr(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is %q, want an IP address", flag, value))
		}
		return ip
	}
	if o.Extension == "" {
		errs = append(errs, errors.New("--extension is empty"))
	}
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout is %s, want more than 0", o.Timeout))
	}
	if o.Tone < 100*time.Millisecond || o.Tone > maxTone {
		errs = append(errs, fmt.Errorf("--tone is %s, want 100ms to %s", o.Tone, maxTone))
	}
	address, localIP = parse("--address", o.Address), parse("--local-ip", o.LocalIP)
	if password, err = readPassword(o.SecretsFile); err != nil {
		errs = append(errs, err)
	}
	return address, localIP, password, cli.WithCode(cli.ExitUsage, errors.Join(errs...))
}

func run(ctx context.Context, o *Options) error {
	address, localIP, password, err := o.validate()
	if err != nil {
		return err
	}
	stack, err := o.Source.Load(ctx, o.IO.In)
	if err != nil {
		return err
	}
	var client teller
	if o.Metric {
		if client, err = o.connect(ctx, stack.Region); err != nil {
			return err
		}
	}
	work, finish := o.IO.Reporter()
	report, err := o.try(ctx, stack, target{
		server: netip.AddrPortFrom(address, 0), localIP: localIP, user: stacks.SmokeUser, password: password, extension: o.Extension, tone: o.Tone, reply: o.reply,
	}, work)
	finish()
	if o.Metric {
		err = errors.Join(err, tell(ctx, client, stack.Stack, err))
	}
	if report == nil {
		return err
	}
	return errors.Join(o.IO.Print(o.JSON, report, report.writeTable), err)
}

// Check tries a stack with these outputs as the command does by default, with the password in the file that the environment
// names. An error says which step failed, or why there was nothing to try; only then there is no report.
func Check(ctx context.Context, streams *cli.IO, stack stacks.Outputs, step progress.Step) (*Report, error) {
	o := &Options{IO: streams, SecretsFile: streams.Getenv(fileVariable), Extension: stacks.SmokeExtension, Timeout: defaultTimeout, Tone: defaultTone}
	_, _, password, err := o.validate()
	if err != nil {
		return nil, err
	}
	return o.try(ctx, stack, target{user: stacks.SmokeUser, password: password, extension: o.Extension, tone: o.Tone}, step)
}

// Call has the test line call its echo by the machine at an address, as a phone that registers with domain, which has to lead to an
// engine. Unlike Check it tries no wrong password: SBCs and engines count those, and somebody may call often. An error says which
// step failed.
func Call(ctx context.Context, streams *cli.IO, domain string, server netip.Addr, step progress.Step) error {
	o := &Options{IO: streams, SecretsFile: streams.Getenv(fileVariable), Extension: stacks.SmokeExtension, Timeout: defaultTimeout, Tone: defaultTone}
	_, _, password, err := o.validate()
	if err != nil {
		return err
	}
	_, err = o.try(ctx, stacks.Outputs{Endpoints: stacks.Endpoints{SIP: "sip:" + domain}}, target{
		server: netip.AddrPortFrom(server, 0), user: stacks.SmokeUser, password: password, extension: o.Extension, tone: o.Tone, trusting: true,
	}, step)
	return err
}

// try places the call, within the time limit. Where the target has no address, it is what the endpoint's name resolves to.
func (o *Options) try(ctx context.Context, stack stacks.Outputs, t target, work progress.Reporter) (*Report, error) {
	where, err := parseEndpoint(stack.Endpoints.SIP)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	t.domain = where.host
	if t.server = netip.AddrPortFrom(t.server.Addr(), where.port); !t.server.Addr().IsValid() {
		if t.server, err = where.resolve(ctx); err != nil {
			return nil, cli.WithCode(cli.ExitUnreachable, err)
		}
	}
	report := &Report{Stack: stack.Stack, Endpoint: stack.Endpoints.SIP}
	if err := test(ctx, t, work, report); err != nil {
		return nil, cli.WithCode(cli.ExitUnreachable, err)
	}
	step, failed := report.failed()
	report.Passed = !failed
	if !failed {
		return report, nil
	}
	return report, cli.WithCode(exitCode(ctx, step), fmt.Errorf("smoke test of %s: %s: %s", report.Endpoint, step.Name, step.Detail))
}

// exitCode tells why the test failed in the terms of package cli.
func exitCode(ctx context.Context, step Step) int {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return cli.ExitInterrupted
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return cli.ExitTimeout
	case step.Name == StepOptions:
		return cli.ExitUnreachable
	}
	return cli.ExitUnhealthy
}
