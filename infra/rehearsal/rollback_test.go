package rehearsal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

func TestRollbackNeedsStageCallsAndGit(t *testing.T) {
	options := func(change func(*Options)) error {
		o := Options{Stack: "stage", Repo: "../..", CacheDir: t.TempDir(), Rollback: true}
		change(&o)
		_, err := o.withDefaults()
		assert.Equal(t, map[bool]int{true: cli.ExitOK, false: cli.ExitUsage}[err == nil], cli.Code(err))
		return err
	}
	require.NoError(t, options(func(*Options) {}))
	require.ErrorContains(t, options(func(o *Options) { o.Stack = "dev" }), "--rollback is for stacks of the shape stage; dev is of the shape dev")
	t.Setenv("PATH", t.TempDir())
	err := options(func(o *Options) { o.Stack, o.Calls, o.StopAfter, o.Restore = "prod", CallsNone, StageConfigure, true })
	for _, part := range []string{
		"--restore is for stacks of the shape dev or stage", "--rollback is for stacks of the shape stage", "--rollback comes after the checks", "--calls none", "git is not on PATH",
	} {
		assert.ErrorContains(t, err, part)
	}
}

// The workspace of a rehearsal becomes a clone with the same content, which nothing that is done there carries into the repository.
func TestCloneOfAWorkspace(t *testing.T) {
	t.Parallel()
	repo, dir := t.TempDir(), filepath.Join(t.TempDir(), "work")
	for name, text := range map[string]string{
		"Pulumi.yaml": "name: calldata-foundation\nruntime: go\nmain: infra\n", "Pulumi.stage.yaml": "config: {}\n", ".gitignore": "/.calldata/\n*.retry\n",
		"infra/main.go": "package main\n", "components/x.go": "package x\n", "stacks/x.go": "package x\n", "go.mod": "module x\n", "go.sum": "\n",
		"ansible/playbooks/site.yml": "---\n", "ansible/inventories/stage/hosts.yml": "---\n", "ansible/site.retry": "host\n", ".calldata/stage/logs/a.log": "a\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(repo, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(repo, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Chmod(filepath.Join(repo, "ansible/playbooks/site.yml"), 0o700))
	require.NoError(t, os.Symlink("playbooks/site.yml", filepath.Join(repo, "ansible/link.yml")))
	require.NoError(t, Workspace(dir, repo, "stage", "/opt/program", nil))
	deployed, err := ansible.ContentHash(filepath.Join(dir, "ansible"), "stage")
	require.NoError(t, err)

	require.NoError(t, unlink(dir, repo, "stage"))
	c, err := newClone(t.Context(), dir)
	require.NoError(t, err)
	first, err := c.commit(t.Context(), goodSubject)
	require.NoError(t, err)
	assert.Len(t, first, 40)
	files, err := c.git(t.Context(), "ls-tree", "-r", "--name-only", "HEAD")
	require.NoError(t, err)
	assert.Equal(t, []string{
		".gitignore", "Pulumi.stage.yaml", "Pulumi.yaml", "ansible/inventories/stage/hosts.yml", "ansible/link.yml", "ansible/playbooks/site.yml", "components/x.go", "go.mod", "go.sum",
		"infra/main.go", "stacks/x.go",
	}, strings.Split(files, "\n"))
	remotes, err := c.git(t.Context(), "remote")
	require.NoError(t, err)
	assert.Empty(t, remotes)
	copied, err := ansible.ContentHash(filepath.Join(dir, "ansible"), "stage")
	require.NoError(t, err)
	assert.Equal(t, deployed, copied, "what Ansible reads, its links and execute bits among it, is what was deployed")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "ansible", "new.yml"), nil, 0o600))
	assert.NoFileExists(t, filepath.Join(repo, "ansible", "new.yml"))
	assert.FileExists(t, filepath.Join(dir, ".calldata", "stage", "logs", "a.log"))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".calldata", "rollback"), 0o750))
	assert.NoDirExists(t, filepath.Join(repo, ".calldata", "rollback"))

	second, err := c.commit(t.Context(), badSubject)
	require.NoError(t, err)
	assert.NotEqual(t, first, second)
	_, err = c.git(t.Context(), "revert", "--no-edit", "HEAD")
	require.NoError(t, err)
	same, err := c.git(t.Context(), "diff", "--stat", first, "HEAD")
	require.NoError(t, err)
	assert.Empty(t, same)
	_, err = c.git(t.Context(), "rev-parse", "--verify", "nowhere")
	assert.ErrorContains(t, err, "git rev-parse")
}

