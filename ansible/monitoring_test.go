package ansible

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/components/machinelogs/counts"
	"github.com/calldata/calldata-foundation/components/machinelogs/insights"
	"github.com/calldata/calldata-foundation/components/machinelogs/loggroups"
	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/stacks"
)

// python runs Python in the role's directory, and answers what it printed.
func python(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"-B"}, arguments...)...)
	cmd.Dir = "roles/monitoring"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// What machines write and what alarms and scaling policies read has the same names.
func TestMetricsAgree(t *testing.T) {
	t.Parallel()
	var role map[string]string
	require.NoError(t, json.Unmarshal([]byte(python(t, "/usr/bin/python3", "files/lib/calldata-metrics", "names")), &role))
	assert.Equal(t, metrics.All(), slices.Sorted(maps.Keys(role)))
	for name, unit := range role {
		assert.Equal(t, metrics.Unit(name), unit, name)
	}
	source := read(t, "roles/monitoring/files/lib/cloudwatch.py")
	for _, name := range []string{metrics.Namespace, metrics.DimGroup, metrics.DimInstance, metrics.DimRole} {
		assert.Contains(t, source, `"`+name+`"`)
	}
	assert.Contains(t, read(t, "roles/monitoring/templates/cloudwatch-agent.json.j2"), "'namespace': '"+metrics.AgentNamespace+"'", "machines may write to no other namespace")
}

