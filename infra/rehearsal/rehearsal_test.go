package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

func TestOptionsNameEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := Options{Stack: "nowhere", Repo: t.TempDir(), StopAfter: "lunch", CacheDir: t.TempDir()}.withDefaults()
	require.Error(t, err)
	assert.Contains(t, err.Error(), `--stop-after is "lunch"`)
	assert.Contains(t, err.Error(), "no Pulumi.nowhere.yaml")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestSecretsAreFoundAndKeptPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	s, err := newSecrets(dir)
	require.NoError(t, err)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		assert.NotEmpty(t, s.find(data), "the scan has to know what %s holds", f.Name())
	}
	assert.Empty(t, s.find([]byte(s.publicKey)), "a public key is no secret")
	assert.Empty(t, s.find([]byte("nothing to see")))
}

func TestScanFindsLeaksInFilesAndProcesses(t *testing.T) {
	t.Parallel()
	s, err := newSecrets(filepath.Join(t.TempDir(), "secrets"))
	require.NoError(t, err)
	logs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(logs, "clean.log"), []byte("ok"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(logs, "leaky.log"), []byte("password="+s.values["smoke_sip_password"]), 0o600))

	scan := newScanner(s)
	require.NoError(t, scan.tree(logs))
	require.NoError(t, scan.tree(filepath.Join(logs, "not there")))
	child := exec.Command("sleep", "30")
	child.Env = append(os.Environ(), "LEAK="+s.values["passphrase"])
	require.NoError(t, child.Start())
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	require.Eventually(t, func() bool { scan.snapshot(); return len(scan.result().Findings) == 2 }, 5*time.Second, 20*time.Millisecond)

	findings := strings.Join(scan.result().Findings, "\n")
	assert.Contains(t, findings, "smoke_sip_password in "+filepath.Join(logs, "leaky.log"))
	assert.Contains(t, findings, "passphrase in environ of process sleep")
	for _, secret := range s.values {
		assert.NotContains(t, findings, secret)
	}
}

func TestWorkspaceLaysSettingsOverTheStacks(t *testing.T) {
	t.Parallel()
	repo, dir := t.TempDir(), filepath.Join(t.TempDir(), "work")
	for name, text := range map[string]string{
		"Pulumi.yaml":     "name: calldata-foundation\nruntime: go\nmain: infra\n",
		"Pulumi.dev.yaml": "config:\n  aws:region: eu-west-1\n  calldata-foundation:adminCidrs: [198.51.100.7/32]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(repo, name), []byte(text), 0o600))
	}
	for range 2 { // the same command again, after a crash
		require.NoError(t, Workspace(dir, repo, "dev", "/opt/program", map[string]any{"calldata-foundation:adminCidrs": []string{"203.0.113.1/32"}}))
	}
	project, err := readYAML(filepath.Join(dir, "Pulumi.yaml"))
	require.NoError(t, err)
	assert.Equal(t, "infra", project["main"])
	assert.Equal(t, map[string]any{"name": "go", "options": map[string]any{"binary": "/opt/program"}}, project["runtime"])
	settings, err := readYAML(filepath.Join(dir, "Pulumi.dev.yaml"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"aws:region": "eu-west-1", "calldata-foundation:adminCidrs": []any{"203.0.113.1/32"}}, settings["config"])
	target, err := os.Readlink(filepath.Join(dir, "ansible"))
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(repo, "ansible"), target)
}

// A part that the scene left out, no rehearsal would prove.
func TestSceneLeavesNoPartOfAnAccountOut(t *testing.T) {
	t.Parallel()
	repo, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "work")
	require.NoError(t, Workspace(dir, repo, "account", "/opt/program", SceneSettings("account", stacks.KindAccount, "")))
	file, err := stackfile.Read(dir, "account")
	require.NoError(t, err)
	config, err := stacks.ReadConfig("account", file)
	require.NoError(t, err)
	topology, err := stacks.New("account", config)
	require.NoError(t, err)
	assert.Equal(t, append(stacks.AccountParts(), stacks.PartCostTags), topology.Account.Parts)
}

func TestOnlySame(t *testing.T) {
	t.Parallel()
	assert.True(t, onlySame(map[string]int{"same": 30}))
	assert.False(t, onlySame(map[string]int{"same": 30, "update": 1}))
	assert.Equal(t, "1 create, 2 delete, 3 same", automation.Describe(map[string]int{"same": 3, "delete": 2, "create": 1}))
}

func TestReport(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	r := &Report{
		Stack: "dev", Result: Failed, Error: "smoke: <script>", Seconds: 10, Started: begin,
		Parts:    []Part{{Name: "Pulumi", Kind: Real, Detail: "v3"}, {Name: "AWS API", Kind: Emulated, Detail: "moto"}},
		Checks:   []Check{{Name: "smoke", OK: false, Detail: "486 Busy Here", Raw: json.RawMessage(`{"steps":[]}`)}},
		Leftover: []string{"mount /x"},
		Calls: []calls.Outcome{{Group: "loss", Name: "the SBC dies", Step: "the SBC is killed", Outcome: verdict.Outcome{Status: verdict.Fail, Detail: "<no way in>"},
			Figures: []calls.Figure{{Name: "calls lost", Value: 3, Unit: "calls"}}}},
		Steps: steps([]progress.Span{
			{ID: 1, Name: "set up", Start: begin, End: begin.Add(4 * time.Second)},
			{ID: 2, Parent: 1, Depth: 1, Name: "image", Start: begin, End: begin.Add(time.Second), Err: fmt.Errorf("%w: cached", progress.ErrSkipped)},
			{ID: 3, Name: "verify", Start: begin.Add(4 * time.Second), End: begin.Add(6 * time.Second), Err: errors.New("smoke\nmore")},
		}, begin),
	}
	dir := t.TempDir()
	require.NoError(t, r.Write(dir))
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), `left:40.000%;width:20.000%`, "the waterfall is to scale")
	assert.NotContains(t, string(page), "<script>", "texts are escaped")
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, []string{"ok", "skipped", "failed"}, []string{back.Steps[0].Status, back.Steps[1].Status, back.Steps[2].Status})
	text := r.Text()
	assert.Contains(t, text, "FAILED in 10.0s")
	assert.Contains(t, text, "FAILED smoke")
	assert.Contains(t, text, "FAILED loss       the SBC dies: the SBC is killed: <no way in>; calls lost 3 calls")
	assert.Contains(t, string(page), "the SBC is killed: &lt;no way in&gt;; calls lost 3 calls")
	assert.Contains(t, text, "1 leftovers")
}

func TestSummaryCountsAndNamesFailures(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1 ok, 0 warnings, 0 skipped, 1 failed; INVITE: 486 Busy Here",
		summary([]byte(`{"steps":[{"name":"OPTIONS","status":"ok"},{"name":"INVITE","status":"fail","detail":"486 Busy Here"}]}`)))
	assert.Equal(t, "", summary([]byte("not json")))
}

func TestLockIsExclusiveAndDiesWithItsHolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	first, err := acquire("dev")
	require.NoError(t, err)
	_, err = acquire("dev")
	require.ErrorContains(t, err, "running already")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	_, err = acquire("stage")
	require.NoError(t, err, "another stack is another rehearsal")
	first.release()
	again, err := acquire("dev")
	require.NoError(t, err)
	again.release()
	_, err = os.Stat(lockPath("dev"))
	assert.True(t, os.IsNotExist(err))
}
