package ansible

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// agent is a directory that plays the system for the lifecycle agent.
type agent struct {
	t     *testing.T
	root  string
	bound int // seconds
}

func newAgent(t *testing.T) *agent {
	a := &agent{t: t, root: t.TempDir(), bound: 60}
	a.script("tools/aws", `echo "$*" >>"$CALLDATA_ROOT/calls"
[ "$AWS_DEFAULT_REGION" = us-east-1 ] || exit 2
case "$*" in *complete*) [ ! -e "$CALLDATA_ROOT/deaf" ] ;; esac`)
	a.script("tools/curl", `[ -e "$CALLDATA_ROOT/state" ] || exit 22
case "$*" in
  *"-X PUT"*/latest/api/token) echo token ;;
  *"X-aws-ec2-metadata-token: token"*/latest/meta-data/autoscaling/target-lifecycle-state) cat "$CALLDATA_ROOT/state" ;;
  *) exit 22 ;;
esac`)
	a.script("tools/sleep", `[ "$1" != infinity ] || { touch "$CALLDATA_ROOT/resting"; exec /bin/sleep 60; }
exec /bin/sleep 0.05`)
	require.NoError(t, os.MkdirAll(filepath.Join(a.root, "run/calldata"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(a.root, "etc/calldata/drain.d"), 0o700))
	return a
}

func (a *agent) put(name, text string) {
	path := filepath.Join(a.root, name)
	require.NoError(a.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(a.t, os.WriteFile(path, []byte(text), 0o600))
}

func (a *agent) script(name, text string) {
	a.put(name, "#!/bin/bash\n"+text+"\n")
	require.NoError(a.t, os.Chmod(filepath.Join(a.root, name), 0o700)) // #nosec G302 -- a program
}

func (a *agent) has(name string) bool {
	_, err := os.Stat(filepath.Join(a.root, name))
	return err == nil
}

func (a *agent) read(name string) string {
	text, err := os.ReadFile(filepath.Join(a.root, name))
	if !os.IsNotExist(err) {
		require.NoError(a.t, err)
	}
	return string(text)
}

// run runs the agent until done, and answers what it said.
func (a *agent) run(done func() bool) string {
	a.t.Helper()
	var said bytes.Buffer
	cmd := exec.Command("/bin/bash", "roles/fleet_node/files/calldata-lifecycle")
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = []string{
		"PATH=" + filepath.Join(a.root, "tools") + ":/usr/bin:/bin", "CALLDATA_ROOT=" + a.root, "CALLDATA_GROUP=stage-c4-sbc", "CALLDATA_HOOK=drain", "CALLDATA_INSTANCE=i-1",
		fmt.Sprintf("CALLDATA_DRAIN_SECONDS=%d", a.bound), "CALLDATA_POLL_SECONDS=5", "CALLDATA_HEARTBEAT_SECONDS=60", "AWS_DEFAULT_REGION=us-east-1",
	}
	require.NoError(a.t, cmd.Start())
	ended := assert.Eventually(a.t, done, 20*time.Second, 20*time.Millisecond)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	require.True(a.t, ended, said.String())
	return said.String()
}

const completion = "autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE --lifecycle-hook-name drain --auto-scaling-group-name stage-c4-sbc --instance-id i-1\n"

func TestLifecycleAgentWaitsForItsOrder(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.script("etc/calldata/drain.d/10-leave", `touch "$CALLDATA_ROOT/left"`)
	polls := 0
	a.run(func() bool {
		polls++
		if polls == 10 { // nobody answered until now
			a.put("state", "InService")
		}
		return polls > 30
	})
	assert.False(t, a.has("left"))
	assert.Empty(t, a.read("calls"))
}

func TestLifecycleAgentDrains(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.put("state", "Terminated")
	for _, name := range []string{"20-wait", "10-leave", "15-broken"} {
		a.script("etc/calldata/drain.d/"+name, `echo "${0##*/} $((CALLDATA_DRAIN_DEADLINE > EPOCHSECONDS))" >>"$CALLDATA_ROOT/order"; /bin/sleep 0.3; [ "${0##*/}" != 15-broken ]`)
	}
	a.put("etc/calldata/drain.d/README", "not executable")
	said := a.run(func() bool { return a.has("resting") })
	assert.Equal(t, "10-leave 1\n15-broken 1\n20-wait 1\n", a.read("order"))
	assert.Contains(t, said, "15-broken failed with code 1")
	calls := a.read("calls")
	assert.Contains(t, calls, "autoscaling record-lifecycle-action-heartbeat --lifecycle-hook-name drain --auto-scaling-group-name stage-c4-sbc --instance-id i-1\n")
	assert.Equal(t, 1, strings.Count(calls, completion), calls)
}

func TestLifecycleAgentKeepsTheBound(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.bound = 2
	a.put("state", "Terminated")
	a.script("etc/calldata/drain.d/20-after", `touch "$CALLDATA_ROOT/after"`)
	a.script("etc/calldata/drain.d/10-forever", "exec /bin/sleep 60")
	began := time.Now()
	said := a.run(func() bool { return a.has("resting") })
	assert.Less(t, time.Since(began), 10*time.Second)
	assert.Contains(t, said, "10-forever failed with code 124")
	assert.Contains(t, said, "the bound of 2 s is reached: 20-after")
	assert.False(t, a.has("after"))
	assert.Contains(t, a.read("calls"), completion)
}

// An agent that was restarted has what is left of the time, not all of it again.
func TestLifecycleAgentGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.put("state", "Terminated")
	a.script("etc/calldata/drain.d/10-wait", "exec /bin/sleep 60")
	a.run(func() bool { return a.read("run/calldata/drain-began") != "" })
	a.put("run/calldata/drain-began", fmt.Sprint(time.Now().Add(-time.Hour).Unix()))
	said := a.run(func() bool { return a.has("resting") })
	assert.Contains(t, said, "the bound of 60 s is reached: 10-wait")
	assert.Contains(t, a.read("calls"), completion)

	// Once drained, it only repeats that it is.
	require.NoError(t, os.Remove(filepath.Join(a.root, "resting")))
	a.put("calls", "")
	a.run(func() bool { return a.has("resting") })
	assert.Equal(t, completion, a.read("calls"))
}

func TestLifecycleAgentAsksUntilItIsHeard(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	a.put("state", "Terminated")
	a.put("deaf", "")
	a.run(func() bool { return strings.Count(a.read("calls"), completion) > 2 })
	require.NoError(t, os.Remove(filepath.Join(a.root, "deaf")))
	a.run(func() bool { return a.has("resting") })
}
