package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/sip"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/attacker"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls/party"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func plan() Plan {
	m := func(name string) []Machine { return []Machine{{Name: name, Address: loopback, Private: loopback}} }
	return Plan{
		Stack: "stage", SBCs: m("sbc"), Routers: m("router"), Engines: m("engine"), Domain: "acme.example.com",
		Phones: []Phone{
			{User: "alice", Secret: "a", Extension: "1101", Number: "+14155550101", Address: loopback},
			{User: "bob", Secret: "b", Extension: "1102", Number: "+14155550102", Address: loopback},
		},
		Carriers:  []Carrier{{Trunk: "one", Address: loopback}, {Trunk: "two", Address: loopback}},
		Numbers:   Numbers{Unknown: "+14155550199", Unserved: "+14155550180", Outside: "+493023125", Unreachable: "+3319900"},
		Strangers: netip.MustParsePrefix("127.0.1.0/24"),
	}
}

func TestPlanTellsEveryMistake(t *testing.T) {
	t.Parallel()
	require.NoError(t, plan().Validate())
	p := plan()
	p.SBCs[0].Address, p.Routers, p.Domain, p.Phones[0].Number = netip.Addr{}, nil, "a b", "100"
	p.Carriers, p.Numbers.Outside, p.Strangers, p.SSH = p.Carriers[:1], "", netip.Prefix{}, &SSH{User: "admin"}
	err := p.Validate()
	for _, want := range []string{
		"sbcs[0].address", "routers is empty", `domain is "a b"`, `phones[0].number is "100"`, "carriers has 1", "numbers.outside", "strangers is", "ssh has an empty field",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestCertificateOfANewServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	shown, err := certificate(t.Context(), loopback, netip.MustParseAddrPort(server.Listener.Addr().String()), "acme.example.com")
	require.NoError(t, err)
	block, _ := pem.Decode(shown)
	assert.Equal(t, server.Certificate().Raw, block.Bytes)
	server.Close()
	_, err = certificate(t.Context(), loopback, netip.MustParseAddrPort(server.Listener.Addr().String()), "acme.example.com")
	assert.ErrorContains(t, err, "for its certificate")
}

func TestPlanFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plan.json")
	data, err := json.Marshal(plan())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	got, err := ReadPlan(file)
	require.NoError(t, err)
	assert.Equal(t, plan(), got)
	require.NoError(t, os.WriteFile(file, []byte(`{"stock": "stage"}`), 0o600))
	_, err = ReadPlan(file)
	assert.ErrorContains(t, err, "stock")
}

func TestOptionsNameUnknownGroups(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Options{Plan: plan(), Groups: []string{"lunch"}})
	assert.ErrorContains(t, err, `group "lunch" is unknown`)
	_, err = Run(t.Context(), Options{Plan: plan(), Groups: []string{GroupCalls}, Only: "breakfast"})
	assert.ErrorContains(t, err, `has "breakfast" in its name`)
	_, err = Run(t.Context(), Options{Plan: plan(), Groups: []string{GroupCalls}})
	assert.ErrorContains(t, err, "CALLDATA_SECRETS_FILE")
}

// direct is a bench whose carrier calls the phone itself, as if the platform were a wire.
func direct(t *testing.T) *bench {
	t.Helper()
	b := &bench{plan: plan(), registered: map[int]time.Time{0: time.Now().Add(time.Hour), 1: time.Now().Add(time.Hour)}, passwords: []string{"", ""}}
	phone, err := b.openPhone(t.Context(), 0, b.plan.SBCs[0], sip.UDP)
	require.NoError(t, err)
	b.plan.SBCs[0].Port = phone.Local().Port()
	carrier, err := party.Open(t.Context(), "carrier one", sip.Config{Server: phone.Local(), LocalIP: loopback, User: "carrier"})
	require.NoError(t, err)
	b.phones, b.carriers = []*party.Party{phone, phone}, []*party.Party{carrier, carrier}
	t.Cleanup(func() { assert.NoError(t, errors.Join(phone.Close(), carrier.Close())) })
	return b
}

// try runs the scenario of that name.
func try(t *testing.T, b *bench, name string) Outcome {
	t.Helper()
	for _, s := range append(callScenarios(), attackScenarios()...) {
		if s.Name == name {
			s.Limit = 20 * time.Second
			return b.try(t.Context(), s, progress.Discard)
		}
	}
	require.Fail(t, "no scenario "+name)
	return Outcome{}
}

func TestScenariosOverAWire(t *testing.T) {
	t.Parallel()
	b := direct(t)
	for _, name := range []string{"carrier calls a number, both ends talk, the caller hangs up", "the callee hangs up", "busy", "the caller gives up", "hold and back"} {
		o := try(t, b, name)
		assert.Equal(t, verdict.OK, o.Status, "%s: %s: %s", name, o.Step, o.Detail)
	}
	assert.Len(t, b.expected, 10, "two legs of each")
	missing, extra := compare(b.expected, b.expected)
	assert.Empty(t, missing)
	assert.Empty(t, extra)
}

