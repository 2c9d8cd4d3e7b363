package ansible

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/components/machinelogs"
	"github.com/calldata/calldata-foundation/components/metrics"
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
		assert.Equal(t, want, machinelogs.Groups("/calldata/stage", string(role)), role)
	}
	assert.Empty(t, machinelogs.Groups("/calldata/stage", "nobody"))
}

func TestMonitoringLibrary(t *testing.T) {
	t.Parallel()
	out := python(t, library(t), "-m", "unittest", "discover", "-s", "tests")
	assert.Contains(t, out, "OK")
	assert.NotContains(t, strings.ToLower(out), "ran 0 tests")
}
