package portscan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

// probe looks at one port.
func (p Position) probe(ctx context.Context, target netip.Addr, port ports.Port) (Answer, error) {
	switch port.Protocol {
	case ports.TCP:
		return p.tcp(ctx, netip.AddrPortFrom(target, uint16(port.From))) //nolint:gosec // within 0 to 65535
	case ports.UDP:
		return p.udp(ctx, netip.AddrPortFrom(target, uint16(port.From))) //nolint:gosec // within 0 to 65535
	case ports.ICMP:
		return p.ping(ctx, target)
	}
	return Silent, fmt.Errorf("there is no probe for %q", port.Protocol)
}

// inside runs f where p is.
func (p Position) inside(f func() error) error {
	if p.Namespace == "" {
		return f()
	}
	return netns.Do(p.Namespace, f)
}

// tcp connects, and hangs up.
func (p Position) tcp(ctx context.Context, target netip.AddrPort) (answer Answer, err error) {
	dialer := net.Dialer{Timeout: tcpTime, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Address, 0))}
	err = p.inside(func() error {
		conn, err := dialer.DialContext(ctx, "tcp4", target.String())
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	return verdict(ctx, err)
}

// udp sends what the service answers, and listens for it or for the machine's word that nobody is there.
func (p Position) udp(ctx context.Context, target netip.AddrPort) (answer Answer, err error) {
	dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Address, 0))}
	var conn net.Conn
	err = p.inside(func() (err error) {
		conn, err = dialer.DialContext(ctx, "udp4", target.String())
		return err
	})
	if err != nil {
		return Silent, err
	}
	defer func() { _ = conn.Close() }()
	buffer := make([]byte, 2048)
	for range tries {
		if ctx.Err() != nil {
			return Silent, ctx.Err()
		}
		if err = conn.SetDeadline(time.Now().Add(udpTime)); err != nil {
			return Silent, err
		}
		if _, err = conn.Write(hello(conn.LocalAddr().String(), target)); err == nil {
			_, err = conn.Read(buffer)
		}
		if answer, err = verdict(ctx, err); err != nil || answer.reached() {
			return answer, err
		}
	}
	return Silent, nil
}

// verdict tells what a probe's error says of the port.
func verdict(ctx context.Context, err error) (Answer, error) {
	switch {
	case err == nil:
		return Open, nil
	case ctx.Err() != nil:
		return Silent, ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return Refused, nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH):
		return Silent, nil
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return Silent, nil
	}
	return Silent, err
}

// hello is a SIP request that any SIP server answers (RFC 3261, 11); to others it is some bytes.
func hello(local string, target netip.AddrPort) []byte {
	token := strconv.FormatUint(rand.Uint64(), 36) //nolint:gosec // no secret, only different each time
	return fmt.Appendf(nil, "OPTIONS sip:%[2]s SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP %[1]s;rport;branch=z9hG4bK%[3]s\r\nMax-Forwards: 10\r\n"+
		"From: <sip:probe@%[1]s>;tag=%[3]s\r\nTo: <sip:%[2]s>\r\nCall-ID: %[3]s@%[1]s\r\nCSeq: 1 OPTIONS\r\n"+
		"Contact: <sip:probe@%[1]s>\r\nUser-Agent: calldata-probe\r\nContent-Length: 0\r\n\r\n", local, target, token)
}

// ping sends an echo request (RFC 792). It needs root.
func (p Position) ping(ctx context.Context, target netip.Addr) (Answer, error) {
	var conn *icmp.PacketConn
	err := p.inside(func() (err error) {
		conn, err = icmp.ListenPacket("ip4:icmp", p.Address.String())
		return err
	})
	if err != nil {
		return Silent, err
	}
	defer func() { _ = conn.Close() }()
	id := rand.IntN(1 << 16) //nolint:gosec // no secret, only different each time
	buffer := make([]byte, 1500)
	for seq := range tries {
		request, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte("anybody there?")}}).Marshal(nil)
		if err != nil {
			return Silent, err
		}
		if err := conn.SetDeadline(time.Now().Add(udpTime)); err != nil {
			return Silent, err
		}
		if _, err := conn.WriteTo(request, &net.IPAddr{IP: target.AsSlice()}); err != nil {
			return verdict(ctx, err)
		}
		for {
			n, from, err := conn.ReadFrom(buffer)
			if ctx.Err() != nil {
				return Silent, ctx.Err()
			}
			if err != nil {
				break // nothing more until the deadline
			}
			reply, err := icmp.ParseMessage(ipv4.ICMPTypeEcho.Protocol(), buffer[:n])
			if err != nil || reply.Type != ipv4.ICMPTypeEchoReply || from.String() != target.String() {
				continue
			}
			if echo, ok := reply.Body.(*icmp.Echo); ok && echo.ID == id {
				return Open, nil
			}
		}
	}
	return Silent, nil
}
