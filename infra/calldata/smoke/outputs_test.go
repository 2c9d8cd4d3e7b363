package smoke

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/sip/siptest"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestCheckFromOutputs(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{})
	stack := stacks.Outputs{Stack: "dev", Endpoints: stacks.Endpoints{SIP: engine.Endpoint()}}
	with := func(file string) *cli.IO {
		return &cli.IO{Getenv: func(name string) string { return map[string]string{fileVariable: file}[name] }}
	}
	report, err := Check(t.Context(), with(secrets(t)), stack, progress.Discard.Step("smoke"))
	require.NoError(t, err)
	assert.True(t, report.Passed)

	_, err = Check(t.Context(), with(""), stack, progress.Discard.Step("smoke"))
	assert.Equal(t, cli.ExitUsage, cli.Code(err))

	busy := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{InviteCode: 486})
	stack.Endpoints.SIP = busy.Endpoint()
	report, err = Check(t.Context(), with(secrets(t)), stack, progress.Discard.Step("smoke"))
	require.ErrorContains(t, err, "486")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	require.NotNil(t, report)
	assert.False(t, report.Passed)
}
