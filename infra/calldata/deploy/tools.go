package deploy

import (
	"context"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/preflight"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
	"github.com/calldata/calldata-foundation/stacks"
)

// engine is the part of automation.Stack that a deployment needs.
type engine interface {
	preview.Engine
	Up(context.Context, progress.Step, automation.UpOptions) (automation.Result, error)
	State(context.Context) (automation.State, error)
	Last(context.Context) (*auto.UpdateSummary, error)
	Outputs(context.Context) (auto.OutputMap, error)
}

// opened is a stack that can be deployed.
type opened struct {
	engine
	log   string
	close func() error
}

// tools do the work of the steps.
type tools struct {
	open      func(ctx context.Context, root, stack string) (opened, error)
	policies  func(ctx context.Context, root string, step progress.Step) (string, error)
	preflight func(context.Context, *cli.IO, stackarg.Source, progress.Step) (*preflight.Report, error)
	health    func(context.Context, *cli.IO, stacks.Outputs, time.Duration, progress.Step) (health.Report, error)
	smoke     func(context.Context, *cli.IO, stacks.Outputs, progress.Step) (*smoke.Report, error)
	rehearse  func(ctx context.Context, root, stack string, work *progress.Recorder) (string, error)
}

func system() tools {
	return tools{
		open: func(ctx context.Context, root, stack string) (opened, error) {
			s, err := automation.Operate(ctx, root, stack, "deploy")
			if err != nil {
				return opened{}, err
			}
			return opened{engine: s, log: s.LogFile, close: s.Close}, nil
		},
		policies: automation.Policies, preflight: preflight.Check, health: health.Check, smoke: smoke.Check,
		rehearse: func(ctx context.Context, root, stack string, work *progress.Recorder) (string, error) {
			report, err := rehearsal.Run(ctx, rehearsal.Options{Stack: stack, Repo: root, Calls: rehearsal.CallsQuick, Progress: work})
			if err != nil {
				return "", err
			}
			return "report: " + rehearsal.ReportDir(root, report.Stack), nil
		},
	}
}
