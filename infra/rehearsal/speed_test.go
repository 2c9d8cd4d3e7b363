package rehearsal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/stacks"
)

// BenchmarkUp takes each stack up from nothing, with the provider's fixed waits as AWS needs them and with those cut. Beside
// the time it tells the longest chain of resources that wait for each other, and how much longer the whole took: what is
// well above 1 was chained without need, or short of processors.
func BenchmarkUp(b *testing.B) {
	for _, kind := range []stacks.Kind{stacks.KindDev, stacks.KindStage, stacks.KindProd} {
		for _, waits := range []string{"cut", "full"} {
			b.Run(fmt.Sprintf("%s/waits=%s", kind, waits), func(b *testing.B) {
				var took time.Duration
				var longest chain
				for b.Loop() {
					took, longest = timedUp(b, kind, waits == "cut")
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(took.Seconds(), "s/up")
				b.ReportMetric(longest.took.Seconds(), "s/chain")
				b.ReportMetric(took.Seconds()/longest.took.Seconds(), "up/chain")
				b.Log(longest)
			})
		}
	}
}

func timedUp(b *testing.B, kind stacks.Kind, cut bool) (time.Duration, chain) {
	b.StopTimer()
	defer b.StartTimer()
	e := newBench(b)
	defer e.emulator.Stop()
	ctx := b.Context()
	dir := e.workspace(b, string(kind), e.scene(b, kind))
	built := *e.engine
	built.FastWait = cut
	env := map[string]string{
		engine.ProgramVariable: e.program, "PULUMI_BACKEND_URL": "file://" + b.TempDir(), "PULUMI_CONFIG_PASSPHRASE": "speed",
	}
	for _, pair := range append(built.Env(b.TempDir()), e.emulator.Env()...) {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	ws, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(dir), auto.EnvVars(env), auto.Pulumi(e.pulumi(b)))
	require.NoError(b, err)
	stack, err := auto.UpsertStack(ctx, string(kind), ws)
	require.NoError(b, err)

	seen := newTimes()
	b.StartTimer()
	begin := time.Now()
	_, err = stack.Up(ctx, optup.EventStreams(seen.events), optup.Parallel(automation.Parallel))
	took := time.Since(begin)
	b.StopTimer()
	require.NoError(b, err)
	<-seen.done
	s, err := automation.New(stack, nil).State(ctx)
	require.NoError(b, err)
	return took, longestChain(s.Resources, seen.took)
}

// times is how long the engine worked on each resource, by URN.
type times struct {
	events chan events.EngineEvent
	done   chan struct{}
	took   map[string]time.Duration
}

func newTimes() *times {
	t := &times{events: make(chan events.EngineEvent), done: make(chan struct{}), took: map[string]time.Duration{}}
	go func() {
		defer close(t.done)
		began := map[string]time.Time{}
		for e := range t.events {
			if e.ResourcePreEvent != nil && !e.ResourcePreEvent.Planning {
				began[e.ResourcePreEvent.Metadata.URN] = time.Now()
			}
			if e.ResOutputsEvent != nil {
				urn := e.ResOutputsEvent.Metadata.URN
				if start, ok := began[urn]; ok {
					t.took[urn] = time.Since(start)
				}
			}
		}
	}()
	return t
}

// chain is resources of which each depends on the one before.
type chain struct {
	took  time.Duration
	links []string
}

func (c chain) String() string { return strings.Join(c.links, "\n") }

// longestChain is the chain that takes the most time. A component has no work of its own.
func longestChain(resources []apitype.ResourceV3, took map[string]time.Duration) chain {
	var longest chain
	chains := map[string]chain{}
	for _, r := range resources { // in a state, what a resource depends on is before it
		urn := string(r.URN)
		own := took[urn]
		if !r.Custom {
			own = 0
		}
		var before chain
		for _, d := range r.Dependencies {
			before = slices.MaxFunc([]chain{before, chains[string(d)]}, func(a, b chain) int { return cmp.Compare(a.took, b.took) })
		}
		c := chain{took: before.took + own, links: append(slices.Clone(before.links), fmt.Sprintf("%6.1f s %s %s", own.Seconds(), r.Type, automation.Name(urn)))}
		chains[urn] = c
		if c.took > longest.took {
			longest = c
		}
	}
	return longest
}
