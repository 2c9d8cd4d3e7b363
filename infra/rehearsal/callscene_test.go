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
	_, err := document.Parse([]byte(sceneRouting(scene(t))))
	assert.NoError(t, err)
}

func TestSceneTenantIsSound(t *testing.T) {
	t.Parallel()
	_, err := tenant.Parse([]byte(sceneTenant(scene(t), routerSources(stacks.Topology{}, scene(t)))), nil)
	assert.NoError(t, err)
}

func TestWhereRoutersCallFrom(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.30.0.5/32")}, routerSources(stacks.Topology{}, scene(t)))
	networks := []netip.Prefix{netip.MustParsePrefix("10.40.64.0/20"), netip.MustParsePrefix("10.40.80.0/20")}
	fleet := stacks.Topology{
		Network: &stacks.Network{Subnets: []stacks.Subnet{{Tier: stacks.TierPublic}, {Tier: stacks.TierPrivate, CIDR: networks[0]}, {Tier: stacks.TierPrivate, CIDR: networks[1]}}},
		Fleets:  []stacks.FleetSpec{{Role: stacks.RoleC4SBC, Tier: stacks.TierPublic}, {Role: stacks.RoleC4Router, Tier: stacks.TierPrivate}},
	}
	assert.Equal(t, networks, routerSources(fleet, scene(t)), "another Router of the fleet may have any address of them")
	_, err := tenant.Parse([]byte(sceneTenant(scene(t), networks)), nil)
	assert.NoError(t, err)
}