// A platform that connects everybody is the worst of all: each attack has to find that out.
func TestAttacksFindAnOpenPlatform(t *testing.T) {
	t.Parallel()
	b := direct(t)
	for name, want := range map[string]string{
		"a stranger calls a number of the platform": "1 calls reached phone alice",
		"a stranger calls out over the platform":    "1 calls reached phone alice",
		"scanners find nothing":                     "OPTIONS was answered with 200",
		"carrier calls an unknown number":           "neither answered nor refused",
		"malformed and oversized messages":          "calls reached phone alice",
	} {
		s := try(t, b, name)
		assert.Equal(t, verdict.Fail, s.Status, name)
		assert.Contains(t, s.Detail, want, name)
	}
}

func TestFloodNeedsAGoodCaller(t *testing.T) {
	t.Parallel()
	b := direct(t)
	require.NoError(t, b.carriers[0].Close())
	dead, err := party.Open(t.Context(), "carrier one", sip.Config{Server: netip.AddrPortFrom(loopback, 9), LocalIP: loopback, User: "carrier"})
	require.NoError(t, err)
	defer func() { assert.NoError(t, dead.Close()) }()
	b.carriers = []*party.Party{dead, dead}
	s := try(t, b, "REGISTER flood")
	assert.Equal(t, verdict.Fail, s.Status)
	assert.Contains(t, s.Detail, "good calls failed")
}

func TestRunnerTellsTheStepThatFailed(t *testing.T) {
	t.Parallel()
	b := &bench{plan: plan()}
	var order []string
	note := func(what string) { order = append(order, what) }
	list := []Scenario{
		{Group: "g", Name: "good", Run: func(t *Trial) {
			t.figure("calls lost", 0, "calls")
			t.say("as it should be")
		}},
		{Group: "g", Name: "bad", Run: func(t *Trial) {
			t.finally(func(context.Context) { note("first tidied last") })
			t.finally(func(context.Context) { note("last tidied first") })
			t.step("breaks", func(context.Context) error { return errors.New("no answer") })
			t.step("is left out", func(context.Context) error { note("never"); return nil })
			t.say("not this")
		}},
		{Group: "g", Name: "skipped", Skip: func(Plan) string { return "nothing to try" }, Run: func(*Trial) { note("never") }},
		{Group: "g", Name: "slow", Limit: 10 * time.Millisecond, Run: func(t *Trial) {
			t.step("waits", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		}},
	}
	r := run(t.Context(), b, list, progress.Discard)
	assert.False(t, r.Passed)
	assert.Equal(t, []string{"last tidied first", "first tidied last"}, order)
	assert.Equal(t, []string{"g: bad: breaks: no answer", "g: slow: waits: context deadline exceeded"}, r.Failures())
	assert.Equal(t, map[verdict.Status]int{verdict.OK: 1, verdict.Fail: 2, verdict.Skip: 1}, r.Counts())

	var out bytes.Buffer
	require.NoError(t, r.WriteTable(&out))
	assert.Contains(t, out.String(), "as it should be; calls lost 0 calls")
	assert.Contains(t, out.String(), "2 of 4 scenarios failed:\n  g: bad: breaks: no answer")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, 4, run(ctx, b, list, progress.Discard).Counts()[verdict.Skip], "an interrupt leaves the rest out")
}

func TestCompareRecords(t *testing.T) {
	t.Parallel()
	found := []leg{
		{direction: "in", codes: []int{200}, by: "caller", called: "14155550101"},
		{direction: "internal", codes: []int{200}, by: "caller", called: "alice"},
		{direction: "in", codes: []int{486}, called: "14155550101"},
	}
	missing, extra := compare([]leg{
		{direction: "in", codes: []int{408, 486, 503}},
		{direction: "in", codes: []int{200}, by: "caller", called: "14155550101"},
		{direction: "out", codes: []int{200}, by: "callee"},
	}, found)
	assert.Equal(t, "[out call, 200, ended by callee]", fmt.Sprint(missing))
	assert.Equal(t, "[internal call to alice, 200, ended by caller]", fmt.Sprint(extra))
}

func TestFigures(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "ratio 0.63", Figure{Name: "ratio", Value: 0.628}.String())
	assert.Equal(t, "lost 0 calls", Figure{Name: "lost", Unit: "calls"}.String())
}

func TestStrangersAreOfTheirNetwork(t *testing.T) {
	t.Parallel()
	tr := &Trial{bench: &bench{plan: plan()}}
	got := tr.strangers(20, manySources)
	assert.Equal(t, netip.MustParseAddr("127.0.1.20"), got[0])
	assert.True(t, tr.plan.Strangers.Contains(got[manySources-1]))
	assert.True(t, tr.plan.Strangers.Contains(tr.stranger(100+len(attacker.Scanners()))))
}

func TestWayIntoAMachine(t *testing.T) {
	t.Parallel()
	way := SSH{User: "admin", KeyFile: "/k", KnownHosts: "/h"}
	m := Machine{Private: netip.MustParseAddr("10.30.0.4")}
	line := strings.Join(way.Command(t.Context(), m).Args, " ")
	assert.Contains(t, line, "ssh -i /k -o UserKnownHostsFile=/h -o StrictHostKeyChecking=yes")
	assert.Contains(t, line, "admin@10.30.0.4 -- sudo bash -euo pipefail -s")
	m.Leader = int64(os.Getpid())
	assert.Regexp(t, `^nsenter --target \d+ --all --wd -- env -i .* bash -euo pipefail -s$`, strings.Join(way.Command(t.Context(), m).Args, " "))
}
