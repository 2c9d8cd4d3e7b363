package release

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
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
	states := []string{"inactive", "activating", "active"} // at first it has not begun
	server := sshtest.Start(t, func(command string) sshtest.Reply {
		mu.Lock()
		defer mu.Unlock()
		commands = append(commands, command)
		switch command {
		case busyScript:
			return sshtest.Reply{Stdout: "7\n61\n"}
		case claimedScript:
			state := states[0]
			states = states[min(1, len(states)-1):] // the last one stays
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

	require.NoError(t, m.announce(t.Context(), nodes[0], netip.MustParseAddr("192.0.2.5")))
	assert.Contains(t, commands[len(commands)-1], "s/^PUBLIC_ADDRESS=.*/PUBLIC_ADDRESS=192.0.2.5/")

	states = []string{"failed"}
	assert.ErrorContains(t, m.claim(t.Context(), nodes[0]), "boot.log says why")

	away := nodes[0]
	away.PrivateIP = "127.0.0.9"
	_, _, err = m.busy(t.Context(), away)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err), err)
}

// A claim is begun once: an earlier one that has begun, or is about to, goes on, and one that has ended is cleared away.
func TestClaimScript(t *testing.T) {
	t.Parallel()
	const begin = "systemd-run --quiet --unit=calldata-claim --property=Type=oneshot --property=RemainAfterExit=yes --no-block --setenv=CALLDATA_CLAIM=yes /usr/local/sbin/calldata-boot"
	for name, c := range map[string]struct {
		state, job string
		begins     bool
	}{
		"never":      {"inactive", "", true},
		"waits":      {"inactive", "4711", false},
		"runs":       {"activating", "4711", false},
		"has done":   {"active", "", true},
		"has failed": {"failed", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, script string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+script+"\n"), 0o700))
			}
			write("sudo", `shift; exec "$@"`)
			write("systemd-run", `echo "systemd-run $*" >>`+dir+`/did`)
			write("systemctl", fmt.Sprintf(`case "$*" in
"show -P ActiveState calldata-claim") echo %s ;;
"show -P Job calldata-claim") echo %s ;;
*) echo "systemctl $*" >>%s/did; [ "$1" != reset-failed ] ;; esac`, c.state, c.job, dir))
			cmd := exec.CommandContext(t.Context(), "bash", "-c", claimScript)
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			did, _ := os.ReadFile(filepath.Join(dir, "did")) // nothing is done where it is missing
			if !c.begins {
				assert.Empty(t, string(did))
				return
			}
			assert.Equal(t, "systemctl stop calldata-claim\nsystemctl reset-failed calldata-claim\n"+begin+"\n", string(did))
		})
	}
}

// What a machine prints is what is read: calls, and the seconds until the last registration runs out.
func TestBusyScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		registered string
		least      time.Duration
	}{
		"a phone is registered":  {`echo "name: registered"; echo "value: $(($(date +%s) + 60))"`, 55 * time.Second},
		"all have gone":          {`echo "name: registered"; echo "value: $(($(date +%s) - 60))"`, 0},
		"nobody was ever called": {"exit 1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, script := range map[string]string{"sudo": `shift; exec "$@"`, "c4-active-calls": "echo 7", "kamcmd": c.registered} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+script+"\n"), 0o700))
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-c", busyScript)
			cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			calls, phones, err := parseBusy(string(out))
			require.NoError(t, err, string(out))
			assert.Equal(t, 7, calls)
			assert.GreaterOrEqual(t, phones, c.least)
			assert.LessOrEqual(t, phones, c.least+5*time.Second)
		})
	}
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	for _, out := range []string{"", "7", "7 8 9", "many 0", "0 soon"} {
		_, _, err := parseBusy(out)
		assert.Error(t, err, strings.TrimSpace(out))
	}
}
