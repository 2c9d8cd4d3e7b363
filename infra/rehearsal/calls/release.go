package calls

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

const (
	// releaseCallers is how many calls are up all the time, and releaseHold how long each stands: longer than a step of a release that
	// somebody would notice, and short enough for an SBC that is drained to be empty soon.
	releaseCallers = 6
	releaseHold    = 40 * time.Second
	// releaseTry is how long an address may take to answer a call before the caller tries the next one. An address that no machine has
	// never answers; RFC 3263, section 4.3, has callers go on.
	releaseTry = 6 * time.Second
	// releaseTime is how long a release may take that goes back once.
	releaseTime = 120 * time.Minute
)

// releaseScenario calls while machines change, until the plan's file says that they have. Callers know the addresses of the platform and
// nothing of who has them.
func releaseScenario() Scenario {
	return Scenario{
		Group: GroupRelease, Name: fmt.Sprintf("%d calls are up all the time while machines change", releaseCallers), Limit: releaseTime,
		Skip: func(p Plan) string {
			if p.Until == "" || len(p.Pool) == 0 || p.Numbers.Answer == "" {
				return "the plan names no end, no pool, or no number that answers"
			}
			return ""
		},
		Run: func(t *Trial) {
			t.step("calls go on to their end", func(ctx context.Context) error {
				callers := make([]*releaseCaller, releaseCallers)
				var all sync.WaitGroup
				for i := range callers {
					callers[i] = &releaseCaller{trial: t, at: i % len(t.plan.Pool), parties: map[netip.Addr]*party.Party{}}
					all.Go(func() { callers[i].run(ctx) })
				}
				all.Wait()
				var sum releaseCaller
				for _, c := range callers {
					sum.calls, sum.elsewhere, sum.lost = sum.calls+c.calls, sum.elsewhere+c.elsewhere, append(sum.lost, c.lost...)
				}
				t.figure("calls", float64(sum.calls), "calls")
				t.figure("calls by another address", float64(sum.elsewhere), "calls")
				t.figure("calls lost", float64(len(sum.lost)), "calls")
				switch {
				case ctx.Err() != nil:
					return ctx.Err()
				case len(sum.lost) > 0:
					// They begin with the time.
					slices.SortFunc(sum.lost, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
					return fmt.Errorf("%d of %d calls were lost: %w", len(sum.lost), sum.calls, errors.Join(sum.lost...))
				case sum.calls < releaseCallers:
					return fmt.Errorf("there were %d calls only", sum.calls)
				}
				return nil
			})
		},
	}
}

// releaseCaller places one call after the other, each by the address that took the last one, or the next that takes it.
type releaseCaller struct {
	trial   *Trial
	at      int // of the pool
	parties map[netip.Addr]*party.Party

	calls, elsewhere int
	lost             []error
}

func (c *releaseCaller) run(ctx context.Context) {
	defer func() {
		for _, p := range c.parties {
			_ = p.Close()
		}
	}()
	for ctx.Err() == nil {
		if _, err := os.Stat(c.trial.plan.Until); err == nil {
			return
		}
		err := c.call(ctx)
		if ctx.Err() != nil {
			return // cut off by this tester
		}
		c.calls++
		if err != nil {
			c.lost = append(c.lost, fmt.Errorf("%s: %w", time.Now().UTC().Format(time.TimeOnly), err))
		}
	}
}

func (c *releaseCaller) call(ctx context.Context) error {
	call, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = call.Close() }()
	begin := time.Now()
	select {
	case <-ctx.Done():
	case <-call.Over():
		return fmt.Errorf("a call by %s ended after %s", c.trial.plan.Pool[c.at], time.Since(begin).Round(time.Second))
	case <-time.After(releaseHold):
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTry)
	defer cancel()
	if err := call.Hangup(ending); err != nil {
		return fmt.Errorf("a call by %s cannot be ended: %w", c.trial.plan.Pool[c.at], err)
	}
	return nil
}

// dial tries each address once.
func (c *releaseCaller) dial(ctx context.Context) (*sip.Call, error) {
	var errs []error
	for range c.trial.plan.Pool {
		p, err := c.party(ctx, c.trial.plan.Pool[c.at])
		if err != nil {
			return nil, err
		}
		trying, cancel := context.WithTimeout(ctx, releaseTry)
		call, err := p.Dial(trying, sip.Dial{To: c.trial.plan.Numbers.Answer, From: c.trial.caller()})
		cancel()
		if err == nil {
			if len(errs) > 0 {
				c.elsewhere++
			}
			return call, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", c.trial.plan.Pool[c.at], err))
		c.at = (c.at + 1) % len(c.trial.plan.Pool)
	}
	return nil, fmt.Errorf("no address takes a call: %w", errors.Join(errs...))
}

// party is a carrier's end that calls an address.
func (c *releaseCaller) party(ctx context.Context, at netip.Addr) (*party.Party, error) {
	if p := c.parties[at]; p != nil {
		return p, nil
	}
	carrier := c.trial.plan.Carriers[0].Address
	p, err := party.Open(ctx, "carrier that calls "+at.String(), sip.Config{
		Server: netip.AddrPortFrom(at, sipPort), LocalIP: carrier, User: "carrier", FromDomain: carrier.String(), Agent: agent,
	})
	if err == nil {
		c.parties[at] = p
	}
	return p, err
}
