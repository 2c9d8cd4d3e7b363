package rehearsal

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// fleetTimeout is how long fleets may take until their machines have configured themselves.
const fleetTimeout = 15 * time.Minute

// booted waits until every machine has run its user data, and those of fleets have completed their launch hooks.
func (w *world) booted(ctx context.Context, step progress.Step) Check {
	s := step.Step("machines")
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	err := w.watcher.WaitIdle(ctx)
	var fleets fleets
	for err == nil {
		if fleets, err = w.fleets(ctx); err != nil || fleets.settled() {
			break
		}
		s.Progress(int64(fleets.inService), int64(fleets.desired), "machines of fleets in service")
		select {
		case <-ctx.Done():
			err = fmt.Errorf("machines of fleets are not in service: %s: %w", fleets, ctx.Err())
		case <-time.After(time.Second):
		}
	}
	s.Done(err)
	c := Check{Name: "machines booted", OK: err == nil, Detail: fmt.Sprintf("%d running", w.running())}
	if fleets.desired > 0 {
		c.Detail += ", of which in fleets: " + fleets.String()
	}
	if err != nil {
		c.Detail = joinNonEmpty(c.Detail, err.Error())
	}
	return c
}

// fleets are the machines of all Auto Scaling groups, counted.
type fleets struct {
	desired, inService int
	states             map[types.LifecycleState]int
}

func (f fleets) settled() bool { return f.inService == f.desired && len(f.states) <= 1 }

func (f fleets) String() string {
	text := fmt.Sprintf("%d of %d in service", f.inService, f.desired)
	for state, n := range f.states {
		if state != types.LifecycleStateInService {
			text += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return text
}

func (w *world) fleets(ctx context.Context) (fleets, error) {
	found := fleets{states: map[types.LifecycleState]int{}}
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(autoscaling.NewFromConfig(w.emulator.AWSConfig()), &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return found, fmt.Errorf("ask for fleets: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			found.desired += int(aws.ToInt32(g.DesiredCapacity))
			for _, i := range g.Instances {
				found.states[i.LifecycleState]++
			}
		}
	}
	found.inService = found.states[types.LifecycleStateInService]
	return found, nil
}

// running is how many machines run.
func (w *world) running() int {
	n := 0
	for _, id := range w.watcher.Machines.IDs() {
		if w.watcher.Machines.Running(id) {
			n++
		}
	}
	return n
}
