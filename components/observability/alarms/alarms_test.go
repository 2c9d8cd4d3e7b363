package alarms

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/machinelogs/counts"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms/alarmtest"
)

func TestEveryAlarmFiresAndClears(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, a := range All() {
		known[a.Name] = true
		c, ok := alarmtest.Cases[a.Name]
		require.True(t, ok, "alarm %s has no series", a.Name)
		if a.Share != "" {
			a.Threshold *= 100
			switch a.Share { // the series of fleets count machines
			case Least:
				a.Threshold = 2
			case Most:
				a.Threshold = 6
			case CopyEvery:
				a.Threshold = 1.5 * 3600
			}
		}
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			states := func(text string) []State {
				t.Helper()
				m, n, err := alarmtest.Parse(text)
				require.NoError(t, err)
				require.NotEmpty(t, m)
				return a.Evaluate(m, n)
			}
			fires := states(c.Fires)
			last := len(fires) - 1
			assert.Equal(t, Alarming, fires[last], "%s: does not fire", c.Fires)
			assert.NotContains(t, fires[:last], Alarming, "%s: fires before the end", c.Fires)
			clears := states(c.Clears)
			last = len(clears) - 1
			assert.Equal(t, OK, clears[last], "%s: does not clear", c.Clears)
			assert.Equal(t, Alarming, clears[last-1], "%s: there is nothing to clear", c.Clears)
			assert.NotContains(t, states(c.Quiet), Alarming, "%s: fires", c.Quiet)
			at := strings.LastIndex(c.Gone, " ")
			gone := states(c.Gone[:at])
			assert.Equal(t, State(c.Gone[at+1:]), gone[len(gone)-1], c.Gone)
			assert.Contains(t, c.Gone, "_", "nothing is missing")
		})
	}
	for name := range alarmtest.Cases {
		assert.True(t, known[name], "there is no alarm %s", name)
	}
}

// CloudWatch refuses what is not so. Source: Amazon CloudWatch API Reference, PutMetricAlarm.
func TestAlarmsAreWhatCloudWatchTakes(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, a := range All() {
		assert.Regexp(t, `^[a-z]+(-[a-z]+)*$`, a.Name)
		assert.False(t, names[a.Name], "two alarms are called %s", a.Name)
		names[a.Name] = true
		assert.NotEmpty(t, a.What, a.Name)
		assert.NotEmpty(t, a.Of, a.Name)
		assert.Contains(t, []Severity{Page, Notice}, a.Severity, a.Name)
		assert.Contains(t, []Missing{MissingIsMissing, MissingIsGood, MissingIsBad, MissingChangesNothing}, a.Missing, a.Name)
		assert.Contains(t, []Comparison{Above, AtLeast, Below}, a.Comparison, a.Name)
		assert.Contains(t, []string{Average, Maximum, Minimum, Sum, SampleCount}, a.Statistic, a.Name)
		assert.Zero(t, a.Seconds%60, a.Name)
		assert.LessOrEqual(t, a.Breaches, a.Periods, a.Name)
		assert.Positive(t, a.Breaches, a.Name)
		most := day
		if a.Seconds >= 3600 {
			most = 7 * day
		}
		assert.LessOrEqual(t, a.Seconds*a.Periods, most, a.Name)
		if a.Namespace == metrics.Namespace {
			assert.Contains(t, metrics.All(), a.Metric, "%s watches what nobody tells", a.Name)
		}
		if a.Namespace == counted {
			assert.True(t, slices.ContainsFunc(counts.All(), func(c counts.Count) bool { return c.Metric == a.Metric && c.Name == a.Name }), "%s counts nothing", a.Name)
		}
		if a.Math != nil && a.Math.Other() != "" {
			assert.Contains(t, metrics.All(), a.Math.Other(), a.Name)
		}
		if slices.Contains(a.Of, Arrivals) {
			assert.Equal(t, Notice, a.Severity, "%s: what pages is combined in the stack's own region", a.Name)
		}
	}
}

