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
			out, did, err := onMachine(t, claimScript, map[string]string{
				"systemd-run": `echo "systemd-run $*" >>did`,
				"systemctl": fmt.Sprintf(`case "$*" in
"show -P ActiveState calldata-claim") echo %s ;;
"show -P Job calldata-claim") echo %s ;;
*) echo "systemctl $*" >>did; [ "$1" != reset-failed ] ;; esac`, c.state, c.job),
			})
			require.NoError(t, err, out)
			if !c.begins {
				assert.Empty(t, did)
				return
			}
			assert.Equal(t, "systemctl stop calldata-claim\nsystemctl reset-failed calldata-claim\n"+begin+"\n", did)
		})
	}
}

// An SBC whose address cannot be told keeps its services as they are, and any other has them take the address.
func TestAnnounceScript(t *testing.T) {
	t.Parallel()
	const written = "sed -i s/^PUBLIC_ADDRESS=.*/PUBLIC_ADDRESS=192.0.2.5/ /etc/calldata/c4-public-address.env\n"
	for name, c := range map[string]struct {
		tell, did string
		fails     bool
	}{
		"another address":            {"echo changed", written + "systemctl restart rtpengine-daemon kamailio\n", false},
		"the restart was cut off":    {"exit 0", written + "systemctl restart rtpengine-daemon kamailio\n", false},
		"its files are not to write": {"echo changed; exit 1", written, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, did, err := onMachine(t, fmt.Sprintf(announceScript, "192.0.2.5"), map[string]string{
				"sed": `echo "sed $*" >>did`, "systemctl": `echo "systemctl $*" >>did`, "c4-public-address": c.tell,
			})
			assert.Equal(t, c.fails, err != nil, out)
			assert.Equal(t, c.did, did)
		})
	}
}

// onMachine runs a script as if on a machine that has these programs, and answers what it said, and what the programs wrote to the file did.
func onMachine(t *testing.T, script string, programs map[string]string) (out, did string, err error) {
	t.Helper()
	bin := t.TempDir()
	for name, text := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\n"+text+"\n"), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(bin, "sudo"), []byte("#!/bin/bash\nshift; exec \"$@\"\n"), 0o700))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	said, err := cmd.CombinedOutput()
	done, _ := os.ReadFile(filepath.Join(cmd.Dir, "did")) // nothing is done where it is missing
	return string(said), string(done), err
}

// What a machine prints is what is read: calls, and the seconds until the last registration runs out.
func TestBusyScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		registered string
		phones     time.Duration
	}{
		"a phone is registered":  {`echo "name: registered"; echo "value: 1060"`, time.Minute},
		"all have gone":          {`echo "name: registered"; echo "value: 940"`, 0},
		"nobody was ever called": {"exit 1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := onMachine(t, busyScript, map[string]string{"c4-active-calls": "echo 7", "kamcmd": c.registered, "date": "echo 1000"})
			require.NoError(t, err, out)
			calls, phones, err := parseBusy(out)
			require.NoError(t, err, out)
			assert.Equal(t, 7, calls)
			assert.Equal(t, c.phones, phones)
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
