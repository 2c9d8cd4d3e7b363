package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

// parallel is how many resources the engine works on at once. They mostly wait.
const parallel = 32

// commandType is the type of the resource that runs the configuration stage, instanceType that of an EC2 instance.
const (
	commandType  = "command:local:Command"
	instanceType = "aws:ec2/instance:Instance"
)

// pulumiStack drives one stack through Pulumi's Automation API and tells its progress.
type pulumiStack struct {
	stack auto.Stack
	log   io.Writer
	// judged is what policies said during the last operation.
	judged []apitype.PolicyEvent
}

// openStack selects or makes the stack in workdir. Root holds a bin/pulumi that enters the namespace netns.
func openStack(ctx context.Context, root, netns, workdir, name string, env map[string]string, log io.Writer) (*pulumiStack, error) {
	pulumi, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root, SkipVersionCheck: true})
	if err != nil {
		return nil, err
	}
	ws, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(workdir), auto.EnvVars(env), auto.Pulumi(insider{pulumi, netns}))
	if err != nil {
		return nil, err
	}
	stack, err := auto.UpsertStack(ctx, name, ws)
	if err != nil {
		return nil, firstDiagnostic(err)
	}
	return &pulumiStack{stack: stack, log: log}, nil
}

// up deploys, judged by policy packs. It answers how many resources changed, by kind of change.
func (p *pulumiStack) up(ctx context.Context, step progress.Step, packs ...string) (map[string]int, error) {
	return p.run(step, func(events chan<- events.EngineEvent) error {
		_, err := p.stack.Up(ctx, optup.EventStreams(events), optup.Parallel(parallel), optup.PolicyPacks(packs...),
			optup.ProgressStreams(p.log), optup.ErrorProgressStreams(p.log), optup.Color("never"), optup.SuppressOutputs())
		return err
	})
}

// replace deploys, and makes the machines with these names anew.
func (p *pulumiStack) replace(ctx context.Context, step progress.Step, names ...string) (map[string]int, error) {
	state, err := p.state(ctx)
	if err != nil {
		return nil, err
	}
	urns := state.machines(names...)
	if len(urns) != len(names) {
		return nil, fmt.Errorf("of the machines %s the stack's state has %d", strings.Join(names, ", "), len(urns))
	}
	return p.run(step, func(events chan<- events.EngineEvent) error {
		_, err := p.stack.Up(ctx, optup.EventStreams(events), optup.Parallel(parallel), optup.Replace(urns),
			optup.ProgressStreams(p.log), optup.ErrorProgressStreams(p.log), optup.Color("never"), optup.SuppressOutputs())
		return err
	})
}

// run runs one operation of the engine and counts what it changed.
func (p *pulumiStack) run(step progress.Step, operation func(chan<- events.EngineEvent) error) (map[string]int, error) {
	watch := newWatch(step)
	err := operation(watch.events)
	watch.wait()
	p.judged = watch.judged
	return watch.changes, watch.explain(err)
}

// release takes the protection off what has one, as an operator does before a stack is taken down for good: Pulumi's own
// mark, and what AWS keeps besides, from termination protection to locks.
func (p *pulumiStack) release(ctx context.Context, step progress.Step) (map[string]int, error) {
	state, err := p.state(ctx)
	if err != nil || !state.protected() {
		return nil, err
	}
	if err := p.stack.SetConfig(ctx, stacks.Project+":protect", auto.ConfigValue{Value: "false"}); err != nil {
		return nil, fmt.Errorf("release protection: %w", firstDiagnostic(err))
	}
	released := step.Step("release protection")
	changes, err := p.up(ctx, released)
	released.Done(err)
	return changes, err
}

// destroy removes every resource of the stack.
func (p *pulumiStack) destroy(ctx context.Context, step progress.Step) (map[string]int, error) {
	return p.run(step, func(events chan<- events.EngineEvent) error {
		_, err := p.stack.Destroy(ctx, optdestroy.EventStreams(events), optdestroy.Parallel(parallel),
			optdestroy.ProgressStreams(p.log), optdestroy.ErrorProgressStreams(p.log), optdestroy.Color("never"))
		return err
	})
}

// outputs reads the stack's outputs. Those of an account have no machines.
func (p *pulumiStack) outputs(ctx context.Context, kind stacks.Kind) (stacks.Outputs, []byte, error) {
	values, err := p.stack.Outputs(ctx)
	if err != nil {
		return stacks.Outputs{}, nil, firstDiagnostic(err)
	}
	plain := map[string]any{}
	for name, v := range values {
		plain[name] = v.Value
	}
	data, err := json.MarshalIndent(plain, "", "  ")
	if err != nil {
		return stacks.Outputs{}, nil, err
	}
	if kind == stacks.KindAccount {
		return stacks.Outputs{}, data, nil
	}
	o, err := stacks.ParseOutputs(data)
	return o, data, err
}

// state is the deployment as the backend holds it, secrets encrypted.
type state struct {
	raw       []byte
	resources []apitype.ResourceV3
}

func (p *pulumiStack) state(ctx context.Context) (state, error) {
	d, err := p.stack.Export(ctx)
	if err != nil {
		return state{}, firstDiagnostic(err)
	}
	var deployment apitype.DeploymentV3
	if err := json.Unmarshal(d.Deployment, &deployment); err != nil {
		return state{}, err
	}
	return state{raw: d.Deployment, resources: deployment.Resources}, nil
}

