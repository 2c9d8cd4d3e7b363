package automation_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
)

// project makes a project that needs no cloud, and gives this process an operator's environment with the real engine.
func project(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the engine, which -short leaves out")
	}
	repo, err := filepath.Abs("../../..")
	require.NoError(t, err)
	cache, err := rehearsal.DefaultCache()
	require.NoError(t, err)
	programs, err := engine.Prepare(t.Context(), engine.Options{Root: repo, CacheDir: filepath.Join(cache, "engine")})
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, automation.Compile(t.Context(), repo, "./infra/calldata/automation/testdata/program", program, progress.Discard.Step("program")))
	for _, pair := range programs.Env(t.TempDir()) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	t.Setenv(engine.ProgramVariable, program)
	t.Setenv("PULUMI_BACKEND_URL", "file://"+t.TempDir())
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "for this test alone")
	dir := t.TempDir()
	text := "name: trial\nruntime: {name: go, options: {binary: " + program + "}}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(text), 0o600))
	return dir
}

func TestStackWithTheRealEngine(t *testing.T) {
	dir, ctx := project(t), t.Context()
	step := func(name string) progress.Step { return progress.Discard.Step(name) }

	_, err := automation.Operate(ctx, dir, "dev", "deploy")
	assert.Equal(t, cli.ExitUsage, cli.Code(err), "nobody has made the stack: %v", err)
	_, err = automation.Open(ctx, automation.Options{Dir: dir, Stack: "dev", Create: true})
	require.NoError(t, err)
	s, err := automation.Operate(ctx, dir, "dev", "deploy")
	require.NoError(t, err)
	defer func() { _ = s.Close() }()

	last, err := s.Last(ctx)
	require.NoError(t, err)
	assert.Nil(t, last, "it was never deployed")
	state, err := s.State(ctx)
	require.NoError(t, err)
	assert.Empty(t, state.Resources)

	planned := filepath.Join(dir, "dev.plan")
	result, err := s.Preview(ctx, step("preview"), automation.PreviewOptions{Plan: planned})
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"create": 2}, result.Counts)
	require.Len(t, result.Changes, 2)
	assert.Equal(t, "first", result.Changes[1].Name)
	assert.True(t, result.Changes[1].Component)
	plan, err := automation.ReadPlan(planned)
	require.NoError(t, err)
	name, err := plan.Stack()
	require.NoError(t, err)
	assert.Equal(t, "dev", name)
	again := filepath.Join(dir, "again.plan")
	_, err = s.Preview(ctx, step("preview"), automation.PreviewOptions{Plan: again})
	require.NoError(t, err)
	same, err := automation.ReadPlan(again)
	require.NoError(t, err)
	assert.Empty(t, plan.Differences(same))

	require.NoError(t, s.Configure(ctx, "trial:more", "second"))
	_, err = s.Up(ctx, step("up"), automation.UpOptions{Plan: planned})
	require.Error(t, err, "the plan says nothing of a second group")
	require.NoError(t, s.Configure(ctx, "trial:fail", "true"))
	_, err = s.Up(ctx, step("up"), automation.UpOptions{})
	require.ErrorContains(t, err, "told to fail")
	last, err = s.Last(ctx)
	require.NoError(t, err)
	require.NotNil(t, last)
	assert.Equal(t, "failed", last.Result)

	require.NoError(t, s.Configure(ctx, "trial:fail", "false"))
	_, err = s.Up(ctx, step("up"), automation.UpOptions{})
	require.NoError(t, err)
	last, err = s.Last(ctx)
	require.NoError(t, err)
	assert.Equal(t, "succeeded", last.Result)
	outputs, err := s.Outputs(ctx)
	require.NoError(t, err)
	assert.True(t, outputs["password"].Secret)
	assert.False(t, outputs["name"].Secret)

	_, err = s.Destroy(ctx, step("destroy"))
	require.NoError(t, err)
	state, err = s.State(ctx)
	require.NoError(t, err)
	assert.Empty(t, state.Resources)

	log, err := os.ReadFile(filepath.Join(dir, s.LogFile))
	require.NoError(t, err)
	assert.Contains(t, string(log), "told to fail")
	assert.NotContains(t, string(log), "not for your eyes")
}
