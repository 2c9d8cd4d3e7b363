package smoke

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/sip/siptest"
	"github.com/calldata/calldata-foundation/stacks"
)

const password = "s3cret-of-the-line"

// command runs `calldata smoke` against the endpoint and answers what it printed.
type command struct {
	out, err bytes.Buffer
}

func (c *command) run(ctx context.Context, t *testing.T, endpoint, secrets string, args ...string) error {
	t.Helper()
	outputs := fmt.Sprintf(`{"stack":"dev","region":"us-east-1","nodes":[{"name":"dev-uc-1","roles":["uc-engine"],
"instanceId":"i-1","zone":"us-east-1a","privateIp":"10.20.0.5","user":"admin"}],
"endpoints":{"web":"https://127.0.0.1","sip":%q,"carriers":"sip:carriers.example.com"}}`, endpoint)
	streams := &cli.IO{
		In: strings.NewReader(outputs), Out: &c.out, Err: &c.err,
		Getenv: func(name string) string { return map[string]string{fileVariable: secrets}[name] },
	}
	cmd := NewCmdSmoke(streams)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(append([]string{"--outputs", "-", "--tone", "400ms"}, args...))
	return cmd.ExecuteContext(ctx)
}

// steps answers the status of each step.
func steps(t *testing.T, report string) (Report, map[string]verdict.Status) {
	t.Helper()
	var r Report
	require.NoError(t, json.Unmarshal([]byte(report), &r))
	found := map[string]verdict.Status{}
	for _, s := range r.Steps {
		found[s.Name] = s.Status
	}
	return r, found
}

func secretsFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets.yml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func secrets(t *testing.T) string {
	return secretsFile(t, "engine_api_root_password: other\nsmoke_sip_password: "+password+"\n", 0o600)
}

func TestSoundEngine(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{})
	var c command
	require.NoError(t, c.run(context.Background(), t, engine.Endpoint(), secrets(t), "--json"))
	report, status := steps(t, c.out.String())
	assert.True(t, report.Passed)
	for _, name := range []string{StepOptions, StepRefuse, StepRegister, StepCall, StepMedia, StepHangup, StepUnregister} {
		assert.Equal(t, verdict.OK, status[name], name)
	}
	require.NotNil(t, report.Media)
	assert.Equal(t, 20, report.Media.Sent)
	assert.GreaterOrEqual(t, report.Media.Echoed, 19)
	assert.Empty(t, engine.Bound(), "the registration is taken back")
	assert.Eventually(t, func() bool { return engine.Calls() == 0 }, 2*time.Second, time.Millisecond, "the call is hung up")
	assert.NotContains(t, c.out.String()+c.err.String(), password)
}

func TestTable(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{InviteCode: 486})
	var c command
	err := c.run(context.Background(), t, engine.Endpoint(), secrets(t))
	assert.ErrorContains(t, err, "486")
	lines := strings.Split(strings.TrimSpace(c.out.String()), "\n")
	require.Len(t, lines, 8)
	assert.Regexp(t, `^STEP +STATUS +TIME +DETAIL$`, lines[0])
	assert.Regexp(t, `^register +ok +\d+\.\ds +401 Unauthorized challenged, then 200 OK$`, lines[3])
	assert.Regexp(t, `^call +fail .*486`, lines[4])
	assert.Regexp(t, `^media +skip .*after call failed$`, lines[5])
	assert.Regexp(t, `^unregister +ok`, lines[7])
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		faults siptest.Faults
		step   string
		detail string
		media  bool // the call was up
	}{
		"wrong password accepted":     {siptest.Faults{AnyPassword: true}, StepRefuse, "anybody can take this line", true},
		"no digest for REGISTER":      {siptest.Faults{OpenRegistrar: true}, StepRefuse, "anybody can take this line", false},
		"no digest for INVITE":        {siptest.Faults{OpenCalls: true}, StepCall, "anybody can place calls", true},
		"no RTP back":                 {siptest.Faults{DropEvery: 1}, StepMedia, "no audio came back: 20 RTP packets sent", true},
		"loss":                        {siptest.Faults{DropEvery: 4}, StepMedia, "25.0 % of the audio was lost", true},
		"other audio":                 {siptest.Faults{Garble: true}, StepMedia, "not what was sent", true},
		"busy":                        {siptest.Faults{InviteCode: 486}, StepCall, "INVITE was answered with 486", false},
		"no such extension":           {siptest.Faults{InviteCode: 404}, StepCall, "INVITE was answered with 404", false},
		"hangs up in the middle":      {siptest.Faults{HangUpAfter: 100 * time.Millisecond}, StepMedia, "hung up early", true},
		"INVITE is never answered":    {siptest.Faults{Mute: true}, StepCall, "no reply to INVITE from udp:127.0.0.1:", false},
		"the phone rings for ever":    {siptest.Faults{Ring: true}, StepCall, "no reply to INVITE from udp:127.0.0.1:", false},
		"engine with another account": {siptest.Faults{}, StepRegister, "smoke_sip_password", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held := password
			if name == "engine with another account" {
				held = "another password"
			}
			engine := siptest.Start(t, stacks.SmokeUser, held, test.faults)
			var report Report
			code, err := runWith(t, engine.Endpoint(), &report, time.Second)
			require.Error(t, err)
			assert.Equal(t, cli.ExitUnhealthy, code)
			failed, _ := report.failed()
			assert.Equal(t, test.step, failed.Name)
			assert.Contains(t, failed.Detail, test.detail)
			assert.Equal(t, test.media, report.Media != nil)
			assert.Empty(t, engine.Bound(), "the registration is taken back")
			assert.NotContains(t, err.Error(), password)
			if test.faults.Ring {
				assert.Eventually(t, engine.Cancelled, 2*time.Second, time.Millisecond, "the call is cancelled")
			}
		})
	}
}

