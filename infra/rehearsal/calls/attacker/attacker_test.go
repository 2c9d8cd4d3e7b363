package attacker

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// server answers what answer makes of each message.
func server(t *testing.T, answer func(message string) string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, maxMessage)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			if text := answer(string(buffer[:n])); text != "" {
				_, _ = conn.WriteToUDPAddrPort([]byte(text), from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestAsk(t *testing.T) {
	t.Parallel()
	at := server(t, func(message string) string {
		switch {
		case strings.HasPrefix(message, "OPTIONS "):
			return ""
		case strings.Contains(message, "User-Agent: scanner"):
			return "not SIP"
		}
		return "SIP/2.0 403 Forbidden\r\n\r\n"
	})
	a, err := Open(loopback, at)
	require.NoError(t, err)
	defer func() { assert.NoError(t, a.Close()) }()
	for r, want := range map[*Request]int{
		{Method: "INVITE", URI: "sip:1@x", Body: Offer(loopback)}: 403,
		{Method: "OPTIONS", URI: "sip:x"}:                         0,
		{Method: "REGISTER", URI: "sip:x", Agent: "scanner"}:      0,
	} {
		code, err := a.Ask(*r, 200*time.Millisecond)
		require.NoError(t, err)
		assert.Equal(t, want, code, r.Method)
	}
}

func TestFloodKeepsItsRateAndCountsReplies(t *testing.T) {
	t.Parallel()
	at := server(t, func(string) string { return "SIP/2.0 503 No\r\n\r\n" })
	ctx, cancel := context.WithTimeout(t.Context(), 550*time.Millisecond)
	defer cancel()
	sources := []netip.Addr{loopback, netip.MustParseAddr("127.0.0.2")}
	got, err := Flood(ctx, sources, at, 100, func(int) Request { return Request{Method: "REGISTER", URI: "sip:x"} })
	require.NoError(t, err)
	assert.InDelta(t, 60, got.Sent, 20)
	assert.Equal(t, got.Answered(), got.Replies[503])
	assert.Positive(t, got.Answered())
}

func TestMalformedMessagesDiffer(t *testing.T) {
	t.Parallel()
	from := netip.AddrPortFrom(loopback, 5060)
	// What is random in a message: rand.Text.
	random := regexp.MustCompile(`[A-Z2-7]{26}`)
	seen := map[string]string{random.ReplaceAllString(string(Request{Method: "INVITE", URI: "sip:1@x", Body: Offer(loopback)}.Bytes(from)), ""): "the sound one"}
	all := Malformed(from, "sip:1@x")
	for name, data := range all {
		text := random.ReplaceAllString(string(data), "")
		assert.Empty(t, seen[text], "%s is the same", name)
		seen[text] = name
	}
	assert.Greater(t, len(all), 20)
}
