package awsfront

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// answerTimeout is how long an answer may take. A stub resolver asks again after 5 s (resolv.conf(5), timeout).
	answerTimeout = 4 * time.Second
	// plainSize is the longest answer over UDP without EDNS (RFC 1035, 4.2.1), largeSize what this server sends at most.
	plainSize, largeSize = 512, 1232
	// idleTimeout ends a stream without questions.
	idleTimeout = 30 * time.Second
)

// names is Amazon's DNS resolver.
type names struct {
	account *account

	mu    sync.Mutex
	hosts map[string][]netip.Addr
	zones zones
}

func (n *names) setHost(name string, addresses []netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[canonical(name)] = addresses
	if len(addresses) == 0 {
		delete(n.hosts, canonical(name))
	}
}

func (n *names) host(name string) ([]netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.hosts[name]
	return found, ok
}

// canonical is a name as it is compared: in lower case, with its last dot.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

// servePackets answers until the connection is closed.
func (n *names) servePackets(packets net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		size, from, err := packets.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		question := append([]byte(nil), buffer[:size]...)
		go func() {
			if answer := n.answer(question, true); answer != nil {
				_, _ = packets.WriteTo(answer, from) // whoever asked asks again
			}
		}()
	}
}

// serveStreams answers over TCP, which takes answers of any length, until the listener is closed.
func (n *names) serveStreams(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go n.serveStream(conn)
	}
}

func (n *names) serveStream(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		_ = conn.SetDeadline(time.Now().Add(idleTimeout))
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer := n.answer(question, false)
		if answer == nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil { //nolint:gosec // at most 64 KiB
			return
		}
	}
}

// answer answers a question in DNS's own form; nil when that is none.
func (n *names) answer(question []byte, packet bool) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(question)
	if err != nil || header.Response {
		return nil
	}
	asked, err := parser.Question()
	if err != nil {
		return nil
	}
	limit := plainSize
	if packet {
		limit = max(limit, min(largeSize, announced(&parser)))
	} else {
		limit = 1<<16 - 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	records, code := n.resolve(ctx, asked)
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, OpCode: header.OpCode, RecursionDesired: header.RecursionDesired, RecursionAvailable: true, RCode: code},
		Questions: []dnsmessage.Question{asked}, Answers: records,
	}
	packed, err := reply.Pack()
	if err == nil && len(packed) > limit {
		reply.Truncated, reply.Answers = true, nil
		packed, err = reply.Pack()
	}
	if err != nil {
		return nil
	}
	return packed
}

// announced is how long an answer the client takes over UDP (RFC 6891, 6.2.3).
func announced(parser *dnsmessage.Parser) int {
	if parser.SkipAllQuestions() != nil || parser.SkipAllAnswers() != nil || parser.SkipAllAuthorities() != nil {
		return 0
	}
	for {
		header, err := parser.AdditionalHeader()
		if err != nil {
			return 0
		}
		if header.Type == dnsmessage.TypeOPT {
			return int(header.Class)
		}
		if parser.SkipAdditional() != nil {
			return 0
		}
	}
}
