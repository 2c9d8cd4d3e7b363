// Package sip is a small SIP phone over UDP: enough of one to prove that an engine registers phones and carries calls.
// It is the only importer of sipgo and diago, so that nothing else depends on their types.
package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// userAgent is what the phone calls itself in SIP, so that a person who reads an engine's log knows who called.
const userAgent = "calldata-smoke"

// registrationTime is how long a registration lasts if it is not taken back, in seconds. Short, so that a crashed run
// leaves no contact behind for long; Asterisk's default minimum is 60 s.
const registrationTime = 60

// Config says whom the phone talks to and from where.
type Config struct {
	// Server is the registrar and proxy.
	Server netip.AddrPort
	// Domain is the host part of the phone's SIP address; empty is the server's address.
	Domain string
	// LocalIP is the address to send from. The zero value takes the one that routes to the server.
	LocalIP netip.Addr
	// User is the account's SIP user name, and its digest user name.
	User string
}

// Phone is a SIP user agent on one local UDP port. It answers what a registrar asks it (OPTIONS), and hangs up when the
// other side does. Close it.
type Phone struct {
	config Config
	local  netip.AddrPort
	conn   net.PacketConn
	agent  *sipgo.UserAgent
	client *sipgo.Client
	calls  *diago.Diago
	served chan error
}

// Reply is the final answer to a SIP request.
type Reply struct {
	// Code and Reason are those of the status line, for example 486 and "Busy Here".
	Code   int
	Reason string
	// Server is the Server or User-Agent header, or empty.
	Server string
}

// String is "486 Busy Here".
func (r Reply) String() string { return strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, r.Reason)) }

// Challenge tells whether the reply asks for credentials.
func (r Reply) Challenge() bool {
	return r.Code == sipmsg.StatusUnauthorized || r.Code == sipmsg.StatusProxyAuthRequired
}

// Success tells whether the reply is a 2xx.
func (r Reply) Success() bool { return r.Code >= 200 && r.Code < 300 }

// RejectedError is a SIP request that was answered, but not with what it was sent for.
type RejectedError struct {
	// Method is the request's, for example "INVITE".
	Method string
	// Reply is the answer.
	Reply Reply
}

// Error names the request and the answer.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s was answered with %s", e.Method, e.Reply)
}

// NoReplyError is a SIP request that nobody answered in time.
type NoReplyError struct {
	// Method is the request's, Server where it was sent.
	Method string
	Server netip.AddrPort
	// Err is what ended the waiting.
	Err error
}

// Error names the request and the server.
func (e *NoReplyError) Error() string {
	return fmt.Sprintf("no reply to %s from udp:%s: %v", e.Method, e.Server, e.Err)
}

// Unwrap gives what ended the waiting.
func (e *NoReplyError) Unwrap() error { return e.Err }

// LocalAddr answers the address from which this machine reaches server. Nothing is sent.
func LocalAddr(ctx context.Context, server netip.AddrPort) (netip.Addr, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", server.String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no route to %s: %w", server, err)
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("local address towards %s: %w", server, err)
	}
	return local.Addr().Unmap(), nil
}

// Open binds a free UDP port on the local address and starts to serve on it.
func Open(ctx context.Context, config Config) (*Phone, error) {
	if !config.LocalIP.IsValid() {
		local, err := LocalAddr(ctx, config.Server)
		if err != nil {
			return nil, err
		}
		config.LocalIP = local
	}
	if config.Domain == "" {
		config.Domain = config.Server.Addr().String()
	}
	conn, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", netip.AddrPortFrom(config.LocalIP, 0).String())
	if err != nil {
		return nil, fmt.Errorf("bind a UDP port on local address %s: %w", config.LocalIP, err)
	}
	p := &Phone{config: config, conn: conn, served: make(chan error, 1)}
	if p.local, err = netip.ParseAddrPort(conn.LocalAddr().String()); err != nil {
		return nil, errors.Join(fmt.Errorf("local address %s: %w", conn.LocalAddr(), err), conn.Close())
	}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// start wires the user agent to the bound port.
func (p *Phone) start(ctx context.Context) error {
	// The libraries' own logs would show headers with digests; errors come back as values anyway.
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	p.agent, err = sipgo.NewUA(
		sipgo.WithUserAgent(p.config.User),
		sipgo.WithUserAgentHostname(p.config.Domain),
		sipgo.WithUserAgentTransportLayerOptions(sipmsg.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sipmsg.WithTransactionLayerLogger(quiet)),
	)
	if err != nil {
		return fmt.Errorf("make a SIP user agent: %w", err)
	}
	server, err := sipgo.NewServer(p.agent, sipgo.WithServerLogger(quiet))
	if err != nil {
		return fmt.Errorf("make a SIP server: %w", err)
	}
	p.client, err = sipgo.NewClient(p.agent,
		sipgo.WithClientLogger(quiet),
		sipgo.WithClientConnectionAddr(p.local.String()),
		sipgo.WithClientNAT(), // rport (RFC 3581): the reply comes back through a NAT
	)
	if err != nil {
		return fmt.Errorf("make a SIP client: %w", err)
	}
	p.calls = diago.NewDiago(p.agent,
		diago.WithLogger(quiet),
		diago.WithServer(server),
		diago.WithClient(p.client),
		diago.WithMediaConfig(diago.MediaConfig{Codecs: []media.Codec{media.CodecAudioUlaw, media.CodecAudioAlaw}}),
		diago.WithTransport(diago.Transport{
			Transport: "udp", BindHost: p.local.Addr().String(), BindPort: int(p.local.Port()),
		}),
	)
	p.calls.HandleFunc(func(call *diago.DialogServerSession) {
		// Nobody has a reason to call this phone: whoever does gets an honest answer, and the error has nowhere to go.
		_ = call.Respond(sipmsg.StatusBusyHere, "Busy Here", nil)
	})
	go func() { p.served <- server.ServeUDP(p.conn) }()
	return p.ready(ctx)
}

// ready waits until requests leave through the bound port instead of a new one.
func (p *Phone) ready(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := p.agent.TransportLayer().GetConnection("udp", p.local.String()); err == nil && conn != nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-p.served:
			p.served <- err
			return fmt.Errorf("serve SIP on udp:%s: %w", p.local, err)
		case <-ctx.Done():
			return fmt.Errorf("serve SIP on udp:%s: %w", p.local, ctx.Err())
		}
	}
}

