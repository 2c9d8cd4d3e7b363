package calls

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/attacker"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

const (
	// answerTime is how long an attacker waits. A call that got through would have rung by then.
	answerTime = 1500 * time.Millisecond
	// floodTime and floodRate, in requests per second, are the floods': 20 times what a busy phone sends, for as long as a
	// few calls of the good caller take.
	floodTime = 4 * time.Second
	floodRate = 400
	// manySources is how many addresses the flood from many comes from.
	manySources = 40
	// maxSetup is how long a good caller's call may take to be answered while an attack runs. A person wonders after 2 s.
	maxSetup = 2 * time.Second
)

// attackScenarios are those of people who mean harm. In each, the platform has to refuse, and to go on for a good caller.
func attackScenarios() []Scenario {
	return []Scenario{
		{Group: GroupAttacks, Name: "a stranger calls a number of the platform", Run: func(t *Trial) {
			t.trespass("a stranger calls", t.stranger(1), func(s *attacker.Attacker) attacker.Request {
				return attacker.Request{Method: "INVITE", URI: t.uri(t.plan.Phones[0].Number), Body: attacker.Offer(s.Local().Addr())}
			})
		}},
		{Group: GroupAttacks, Name: "a stranger calls out over the platform", Run: func(t *Trial) {
			for what, r := range t.relayTries() {
				t.trespass(what, t.stranger(2), func(s *attacker.Attacker) attacker.Request {
					r.Method, r.Body = "INVITE", attacker.Offer(s.Local().Addr())
					return r
				})
			}
		}},
		{Group: GroupAttacks, Name: "routing headers from outside lead nowhere", Run: strayRoutes},
		{Group: GroupAttacks, Name: "scanners find nothing", Run: scanners},
		{Group: GroupAttacks, Name: "malformed and oversized messages", Run: malformed},
		{Group: GroupAttacks, Name: "REGISTER flood", Run: func(t *Trial) {
			t.flood(t.strangers(10, 1), func(n int) attacker.Request {
				user := fmt.Sprintf("sip:%d@%s", 1000+n, t.plan.Domain)
				return attacker.Request{Method: "REGISTER", URI: "sip:" + t.plan.Domain, To: user, From: user}
			})
		}},
		{Group: GroupAttacks, Name: "INVITE flood from one source", Run: func(t *Trial) { t.flood(t.strangers(11, 1), t.invites()) }},
		{Group: GroupAttacks, Name: "INVITE flood from many sources", Run: func(t *Trial) { t.flood(t.strangers(20, manySources), t.invites()) }},
	}
}

// strangers are n addresses that nobody knows, from the first one on.
func (t *Trial) strangers(first, n int) []netip.Addr {
	address := t.plan.Strangers.Masked().Addr()
	for range first {
		address = address.Next()
	}
	out := make([]netip.Addr, n)
	for i := range out {
		out[i], address = address, address.Next()
	}
	return out
}

func (t *Trial) stranger(n int) netip.Addr { return t.strangers(n, 1)[0] }

// server is where attackers send to.
func (t *Trial) server() netip.AddrPort { return t.plan.SBCs[0].sip() }

// uri is a user's address at the platform.
func (t *Trial) uri(user string) string { return fmt.Sprintf("sip:%s@%s", user, t.server().Addr()) }

func (t *Trial) invites() func(int) attacker.Request {
	return func(n int) attacker.Request {
		return attacker.Request{Method: "INVITE", URI: t.uri(fmt.Sprintf("+1900555%04d", n%10_000)), Body: attacker.Offer(t.plan.Strangers.Addr())}
	}
}

