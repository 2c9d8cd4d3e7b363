package portscan

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

var (
	carrier  = netip.MustParseAddr("198.51.100.10")
	stranger = netip.MustParseAddr("192.0.2.10")
	router   = netip.MustParseAddr("10.99.0.5")
	sbc      = netip.MustParseAddr("10.99.0.11")
)

// rules are those of an SBC that one network of carriers may call, and everybody sends media to.
func rules() ports.Firewall {
	row := func(name string) ports.Port { p, _ := ports.Find(ports.C4SBC(), name); return p }
	carriers := netip.MustParsePrefix("198.51.100.0/24")
	return ports.Firewall{ports.GroupC4SBC: {
		{Port: row(ports.SIP), Source: carriers}, {Port: row(ports.SIP), Peer: ports.GroupC4Router},
		{Port: row(ports.SIPTCP), Source: carriers},
		{Port: row(ports.RTP), Source: netip.MustParsePrefix("0.0.0.0/0")},
	}}
}

// filter is what those rules are on the machine, written by hand.
const filter = `
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		ip saddr { 198.51.100.0/24, 10.99.0.5 } udp dport 5060 accept
		ip saddr 198.51.100.0/24 tcp dport 5060 accept
		udp dport 23000-32768 accept
	}
}
`

// world makes a namespace with everybody's addresses and one with the machine, and answers their names.
func world(t *testing.T) (outside, machine string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("makes network namespaces: needs root")
	}
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	outside, machine = fmt.Sprintf("cd-test-scan-out-%d", os.Getpid()), fmt.Sprintf("cd-test-scan-in-%d", os.Getpid())
	run := func(input string, words ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...) //nolint:gosec // the test's own
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", words, out)
	}
	for _, name := range []string{outside, machine} {
		run("", "ip", "netns", "add", name)
		t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "ip", "netns", "del", name).Run() })
	}
	run("", "ip", "-n", outside, "link", "add", "name", "outer", "type", "veth", "peer", "name", "inner", "netns", machine)
	for _, a := range []string{"10.99.0.5/24", "198.51.100.10/24", "192.0.2.10/24"} {
		run("", "ip", "-n", outside, "addr", "add", a, "dev", "outer")
	}
	run("", "ip", "-n", machine, "addr", "add", "10.99.0.11/24", "dev", "inner")
	run("", "ip", "-n", outside, "link", "set", "outer", "up")
	run("", "ip", "-n", machine, "link", "set", "inner", "up")
	run("", "ip", "-n", machine, "route", "add", "default", "via", "10.99.0.5")
	run(filter, "ip", "netns", "exec", machine, "nft", "-f", "-")
	// Two services answer; the rest of what the filter lets in is refused by the machine.
	packets, err := netns.ListenPacket(machine, "udp4", "10.99.0.11:5060")
	require.NoError(t, err)
	stream, err := netns.Listen(machine, "tcp4", "10.99.0.11:6379")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = packets.Close(), stream.Close() })
	go echo(packets)
	return outside, machine
}

func echo(conn net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(buffer[:n], from)
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	outside, machine := world(t)
	positions := []Position{
		{Name: "carrier", Namespace: outside, Address: carrier}, {Name: "stranger", Namespace: netns.Path(outside), Address: stranger},
		{Name: "router", Namespace: outside, Address: router}, {Name: "itself", Namespace: machine, Address: sbc},
	}
	machines := []Machine{{Name: "sbc", Address: sbc, Groups: []ports.Group{ports.GroupC4SBC}}}
	table := Table{Firewall: rules(), Members: ports.Members{ports.GroupC4Router: {netip.PrefixFrom(router, 32)}}}
	got, err := Scan(t.Context(), positions, machines, table)
	require.NoError(t, err)
	assert.Empty(t, got.Findings)
	assert.Greater(t, got.Probes, 60)
	// The range of media has three ports that are looked at, from three positions; SIP has two, TCP one.
	assert.Equal(t, 3*3+2+1, got.Reached)

	nft := func(rule string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "ip", "netns", "exec", machine, "nft", "insert", "rule", "inet", "filter", "input", rule).CombinedOutput() //nolint:gosec // the test's own
		require.NoError(t, err, "%s", out)
	}
	nft("tcp dport 6379 accept")
	nft("ip saddr 198.51.100.0/24 udp dport 5060 drop")
	nft("icmp type echo-request accept")
	got, err = Scan(t.Context(), positions, machines, table)
	require.NoError(t, err)
	var lines []string
	for _, f := range got.Findings {
		lines = append(lines, f.String())
	}
	assert.Equal(t, []string{
		"carrier must not reach tcp 6379 of sbc: open", "carrier should reach udp 5060 of sbc: silent",
		"router must not reach tcp 6379 of sbc: open", "stranger must not reach tcp 6379 of sbc: open",
	}, lines)

	// What a machine lets in besides is wanted of those whom it is for.
	machines[0].Also = []ports.Rule{{Port: ports.Port{Protocol: ports.TCP, From: 6379, To: 6379}, Source: netip.PrefixFrom(router, 32)}}
	got, err = Scan(t.Context(), positions, machines, table)
	require.NoError(t, err)
	assert.Len(t, got.Findings, 3)

	answer, err := positions[0].ping(t.Context(), sbc)
	require.NoError(t, err)
	assert.Equal(t, Open, answer)
	answer, err = positions[0].ping(t.Context(), netip.MustParseAddr("10.99.0.77"))
	require.NoError(t, err)
	assert.Equal(t, Silent, answer)
}

func TestScanTellsWhatItCannotDo(t *testing.T) {
	t.Parallel()
	_, err := Scan(t.Context(), nil, nil, Table{})
	require.ErrorContains(t, err, "needs positions and machines")
	_, err = Scan(t.Context(), []Position{{Name: "carrier"}}, []Machine{{Name: "pbx", Groups: []ports.Group{"pbx"}}}, Table{})
	require.ErrorContains(t, err, `position "carrier"`)
	require.ErrorContains(t, err, `machine "pbx": the address`)
	require.ErrorContains(t, err, `none of its groups [pbx] has a table`)
	_, err = Scan(t.Context(), []Position{{Name: "carrier", Namespace: "cd-nowhere", Address: carrier}}, []Machine{{Name: "sbc", Address: sbc, Groups: []ports.Group{ports.GroupC4SBC}}}, Table{})
	require.ErrorContains(t, err, "network namespace cd-nowhere")
	require.ErrorContains(t, err, "look from carrier")
}

func TestEveryRowIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, g := range []ports.Group{ports.GroupUCEngine, ports.GroupC4Router, ports.GroupC4SBC} {
		looked := portsOf(Machine{Groups: []ports.Group{g}})
		for _, row := range ports.Table(g) {
			seen := 0
			for _, p := range looked {
				if p.Overlaps(row) {
					seen++
				}
			}
			assert.Positive(t, seen, "%s %s", g, row.Name)
		}
	}
}
