package calls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
)

const (
	// probeEvery is how often a call is tried while something is broken, probeTime how long one may take to be answered.
	probeEvery = 250 * time.Millisecond
	probeTime  = 3 * time.Second
	// wellAgain is how many calls in a row have to get through.
	wellAgain = 8
	// lossTime is the longest time without service that is no failure (docs: a lost SBC costs new calls 60 s at most).
	lossTime = 60 * time.Second
	// standing is how many calls are up when something breaks.
	standing = 3
)

// victim is a program that is killed.
type victim struct {
	name    string
	machine func(Plan) *Machine
	kill    string
	// forgets tells that phones are forgotten with it.
	forgets bool
}

// lossScenarios kill one part after the other, with SIGKILL. What starts it again is what starts it in production.
func lossScenarios() []Scenario {
	first := func(list func(Plan) []Machine) func(Plan) *Machine {
		return func(p Plan) *Machine { return &list(p)[0] }
	}
	victims := []victim{
		{name: "the SBC", machine: first(func(p Plan) []Machine { return p.SBCs }), kill: "systemctl kill -s KILL kamailio"},
		{name: "the media relay", machine: first(func(p Plan) []Machine { return p.SBCs }), kill: "systemctl kill -s KILL rtpengine-daemon"},
		{name: "the Router", machine: first(func(p Plan) []Machine { return p.Routers }), kill: "systemctl kill -s KILL kamailio"},
		{name: "the engine", machine: first(func(p Plan) []Machine { return p.Engines }), forgets: true,
			kill: "systemctl kill -s KILL wazo-double-sip 2>/dev/null || systemctl kill -s KILL asterisk"},
		// RDS starts PostgreSQL again by itself.
		{name: "PostgreSQL", machine: func(p Plan) *Machine { return p.Database },
			kill: "systemctl kill -s KILL postgresql@15-main; sleep 5; systemctl start postgresql@15-main"},
	}
	var out []Scenario
	for _, v := range victims {
		out = append(out, Scenario{Group: GroupLoss, Name: v.name + " dies", Limit: 3 * time.Minute, Skip: v.skip, Run: v.run})
	}
	return out
}

func (v victim) skip(p Plan) string {
	switch {
	case p.SSH == nil:
		return needsMachines(p)
	case p.Numbers.Answer == "":
		return "the plan has no number that answers"
	case v.machine(p) == nil:
		return "the plan does not name its machine"
	}
	return ""
}

func (v victim) run(t *Trial) {
	var up []*attempt
	for range standing {
		up = append(up, t.inbound(0))
	}
	var callers []string
	t.step(v.name+" is killed", func(ctx context.Context) error {
		killed := make(chan error, 1)
		begin := time.Now()
		go func() {
			_, err := t.shell(ctx, *v.machine(t.plan), v.kill)
			killed <- err
		}()
		// The login takes a moment.
		time.Sleep(300 * time.Millisecond)
		out, tried := t.probe(ctx, begin)
		callers = tried
		t.figure("until new calls succeed", out.Seconds(), "s")
		t.figure("new calls tried", float64(len(tried)), "calls")
		if err := <-killed; err != nil {
			return err
		}
		if out >= lossTime {
			return fmt.Errorf("after %s no new calls succeed", out.Round(time.Second))
		}
		return nil
	})
	if v.forgets {
		clear(t.registered)
	}
	t.step("calls that stood are looked at", func(ctx context.Context) error {
		lost := 0
		for _, a := range up {
			ctx, cancel := context.WithTimeout(ctx, probeTime)
			if a.out.Ended() || a.out.Hangup(ctx) != nil {
				lost++
			}
			cancel()
		}
		t.figure("standing calls", standing, "calls")
		t.figure("calls lost", float64(lost), "calls")
		return nil
	})
	t.lateRecords(callers)
}

// probe calls until calls get through again and again. It answers for how long, from begin on, they did not, and the
// numbers of callers that got through.
func (t *Trial) probe(ctx context.Context, begin time.Time) (time.Duration, []string) {
	var lastFailure time.Time
	var through []string
	for inARow := 0; inARow < wellAgain && time.Since(begin) < lossTime && ctx.Err() == nil; {
		start, caller := time.Now(), t.caller()
		trying, cancel := context.WithTimeout(ctx, probeTime)
		call, err := t.carriers[0].Dial(trying, sip.Dial{To: t.plan.Numbers.Answer, From: caller})
		if err == nil {
			err = errors.Join(call.Hangup(trying), call.Close())
		}
		cancel()
		if err != nil {
			inARow, lastFailure = 0, time.Now()
			continue
		}
		inARow++
		through = append(through, digits(caller))
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery - min(probeEvery, time.Since(start))):
		}
	}
	if lastFailure.IsZero() {
		return 0, through
	}
	return lastFailure.Sub(begin), through
}