// runWith runs the command's work with another patience for replies than a person has.
func runWith(t *testing.T, endpoint string, report *Report, patience time.Duration) (code int, err error) {
	t.Helper()
	var out, progress bytes.Buffer
	outputs := filepath.Join(t.TempDir(), "outputs.json")
	require.NoError(t, os.WriteFile(outputs, fmt.Appendf(nil, `{"stack":"dev","region":"us-east-1","nodes":[{"name":"a",
"roles":["uc-engine"],"instanceId":"i-1","zone":"z","privateIp":"10.20.0.5","user":"admin"}],
"endpoints":{"web":"https://127.0.0.1","sip":%q}}`, endpoint), 0o600))
	opts := &Options{
		IO:          &cli.IO{Out: &out, Err: &progress, Getenv: os.Getenv},
		SecretsFile: secrets(t), Extension: stacks.SmokeExtension, Timeout: 20 * time.Second, Tone: 400 * time.Millisecond,
		JSON: true, reply: patience,
	}
	opts.Source.File = outputs
	err = run(context.Background(), opts)
	if out.Len() > 0 {
		*report, _ = steps(t, out.String())
	}
	return cli.Code(err), err
}

func TestSilentEndpoint(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // hears and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	var report Report
	code, err := runWith(t, "sip:"+conn.LocalAddr().String(), &report, 300*time.Millisecond)
	assert.Equal(t, cli.ExitUnreachable, code)
	require.ErrorContains(t, err, "no reply to OPTIONS from udp:127.0.0.1:")
	_, status := steps(t, mustJSON(t, report))
	assert.Equal(t, verdict.Skip, status[StepCall])
	assert.Equal(t, verdict.Skip, status[StepUnregister])
}

func mustJSON(t *testing.T, report Report) string {
	t.Helper()
	text, err := json.Marshal(report)
	require.NoError(t, err)
	return string(text)
}

func TestTotalTimeout(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{Mute: true})
	var c command
	err := c.run(context.Background(), t, engine.Endpoint(), secrets(t), "--json", "--timeout", "700ms")
	assert.Equal(t, cli.ExitTimeout, cli.Code(err))
	assert.Empty(t, engine.Bound(), "the registration is taken back even so")
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for engine.Calls() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	var c command
	err := c.run(ctx, t, engine.Endpoint(), secrets(t), "--json", "--tone", "30s")
	assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
	_, status := steps(t, c.out.String())
	assert.Equal(t, verdict.OK, status[StepHangup], "the call is hung up after Ctrl-C")
	assert.Equal(t, verdict.OK, status[StepUnregister], "the registration is taken back after Ctrl-C")
	assert.Empty(t, engine.Bound())
}

