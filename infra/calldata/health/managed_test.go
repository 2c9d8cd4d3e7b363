package health

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestMain lets the test's binary stand for a relay, which the fake AWS CLI becomes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "tunnel" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		cmd := tunnel.NewCmdTunnel(cli.System())
		cmd.SetArgs(os.Args[2:])
		os.Exit(cli.Code(cmd.ExecuteContext(ctx)))
	}
	os.Exit(m.Run())
}

const managedID = "i-0123456789abcdef0"

// awsCLI puts an AWS CLI that is a shell script, and its plugin, first on PATH.
func awsCLI(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"aws": "#!/bin/sh\n" + script + "\n", "session-manager-plugin": "#!/bin/sh\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// newStage is a stack like stage, of which one SSH server is every machine, reached through a tunnel.
func newStage(t *testing.T, script map[string]string, env map[string]string) (*world, *sshtest.Server) {
	t.Helper()
	w := newWorld(t, script, http.StatusOK, configured)
	m := startMachine(t, script)
	node := func(name string, role stacks.Role) stacks.Node {
		return stacks.Node{
			Name: name, Roles: []stacks.Role{role}, InstanceID: managedID, PrivateIP: "127.0.0.1", PublicIP: "192.0.2.1", User: "admin", Access: stacks.AccessSSM,
		}
	}
	w.checker.stack = stacks.Outputs{
		Stack: "stage", Region: "eu-west-1",
		Nodes: []stacks.Node{node("stage-uc-1", stacks.RoleUCEngine), node("stage-router-1", stacks.RoleC4Router), node("stage-sbc-1", stacks.RoleC4SBC)},
	}
	settings := map[string]string{login.KeyVariable: m.KeyFile, login.KnownHostsVariable: m.KnownHosts}
	for name, value := range env {
		settings[name] = value
	}
	var err error
	w.checker.login, err = login.New(t.Context(), w.checker.stack, environment(settings))
	require.NoError(t, err)
	w.checker.login.Port = m.Port
	return w, m
}

// byNode is the checks of a report, by node and name.
func byNode(report Report) map[string]Result {
	found := map[string]Result{}
	for _, c := range report.Checks {
		found[c.Node+" "+c.Name] = c
	}
	return found
}

func TestStage(t *testing.T) {
	for _, way := range []string{"", "direct"} {
		awsCLI(t, "exit 1")
		w, m := newStage(t, sound(), map[string]string{tunnel.Variable: way})
		binary, err := os.Executable()
		require.NoError(t, err)
		awsCLI(t, fmt.Sprintf("exec '%s' tunnel --via direct --instance %s --region eu-west-1 --host 127.0.0.1 --port %d", binary, managedID, m.Port))
		report, _, err := w.run(t)
		require.NoError(t, err, w.out.String())
		found := byNode(report)
		want := map[string]string{"": "admin@" + managedID, "direct": "admin@127.0.0.1"}[way]
		for _, node := range []string{"stage-uc-1", "stage-router-1", "stage-sbc-1"} {
			assert.Equal(t, want, found[node+" ssh"].Detail)
			for _, name := range []string{CheckSSH, CheckCloudInit, CheckUnits, CheckDisk, CheckTime} {
				assert.Equal(t, verdict.OK, found[node+" "+name].Status, "%s %s: %s", node, name, found[node+" "+name].Detail)
			}
		}
		assert.Contains(t, found["stage-uc-1 units"].Detail, "units active, none failed")
		assert.Equal(t, "2 units active, none failed", found["stage-sbc-1 units"].Detail)
		assert.Equal(t, "SIP is answered, 1 of 1 Routers take calls", found["stage-sbc-1 sip"].Detail)
		assert.NotContains(t, found, "stage-router-1 sip", "what a Router gives calls to is its routing's")
		assert.Contains(t, found, "stage-uc-1 postgresql")
		assert.NotContains(t, found, "stage-router-1 postgresql", "a Router's database is elsewhere")
	}
}

// The machines of fleets in service are looked at as well, whose host keys nobody has seen yet.
func TestMachinesOfFleets(t *testing.T) {
	w, m := newStage(t, sound(), map[string]string{tunnel.Variable: "direct"})
	t.Chdir(t.TempDir())
	w.checker.getenv = environment(map[string]string{login.KeyVariable: m.KeyFile, tunnel.Variable: "direct"})
	member := w.checker.stack.Nodes[2]
	member.Name = member.InstanceID
	gone := member
	gone.Name, gone.InstanceID, gone.PrivateIP = "i-0bbbbbbbbbbbbbbb2", "i-0bbbbbbbbbbbbbbb2", "127.0.0.9"
	w.checker.stack.Fleets = []stacks.Fleet{{Name: "stage-sbc", Role: stacks.RoleC4SBC}}
	asked := 0
	w.checker.aws = func(_ context.Context, out stacks.Outputs) map[string]found {
		asked = len(out.Nodes)
		return nil
	}
	w.checker.groups = func(context.Context, stacks.Outputs) map[string]fleetState {
		return map[string]fleetState{"stage-sbc": {found: ok("2 of 2 machines in service"), serving: []stacks.Node{member, gone}}}
	}
	report, _, err := w.run(t)
	assert.Equal(t, 5, asked, "EC2 is asked for all of them")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err), err)
	found := byNode(report)
	assert.Equal(t, "2 of 2 machines in service", found["stage-sbc "+CheckFleet].Detail)
	for _, name := range []string{CheckSSH, CheckUnits, CheckSIP} {
		assert.Equal(t, verdict.OK, found[managedID+" "+name].Status, found[managedID+" "+name].Detail)
	}
	assert.Equal(t, verdict.Fail, found[gone.Name+" ssh"].Status)
	assert.Equal(t, verdict.Skip, found[gone.Name+" sip"].Status)
	known, err := os.ReadFile(filepath.Join(".calldata", "stage", "known_hosts"))
	require.NoError(t, err)
	assert.Contains(t, string(known), managedID)
}