// What a dashboard draws of a machine is what a source of its role tells.
func TestDashboardsDrawWhatIsTold(t *testing.T) {
	t.Parallel()
	var vars struct {
		Sources map[string][]string `yaml:"monitoring_role_sources"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "roles/monitoring/vars/main.yml")), &vars))
	told := map[string]string{} // the samples that metrics are computed of
	for _, found := range regexp.MustCompile(`(?m)^    "(\w+)": \("\w+", \w+\("(\w+)"`).FindAllStringSubmatch(read(t, "roles/monitoring/files/lib/cloudwatch.py"), -1) {
		told[found[1]] = found[2]
	}
	require.Len(t, told, len(metrics.All()))
	args := dashboards.Args{Stack: "x", Region: "us-east-1", Level: alarms.Pages, LogPrefix: "/calldata/x", ARN: func(string) string { return "" }}
	roles := map[string]string{}
	for role := range vars.Sources {
		for _, kind := range []alarms.Subject{alarms.Machine, alarms.Fleet} {
			name := string(kind) + " " + role
			roles[name] = role
			args.Things = append(args.Things, dashboards.Thing{Thing: alarms.Thing{Name: name, Kind: kind, Role: role}, IDs: map[string]string{kind.Dimensions()[0]: name}})
		}
	}
	made, err := dashboards.Build(args)
	require.NoError(t, err)
	looked := 0
	for _, d := range made {
		for _, w := range d.Body.Widgets {
			for _, m := range w.Properties.Metrics {
				if m.Namespace != metrics.Namespace {
					continue
				}
				looked++
				role := roles[m.Dimensions[metrics.DimInstance]+m.Dimensions[metrics.DimGroup]]
				require.NotEmpty(t, role)
				sources := append([]string{"certificates", "ena", "system", "units"}, vars.Sources[role]...)
				assert.True(t, told[m.Name] == "calldata_up" || slices.ContainsFunc(sources, func(source string) bool { return gives(t, source, told[m.Name]) }),
					"%s draws %s of %s, which has no source that tells %s", d.Name, m.Name, role, told[m.Name])
				assert.NotEqual(t, metrics.DatabaseLag, m.Name, "no database of a stack has a replica")
			}
		}
	}
	assert.Greater(t, looked, 100)
	assert.False(t, gives(t, "system", told[metrics.Calls]))
}

// gives reports whether a source has a sample. Some put its name together, of their own and a word.
func gives(t *testing.T, source, name string) bool {
	t.Helper()
	text := read(t, "roles/monitoring/files/lib/sources/"+source+".py")
	_, word, own := strings.Cut(name, source+"_")
	word = strings.TrimSuffix(word, "_total")
	return strings.Contains(text, `"`+name+`"`) || own && regexp.MustCompile(`["'(|]`+word+`(_total)?["')|]`).MatchString(text)
}

// A log group that the machines write to is one that the stack makes.
func TestLogGroupsAgree(t *testing.T) {
	t.Parallel()
	var vars struct {
		Files   map[string]map[string][]string `yaml:"monitoring_role_log_files"`
		Journal map[string]map[string][]string `yaml:"monitoring_role_journal"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "roles/monitoring/vars/main.yml")), &vars))
	for _, role := range stacks.AllRoles() {
		want := []string{"/calldata/stage/" + string(role) + "/journal"}
		for _, logs := range []map[string][]string{vars.Files[string(role)], vars.Journal[string(role)]} {
			for name := range logs {
				want = append(want, path.Join("/calldata/stage", string(role), name))
			}
		}
		slices.Sort(want)
		assert.Equal(t, want, loggroups.Of("/calldata/stage", string(role)), role)
	}
	assert.Empty(t, loggroups.Of("/calldata/stage", "nobody"))
}

func TestMonitoringLibrary(t *testing.T) {
	t.Parallel()
	out := python(t, library(t), "-m", "unittest", "discover", "-s", "tests")
	assert.Contains(t, out, "OK")
	assert.NotContains(t, strings.ToLower(out), "ran 0 tests")
}

// The line that a Router writes of a call that has ended is the one that saved queries take apart.
func TestRouterLinesAreTakenApart(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`xlog\("L_NOTICE", "(call .* ended: .*)\\n"\)`).FindStringSubmatch(read(t, "roles/c4_router/templates/kamailio.cfg.j2"))
	require.NotNil(t, line, "the template writes no such line")
	values := map[string]string{
		"call_id": "a@b", "code": "486", "direction": "in", "caller": "12125550100", "called": "14155550100", "ingress": "telco", "egress": "acme",
		"started": "1796025600.123456", "answered": "", "now": "1796025601.000001",
	}
	written := regexp.MustCompile(`\$var\((\w+)\)`).ReplaceAllStringFunc(line[1], func(variable string) string {
		value, known := values[variable[len("$var("):len(variable)-1]]
		assert.True(t, known, variable)
		return value
	})
	asked := 0
	for _, q := range insights.All() {
		_, pattern, found := strings.Cut(q.Lines[0], "parse @message /: call ")
		if !found {
			continue
		}
		asked++
		match := regexp.MustCompile(": call " + strings.TrimSuffix(pattern, "/"))
		assert.Equal(t, []string{"a@b", "486", "in", "12125550100", "14155550100", "telco", "acme", "1796025600.123456", "", "1796025601.000001"},
			match.FindStringSubmatch("kamailio: 5(812) NOTICE: <script>: " + written)[1:], q.Name)
	}
	assert.Equal(t, 2, asked)
}

// What is counted of our own programs is what they say.
func TestCountedLinesAreOurs(t *testing.T) {
	t.Parallel()
	for metric, said := range map[string]struct {
		path, before string
		texts        []string
	}{
		counts.RecordsRefused: {"roles/c4_router/templates/kamailio.cfg.j2", `xlog("L_ERR", "`, []string{"a call record was refused: "}},
		counts.BackupsFailed:  {"roles/backup/files/calldata_backup/main.py", `print(f"`, []string{"failed: ", "refused: "}},
	} {
		i := slices.IndexFunc(counts.All(), func(c counts.Count) bool { return c.Metric == metric })
		require.GreaterOrEqual(t, i, 0)
		for _, text := range said.texts {
			assert.Contains(t, read(t, said.path), said.before+text)
			assert.True(t, slices.ContainsFunc(counts.All()[i].Any, func(counted string) bool { return strings.HasSuffix(counted, text) }), text)
		}
	}
}
