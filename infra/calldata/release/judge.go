package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

// judge looks at what came of a step: machines and endpoints, a call by each SBC that is to take calls, the calls of others, alarms. Soak
// says whether to let calls come for a while first. Calls are looked at from each of the times on: since the step began, so that many good
// ones of before do not hide it, and since the hand-over did, for platforms where few calls come in the time of a step.
func (r *release) judge(ctx context.Context, to stacks.Colour, soak bool, begins ...time.Time) error {
	return r.step(ctx, fmt.Sprintf("%s: judged", to), true, func(ctx context.Context, step progress.Step) (string, error) {
		if soak {
			step.Progress(0, 0, fmt.Sprintf("calls come for %s", r.Soak))
			if err := sleep(ctx, r.Soak); err != nil {
				return "", err
			}
		}
		var details []string
		for _, look := range []func(context.Context, progress.Step) (string, error){
			func(ctx context.Context, step progress.Step) (string, error) { return r.health(ctx, to, step) },
			func(ctx context.Context, step progress.Step) (string, error) { return r.phone(ctx, to, step) },
			func(ctx context.Context, _ progress.Step) (string, error) { return r.success(ctx, begins) },
			r.alarms,
		} {
			detail, err := look(ctx, step)
			if err != nil {
				return "", err
			}
			details = append(details, detail)
		}
		return strings.Join(details, ", "), nil
	})
}

// health asks Auto Scaling and the load balancer for the colour that the calls come to, and then its machines, the fixed ones and the
// endpoints, as calldata health does. The colour that they leave may be ill: that is no reason to go back to it.
func (r *release) health(ctx context.Context, to stacks.Colour, step progress.Step) (string, error) {
	err := r.until(ctx, r.Soak, step, func() (string, error) { return r.unsettled(ctx, to, fewest) })
	if err != nil {
		return "", cli.WithCode(cli.ExitUnhealthy, err)
	}
	members, err := r.members(ctx, to)
	if err != nil {
		return "", err
	}
	stack := r.stack
	stack.Nodes, stack.Fleets = slices.Clone(stack.Nodes), nil
	for _, m := range serving(members) {
		stack.Nodes = append(stack.Nodes, m.Node)
	}
	report, err := r.tools.health(ctx, r.IO, stack, r.Soak, step)
	return fmt.Sprintf("%d checks", len(report.Checks)), err
}

// phoneTries is how often the test phone calls by an SBC: the operator's own line may lose some sound.
const phoneTries = 3

// phone has the test phone call by each SBC of a colour. Before it has an address of the pool, an SBC has one of its own.
func (r *release) phone(ctx context.Context, colour stacks.Colour, step progress.Step) (string, error) {
	sbcs, err := r.sbcs(ctx, colour)
	if err != nil {
		return "", err
	}
	sbcs = serving(sbcs)
	for _, m := range sbcs {
		if !m.Public.IsValid() {
			return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("the SBC %s has no public address", m.Name))
		}
		err := r.tools.call(ctx, r.IO, r.Domain, m.Public, step)
		for range phoneTries - 1 {
			if err == nil || ctx.Err() != nil || cli.Code(err) == cli.ExitUsage {
				break
			}
			step.Logf("a call by the SBC %s: %v; once more", m.Name, err)
			err = r.tools.call(ctx, r.IO, r.Domain, m.Public, step)
		}
		if err != nil {
			return "", fmt.Errorf("a call by the SBC %s: %w", m.Name, err)
		}
	}
	return fmt.Sprintf("%d test calls", len(sbcs)), nil
}

func (r *release) success(ctx context.Context, begins []time.Time) (string, error) {
	var now outcome
	for _, begin := range begins {
		var err error
		if now, err = r.tools.calls(ctx, r.stack, r.IO.Getenv, begin, time.Now()); err != nil {
			return "", err
		}
		if now.worse(r.before, r.Limit) {
			return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%s in the last %s; in the hour before the release, %s (--limit %g)",
				now, time.Since(begin).Round(time.Second), r.before, r.Limit))
		}
	}
	return now.String(), nil
}

// alarms are all right where none is on that has come on since the release began.
func (r *release) alarms(ctx context.Context, _ progress.Step) (string, error) {
	on, err := r.cloud.alarms(ctx, r.Source.Stack+"-")
	if err != nil {
		return "", err
	}
	var names []string
	for _, a := range on {
		if !a.since.Before(r.began) {
			names = append(names, a.name)
		}
	}
	if len(names) > 0 {
		return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("alarms that have come on since the release began: %s", strings.Join(names, ", ")))
	}
	return "no alarm", nil
}
