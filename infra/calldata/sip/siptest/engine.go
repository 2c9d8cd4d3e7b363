// Package siptest is an engine for tests: a SIP registrar with digest and an echo that answers calls, in this process, on
// a free port of loopback. Its faults are those that a smoke test has to notice.
package siptest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"github.com/pion/rtp"
)

const realm = "asterisk"

// Faults are ways in which an engine can be broken. The zero value is a sound engine.
type Faults struct {
	// AnyPassword accepts every digest; OpenRegistrar and OpenCalls ask for none.
	AnyPassword, OpenRegistrar, OpenCalls bool
	// InviteCode answers INVITE with this code instead of 200.
	InviteCode int
	// Ring leaves INVITE at 180 until it is cancelled; Mute does not answer INVITE at all.
	Ring, Mute bool
	// DropEvery loses every n-th packet; 1 loses all.
	DropEvery int
	// Garble answers other audio than it hears.
	Garble bool
	// HangUpAfter ends calls by itself after so long.
	HangUpAfter time.Duration
}

// Engine is a running test engine.
type Engine struct {
	// Port is where it listens on 127.0.0.1, over UDP.
	Port int

	user, password string
	faults         Faults
	mu             sync.Mutex
	nonces         map[string]bool
	bound          map[string]bool
	cancelled      atomic.Bool
	calls          atomic.Int32
}

// Start runs an engine that knows one account, until the test ends.
func Start(t *testing.T, user, password string, faults Faults) *Engine {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{
		Port: conn.LocalAddr().(*net.UDPAddr).Port, user: user, password: password, faults: faults,
		nonces: map[string]bool{}, bound: map[string]bool{},
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	agent, err := sipgo.NewUA(sipgo.WithUserAgent("engine"),
		sipgo.WithUserAgentTransportLayerOptions(sipmsg.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sipmsg.WithTransactionLayerLogger(quiet)))
	if err != nil {
		t.Fatal(err)
	}
	server, err := sipgo.NewServer(agent, sipgo.WithServerLogger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	calls := diago.NewDiago(agent, diago.WithLogger(quiet), diago.WithServer(server),
		diago.WithMediaConfig(diago.MediaConfig{Codecs: []media.Codec{media.CodecAudioUlaw}}),
		diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1", BindPort: e.Port}),
		diago.WithServerRequestMiddleware(e.guard))
	calls.HandleFunc(e.answer)
	server.OnRegister(e.register)

	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ServeUDP(conn) // ends when the test closes the connection
	}()
	t.Cleanup(func() {
		_ = agent.Close()
		_ = conn.Close()
		<-done
	})
	return e
}

// Endpoint is the engine's SIP URI.
func (e *Engine) Endpoint() string { return fmt.Sprintf("sip:127.0.0.1:%d;transport=udp", e.Port) }

// Bound lists the contacts that are registered.
func (e *Engine) Bound() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var contacts []string
	for contact := range e.bound {
		contacts = append(contacts, contact)
	}
	slices.Sort(contacts)
	return contacts
}

// Calls counts the calls that are up.
func (e *Engine) Calls() int { return int(e.calls.Load()) }

// Cancelled tells whether a ringing call was cancelled.
func (e *Engine) Cancelled() bool { return e.cancelled.Load() }

// authorised checks the digest of a request (RFC 2617), and challenges the ones without.
func (e *Engine) authorised(req *sipmsg.Request, tx sipmsg.ServerTransaction) bool {
	if header := req.GetHeader("Authorization"); header != nil {
		given, err := digest.ParseCredentials(header.Value())
		if err == nil && e.knows(given.Nonce) {
			want, err := digest.Digest(&digest.Challenge{Realm: realm, Nonce: given.Nonce, Algorithm: "MD5"}, digest.Options{
				Method: req.Method.String(), URI: given.URI, Username: e.user, Password: e.password,
			})
			if err == nil && (e.faults.AnyPassword || want.Response == given.Response) {
				return true
			}
		}
	}
	nonce := rand.Text()
	e.mu.Lock()
	e.nonces[nonce] = true
	e.mu.Unlock()
	res := sipmsg.NewResponseFromRequest(req, sipmsg.StatusUnauthorized, "Unauthorized", nil)
	challenge := digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: "MD5"}
	res.AppendHeader(sipmsg.NewHeader("WWW-Authenticate", challenge.String()))
	_ = tx.Respond(res) // a test that gets no answer fails
	return false
}

func (e *Engine) knows(nonce string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nonces[nonce]
}

func (e *Engine) register(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
	if !e.faults.OpenRegistrar && !e.authorised(req, tx) {
		return
	}
	e.mu.Lock()
	contact := req.Contact().Address.HostPort()
	if expires := req.GetHeader("Expires"); expires != nil && strings.TrimSpace(expires.Value()) == "0" {
		delete(e.bound, contact)
	} else {
		e.bound[contact] = true
	}
	e.mu.Unlock()
	_ = tx.Respond(sipmsg.NewResponseFromRequest(req, sipmsg.StatusOK, "OK", nil))
}

// guard stands before diago's handlers: it challenges INVITE.
func (e *Engine) guard(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sipmsg.Request, tx sipmsg.ServerTransaction) {
		initial := req.Method == sipmsg.INVITE && !req.To().Params.Has("tag")
		if initial && e.faults.Mute {
			return
		}
		if initial && !e.faults.OpenCalls && !e.authorised(req, tx) {
			return
		}
		next(req, tx)
	}
}

func (e *Engine) answer(call *diago.DialogServerSession) {
	if e.faults.InviteCode != 0 {
		_ = call.Respond(e.faults.InviteCode, "No", nil)
		return
	}
	if e.faults.Ring {
		_ = call.Ringing()
		<-call.Context().Done()
		e.cancelled.Store(true)
		return
	}
	if call.Answer() != nil {
		return
	}
	e.calls.Add(1)
	defer e.calls.Add(-1)
	go e.echo(call)
	if e.faults.HangUpAfter > 0 {
		select {
		case <-time.After(e.faults.HangUpAfter):
			_ = call.Hangup(context.WithoutCancel(call.Context()))
		case <-call.Context().Done():
		}
		return
	}
	<-call.Context().Done()
}

// echo ends when the call's media is closed.
func (e *Engine) echo(call *diago.DialogServerSession) {
	session := call.MediaSession()
	buffer := make([]byte, media.RTPBufSize)
	for n := 1; ; n++ {
		var packet rtp.Packet
		if _, err := session.ReadRTP(buffer, &packet); err != nil {
			return
		}
		if e.faults.DropEvery > 0 && n%e.faults.DropEvery == 0 {
			continue
		}
		if e.faults.Garble {
			packet.Payload = slices.Repeat([]byte{0x2a}, len(packet.Payload))
		}
		packet.SSRC++ // another source, as Asterisk's would be
		_ = session.WriteRTP(&packet)
	}
}
