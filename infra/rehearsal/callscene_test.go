package rehearsal

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
	tenant "github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
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
	_, err := tenant.Parse([]byte(sceneTenant(scene(t))), nil)
	assert.NoError(t, err)
}
