package stacks

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

func TestPrometheusIsOffByDefault(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{KindStage, KindProd} {
		off := topologyOf(t, kind)
		assert.Nil(t, off.Prometheus)
		assert.Nil(t, off.PrometheusOutput())
		on := topologyOf(t, kind, "prometheus", "true")
		require.Len(t, on.Nodes, len(off.Nodes)+1)
		assert.Equal(t, off.Nodes, on.Nodes[:len(off.Nodes)], "nothing else changes")
		assert.Equal(t, off.Fleets, on.Fleets)
		n := on.Nodes[len(off.Nodes)]
		assert.Equal(t, string(kind)+"-prometheus-1", n.Name)
		assert.Equal(t, []Role{RolePrometheus}, n.Roles)
		assert.Equal(t, on.Network.Of(TierPrivate)[0].Name, n.Subnet)
		assert.False(t, n.Public)
		assert.Equal(t, AccessSSM, n.Access)
		assert.Subset(t, reach(on), []string{
			"prometheus -> uc-engine tcp 9100", "prometheus -> c4-router tcp 9100", "prometheus -> c4-sbc tcp 9100",
		})
		for _, line := range reach(on) {
			assert.True(t, !strings.Contains(line, "-> prometheus") || strings.HasSuffix(line, " icmp type 8"), "%s: operators come by sessions", line)
		}
		assert.Len(t, reach(on), len(reach(off))+6)
	}
}

func TestPrometheusKnowsTheStack(t *testing.T) {
	t.Parallel()
	top := topologyOf(t, KindProd, "prometheus", "true", "businessHours", "8-18", "alarms", "notices", "greenFleets", "new", "prometheusInstanceType", "m6i.large", "prometheusDataGiB", "200")
	assert.Equal(t, Prometheus{Level: alarms.Notices, BusinessHours: []int{8, 18}, Things: []PrometheusThing{
		{"prod-uc-1", alarms.Machine, RoleUCEngine, map[alarms.Capacity]float64{alarms.CopyEvery: 3600}},
		{"prod-c4-sbc", alarms.Fleet, RoleC4SBC, map[alarms.Capacity]float64{alarms.Least: 2, alarms.Most: 6, alarms.Calls: 400}},
		{"prod-c4-router", alarms.Fleet, RoleC4Router, map[alarms.Capacity]float64{alarms.Least: 2, alarms.Most: 6, alarms.Calls: 2000}},
	}}, *top.PrometheusOutput(), "green takes no calls, and nobody is woken for it")
	n := top.Nodes[len(top.Nodes)-1]
	assert.Equal(t, "m6i.large", n.Type.Name)
	assert.Equal(t, 200, n.DataVolumeGiB)
	alone := topologyOf(t, KindStage, "prometheus", "true", "alarms", "none")
	assert.Nil(t, alone.Alarms)
	assert.Equal(t, Prometheus{Level: alarms.Notices, Things: []PrometheusThing{}}, *alone.PrometheusOutput(), "in CloudWatch's place")
}

func TestPrometheusErrors(t *testing.T) {
	t.Parallel()
	for kind, pairs := range map[Kind][]string{
		KindDev:   {`prometheus is "true": a stack of the topology dev has no private network`},
		KindStage: {`prometheus is "yes": want true or false`, `prometheusInstanceType is "t3.nano"`, `prometheusDataGiB is "3"`},
	} {
		value := "true"
		if kind == KindStage {
			value = "yes"
		}
		_, err := ReadConfig(string(kind), of(kind, "prometheus", value, "prometheusInstanceType", "t3.nano", "prometheusDataGiB", "3"))
		for _, want := range pairs {
			require.ErrorContains(t, err, want)
		}
	}
	err := Prometheus{Level: "loud", BusinessHours: []int{9}, Things: []PrometheusThing{{Name: "X_", Kind: alarms.Web, Role: "pbx", Capacity: map[alarms.Capacity]float64{"{{ x }}": 1}}}}.Validate()
	for _, want := range []string{"prometheus.level is loud", "businessHours is [9]", "things[0].name is X_", "things[0].kind is web", "things[0].role is pbx", "things[0].capacity is {{ x }}"} {
		require.ErrorContains(t, err, want)
	}
}