// lateRecords waits for the records of calls that were made while something was broken.
func (t *Trial) lateRecords(callers []string) {
	if t.plan.DatabaseURLFile == "" {
		return
	}
	t.step("the calls are in the records", func(ctx context.Context) error {
		db, err := openDatabase(ctx, t.plan.DatabaseURLFile)
		if err != nil {
			return err
		}
		defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
		found := 0
		for end := time.Now().Add(3 * recordTime); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Second) {
			err := db.QueryRow(ctx, "SELECT count(DISTINCT caller) FROM cdr WHERE direction = 'in' AND code = 200 AND ltrim(caller, '+') = ANY($1)", callers).Scan(&found)
			if err != nil {
				return err
			}
			if found == len(callers) {
				break
			}
		}
		t.figure("records missing", float64(len(callers)-found), "records")
		return nil
	})
}

// routerScenarios take a Router away where there are two.
func routerScenarios() []Scenario {
	skip := func(p Plan) string {
		if len(p.Routers) < 2 {
			return "the stack has one Router"
		}
		return needsMachines(p)
	}
	return []Scenario{
		{Group: GroupFailover, Name: "a Router is gone: the next one takes calls", Limit: 2 * time.Minute, Skip: skip, Run: func(t *Trial) {
			t.kill(t.plan.Routers[0])
			// A phone that had registered by it is called again when it has registered anew.
			delete(t.registered, 0)
			t.register(0)
			var slowest time.Duration
			for range 4 {
				begin := time.Now()
				a := t.inbound(0)
				slowest = max(slowest, time.Since(begin))
				a.hangUp(true)
			}
			t.figure("slowest set-up", float64(slowest.Milliseconds()), "ms")
		}},
		{Group: GroupFailover, Name: "a Router is gone within a call: the next one carries it on", Limit: 2 * time.Minute, Skip: skip, Run: func(t *Trial) {
			a, mine := t.apart()
			if t.failed() {
				return
			}
			t.kill(mine)
			begin := time.Now()
			t.step("the caller holds", func(ctx context.Context) error { return offer(ctx, a.out.Hold, a.in, "sendonly") })
			t.figure("hold took", float64(time.Since(begin).Milliseconds()), "ms")
			t.step("the caller comes back", func(ctx context.Context) error { return offer(ctx, a.out.Unhold, a.in, "sendrecv") })
			a.talk()
			a.hangUp(true)
		}},
	}
}

// apart is a call to a phone whose two legs go by different Routers, and the Router of the caller's. The engine's leg to the phone
// knows one way only, that of the registration.
func (t *Trial) apart() (*attempt, Machine) {
	for range 2 * len(t.plan.Routers) {
		a := t.inbound(0)
		legs := map[string]Machine{}
		t.step("the call's Routers are found", func(ctx context.Context) error {
			for _, m := range t.plan.Routers {
				out, err := t.shell(ctx, m, legsScript)
				if err != nil {
					return err
				}
				for line := range strings.Lines(out) {
					if caller, direction, _ := strings.Cut(strings.TrimSpace(line), " "); caller == a.dial.From {
						legs[direction] = m
					}
				}
			}
			if len(legs) != 2 {
				return fmt.Errorf("the Routers know of %d legs of the call, want 2", len(legs))
			}
			return nil
		})
		if t.failed() || legs["in"].Name != legs["internal"].Name {
			return a, legs["in"]
		}
		a.hangUp(true)
	}
	t.step("a call's legs go by different Routers", func(context.Context) error { return errors.New("none did") })
	return nil, Machine{}
}

// legsScript prints the caller and the direction of each call that goes by a Router.
const legsScript = `kamcmd -s unix:/run/kamailio/ctl.sock dlg.list | awk '
  /^[{]/ { caller = direction = "" }
  $1 == "caller:" && $2 != "{" { caller = $2 }
  $1 == "direction:" { direction = $2 }
  /^[}]/ { print caller, direction }'`

// kill takes a Router away until the scenario is over.
func (t *Trial) kill(m Machine) {
	t.finally(func(ctx context.Context) {
		if _, err := t.shell(ctx, m, "systemctl start kamailio"); err != nil {
			t.step(m.Name+" comes back", func(context.Context) error { return err })
		}
		time.Sleep(2 * time.Second) // until Routers and SBCs have found it
	})
	t.step(m.Name+" is killed", func(ctx context.Context) error {
		_, err := t.shell(ctx, m, "systemctl mask --runtime --quiet kamailio; systemctl kill -s KILL kamailio; systemctl stop kamailio 2>/dev/null || true; systemctl unmask --runtime --quiet kamailio")
		return err
	})
}

// active is how many calls a machine has.
func (t *Trial) active(ctx context.Context, m Machine) (int, error) {
	out, err := t.shell(ctx, m, "c4-active-calls")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

// busiest is the machine with the most calls, which has at least one.
func (t *Trial) busiest(ctx context.Context, list []Machine) (Machine, error) {
	calls := make([]int, len(list))
	for i, m := range list {
		n, err := t.active(ctx, m)
		if err != nil {
			return Machine{}, err
		}
		calls[i] = n
	}
	most := slices.Max(calls)
	if most == 0 {
		return Machine{}, errors.New("none has a call")
	}
	return list[slices.Index(calls, most)], nil
}
