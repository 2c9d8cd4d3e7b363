package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/emiago/diago"
	sipmsg "github.com/emiago/sipgo/sip"
)

// Incoming is a call that comes in and waits for an answer.
type Incoming struct {
	// ID is the Call-ID; From and To are the user parts of its addresses, and Called that of the Request-URI.
	ID, From, To, Called string
	// Agent is the User-Agent header, Source the address that the request came from, host:port.
	Agent, Source string

	session *diago.DialogServerSession
	phone   *Phone
	// answering is held while a response is on its way. The library ends a call that its handler left, and takes no care
	// of a response that somebody else is sending.
	answering sync.Mutex
	left      bool
}

var errLeft = errors.New("nobody waits for this call any more")

// incoming hands a call to whoever answers.
func (p *Phone) incoming(session *diago.DialogServerSession) {
	req := session.InviteRequest
	call := &Incoming{
		ID: req.CallID().Value(), From: session.FromUser(), To: req.To().Address.User, Called: req.Recipient.User,
		Source: req.Source(), session: session, phone: p,
	}
	if h := req.GetHeader("User-Agent"); h != nil {
		call.Agent = h.Value()
	}
	if p.config.Answer == nil {
		_ = call.Reject(sipmsg.StatusBusyHere, "Busy Here") // the caller is gone then
		return
	}
	p.config.Answer(call)
	call.answering.Lock()
	defer call.answering.Unlock()
	call.left = true
}

func (c *Incoming) respond(f func() error) error {
	c.answering.Lock()
	defer c.answering.Unlock()
	if c.left {
		return errLeft
	}
	return f()
}

// Header is the first header called name, or empty.
func (c *Incoming) Header(name string) string {
	if h := c.session.InviteRequest.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// Ring answers 180.
func (c *Incoming) Ring() error { return c.respond(c.session.Ringing) }

// Reject ends the call with a code of 300 or more. It waits until the caller has acknowledged that.
func (c *Incoming) Reject(code int, reason string) error {
	return c.respond(func() error { return c.session.Respond(code, reason, nil) })
}

// Answer takes the call. It waits until the caller has acknowledged that.
func (c *Incoming) Answer() (*Call, error) {
	if err := c.respond(c.session.Answer); err != nil {
		return nil, fmt.Errorf("answer the call from %s: %w", c.From, err)
	}
	call := &Call{dialog: c.session, phone: c.phone}
	call.agreed(c.session.InviteRequest)
	return call, nil
}

// Over is closed when the caller has given up, or the answered call is over.
func (c *Incoming) Over() <-chan struct{} { return c.session.Context().Done() }

// Cancelled waits until the caller has given up.
func (c *Incoming) Cancelled(ctx context.Context) error {
	select {
	case <-c.Over():
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("the caller's CANCEL did not come"), ctx.Err())
	}
}
