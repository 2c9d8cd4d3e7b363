// Package party plays those who use the platform from outside: carriers and phones. A party places calls, and hands the calls
// that come in to whoever waits for them.
package party

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/calldata/calldata-foundation/infra/calldata/sip"
)

// waiting is how many calls may wait for Next.
const waiting = 64

// Party is a SIP user agent. Close it.
type Party struct {
	*sip.Phone
	// Name is what people call it, for example "carrier telco-1".
	Name string

	arrivals chan *Arrival
	closed   chan struct{}
	close    sync.Once
}

// Open binds the party's port. The configuration's Answer is the party's own.
func Open(ctx context.Context, name string, config sip.Config) (*Party, error) {
	p := &Party{Name: name, arrivals: make(chan *Arrival, waiting), closed: make(chan struct{})}
	config.Answer = p.arrive
	phone, err := sip.Open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p.Phone = phone
	return p, nil
}

// Close ends the party. Calls that are up are not hung up.
func (p *Party) Close() error {
	p.close.Do(func() { close(p.closed) })
	return p.Phone.Close()
}

// Arrival is a call that came in. It ends with Reject, or when it is over.
type Arrival struct {
	*sip.Incoming
	done chan struct{}
	end  sync.Once
}

// Reject ends the call with a code of 300 or more.
func (a *Arrival) Reject(code int, reason string) error {
	defer a.end.Do(func() { close(a.done) })
	return a.Incoming.Reject(code, reason)
}

// arrive runs for each call, until it is over.
func (p *Party) arrive(in *sip.Incoming) {
	a := &Arrival{Incoming: in, done: make(chan struct{})}
	select {
	case p.arrivals <- a:
	default:
		_ = a.Reject(486, "Busy Here") // the caller is gone then
		return
	}
	select {
	case <-in.Over():
	case <-a.done:
	case <-p.closed:
	}
}

// Next waits for a call.
func (p *Party) Next(ctx context.Context) (*Arrival, error) {
	select {
	case a := <-p.arrivals:
		return a, nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("no call reached %s", p.Name), ctx.Err())
	}
}

// Clear rejects what waits, and answers how many calls that were.
func (p *Party) Clear() int {
	for n := 0; ; n++ {
		select {
		case a := <-p.arrivals:
			// It waits for an ACK, which not everybody sends.
			go func() { _ = a.Reject(486, "Busy Here") }()
		default:
			return n
		}
	}
}

// Serve answers each call that comes in by f, until ctx ends: for load, and for parties that only have to be there.
func (p *Party) Serve(ctx context.Context, f func(*Arrival)) {
	for {
		a, err := p.Next(ctx)
		if err != nil {
			return
		}
		go f(a)
	}
}
