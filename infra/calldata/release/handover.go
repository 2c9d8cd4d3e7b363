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
// judged, a step that is bad ends it. On the way back nothing does but what cannot be done, and one machine that does not hear ends nothing.
func (r *release) handover(ctx context.Context, to stacks.Colour, judged bool) error {
	from, began := to.Other(), time.Now()
	steps := []struct {
		name string
		// deploys means that the step is a deployment, which draws for itself and whose effect the next step waits for.
		deploys bool
		do      func(context.Context, progress.Step) (string, error)
	}{
		{fmt.Sprintf("%s: addresses", to), false, func(ctx context.Context, step progress.Step) (string, error) { return r.ready(ctx, to, judged, step) }},
		{fmt.Sprintf("%s: calls to it", to), true, func(ctx context.Context, _ progress.Step) (string, error) {
			return "", r.stand(ctx, false, standing{to, r.place.serving(to)})
		}},
		{fmt.Sprintf("%s: in service", to), false, func(ctx context.Context, step progress.Step) (string, error) { return r.open(ctx, to, judged, step) }},
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
			if err := r.judge(ctx, to, i > 0, began, begin); err != nil {
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
			return r.empties(ctx, m, to, judged, step)
		})
		if err == nil && judged {
			err = r.judge(ctx, to, true, began, begin)
		}
		switch {
		case err == nil:
		case judged || ctx.Err() != nil:
			return err
		default:
			r.passed = append(r.passed, m.Name)
		}
	}
	return nil
}

// ready gives the SBCs of a colour addresses, and takes its machines into service where an earlier hand-over has drained them. On the way
// back an SBC for which none is free refuses calls: the load balancer passes over it, and Auto Scaling replaces it by one that waits for
// its address before it is in service.
func (r *release) ready(ctx context.Context, to stacks.Colour, judged bool, step progress.Step) (string, error) {
	detail, err := r.claims(ctx, to, judged, step)
	if err != nil {
		return "", err
	}
	members, err := r.members(ctx, to)
	if err != nil {
		return "", err
	}
	waiting, err := r.waiting(ctx, members)
	if err != nil {
		return "", err
	}
	return detail, r.levels(ctx, members, waiting)
}

// levels takes machines into service, but for those that wait. One that does not answer must not keep calls from going back to the others:
// who refuses calls fails the load balancer's checks, and is replaced.
func (r *release) levels(ctx context.Context, members []member, waiting map[string]bool) error {
	well := map[stacks.Role]bool{}
	var errs []error
	for _, m := range members {
		level := drain.Normal
		if waiting[m.InstanceID] {
			level = drain.Drain
		}
		if err := r.machines.level(ctx, m.Node, level); err != nil {
			errs = append(errs, err)
			continue
		}
		well[m.Roles[0]] = well[m.Roles[0]] || level == drain.Normal
	}
	for _, role := range roles {
		if !well[role] {
			return errors.Join(append(errs, fmt.Errorf("no machine of the role %s can be taken into service", role))...)
		}
	}
	return ctx.Err()
}

// claims gives free addresses of the pool to SBCs of a colour that have none, and has them take calls. All of them have to have one where
// the hand-over is judged; to go back to, one is enough.
func (r *release) claims(ctx context.Context, to stacks.Colour, judged bool, step progress.Step) (string, error) {
	if !r.pooled {
		return "there is no pool", nil
	}
	sbcs, err := r.sbcs(ctx, to)
	if err != nil {
		return "", err
	}
	sbcs = serving(sbcs) // others claim at their boot
	with := 0
	var errs []error
	for i, m := range sbcs {
		// SBCs that boot take addresses as well: what was free before a claim may not be after it.
		have, free, err := r.addresses(ctx)
		if err != nil {
			return "", err
		}
		_, ok := have[m.InstanceID]
		if !ok && free > 0 {
			step.Progress(int64(i), int64(len(sbcs)), m.Name+" takes an address")
			err := r.machines.claim(ctx, m.Node)
			if err == nil {
				err = r.machines.level(ctx, m.Node, drain.Normal)
			}
			if errs, ok = append(errs, err), err == nil; !ok && (judged || ctx.Err() != nil) {
				return "", err
			}
		}
		if ok {
			with++
		}
	}
	if with == 0 || judged && with < len(sbcs) {
		errs = append(errs, fmt.Errorf("%d of %d SBCs of %s have an address of the pool, and no other is free: raise sbcMax, which the pool is made for, or let the other colour shrink", with, len(sbcs), to))
		return "", errors.Join(errs...)
	}
	return fmt.Sprintf("%d of %d SBCs have one", with, len(sbcs)), nil
}

// open lets other machines send calls to a colour, and waits until its load balancer does. SBCs that wait for an address stay aside:
// carriers would not know them.
func (r *release) open(ctx context.Context, to stacks.Colour, judged bool, step progress.Step) (string, error) {
	members, err := r.members(ctx, to)
	if err != nil {
		return "", err
	}
	waiting, err := r.waiting(ctx, members)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, m := range members {
		if m.aside && !waiting[m.InstanceID] {
			ids = append(ids, m.InstanceID)
		}
	}
	if err := r.cloud.mark(ctx, ids, false); err != nil {
		return "", err
	}
	many := one
	if judged {
		many = every
	}
	return fmt.Sprintf("%d machines", len(members)-len(waiting)), r.settled(ctx, to, many, step)
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
func (r *release) empties(ctx context.Context, m member, to stacks.Colour, judged bool, step progress.Step) (string, error) {
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
	if _, err := r.claims(ctx, to, judged, step); err != nil {
		return "", err
	}
	if err := r.match(ctx, to, to.Other()); err != nil {
		return "", err
	}
	_, err = r.open(ctx, to, judged, step)
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
