package calls

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

// Ways that steady calls go.
const (
	// WayEngine is from a carrier to what the engine answers by itself, WayPhone to a phone, WayOut from a phone to the world.
	WayEngine = "to the engine"
	WayPhone  = "to a phone"
	WayOut    = "out"
)

// Ways are all of them.
func Ways() []string { return []string{WayEngine, WayPhone, WayOut} }

const (
	// steadyEvery is how often a call of each way begins.
	steadyEvery = time.Second
	// steadyTime is how long a caller waits for an answer. Every machine on the way may be the one that is gone: 4 s each.
	steadyTime = 20 * time.Second
	// silence is how long an SBC may say nothing until carrier and phone try the next one (RFC 3263, section 4.3): as long as the
	// platform waits for its own machines. With RFC 3261's own timer B it would be 32 s.
	silence = 4 * time.Second
	// StandingEach is how many calls stand by way of each SBC.
	StandingEach = 5
	// standingTime is how long the other end may take to hear of a call's end.
	standingTime = 10 * time.Second
)

// SteadyCallers begins the numbers of those who make steady calls, in E.164 with +; four digits are added.
const SteadyCallers = "+1212556"

// Try is one steady call.
type Try struct {
	// Way is one of Ways, By the SBC that the last attempt went by.
	Way string `json:"way"`
	By  string `json:"by"`
	// At is when the caller began, Answered when the call was; zero without an answer, and Why says why.
	At       time.Time `json:"at"`
	Answered time.Time `json:"answered,omitzero"`
	Why      string    `json:"why,omitempty"`
}

// OK tells whether the call was answered.
func (t Try) OK() bool { return !t.Answered.IsZero() }

// Standing is how many calls stood, and how many of them were lost.
type Standing struct {
	Up   int `json:"up"`
	Lost int `json:"lost"`
}

// SteadyLine is a line of what steady calls tell, as JSON: one of its fields.
type SteadyLine struct {
	// Ready says that the standing calls are up.
	Ready bool `json:"ready,omitempty"`
	// Try is a call that is over.
	Try *Try `json:"try,omitempty"`
	// Standing is what came of the standing calls.
	Standing *Standing `json:"standing,omitempty"`
	// Phone says that a phone has registered, and by which SBC.
	Phone string `json:"phone,omitempty"`
	// Trouble is what the caller itself cannot do.
	Trouble string `json:"trouble,omitempty"`
}

// Steady begins a call of each way every second, as those do who know all SBCs: each call tries them in order. It writes a SteadyLine
// for each on out. A line on in ends the standing calls and tells which were lost; the end of in, or of ctx, is the end of all.
func Steady(ctx context.Context, p Plan, secretsFile string, in io.Reader, out io.Writer) error {
	err := p.Validate()
	if err == nil && p.Numbers.Answer == "" {
		err = errors.New("numbers.answer is empty: want a number that the engine answers")
	}
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	s := &steady{bench: &bench{plan: p, begin: time.Now()}, out: json.NewEncoder(out)}
	if err := s.readPasswords(secretsFile); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.close()
	defer s.work.Wait()
	defer cancel()
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.run(ctx, in)
}

// steady is a bench whose parties each know every SBC.
type steady struct {
	*bench
	carrier *hunter
	// callee is a phone that is called, outward one that calls.
	callee, outward *hunter
	standing        []*sip.Call
	work            sync.WaitGroup

	telling sync.Mutex
	out     *json.Encoder
}

// hunter is one user of the platform, who has a party for each SBC.
type hunter struct {
	parties []*party.Party
	sbcs    []Machine
	// first is the SBC that is tried first: a carrier's is always the same, a phone's the one that it has registered by.
	first atomic.Int64
	// silence ends an attempt by an SBC that says nothing, unless it is stopped before.
	silence func(end func()) (stop func() bool)
}

// afterSilence ends it after silence.
func afterSilence(end func()) (stop func() bool) { return time.AfterFunc(silence, end).Stop }

func (s *steady) tell(line SteadyLine) {
	s.telling.Lock()
	defer s.telling.Unlock()
	_ = s.out.Encode(line) // whoever reads is gone then
}

