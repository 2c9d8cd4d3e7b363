package dashboards

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/machinelogs/counts"
	"github.com/calldata/calldata-foundation/components/machinelogs/insights"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// thing has ids for the dimensions of its kind.
func thing(name string, kind alarms.Subject, role string, capacity map[alarms.Capacity]float64) Thing {
	ids := map[string]string{}
	for _, dimension := range kind.Dimensions() {
		ids[dimension] = dimension + " of " + name
	}
	return Thing{alarms.Thing{Name: name, Kind: kind, Role: role, Capacity: capacity}, ids}
}

// everything is a stack with all kinds of things, and with every capacity that an alarm may want.
func everything() Args {
	fleet := map[alarms.Capacity]float64{alarms.Least: 2, alarms.Most: 6, alarms.Calls: 100}
	larger := map[alarms.Capacity]float64{alarms.Least: 3, alarms.Most: 6, alarms.Calls: 100}
	return Args{
		Stack: "prod", Region: "us-east-1", Level: alarms.Pages, Hours: true, LogPrefix: "/calldata/prod", ARN: func(alarm string) string { return "arn of " + alarm },
		Things: []Thing{
			thing("prod-uc-1", alarms.Machine, alarms.Engine, map[alarms.Capacity]float64{alarms.CopyEvery: hour}), thing("prod-uc-2", alarms.Machine, alarms.Engine, nil),
			thing("prod-router-1", alarms.Machine, alarms.Router, nil), thing("prod-sbc-1", alarms.Machine, alarms.SBC, nil),
			thing("prod-c4-sbc", alarms.Fleet, alarms.SBC, fleet), thing("prod-c4-router", alarms.Fleet, alarms.Router, larger),
			thing("prod-router", alarms.Database, "database", map[alarms.Capacity]float64{alarms.Storage: 100 * gib, alarms.Connections: 500}),
			thing("prod-web", alarms.Web, "web", nil), thing("prod-web", alarms.WebTargets, "web", nil), thing("prod-web", alarms.WebCertificate, "web", nil),
			thing("prod-sip", alarms.CarrierTargets, "sip-edge", nil), thing("prod", alarms.Logs, "logs", nil),
			thing("prod-backup", alarms.Vault, "backup", nil), thing("prod-copies", alarms.Copies, "backup", nil),
			elsewhere(thing("prod-copies", alarms.Arrivals, "backup", nil)), thing("prod", alarms.Outside, "outside", nil),
		},
	}
}

func elsewhere(t Thing) Thing {
	t.Region = "us-west-2"
	return t
}

func build(t *testing.T, a Args) map[string]Body {
	t.Helper()
	made, err := Build(a)
	require.NoError(t, err)
	found := map[string]Body{}
	for _, d := range made {
		found[d.Name] = d.Body
	}
	return found
}

// Every alarm's metric is on a dashboard as the alarm sees it, with the alarm's threshold.
func TestEveryAlarmIsDrawn(t *testing.T) {
	t.Parallel()
	a := everything()
	bodies := build(t, a)
	known := map[string]bool{}
	for _, thing := range a.Things {
		for _, alarm := range a.Level.Watched(thing.Thing, true) {
			known[alarm.Name] = true
			drawn := false
			for _, body := range bodies {
				for _, w := range body.Widgets {
					drawn = drawn || draws(w, thing, alarm)
				}
			}
			assert.True(t, drawn, "no dashboard draws %s of %s with its threshold", alarm.Name, thing.Name)
		}
	}
	for _, alarm := range alarms.All() {
		assert.True(t, known[alarm.Name], "the stack of this test has nothing that %s watches", alarm.Name)
	}
}

func draws(w Widget, t Thing, a alarms.Alarm) bool {
	if w.Properties.Annotations == nil {
		return false
	}
	metric := func(name string) bool {
		return slices.ContainsFunc(w.Properties.Metrics, func(m Metric) bool {
			dimensions := alarms.Dimensions(t.Thing, a.Namespace, t.IDs, func(role string) string { return role })
			// Of extremes and averages, closer looks show the same; of sums they do not.
			period := m.Options.Period == a.Seconds || a.Statistic != alarms.Sum && a.Statistic != alarms.SampleCount && m.Options.Period < a.Seconds
			return m.Options.Region == t.Region && m.Namespace == t.Namespace(a.Namespace) && m.Name == name && m.Options.Stat == a.Statistic && period && maps.Equal(m.Dimensions, dimensions)
		})
	}
	for _, line := range w.Properties.Annotations.Horizontal {
		name, words, _ := strings.Cut(line.Label, ": ")
		if name != a.Name && name != t.Name+"-"+a.Name {
			continue
		}
		per := 1.0
		switch w.Properties.YAxis.Left.Label {
		case "days":
			if a.Namespace == metrics.Namespace {
				per = day
			}
		case "hours":
			per = hour
		case "minutes":
			per = minute
		case "MiB":
			per = mib
		case "GiB":
			per = gib
		}
		side := map[alarms.Comparison]string{alarms.Above: "above", alarms.AtLeast: "above", alarms.Below: "below"}[a.Comparison]
		colour := map[alarms.Severity]string{alarms.Page: pageColor, alarms.Notice: noticeColor}[a.Severity]
		if line.Value == a.Threshold/per && line.Fill == side && line.Color == colour && words != "" {
			return metric(a.Metric) && (a.Math == nil || a.Math.Other() == "" || metric(a.Math.Other()))
		}
	}
	return false
}

