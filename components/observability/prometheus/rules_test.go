package prometheus

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/observability/alarms/alarmtest"
)

var update = flag.Bool("update", false, "write the rules anew")

const (
	role  = "../../../ansible/roles/prometheus"
	rules = role + "/files/rules"
	tests = role + "/molecule/default/files/rules"
)

// TestGoldenRules keeps the role's rules, and what promtool tries them with, equal to the alarms.
func TestGoldenRules(t *testing.T) {
	t.Parallel()
	files, err := Files()
	require.NoError(t, err)
	componenttest.GoldenDirectory(t, *update, rules, files)
	componenttest.GoldenDirectory(t, *update, tests, map[string][]byte{"alerts_test.yml": alertTests(t), "metrics_test.yml": metricTests(t)})
}

func TestEveryAlarmIsHereOrNamed(t *testing.T) {
	t.Parallel()
	left := maps.Clone(Elsewhere())
	for _, a := range alarms.All() {
		rule, here := Alert(a)
		reason, there := left[a.Name]
		assert.NotEqual(t, here, there, "%s: translate it, or say in elsewhere why it cannot be", a.Name)
		delete(left, a.Name)
		if !here {
			assert.NotEmpty(t, reason, a.Name)
			assert.NotEqual(t, metrics.Namespace, a.Namespace, "%s: machines tell it", a.Name)
			continue
		}
		assert.Equal(t, a.Name, rule.Alert)
		assert.Equal(t, string(a.Severity), rule.Labels["severity"])
		assert.Equal(t, alarms.Runbook, rule.Annotations["runbook"])
		assert.Contains(t, rule.Annotations["summary"], a.What)
	}
	assert.Empty(t, left, "there are no such alarms")
}

// known are the metrics that rules may read besides those of machines' own.
var (
	known  = []string{"up", Capacity, BusinessHours}
	metric = regexp.MustCompile(`\b(calldata:\w+|calldata_\w+|node_\w+|rtpengine_\w+|up)\b`)
)

// Every metric of ours is recorded, and no alert reads what nobody records.
func TestRulesReadWhatIsRecorded(t *testing.T) {
	t.Parallel()
	recorded := slices.Clone(known)
	var names []string
	for _, r := range recordings {
		recorded = append(recorded, r.name())
		balanced(t, r.expr)
		if r.namespace == metrics.Namespace {
			names = append(names, r.metric)
		}
	}
	assert.ElementsMatch(t, metrics.All(), names)
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(recorded))), len(recorded), "two are called the same")
	for _, a := range alarms.All() {
		expr, ok := Expression(a)
		if !ok {
			continue
		}
		balanced(t, expr)
		for _, name := range metric.FindAllString(expr, -1) {
			assert.Contains(t, recorded, name, a.Name)
		}
	}
	_, ok := Query(alarms.Alarm{Namespace: metrics.Namespace, Metric: metrics.Bans, Statistic: "p95"})
	assert.False(t, ok)
	_, ok = Query(alarms.Alarm{Namespace: "AWS/RDS", Metric: "CPUUtilization", Statistic: alarms.Average})
	assert.False(t, ok)
}

func balanced(t *testing.T, expr string) {
	t.Helper()
	for _, pair := range []string{"()", "[]", "{}"} {
		assert.Equal(t, strings.Count(expr, pair[:1]), strings.Count(expr, pair[1:]), expr)
	}
}

