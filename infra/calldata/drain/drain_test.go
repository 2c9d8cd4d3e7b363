package drain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

// bench is a C4 machine that knows c4-maintenance, whose calls end one with each question, and the command.
type bench struct {
	opts     *Options
	stack    stacks.Outputs
	env      map[string]string
	out      bytes.Buffer
	played   []*configure.Options
	playErr  error
	replaced []string

	mu    sync.Mutex
	level string
	calls int
	stuck bool // calls do not end
	told  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{stack: stacktest.Stack(), level: "normal"}
	b.stack.Nodes[1].PrivateIP = "127.0.0.1"
	b.stack.Nodes[0].PrivateIP = "127.0.0.9"
	server := sshtest.Start(t, b.machine)
	b.env = stacktest.Environment(server)
	b.opts = &Options{
		IO:      &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: io.Discard, Getenv: func(name string) string { return b.env[name] }},
		members: stacktest.Members, port: server.Port, pause: time.Millisecond,
		play: func(_ context.Context, o *configure.Options) (*configure.Outcome, error) {
			b.played = append(b.played, o)
			b.level = o.Set["drain_level"].(string)
			return &configure.Outcome{}, b.playErr
		},
		replace: func(_ context.Context, region, instance string) error {
			b.replaced = append(b.replaced, region+" "+instance)
			return nil
		},
	}
	return b
}

func (b *bench) machine(command string) sshtest.Reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	level, set := strings.CutPrefix(command, "sudo -n c4-maintenance ")
	if set && !strings.HasPrefix(level, "status") {
		b.level = level
		b.told = append(b.told, level)
		return sshtest.Reply{}
	}
	reply := sshtest.Reply{Stdout: fmt.Sprintf(`{"level":"%s","active_calls":%d,"since":1764460800}`+"\n%d\n", b.level, b.calls, b.calls)}
	if b.calls > 0 && !b.stuck {
		b.calls--
	}
	return reply
}

func (b *bench) run(t *testing.T, args ...string) error {
	t.Helper()
	b.out.Reset()
	o := *b.opts
	cmd := newCmd(&o)
	cmd.SetArgs(append(args, "--outputs", stacktest.Write(t, b.stack)))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(t.Context())
}

func TestFixedMachine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.run(t, "trial", "trial-router-1", "--wait", "90s"))
	require.Len(t, b.played, 1)
	o := b.played[0]
	assert.Equal(t, "drain", o.Playbook)
	assert.Equal(t, "trial-router-1", o.Limit)
	assert.True(t, o.Own)
	assert.Equal(t, 90*time.Second+overhead, o.Timeout)
	assert.Equal(t, map[string]any{"drain_level": "drain", "drain_seconds": 90}, o.Set)
	assert.Equal(t, "trial-router-1: drain since 2025-11-30T00:00:00Z, 0 calls\n", b.out.String())

	require.NoError(t, b.run(t, "trial", "trial-router-1", "--back", "--json"))
	assert.Equal(t, "normal", b.played[1].Set["drain_level"])
	var status Status
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &status))
	assert.Equal(t, Status{Node: "trial-router-1", Level: Normal, Since: time.Unix(1764460800, 0).UTC()}, status)

	b.playErr, b.calls, b.stuck = errors.New("ansible-playbook drain.yml: failed hosts"), 3, true
	err := b.run(t, "trial", "trial-router-1")
	assert.Equal(t, cli.ExitTimeout, cli.Code(err))
	require.ErrorContains(t, err, "trial-router-1 has 3 calls after 2h0m0s (--wait): it stays out of service (drain)")
	b.calls = 0
	err = b.run(t, "trial", "trial-router-1")
	require.ErrorContains(t, err, "failed hosts", "another failure is told as it is")
	assert.Equal(t, cli.ExitError, cli.Code(err))
}

