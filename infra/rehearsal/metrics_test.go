package rehearsal

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/metrics"
)

func TestGaugesAreLookedAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		g    gauge
		want string
	}{
		{gauge{name: "i-1"}, "i-1 has told CloudWatch no ActiveCalls"},
		{gauge{name: "i-1", known: true}, ""},
		{gauge{name: "i-1", known: true, most: 102}, ""},
		{gauge{name: "i-1", known: true, most: -1}, "-1 calls"},
		{gauge{name: "i-1", known: true, most: 0.5}, "0.5 calls"},
		{gauge{name: "i-1", known: true, most: 1e9}, "1e+09 calls"},
	} {
		err := c.g.wrong()
		if c.want == "" {
			require.NoError(t, err, "%+v", c.g)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
	assert.Equal(t, "ActiveCalls of 1 machines and 1 fleets, 7 at most",
		heard([]gauge{{known: true, most: 7}, {known: true, fleet: true}, {most: 9}}))
}

// TestMetricsAreWaitedFor has a machine that tells its metrics late.
func TestMetricsAreWaitedFor(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs the emulator")
	}
	config := startEmulator(t).AWSConfig()
	put := func(calls string, dims ...string) {
		form := url.Values{"Namespace": {metrics.Namespace}}
		form.Set("MetricData.member.1.MetricName", metrics.ActiveCalls)
		form.Set("MetricData.member.1.Unit", metrics.Unit(metrics.ActiveCalls))
		form.Set("MetricData.member.1.Value", calls)
		for i := 0; i < len(dims); i += 2 {
			form.Set(fmt.Sprintf("MetricData.member.1.Dimensions.member.%d.Name", i/2+1), dims[i])
			form.Set(fmt.Sprintf("MetricData.member.1.Dimensions.member.%d.Value", i/2+1), dims[i+1])
		}
		require.NoError(t, query(t.Context(), config, "PutMetricData", form, new(struct{})))
	}
	put("3", metrics.DimInstance, "i-1", metrics.DimRole, "c4-sbc")
	put("3", metrics.DimGroup, "prod-c4-sbc")
	put("1", metrics.DimGroup, "prod-c4-sbc")
	gauges := func() []gauge {
		return []gauge{
			{name: "i-1", dimensions: map[string]string{metrics.DimInstance: "i-1", metrics.DimRole: "c4-sbc"}},
			{name: "i-2", dimensions: map[string]string{metrics.DimInstance: "i-2", metrics.DimRole: "c4-sbc"}},
			{name: "prod-c4-sbc", fleet: true, dimensions: map[string]string{metrics.DimGroup: "prod-c4-sbc"}},
		}
	}
	missing, err := wrong(t.Context(), config, gauges())
	require.NoError(t, err)
	require.EqualError(t, missing, "i-2 has told CloudWatch no ActiveCalls")

	late := gauges()
	done := make(chan error, 1)
	go func() { done <- await(t.Context(), config, late) }()
	put("0", metrics.DimInstance, "i-2", metrics.DimRole, "c4-sbc")
	require.NoError(t, <-done)
	assert.Equal(t, "ActiveCalls of 2 machines and 1 fleets, 3 at most", heard(late))
}
