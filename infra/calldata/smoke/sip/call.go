package sip

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// Call is an answered call. Hang it up, then close it.
type Call struct {
	// Challenged tells whether the server asked the caller for credentials before it let the call through.
	Challenged bool
	// Setup is the time from the first INVITE to the answer.
	Setup time.Duration
	// Codec is the agreed one, for example "PCMU".
	Codec string
	// RemoteMedia is where the other side wants RTP, host:port.
	RemoteMedia string

	dialog *diago.DialogClientSession
}

// Call invites extension and waits for the answer. When ctx ends before the answer, the call is cancelled.
func (p *Phone) Call(ctx context.Context, extension, password string) (*Call, error) {
	dialog, err := p.calls.NewDialog(p.address(extension), diago.NewDialogOptions{Transport: "udp"})
	if err != nil {
		return nil, fmt.Errorf("prepare a call to %s: %w", extension, err)
	}
	dialog.InviteRequest.SetDestination(p.config.Server.String())
	dialog.InviteRequest.AppendHeader(sipmsg.NewHeader("User-Agent", userAgent))
	call := &Call{dialog: dialog}
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
	err = dialog.Invite(inviting, diago.InviteClientOptions{
		Username: p.config.User,
		Password: password,
		OnResponse: func(res *sipmsg.Response) error {
			provisional.Store(res.IsProvisional())
			call.Challenged = call.Challenged || replyOf(res).Challenge()
			return nil
		},
	})
	if err == nil {
		call.Setup = time.Since(begin)
		err = dialog.Ack(ctx)
	}
	if err != nil {
		return nil, errors.Join(p.inviteError(ctx, err), dialog.Close())
	}
	session := dialog.MediaSession()
	if codecs := session.CommonCodecs(); len(codecs) > 0 {
		call.Codec = codecs[0].Name
	}
	call.RemoteMedia = session.Raddr.String()
	return call, nil
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

// Ended tells whether the call is over.
func (c *Call) Ended() bool { return c.dialog.LoadState() == sipmsg.DialogStateEnded }

// Close gives the call's ports back.
func (c *Call) Close() error { return c.dialog.Close() }
