package sip

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pair is a caller and a callee that know each other's address. Answer runs for each call.
func pair(t *testing.T, answer func(*Incoming)) *Phone {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	callee, err := Open(t.Context(), Config{Server: netip.AddrPortFrom(loopback, 9), LocalIP: loopback, User: "callee", Answer: answer})
	require.NoError(t, err)
	caller, err := Open(t.Context(), Config{Server: callee.Local(), LocalIP: loopback, User: "caller", Agent: "tester"})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, caller.Close())
		assert.NoError(t, callee.Close())
	})
	return caller
}

func TestBothEndsTalk(t *testing.T) {
	t.Parallel()
	calls := make(chan *Call, 1)
	seen := make(chan *Incoming, 1)
	caller := pair(t, func(in *Incoming) {
		seen <- in
		call, err := in.Answer()
		if err == nil {
			calls <- call
			<-in.Over()
		}
	})
	call, err := caller.Dial(t.Context(), Dial{To: "100", From: "4711", Headers: [][2]string{{"X-Test", "yes"}}})
	require.NoError(t, err)
	in := <-seen
	assert.Equal(t, []string{"4711", "100", "100", "tester", "yes"}, []string{in.From, in.To, in.Called, in.Agent, in.Header("X-Test")})
	assert.Equal(t, call.ID, in.ID)
	other := <-calls

	to, back, err := Converse(t.Context(), call, other, 200*time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, []int{10, 10, 10, 10}, []int{to.Sent, to.Echoed, back.Sent, back.Echoed})
	assert.NotZero(t, to.FirstPacket)

	require.NoError(t, call.Hold(t.Context()))
	assert.Equal(t, "sendonly", other.Offered())
	require.NoError(t, call.Unhold(t.Context()))
	assert.Equal(t, "sendrecv", other.Offered())
	to, back, err = Converse(t.Context(), call, other, 200*time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, []int{10, 10}, []int{to.Echoed, back.Echoed}, "sound is back after hold")

	require.NoError(t, call.Hangup(t.Context()))
	<-other.Over()
	assert.True(t, call.Ended())
}

func TestCalleeHangsUp(t *testing.T) {
	t.Parallel()
	hungUp, up := make(chan error, 1), make(chan struct{})
	caller := pair(t, func(in *Incoming) {
		call, err := in.Answer()
		if <-up; err == nil {
			err = call.Hangup(context.Background())
		}
		hungUp <- err
	})
	call, err := caller.Call(t.Context(), "100", "")
	require.NoError(t, err)
	close(up)
	<-call.Over()
	require.NoError(t, <-hungUp)
	assert.ErrorContains(t, call.Hangup(t.Context()), "hung up already")
}

func TestRefusalsAndCancel(t *testing.T) {
	t.Parallel()
	caller := pair(t, func(in *Incoming) { assert.NoError(t, in.Reject(480, "Away")) })
	_, err := caller.Call(t.Context(), "100", "")
	var rejected *RejectedError
	require.ErrorAs(t, err, &rejected)
	assert.Equal(t, 480, rejected.Reply.Code)

	caller = pair(t, nil)
	_, err = caller.Call(t.Context(), "100", "")
	require.ErrorAs(t, err, &rejected)
	assert.Equal(t, 486, rejected.Reply.Code, "a phone that nobody answers is busy")

	cancelled := make(chan error, 1)
	ringing := make(chan Reply, 2)
	caller = pair(t, func(in *Incoming) {
		assert.NoError(t, in.Ring())
		cancelled <- in.Cancelled(t.Context())
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-ringing; cancel() }()
	_, err = caller.Dial(ctx, Dial{To: "100", OnReply: func(r Reply) { ringing <- r }})
	require.ErrorIs(t, err, context.Canceled)
	assert.NoError(t, <-cancelled)
}
