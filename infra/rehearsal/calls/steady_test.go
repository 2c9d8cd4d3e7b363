package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

// platform is a party that takes every call, or refuses it with a code.
func platform(t *testing.T, code int) *party.Party {
	t.Helper()
	p, err := party.Open(t.Context(), "platform", sip.Config{Server: netip.AddrPortFrom(loopback, 9), LocalIP: loopback, User: "platform"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	go p.Serve(t.Context(), func(a *party.Arrival) {
		if code != 0 {
			_ = a.Reject(code, "No") // the caller tells
			return
		}
		if call, err := a.Answer(); err == nil {
			<-call.Over()
			_ = call.Close()
		}
	})
	return p
}

// caller knows SBCs at these addresses. It waits for each as long as that may take.
func caller(t *testing.T, at ...netip.AddrPort) *hunter {
	t.Helper()
	h := &hunter{silence: func(func()) func() bool { return func() bool { return true } }}
	for i, to := range at {
		p, err := party.Open(t.Context(), "carrier", sip.Config{Server: to, LocalIP: loopback, User: "carrier"})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, p.Close()) })
		h.parties, h.sbcs = append(h.parties, p), append(h.sbcs, Machine{Name: string(rune('a' + i))})
	}
	return h
}

func TestCallersTryTheNextSBC(t *testing.T) {
	t.Parallel()
	var silent netip.AddrPort // each case has one of its own
	up, leaving, busy := platform(t, 0).Local(), platform(t, 503).Local(), platform(t, 486).Local()
	for _, c := range []struct {
		name string
		at   []netip.AddrPort
		by   string
		why  string
	}{
		{"the first takes it", []netip.AddrPort{up, silent}, "a", ""},
		{"one says nothing", []netip.AddrPort{silent, up}, "b", ""},
		{"one takes none now", []netip.AddrPort{leaving, up}, "b", ""},
		{"who is called is busy, by whichever way", []netip.AddrPort{busy, up}, "a", "486"},
		{"all are silent", []netip.AddrPort{silent}, "a", "by a: it says nothing for 4s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			at, silence := mute(t, c.at)
			h := caller(t, at...)
			h.silence = silence
			call, by, err := h.dial(ctx, sip.Dial{To: "1", From: "2"})
			assert.Equal(t, c.by, by)
			if c.why != "" {
				require.ErrorContains(t, err, c.why)
				return
			}
			require.NoError(t, err)
			require.NoError(t, call.Hangup(ctx))
			require.NoError(t, call.Close())
		})
	}
}

// mute puts a server that says nothing in the place of the address that is none. Silence ends when it has heard something.
func mute(t *testing.T, at []netip.AddrPort) (filled []netip.AddrPort, silence func(end func()) (stop func() bool)) {
	t.Helper()
	dead, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // an address needs no look-up
	require.NoError(t, err)
	t.Cleanup(func() { _ = dead.Close() })
	filled = slices.Clone(at)
	for i, a := range at {
		if !a.IsValid() {
			filled[i] = dead.LocalAddr().(*net.UDPAddr).AddrPort()
		}
	}
	var now atomic.Pointer[func()]
	go func() {
		if _, _, err := dead.ReadFrom(make([]byte, 1)); err == nil {
			(*now.Load())()
		}
	}()
	return filled, func(end func()) func() bool {
		now.Store(&end)
		return func() bool { return true }
	}
}

// TestStandingCallsAreLookedAt has calls of which half are forgotten by the other side.
func TestStandingCallsAreLookedAt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &steady{bench: &bench{plan: plan()}, out: json.NewEncoder(&out)}
	s.plan.Numbers.Answer = "+14155550104"
	up, gone := platform(t, 0), platform(t, 0)
	s.carrier = caller(t, up.Local(), gone.Local())
	require.NoError(t, s.stand(t.Context()))
	require.Len(t, s.standing, 2*StandingEach)
	require.NoError(t, gone.Close())
	s.look(t.Context(), s.standing)
	var line SteadyLine
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	assert.Equal(t, &Standing{Up: 2 * StandingEach, Lost: StandingEach}, line.Standing)
}

func TestSteadyCallsNeedANumberAndPasswords(t *testing.T) {
	t.Parallel()
	err := Steady(t.Context(), plan(), "", bytes.NewReader(nil), io.Discard)
	require.ErrorContains(t, err, "numbers.answer is empty")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	p := plan()
	p.Numbers.Answer = "+14155550104"
	file := filepath.Join(t.TempDir(), "secrets.yml")
	require.NoError(t, os.WriteFile(file, []byte("a: x\n"), 0o600))
	assert.ErrorContains(t, Steady(t.Context(), p, file, bytes.NewReader(nil), io.Discard), "the file has no text b")
}
