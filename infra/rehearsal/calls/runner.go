package calls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
)

// Groups of scenarios.
const (
	GroupCalls     = "calls"
	GroupFailover  = "failover"
	GroupAttacks   = "attacks"
	GroupShortLoad = "short-load"
	GroupLoad      = "load"
	GroupLoss      = "loss"
	GroupDrain     = "drain"
	GroupRecords   = "records"
	GroupRelease   = "release"
)

// heartbeat is how often a running scenario says what it does.
const heartbeat = 5 * time.Second

// Scenario is one thing that is tried.
type Scenario struct {
	// Group and Name say what it is about.
	Group, Name string
	// Limit is how long it may take; 0 is a minute.
	Limit time.Duration
	// Skip answers why the plan leaves nothing to try, or "".
	Skip func(Plan) string
	// Run does it, in steps.
	Run func(*Trial)
}

// Trial is one scenario while it runs. Its steps run one after the other; after one that failed, the rest is left out.
type Trial struct {
	*bench
	ctx     context.Context
	work    progress.Step
	outcome *Outcome
	tidy    []func(context.Context)
}

// failed tells whether a step has failed.
func (t *Trial) failed() bool { return t.outcome.Status == verdict.Fail }

// step runs one step. The context ends with the scenario's time limit.
func (t *Trial) step(name string, run func(context.Context) error) {
	if t.failed() {
		return
	}
	t.work.Progress(0, 0, name)
	stop := t.beat(name)
	err := run(t.ctx)
	stop()
	if err != nil {
		t.outcome.Status, t.outcome.Step, t.outcome.Detail = verdict.Fail, name, err.Error()
	}
}

// beat shows that a long step is alive.
func (t *Trial) beat(name string) (stop func()) {
	done := make(chan struct{})
	begin := time.Now()
	go func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				t.work.Progress(0, 0, fmt.Sprintf("%s, for %s", name, progress.Short(time.Since(begin))))
			}
		}
	}()
	return func() { close(done) }
}

// finally runs f when the scenario is over, whatever came of it; the last one first.
func (t *Trial) finally(f func(context.Context)) { t.tidy = append(t.tidy, f) }

// figure notes a measured value.
func (t *Trial) figure(name string, value float64, unit string) {
	t.outcome.Figures = append(t.outcome.Figures, Figure{Name: name, Value: value, Unit: unit})
}

// say sets the detail of a scenario that works.
func (t *Trial) say(format string, args ...any) {
	if !t.failed() {
		t.outcome.Detail = fmt.Sprintf(format, args...)
	}
}

const (
	defaultLimit = time.Minute
	tidyTime     = 15 * time.Second
)

// run runs scenarios one after another, until ctx ends.
func run(ctx context.Context, b *bench, list []Scenario, work progress.Reporter) Result {
	begin := time.Now()
	r := Result{Stack: b.plan.Stack, Passed: true, Scenarios: []Outcome{}}
	for _, s := range list {
		o := b.try(ctx, s, work)
		r.Passed = r.Passed && o.Status != verdict.Fail
		r.Scenarios = append(r.Scenarios, o)
	}
	r.Seconds = time.Since(begin).Seconds()
	return r
}

func (b *bench) try(ctx context.Context, s Scenario, report progress.Reporter) Outcome {
	out := Outcome{Group: s.Group, Name: s.Name, Outcome: verdict.Outcome{Status: verdict.OK}}
	work := report.Step(s.Group + ": " + s.Name)
	reason := ""
	if s.Skip != nil {
		reason = s.Skip(b.plan)
	}
	if err := ctx.Err(); err != nil {
		reason = "not tried: " + err.Error()
	}
	if reason != "" {
		out.Status, out.Detail = verdict.Skip, reason
		work.Done(fmt.Errorf("%w: %s", progress.ErrSkipped, reason))
		return out
	}
	if s.Limit == 0 {
		s.Limit = defaultLimit
	}
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, s.Limit)
	defer cancel()
	t := &Trial{bench: b, ctx: limited, work: work, outcome: &out}
	s.Run(t)
	for _, f := range slices.Backward(t.tidy) {
		// Each has its time: a call that nobody ends must not keep a machine from coming back.
		tidy, done := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
		f(tidy)
		done()
	}
	b.clear()
	out.Seconds = time.Since(begin).Seconds()
	var err error
	if out.Status == verdict.Fail {
		err = errors.New(out.Step + ": " + out.Detail)
	}
	work.Done(err)
	return out
}
