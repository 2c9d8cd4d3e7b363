package rollback

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/enginetest"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestStateIsRepairedForTheRealEngine damages a state in the ways in which it can be damaged, and works with it afterwards.
func TestStateIsRepairedForTheRealEngine(t *testing.T) {
	dir, backend := enginetest.Project(t, stacks.Project)
	ctx := t.Context()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ansible"), 0o700))
	s, err := automation.Open(ctx, automation.Options{Dir: dir, Stack: "dev", Create: true})
	require.NoError(t, err)
	require.NoError(t, s.Configure(ctx, "trial:more", "second"))
	_, err = s.Up(ctx, progress.Discard.Step("up"), automation.UpOptions{Message: "the first"})
	require.NoError(t, err)
	deployed, err := s.State(ctx)
	require.NoError(t, err)
	require.Len(t, deployed.Resources, 3)

	call := func(args ...string) (string, error) {
		var out, said bytes.Buffer
		cmd := NewCmdRollback(&cli.IO{In: strings.NewReader(""), Out: &out, Err: &said, Getenv: os.Getenv})
		// The command finds the project by its working directory.
		t.Chdir(dir)
		cmd.SetArgs(append([]string{"dev", "--state"}, args...))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(ctx)
		t.Logf("rollback %v: %v\n%s%s", args, err, said.String(), out.String())
		assert.NotContains(t, out.String()+said.String(), "not for your eyes")
		return out.String(), err
	}
	urns := func(state automation.State) (list []string) {
		for _, r := range state.Resources {
			list = append(list, string(r.URN))
		}
		return list
	}
	known := func(message string) {
		t.Helper()
		state, err := s.State(ctx)
		require.NoError(t, err, message)
		assert.Equal(t, urns(deployed), urns(state), message)
		result, err := s.Preview(ctx, progress.Discard.Step("preview"), automation.PreviewOptions{})
		require.NoError(t, err, message)
		assert.Empty(t, result.Changes, message)
		outputs, err := s.Outputs(ctx)
		require.NoError(t, err, message)
		assert.Equal(t, "not for your eyes", outputs["password"].Value, "secrets are those of before")
	}

	out, err := call("--yes")
	require.NoError(t, err)
	assert.Contains(t, out, "the state is whole")

	file := filepath.Join(backend, ".pulumi/stacks", stacks.Project, "dev.json")
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(file, int64(len(whole)/2)))
	_, err = s.State(ctx)
	require.Error(t, err, "Pulumi cannot read it")
	out, err = call("--list")
	require.NoError(t, err)
	assert.Contains(t, out, "damaged: it cannot be read: unexpected end of JSON input")
	out, err = call("--yes", "--json")
	require.NoError(t, err)
	var report Repair
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.Equal(t, Repaired, report.Result)
	assert.Equal(t, "update", report.Checkpoint.Kind)
	assert.Empty(t, report.Differs.Changes)
	known("cut in half")
	kept, err := os.ReadFile(filepath.Join(backend, report.Kept))
	require.NoError(t, err)
	assert.Equal(t, whole[:len(whole)/2], kept)

	require.NoError(t, os.Remove(file))
	_, err = call("--yes")
	require.NoError(t, err)
	known("deleted")

	lock := filepath.Join(backend, ".pulumi/locks/organization", stacks.Project, "dev/x.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(lock), 0o700))
	require.NoError(t, os.WriteFile(lock, []byte(`{"username":"ann","hostname":"elsewhere","pid":42}`), 0o600))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = call("--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "ann@elsewhere holds it")
	require.NoError(t, os.Remove(lock))
	_, err = call("--yes")
	require.NoError(t, err)
	known("empty")
}