// Nothing is drawn that nobody tells.
func TestMetricsAreTold(t *testing.T) {
	t.Parallel()
	drawn := 0
	for name, body := range build(t, everything()) {
		for _, w := range body.Widgets {
			ids := map[string]bool{}
			for _, m := range w.Properties.Metrics {
				where := fmt.Sprintf("%s, %s: %s", name, w.Properties.Title, m.Name)
				if id := m.Options.ID; id != "" {
					assert.False(t, ids[id], "%s: the id %s is there twice", where, id)
					ids[id] = true
				}
				if m.Options.Expression != "" {
					for _, id := range regexp.MustCompile(`\b[mn]\d*\b`).FindAllString(m.Options.Expression, -1) {
						assert.True(t, ids[id], "%s: %s is of nothing", where, m.Options.Expression)
					}
					continue
				}
				drawn++
				for dimension, value := range m.Dimensions {
					assert.NotEmpty(t, value, "%s: %s", where, dimension)
				}
				if m.Namespace == counts.Namespace("prod") {
					assert.True(t, slices.ContainsFunc(counts.All(), func(c counts.Count) bool { return c.Metric == m.Name }), where)
					continue
				}
				assert.NotEmpty(t, m.Dimensions, where)
				if m.Namespace == metrics.Namespace {
					assert.Contains(t, metrics.All(), m.Name, where)
					continue
				}
				assert.Regexp(t, `^AWS/|^`+metrics.OutsideNamespace+`$`, m.Namespace, where)
			}
		}
	}
	assert.Greater(t, drawn, 200)
}

// The axis says the unit that the metric is told in.
func TestUnits(t *testing.T) {
	t.Parallel()
	scales := map[string]float64{"percent": 0, "seconds": 0, "minutes": minute, "hours": hour, "days": day}
	for _, b := range boards {
		for _, s := range b.sections {
			for _, g := range s.graphs {
				if g.number {
					continue
				}
				assert.NotEmpty(t, g.unit, g.title)
				for _, thing := range everything().Things {
					for _, l := range g.lines(thing.Thing) {
						switch unit := metrics.Unit(l.metric); {
						case l.stat == alarms.SampleCount:
							assert.Equal(t, "count", g.unit, g.title)
						case l.math != nil || unit == "Percent":
							assert.Equal(t, "percent", g.unit, "%s: %s", g.title, l.metric)
						case unit == "Seconds":
							per, ok := scales[g.unit]
							assert.True(t, ok && per == g.per, "%s: %s", g.title, l.metric)
						case unit != "":
							assert.NotContains(t, scales, g.unit, "%s: %s", g.title, l.metric)
						}
					}
				}
			}
		}
	}
}

func TestWidgetsLieBesideEachOther(t *testing.T) {
	t.Parallel()
	for name, body := range build(t, everything()) {
		taken := map[[2]int]string{}
		for _, w := range body.Widgets {
			what := name + ": " + w.Properties.Title + w.Properties.Markdown
			assert.LessOrEqual(t, w.X+w.Width, Columns, what)
			assert.Positive(t, w.Width*w.Height, what)
			for x := w.X; x < w.X+w.Width; x++ {
				for y := w.Y; y < w.Y+w.Height; y++ {
					assert.Empty(t, taken[[2]int{x, y}], "%s lies on another", what)
					taken[[2]int{x, y}] = what
				}
			}
		}
	}
}

func TestDashboardsAreOfWhatThereIs(t *testing.T) {
	t.Parallel()
	a := everything()
	assert.Equal(t, []string{"prod-overview", "prod-sip-edge", "prod-engine", "prod-database", "prod-fleet"}, names(a))
	a.Things = a.Things[:1]
	assert.Equal(t, []string{"prod-overview", "prod-engine"}, names(a))
	made := build(t, a)
	require.Len(t, made, 2)
	overview := made["prod-overview"]
	for _, w := range overview.Widgets {
		assert.NotContains(t, w.Properties.Title, "Calls begun", "there is no Router")
		assert.NotContains(t, w.Properties.Markdown, "fleet", "there is none")
	}
	assert.Contains(t, overview.Widgets[0].Properties.Markdown, "[prod-engine](https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/prod-engine)")
	assert.Contains(t, overview.Widgets[0].Properties.Markdown, "`"+alarms.Runbook+"`")
	assert.Equal(t, []string{"arn of prod-alarm-uc-engine"}, overview.Widgets[1].Properties.Alarms)
	assert.Equal(t, []string{"ALARM"}, overview.Widgets[2].Properties.States)
	assert.Contains(t, made["prod-engine"].Widgets[1].Properties.Alarms, "arn of prod-uc-1-memory")

	a.Runbook = "https://example.com/runbook.md"
	assert.Contains(t, build(t, a)["prod-overview"].Widgets[0].Properties.Markdown, "[runbook](https://example.com/runbook.md#alarms-of-a-stack)")
	a.Things = nil
	assert.Empty(t, build(t, a))
}