// TestPromtool is what the role's Molecule scenario does on a machine that has promtool.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool here, of Debian's package prometheus; the role's scenario has it")
	}
	dir := t.TempDir()
	for _, from := range []string{rules, tests} {
		require.NoError(t, os.CopyFS(dir, os.DirFS(from)))
	}
	for _, words := range [][]string{{"check", "rules", "metrics.yml", "page.yml", "notice.yml"}, {"test", "rules", "metrics_test.yml", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, words...) //nolint:gosec // from the path
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// The form of promtool's tests. Source: Prometheus documentation, "Unit Testing for Rules".
type (
	suite struct {
		Files    []string `yaml:"rule_files"`
		Interval string   `yaml:"evaluation_interval"`
		Tests    []trial  `yaml:"tests"`
	}
	trial struct {
		Name     string   `yaml:"name"`
		Interval string   `yaml:"interval"`
		Series   []input  `yaml:"input_series"`
		Queries  []expect `yaml:"promql_expr_test"`
	}
	input struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	expect struct {
		Expr    string   `yaml:"expr"`
		At      string   `yaml:"eval_time"`
		Samples []sample `yaml:"exp_samples,omitempty"`
	}
	sample struct {
		Labels string  `yaml:"labels"`
		Value  float64 `yaml:"value"`
	}
)

// capacities are those that alarmtest.Cases reckon with.
var capacities = map[alarms.Capacity]float64{alarms.Least: 2, alarms.Most: 6, alarms.Calls: 100, alarms.CopyEvery: 3600}

// alertTests try every alert with the series that its alarm is tried with in the package alarms, each as a thing of its own. Alerts are
// looked at once a minute: ALERTS is what each look found.
func alertTests(t *testing.T) []byte {
	t.Helper()
	hours := input{BusinessHours, "1x100"}
	minutes, fives := trial{Name: "periods of a minute", Interval: "60s"}, trial{Name: "periods of five minutes", Interval: "300s", Series: []input{hours}}
	closed := trial{Name: "out of business hours", Interval: "300s"}
	for _, a := range alarms.All() {
		if _, ok := Alert(a); !ok {
			continue
		}
		one := map[int]*trial{60: &minutes, 300: &fives}[a.Seconds]
		require.NotNil(t, one, a.Name)
		c := alarmtest.Cases[a.Name]
		one.fires(t, a, c.Fires, 1)
		if a.BusinessHours {
			closed.fires(t, a, c.Fires, 0)
		}
		thing, last := one.add(t, a, "clears", c.Clears)
		one.now(a, thing, last-1, 1)
		one.now(a, thing, last, 0)
		thing, last = one.add(t, a, "quiet", c.Quiet)
		one.looks(a, thing, last, 0)
		at := strings.LastIndex(c.Gone, " ")
		thing, last = one.add(t, a, "gone", c.Gone[:at])
		on := 0.0
		if c.Gone[at+1:] == string(alarms.Alarming) {
			on = 1
		}
		one.now(a, thing, last, on)
	}
	text, err := document(suite{Files: []string{"page.yml", "notice.yml"}, Interval: "1m", Tests: []trial{minutes, fives, closed}})
	require.NoError(t, err)
	return text
}

// fires wants the alert after the last value, and never before.
func (one *trial) fires(t *testing.T, a alarms.Alarm, text string, on float64) {
	t.Helper()
	thing, last := one.add(t, a, "fires", text)
	one.now(a, thing, last, on)
	if a.Missing == alarms.MissingIsBad {
		on += 2 // CloudWatch takes older values for those that are missing, and waits two periods more
	}
	one.looks(a, thing, last, on)
}

// add gives a thing of its own the series, and answers its name and the number of the last period.
func (one *trial) add(t *testing.T, a alarms.Alarm, what, text string) (string, int) {
	t.Helper()
	m, n, err := alarmtest.Parse(text)
	require.NoError(t, err)
	thing := a.Name + "-" + what
	labels := fmt.Sprintf(`{kind=%q,role=%q,thing=%q}`, a.Of[0], append(slices.Clone(a.Roles), alarms.Router)[0], thing)
	one.Series = append(one.Series, inputOf(t, a, a.Metric, labels, m))
	if a.Math != nil && a.Math.Other() != "" {
		one.Series = append(one.Series, inputOf(t, a, a.Math.Other(), labels, n))
	}
	if a.Share != "" {
		one.Series = append(one.Series, input{fmt.Sprintf(`%s{capacity=%q,thing=%q}`, Capacity, a.Share, thing), fmt.Sprintf("%gx100", capacities[a.Share])})
	}
	if a.Missing == alarms.MissingIsBad {
		one.Series = append(one.Series, input{fmt.Sprintf(`up{instance="it",job=%q,%s`, Job, labels[1:]), "0x100"})
	}
	return thing, len(m) - 1
}

// looks wants so many looks to have found the alert on until a period.
func (one *trial) looks(a alarms.Alarm, thing string, period int, want float64) {
	one.want(fmt.Sprintf(`sum(count_over_time(ALERTS{alertname=%q,alertstate="firing",thing=%q}[1d]))`, a.Name, thing), period*a.Seconds, want)
}

// now wants the alert on or off at a period.
func (one *trial) now(a alarms.Alarm, thing string, period int, want float64) {
	one.want(fmt.Sprintf(`count(ALERTS{alertname=%q,alarm="%s-%s",severity=%q,thing=%q} == 1)`, a.Name, thing, a.Name, a.Severity, thing), period*a.Seconds, want)
}

// want is a number, or nothing.
func (one *trial) want(expr string, at int, number float64) {
	e := expect{Expr: expr, At: fmt.Sprintf("%ds", at)}
	if number > 0 {
		e.Samples = []sample{{"{}", number}}
	}
	one.Queries = append(one.Queries, e)
}

// inputOf is a recorded metric. What CloudWatch is told as a number of a period is a rate here.
func inputOf(t *testing.T, a alarms.Alarm, metric, labels string, values []*float64) input {
	t.Helper()
	r, ok := find(a.Namespace, metric)
	require.True(t, ok, a.Name)
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = "_"
		if v != nil && r.rate {
			words[i] = strconv.FormatFloat(*v/float64(a.Seconds), 'g', -1, 64)
		} else if v != nil {
			words[i] = strconv.FormatFloat(*v, 'g', -1, 64)
		}
	}
	return input{r.name() + labels, strings.Join(words, " ")}
}

