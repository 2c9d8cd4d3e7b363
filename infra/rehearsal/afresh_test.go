package rehearsal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

func TestDrillNeedsAStackThatIsCalled(t *testing.T) {
	t.Parallel()
	with := func(o Options) error {
		o.Repo, o.CacheDir, o.Drill = "../..", t.TempDir(), true
		_, err := o.withDefaults()
		return err
	}
	require.NoError(t, with(Options{Stack: "stage"}))
	err := with(Options{Stack: "dev", Calls: CallsNone, StopAfter: StageConfigure})
	require.ErrorContains(t, err, "--drill is for stacks of the shape stage; dev is of the shape dev")
	require.ErrorContains(t, err, "--calls none leaves out")
	require.ErrorContains(t, err, "--drill comes after the checks")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestReportOfADrill(t *testing.T) {
	t.Parallel()
	read := func(text string) error {
		var r drillReport
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		return r.judge(time.Minute)
	}
	require.NoError(t, read(`{"result": "drilled", "rpoSeconds": 62, "rtoSeconds": 600, "steps": [
		{"name": "deploy", "status": "ok"}, {"name": "compare", "status": "ok", "detail": "9 of 9 tables are as in the old database"}]}`))
	err := read(`{"result": "failed", "error": "call: no answer", "rpoSeconds": 3600, "steps": [
		{"name": "setup", "status": "skip", "detail": "there is no tenant.yml"},
		{"name": "compare", "status": "ok", "detail": "8 of 9 tables are as in the old database; others were changed since: public.did (4 rows, 0 came back)"},
		{"name": "call", "status": "fail", "detail": "no answer"}]}`)
	for _, want := range []string{
		`ended as "failed"`, "setup: skip: there is no tenant.yml", "call: fail: no answer", "nothing has changed, and yet", "the data was 3600 s old, and it was saved 60 s before",
		"not measured",
	} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, read(`{"result": "drilled", "rtoSeconds": 1}`), "were not compared")
}

func TestWorkspaceIsUnlinkedOnce(t *testing.T) {
	t.Parallel()
	repo, work := t.TempDir(), t.TempDir()
	for _, name := range linked {
		if filepath.Ext(name) == "" {
			require.NoError(t, os.MkdirAll(filepath.Join(repo, name), 0o750))
		} else {
			require.NoError(t, os.WriteFile(filepath.Join(repo, name), nil, 0o600))
		}
		require.NoError(t, os.Symlink(filepath.Join(repo, name), filepath.Join(work, name)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(repo, ".gitignore"), nil, 0o600))
	require.NoError(t, unlink(work, repo, "stage"))
	mine := filepath.Join(work, "ansible", "mine")
	require.NoError(t, os.WriteFile(mine, nil, 0o600))
	require.NoError(t, unlink(work, repo, "stage"))
	assert.FileExists(t, mine)
	assert.NoFileExists(t, filepath.Join(repo, "ansible", "mine"))
}