// relayTries are calls by which an open relay would reach a carrier, by what they try.
func (t *Trial) relayTries() map[string]attacker.Request {
	number := t.plan.Numbers.Outside + "0000"
	carrier := t.plan.Carriers[0].Address.String()
	router := t.plan.Routers[0].Private.String()
	return map[string]attacker.Request{
		"it dials a number":              {URI: t.uri(number)},
		"it names the carrier":           {URI: "sip:" + number + "@" + carrier},
		"it names a Router":              {URI: "sip:" + number + "@" + router},
		"it has a Route to the carrier":  {URI: t.uri(number), Headers: []string{"Route: <sip:" + carrier + ";lr>"}},
		"it has a Route to a Router":     {URI: t.uri(number), Headers: []string{"Route: <sip:" + t.server().String() + ";lr>, <sip:" + router + ";lr>"}},
		"it says that a carrier sent it": {URI: t.uri(t.plan.Phones[0].Number), Headers: []string{"P-Calldata-Source: " + carrier + ":5060;udp"}},
		"it says so in headers of others": {URI: t.uri(number), From: "sip:" + t.plan.Phones[0].User + "@" + t.plan.Domain, Headers: []string{
			"P-Asserted-Identity: <sip:" + carrier + ">", "X-Forwarded-For: " + carrier, "X-Route: sip:" + carrier, "X-Carrier: " + t.plan.Carriers[0].Trunk,
			"Diversion: <sip:" + t.plan.Phones[0].Number + "@" + carrier + ">",
		}},
		"it pretends to be within a call": {URI: "sip:" + number + "@" + carrier, To: t.uri(number) + ">;tag=1234;x=<", Headers: []string{"Route: <sip:" + t.server().String() + ";lr;ftag=1>"}},
	}
}

// trespass sends a call that has to be refused or left without an answer, and reaches nobody.
func (t *Trial) trespass(what string, from netip.Addr, build func(*attacker.Attacker) attacker.Request) {
	t.step(what, func(context.Context) error {
		a, err := attacker.Open(from, t.server())
		if err != nil {
			return err
		}
		defer func() { _ = a.Close() }()
		code, err := a.Ask(build(a), answerTime)
		if err != nil {
			return err
		}
		if code > 0 && code < 300 && code != 100 {
			return fmt.Errorf("it was answered with %d", code)
		}
		return t.nobodyWasCalled()
	})
}

func (t *Trial) nobodyWasCalled() error {
	var errs []error
	for _, p := range slices.Concat(t.carriers, t.phones) {
		if n := p.Clear(); n > 0 {
			errs = append(errs, fmt.Errorf("%d calls reached %s", n, p.Name))
		}
	}
	return errors.Join(errs...)
}

// strayRoutes has a carrier's call carry a way to somewhere else. The call may be refused or go its usual way; a third
// party must not hear of it.
func strayRoutes(t *Trial) {
	callee := t.register(0)
	for _, header := range []string{"Route", "X-Route", "P-Calldata-Source"} {
		t.step("a carrier's call with "+header+" goes to nobody else", func(ctx context.Context) error {
			third, err := attacker.Open(t.stranger(3), t.server())
			if err != nil {
				return err
			}
			defer func() { _ = third.Close() }()
			value := "<sip:" + third.Local().String() + ";lr>"
			if header == "P-Calldata-Source" {
				value = third.Local().String() + ";udp"
			}
			ctx, cancel := context.WithTimeout(ctx, answerTime)
			defer cancel()
			go func() {
				if arrival, err := callee.Next(ctx); err == nil {
					_ = arrival.Reject(486, "Busy Here") // the usual way
				}
			}()
			_, err = t.carriers[0].Dial(ctx, sip.Dial{To: t.plan.Phones[0].Number, From: t.caller(), Headers: [][2]string{{header, value}}})
			if err == nil {
				return errors.New("it was answered")
			}
			var rejected *sip.RejectedError
			switch data, failure := third.Receive(200 * time.Millisecond); {
			case failure != nil:
				return failure
			case !errors.As(err, &rejected):
				return err // What the third party got is the caller's own CANCEL, which goes by its Route.
			case data != nil:
				return fmt.Errorf("the third party got %q", data[:min(len(data), 60)])
			}
			return nil
		})
	}
}

func scanners(t *Trial) {
	for i, name := range attacker.Scanners() {
		t.step("a scanner that calls itself "+name, func(context.Context) error {
			a, err := attacker.Open(t.stranger(100+i), t.server())
			if err != nil {
				return err
			}
			defer func() { _ = a.Close() }()
			for _, method := range []string{"OPTIONS", "REGISTER", "INVITE"} {
				r := attacker.Request{Method: method, URI: t.uri("100"), Agent: name}
				if method == "INVITE" {
					r.Body = attacker.Offer(a.Local().Addr())
				}
				code, err := a.Ask(r, answerTime/10)
				if err != nil {
					return err
				}
				if code > 0 {
					return fmt.Errorf("its %s was answered with %d: a scanner takes any answer for a find", method, code)
				}
			}
			return nil
		})
	}
	t.say("%d tools, no answer to any", len(attacker.Scanners()))
	t.good(1)
}