func TestUnitsOfClass4(t *testing.T) {
	for name, c := range map[string]struct {
		command, answer string
		status          verdict.Status
		detail          string
	}{
		"a unit failed": {"list-units --failed", "foo.service loaded failed failed Foo\ndisabled=0\n", verdict.Fail, "foo failed"},
		"stopped":       {"kamailio.service ||", "inactive\n", verdict.Fail, "kamailio inactive"},
		"no systemd":    {"kamailio.service ||", "exit:systemctl: command not found", verdict.Fail, "command not found"},
	} {
		t.Run(name, func(t *testing.T) {
			script := sound()
			script[c.command] = c.answer
			w, _ := newStage(t, script, map[string]string{tunnel.Variable: "direct"})
			report, _, _ := w.run(t)
			got := byNode(report)["stage-router-1 units"]
			assert.Equal(t, c.status, got.Status, got.Detail)
			assert.Contains(t, got.Detail, c.detail)
		})
	}
}

// Units are active in all of these.
func TestSBCThatCallsDoNotGetThrough(t *testing.T) {
	for name, c := range map[string]struct {
		command, answer string
		status          verdict.Status
		detail          string
	}{
		"silent":             {"OPTIONS sip:", "silence\n", verdict.Fail, "no answer to OPTIONS on 127.0.0.1:5060: silence"},
		"nobody listens":     {"OPTIONS sip:", "Connection refused\n", verdict.Fail, "Connection refused"},
		"refused":            {"OPTIONS sip:", "SIP/2.0 513 Message Too Large\n", verdict.Fail, "answered with 513 Message Too Large"},
		"drained":            {"OPTIONS sip:", "SIP/2.0 503 Leaving\n", verdict.Warn, "leaving on purpose"},
		"no Python":          {"OPTIONS sip:", "exit:python3: command not found", verdict.Fail, "command not found"},
		"one Router is down": {"dispatcher.list", "FLAGS: IP\nFLAGS: TP\n", verdict.Warn, "1 of 2 Routers take calls"},
		"all are down":       {"dispatcher.list", "FLAGS: IP\nFLAGS: DX\n", verdict.Fail, "0 of 2 Routers take calls"},
		"none is known":      {"dispatcher.list", "", verdict.Fail, "0 of 0 Routers take calls"},
		"no Kamailio":        {"dispatcher.list", "exit:ERROR: connect_unix_sock", verdict.Fail, "connect_unix_sock"},
	} {
		t.Run(name, func(t *testing.T) {
			script := sound()
			script[c.command] = c.answer
			w, _ := newStage(t, script, map[string]string{tunnel.Variable: "direct"})
			report, _, err := w.run(t)
			got := byNode(report)["stage-sbc-1 sip"]
			assert.Equal(t, c.status, got.Status, got.Detail)
			assert.Contains(t, got.Detail, c.detail)
			assert.Equal(t, map[verdict.Status]int{verdict.Fail: cli.ExitUnhealthy}[c.status], cli.Code(err))
		})
	}
}