func TestWrongInput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		endpoint, secrets string
		args, errors      []string
	}{
		"everything at once": {
			endpoint: "sip:127.0.0.1", secrets: "",
			args:   []string{"--tone", "1h", "--timeout", "-1s", "--local-ip", "here", "--address", "there", "--extension", ""},
			errors: []string{"--tone", "--timeout", "--local-ip", "--address", "--extension", fileVariable + " is not set"},
		},
		"secrets for all":   {endpoint: "sip:127.0.0.1", secrets: secretsFile(t, "smoke_sip_password: x", 0o644), errors: []string{"0644", "chmod 600"}},
		"no secret":         {endpoint: "sip:127.0.0.1", secrets: secretsFile(t, "other: x", 0o600), errors: []string{"smoke_sip_password"}},
		"a number":          {endpoint: "sip:127.0.0.1", secrets: secretsFile(t, "smoke_sip_password: 1234", 0o600), errors: []string{"no text"}},
		"not YAML":          {endpoint: "sip:127.0.0.1", secrets: secretsFile(t, "TOPSECRET", 0o600), errors: []string{"not a YAML map"}},
		"no file":           {endpoint: "sip:127.0.0.1", secrets: "/nowhere/secrets.yml", errors: []string{"/nowhere/secrets.yml"}},
		"TLS endpoint":      {endpoint: "sips:127.0.0.1", secrets: secrets(t), errors: []string{`"sips:127.0.0.1"`}},
		"TCP endpoint":      {endpoint: "sip:127.0.0.1;transport=tcp", secrets: secrets(t), errors: []string{"only UDP"}},
		"endpoint of a man": {endpoint: "sip:a@127.0.0.1", secrets: secrets(t), errors: []string{"names a user"}},
		"no phones":         {endpoint: "", secrets: secrets(t), errors: []string{"no phone reaches this stack", "sipEdges"}},
		"port 0":            {endpoint: "sip:127.0.0.1:0", secrets: secrets(t), errors: []string{"port"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c command
			err := c.run(context.Background(), t, test.endpoint, test.secrets, test.args...)
			require.Error(t, err)
			assert.Equal(t, cli.ExitUsage, cli.Code(err))
			for _, part := range test.errors {
				assert.ErrorContains(t, err, part)
			}
			assert.NotContains(t, err.Error(), "TOPSECRET")
			assert.Empty(t, c.out.String())
		})
	}
}

func TestUnusableLocalAddress(t *testing.T) {
	t.Parallel()
	var c command
	// TEST-NET-2 (RFC 5737): no machine has it.
	err := c.run(context.Background(), t, "sip:127.0.0.1:9", secrets(t), "--local-ip", "198.51.100.1")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.ErrorContains(t, err, "198.51.100.1")
}

// Stacks with an edge have a name, whose records not everybody sees.
func TestEndpointWithAName(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{})
	at := strings.Split(strings.TrimPrefix(engine.Endpoint(), "sip:"), ";")[0]
	host, port, err := net.SplitHostPort(at)
	require.NoError(t, err)
	for _, c := range []struct{ name, address string }{{"localhost", ""}, {"sip.stage.invalid", host}} {
		var out command
		require.NoError(t, out.run(context.Background(), t, "sip:"+c.name+":"+port+";transport=udp", secrets(t), "--json", "--address", c.address), out.out.String())
		report, _ := steps(t, out.out.String())
		assert.True(t, report.Passed)
		assert.Equal(t, "sip:"+c.name+":"+port+";transport=udp", report.Endpoint)
	}
	var out command
	err = out.run(context.Background(), t, "sip:sip.stage.invalid:"+port, secrets(t))
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.ErrorContains(t, err, "--address calls an address instead")
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]endpoint{
		"sip:203.0.113.10:5060;transport=udp": {"203.0.113.10", 5060},
		"sip:203.0.113.10":                    {"203.0.113.10", 5060},
		"sip:pbx.example.test:5080":           {"pbx.example.test", 5080},
		"sip:[2001:db8::1]:5060":              {"2001:db8::1", 5060},
		"sip:[2001:db8::1];lr;transport=UDP":  {"2001:db8::1", 5060},
	} {
		got, err := parseEndpoint(uri)
		require.NoError(t, err, uri)
		assert.Equal(t, want, got, uri)
	}
}
