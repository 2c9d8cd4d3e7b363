package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/confirm"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/drain"
	"github.com/calldata/calldata-foundation/stacks"
)

// release is one run of the command.
type release struct {
	*Options
	root  string
	place place
	stage stage
	// pooled means that SBCs take addresses of a pool.
	pooled bool
	report *Report

	stack    stacks.Outputs
	cloud    cloud
	machines machines
	// began is when the release began, which the settings keep from the first try on; unwritten that they do not have it yet. Before is how
	// calls went in the hour before that: what was so already is nobody's fault, and what a first try has spoilt is not usual.
	began     time.Time
	unwritten bool
	before    outcome
	// passed are SBCs that did not hear on the way back.
	passed []string
}

// memory is how far back calls are looked at for what is usual.
const memory = time.Hour

func (r *release) run(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	todo, err := r.plan()
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if err := r.report.writePlan(r.IO.Err); err != nil {
		return err
	}
	if r.DryRun {
		r.report.Result = Planned
		return nil
	}
	if err := confirm.Unless(ctx, r.Yes, r.IO, r.question(), r.Source.Stack); err != nil {
		return err
	}
	return todo(ctx)
}

// look reads what is there.
func (r *release) look(ctx context.Context) error {
	var err error
	if r.stack, err = r.tools.outputs(ctx, r.root, r.Source.Stack); err != nil {
		return err
	}
	if r.cloud, err = r.tools.cloud(ctx, r.stack.Region); err != nil {
		return err
	}
	r.machines = r.tools.machines(r.stack, r.IO)
	if r.Finish || r.Back { // nothing of which is judged
		return nil
	}
	if r.stage == alone && r.pooled && deployed(r.stack)[r.place.fresh] == stacks.StandingNone {
		if err := r.room(ctx); err != nil {
			return err
		}
	}
	return r.usual(ctx)
}

// usual reads how calls went in the hour before the release began, and which alarms are on.
func (r *release) usual(ctx context.Context) error {
	on, err := r.cloud.alarms(ctx, r.Source.Stack+"-")
	if err != nil {
		return err
	}
	if r.before, err = r.tools.calls(ctx, r.stack, r.IO.Getenv, r.began.Add(-memory), r.began); err != nil {
		return err
	}
	note := func(format string, args ...any) {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
	}
	note("in the hour before %s, when the release began, %s", r.began.Format(time.RFC3339), r.before)
	for _, a := range on {
		if a.since.Before(r.began) {
			note("the alarm %s was on already, and does not count", a.name)
		} else {
			note("the alarm %s has come on since: no step is judged well until it is off", a.name)
		}
	}
	return nil
}

// plan says what is to be done, or what speaks against it.
func (r *release) plan() (func(context.Context) error, error) {
	p, now := r.place, deployed(r.stack)
	if colourless(r.stack) {
		return nil, fmt.Errorf("stack %s was deployed before fleets had colours, and its machines would send calls to new ones at once: `calldata deploy %s` first", r.Source.Stack, r.Source.Stack)
	}
	if r.stage == alone && !r.Finish && now[p.fresh] != stacks.StandingNone {
		return nil, fmt.Errorf("the settings say %s, but the stack was left with %s: if `--finish` broke off, run it again; else Pulumi.%s.yaml is older than the stack, and `git pull` brings it",
			words(p.standings), words(now), r.Source.Stack)
	}
	add := func(format string, args ...any) { r.report.Plan = append(r.report.Plan, fmt.Sprintf(format, args...)) }
	handover := func(to stacks.Colour) {
		if r.pooled {
			add("addresses: SBCs of %s take free addresses of the pool", to)
		}
		add("calls to %s: load balancer, phones and machines send calls to it", to)
		add("calls leave %s: new ones go to %s alone, and carriers' flows move, for %s at most", to.Other(), to, r.Wait)
		add("drain: each SBC of %s lets its calls end, for %s at most, and gives its address back", to.Other(), r.Wait)
	}
	switch {
	case r.Finish:
		return r.planFinish(add)
	case r.Back && (r.stage == alone || r.stage == beside):
		return nil, fmt.Errorf("no calls have moved (%s), so that none can go back: --finish removes the colour that takes none", words(p.standings))
	case r.Back:
		handover(p.base)
		add("keep %s, which takes no calls then, until it is mended or --finish removes it", p.fresh)
		return func(ctx context.Context) error { return r.back(ctx, nil) }, nil
	case r.stage == moved && now[p.base] == stacks.StandingOld && now[p.fresh] == stacks.StandingLive:
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("calls have moved to %s already: what is left of that is done; for another release, --finish this one first", p.fresh))
	}
	if r.stage == alone || r.stage == beside {
		add("bring up: deploy %s; %s stays as it is from now on", p.fresh, p.base)
		add("verify: its machines are in service, and a test phone calls by each of its SBCs")
	}
	handover(p.fresh)
	add("keep %s until --finish removes it, or --back moves the calls there again", p.base)
	return r.forward, nil
}