// What the machine is asked with is a program: it runs here against a SIP server and against nobody.
func TestSIPQuestion(t *testing.T) {
	t.Parallel()
	ask := func(port int) string {
		t.Helper()
		out, err := exec.Command("sh", "-c", fmt.Sprintf(sipQuestion, "127.0.0.1", port)).CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	asked := make(chan string, 1)
	go func() {
		buffer := make([]byte, 65535)
		n, from, err := server.ReadFromUDP(buffer)
		asked <- string(buffer[:n])
		if err == nil {
			_, _ = server.WriteToUDP([]byte("SIP/2.0 503 Leaving\r\nContent-Length: 0\r\n\r\n"), from)
		}
	}()
	port := server.LocalAddr().(*net.UDPAddr).Port
	assert.Equal(t, "SIP/2.0 503 Leaving", ask(port))
	request := <-asked
	assert.True(t, strings.HasPrefix(request, fmt.Sprintf("OPTIONS sip:127.0.0.1:%d SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:", port)), request)
	assert.True(t, strings.HasSuffix(request, "Content-Length: 0\r\n\r\n"), request)
	require.NoError(t, server.Close())
	assert.Equal(t, "Connection refused", ask(port))
}

func TestWhatAWSSaysIsShown(t *testing.T) {
	awsCLI(t, `echo "An error occurred (TargetNotConnected) when calling the StartSession operation: `+managedID+` is not connected." >&2; exit 254`)
	w, _ := newStage(t, sound(), nil)
	report, _, err := w.run(t)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	got := byNode(report)
	assert.Contains(t, got["stage-sbc-1 ssh"].Detail, managedID+": ")
	assert.Contains(t, got["stage-sbc-1 ssh"].Detail, "TargetNotConnected")
	assert.Equal(t, verdict.Skip, got["stage-sbc-1 disk"].Status)
}

// A name without a record is nothing to call the machines ill for.
func TestNameThatDoesNotResolve(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sound(), http.StatusOK, configured)
	// RFC 2606: nothing is called that.
	site, err := newWeb("https://stage.invalid", 0)
	require.NoError(t, err)
	w.checker.web = site
	report, found, err := w.run(t)
	require.NoError(t, err, w.out.String())
	assert.True(t, report.Healthy)
	for _, name := range []string{CheckAPI, CheckWizard, CheckCertificate} {
		assert.Equal(t, verdict.Warn, found[name].Status)
		assert.Contains(t, found[name].Detail, "not checked: stage.invalid does not resolve here")
	}
}

func TestTunnelsAreCheckedFirst(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	m := startMachine(t, nil)
	run := func(id, way string) error {
		outputs := fmt.Sprintf(`{"stack":"stage","region":"eu-west-1","nodes":[{"name":"stage-sbc-1","roles":["c4-sbc"],"instanceId":%q,
"zone":"z","privateIp":"127.0.0.1","user":"admin","access":"ssm"}],"endpoints":{"web":"https://127.0.0.1","sip":"sip:127.0.0.1"}}`, id)
		env := environment(map[string]string{login.KeyVariable: m.KeyFile, login.KnownHostsVariable: "/nowhere/known", tunnel.Variable: way})
		if way != "vpn" {
			env = environment(map[string]string{login.KeyVariable: m.KeyFile, login.KnownHostsVariable: m.KnownHosts, tunnel.Variable: way})
		}
		var out bytes.Buffer
		cmd := NewCmdHealth(&cli.IO{In: strings.NewReader(outputs), Out: &out, Err: io.Discard, Getenv: env})
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs([]string{"--outputs", "-"})
		return cmd.Execute()
	}
	err := run(managedID, "")
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	assert.ErrorContains(t, err, "session-manager-plugin is not on PATH")
	err = run("i-1", "vpn")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, part := range []string{`stage-sbc-1: instance is "i-1"`, `CALLDATA_TUNNEL is "vpn"`, "/nowhere/known"} {
		assert.ErrorContains(t, err, part)
	}
}
