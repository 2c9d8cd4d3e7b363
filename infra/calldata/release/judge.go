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

// judge looks at what came of a step that began at a time: machines and endpoints, a call by each SBC that is to take calls, the calls of
// others, alarms. Soak says whether to let calls come for a while first.
func (r *release) judge(ctx context.Context, to stacks.Colour, soak bool, begin time.Time) error {
	return r.step(ctx, fmt.Sprintf("%s: judged", to), true, func(ctx context.Context, step progress.Step) (string, error) {
		if soak {
			step.Progress(0, 0, fmt.Sprintf("calls come for %s", r.Soak))
			if err := sleep(ctx, r.Soak); err != nil {
				return "", err
			}
		}
		var details []string
		for _, look := range []func(context.Context, progress.Step) (string, error){
			r.health,
			func(ctx context.Context, step progress.Step) (string, error) { return r.phone(ctx, to, step) },
			func(ctx context.Context, _ progress.Step) (string, error) { return r.success(ctx, begin) },
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

func (r *release) health(ctx context.Context, step progress.Step) (string, error) {
	report, err := r.tools.health(ctx, r.IO, r.stack, r.Soak, step)
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
	for _, m := range sbcs {
		if !m.public.IsValid() {
			return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("the SBC %s has no public address", m.Name))
		}
		err := r.tools.call(ctx, r.IO, r.Domain, m.public, step)
		for range phoneTries - 1 {
			if err == nil || ctx.Err() != nil || cli.Code(err) == cli.ExitUsage {
				break
			}
			step.Logf("a call by the SBC %s: %v; once more", m.Name, err)
			err = r.tools.call(ctx, r.IO, r.Domain, m.public, step)
		}
		if err != nil {
			return "", fmt.Errorf("a call by the SBC %s: %w", m.Name, err)
		}
	}
	return fmt.Sprintf("%d test calls", len(sbcs)), nil
}

func (r *release) success(ctx context.Context, begin time.Time) (string, error) {
	now, err := r.tools.calls(ctx, r.stack, r.IO.Getenv, begin)
	if err == nil && now.worse(r.before, r.Limit) {
		err = cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("%s since this step began; in the hour before, %s (--limit %g)", now, r.before, r.Limit))
	}
	return now.String(), err
}

func (r *release) alarms(ctx context.Context, _ progress.Step) (string, error) {
	on, err := r.cloud.alarms(ctx, r.Source.Stack+"-")
	if err != nil {
		return "", err
	}
	on = slices.DeleteFunc(on, func(name string) bool { return slices.Contains(r.on, name) })
	if len(on) > 0 {
		return "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("alarms that were not on before: %s", strings.Join(on, ", ")))
	}
	return "no alarm", nil
}
