package calls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

const (
	// arrivalTime is how long a call may take from the caller to the one who is called, time-outs of machines on its way that do
	// not answer included.
	arrivalTime = 10 * time.Second
	// talkTime is how long both ends talk.
	talkTime = time.Second
	// maxLoss is the share of the sound that may get lost. Speech over G.711 is bad before 5 %.
	maxLoss = 0.01
)

// attempt is a call while it is set up, and while it is up.
type attempt struct {
	t       *Trial
	dial    sip.Dial
	caller  *party.Party
	callee  *party.Party
	cancel  context.CancelFunc
	replies chan sip.Reply
	result  chan dialled
	ended   bool

	arrival *party.Arrival
	// out and in are the two ends of an answered call.
	out, in *sip.Call
}

type dialled struct {
	call *sip.Call
	err  error
}

// call begins a call. The caller's side runs on while the steps look at it.
func (t *Trial) call(caller *party.Party, d sip.Dial) *attempt {
	a := &attempt{t: t, dial: d, caller: caller, replies: make(chan sip.Reply, 32), result: make(chan dialled, 1)}
	if t.failed() {
		return a
	}
	a.dial.OnReply = func(r sip.Reply) {
		select {
		case a.replies <- r:
		default:
		}
	}
	t.step(fmt.Sprintf("%s calls %s", caller.Name, d.To), func(ctx context.Context) error {
		ctx, a.cancel = context.WithCancel(ctx)
		go func() {
			call, err := caller.Dial(ctx, a.dial)
			a.result <- dialled{call, err}
		}()
		return nil
	})
	t.finally(a.tidy)
	return a
}

// tidy ends what is left of the call.
func (a *attempt) tidy(ctx context.Context) {
	if a.cancel == nil {
		return
	}
	a.cancel()
	if a.out == nil && !a.ended {
		select {
		case r := <-a.result:
			a.out = r.call
		case <-ctx.Done():
		}
	}
	if a.out != nil {
		if !a.out.Ended() {
			_ = a.out.Hangup(ctx) // the scenario has its own say about hanging up
		}
		_ = a.out.Close()
	}
}

// outcome waits for the end of the dialling.
func (a *attempt) outcome(ctx context.Context) (dialled, error) {
	select {
	case r := <-a.result:
		a.ended = true
		return r, nil
	case <-ctx.Done():
		return dialled{}, errors.Join(errors.New("the call was neither answered nor refused"), ctx.Err())
	}
}

// refused expects one of the codes.
func (a *attempt) refused(codes ...int) {
	a.t.step(fmt.Sprintf("the call is refused with %s", join(codes)), func(ctx context.Context) error {
		r, err := a.outcome(ctx)
		if err != nil {
			return err
		}
		return rejection(r, codes)
	})
}

func rejection(r dialled, codes []int) error {
	var rejected *sip.RejectedError
	switch {
	case r.err == nil:
		return errors.New("the call was answered")
	case !errors.As(r.err, &rejected):
		return r.err
	case !slices.Contains(codes, rejected.Reply.Code):
		return rejected
	}
	return nil
}

func join(codes []int) string {
	texts := make([]string, len(codes))
	for i, c := range codes {
		texts[i] = fmt.Sprint(c)
	}
	return strings.Join(texts, " or ")
}

// arrives waits for the call at the one who is called.
func (a *attempt) arrives(at *party.Party) {
	if a.t.failed() {
		return
	}
	a.callee = at
	a.t.step(fmt.Sprintf("the call reaches %s", at.Name), func(ctx context.Context) error {
		waiting, cancel := context.WithTimeout(ctx, arrivalTime)
		defer cancel()
		var err error
		a.arrival, err = at.Next(waiting)
		if err == nil || a.ended {
			return err
		}
		select {
		case r := <-a.result: // says why
			a.ended = true
			a.out = r.call
			return errors.Join(err, r.err)
		default:
			return err
		}
	})
}

// rings lets it ring, and waits until the caller hears that.
func (a *attempt) rings() {
	if a.t.failed() {
		return
	}
	a.t.step(a.callee.Name+" rings", func(ctx context.Context) error {
		if err := a.arrival.Ring(); err != nil {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, arrivalTime)
		defer cancel()
		for {
			select {
			case r := <-a.replies:
				if r.Code == 180 {
					return nil
				}
			case <-waiting.Done():
				return errors.Join(errors.New("the caller does not hear that it rings"), waiting.Err())
			}
		}
	})
}

// answered takes the call.
func (a *attempt) answered() {
	if a.t.failed() {
		return
	}
	a.t.step(a.callee.Name+" answers", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, arrivalTime)
		defer cancel()
		taken := make(chan error, 1)
		go func() {
			call, err := a.arrival.Answer()
			a.in = call
			taken <- err
		}()
		r, err := a.outcome(ctx)
		if err == nil {
			a.out = r.call
			err = r.err
		}
		if err != nil {
			return err
		}
		select {
		case err := <-taken:
			return err
		case <-ctx.Done():
			return errors.Join(errors.New("the caller's ACK did not come"), ctx.Err())
		}
	})
}

// comes is arrives, rings and answered.
func (a *attempt) comes(at *party.Party) *attempt {
	a.arrives(at)
	a.rings()
	a.answered()
	return a
}

// talk lets both ends talk and counts what got lost on the way.
func (a *attempt) talk() {
	a.t.step("both ends talk", func(ctx context.Context) error {
		there, back, err := sip.Converse(ctx, a.out, a.in, talkTime)
		if err != nil {
			return err
		}
		a.t.figure("RTP to callee", float64(there.Sent), "packets")
		a.t.figure("lost", float64(there.Sent-there.Echoed), "packets")
		a.t.figure("RTP to caller", float64(back.Sent), "packets")
		a.t.figure("lost", float64(back.Sent-back.Echoed), "packets")
		return errors.Join(heard("the callee", there), heard("the caller", back))
	})
}

func heard(who string, m sip.Media) error {
	switch {
	case m.Received == 0:
		return fmt.Errorf("%s hears nothing of %d packets", who, m.Sent)
	case m.Echoed == 0:
		return fmt.Errorf("%s hears %d packets of something else from %s", who, m.Received, m.Source)
	case m.Loss() > maxLoss:
		return fmt.Errorf("%s hears %d of %d packets: %.1f %% lost, at most %.0f %% may be", who, m.Echoed, m.Sent, 100*m.Loss(), 100*maxLoss)
	}
	return nil
}

// hangUp ends the call by the caller or by the callee; the other side has to hear of it.
func (a *attempt) hangUp(byCaller bool) {
	if a.t.failed() {
		return
	}
	who := a.caller.Name
	if !byCaller {
		who = a.callee.Name
	}
	a.t.step(who+" hangs up", func(ctx context.Context) error {
		from, to := a.out, a.in
		if !byCaller {
			from, to = a.in, a.out
		}
		if err := from.Hangup(ctx); err != nil {
			return err
		}
		select {
		case <-to.Over():
			return nil
		case <-time.After(arrivalTime):
			return errors.New("the other side does not hear of it")
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
