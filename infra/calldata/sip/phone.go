// Package sip is a small SIP phone: enough of one to prove that a platform registers phones and carries calls both ways. It
// is the only importer of sipgo and diago, so that nothing else depends on their types.
package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
)

// agentName is what a phone calls itself in SIP, so that a person who reads an engine's log knows who called.
const agentName = "calldata-smoke"

// registrationTime is how long, in seconds and by default, a registration lasts if it is not taken back. Short, so that a crashed run
// leaves no contact behind for long; Asterisk's default minimum is 60 s.
const registrationTime = 60

// A platform's proxies may make replies longer than one packet of Ethernet; the library would not send them, IP cuts them.
func init() { sipmsg.UDPMTUSize = 65507 }

// Transports of SIP (RFC 3261, section 18).
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls"
)

// Config says whom the phone talks to and from where.
type Config struct {
	// Server is the registrar and proxy: every first request goes there.
	Server netip.AddrPort
	// Domain is the host part of the SIP addresses that the phone calls; empty is the server's address.
	Domain string
	// LocalIP is the address to send from. The zero value takes the one that routes to the server.
	LocalIP netip.Addr
	// Port is the local port; 0 takes a free one.
	Port uint16
	// User is the account's SIP user name, and its digest user name.
	User string
	// FromDomain is the host part of the phone's own SIP address; empty is Domain.
	FromDomain string
	// Agent is the User-Agent header; empty is "calldata-smoke".
	Agent string
	// Expires is how long a registration lasts if it is not taken back, in seconds; 0 is 60.
	Expires uint32
	// Transport is UDP, TCP or TLS; empty is UDP. Over TCP and TLS the phone opens the connection, and is called back over it.
	Transport string
	// TLS verifies the server; needed for TLS.
	TLS *tls.Config
	// Answer deals with a call that comes in, and ends when the call is to end. Empty answers 486.
	Answer func(*Incoming)
}

// Phone is a SIP user agent on one local port. It answers what a registrar asks it (OPTIONS), and hangs up when the
// other side does. Close it.
type Phone struct {
	config Config
	local  netip.AddrPort
	conn   net.PacketConn // UDP's
	agent  *sipgo.UserAgent
	client *sipgo.Client
	calls  *diago.Diago
	served chan error

	closing sync.Once

	// talking is held for reading while a call's sound is read. The library takes a new offer without a look at that: it
	// waits until the sound is through.
	talking sync.RWMutex
	// offering is held while an offer within a call, or its ACK, is handled. The library reads the session at the ACK
	// without its lock, often before it is through with the offer.
	offering sync.Mutex
	// offers are the directions that offers within calls asked for, by Call-ID.
	offers sync.Map
}

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

// Open binds the local port and starts to serve on it.
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
	if config.FromDomain == "" {
		config.FromDomain = config.Domain
	}
	if config.Agent == "" {
		config.Agent = agentName
	}
	if config.Transport == "" {
		config.Transport = UDP
	}
	if config.Expires == 0 {
		config.Expires = registrationTime
	}
	p := &Phone{config: config, served: make(chan error, 1)}
	if err := p.bind(ctx); err != nil {
		return nil, fmt.Errorf("bind a %s port on local address %s: %w", p.config.Transport, config.LocalIP, err)
	}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// bind takes the local port. Connections are made from it later: for TCP and TLS it is only found.
func (p *Phone) bind(ctx context.Context) (err error) {
	var address net.Addr
	at := netip.AddrPortFrom(p.config.LocalIP, p.config.Port).String()
	if p.config.Transport == UDP {
		if p.conn, err = (&net.ListenConfig{}).ListenPacket(ctx, "udp", at); err != nil {
			return err
		}
		address = p.conn.LocalAddr()
	} else {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
		if err != nil {
			return err
		}
		address = listener.Addr()
		if err := listener.Close(); err != nil {
			return err
		}
	}
	p.local, err = netip.ParseAddrPort(address.String())
	return err
}

