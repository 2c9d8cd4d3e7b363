package release

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/drain"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestMachines(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var commands []string
	states := []string{"activating", "activating", "inactive"}
	server := sshtest.Start(t, func(command string) sshtest.Reply {
		mu.Lock()
		defer mu.Unlock()
		commands = append(commands, command)
		switch {
		case command == busyScript:
			return sshtest.Reply{Stdout: "7\n61\n"}
		case command == claimedScript:
			state := states[0]
			states = states[min(1, len(states)-1):]
			return sshtest.Reply{Stdout: state + "\n"}
		}
		return sshtest.Reply{}
	})
	env := stacktest.Environment(server)
	stack := stacktest.Stack()
	m := &sshMachines{stack: stack, getenv: func(name string) string { return env[name] }, pause: time.Millisecond, port: server.Port}
	nodes, err := stacktest.Members(t.Context(), stack, stacks.RoleC4SBC)
	require.NoError(t, err)

	require.NoError(t, m.level(t.Context(), nodes[0], drain.Drain))
	calls, phones, err := m.busy(t.Context(), nodes[0])
	require.NoError(t, err)
	assert.Equal(t, 7, calls)
	assert.Equal(t, 61*time.Second, phones)
	require.NoError(t, m.claim(t.Context(), nodes[0]))
	assert.Equal(t, []string{"sudo -n c4-maintenance drain", busyScript, claimScript, claimedScript, claimedScript, claimedScript}, commands)

	states = []string{"failed"}
	assert.ErrorContains(t, m.claim(t.Context(), nodes[0]), "boot.log says why")

	away := nodes[0]
	away.PrivateIP = "127.0.0.9"
	_, _, err = m.busy(t.Context(), away)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err), err)
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	for _, out := range []string{"", "7", "7 8 9", "many 0", "0 soon"} {
		_, _, err := parseBusy(out)
		assert.Error(t, err, strings.TrimSpace(out))
	}
}