// metricTests try the recorded metrics with samples as machines have them, at ten minutes.
func metricTests(t *testing.T) []byte {
	t.Helper()
	const labels = `instance="i",kind="machine",role="c4-sbc",thing="t"`
	of := func(name, more, values string) input {
		return input{fmt.Sprintf("%s{%s%s}", name, labels, more), values}
	}
	cases := []struct {
		metric string
		want   float64
		series []input
	}{
		{metrics.ActiveCalls, 7, []input{of("calldata_active_calls", `,server="a"`, "7x30"), of("calldata_active_calls", `,server="b"`, "3x30")}},
		{metrics.Calls, 2, []input{of("calldata_kamailio_dialogs_total", "", "0+40x30")}},
		{metrics.ServerErrors, 1, []input{of("calldata_kamailio_transactions_total", `,class="5xx"`, "0+20x30"), of("calldata_kamailio_transactions_total", `,class="2xx"`, "0+60x30")}},
		{metrics.TargetsDown, 3, []input{
			of("calldata_kamailio_targets", `,of="dispatcher",state="down"`, "1x30"), of("calldata_kamailio_targets", `,of="down",state="down"`, "2x30"),
			of("calldata_kamailio_targets", `,of="dispatcher",state="up"`, "9x30"),
		}},
		{metrics.RegistrationsDown, 1, []input{of("calldata_registrations", `,state="down"`, "1x30"), of("calldata_registrations", `,state="up"`, "5x30")}},
		{metrics.SharedMemoryUsed, 25, []input{of("calldata_kamailio_shm_used_bytes", "", "50x30"), of("calldata_kamailio_shm_bytes", "", "200x30")}},
		{metrics.MediaQuality, 4, []input{of("rtpengine_mos_total", "", "0+8x30"), of("rtpengine_mos_samples_total", "", "0+2x30")}},
		{metrics.DiskUsed, 90, []input{of("calldata_disk_used_percent", `,path="/"`, "20x30"), of("calldata_disk_used_percent", `,path="/data"`, "90x30")}},
		{metrics.UnitsDown, 1, []input{of("calldata_unit_up", `,unit="a"`, "1x30"), of("calldata_unit_up", `,unit="b"`, "0x30")}},
		{metrics.SourcesDown, 0, []input{of("calldata_up", `,source="a"`, "1x30")}},
		{metrics.CertificateLeft, 400, []input{of("calldata_certificate_end_seconds", `,path="a"`, "1000x30"), of("calldata_certificate_end_seconds", `,path="b"`, "2000x30")}},
		{"CPUUtilization", 75, []input{of("node_cpu_seconds_total", `,cpu="0",mode="idle"`, "0+5x30"), of("node_cpu_seconds_total", `,cpu="0",mode="user"`, "0+15x30")}},
	}
	s := suite{Files: []string{"metrics.yml"}, Interval: often}
	add := func(metric string, want sample, series []input) {
		i := slices.IndexFunc(recordings, func(r recording) bool { return r.metric == metric })
		require.GreaterOrEqual(t, i, 0, metric)
		name := recordings[i].name()
		want.Labels = name + want.Labels
		s.Tests = append(s.Tests, trial{Name: metric, Interval: often, Series: series, Queries: []expect{{Expr: name, At: "10m", Samples: []sample{want}}}})
	}
	for _, c := range cases {
		add(c.metric, sample{"{" + labels + "}", c.want}, c.series)
	}
	const fleet = `kind="fleet",role="c4-sbc",thing="f"`
	least := input{Capacity + `{capacity="least",` + fleet + "}", "2x30"}
	up := input{`up{instance="a",job="` + Job + `",` + fleet + "}", "1x30"}
	down := input{`up{instance="b",job="` + Job + `",` + fleet + "}", "0x30"}
	add("GroupInServiceInstances", sample{"{" + fleet + "}", 1}, []input{least, up, down})
	add("GroupInServiceInstances", sample{"{" + fleet + "}", 0}, []input{least})
	text, err := document(s)
	require.NoError(t, err)
	return text
}