// What is counted is watched: a count that no alarm knows costs, and tells nobody.
func TestCountsAreWatched(t *testing.T) {
	t.Parallel()
	for _, c := range counts.All() {
		assert.True(t, slices.ContainsFunc(logs(), func(a Alarm) bool { return a.Metric == c.Metric }), c.Metric)
	}
	assert.Equal(t, "CallData/Logs/stage", Thing{Name: "stage", Kind: Logs}.Namespace(counted))
	assert.Equal(t, ec2, Thing{Name: "stage", Kind: Machine}.Namespace(ec2))
	assert.True(t, Logs.Known())
	assert.False(t, Subject("printer").Known())
}

func TestWatched(t *testing.T) {
	t.Parallel()
	names := func(thing Thing, hours bool) []string {
		var found []string
		for _, a := range Pages.Watched(thing, hours) {
			found = append(found, a.Name)
		}
		return found
	}
	sbc := names(Thing{Kind: Machine, Role: SBC}, true)
	assert.Contains(t, sbc, "media-ports")
	assert.NotContains(t, sbc, "backup-age")
	assert.NotContains(t, sbc, "no-calls")
	assert.NotContains(t, sbc, "fleet-small")
	assert.Contains(t, names(Thing{Kind: Machine, Role: Router}, true), "no-calls")
	assert.NotContains(t, names(Thing{Kind: Machine, Role: Router}, false), "no-calls")
	fleet := Thing{Kind: Fleet, Role: Router, Capacity: map[Capacity]float64{Least: 2, Calls: 100}}
	assert.Contains(t, names(fleet, false), "fleet-small")
	assert.NotContains(t, names(fleet, false), "fleet-grown", "it has no upper bound")
	assert.NotContains(t, names(Thing{Kind: Machine, Role: Engine}, true), "copy-age", "it copies itself to none")
	for _, a := range Few.Watched(Thing{Kind: Machine, Role: Engine}, true) {
		assert.Equal(t, Page, a.Severity, a.Name)
	}
	for _, a := range Pages.Watched(fleet, false) {
		if a.Name == "calls-many" {
			assert.InDelta(t, 120, a.Threshold, 1e-9)
		}
	}
}

// A stack that has just been made, or whose metrics are not told, is not ill: alarms that are about that alone say that nothing is told.
func TestOnlySilenceAlarmsWithoutMetrics(t *testing.T) {
	t.Parallel()
	for _, a := range All() {
		nothing := make(Series, 2*a.Periods)
		states := a.Evaluate(nothing, nothing)
		if slices.Contains([]string{"silent", "outside-call-missing", "backup-jobs-none"}, a.Name) {
			assert.Equal(t, Alarming, states[len(states)-1])
			assert.Equal(t, Notice, a.Severity)
			continue
		}
		assert.NotContains(t, states, Alarming, a.Name)
	}
}

// A stack that is well and idle has no alarm.
func TestIdleStacksHaveNoAlarm(t *testing.T) {
	t.Parallel()
	idle := map[string]float64{
		"GroupInServiceInstances": 2, "HealthyHostCount": 2, "DaysToExpiry": 90, "FreeStorageSpace": 19 << 30, "FreeableMemory": 1 << 30,
		metrics.MemoryUsed: 40, metrics.DiskUsed: 20, metrics.InodesUsed: 5, metrics.MediaPortsFree: 9768, metrics.MediaQuality: 4.2, metrics.CertificateLeft: 80 * day, metrics.BackupAge: day / 2, metrics.CopyAge: 4200,
		metrics.CallWorked: 1, "NumberOfBackupJobsCompleted": 1,
	}
	thing := Thing{Capacity: map[Capacity]float64{Least: 2, Most: 6, Calls: 100, Storage: 20 << 30, Connections: 424, CopyEvery: 3600}}
	for _, kind := range []Subject{Machine, Fleet, Web, WebTargets, WebCertificate, CarrierTargets, Database, Vault, Copies, Arrivals, Outside} {
		for _, role := range []string{Engine, Router, SBC} {
			thing.Kind, thing.Role = kind, role
			for _, a := range Pages.Watched(thing, false) {
				value := idle[a.Metric] // counts of faults and calls are 0
				if a.Statistic == SampleCount {
					value = 1
				}
				series := make(Series, 2*a.Periods)
				for i := range series {
					series[i] = &value
				}
				assert.NotContains(t, a.Evaluate(series, series), Alarming, "%s of %s %s", a.Name, kind, role)
			}
		}
	}
}
