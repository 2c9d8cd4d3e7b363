package health

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

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
	groups, err := fleet.Groups(ctx, autoscaling.NewFromConfig(settings), ec2.NewFromConfig(settings), names...)
	if err != nil {
		return all(fail("%v", err))
	}
	result := map[string]fleetState{}
	for _, f := range out.Fleets {
		group, there := groups[f.Name]
		if !there {
			result[f.Name] = fleetState{found: fail("there is no such Auto Scaling group")}
			continue
		}
		result[f.Name] = judgeFleet(group, f.Role)
	}
	return result
}

// judgeFleet wants as many machines in service as Auto Scaling does. Fewer than the least are an illness, fewer than wanted may be
// Auto Scaling at work.
func judgeFleet(g fleet.Group, role stacks.Role) fleetState {
	var f fleetState
	for _, m := range g.Members {
		if m.InService {
			m.Roles = []stacks.Role{role}
			f.serving = append(f.serving, m.Node)
		}
	}
	text := fmt.Sprintf("%d of %d machines in service", len(f.serving), g.Desired)
	switch n := len(f.serving); {
	case n < g.Least:
		f.found = fail("%s, want at least %d", text, g.Least)
		f.coming = n+g.Coming >= g.Least
	case n < g.Desired:
		f.found = warn("%s", text)
	default:
		f.found = ok("%s", text)
	}
	return f
}