func names(a Args) []string {
	var things []alarms.Thing
	for _, t := range a.Things {
		things = append(things, t.Thing)
	}
	return Names(a.Stack, things)
}

// Only alarms that there are have thresholds.
func TestThresholds(t *testing.T) {
	t.Parallel()
	a := everything()
	a.Level, a.Hours = alarms.Few, false
	lines := func(a Args, dashboard, title string) []string {
		var found []string
		for _, w := range build(t, a)[dashboard].Widgets {
			if w.Properties.Title == title && w.Properties.Annotations != nil {
				for _, l := range w.Properties.Annotations.Horizontal {
					found = append(found, l.Label)
				}
			}
		}
		return found
	}
	assert.Equal(t, []string{"disk-full: above 95"}, lines(a, "prod-engine", disk.title))
	assert.Empty(t, lines(a, "prod-engine", memory.title))
	assert.Empty(t, lines(a, "prod-sip-edge", calls.title))
	a = everything()
	assert.Equal(t, []string{"disk: above 85", "disk-full: above 95"}, lines(a, "prod-engine", disk.title))
	assert.Equal(t, []string{"no-calls: below 1, in business hours"}, lines(a, "prod-sip-edge", calls.title))
	assert.Equal(t, []string{
		"fleet-empty: below 1", "prod-c4-sbc-fleet-small: below 2", "fleet-grown: from 6", "prod-c4-router-fleet-small: below 3",
	}, lines(a, "prod-fleet", fleetSize.title))
	assert.Equal(t, []string{"backup-age: above 36"}, lines(a, "prod-engine", "Age of the newest good backup"))
	copyAge := "Age of what the second engine has"
	assert.Equal(t, []string{"copy-age: above 90"}, lines(a, "prod-engine", copyAge))
	a.Things[0].Capacity = nil
	for _, w := range build(t, a)["prod-engine"].Widgets {
		assert.NotEqual(t, copyAge, w.Properties.Title, "there is no pair")
	}
}

// What CloudWatch would refuse is an error before it is asked.
func TestLimits(t *testing.T) {
	t.Parallel()
	many := func(n int) Args {
		a := everything()
		a.Things = nil
		for i := range n {
			a.Things = append(a.Things, thing(fmt.Sprintf("prod-uc-%d", i), alarms.Machine, alarms.Engine, nil))
		}
		return a
	}
	_, err := Build(many(501))
	require.ErrorContains(t, err, "dashboard prod-engine: 501 metrics in the graph CPU, CloudWatch takes 500")
	require.ErrorContains(t, err, "dashboard prod-overview: 501 metrics in the graph CPU")
	require.ErrorContains(t, err, "metrics, CloudWatch takes 2500")
	made := build(t, many(80))
	listed := 0
	for _, w := range made["prod-engine"].Widgets {
		assert.LessOrEqual(t, len(w.Properties.Alarms), 100)
		listed += len(w.Properties.Alarms)
	}
	assert.Equal(t, 80*len(alarms.Pages.Watched(many(1).Things[0].Thing, true)), listed)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	hidden := false
	text, err := Body{Start: "-PT3H", PeriodOverride: "inherit", Widgets: []Widget{{Type: TypeMetric, Width: 8, Height: 6, Properties: Properties{
		Title: "a < b", Metrics: []Metric{
			{Namespace: "CallData", Name: "Calls", Dimensions: map[string]string{"Role": "r", "InstanceId": "i"}, Options: Options{ID: "m1", Stat: "Sum", Visible: &hidden}},
			{Options: Options{Expression: "m1 / 2", ID: "e1", Label: "half"}},
		},
	}}}}.JSON()
	require.NoError(t, err)
	assert.JSONEq(t, `{"start":"-PT3H","periodOverride":"inherit","widgets":[{"type":"metric","x":0,"y":0,"width":8,"height":6,"properties":{"title":"a < b","metrics":[
		["CallData","Calls","InstanceId","i","Role","r",{"id":"m1","stat":"Sum","visible":false}],[{"expression":"m1 / 2","id":"e1","label":"half"}]]}}]}`, text)
	for name, body := range build(t, everything()) {
		text, err := body.JSON()
		require.NoError(t, err)
		assert.True(t, json.Valid([]byte(text)), name)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	for _, b := range boards {
		for _, name := range b.queries {
			assert.True(t, slices.ContainsFunc(insights.All(), func(q insights.Query) bool { return q.Name == name }), "the dashboard %s shows %s, which nobody asks", b.name, name)
		}
	}
	var found []string
	for _, w := range build(t, everything())["prod-sip-edge"].Widgets {
		if w.Type == TypeLog {
			found = append(found, w.Properties.Query)
		}
	}
	require.Len(t, found, 5)
	for _, text := range found {
		assert.Regexp(t, `^SOURCE '/calldata/prod/c4-router/kamailio'\n\| (SOURCE '/calldata/prod/c4-sbc/kamailio'\n\| )?(filter|parse) `, text)
	}
}
