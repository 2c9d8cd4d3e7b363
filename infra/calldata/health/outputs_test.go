package health

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestCheckFromOutputs(t *testing.T) {
	scrub(t)
	m := startMachine(t, sound())
	stack := stacks.Outputs{Stack: "dev", Region: "us-east-1", Endpoints: stacks.Endpoints{Web: engine(t, http.StatusOK, configured).URL}}
	streams := &cli.IO{Getenv: environment(map[string]string{login.KeyVariable: m.KeyFile, login.KnownHostsVariable: m.KnownHosts})}
	report, err := Check(t.Context(), streams, stack, 0, progress.Discard.Step("health"))
	require.NoError(t, err)
	assert.True(t, report.Healthy)
	assert.Len(t, report.Checks, 3, "of the endpoint: %v", report.Checks)

	stack.Endpoints.Web = engine(t, http.StatusServiceUnavailable, configured).URL
	report, err = Check(t.Context(), streams, stack, 0, progress.Discard.Step("health"))
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	assert.False(t, report.Healthy)

	stack.Endpoints.Web = "gopher://example.com"
	_, err = Check(t.Context(), streams, stack, 0, progress.Discard.Step("health"))
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}
