package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/drain"
	"github.com/calldata/calldata-foundation/stacks"
)

// handover moves the calls to a colour, from whatever point an earlier try has reached: forward and back are the same steps. Where it is
// judged, a step that is bad ends it; on the way back nothing does but what cannot be done.
func (r *release) handover(ctx context.Context, to stacks.Colour, judged bool) error {
	from := to.Other()
	steps := []struct {
		name string
		// deploys means that the step is a deployment, which draws for itself and whose effect the next step waits for.
		deploys bool
		do      func(context.Context, progress.Step) (string, error)
	}{
		{fmt.Sprintf("%s: addresses", to), false, func(ctx context.Context, step progress.Step) (string, error) { return r.ready(ctx, to, step) }},
		{fmt.Sprintf("%s: calls to it", to), true, func(ctx context.Context, _ progress.Step) (string, error) {
			return "", r.stand(ctx, false, standing{to, r.place.serving(to)})
		}},
		{fmt.Sprintf("%s: in service", to), false, func(ctx context.Context, step progress.Step) (string, error) { return r.open(ctx, to, step) }},
		{fmt.Sprintf("%s: calls leave", from), true, func(ctx context.Context, _ progress.Step) (string, error) {
			return "", r.stand(ctx, false, standing{from, r.place.aside(from)})
		}},
		{fmt.Sprintf("%s: flows", from), false, func(ctx context.Context, step progress.Step) (string, error) { return r.leave(ctx, from, step) }},
	}
	for i, s := range steps {
		begin := time.Now()
		if err := r.step(ctx, s.name, !s.deploys, s.do); err != nil {
			return err
		}
		if judged && !s.deploys {
			if err := r.judge(ctx, to, i > 0, begin); err != nil {
				return err
			}
		}
	}
	sbcs, err := r.sbcs(ctx, from)
	if err != nil {
		return err
	}
	for _, m := range sbcs {
		begin := time.Now()
		err := r.step(ctx, fmt.Sprintf("%s: drain %s", from, m.Name), true, func(ctx context.Context, step progress.Step) (string, error) {
			return r.empties(ctx, m, to, step)
		})
		if err == nil && judged {
			err = r.judge(ctx, to, true, begin)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ready takes the machines of a colour back into service where an earlier hand-over has drained them, and gives its SBCs addresses.
func (r *release) ready(ctx context.Context, to stacks.Colour, step progress.Step) (string, error) {
	members, err := r.members(ctx, to)
	if err != nil {
		return "", err
	}
	if err := r.normal(ctx, members); err != nil {
		return "", err
	}
	if !r.pooled {
		return "there is no pool", nil
	}
	return r.claims(ctx, to, step)
}

// normal takes machines back into service. One that does not answer must not keep calls from going back to the others: who refuses calls
// fails the load balancer's checks, and is replaced.
func (r *release) normal(ctx context.Context, members []member) error {
	well := map[stacks.Role]bool{}
	var errs []error
	for _, m := range members {
		if err := r.machines.level(ctx, m.Node, drain.Normal); err != nil {
			errs = append(errs, err)
			continue
		}
		well[m.Roles[0]] = true
	}
	if len(well) < len(roles) {
		return errors.Join(append(errs, errors.New("no machine of one of the roles can be taken into service"))...)
	}
	return ctx.Err()
}

// claims gives free addresses of the pool to SBCs of a colour that have none.
func (r *release) claims(ctx context.Context, to stacks.Colour, step progress.Step) (string, error) {
	sbcs, err := r.sbcs(ctx, to)
	if err != nil {
		return "", err
	}
	have, free, err := r.addresses(ctx)
	if err != nil {
		return "", err
	}
	with := 0
	for i, m := range sbcs {
		_, ok := have[m.InstanceID]
		if !ok && free > 0 {
			step.Progress(int64(i), int64(len(sbcs)), m.Name+" takes an address")
			if err := r.machines.claim(ctx, m.Node); err != nil {
				return "", err
			}
			free, ok = free-1, true
		}
		if ok {
			with++
		}
	}
	if with == 0 {
		return "", fmt.Errorf("no address of the pool is free for SBCs of %s: raise sbcMax, which the pool is made for, or let the other colour shrink", to)
	}
	return fmt.Sprintf("%d of %d SBCs have one", with, len(sbcs)), nil
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

// open lets other machines send calls to a colour, and waits until its load balancer does. SBCs that wait for an address stay aside:
// carriers would not know them.
func (r *release) open(ctx context.Context, to stacks.Colour, step progress.Step) (string, error) {
	members, err := r.members(ctx, to)
	if err != nil {
		return "", err
	}
	have, _, err := r.addresses(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, m := range members {
		if _, ok := have[m.InstanceID]; m.aside && (ok || !r.pooled || !m.is(stacks.RoleC4SBC)) {
			ids = append(ids, m.InstanceID)
		}
	}
	if err := r.cloud.mark(ctx, ids, false); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d machines", len(members)), r.settled(ctx, to, step)
}

// leave has other machines send no new calls to a colour, and waits until the load balancer has moved the flows that lead there: what
// comes by them until then is taken.
func (r *release) leave(ctx context.Context, from stacks.Colour, step progress.Step) (string, error) {
	members, err := r.members(ctx, from)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, m := range members {
		ids = append(ids, m.InstanceID)
	}
	if err := r.cloud.mark(ctx, ids, true); err != nil {
		return "", err
	}
	balancer, err := r.fleet(ctx, stacks.RoleC4SBC, from.Other())
	if err != nil {
		return "", err
	}
	err = r.until(ctx, r.Wait, step, func() (string, error) {
		states, err := r.cloud.targets(ctx, balancer.targets)
		for _, m := range members {
			if state, ok := states[m.InstanceID]; ok {
				return fmt.Sprintf("the load balancer has flows to %s, which is %s", m.Name, state), err
			}
		}
		return "", err
	})
	return fmt.Sprintf("%d machines", len(members)), err
}

// empties lets an SBC's calls end and gives its address to the colour that takes its place.
func (r *release) empties(ctx context.Context, m member, to stacks.Colour, step progress.Step) (string, error) {
	if err := r.machines.level(ctx, m.Node, drain.Drain); err != nil {
		return "", err
	}
	if err := r.quiet(ctx, m, step); err != nil {
		return "", err
	}
	if !r.pooled {
		return "no calls", nil
	}
	have, _, err := r.addresses(ctx)
	if err != nil {
		return "", err
	}
	detail := "no calls"
	if a, ok := have[m.InstanceID]; ok {
		if err := r.cloud.release(ctx, a.association); err != nil {
			return "", err
		}
		detail = fmt.Sprintf("no calls; %s is free", a.ip)
	}
	if _, err := r.claims(ctx, to, step); err != nil {
		return "", err
	}
	_, err = r.open(ctx, to, step)
	return detail, err
}

// quiet waits until a machine has no call, and no phone is called by way of it alone.
func (r *release) quiet(ctx context.Context, m member, step progress.Step) error {
	return r.until(ctx, r.Wait, step, func() (string, error) {
		calls, phones, err := r.machines.busy(ctx, m.Node)
		switch {
		case err != nil:
			return "", err
		case calls > 0:
			return fmt.Sprintf("%s has %d calls", m.Name, calls), nil
		case phones > 0:
			return fmt.Sprintf("phones are called by %s for %s more", m.Name, phones), nil
		}
		return "", nil
	})
}

// until asks again and again, until there is nothing left to wait for. An answer that does not come is asked for again, too.
func (r *release) until(ctx context.Context, wait time.Duration, step progress.Step, left func() (string, error)) error {
	for deadline := time.Now().Add(wait); ; {
		what, err := left()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && what == "":
			return nil
		case err != nil && cli.Code(err) != cli.ExitUnreachable:
			return err
		case time.Now().After(deadline):
			if err == nil {
				err = errors.New(what)
			}
			return cli.WithCode(cli.ExitTimeout, fmt.Errorf("after %s: %w", wait, err))
		}
		step.Progress(0, 0, what)
		if err := sleep(ctx, r.tools.pause); err != nil {
			return err
		}
	}
}
