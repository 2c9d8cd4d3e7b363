package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/stacks"
)

// fleetState is what there is of a fleet.
type fleetState struct {
	found
	// serving are its machines in service. Others are about to come or to go: they may be without their configuration.
	serving []stacks.Node
}

// fleets asks for the stack's fleets, records how they stand, and answers their machines in service.
func (c *checker) fleets(ctx context.Context) []stacks.Node {
	if len(c.stack.Fleets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	begin := time.Now()
	var nodes []stacks.Node
	for name, f := range c.groups(ctx, c.stack) {
		c.record(CheckFleet, name, f.found, time.Since(begin))
		nodes = append(nodes, f.serving...)
	}
	return nodes
}

// fleetStates asks Auto Scaling for the stack's groups and EC2 for their machines, and answers what it found for each fleet.
// Source: Amazon EC2 Auto Scaling API Reference, DescribeAutoScalingGroups.
func fleetStates(ctx context.Context, out stacks.Outputs) map[string]fleetState {
	all := func(f found) map[string]fleetState {
		result := map[string]fleetState{}
		for _, each := range out.Fleets {
			result[each.Name] = fleetState{found: f}
		}
		return result
	}
	settings, missing := account(ctx, out.Region)
	if missing != "" {
		return all(skip("%s", missing))
	}
	var names []string
	for _, f := range out.Fleets {
		names = append(names, f.Name)
	}
	groups, err := autoscaling.NewFromConfig(settings).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names})
	if err != nil {
		return all(fail("DescribeAutoScalingGroups: %s", apiMessage(err)))
	}
	result := map[string]fleetState{}
	members := map[stacks.Role][]stacks.Node{} // both colours' fleets of a role are asked for at once
	for _, f := range out.Fleets {
		i := slices.IndexFunc(groups.AutoScalingGroups, func(g types.AutoScalingGroup) bool { return aws.ToString(g.AutoScalingGroupName) == f.Name })
		if i < 0 {
			result[f.Name] = fleetState{found: fail("there is no such Auto Scaling group")}
			continue
		}
		running, known := members[f.Role]
		if !known {
			if running, err = fleet.Members(ctx, out, f.Role); err != nil {
				result[f.Name] = fleetState{found: fail("%v", err)}
				continue
			}
			members[f.Role] = running
		}
		result[f.Name] = judgeFleet(groups.AutoScalingGroups[i], running)
	}
	return result
}

// judgeFleet wants as many machines in service as Auto Scaling does. Fewer than the least are an illness, fewer than wanted may be
// Auto Scaling at work.
func judgeFleet(g types.AutoScalingGroup, running []stacks.Node) fleetState {
	var f fleetState
	coming := 0
	for _, i := range g.Instances {
		if strings.HasPrefix(string(i.LifecycleState), string(types.LifecycleStatePending)) {
			coming++
		}
		if i.LifecycleState != types.LifecycleStateInService || aws.ToString(i.HealthStatus) != "Healthy" {
			continue
		}
		if at := slices.IndexFunc(running, func(n stacks.Node) bool { return n.InstanceID == aws.ToString(i.InstanceId) }); at >= 0 {
			f.serving = append(f.serving, running[at])
		}
	}
	text := fmt.Sprintf("%d of %d machines in service", len(f.serving), aws.ToInt32(g.DesiredCapacity))
	switch n, least := len(f.serving), int(aws.ToInt32(g.MinSize)); {
	case n < least:
		f.found = fail("%s, want at least %d", text, least)
		f.coming = n+coming >= least
	case n < int(aws.ToInt32(g.DesiredCapacity)):
		f.found = warn("%s", text)
	default:
		f.found = ok("%s", text)
	}
	return f
}
