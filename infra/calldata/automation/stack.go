// Package automation drives a stack through Pulumi's Automation API. It tells the engine's progress as it happens, and
// answers what changed or would change, what policies said, and the engine's own errors instead of all that it printed.
package automation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/opthistory"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// Parallel is how many resources the engine works on at once. They mostly wait.
const Parallel = 32

// Options say which stack, and what drives it.
type Options struct {
	// Dir is the directory of the Pulumi project, Stack the stack's name.
	Dir, Stack string
	// Create makes the stack if the backend does not know it. Without it, that is an error that IsUnknownStack tells, of the code
	// cli.ExitUsage. What makes a stack decides for good who reads its secrets, so that commands leave it to `pulumi stack init`.
	Create bool
	// SecretsProvider is the URL of the key that a stack which is made encrypts its secrets with. Empty is a passphrase.
	SecretsProvider string
	// Pulumi is the command line. Default: Operator's, with the pulumi on PATH.
	Pulumi auto.PulumiCommand
	// Env are variables on top of this process's environment.
	Env map[string]string
	// Log gets what the engine prints, in which secrets are masked. Default: nothing does.
	Log io.Writer
}

// Stack is a stack that operations of the engine run on, one at a time.
type Stack struct {
	stack auto.Stack
	log   io.Writer
}

// Open selects the stack, or makes it. It changes nothing else.
func Open(ctx context.Context, o Options) (*Stack, error) {
	if o.Pulumi == nil {
		var err error
		if o.Pulumi, err = Operator(); err != nil {
			return nil, err
		}
	}
	ws, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(o.Dir), auto.EnvVars(o.Env), auto.Pulumi(o.Pulumi), auto.SecretsProvider(o.SecretsProvider))
	if err != nil {
		return nil, err
	}
	open := auto.SelectStack
	if o.Create {
		open = auto.UpsertStack
	}
	stack, err := open(ctx, o.Stack, ws)
	if err != nil {
		err = firstDiagnostic(err)
		if IsUnknownStack(err) {
			err = cli.WithCode(cli.ExitUsage, &wrapped{text: unknown(o.Dir, o.Stack), err: err})
		}
		return nil, err
	}
	return New(stack, o.Log), nil
}

// Remove removes a stack that has no resources any more from the backend, with its history, and its settings file.
func Remove(ctx context.Context, dir, stack string) error {
	pulumi, err := Operator()
	if err != nil {
		return err
	}
	ws, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(dir), auto.Pulumi(pulumi))
	if err == nil {
		err = ws.RemoveStack(ctx, stack)
	}
	return firstDiagnostic(err)
}

// New wraps a stack that is open already. A nil log gets nothing.
func New(stack auto.Stack, log io.Writer) *Stack {
	return &Stack{stack: stack, log: cmp.Or(log, io.Discard)}
}

// Result is what an operation did, or would do.
type Result struct {
	// Counts is how many resources there are by what happens to them, for example "create" and "same".
	Counts map[string]int
	// Changes are the resources that something happens to, in the engine's order.
	Changes []Change
	// Judged is what policies said. A mandatory violation is why the operation failed.
	Judged []apitype.PolicyEvent
	// Text is what the engine printed, with secrets masked. It is empty when the operation failed: Log has it.
	Text string
}

// PreviewOptions say how to preview.
type PreviewOptions struct {
	// Policies are the programs of policy packs.
	Policies []string
	// Refresh compares with what AWS has now instead of the stored state, which stays as it is.
	Refresh bool
	// Diff makes Text tell every property that changes.
	Diff bool
	// Plan is a file that gets what Up may do. Empty saves none.
	Plan string
}

// Preview says what Up would do, and changes nothing.
func (s *Stack) Preview(ctx context.Context, step progress.Step, o PreviewOptions) (Result, error) {
	opts := []optpreview.Option{
		optpreview.Parallel(Parallel), optpreview.PolicyPacks(o.Policies...), optpreview.Plan(o.Plan), optpreview.Color("never"),
		optpreview.ProgressStreams(s.log), optpreview.ErrorProgressStreams(s.log), optpreview.SuppressOutputs(),
	}
	if o.Refresh {
		opts = append(opts, optpreview.Refresh())
	}
	if o.Diff {
		opts = append(opts, optpreview.Diff())
	}
	return s.run(ctx, step, func(events chan<- events.EngineEvent) (string, error) {
		r, err := s.stack.Preview(ctx, append(opts, optpreview.EventStreams(events))...)
		return r.StdOut, err
	})
}