// Local is the address that the phone sends from.
func (p *Phone) Local() netip.AddrPort { return p.local }

// Close gives the port back. Calls and registrations are not taken down: Hangup and Unregister do that.
func (p *Phone) Close() error {
	var errs []error
	if p.agent != nil {
		errs = append(errs, p.agent.Close())
	}
	if err := p.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	if p.client != nil {
		<-p.served
	}
	return errors.Join(errs...)
}

// Options asks the server what it can do (RFC 3261, section 11). Any reply is a sign of life.
func (p *Phone) Options(ctx context.Context) (Reply, error) {
	return p.do(ctx, p.request(sipmsg.OPTIONS))
}

// Register binds the phone's address to the account (RFC 3261, section 10). It answers the reply to the first,
// unauthenticated request and the one to the request with credentials; the latter is the zero Reply when the first was
// no challenge.
func (p *Phone) Register(ctx context.Context, password string) (first, final Reply, err error) {
	return p.register(ctx, password, registrationTime)
}

// Unregister takes the binding back.
func (p *Phone) Unregister(ctx context.Context, password string) error {
	first, final, err := p.register(ctx, password, 0)
	if err != nil || first.Success() || final.Success() {
		return err
	}
	if first.Challenge() {
		first = final
	}
	return &RejectedError{Method: "REGISTER with Expires 0", Reply: first}
}

func (p *Phone) register(ctx context.Context, password string, expires uint32) (first, final Reply, err error) {
	req := p.request(sipmsg.REGISTER)
	self := sipmsg.Uri{Scheme: "sip", User: p.config.User, Host: p.config.Domain}
	// The To header of a REGISTER is the address of record, not the registrar.
	req.AppendHeader(&sipmsg.ToHeader{Address: self})
	contact := sipmsg.Uri{Scheme: "sip", User: p.config.User, Host: p.local.Addr().String(), Port: int(p.local.Port())}
	req.AppendHeader(&sipmsg.ContactHeader{Address: contact})
	lifetime := sipmsg.ExpiresHeader(expires)
	req.AppendHeader(&lifetime)

	answer, err := p.exchange(ctx, req)
	if err != nil {
		return Reply{}, Reply{}, err
	}
	first = replyOf(answer)
	if !first.Challenge() {
		return first, Reply{}, nil
	}
	answer, err = p.client.DoDigestAuth(ctx, req, answer, sipgo.DigestAuth{Username: p.config.User, Password: password})
	if err != nil {
		return first, Reply{}, p.noReply("REGISTER with credentials", err)
	}
	return first, replyOf(answer), nil
}

// request is a request to the server itself.
func (p *Phone) request(method sipmsg.RequestMethod) *sipmsg.Request {
	req := sipmsg.NewRequest(method, p.address(""))
	req.SetTransport("UDP")
	req.SetDestination(p.config.Server.String())
	req.AppendHeader(sipmsg.NewHeader("User-Agent", userAgent))
	return req
}

// address is the SIP address of user at the server.
func (p *Phone) address(user string) sipmsg.Uri {
	return sipmsg.Uri{Scheme: "sip", User: user, Host: p.config.Domain, Port: int(p.config.Server.Port())}
}

func (p *Phone) do(ctx context.Context, req *sipmsg.Request) (Reply, error) {
	res, err := p.exchange(ctx, req)
	if err != nil {
		return Reply{}, err
	}
	return replyOf(res), nil
}

func (p *Phone) exchange(ctx context.Context, req *sipmsg.Request) (*sipmsg.Response, error) {
	res, err := p.client.Do(ctx, req)
	if err != nil {
		return nil, p.noReply(req.Method.String(), err)
	}
	return res, nil
}

// noReply makes the library's ends of waiting one kind of error. Interrupts stay what they are.
func (p *Phone) noReply(method string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", method, err)
	}
	return &NoReplyError{Method: method, Server: p.config.Server, Err: err}
}

func replyOf(res *sipmsg.Response) Reply {
	reply := Reply{Code: res.StatusCode, Reason: res.Reason}
	for _, name := range []string{"Server", "User-Agent"} {
		if h := res.GetHeader(name); h != nil {
			reply.Server = h.Value()
			break
		}
	}
	return reply
}
