package smoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/sip"
)

// The steps of a smoke test, in their order.
const (
	StepOptions    = "options"
	StepRefuse     = "refuse wrong password"
	StepRegister   = "register"
	StepCall       = "call"
	StepMedia      = "media"
	StepHangup     = "hang up"
	StepUnregister = "unregister"
)

const (
	// replyTime is how long one request may go unanswered. UDP requests are repeated after 0.5, 1, 2 and 4 s (RFC 3261,
	// section 17.1.2.2): five packets have to be lost for a false alarm.
	replyTime = 8 * time.Second
	// callTime is how long an echo may take to answer.
	callTime = 15 * time.Second
	// maxLoss is the share of the tone that may get lost. Speech over G.711 is bad long before that.
	maxLoss = 0.05
)

// target is everything that the steps need.
type target struct {
	server    netip.AddrPort
	domain    string
	localIP   netip.Addr
	user      string
	password  string
	extension string
	tone      time.Duration
	reply     time.Duration // 0 is replyTime
	trusting  bool          // leaves out the wrong password
}

// tester runs the steps one after another and remembers how they went.
type tester struct {
	target target
	phone  *sip.Phone
	work   progress.Reporter
	report *Report
	broken string // the step that failed, when the later ones make no sense any more
	bound  bool   // a REGISTER was answered with success: there is a binding to take back
}

// test runs every step. Whatever happens, calls are hung up and registrations taken back.
func test(ctx context.Context, t target, work progress.Reporter, report *Report) error {
	if t.reply == 0 {
		t.reply = replyTime
	}
	phone, err := sip.Open(ctx, sip.Config{Server: t.server, Domain: t.domain, LocalIP: t.localIP, User: t.user})
	if err != nil {
		return err
	}
	report.Local = phone.Local().String()
	s := &tester{target: t, phone: phone, work: work, report: report}
	s.step(ctx, StepOptions, s.options)
	if !t.trusting {
		s.step(ctx, StepRefuse, s.refuse)
	}
	s.step(ctx, StepRegister, s.register)
	s.call(ctx)
	s.cleanUp(ctx, StepUnregister, s.bound, s.unregister)
	if err := phone.Close(); err != nil {
		return fmt.Errorf("close the phone: %w", err)
	}
	return nil
}

// outcome is what a step answers: a detail, and an error or a warning.
type outcome struct {
	detail  string
	warning bool
	err     error
	// fatal means that later steps cannot work either.
	fatal bool
}

// step runs one step, unless an earlier one broke the chain.
func (s *tester) step(ctx context.Context, name string, run func(context.Context) outcome) {
	switch {
	case s.broken != "":
		s.skip(name)
	case ctx.Err() != nil:
		s.do(ctx, name, func(ctx context.Context) outcome {
			return outcome{err: fmt.Errorf("not tried: %w", ctx.Err()), fatal: true}
		})
	default:
		s.do(ctx, name, run)
	}
}

// cleanUp runs a step that gives something back: also after a failure, and also after Ctrl-C.
func (s *tester) cleanUp(ctx context.Context, name string, needed bool, run func(context.Context) outcome) {
	if !needed {
		s.skip(name)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.target.reply)
	defer cancel()
	s.do(ctx, name, run)
}

func (s *tester) skip(name string) {
	reason := "there is nothing to take back"
	if s.broken != "" {
		reason = "after " + s.broken + " failed"
	}
	s.work.Step(name).Done(fmt.Errorf("%w: %s", progress.ErrSkipped, reason))
	s.report.Steps = append(s.report.Steps, Step{Name: name, Outcome: verdict.Outcome{Status: verdict.Skip, Detail: reason}})
}

func (s *tester) do(ctx context.Context, name string, run func(context.Context) outcome) {
	work := s.work.Step(name)
	begin := time.Now()
	out := run(ctx)
	result := Step{Name: name, Outcome: verdict.Outcome{Status: verdict.OK, Detail: out.detail, Seconds: time.Since(begin).Seconds()}}
	work.Done(out.err)
	switch {
	case out.err != nil:
		result.Status, result.Detail = verdict.Fail, out.err.Error()
		if out.fatal {
			s.broken = name
		}
	case out.warning:
		result.Status = verdict.Warn
	}
	s.report.Steps = append(s.report.Steps, result)
}

func (s *tester) replyIn(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.target.reply)
}

func (s *tester) options(ctx context.Context) outcome {
	ctx, cancel := s.replyIn(ctx)
	defer cancel()
	reply, err := s.phone.Options(ctx)
	if err != nil {
		return outcome{err: err, fatal: true}
	}
	// Any reply is a sign of life: Asterisk answers 401 or 404 to those it does not know.
	detail := reply.String()
	if reply.Server != "" {
		detail += " from " + reply.Server
	}
	return outcome{detail: detail}
}