// start wires the user agent to the bound port.
func (p *Phone) start(ctx context.Context) error {
	// The libraries' own logs would show headers with digests; errors come back as values anyway.
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	p.agent, err = sipgo.NewUA(
		sipgo.WithUserAgent(p.config.User),
		sipgo.WithUserAgentHostname(p.config.FromDomain),
		sipgo.WithUserAgenTLSConfig(p.config.TLS),
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
	client, err := sipgo.NewClient(p.agent,
		sipgo.WithClientLogger(quiet),
		sipgo.WithClientConnectionAddr(p.local.String()),
		sipgo.WithClientNAT(), // rport (RFC 3581): the reply comes back through a NAT
	)
	if err != nil {
		return fmt.Errorf("make a SIP client: %w", err)
	}
	p.client = client
	p.calls = diago.NewDiago(p.agent,
		diago.WithLogger(quiet),
		diago.WithServer(server),
		diago.WithClient(p.client),
		diago.WithServerRequestMiddleware(p.quietly),
		diago.WithMediaConfig(diago.MediaConfig{Codecs: []media.Codec{media.CodecAudioUlaw, media.CodecAudioAlaw}}),
		diago.WithTransport(diago.Transport{
			Transport: p.config.Transport, BindHost: p.local.Addr().String(), BindPort: int(p.local.Port()),
			TLSConf: p.config.TLS, TLSURINoSIPS: true, // what the phone offers is the next hop's business only
		}),
	)
	p.calls.HandleFunc(p.incoming)
	if p.conn == nil {
		return nil
	}
	go func() { p.served <- server.ServeUDP(p.conn) }()
	return p.ready(ctx)
}

// quietly lets an offer within a call wait for the sound, and notes what it asks for.
func (p *Phone) quietly(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		// What diago reads without asking whether it is there. Source: RFC 3261, 8.1.1.
		if req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
			_ = tx.Respond(sipmsg.NewResponseFromRequest(req, sipmsg.StatusBadRequest, "Missing Header", nil))
			return
		}
		offer := req.Method == sipmsg.INVITE && req.To().Params.Has("tag")
		if offer {
			p.talking.Lock()
			p.talking.Unlock() //nolint:staticcheck // nothing to do but to have waited
			p.offers.Store(req.CallID().Value(), direction(req.Body()))
		}
		if offer || req.Method == sipmsg.ACK {
			p.offering.Lock()
			defer p.offering.Unlock()
		}
		next(req, tx)
	}
}

// ready waits until requests leave through the bound port instead of a new one.
func (p *Phone) ready(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := p.agent.TransportLayer().GetConnection(UDP, p.local.String()); err == nil && conn != nil {
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

// Server is where the phone sends to.
func (p *Phone) Server() netip.AddrPort { return p.config.Server }

// Local is the address that the phone sends from.
func (p *Phone) Local() netip.AddrPort { return p.local }

// Close gives the port back, once. Calls and registrations are not taken down: Hangup and Unregister do that.
func (p *Phone) Close() (err error) {
	p.closing.Do(func() { err = p.close() })
	return err
}

func (p *Phone) close() error {
	var errs []error
	if p.agent != nil {
		errs = append(errs, p.agent.Close())
	}
	if p.conn != nil {
		if err := p.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
		if p.calls != nil {
			<-p.served
		}
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
	return p.register(ctx, password, p.config.Expires)
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
	self := sipmsg.Uri{Scheme: "sip", User: p.config.User, Host: p.config.FromDomain}
	// The To header of a REGISTER is the address of record, not the registrar.
	req.AppendHeader(&sipmsg.ToHeader{Address: self})
	contact := sipmsg.Uri{Scheme: "sip", User: p.config.User, Host: p.local.Addr().String(), Port: int(p.local.Port())}
	if p.config.Transport != UDP {
		contact.UriParams = sipmsg.NewParams()
		contact.UriParams.Add("transport", p.config.Transport)
	}
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
	req.SetTransport(sipmsg.NetworkToUpper(p.config.Transport))
	req.SetDestination(p.config.Server.String())
	req.AppendHeader(sipmsg.NewHeader("User-Agent", p.config.Agent))
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
	return &NoReplyError{Method: method, Transport: p.config.Transport, Server: p.config.Server, Err: err}
}
