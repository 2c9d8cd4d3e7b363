package rehearsal

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

// sceneTopology is that of a stack of kind by the scene's settings.
func sceneTopology(t *testing.T, kind stacks.Kind) stacks.Topology {
	t.Helper()
	repo, err := filepath.Abs("../..")
	require.NoError(t, err)
	w := &world{dir: t.TempDir()}
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f test"
	require.NoError(t, Workspace(filepath.Join(w.dir, "work"), repo, string(kind), "/opt/program", SceneSettings(string(kind), kind, key)))
	topology, err := w.topology(Options{Stack: string(kind)})
	require.NoError(t, err)
	return topology
}

// first is a machine in the first subnet of a tier.
func first(t *testing.T, n *stacks.Network, tier string, id string, place byte) calls.Machine {
	t.Helper()
	address := n.Of(tier)[0].CIDR.Addr().As4()
	address[3] = place
	return calls.Machine{Name: id, Private: netip.AddrFrom4(address)}
}

func TestPortScene(t *testing.T) {
	t.Parallel()
	top := sceneTopology(t, stacks.KindStage)
	engine, router, sbc := first(t, top.Network, stacks.TierPrivate, "i-1", 4), first(t, top.Network, stacks.TierPrivate, "i-2", 5), first(t, top.Network, stacks.TierPublic, "i-3", 4)
	roles := map[string][]calls.Machine{"uc-engine": {engine}, "c4-router": {router}, "c4-sbc": {sbc}}
	outputs := stacks.Outputs{Nodes: []stacks.Node{{InstanceID: "i-1", Access: stacks.AccessSSM}, {InstanceID: "i-2", Access: stacks.AccessSSM}}}
	inside := func(id string) (string, error) { return "/proc/" + id, nil }
	got, err := newPortScene(top, outputs, roles, "cd-stage", inside)
	require.NoError(t, err)

	var from []string
	for _, p := range got.positions {
		from = append(from, fmt.Sprintf("%s: %s in %s", p.Name, p.Address, p.Namespace))
	}
	gateway := router.Private.Prev().Prev().Prev().Prev()
	assert.Equal(t, []string{
		"operator: 203.0.113.1 in cd-stage", "carrier: 198.51.100.10 in cd-stage", "stranger: 192.0.2.100 in cd-stage",
		fmt.Sprintf("c4-router %[1]s: %[1]s in /proc/i-2", router.Private), fmt.Sprintf("c4-sbc %[1]s: %[1]s in /proc/i-3", sbc.Private),
		fmt.Sprintf("uc-engine %[1]s: %[1]s in /proc/i-1", engine.Private),
		fmt.Sprintf("network %[1]s: %[1]s in cd-stage", sbc.Private.Prev().Prev().Prev()), fmt.Sprintf("network %[1]s: %[1]s in cd-stage", gateway),
	}, from)

	port := func(table []ports.Port, name string) ports.Port { p, _ := ports.Find(table, name); return p }
	reaches := func(who netip.Addr, g ports.Group, p ports.Port) bool {
		return got.table.Firewall.Reaches(who, got.table.Members, []ports.Group{g}, p)
	}
	sip := port(ports.C4SBC(), ports.SIP)
	assert.True(t, reaches(carrierOne, ports.GroupC4SBC, sip), "by way of the load balancer")
	assert.True(t, reaches(sbc.Private, ports.GroupC4Router, sip))
	assert.False(t, reaches(gateway, ports.GroupC4Router, sip))
	assert.True(t, reaches(gateway, ports.GroupUCEngine, port(ports.UCEngine(), ports.HTTPS)), "a load balancer may be anywhere in the network")
	assert.False(t, reaches(stranger, ports.GroupUCEngine, port(ports.UCEngine(), ports.HTTPS)))

	also := map[string]int{}
	for _, m := range got.machines {
		for _, r := range m.Also {
			assert.Equal(t, netip.PrefixFrom(gateway, 32), r.Source)
			also[m.Name]++
		}
	}
	assert.Equal(t, map[string]int{got.positions[3].Name: 1, got.positions[5].Name: 1}, also, "a machine that configures itself has no way in for Ansible")
}

func TestPortSceneTellsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	top := sceneTopology(t, stacks.KindStage)
	off := errors.New("machine i-1 is off")
	roles := map[string][]calls.Machine{"uc-engine": {first(t, top.Network, stacks.TierPrivate, "i-1", 4)}}
	_, err := newPortScene(top, stacks.Outputs{}, roles, "cd-stage", func(string) (string, error) { return "", off })
	require.ErrorIs(t, err, off)
	roles["uc-engine"][0].Private = netip.MustParseAddr("192.168.7.7")
	_, err = newPortScene(top, stacks.Outputs{}, roles, "cd-stage", func(string) (string, error) { return "x", nil })
	assert.ErrorContains(t, err, "192.168.7.7 is in none of the subnets")
}