func malformed(t *Trial) {
	count := 0
	t.step("broken messages do no harm", func(context.Context) error {
		a, err := attacker.Open(t.stranger(4), t.server())
		if err != nil {
			return err
		}
		defer func() { _ = a.Close() }()
		for name, data := range attacker.Malformed(a.Local(), t.uri(t.plan.Phones[0].Number)) {
			if err := a.Send(data); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			count++
			for {
				reply, err := a.Receive(20 * time.Millisecond)
				if err != nil {
					return err
				}
				if reply == nil {
					break
				}
				if code := attacker.Code(reply); code >= 180 && code < 300 {
					return fmt.Errorf("%s: it was answered with %d", name, code)
				}
			}
		}
		return t.nobodyWasCalled()
	})
	t.say("%d messages", count)
	t.good(2)
}

// flood attacks while a good caller calls.
func (t *Trial) flood(sources []netip.Addr, build func(int) attacker.Request) {
	callee := t.register(0)
	t.step(fmt.Sprintf("a good caller is served while %d addresses send %d requests a second", len(sources), floodRate), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, floodTime)
		defer cancel()
		type result struct {
			attacker.Flooded
			err error
		}
		done := make(chan result, 1)
		go func() {
			f, err := attacker.Flood(ctx, sources, t.server(), floodRate, build)
			done <- result{f, err}
		}()
		served := t.serve(ctx, callee)
		flooded := <-done
		t.figure("sent", float64(flooded.Sent), "requests")
		t.figure("answered", float64(flooded.Answered()), "requests")
		served.note(t)
		return errors.Join(flooded.err, served.verdict())
	})
}

// good is a number of calls of a good caller after an attack.
func (t *Trial) good(n int) {
	callee := t.register(0)
	t.step("a good caller is served", func(ctx context.Context) error {
		var s served
		for range n {
			s.add(t.quick(ctx, callee))
		}
		s.note(t)
		return s.verdict()
	})
}

// served is how a good caller's calls went.
type served struct {
	calls  int
	errs   []error
	setups []time.Duration
}

func (s *served) add(setup time.Duration, err error) {
	s.calls++
	if err != nil {
		s.errs = append(s.errs, err)
		return
	}
	s.setups = append(s.setups, setup)
}

func (s *served) note(t *Trial) {
	t.figure("good calls", float64(s.calls), "calls")
	t.figure("of them failed", float64(len(s.errs)), "calls")
	if len(s.setups) > 0 {
		t.figure("slowest set-up", float64(slices.Max(s.setups).Milliseconds()), "ms")
	}
}

func (s *served) verdict() error {
	switch {
	case len(s.errs) > 0:
		return fmt.Errorf("%d of %d good calls failed, the first one: %w", len(s.errs), s.calls, s.errs[0])
	case s.calls == 0:
		return errors.New("the good caller had no time for a call")
	case slices.Max(s.setups) > maxSetup:
		return fmt.Errorf("a good call took %s to be answered, at most %s is right", slices.Max(s.setups).Round(time.Millisecond), maxSetup)
	}
	return nil
}

// serve places one good call after the other until ctx ends. A call that has begun goes on to its end.
func (t *Trial) serve(ctx context.Context, callee *party.Party) *served {
	s := &served{}
	for ctx.Err() == nil {
		s.add(t.quick(context.WithoutCancel(ctx), callee))
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return s
}

// quick is a call from the first carrier to a phone that answers at once and is hung up at once. It answers how long it took
// to be answered.
func (t *Trial) quick(ctx context.Context, callee *party.Party) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, arrivalTime)
	defer cancel()
	answering := make(chan error, 1)
	go func() {
		arrival, err := callee.Next(ctx)
		if err == nil {
			_, err = arrival.Answer()
		}
		answering <- err
	}()
	call, err := t.carriers[0].Dial(ctx, sip.Dial{To: t.plan.Phones[0].Number, From: t.caller()})
	if err != nil {
		cancel()
		<-answering
		return 0, err
	}
	err = errors.Join(<-answering, call.Hangup(ctx), call.Close())
	return call.Setup, err
}
