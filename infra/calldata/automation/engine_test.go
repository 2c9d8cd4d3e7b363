package automation_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/enginetest"
)

func TestStackWithTheRealEngine(t *testing.T) {
	dir, _ := enginetest.Project(t, "trial")
	ctx := t.Context()
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
	history, err := s.History(ctx, 10)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(history), 2)
	assert.Equal(t, "succeeded", history[0].Result)
	assert.Equal(t, "failed", history[1].Result)
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