func (s *tester) refuse(ctx context.Context) outcome {
	ctx, cancel := s.replyIn(ctx)
	defer cancel()
	first, final, err := s.phone.Register(ctx, rand.Text())
	s.bound = s.bound || first.Success() || final.Success()
	switch {
	case err != nil:
		return outcome{err: err}
	case !first.Challenge():
		return outcome{err: unchallenged(first)}
	case final.Success():
		return outcome{err: fmt.Errorf("REGISTER with a wrong password was answered with %s: anybody can take this line", final)}
	case final.Challenge() || final.Code == 403:
		return outcome{detail: "wrong password refused with " + final.String()}
	}
	return outcome{err: &sip.RejectedError{Method: "REGISTER with a wrong password", Reply: final}}
}

func unchallenged(first sip.Reply) error {
	if first.Success() {
		return fmt.Errorf("REGISTER without credentials was answered with %s: anybody can take this line", first)
	}
	return &sip.RejectedError{Method: "REGISTER without credentials", Reply: first}
}

func (s *tester) register(ctx context.Context) outcome {
	ctx, cancel := s.replyIn(ctx)
	defer cancel()
	first, final, err := s.phone.Register(ctx, s.target.password)
	s.bound = s.bound || first.Success() || final.Success()
	switch {
	case err != nil:
		return outcome{err: err, fatal: true}
	case !first.Challenge():
		return outcome{err: unchallenged(first), fatal: true}
	case !final.Success():
		return outcome{err: fmt.Errorf("%w: is %s in %s the password that the engine was configured with?",
			&sip.RejectedError{Method: "REGISTER of " + s.target.user, Reply: final}, fileKey, fileVariable), fatal: true}
	}
	return outcome{detail: fmt.Sprintf("%s challenged, then %s", first, final)}
}

// call places the call, listens to the echo and hangs up: three steps.
func (s *tester) call(ctx context.Context) {
	var call *sip.Call
	s.step(ctx, StepCall, func(ctx context.Context) outcome {
		ctx, cancel := context.WithTimeout(ctx, min(callTime, 2*s.target.reply))
		defer cancel()
		var err error
		if call, err = s.phone.Call(ctx, s.target.extension, s.target.password); err != nil {
			return outcome{err: fmt.Errorf("%s: %w", s.target.extension, err), fatal: true}
		}
		detail := fmt.Sprintf("%s answered after %d ms, %s", s.target.extension, call.Setup.Milliseconds(), call.Codec)
		if !call.Challenged {
			return outcome{err: fmt.Errorf("%s without being asked for credentials: anybody can place calls", detail)}
		}
		return outcome{detail: detail}
	})
	s.step(ctx, StepMedia, func(ctx context.Context) outcome { return s.media(ctx, call) })
	s.cleanUp(ctx, StepHangup, call != nil, func(ctx context.Context) outcome {
		return outcome{detail: "BYE answered", err: errors.Join(call.Hangup(ctx), call.Close())}
	})
}

func (s *tester) media(ctx context.Context, call *sip.Call) outcome {
	media, err := call.Exchange(ctx, s.target.tone)
	if err != nil {
		return outcome{err: err}
	}
	s.report.Media = &media
	counts := fmt.Sprintf("%d RTP packets sent to %s, %d received", media.Sent, call.RemoteMedia, media.Received)
	switch {
	case call.Ended():
		return outcome{err: fmt.Errorf("the other side hung up early: %s", counts)}
	case media.Received == 0:
		return outcome{err: fmt.Errorf("no audio came back: %s; look at the security group's UDP range and at the address in the engine's SDP", counts)}
	case media.Echoed == 0:
		return outcome{err: fmt.Errorf("the audio that came back is not what was sent: %s", counts)}
	case media.Loss() > maxLoss:
		return outcome{err: fmt.Errorf("%.1f %% of the audio was lost, at most %.0f %% may be: %s", 100*media.Loss(), 100*maxLoss, counts)}
	}
	detail := fmt.Sprintf("%s, %.1f %% lost, first after %d ms", counts, 100*media.Loss(), media.FirstPacket.Milliseconds())
	if remote, err := netip.ParseAddrPort(call.RemoteMedia); err == nil && remote.Addr().IsPrivate() && !s.target.server.Addr().IsPrivate() && !s.target.server.Addr().IsLoopback() {
		return outcome{warning: true, detail: detail + "; the engine offers its private address for audio, which phones on the" +
			" internet cannot reach: set external_media_address of its SIP transport"}
	}
	return outcome{detail: detail}
}

func (s *tester) unregister(ctx context.Context) outcome {
	return outcome{detail: "binding removed", err: s.phone.Unregister(ctx, s.target.password)}
}
