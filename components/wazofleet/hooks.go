package wazofleet

import (
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The lifecycle hooks, by the names that the machines know.
const (
	// BootHook holds a new machine back until it says that it is ready. Without a word from it, it is given up.
	BootHook = "boot"
	// DrainHook holds a machine that is to go until its calls have ended. Without a word from it, it goes.
	DrainHook = "drain"
)

const (
	// bootHeartbeat is how long a new machine may be silent. It cannot speak before its packages are installed.
	bootHeartbeat = 10 * time.Minute
	// drainHeartbeat is how long a machine that is to go may be silent, unless a long drain needs more.
	drainHeartbeat = 15 * time.Minute
	// waitLimit and waitBeats bound what heartbeats can prolong.
	// Source: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling lifecycle hooks", considerations: 48 hours or
	// 100 times the heartbeat timeout, whichever is smaller.
	waitLimit = 48 * time.Hour
	waitBeats = 100
	// maxDrain leaves the machine time to say that it is done.
	maxDrain = waitLimit - time.Hour
)

// maxWait is how long Auto Scaling waits at most for a machine that beats.
func maxWait(heartbeat time.Duration) time.Duration { return min(waitLimit, waitBeats*heartbeat) }

// hook is a lifecycle hook.
type hook struct {
	name, transition, result string
	heartbeat                time.Duration
}

// hooks are the group's lifecycle hooks. The heartbeat of a drain is long enough for twice the bound.
func (a Args) hooks() []hook {
	return []hook{
		{BootHook, "autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON", bootHeartbeat},
		{DrainHook, "autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE", max(drainHeartbeat, (2 * a.DrainTimeout / waitBeats).Round(time.Second))},
	}
}

// initial are the hooks as the group is born with: a hook that comes later misses the first machines.
func initial(hooks []hook) autoscaling.GroupInitialLifecycleHookArray {
	var out autoscaling.GroupInitialLifecycleHookArray
	for _, h := range hooks {
		out = append(out, autoscaling.GroupInitialLifecycleHookArgs{
			Name: pulumi.String(h.name), LifecycleTransition: pulumi.String(h.transition), DefaultResult: pulumi.String(h.result),
			HeartbeatTimeout: pulumi.Int(int(h.heartbeat / time.Second)),
		})
	}
	return out
}

// keepHooks registers the same hooks again as resources: AWS takes a changed heartbeat there alone. It also makes them
// go before the group, whose deletion would otherwise wait for every call to end.
func (b *builder) keepHooks(group *autoscaling.Group) error {
	for _, h := range b.args.hooks() {
		if _, err := autoscaling.NewLifecycleHook(b.ctx, b.name+"-"+h.name, &autoscaling.LifecycleHookArgs{
			Name: pulumi.String(h.name), AutoscalingGroupName: group.Name, LifecycleTransition: pulumi.String(h.transition), DefaultResult: pulumi.String(h.result),
			HeartbeatTimeout: pulumi.Int(int(h.heartbeat / time.Second)),
		}, b.parent); err != nil {
			return err
		}
	}
	return nil
}
