package sip

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// Call is an answered call. Hang it up, then close it.
type Call struct {
	// ID is the Call-ID.
	ID string
	// Challenged tells whether the server asked the caller for credentials before it let the call through.
	Challenged bool
	// Setup is the time from the first INVITE to the answer; 0 for a call that came in.
	Setup time.Duration
	// Codec is the agreed one, for example "PCMU".
	Codec string
	// RemoteMedia is where the other side wants RTP, host:port.
	RemoteMedia string

	dialog dialog
	phone  *Phone
}

// dialog is what both sides of a call can do.
type dialog interface {
	MediaSession() *media.MediaSession
	LoadState() sipmsg.DialogState
	Context() context.Context
	Hangup(ctx context.Context) error
	Hold(ctx context.Context) error
	Unhold(ctx context.Context) error
	Close() error
}

// Dial says whom to call, and as whom.
type Dial struct {
	// To is the user part of the address to call; From that of the caller, by default the phone's user.
	To, From string
	// Password answers a challenge; empty ends the call there.
	Password string
	// Headers are added to the INVITE, as name and value.
	Headers [][2]string
	// OnReply hears of each reply before the last one.
	OnReply func(Reply)
}

// Call invites extension and waits for the answer. When ctx ends before the answer, the call is cancelled.
func (p *Phone) Call(ctx context.Context, extension, password string) (*Call, error) {
	return p.Dial(ctx, Dial{To: extension, Password: password})
}

// Dial is Call with more to say.
func (p *Phone) Dial(ctx context.Context, d Dial) (*Call, error) {
	session, err := p.calls.NewDialog(p.address(d.To), diago.NewDialogOptions{Transport: p.config.Transport})
	if err != nil {
		return nil, fmt.Errorf("prepare a call to %s: %w", d.To, err)
	}
	session.InviteRequest.SetDestination(p.config.Server.String())
	session.InviteRequest.AppendHeader(sipmsg.NewHeader("User-Agent", p.config.Agent))
	for _, h := range d.Headers {
		session.InviteRequest.AppendHeader(sipmsg.NewHeader(h[0], h[1]))
	}
	call := &Call{dialog: session, phone: p}
	begin := time.Now()
	var provisional atomic.Bool
	// CANCEL may only follow a provisional reply (RFC 3261, section 9.1). Without one the library would wait for it for
	// 32 s after ctx has ended; nobody is there, so that there is nothing to cancel.
	inviting, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		if provisional.Load() {
			stop(ctx.Err())
		} else {
			stop(sipgo.WaitAnswerForceCancelErr)
		}
	})()
	options := diago.InviteClientOptions{
		Username: p.config.User,
		Password: d.Password,
		OnResponse: func(res *sipmsg.Response) error {
			provisional.Store(res.IsProvisional())
			call.Challenged = call.Challenged || replyOf(res).Challenge()
			if d.OnReply != nil && res.IsProvisional() {
				d.OnReply(replyOf(res))
			}
			return nil
		},
	}
	if d.From != "" {
		options.WithCaller("", d.From, p.config.FromDomain)
	}
	if err = session.Invite(inviting, options); err == nil {
		call.Setup = time.Since(begin)
		err = session.Ack(ctx)
	}
	if err != nil {
		return nil, errors.Join(p.inviteError(ctx, err), session.Close())
	}
	call.agreed(session.InviteRequest)
	return call, nil
}

// agreed notes what both sides have settled.
func (c *Call) agreed(invite *sipmsg.Request) {
	session := c.dialog.MediaSession()
	if codecs := session.CommonCodecs(); len(codecs) > 0 {
		c.Codec = codecs[0].Name
	}
	c.RemoteMedia = session.Raddr.String()
	if id := invite.CallID(); id != nil {
		c.ID = id.Value()
	}
}

// inviteError tells a rejection from silence.
func (p *Phone) inviteError(ctx context.Context, err error) error {
	var rejected *sipgo.ErrDialogResponse
	switch {
	case errors.As(err, &rejected):
		return &RejectedError{Method: "INVITE", Reply: replyOf(rejected.Res)}
	case ctx.Err() != nil:
		// The library answers with how its CANCEL went; that the time was up is the reason.
		return p.noReply("INVITE", ctx.Err())
	case errors.Is(err, sipmsg.ErrTransactionTimeout), errors.Is(err, sipmsg.ErrTransactionTransport):
		return p.noReply("INVITE", err)
	}
	return fmt.Errorf("INVITE: %w", err)
}

// Hangup sends BYE and waits for its answer.
func (c *Call) Hangup(ctx context.Context) error {
	if c.Ended() {
		return errors.New("the other side had hung up already")
	}
	err := c.dialog.Hangup(ctx)
	var rejected sipgo.ErrDialogResponse
	if errors.As(err, &rejected) {
		return &RejectedError{Method: "BYE", Reply: replyOf(rejected.Res)}
	}
	if err != nil {
		return fmt.Errorf("no reply to BYE: %w", err)
	}
	return nil
}

// Hold offers the other side to send only (RFC 6337, section 5.3), Unhold to talk again.
func (c *Call) Hold(ctx context.Context) error { return offered(c.dialog.Hold(ctx)) }

// Unhold ends Hold.
func (c *Call) Unhold(ctx context.Context) error { return offered(c.dialog.Unhold(ctx)) }

// offered makes the library's errors of a new offer this package's.
func offered(err error) error {
	var rejected sipgo.ErrDialogResponse
	if errors.As(err, &rejected) {
		return &RejectedError{Method: "re-INVITE", Reply: replyOf(rejected.Res)}
	}
	if err != nil {
		return fmt.Errorf("re-INVITE: %w", err)
	}
	return nil
}

// Offered is the direction that the other side's last offer within the call asked for, "sendonly" for hold; "sendrecv" before
// the first one.
func (c *Call) Offered() string {
	if last, ok := c.phone.offers.Load(c.ID); ok {
		return last.(string)
	}
	return "sendrecv"
}

// Over is closed when the call is over.
func (c *Call) Over() <-chan struct{} { return c.dialog.Context().Done() }

// Ended tells whether the call is over.
func (c *Call) Ended() bool { return c.dialog.LoadState() == sipmsg.DialogStateEnded }

// Close gives the call's ports back.
func (c *Call) Close() error { return c.dialog.Close() }