func (r *release) question() string {
	switch {
	case r.Finish:
		return fmt.Sprintf("Of stack %s, the fleets that take no calls go away.", r.Source.Stack)
	case r.Back:
		return fmt.Sprintf("The calls of stack %s go back to %s.", r.Source.Stack, r.place.base)
	}
	return fmt.Sprintf("The calls of stack %s move to %s.", r.Source.Stack, r.place.fresh)
}

// forward brings up the new colour where that is to be done, and moves the calls there. A step that fails takes them back.
func (r *release) forward(ctx context.Context) error {
	p := r.place
	if r.unwritten {
		if err := r.tools.set(ctx, r.root, r.Source.Stack, stacks.ReleaseBegan, r.began.Format(time.RFC3339)); err != nil {
			return err
		}
	}
	if r.stage == alone || r.stage == beside {
		if err := r.bringUp(ctx); err != nil {
			r.report.Next = fmt.Sprintf("no calls have moved: mend the cause and run the same command again, or remove %s with --finish", p.fresh)
			return err
		}
	}
	err := r.handover(ctx, p.fresh, true)
	switch {
	case ctx.Err() != nil:
		r.report.Next = "the same command goes on, --back goes back"
		return fmt.Errorf("release of stack %s: %w", r.Source.Stack, ctx.Err())
	case err != nil:
		return r.back(ctx, err)
	}
	r.report.Result = Released
	r.report.Next = fmt.Sprintf("commit Pulumi.%s.yaml; %s is kept: --finish removes it, --back moves the calls there again", r.Source.Stack, p.base)
	return nil
}

// back moves the calls to the colour that was there before. Cause is the failure that it is for, nil where somebody asked for it.
func (r *release) back(ctx context.Context, cause error) error {
	if cause != nil {
		if _, err := fmt.Fprintf(r.IO.Err, "%v\nthe calls go back to %s\n", cause, r.place.base); err != nil {
			return err
		}
	}
	if err := r.handover(ctx, r.place.base, false); err != nil {
		r.report.Next = "run it with --back, which goes on"
		return errors.Join(cause, fmt.Errorf("going back to %s: %w", r.place.base, err))
	}
	r.report.Result = WentBack
	r.report.Next = fmt.Sprintf("commit Pulumi.%s.yaml; %s takes no calls: mend it and release again, or remove it with --finish", r.Source.Stack, r.place.fresh)
	if len(r.passed) > 0 {
		r.report.Next += fmt.Sprintf("; passed over, with their addresses, until --finish: %s", strings.Join(r.passed, ", "))
	}
	if cause == nil {
		return nil
	}
	if cli.Code(cause) == cli.ExitError {
		cause = cli.WithCode(cli.ExitUnhealthy, cause)
	}
	return cause
}

// bringUp deploys the new colour, gives it as many machines as the other has, and tries it before anybody's call comes to it.
func (r *release) bringUp(ctx context.Context) error {
	p := r.place
	err := r.step(ctx, fmt.Sprintf("%s: bring up", p.fresh), false, func(ctx context.Context, _ progress.Step) (string, error) {
		return "", r.stand(ctx, true, standing{p.base, stacks.StandingHeld}, standing{p.fresh, stacks.StandingNew})
	})
	if err != nil {
		return err
	}
	return r.step(ctx, fmt.Sprintf("%s: verify", p.fresh), true, func(ctx context.Context, step progress.Step) (string, error) {
		if err := r.match(ctx, p.fresh, p.base); err != nil {
			return "", err
		}
		if err := r.settled(ctx, p.fresh, every, step); err != nil {
			return "", err
		}
		if err := r.announce(ctx, p.fresh); err != nil {
			return "", err
		}
		// An earlier try has drained them on its way back. No call comes to them yet.
		members, err := r.members(ctx, p.fresh)
		if err != nil {
			return "", err
		}
		if err := r.levels(ctx, members, nil); err != nil {
			return "", err
		}
		return r.phone(ctx, p.fresh, step)
	})
}

// announce has SBCs without an address of the pool tell callers the one that EC2 has given them: those that an earlier try has taken the
// pool's away from tell them that one still.
func (r *release) announce(ctx context.Context, colour stacks.Colour) error {
	sbcs, err := r.sbcs(ctx, colour)
	if err != nil {
		return err
	}
	waiting, err := r.waiting(ctx, sbcs)
	if err != nil {
		return err
	}
	for _, m := range sbcs {
		if waiting[m.InstanceID] && m.Public.IsValid() { // the test call says where there is none
			if err := r.machines.announce(ctx, m.Node, m.Public); err != nil {
				return err
			}
		}
	}
	return nil
}