func (s *steady) close() {
	for _, h := range []*hunter{s.carrier, s.callee, s.outward} {
		if h == nil {
			continue
		}
		for _, p := range h.parties {
			_ = p.Close()
		}
	}
}

// open makes the parties and lets phones register.
func (s *steady) open(ctx context.Context) error {
	var err error
	if s.carrier, err = s.hunt(func(n int, sbc Machine) (*party.Party, error) {
		if n == 0 {
			return s.openCarrier(ctx, 0, sbc) // at the port that it is called at
		}
		c := s.plan.Carriers[0]
		return party.Open(ctx, "carrier "+c.Trunk, sip.Config{Server: sbc.sip(), LocalIP: c.Address, User: "carrier", FromDomain: c.Address.String(), Agent: agent})
	}); err != nil {
		return err
	}
	for i, h := range []**hunter{&s.callee, &s.outward} {
		if *h, err = s.hunt(func(_ int, sbc Machine) (*party.Party, error) { return s.openPhone(ctx, i, sbc, sip.UDP) }); err != nil {
			return err
		}
	}
	for _, h := range []*hunter{s.carrier, s.callee} {
		for _, p := range h.parties {
			s.work.Go(func() { p.Serve(ctx, func(a *party.Arrival) { s.take(ctx, a) }) })
		}
	}
	for i, h := range []*hunter{s.callee, s.outward} {
		if err := s.registerOnce(ctx, i, h); err != nil {
			return fmt.Errorf("phone %s does not register by any SBC: %w", s.plan.Phones[i].User, err)
		}
		s.work.Go(func() { s.keepRegistered(ctx, i, h) })
	}
	return nil
}

func (s *steady) hunt(open func(int, Machine) (*party.Party, error)) (*hunter, error) {
	h := &hunter{sbcs: s.plan.SBCs, silence: afterSilence}
	for n, sbc := range s.plan.SBCs {
		p, err := open(n, sbc)
		if err != nil {
			for _, p := range h.parties {
				_ = p.Close()
			}
			return nil, err
		}
		h.parties = append(h.parties, p)
	}
	return h, nil
}

// take answers a call and waits for its end.
func (s *steady) take(ctx context.Context, a *party.Arrival) {
	call, err := a.Answer()
	if err != nil {
		return // the caller says what it saw
	}
	select {
	case <-call.Over():
	case <-ctx.Done():
	}
	_ = call.Close()
}

// registerOnce registers by the SBC of before, or else by the next that answers.
func (s *steady) registerOnce(ctx context.Context, phone int, h *hunter) error {
	var errs []error
	first := int(h.first.Load())
	for n := range h.parties {
		at := (first + n) % len(h.parties)
		// The challenge, and a Router and an engine on the way that may be silent.
		trying, cancel := context.WithTimeout(ctx, steadyTime)
		err := s.bindWithin(trying, h.parties[at], s.passwords[phone])
		cancel()
		if err == nil {
			h.first.Store(int64(at))
			s.tell(SteadyLine{Phone: fmt.Sprintf("%s by %s", s.plan.Phones[phone].User, h.sbcs[at].Name)})
			return nil
		}
		errs = append(errs, fmt.Errorf("by %s: %w", h.sbcs[at].Name, err))
	}
	return errors.Join(errs...)
}

// bindWithin registers. An SBC that does not even answer OPTIONS is not waited for: it says so at once, where a registration waits for
// the engine.
func (s *steady) bindWithin(ctx context.Context, p *party.Party, password string) error {
	asking, cancel := context.WithTimeout(ctx, silence)
	_, err := p.Options(asking)
	cancel()
	if err != nil {
		return err
	}
	return bind(ctx, p, password)
}

// keepRegistered registers anew, and at once by another SBC when that fails.
func (s *steady) keepRegistered(ctx context.Context, phone int, h *hunter) {
	wait := refresh
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = refresh
		if err := s.registerOnce(ctx, phone, h); err != nil && ctx.Err() == nil {
			s.tell(SteadyLine{Trouble: fmt.Sprintf("phone %s does not register: %s", s.plan.Phones[phone].User, strings.ReplaceAll(err.Error(), "\n", "; "))})
			wait = silence
		}
	}
}