// machines are the URNs of the EC2 instances with these names.
func (s state) machines(names ...string) []string {
	var urns []string
	for _, r := range s.resources {
		if r.Type == instanceType && !r.Delete && slices.Contains(names, urnName(string(r.URN))) {
			urns = append(urns, string(r.URN))
		}
	}
	return urns
}

func (s state) protected() bool {
	return slices.ContainsFunc(s.resources, func(r apitype.ResourceV3) bool { return r.Protect })
}

// eventGrace is how long the last events may come after the engine has ended. One that dies early sends none at all.
const eventGrace = 3 * time.Second

// watch turns the engine's events into progress.
type watch struct {
	events  chan events.EngineEvent
	over    chan struct{}
	done    sync.WaitGroup
	step    progress.Step
	open    map[string]progress.Step
	count   int64
	errors  []string
	changes map[string]int
	judged  []apitype.PolicyEvent
}

func newWatch(step progress.Step) *watch {
	w := &watch{events: make(chan events.EngineEvent), over: make(chan struct{}), step: step, open: map[string]progress.Step{}, changes: map[string]int{}}
	w.done.Add(1)
	go func() {
		defer w.done.Done()
		w.receive()
		for _, s := range w.open {
			s.Done(context.Canceled)
		}
	}()
	return w
}

func (w *watch) receive() {
	for {
		select {
		case e, more := <-w.events:
			if !more {
				return
			}
			w.handle(e)
		case <-w.over:
			return
		}
	}
}

// wait returns when the last event was handled: the Automation API closes the channel after it.
func (w *watch) wait() {
	grace := time.AfterFunc(eventGrace, func() { close(w.over) })
	defer grace.Stop()
	w.done.Wait()
}

func (w *watch) handle(e events.EngineEvent) {
	switch {
	case e.ResourcePreEvent != nil:
		m := e.ResourcePreEvent.Metadata
		if m.Op == apitype.OpSame || e.ResourcePreEvent.Planning {
			return
		}
		w.step.Progress(w.count, 0, fmt.Sprintf("%s %s", m.Op, urnName(m.URN)))
		if m.Type == commandType && (m.Op == apitype.OpCreate || m.Op == apitype.OpUpdate || m.Op == apitype.OpCreateReplacement) {
			w.open[m.URN] = w.step.Step("configuration stage")
		}
	case e.ResOutputsEvent != nil:
		m := e.ResOutputsEvent.Metadata
		if m.Op != apitype.OpSame {
			w.count++
		}
		w.finish(m.URN, nil)
	case e.ResOpFailedEvent != nil:
		w.finish(e.ResOpFailedEvent.Metadata.URN, errors.New("see the error below"))
	case e.DiagnosticEvent != nil:
		w.diagnose(*e.DiagnosticEvent)
	case e.PolicyEvent != nil:
		w.judge(*e.PolicyEvent)
	case e.SummaryEvent != nil:
		for op, n := range e.SummaryEvent.ResourceChanges {
			w.changes[string(op)] += n
		}
	}
}

func (w *watch) finish(urn string, err error) {
	if s, ok := w.open[urn]; ok {
		s.Done(err)
		delete(w.open, urn)
	}
}

// diagnose shows what the configuration stage says, and keeps errors for the end.
func (w *watch) diagnose(d apitype.DiagnosticEvent) {
	text := strings.TrimRight(colourTags.Replace(d.Message), "\n")
	if s, ok := w.open[d.URN]; ok && strings.HasPrefix(d.Severity, "info") {
		for line := range strings.Lines(text) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				s.Logf("%s", line)
			}
		}
		return
	}
	if d.Severity == "error" {
		w.errors = append(w.errors, urnName(d.URN)+": "+text)
	}
}

// colourTags are the engine's own markers; it resolves them only when it prints.
var colourTags = strings.NewReplacer("<{%reset%}>", "", "<{%fg 1%}>", "", "<{%fg 2%}>", "", "<{%fg 3%}>", "", "<{%bold%}>", "")

// explain puts the engine's own errors in the place of the Automation API's, which repeat the whole output.
func (w *watch) explain(err error) error {
	if len(w.errors) == 0 || err == nil {
		return firstDiagnostic(err)
	}
	return &wrapped{text: strings.Join(w.errors, "\n"), err: err}
}

// urnName is the last part of a URN: the name that the program gave.
func urnName(urn string) string {
	parts := strings.Split(urn, "::")
	return parts[len(parts)-1]
}

// firstDiagnostic shortens the Automation API's errors, which repeat the whole output.
func firstDiagnostic(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if _, after, ok := strings.Cut(text, "stderr: "); ok {
		if after = strings.TrimSpace(after); after != "" {
			text = after
		}
	}
	if len(text) > 4000 {
		text = text[:4000] + " ... (the rest is in the log)"
	}
	return &wrapped{text: strings.TrimSpace(text), err: err}
}

type wrapped struct {
	text string
	err  error
}

func (w *wrapped) Error() string { return w.text }
func (w *wrapped) Unwrap() error { return w.err }

func environ(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	return out
}

// lockedFile is a log file of mode 0600 that several goroutines may write to.
type lockedFile struct {
	mu sync.Mutex
	f  *os.File
}

func openLog(path string) (*lockedFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the rehearsal's own directory
	if err != nil {
		return nil, err
	}
	return &lockedFile{f: f}, nil
}

func (l *lockedFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}

func (l *lockedFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}

// tail is the end of a text, for an error that has room for a few lines.
func tail(b []byte, lines int) string {
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
