package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

// bootWait is how long machines of a fleet may take until they are in service: two tries of what one is given.
const bootWait = 45 * time.Minute

// roles are those of the fleets that have colours.
var roles = []stacks.Role{stacks.RoleC4SBC, stacks.RoleC4Router}

func (m member) is(role stacks.Role) bool { return slices.Contains(m.Roles, role) }

// fleet reads the fleet of a role and a colour, which has to be there.
func (r *release) fleet(ctx context.Context, role stacks.Role, colour stacks.Colour) (*group, error) {
	name := stacks.FleetName(r.Source.Stack, role, colour)
	g, err := r.cloud.group(ctx, name)
	if err == nil && g == nil {
		err = cli.WithCode(cli.ExitUnreachable, fmt.Errorf("the fleet %s is not there, although the stack has it", name))
	}
	if err != nil {
		return nil, err
	}
	for i := range g.members {
		g.members[i].Roles = []stacks.Role{role}
	}
	return g, nil
}

// members are the machines of a colour, SBCs first.
func (r *release) members(ctx context.Context, colour stacks.Colour) ([]member, error) {
	var all []member
	for _, role := range roles {
		g, err := r.fleet(ctx, role, colour)
		if err != nil {
			return nil, err
		}
		all = append(all, g.members...)
	}
	return all, nil
}

func (r *release) sbcs(ctx context.Context, colour stacks.Colour) ([]member, error) {
	g, err := r.fleet(ctx, stacks.RoleC4SBC, colour)
	if err != nil {
		return nil, err
	}
	return g.members, nil
}

// match gives a colour at least as many machines as the other has: that may have grown.
func (r *release) match(ctx context.Context, colour, other stacks.Colour) error {
	for _, role := range roles {
		mine, err := r.fleet(ctx, role, colour)
		if err != nil {
			return err
		}
		theirs, err := r.fleet(ctx, role, other)
		if err != nil {
			return err
		}
		if mine.desired < theirs.desired {
			if err := r.cloud.grow(ctx, stacks.FleetName(r.Source.Stack, role, colour), theirs.desired); err != nil {
				return err
			}
		}
	}
	return nil
}

// settled waits until a colour has all of its machines in service, and the load balancer, where it sends calls there, takes them for well.
func (r *release) settled(ctx context.Context, colour stacks.Colour, step progress.Step) error {
	return r.until(ctx, bootWait, step, func() (string, error) {
		for _, role := range roles {
			g, err := r.fleet(ctx, role, colour)
			if err != nil {
				return "", err
			}
			n := 0
			for _, m := range g.members {
				if m.inService {
					n++
				}
			}
			if n < g.desired || n < len(g.members) {
				return fmt.Sprintf("%d of %d machines of %s are in service", n, max(g.desired, len(g.members)), stacks.FleetName(r.Source.Stack, role, colour)), nil
			}
			states, err := r.cloud.targets(ctx, g.targets)
			if err != nil {
				return "", err
			}
			for _, m := range g.members {
				if state := states[m.InstanceID]; len(g.targets) > 0 && state != healthy {
					return fmt.Sprintf("the load balancer says of %s: %q", m.Name, state), nil
				}
			}
		}
		return "", nil
	})
}