// standing is how a colour is to stand.
type standing struct {
	colour stacks.Colour
	is     stacks.Standing
}

// stand writes the settings and deploys, unless the stack stands so already and always is false.
func (r *release) stand(ctx context.Context, always bool, wanted ...standing) error {
	// What has just been looked at is not looked at again for each step.
	now, skip := deployed(r.stack), []string{deploy.StepPreflight}
	if always {
		skip = r.Skip
	}
	for _, w := range wanted {
		if r.report.Standings[w.colour] != w.is {
			if err := r.tools.set(ctx, r.root, r.Source.Stack, w.colour.Setting(), string(w.is)); err != nil {
				return err
			}
			standings := maps.Clone(r.report.Standings)
			standings[w.colour] = w.is
			r.report.Standings = standings
		}
		always = always || now[w.colour] != w.is
	}
	if !always {
		return nil
	}
	if _, err := r.tools.deploy(ctx, r.deployment("release: "+words(r.report.Standings), skip...)); err != nil {
		return err
	}
	var err error
	if r.stack, err = r.tools.outputs(ctx, r.root, r.Source.Stack); err == nil {
		r.machines = r.tools.machines(r.stack, r.IO)
	}
	return err
}

// planFinish removes the colour that takes no calls.
func (r *release) planFinish(add func(string, ...any)) (func(context.Context) error, error) {
	p, now := r.place, deployed(r.stack)
	gone := map[stage]stacks.Colour{alone: p.fresh, beside: p.fresh, moved: p.base}[r.stage]
	switch {
	case r.stage == shared:
		return nil, fmt.Errorf("both colours take calls (%s): go on with the release, or --back, first", words(p.standings))
	case r.stage == alone && now[gone] == stacks.StandingNone:
		return nil, fmt.Errorf("there is one colour alone (%s): nothing is to be finished", words(p.standings))
	}
	if r.stage == moved {
		add("wait until no machine of %s has a call, for %s at most", gone, r.Wait)
	}
	add("remove %s", gone)
	return func(ctx context.Context) error {
		if r.stage == moved {
			if err := r.empty(ctx, gone); err != nil {
				return err
			}
		}
		err := r.step(ctx, fmt.Sprintf("%s: remove", gone), false, func(ctx context.Context, _ progress.Step) (string, error) {
			return "", r.stand(ctx, true, standing{gone, stacks.StandingNone})
		})
		if err != nil {
			return err
		}
		r.report.Result = Finished
		r.report.Next = fmt.Sprintf("commit Pulumi.%s.yaml", r.Source.Stack)
		if r.report.Standings[gone.Other()] == stacks.StandingHeld {
			r.report.Next += fmt.Sprintf("; %s stays as it is until the next release, or until its setting %s is live", gone.Other(), gone.Other().Setting())
		}
		return nil
	}, nil
}

// empty waits until a colour has no call, and has its machines refuse new ones: the group goes away without waiting for them.
func (r *release) empty(ctx context.Context, colour stacks.Colour) error {
	return r.step(ctx, fmt.Sprintf("%s: empty", colour), true, func(ctx context.Context, step progress.Step) (string, error) {
		members, err := r.members(ctx, colour)
		if err != nil {
			return "", err
		}
		wait := func() error {
			for _, m := range members {
				if err := r.quiet(ctx, m, step); err != nil {
					return fmt.Errorf("%w; where engines send calls to Routers of %s, give their trunks others with calldata setup", err, colour)
				}
			}
			return nil
		}
		if err := wait(); err != nil {
			return "", err
		}
		for _, m := range members {
			if err := r.machines.level(ctx, m.Node, drain.Drain); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%d machines", len(members)), wait()
	})
}

// step does one thing and remembers what came of it. Nobody else may draw where drawn is true.
func (r *release) step(ctx context.Context, name string, drawn bool, do func(context.Context, progress.Step) (string, error)) error {
	begin, running, finish := time.Now(), progress.Discard.Step(name), func() {}
	if drawn {
		var work *progress.Recorder
		work, finish = r.IO.Reporter()
		running = work.Step(name)
	}
	detail, err := do(ctx, running)
	running.Done(err)
	finish()
	r.report.Steps = append(r.report.Steps, verdict.Step{Name: name, Outcome: verdict.Of(begin, detail, err)})
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		if code := cli.Code(err); code == cli.ExitUsage || code == cli.ExitPreflight { // which would say that nothing was changed
			err = cli.WithCode(cli.ExitError, err)
		}
	}
	return err
}
