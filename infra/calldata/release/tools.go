package release

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke"
	"github.com/calldata/calldata-foundation/stacks"
)

// tools are what tests replace.
type tools struct {
	// set writes a setting into the stack's file.
	set     func(ctx context.Context, root, stack, setting, value string) error
	deploy  func(context.Context, *deploy.Options) (*deploy.Report, error)
	outputs func(ctx context.Context, root, stack string) (stacks.Outputs, error)
	cloud   func(ctx context.Context, region string) (cloud, error)
	// machines is the way to the machines of a deployed stack.
	machines func(stacks.Outputs, *cli.IO) machines
	health   func(context.Context, *cli.IO, stacks.Outputs, time.Duration, progress.Step) (health.Report, error)
	call     func(ctx context.Context, streams *cli.IO, domain string, server netip.Addr, step progress.Step) error
	calls    func(ctx context.Context, stack stacks.Outputs, getenv func(string) string, since, until time.Time) (outcome, error)
	pause    time.Duration
}

func system() tools {
	return tools{
		set: set, deploy: deploy.Run, outputs: read, cloud: newCloud, health: health.Check, call: smoke.Call, calls: calls, pause: pause,
		machines: func(stack stacks.Outputs, streams *cli.IO) machines {
			return &sshMachines{stack: stack, getenv: streams.Getenv, pause: pause}
		},
	}
}

func set(ctx context.Context, root, stack, setting, value string) error {
	s, err := automation.Open(ctx, automation.Options{Dir: root, Stack: stack})
	if err != nil {
		return err
	}
	return s.Configure(ctx, stacks.Project+":"+setting, value)
}

func read(ctx context.Context, root, stack string) (stacks.Outputs, error) {
	s, err := automation.Open(ctx, automation.Options{Dir: root, Stack: stack})
	if err != nil {
		return stacks.Outputs{}, err
	}
	values, err := s.Outputs(ctx)
	if err != nil {
		return stacks.Outputs{}, err
	}
	data, err := json.Marshal(outputs.Mask(values, false)) // of what a release needs, nothing is secret
	if err != nil {
		return stacks.Outputs{}, err
	}
	parsed, err := stacks.ParseOutputs(data)
	return parsed, cli.WithCode(cli.ExitUsage, err)
}