// run calls until in ends.
func (s *steady) run(ctx context.Context, in io.Reader) error {
	if err := s.stand(ctx); err != nil {
		return err
	}
	s.tell(SteadyLine{Ready: true})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			select {
			case asked <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(steadyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, more := <-asked:
			standing := s.standing
			s.standing = nil
			if !more {
				if len(standing) > 0 {
					s.look(ctx, standing)
				}
				return nil
			}
			if len(standing) > 0 {
				s.work.Go(func() { s.look(ctx, standing) })
			}
		case <-tick.C:
			for _, way := range Ways() {
				s.work.Go(func() { s.try(ctx, way) })
			}
		}
	}
}

// try makes one call and tells what came of it.
func (s *steady) try(ctx context.Context, way string) {
	t := Try{Way: way, At: time.Now()}
	n := s.next()
	ctx, cancel := context.WithTimeout(ctx, steadyTime)
	defer cancel()
	caller := fmt.Sprintf("%s%04d", SteadyCallers, n)
	h, d := s.carrier, sip.Dial{From: caller}
	switch way {
	case WayEngine:
		d.To = s.plan.Numbers.Answer
	case WayPhone:
		d.To = s.plan.Phones[0].Number
	case WayOut:
		h = s.outward
		d = sip.Dial{To: s.dialled(fmt.Sprintf("%s%04d", s.plan.Numbers.Outside, n)), Password: s.passwords[1]}
	}
	call, by, err := h.dial(ctx, d)
	t.By = by
	if err == nil {
		t.Answered = time.Now()
		_ = call.Hangup(ctx) // that it was answered is what counts
		_ = call.Close()
	} else {
		t.Why = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.tell(SteadyLine{Try: &t})
	}
}

// dial calls by one SBC after the other, until one takes the call: the next one's turn is when one says nothing, or that it takes none
// now (RFC 3263, section 4.3).
func (h *hunter) dial(ctx context.Context, d sip.Dial) (*sip.Call, string, error) {
	var errs []error
	by := ""
	first := int(h.first.Load())
	for n := range h.parties {
		at := (first + n) % len(h.parties)
		by = h.sbcs[at].Name
		call, err := h.dialHeard(ctx, h.parties[at].Phone, d)
		if err == nil {
			return call, by, nil
		}
		errs = append(errs, fmt.Errorf("by %s: %w", by, err))
		var rejected *sip.RejectedError
		if ctx.Err() != nil || errors.As(err, &rejected) && rejected.Reply.Code != 503 {
			break
		}
	}
	return nil, by, errors.Join(errs...)
}

// dialHeard is Dial, but for a server that says nothing at all.
func (h *hunter) dialHeard(ctx context.Context, p *sip.Phone, d sip.Dial) (*sip.Call, error) {
	dialling, cancel := context.WithCancel(ctx)
	defer cancel()
	heard := h.silence(cancel)
	defer heard()
	d.OnReply = func(sip.Reply) { heard() }
	call, err := p.Dial(dialling, d)
	if err != nil && dialling.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("it says nothing for %s", silence)
	}
	return call, err
}

// stand sets the standing calls up.
func (s *steady) stand(ctx context.Context) error {
	for n, sbc := range s.carrier.sbcs {
		for range StandingEach {
			trying, cancel := context.WithTimeout(ctx, steadyTime)
			call, err := s.carrier.parties[n].Dial(trying, sip.Dial{To: s.plan.Numbers.Answer, From: s.caller()})
			cancel()
			if err != nil {
				return fmt.Errorf("calls that are to stand, by %s: %w", sbc.Name, err)
			}
			s.standing = append(s.standing, call)
		}
	}
	return nil
}

// look hangs the standing calls up: the other end of one that is not lost hears of it.
func (s *steady) look(ctx context.Context, standing []*sip.Call) {
	ctx, cancel := context.WithTimeout(ctx, standingTime)
	defer cancel()
	var lost atomic.Int64
	var work sync.WaitGroup
	for _, call := range standing {
		work.Go(func() {
			if call.Ended() || call.Hangup(ctx) != nil {
				lost.Add(1)
			}
			_ = call.Close()
		})
	}
	work.Wait()
	s.tell(SteadyLine{Standing: &Standing{Up: len(standing), Lost: int(lost.Load())}})
}