// UpOptions say how to deploy.
type UpOptions struct {
	// Policies are the programs of policy packs.
	Policies []string
	// Plan is a file that Preview saved: whatever is not in it fails. Empty allows everything.
	Plan string
	// Replace are the URNs of resources to make anew.
	Replace []string
	// Message is what the history says of it. Default: the subject of the commit.
	Message string
}

// Up deploys.
func (s *Stack) Up(ctx context.Context, step progress.Step, o UpOptions) (Result, error) {
	return s.run(ctx, step, func(events chan<- events.EngineEvent) (string, error) {
		r, err := s.stack.Up(ctx, optup.EventStreams(events), optup.Parallel(Parallel), optup.PolicyPacks(o.Policies...), optup.Plan(o.Plan),
			optup.Replace(o.Replace), optup.Message(o.Message), optup.ProgressStreams(s.log), optup.ErrorProgressStreams(s.log), optup.Color("never"),
			optup.SuppressOutputs(), optup.ShowSecrets(false))
		return r.StdOut, err
	})
}

// Destroy removes every resource of the stack. The stack itself stays, with its settings and its history.
func (s *Stack) Destroy(ctx context.Context, step progress.Step) (Result, error) {
	return s.run(ctx, step, func(events chan<- events.EngineEvent) (string, error) {
		r, err := s.stack.Destroy(ctx, optdestroy.EventStreams(events), optdestroy.Parallel(Parallel),
			optdestroy.ProgressStreams(s.log), optdestroy.ErrorProgressStreams(s.log), optdestroy.Color("never"), optdestroy.ShowSecrets(false))
		return r.StdOut, err
	})
}

// run runs one operation of the engine and watches it.
func (s *Stack) run(ctx context.Context, step progress.Step, operation func(chan<- events.EngineEvent) (string, error)) (Result, error) {
	told := context.AfterFunc(ctx, func() { step.Logf("the engine is asked to end, and finishes what is under way") })
	defer told()
	w := newWatch(step)
	text, err := operation(w.events)
	w.wait()
	return Result{Counts: w.counts, Changes: w.changes, Judged: w.judged, Text: text}, w.explain(err)
}

// Configure gives a setting of the stack a value that is not secret.
func (s *Stack) Configure(ctx context.Context, setting, value string) error {
	if err := s.stack.SetConfig(ctx, setting, auto.ConfigValue{Value: value}); err != nil {
		return fmt.Errorf("set %s: %w", setting, firstDiagnostic(err))
	}
	return nil
}

// Outputs reads the stack's outputs, each with whether it is secret.
func (s *Stack) Outputs(ctx context.Context) (auto.OutputMap, error) {
	values, err := s.stack.Outputs(ctx)
	return values, firstDiagnostic(err)
}

// History is the newest operations on the stack, at most n, newest first. One that was killed leaves none.
func (s *Stack) History(ctx context.Context, n int) ([]auto.UpdateSummary, error) {
	history, err := s.stack.History(ctx, n, 1, opthistory.ShowSecrets(false))
	return history, firstDiagnostic(err)
}

// Last is the newest operation in the stack's history, or nil where there was none.
func (s *Stack) Last(ctx context.Context) (*auto.UpdateSummary, error) {
	history, err := s.History(ctx, 1)
	if err != nil || len(history) == 0 {
		return nil, err
	}
	return &history[0], nil
}

// IsUnknownStack tells whether Open failed because the backend does not know the stack.
func IsUnknownStack(err error) bool { return anyError(err, auto.IsSelectStack404Error) }

// unknown says what to do about a stack that the backend does not know: where its file names a key, it was made with another backend.
func unknown(dir, stack string) string {
	text := fmt.Sprintf("Pulumi knows no stack %s where it is logged in, which `pulumi whoami -v` shows", stack)
	if file, err := stackfile.Read(dir, stack); err == nil && file.SecretsProvider != "" {
		return fmt.Sprintf("%s, but %s says that it was made already, with %s: log in where its state is, `calldata bootstrap` prints the line",
			text, filepath.Base(file.Path), file.SecretsProvider)
	}
	return text + ": `calldata bootstrap` prints the line that makes it, with the key for its secrets"
}

// IsLocked tells whether an operation failed because another one holds the stack's lock.
func IsLocked(err error) bool { return anyError(err, auto.IsConcurrentUpdateError) }

// anyError tells whether is holds for err or an error that it wraps: the Automation API's own tests unwrap nothing.
func anyError(err error, is func(error) bool) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if is(err) {
			return true
		}
	}
	return false
}
