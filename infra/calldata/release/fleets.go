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

// match gives a colour as many machines as the other has, which may have grown, but no more SBCs than there are addresses for: one without
// cannot take calls, since carriers and phones do not know it.
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
		want := theirs.desired
		if r.pooled && role == stacks.RoleC4SBC {
			have, free, err := r.addresses(ctx)
			if err != nil {
				return err
			}
			for _, m := range mine.members {
				if _, ok := have[m.InstanceID]; ok {
					free++
				}
			}
			want = min(want, free)
		}
		if mine.desired < want {
			if err := r.cloud.grow(ctx, stacks.FleetName(r.Source.Stack, role, colour), want); err != nil {
				return err
			}
		}
	}
	return nil
}

// How many machines of a fleet have to be in service.
var (
	// every is all that there are to be: before calls come, and while they are moved forward.
	every = func(g *group) int { return max(g.desired, len(g.members)) }
	// fewest is what the fleet may shrink to: a step is not bad because the fleet grows.
	fewest = func(g *group) int { return g.least }
	// one is enough to go back to.
	one = func(*group) int { return 1 }
)

// settled waits until a colour has so many machines in service, and the load balancer, where it sends calls there, takes them for well.
func (r *release) settled(ctx context.Context, colour stacks.Colour, many func(*group) int, step progress.Step) error {
	return r.until(ctx, bootWait, step, func() (string, error) { return r.unsettled(ctx, colour, many) })
}

// unsettled says what a colour lacks, by what Auto Scaling and the load balancer say. SBCs that wait for an address are to take no calls.
func (r *release) unsettled(ctx context.Context, colour stacks.Colour, many func(*group) int) (string, error) {
	for _, role := range roles {
		g, err := r.fleet(ctx, role, colour)
		if err != nil {
			return "", err
		}
		well := serving(g.members)
		if want := many(g); len(well) < want {
			return fmt.Sprintf("%d of %d machines of %s are in service", len(well), want, stacks.FleetName(r.Source.Stack, role, colour)), nil
		}
		if len(g.targets) == 0 {
			continue
		}
		states, err := r.cloud.targets(ctx, g.targets)
		if err != nil {
			return "", err
		}
		waiting, err := r.waiting(ctx, well)
		if err != nil {
			return "", err
		}
		for _, m := range well {
			if state := states[m.InstanceID]; state != healthy && !waiting[m.InstanceID] {
				return fmt.Sprintf("the load balancer says of %s: %q", m.Name, state), nil
			}
		}
	}
	return "", nil
}

// serving are those machines that Auto Scaling has in service: others boot.
func serving(members []member) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { return !m.InService })
}

// addresses answers which machine has which address of the pool, and how many are free.
func (r *release) addresses(ctx context.Context) (have map[string]address, free int, err error) {
	all, err := r.cloud.pool(ctx, stacks.AddressPool(r.Source.Stack))
	have = map[string]address{}
	for _, a := range all {
		if a.association == "" {
			free++
		} else if a.instance != "" {
			have[a.instance] = a
		}
	}
	return have, free, err
}

// waiting are those SBCs among machines that have no address of the pool, by instance id.
func (r *release) waiting(ctx context.Context, members []member) (map[string]bool, error) {
	found := map[string]bool{}
	if !r.pooled {
		return found, nil
	}
	have, _, err := r.addresses(ctx)
	for _, m := range members {
		if _, ok := have[m.InstanceID]; m.is(stacks.RoleC4SBC) && !ok {
			found[m.InstanceID] = true
		}
	}
	return found, err
}

// room says whether the pool has addresses for the fewest SBCs that another colour begins with.
func (r *release) room(ctx context.Context) error {
	there, err := r.fleet(ctx, stacks.RoleC4SBC, r.place.base)
	if err != nil {
		return err
	}
	_, free, err := r.addresses(ctx)
	if err == nil && free < there.least {
		err = cli.UsageErrorf("the pool has %d free addresses, and the first SBCs of %s need %d (sbcMin): raise sbcMax, which the pool is made for, and deploy, "+
			"or wait until %s has fewer SBCs", free, r.place.fresh, there.least, r.place.base)
	}
	return err
}
