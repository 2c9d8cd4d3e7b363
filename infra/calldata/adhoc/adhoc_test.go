package adhoc

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

func call(t *testing.T, stack stacks.Outputs, args ...string) (*configure.Options, []string, error) {
	t.Helper()
	var got *configure.Options
	var given []string
	cmd := newCmd(&Options{
		IO: &cli.IO{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard},
		start: func(_ context.Context, o *configure.Options, args []string) error {
			got, given = o, args
			return nil
		},
	})
	cmd.SetArgs(append([]string{"--outputs", stacktest.Write(t, stack)}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return got, given, err
}

func TestAnsible(t *testing.T) {
	t.Parallel()
	o, args, err := call(t, stacktest.Stack(), "trial", "--", "c4_router", "-b", "-a", "kamcmd core.uptime")
	require.NoError(t, err)
	assert.Equal(t, []string{"c4_router", "-b", "-a", "kamcmd core.uptime"}, args)
	assert.Equal(t, "trial", o.Stack)
	require.Len(t, o.Machines.Hosts, 2)
	assert.Equal(t, "trial-router-1", o.Machines.Hosts[0].Name)
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	old := stacktest.Stack()
	old.Nodes[0].Firewall = nil
	for want, c := range map[string]struct {
		stack stacks.Outputs
		args  []string
	}{
		"after --":                      {stacktest.Stack(), []string{"trial", "all"}},
		"what Ansible is to do":         {stacktest.Stack(), []string{"trial", "--"}},
		"want a stack":                  {stacktest.Stack(), []string{"trial", "prod", "--", "all"}},
		`not of --stack "prod"`:         {stacktest.Stack(), []string{"prod", "--", "all"}},
		"inventory of stack trial: inv": {old, []string{"trial", "--", "all"}},
	} {
		o, _, err := call(t, c.stack, c.args...)
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		assert.Nil(t, o, "nothing was started")
	}
}
