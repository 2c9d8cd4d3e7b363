package automation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// commandType is the type of the resource that runs the configuration stage.
const commandType = "command:local:Command"

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
	counts  map[string]int
	changes []Change
	judged  []apitype.PolicyEvent
}

func newWatch(step progress.Step) *watch {
	w := &watch{events: make(chan events.EngineEvent), over: make(chan struct{}), step: step, open: map[string]progress.Step{}, counts: map[string]int{}}
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
		w.begin(*e.ResourcePreEvent)
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
			w.counts[string(op)] += n
		}
	}
}

// begin hears of a step, one that is taken or, in a preview, one that would be.
func (w *watch) begin(e apitype.ResourcePreEvent) {
	m := e.Metadata
	if change, ok := changeOf(m); ok {
		w.changes = append(w.changes, change)
	}
	if m.Op == apitype.OpSame && !e.Planning {
		return
	}
	w.step.Progress(w.count, 0, fmt.Sprintf("%s %s", m.Op, Name(m.URN)))
	if e.Planning {
		return
	}
	if m.Type == commandType && (m.Op == apitype.OpCreate || m.Op == apitype.OpUpdate || m.Op == apitype.OpCreateReplacement) {
		w.open[m.URN] = w.step.Step("configuration stage")
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
		w.errors = append(w.errors, Name(d.URN)+": "+text)
	}
}

// colourTags are the engine's own markers; it resolves them only when it prints.
var colourTags = strings.NewReplacer("<{%reset%}>", "", "<{%fg 1%}>", "", "<{%fg 2%}>", "", "<{%fg 3%}>", "", "<{%bold%}>", "")

// judge keeps what a policy says. A mandatory violation is why the operation fails.
func (w *watch) judge(e apitype.PolicyEvent) {
	e.Message = strings.TrimSpace(colourTags.Replace(e.Message))
	w.judged = append(w.judged, e)
	if e.EnforcementLevel == Mandatory {
		w.errors = append(w.errors, Violation(e))
	}
}

// explain puts the engine's own errors in the place of the Automation API's, which repeat the whole output.
func (w *watch) explain(err error) error {
	if len(w.errors) == 0 || err == nil {
		return firstDiagnostic(err)
	}
	return &wrapped{text: strings.Join(w.errors, "\n"), err: err}
}