func TestMemberOfAFleet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.calls = 3
	require.NoError(t, b.run(t, "trial", stacktest.Member, "--level", "leave"))
	assert.Equal(t, []string{"leave"}, b.told)
	assert.Equal(t, stacktest.Member+": leave since 2025-11-30T00:00:00Z, 0 calls\n", b.out.String())
	assert.Empty(t, b.played)

	b.calls, b.stuck = 2, true
	err := b.run(t, "trial", stacktest.Member, "--wait", "1s")
	assert.Equal(t, cli.ExitTimeout, cli.Code(err))
	require.ErrorContains(t, err, "2 calls after 1s")
	require.NoError(t, b.run(t, "trial", stacktest.Member, "--back"), "nothing is waited for")
	assert.Equal(t, []string{"leave", "drain", "normal"}, b.told)
	require.NoError(t, b.run(t, "trial", stacktest.Member, "--status"))
	assert.Contains(t, b.out.String(), "normal since")
	assert.Len(t, b.told, 3)
}

func TestStopAsks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.ErrorContains(t, b.run(t, "trial", stacktest.Member, "--level", "stop"), "nobody can be asked")
	assert.Empty(t, b.told)
	b.opts.IO.In, b.opts.IO.InIsTerminal = strings.NewReader("trial\n"), true
	require.NoError(t, b.run(t, "trial", stacktest.Member, "--level", "stop"))
	require.NoError(t, b.run(t, "trial", stacktest.Member, "--level", "stop", "--yes"))
	assert.Equal(t, []string{"stop", "stop"}, b.told)
}

func TestReplace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.ErrorContains(t, b.run(t, "trial", stacktest.Member, "--replace"), "nobody can be asked")
	assert.Empty(t, b.replaced)
	require.NoError(t, b.run(t, "trial", stacktest.Member, "--replace", "--yes", "--json"))
	assert.Equal(t, []string{"eu-west-1 " + stacktest.Member}, b.replaced)
	assert.JSONEq(t, `{"node": "`+stacktest.Member+`", "replaced": true}`, b.out.String())
	assert.Empty(t, b.told, "the machine's own agent drains it")
}

func TestWhatAutoScalingIsAsked(t *testing.T) {
	var asked url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, _ = url.ParseQuery(string(body))
		_, _ = io.WriteString(w, `<TerminateInstanceInAutoScalingGroupResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><TerminateInstanceInAutoScalingGroupResult/></TerminateInstanceInAutoScalingGroupResponse>`)
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	require.NoError(t, replace(t.Context(), "eu-west-1", stacktest.Member))
	assert.Equal(t, "TerminateInstanceInAutoScalingGroup", asked.Get("Action"))
	assert.Equal(t, stacktest.Member, asked.Get("InstanceId"))
	assert.Equal(t, "false", asked.Get("ShouldDecrementDesiredCapacity"))
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	err := b.run(t, "trial", "trial-router-1", "--level", "normal", "--wait", "0s")
	for _, part := range []string{`--level is "normal"`, "--wait is 0s"} {
		require.ErrorContains(t, err, part)
	}
	for want, args := range map[string][]string{
		"is a role":                      {"trial", "c4-router"},
		"neither a C4 Router nor an SBC": {"trial", "trial-uc-1"},
		"is a fixed machine":             {"trial", "trial-router-1", "--replace", "--yes"},
		"want a stack and a machine":     {"trial"},
		`"nowhere"`:                      {"trial", "nowhere"},
	} {
		err := b.run(t, args...)
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err), err)
	}
	require.ErrorContains(t, b.run(t, "trial", "trial-router-1", "--back", "--status"), "exclude each other")
	assert.Empty(t, b.played)
	assert.Empty(t, b.told)

	b.env["CALLDATA_KNOWN_HOSTS"] = os.DevNull
	assert.Equal(t, cli.ExitUnreachable, cli.Code(b.run(t, "trial", stacktest.Member)))
}

// TestThePlaybookKnowsTheLevels keeps both sides equal.
func TestThePlaybookKnowsTheLevels(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"playbooks/tasks/drain.yml":              fmt.Sprintf("drain_level in ['%s', '%s', '%s']", Leave, Drain, Stop),
		"playbooks/drain.yml":                    fmt.Sprintf("drain_seconds: %d", int(defaultWait.Seconds())),
		"roles/c4_kamailio/files/c4-maintenance": fmt.Sprintf("%s | %s | %s | %s)", Normal, Leave, Drain, Stop),
	} {
		text, err := os.ReadFile("../../../ansible/" + file)
		require.NoError(t, err)
		assert.Contains(t, string(text), want)
	}
}
