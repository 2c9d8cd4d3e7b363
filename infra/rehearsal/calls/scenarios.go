package calls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

// longRing is longer than the 5 seconds after which old C4 routers gave up.
const longRing = 8 * time.Second

// BothEndsTalk is the scenario of a call from a carrier through the whole platform to a phone.
const BothEndsTalk = "carrier calls a number, both ends talk, the caller hangs up"

// callScenarios are those of carriers and phones that behave.
func callScenarios() []Scenario {
	return []Scenario{
		{Group: GroupCalls, Name: "phone registers with digest", Run: registers},
		{Group: GroupCalls, Name: "phone of an unknown domain", Run: unknownDomain},
		{Group: GroupCalls, Name: BothEndsTalk, Run: func(t *Trial) {
			a := t.inbound(0)
			a.talk()
			a.hangUp(true)
			t.expect(inboundLegs(t, 0, 200, "caller")...)
		}},
		{Group: GroupCalls, Name: "the callee hangs up", Run: func(t *Trial) {
			t.inbound(1).hangUp(false)
			t.expect(inboundLegs(t, 1, 200, "callee")...)
		}},
		{Group: GroupCalls, Name: "carrier calls an unknown number", Run: func(t *Trial) {
			t.call(t.carriers[0], sip.Dial{To: t.plan.Numbers.Unknown, From: t.caller()}).refused(404)
			t.expect(leg{direction: "in", codes: []int{404}})
		}},
		{Group: GroupCalls, Name: "carrier calls a number whose engine does not exist", Run: func(t *Trial) {
			t.call(t.carriers[0], sip.Dial{To: t.plan.Numbers.Unserved, From: t.caller()}).refused(408, 503)
			t.expect(leg{direction: "in", codes: []int{408, 503}, called: digits(t.plan.Numbers.Unserved)})
		}},
		{Group: GroupCalls, Name: "busy", Run: func(t *Trial) {
			callee := t.register(0)
			a := t.call(t.carriers[0], sip.Dial{To: t.plan.Phones[0].Number, From: t.caller()})
			a.arrives(callee)
			t.step("the callee is busy", func(context.Context) error { return a.arrival.Reject(486, "Busy Here") })
			a.refused(486)
			t.expect(inboundLegs(t, 0, 486, "")...)
		}},
		{Group: GroupCalls, Name: "the caller gives up", Run: func(t *Trial) {
			callee := t.register(0)
			a := t.call(t.carriers[0], sip.Dial{To: t.plan.Phones[0].Number, From: t.caller()})
			a.arrives(callee)
			a.rings()
			t.step("the caller gives up", func(ctx context.Context) error {
				a.cancel()
				return a.arrival.Cancelled(ctx)
			})
			t.expect(inboundLegs(t, 0, 487, "")...)
		}},
		{Group: GroupCalls, Name: "it rings for 8 seconds", Run: func(t *Trial) {
			callee := t.register(0)
			a := t.call(t.carriers[0], sip.Dial{To: t.plan.Phones[0].Number, From: t.caller()})
			a.arrives(callee)
			a.rings()
			t.step("it rings for 8 seconds", func(ctx context.Context) error {
				select {
				case <-time.After(longRing):
					return nil
				case <-a.arrival.Over():
					return errors.New("the platform gave up")
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			a.answered()
			a.hangUp(true)
			t.expect(inboundLegs(t, 0, 200, "caller")...)
		}},
		{Group: GroupCalls, Name: "nobody answers", Run: func(t *Trial) {
			callee := t.register(1)
			a := t.call(t.carriers[0], sip.Dial{To: t.plan.Phones[1].Number, From: t.caller()})
			a.arrives(callee)
			a.rings()
			begin := time.Now()
			a.refused(408, 480, 486, 487, 503)
			t.figure("rang for", time.Since(begin).Seconds(), "s")
			t.expect(leg{direction: "in", codes: []int{408, 480, 486, 487, 503}, called: digits(t.plan.Phones[1].Number)},
				leg{direction: "internal", codes: []int{408, 480, 486, 487, 503}})
		}},
		{Group: GroupCalls, Name: "hold and back", Run: func(t *Trial) {
			a := t.inbound(0)
			t.step("the caller holds", func(ctx context.Context) error { return offer(ctx, a.out.Hold, a.in, "sendonly") })
			t.step("the caller comes back", func(ctx context.Context) error { return offer(ctx, a.out.Unhold, a.in, "sendrecv") })
			a.talk()
			t.step("the callee holds", func(ctx context.Context) error { return offer(ctx, a.in.Hold, a.out, "sendonly") })
			t.step("the callee comes back", func(ctx context.Context) error { return offer(ctx, a.in.Unhold, a.out, "sendrecv") })
			a.hangUp(false)
			t.expect(inboundLegs(t, 0, 200, "callee")...)
		}},
		{Group: GroupCalls, Name: "phone calls a phone", Run: func(t *Trial) {
			caller, callee := t.register(0), t.register(1)
			a := t.call(caller, sip.Dial{To: t.plan.Phones[1].Extension, Password: t.passwords[0]}).comes(callee)
			a.talk()
			a.hangUp(true)
			t.expect(leg{direction: "internal", codes: []int{200}, by: "caller"}, leg{direction: "internal", codes: []int{200}, by: "caller"})
		}},
		{Group: GroupCalls, Name: "phone calls out", Run: func(t *Trial) {
			a := t.outbound().comes(t.carriers[0])
			a.talk()
			a.hangUp(true)
			t.expect(outboundLegs(200, "caller")...)
		}},
		{Group: GroupCalls, Name: "the world hangs up", Run: func(t *Trial) {
			t.outbound().comes(t.carriers[0]).hangUp(false)
			t.expect(outboundLegs(200, "callee")...)
		}},
		{Group: GroupCalls, Name: "phone over TLS", Run: overTLS},
		{Group: GroupFailover, Name: "the first carrier refuses: the second one takes the call", Run: func(t *Trial) {
			a := t.outbound()
			a.arrives(t.carriers[0])
			t.step("the first carrier has no line", func(context.Context) error { return a.arrival.Reject(503, "Service Unavailable") })
			a.comes(t.carriers[1]).hangUp(true)
			t.expect(outboundLegs(200, "caller")...)
		}},
		{Group: GroupFailover, Name: "the first carrier rings, then fails: the second one takes the call", Run: func(t *Trial) {
			a := t.outbound()
			a.arrives(t.carriers[0])
			a.rings()
			t.step("the first carrier fails", func(context.Context) error { return a.arrival.Reject(503, "Service Unavailable") })
			a.comes(t.carriers[1]).hangUp(true)
			t.expect(outboundLegs(200, "caller")...)
		}},
		{Group: GroupFailover, Name: "the first carrier is silent: the second one takes the call", Run: silentCarrier},
		{Group: GroupFailover, Name: "a busy number stays busy: no second carrier is asked", Run: func(t *Trial) {
			a := t.outbound()
			a.arrives(t.carriers[0])
			t.step("the number is busy", func(context.Context) error { return a.arrival.Reject(486, "Busy Here") })
			a.refused(486)
			t.step("the second carrier is not asked", func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				if _, err := t.carriers[1].Next(ctx); err == nil {
					return errors.New("it was")
				}
				return nil
			})
			t.expect(outboundLegs(486, "")...)
		}},
		{Group: GroupFailover, Name: "no carrier takes the call", Run: func(t *Trial) {
			t.register(0)
			a := t.call(t.phones[0], sip.Dial{To: t.dialled(t.outside(t.plan.Numbers.Unreachable)), Password: t.passwords[0]})
			a.refused(408, 480, 500, 502, 503, 504)
			t.expect(leg{direction: "internal", codes: []int{408, 480, 500, 502, 503, 504}}, leg{direction: "out", codes: []int{408, 480, 500, 502, 503, 504}})
		}},
	}
}

// inbound is an answered call from the first carrier to a phone.
func (t *Trial) inbound(phone int) *attempt {
	callee := t.register(phone)
	return t.call(t.carriers[0], sip.Dial{To: t.plan.Phones[phone].Number, From: t.caller()}).comes(callee)
}

// outbound is a call from the first phone to the world.
func (t *Trial) outbound() *attempt {
	caller := t.register(0)
	return t.call(caller, sip.Dial{To: t.dialled(t.outside(t.plan.Numbers.Outside)), Password: t.passwords[0]})
}

// inboundLegs are a call's from a trunk to the engine, and from there to the phone.
func inboundLegs(t *Trial, phone, code int, by string) []leg {
	return []leg{
		{direction: "in", codes: []int{code}, by: by, called: digits(t.plan.Phones[phone].Number)},
		{direction: "internal", codes: []int{code}, by: by},
	}
}

// outboundLegs are a call's from a phone to the engine, and from there to a carrier.
func outboundLegs(code int, by string) []leg {
	return []leg{{direction: "internal", codes: []int{code}, by: by}, {direction: "out", codes: []int{code}, by: by}}
}

// offer makes a new offer within a call and waits until the other side has seen it.
func offer(ctx context.Context, send func(context.Context) error, other *sip.Call, want string) error {
	if err := send(ctx); err != nil {
		return err
	}
	if got := other.Offered(); got != want {
		return fmt.Errorf("the other side was offered %s, want %s", got, want)
	}
	return nil
}

func registers(t *Trial) {
	for i, p := range t.phones {
		t.step(p.Name+" is refused without its password", func(ctx context.Context) error {
			first, final, err := p.Register(ctx, "wrong-"+t.passwords[i])
			switch {
			case err != nil:
				return err
			case !first.Challenge():
				return fmt.Errorf("REGISTER without credentials was answered with %s", first)
			case final.Success():
				return errors.New("a wrong password was taken")
			}
			return nil
		})
		t.register(i)
	}
}

func unknownDomain(t *Trial) {
	var stray *party.Party
	t.step("a phone of another domain is refused", func(ctx context.Context) (err error) {
		p := t.plan.Phones[0]
		stray, err = party.Open(ctx, "phone of nowhere", sip.Config{
			Server: t.phones[0].Server(), LocalIP: p.Address, User: p.User, Domain: "nowhere.example.net", Agent: agent,
		})
		if err != nil {
			return err
		}
		t.finally(func(context.Context) { _ = stray.Close() })
		first, _, err := stray.Register(ctx, t.passwords[0])
		if err != nil {
			return err
		}
		if first.Code != 403 && first.Code != 404 {
			return &sip.RejectedError{Method: "REGISTER", Reply: first}
		}
		return nil
	})
	t.step("its call is refused", func(ctx context.Context) error {
		_, err := stray.Dial(ctx, sip.Dial{To: t.plan.Phones[1].Extension, Password: t.passwords[0]})
		return rejection(dialled{err: err}, []int{403, 404})
	})
	t.expect(leg{direction: "in", codes: []int{403, 404}, called: t.plan.Phones[1].Extension})
}

// silentCarrier takes the first carrier's port away.
func silentCarrier(t *Trial) {
	t.step("the first carrier goes away", func(context.Context) error { return t.carriers[0].Close() })
	t.finally(func(ctx context.Context) {
		again, err := t.openCarrier(ctx, 0, t.plan.SBCs[0])
		if err != nil {
			t.step("the first carrier comes back", func(context.Context) error { return err })
			return
		}
		t.carriers[0] = again
	})
	a := t.outbound()
	begin := time.Now()
	a.arrives(t.carriers[1])
	t.figure("until the second carrier", time.Since(begin).Seconds(), "s")
	a.rings()
	a.answered()
	a.hangUp(true)
	t.expect(outboundLegs(200, "caller")...)
}

// overTLS registers a phone over TLS, which calls and is called.
func overTLS(t *Trial) {
	var secure *party.Party
	t.step("the phone registers over TLS", func(ctx context.Context) (err error) {
		if secure, err = t.openPhone(ctx, 0, t.plan.SBCs[0], sip.TLS); err != nil {
			return err
		}
		t.finally(func(ctx context.Context) {
			_ = secure.Unregister(ctx, t.passwords[0])
			_ = secure.Close()
		})
		// One line has one contact: the phone's other one is gone from here on.
		delete(t.registered, 0)
		return bind(ctx, secure, t.passwords[0])
	})
	a := t.call(t.carriers[0], sip.Dial{To: t.plan.Phones[0].Number, From: t.caller()}).comes(secure)
	a.talk()
	a.hangUp(true)
	t.expect(inboundLegs(t, 0, 200, "caller")...)
}
