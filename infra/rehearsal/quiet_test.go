package rehearsal

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestWhatIsWatched(t *testing.T) {
	t.Parallel()
	topology := stacks.Topology{
		Nodes:    []stacks.NodeSpec{{Name: "prod-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}}, {Name: "prod-new", Roles: []stacks.Role{stacks.RoleC4SBC}}},
		Fleets:   []stacks.FleetSpec{{Name: "prod-c4-router", Role: stacks.RoleC4Router, Size: stacks.FleetSize{Min: 2, Max: 4}}},
		Database: &stacks.DatabaseSpec{Name: "prod-router"},
	}
	dimensions := map[string]map[string]string{}
	for _, a := range watchedBy(topology, stacks.Outputs{Nodes: []stacks.Node{{Name: "prod-uc-1", InstanceID: "i-1"}}}, fromMachines) {
		assert.Equal(t, metrics.Namespace, a.Namespace)
		dimensions[a.thing] = a.dimensions
	}
	assert.Equal(t, map[string]map[string]string{
		"prod-uc-1": {metrics.DimInstance: "i-1", metrics.DimRole: "uc-engine"}, "prod-c4-router": {metrics.DimGroup: "prod-c4-router"},
	}, dimensions)
}

func TestWhatIsMeantToGoOff(t *testing.T) {
	t.Parallel()
	assert.True(t, meant([]string{calls.GroupLoss}, "targets-down"))
	assert.True(t, meant(calls.Quick(), "bans"))
	assert.False(t, meant(calls.Quick(), "targets-down"))
	assert.False(t, meant([]string{calls.GroupDrain, calls.GroupLoad}, "bans"))
}

// TestAlarmsAreJudgedByWhatWasTold has a Router one of whose targets is down for five minutes, and one that is well.
func TestAlarmsAreJudgedByWhatWasTold(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs the emulator")
	}
	config := startEmulator(t).AWSConfig()
	until := time.Now().UTC().Truncate(10 * time.Minute)
	since := until.Add(-20 * time.Minute)
	put := func(fleet, metric string, value float64, at time.Time) {
		form := url.Values{"Namespace": {metrics.Namespace}}
		form.Set("MetricData.member.1.MetricName", metric)
		form.Set("MetricData.member.1.Unit", metrics.Unit(metric))
		form.Set("MetricData.member.1.Value", strconv.FormatFloat(value, 'f', -1, 64))
		form.Set("MetricData.member.1.Timestamp", at.Format(time.RFC3339))
		form.Set("MetricData.member.1.Dimensions.member.1.Name", metrics.DimGroup)
		form.Set("MetricData.member.1.Dimensions.member.1.Value", fleet)
		require.NoError(t, query(t.Context(), config, "PutMetricData", form, new(struct{})))
	}
	for minute := range 20 {
		at := since.Add(time.Duration(minute)*time.Minute + 10*time.Second)
		down := 0.0
		if minute >= 6 && minute < 11 {
			down = 1
		}
		put("ill", metrics.TargetsDown, down, at)
		put("well", metrics.TargetsDown, 0, at)
		// Of 30 calls in five minutes 5 fail in the one, 25 in the other.
		put("ill", metrics.Calls, 6, at)
		put("well", metrics.Calls, 6, at)
		put("ill", metrics.FailedCalls, 5, at)
		put("well", metrics.FailedCalls, 1, at)
	}
	var list []watched
	for _, fleet := range []string{"ill", "well", "silent"} {
		for _, a := range alarms.Pages.Watched(alarms.Thing{Name: fleet, Kind: alarms.Fleet, Role: alarms.Router}, false) {
			if a.Name == "targets-down" || a.Name == "calls-fail" {
				list = append(list, watched{a, fleet, map[string]string{metrics.DimGroup: fleet}})
			}
		}
	}
	require.Len(t, list, 6)
	told, off, err := judge(t.Context(), asked(config), list, since, until)
	require.NoError(t, err)
	assert.Equal(t, 4, told)
	assert.Equal(t, []fired{
		{"ill targets-down", alarms.Page, since.Add(11 * time.Minute), since.Add(12 * time.Minute)}, {"ill calls-fail", alarms.Page, since.Add(15 * time.Minute), time.Time{}},
	}, off)

	told, off, err = judge(t.Context(), asked(config), list, since, since.Add(59*time.Second))
	require.NoError(t, err, "no period is over")
	assert.Zero(t, told)
	assert.Empty(t, off)

	config.BaseEndpoint = aws.String("http://127.0.0.1:1")
	_, _, err = judge(t.Context(), asked(config), list[:1], since, until)
	assert.ErrorContains(t, err, "ask for TargetsDown of ill")
}
