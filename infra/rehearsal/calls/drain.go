package calls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

const (
	// drainRate is how fast calls come up before draining, a second.
	drainRate = 50
	// drainHold is how long calls stand after the last one is up: long enough to drain two machines and to look at that.
	drainHold = 30 * time.Second
)

// drainScenario takes an SBC and a Router out of service while calls stand.
func drainScenario(n int) Scenario {
	return Scenario{
		Group: GroupDrain, Name: fmt.Sprintf("an SBC and a Router are drained with %d calls up", n), Limit: 6 * time.Minute, Skip: needsLoad,
		Run: func(t *Trial) { t.drain(n) },
	}
}

type loaded struct {
	sippResult
	err error
}

func (t *Trial) drain(n int) {
	sbc := t.plan.SBCs[0]
	caller := t.caller()
	rising := time.Duration(n) * time.Second / drainRate
	done := make(chan loaded, 1)
	begin := time.Now()
	t.step(fmt.Sprintf("%d calls come up", n), func(ctx context.Context) error {
		before, err := t.active(ctx, sbc)
		if err != nil {
			return err
		}
		go func() {
			r, err := sipp(ctx, sippRun{from: t.plan.Carriers[0].Address, to: sbc.sip(), number: t.plan.Numbers.Answer, caller: caller,
				rate: drainRate, calls: n, hold: rising + drainHold})
			done <- loaded{r, err}
		}()
		for end := time.Now().Add(rising + drainHold/2); time.Now().Before(end); time.Sleep(time.Second) {
			up, err := t.active(ctx, sbc)
			if err != nil {
				return err
			}
			up -= before
			t.work.Progress(int64(up), int64(n), "calls up")
			if up >= n {
				return nil
			}
		}
		return fmt.Errorf("after %s not all of them are up", rising+drainHold/2)
	})
	var router Machine
	t.step("the busiest Router is found", func(ctx context.Context) (err error) {
		router, err = t.busiest(ctx, t.plan.Routers)
		return err
	})
	if t.failed() {
		return
	}
	for _, m := range []Machine{sbc, router} {
		t.finally(func(ctx context.Context) {
			if _, err := t.shell(ctx, m, "c4-maintenance normal"); err != nil {
				t.step(m.Name+" comes back", func(context.Context) error { return err })
			}
		})
		t.step(m.Name+" is drained", func(ctx context.Context) error {
			_, err := t.shell(ctx, m, "c4-maintenance drain")
			return err
		})
	}
	t.step("it takes no new calls", func(ctx context.Context) error {
		_, err := t.carriers[0].Dial(ctx, sip.Dial{To: t.plan.Numbers.Answer, From: t.caller()})
		return rejection(dialled{err: err}, []int{503})
	})
	t.elsewhere()
	t.step("the calls go on to their end", func(ctx context.Context) error {
		select {
		case r := <-done:
			t.figure("calls", float64(r.ok+r.failed), "calls")
			t.figure("calls lost", float64(r.failed), "calls")
			if r.err == nil && (r.failed > 0 || r.ok != n) {
				return fmt.Errorf("%d of %d calls were lost", n-r.ok, n)
			}
			return r.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	t.drained(n, caller, begin)
}

// elsewhere calls by another SBC, where there is one.
func (t *Trial) elsewhere() {
	if len(t.plan.SBCs) < 2 || len(t.plan.Routers) < 2 {
		return
	}
	t.step("another SBC and another Router take new calls", func(ctx context.Context) error {
		other, err := party.Open(ctx, "carrier at another SBC", sip.Config{
			Server: t.plan.SBCs[1].sip(), LocalIP: t.plan.Carriers[0].Address, User: "carrier", FromDomain: t.plan.Carriers[0].Address.String(), Agent: agent,
		})
		if err != nil {
			return err
		}
		defer func() { _ = other.Close() }()
		call, err := other.Dial(ctx, sip.Dial{To: t.plan.Numbers.Answer, From: t.caller()})
		if err != nil {
			return err
		}
		return errors.Join(call.Hangup(ctx), call.Close())
	})
}

// drained proves by the records that each call went on to its end.
func (t *Trial) drained(n int, caller string, begin time.Time) {
	if t.plan.DatabaseURLFile == "" {
		return
	}
	t.step("the records say the same", func(ctx context.Context) error {
		db, err := openDatabase(ctx, t.plan.DatabaseURLFile)
		if err != nil {
			return err
		}
		defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
		found := 0
		for end := time.Now().Add(2 * recordTime); time.Now().Before(end); time.Sleep(time.Second) {
			err := db.QueryRow(ctx, "SELECT count(*) FROM cdr WHERE direction = 'in' AND code = 200 AND ended_by = 'caller' AND duration_ms >= $1 AND ltrim(caller, '+') = $2 AND started_at >= $3",
				drainHold.Milliseconds(), digits(caller), begin).Scan(&found)
			if err != nil || found == n {
				break
			}
		}
		t.figure("records of whole calls", float64(found), "records")
		if err == nil && found != n {
			err = fmt.Errorf("%d records of whole calls, want %d", found, n)
		}
		return err
	})
}
