// Package attacker plays those who mean harm: it sends SIP as bytes, right or wrong, from any address of this machine, and
// counts what comes back.
package attacker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxMessage is the largest UDP datagram, in bytes (RFC 768 over IPv4).
const maxMessage = 65507

// Request is a SIP request in the making. Zero fields take what an honest caller would send.
type Request struct {
	Method string
	// URI is the Request-URI, To and From are addresses.
	URI, To, From string
	// Agent is the User-Agent header.
	Agent string
	// Headers are more lines.
	Headers []string
	// Body is a session description.
	Body string
}

// Bytes is the request as it leaves from an address.
func (r Request) Bytes(from netip.AddrPort) []byte {
	orElse := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	orElse(&r.To, r.URI)
	orElse(&r.From, "sip:attacker@"+from.Addr().String())
	orElse(&r.Agent, "calldata-attacker")
	lines := []string{
		r.Method + " " + r.URI + " SIP/2.0",
		"Via: SIP/2.0/UDP " + from.String() + ";branch=z9hG4bK" + rand.Text() + ";rport",
		"Max-Forwards: 70",
		"From: <" + r.From + ">;tag=" + rand.Text(),
		"To: <" + r.To + ">",
		"Call-ID: " + rand.Text() + "@" + from.Addr().String(),
		"CSeq: 1 " + r.Method,
		"Contact: <sip:attacker@" + from.String() + ">",
		"User-Agent: " + r.Agent,
	}
	lines = append(lines, r.Headers...)
	if r.Body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, "Content-Length: "+strconv.Itoa(len(r.Body)), "", r.Body)
	return []byte(strings.Join(lines, "\r\n"))
}

// Offer is a session description with sound at an address.
func Offer(at netip.Addr) string {
	return strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 " + at.String(), "s=-", "c=IN IP4 " + at.String(), "t=0 0", "m=audio 30000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "",
	}, "\r\n")
}

// Attacker is a UDP port at one address. Close it.
type Attacker struct {
	conn   *net.UDPConn
	local  netip.AddrPort
	server netip.AddrPort
}

// Open takes a free port at an address of this machine; what it sends goes to server.
func Open(at netip.Addr, server netip.AddrPort) (*Attacker, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, fmt.Errorf("attack from %s: %w", at, err)
	}
	return &Attacker{conn: conn, local: conn.LocalAddr().(*net.UDPAddr).AddrPort(), server: server}, nil
}

// Local is where it sends from.
func (a *Attacker) Local() netip.AddrPort { return a.local }

// Close gives the port back.
func (a *Attacker) Close() error { return a.conn.Close() }

// Send sends bytes as they are, cut to what fits into a datagram.
func (a *Attacker) Send(data []byte) error {
	_, err := a.conn.WriteToUDPAddrPort(data[:min(len(data), maxMessage)], a.server)
	return err
}

// Receive waits for one datagram. None within the time is nil.
func (a *Attacker) Receive(within time.Duration) ([]byte, error) {
	if err := a.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	buffer := make([]byte, maxMessage)
	n, _, err := a.conn.ReadFromUDPAddrPort(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, nil
	}
	return buffer[:n], err
}

// Ask sends a request and answers the last code that comes back within the time, 0 for silence. A final one ends the wait.
func (a *Attacker) Ask(r Request, within time.Duration) (code int, err error) {
	if err := a.Send(r.Bytes(a.local)); err != nil {
		return 0, err
	}
	end := time.Now().Add(within)
	for time.Now().Before(end) {
		data, err := a.Receive(time.Until(end))
		if err != nil || data == nil {
			return code, err
		}
		if c := Code(data); c > 0 {
			code = c
		}
		if code >= 200 {
			return code, nil
		}
	}
	return code, nil
}

// Code is that of a reply, 0 for anything else.
func Code(message []byte) int {
	rest, ok := strings.CutPrefix(string(message[:min(len(message), 16)]), "SIP/2.0 ")
	if !ok || len(rest) < 3 {
		return 0
	}
	code, err := strconv.Atoi(rest[:3])
	if err != nil {
		return 0
	}
	return code
}

// Flooded is what came of a flood.
type Flooded struct {
	// Sent counts requests, Replies the answers by their code.
	Sent    int
	Replies map[int]int
}

// Answered is how many answers came.
func (f Flooded) Answered() int {
	n := 0
	for _, k := range f.Replies {
		n += k
	}
	return n
}

// Flood sends requests, as many per second as rate says, from the sources in turn, until ctx ends. Build makes the n-th
// request.
func Flood(ctx context.Context, sources []netip.Addr, server netip.AddrPort, rate int, build func(n int) Request) (Flooded, error) {
	result := Flooded{Replies: map[int]int{}}
	var mu sync.Mutex
	var listening sync.WaitGroup
	var ports []*Attacker
	defer listening.Wait()
	defer func() {
		for _, a := range ports {
			_ = a.Close()
		}
	}()
	for _, source := range sources {
		a, err := Open(source, server)
		if err != nil {
			return result, err
		}
		ports = append(ports, a)
		listening.Go(func() {
			for {
				data, err := a.Receive(time.Hour)
				if err != nil {
					return // closed
				}
				mu.Lock()
				result.Replies[Code(data)]++
				mu.Unlock()
			}
		})
	}
	// Ten bursts a second: a timer for each request would be late.
	const bursts = 10
	tick := time.NewTicker(time.Second / bursts)
	defer tick.Stop()
	for {
		for range max(1, rate/bursts) {
			a := ports[result.Sent%len(ports)]
			if err := a.Send(build(result.Sent).Bytes(a.local)); err != nil && !unreachable(err) {
				return result, err
			}
			result.Sent++
		}
		select {
		case <-ctx.Done():
			mu.Lock()
			defer mu.Unlock()
			return result, nil
		case <-tick.C:
		}
	}
}

// unreachable tells whether the other side's firewall said no: an attacker goes on.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}