// The role has the setting, and its value is of the type that the role wants: Ansible would refuse it otherwise, before it breaks anything.
func TestBadSettingIsAValidOne(t *testing.T) {
	t.Parallel()
	var setting map[string]string
	require.NoError(t, yaml.Unmarshal([]byte(badSetting), &setting))
	data, err := os.ReadFile("../../ansible/roles/c4_sbc/meta/argument_specs.yml")
	require.NoError(t, err)
	var specs struct {
		Specs map[string]struct {
			Options map[string]struct{ Type string }
		} `yaml:"argument_specs"`
	}
	require.NoError(t, yaml.Unmarshal(data, &specs))
	require.Len(t, setting, 1)
	for name, value := range setting {
		assert.Equal(t, "str", specs.Specs["main"].Options[name].Type, name)
		assert.True(t, strings.HasSuffix(value, "|"), "an empty alternative matches everything")
	}
	hosts, err := os.ReadFile("../../ansible/inventories/stage/hosts.yml")
	require.NoError(t, err)
	assert.Contains(t, string(hosts), " "+filepath.Dir(badFile)+":", "the file is of a group that there is")
}

func TestBadDeploymentHasToFailInHealth(t *testing.T) {
	t.Parallel()
	const health = `{"result": "failed", "steps": [{"name": "up", "status": "ok"}, {"name": "health", "status": "fail", "detail": "no answer to OPTIONS"}]}`
	unhealthy := cli.WithCode(cli.ExitUnhealthy, errors.New("not healthy"))
	for name, c := range map[string]struct {
		report string
		err    error
		why    string
		wrong  string
	}{
		"noticed":        {health, unhealthy, "no answer to OPTIONS", ""},
		"not noticed":    {`{"result": "deployed"}`, nil, "", "ended with code 0, want 3"},
		"Ansible failed": {health, cli.WithCode(cli.ExitError, errors.New("a task failed")), "", "a task failed"},
		"preflight":      {`{"steps": [{"name": "preflight", "status": "fail", "detail": "no git"}]}`, unhealthy, "", "step preflight, want health: no git"},
		"in no step":     {`{"steps": []}`, unhealthy, "", "failed in no step"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var report reported
			require.NoError(t, json.Unmarshal([]byte(c.report), &report))
			why, err := noticed(report, c.err)
			assert.Equal(t, c.why, why)
			if c.wrong == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, c.wrong)
			}
		})
	}
}

func TestStepTimes(t *testing.T) {
	t.Parallel()
	var report reported
	require.NoError(t, json.Unmarshal([]byte(`{"deployment": {"result": "deployed", "steps": [
		{"name": "preflight", "seconds": 0.7}, {"name": "up", "seconds": 130.2}, {"name": "health", "seconds": 1.4}]}}`), &report))
	assert.Equal(t, "up 2m10s, health 1.4s", stepTimes(*report.Deployment))
}

func TestResourcesOfAState(t *testing.T) {
	t.Parallel()
	s := automation.State{Resources: []apitype.ResourceV3{{URN: "urn:b", ID: "i-2"}, {URN: "urn:a", ID: "i-1"}}}
	assert.Equal(t, []string{"urn:a i-1", "urn:b i-2"}, resources(s))
	assert.False(t, json.Valid(half([]byte(`{"version": 3, "checkpoint": {}}`))))
}
