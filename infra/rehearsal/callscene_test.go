package rehearsal

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
	tenant "github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

func scene(t *testing.T) calls.Plan {
	t.Helper()
	m := func(last byte) []calls.Machine {
		return []calls.Machine{{Name: "m", Address: netip.AddrFrom4([4]byte{203, 0, 113, last}), Private: netip.AddrFrom4([4]byte{10, 30, 0, last})}}
	}
	p := scenePlan("stage", map[string][]calls.Machine{"c4-sbc": m(4), "c4-router": m(5), "uc-engine": m(6)})
	require.NoError(t, p.Validate())
	return p
}

func TestSceneRoutingIsSound(t *testing.T) {
	t.Parallel()
	plan := scene(t)
	d, err := document.Parse([]byte(sceneRouting(plan)))
	require.NoError(t, err)
	assert.Len(t, d.Tenants, 2)
	plan.Numbers.Unserved = ""
	d, err = document.Parse([]byte(sceneRouting(plan)))
	require.NoError(t, err)
	assert.Len(t, d.Tenants, 1, "without the engine that does not exist")
}

func TestSceneTenantIsSound(t *testing.T) {
	t.Parallel()
	_, err := tenant.Parse([]byte(sceneTenant(scene(t), []netip.Prefix{netip.MustParsePrefix("10.30.0.0/20"), netip.MustParsePrefix("10.30.16.0/20")})), nil)
	assert.NoError(t, err)
}

// Routers of a fleet come and go: an engine takes the calls of those that it has not seen.
func TestRouterNetworks(t *testing.T) {
	t.Parallel()
	subnet := func(tier, cidr string) stacks.Subnet {
		return stacks.Subnet{Tier: tier, CIDR: netip.MustParsePrefix(cidr)}
	}
	network := stacks.Network{Subnets: []stacks.Subnet{
		subnet("public", "10.30.0.0/24"), subnet("private", "10.30.1.0/24"), subnet("private", "10.30.2.0/24"), subnet("intra", "10.30.3.0/24"),
	}}
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.30.1.0/24"), netip.MustParsePrefix("10.30.2.0/24")},
		routerNetworks(network, []calls.Machine{{Private: netip.MustParseAddr("10.30.2.7")}}))
}
