package health

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// startMachine starts an SSH server that answers from a script: the answer of the first key that the command contains. An
// answer that begins with "exit:" ends the command with status 1 and that message; one that begins with "clock:" is the time,
// so much off, and what else is said of it.
func startMachine(t *testing.T, script map[string]string) *sshtest.Server {
	t.Helper()
	return sshtest.Start(t, func(command string) sshtest.Reply {
		for part, answer := range script {
			if !strings.Contains(command, part) {
				continue
			}
			if message, failed := strings.CutPrefix(answer, "exit:"); failed {
				return sshtest.Reply{Stderr: message, Code: 1}
			}
			if offset, clock := strings.CutPrefix(answer, "clock:"); clock {
				offset, rest, _ := strings.Cut(offset, " ")
				off, err := time.ParseDuration(offset)
				assert.NoError(t, err)
				answer = fmt.Sprintf("%.3f\n%s\n", float64(time.Now().Add(off).UnixMilli())/1000, rest)
			}
			return sshtest.Reply{Stdout: answer, Hang: answer == "hang"}
		}
		return sshtest.Reply{Stderr: "command not found: " + command, Code: 1}
	})
}

// sound is what the commands of the checks print on a sound engine.
func sound() map[string]string {
	count := len(unitsOf(stacks.RoleUCEngine).always) + len(unitsOf(stacks.RoleUCEngine).unlessDisabled)
	return map[string]string{
		"result.json":           `{"v1": {"datasource": "DataSourceEc2Local", "errors": []}}`,
		"list-units --failed":   "disabled=0\n",
		"is-active nginx":       strings.Repeat("active\n", count),
		"kamailio.service ||":   "active\n",
		"kamailio.service rtp":  "active\nactive\n",
		"pg_lsclusters":         "15 main 5432 online postgres /var/lib/postgresql/15/main /var/log/x.log\n",
		"psql -d asterisk":      "1\n",
		"OPTIONS sip:":          "SIP/2.0 200 OK\n",
		"dispatcher.list":       "\tURI: sip:10.0.1.5:5060\n\tFLAGS: AP\n",
		"df --local":            "Mounted on Use% IUse%\n/ 42% 7%\n",
		"date +%s":              "clock:0s yes",
		"nothing else is asked": "",
	}
}

// engine is a web endpoint.
func engine(t *testing.T, status int, wizard string) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "HEAD /api/auth/0.1/status":
			w.WriteHeader(status)
		case "GET /api/confd/1.1/wizard":
			_, _ = io.WriteString(w, wizard)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

const configured = `{"configured": true, "configurable_status": {"wazo-auth": "ok", "wazo-provd": "ok"}}`

// world is a stack of one node whose SSH server and web endpoint run in this process.
type world struct {
	out     bytes.Buffer
	opts    *Options
	checker *checker
}

func newWorld(t *testing.T, script map[string]string, status int, wizard string) *world {
	t.Helper()
	m := startMachine(t, script)
	server := engine(t, status, wizard)
	w := &world{}
	w.opts = &Options{IO: &cli.IO{Out: &w.out, Err: io.Discard, Getenv: os.Getenv}, JSON: true, pause: 10 * time.Millisecond}
	site, err := newWeb(server.URL, 0)
	require.NoError(t, err)
	access, err := login.New(t.Context(), stacks.Outputs{Stack: "dev"}, environment(map[string]string{login.KeyVariable: m.KeyFile, login.KnownHostsVariable: m.KnownHosts}))
	require.NoError(t, err)
	access.Port = m.Port
	w.checker = &checker{
		stack: stacks.Outputs{Stack: "dev", Region: "us-east-1", Nodes: []stacks.Node{{
			Name: "dev-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}, InstanceID: "i-1", PrivateIP: "127.0.0.1", User: "admin",
		}}},
		web: site, login: access, timeout: 10 * time.Second,
		aws: func(context.Context, stacks.Outputs) map[string]found {
			return map[string]found{"dev-uc-1": skip("no AWS credentials")}
		},
	}
	return w
}

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func (w *world) run(t *testing.T) (Report, map[string]Result, error) {
	t.Helper()
	err := w.opts.report(context.Background(), w.checker)
	var report Report
	require.NoError(t, json.Unmarshal(w.out.Bytes(), &report))
	found := map[string]Result{}
	for _, c := range report.Checks {
		found[c.Name] = c
	}
	return report, found, err
}

func TestSoundStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sound(), http.StatusOK, configured)
	report, found, err := w.run(t)
	require.NoError(t, err)
	assert.True(t, report.Healthy)
	var names []string
	for _, c := range report.Checks {
		names = append(names, c.Name)
	}
	assert.Equal(t, slices.DeleteFunc(slices.Clone(checkOrder), func(name string) bool { return name == CheckSIP || name == CheckFleet }), names, "an engine is no SBC, and there is no fleet")
	for _, name := range []string{CheckSSH, CheckCloudInit, CheckUnits, CheckPostgreSQL, CheckDisk, CheckTime, CheckAPI, CheckWizard} {
		assert.Equal(t, verdict.OK, found[name].Status, "%s: %s", name, found[name].Detail)
	}
	assert.Equal(t, verdict.Skip, found[CheckInstance].Status)
	assert.Equal(t, verdict.Warn, found[CheckCertificate].Status, "httptest's authority is not a known one")
	assert.Equal(t, "dev-uc-1", found[CheckSSH].Node)
	assert.Empty(t, found[CheckAPI].Node)
}

func TestTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sound(), http.StatusServiceUnavailable, configured)
	w.opts.JSON = false
	err := w.opts.report(context.Background(), w.checker)
	assert.ErrorContains(t, err, "stack dev is not healthy: 1 of 10 checks failed, first api: HEAD /api/auth/0.1/status answered 503")
	lines := strings.Split(strings.TrimSpace(w.out.String()), "\n")
	require.Len(t, lines, 11)
	assert.Regexp(t, `^NODE +CHECK +STATUS +TIME +DETAIL$`, lines[0])
	assert.Regexp(t, `^dev-uc-1 +instance +skip +0\.0s +no AWS credentials$`, lines[1])
	assert.Regexp(t, `^- +api +fail +\d\.\ds +HEAD .* 503 Service Unavailable$`, lines[8])
}

func TestIllMachines(t *testing.T) {
	t.Parallel()
	active := len(unitsOf(stacks.RoleUCEngine).always)
	for name, test := range map[string]struct {
		command, answer string
		check           string
		status          verdict.Status
		detail          string
	}{
		"cloud-init is running":     {"result.json", "running\n", CheckCloudInit, verdict.Fail, "not done yet"},
		"cloud-init failed":         {"result.json", `{"v1": {"errors": ["bad user data", "more"]}}`, CheckCloudInit, verdict.Fail, "2 errors, first: bad user data"},
		"no cloud-init":             {"result.json", "absent\n", CheckCloudInit, verdict.Skip, "not installed"},
		"cloud-init says nothing":   {"result.json", "", CheckCloudInit, verdict.Fail, "result.json"},
		"a unit failed":             {"list-units --failed", "foo.service loaded failed failed Foo\ndisabled=0\n", CheckUnits, verdict.Fail, "foo failed"},
		"asterisk is down":          {"is-active nginx", strings.Repeat("active\n", active) + "inactive\n" + strings.Repeat("active\n", 9), CheckUnits, verdict.Fail, "asterisk inactive"},
		"cluster down":              {"pg_lsclusters", "15 main 5432 down postgres /a /b\n", CheckPostgreSQL, verdict.Fail, "cluster 15-main is down"},
		"no cluster":                {"pg_lsclusters", "", CheckPostgreSQL, verdict.Fail, "there is no cluster"},
		"no database":               {"psql -d asterisk", `exit:database "asterisk" does not exist`, CheckPostgreSQL, verdict.Fail, "does not exist"},
		"no PostgreSQL":             {"pg_lsclusters", "exit:pg_lsclusters: command not found", CheckPostgreSQL, verdict.Fail, "command not found"},
		"disk nearly full":          {"df --local", "/ 10% 1%\n/my data 86% 1%\n", CheckDisk, verdict.Warn, "86 % of space on /my data"},
		"disk full":                 {"df --local", "/ 96% -\n", CheckDisk, verdict.Fail, "96 % of space on /"},
		"inodes gone":               {"df --local", "/ 10% 95%\n", CheckDisk, verdict.Fail, "95 % of inodes on /"},
		"df is broken":              {"df --local", "\n", CheckDisk, verdict.Fail, "nothing that can be read"},
		"a clock that is fast":      {"date +%s", "clock:2h yes", CheckTime, verdict.Fail, "off this machine's"},
		"a clock that is slow":      {"date +%s", "clock:-10s container", CheckTime, verdict.Warn, "off this machine's"},
		"a clock on its own":        {"date +%s", "clock:0s no", CheckTime, verdict.Warn, "not synchronized by NTP"},
		"no clock":                  {"date +%s", "soon", CheckTime, verdict.Fail, `answered "soon"`},
		"a silent clock":            {"date +%s", "\n", CheckTime, verdict.Fail, "answered nothing"},
		"a command that never ends": {"df --local", "hang", CheckDisk, verdict.Fail, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := sound()
			script[test.command] = test.answer
			w := newWorld(t, script, http.StatusOK, configured)
			if test.answer == "hang" {
				w.checker.timeout = 2 * time.Second
			}
			_, found, err := w.run(t)
			assert.Equal(t, test.status, found[test.check].Status)
			assert.Contains(t, found[test.check].Detail, test.detail)
			assert.Equal(t, map[verdict.Status]int{verdict.Fail: cli.ExitUnhealthy}[test.status], cli.Code(err))
		})
	}
}

func TestDisabledEngine(t *testing.T) {
	t.Parallel()
	script := sound()
	script["list-units --failed"] = "disabled=1\n"
	script["is-active nginx"] = strings.Repeat("active\n", len(unitsOf(stacks.RoleUCEngine).always))
	_, found, err := newWorld(t, script, http.StatusOK, configured).run(t)
	require.NoError(t, err)
	assert.Equal(t, verdict.Warn, found[CheckUnits].Status)
	assert.Contains(t, found[CheckUnits].Detail, disabledFlag)
}

func TestIllEndpoints(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status        int
		wizard        string
		check, detail string
	}{
		"503":             {http.StatusServiceUnavailable, configured, CheckAPI, "503 Service Unavailable"},
		"not set up":      {http.StatusOK, `{"configured": false}`, CheckWizard, "not set up"},
		"provd fails":     {http.StatusOK, `{"configured": true, "configurable_status": {"wazo-provd": "fail"}}`, CheckWizard, "wazo-provd is fail"},
		"a page for Pete": {http.StatusOK, `<html>`, CheckWizard, "no JSON"},
		"another JSON":    {http.StatusOK, `{}`, CheckWizard, "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, found, err := newWorld(t, sound(), test.status, test.wizard).run(t)
			assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
			assert.Equal(t, verdict.Fail, found[test.check].Status)
			assert.Contains(t, found[test.check].Detail, test.detail)
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	m := startMachine(t, sound())
	_, stranger := sshtest.NewKey(t)
	for name, test := range map[string]struct {
		key, hosts string
		port       int
		detail     string
	}{
		"nobody listens":   {m.KeyFile, m.KnownHosts, 1, "connection refused"},
		"another key":      {stranger, m.KnownHosts, m.Port, "unable to authenticate"},
		"unknown host":     {m.KeyFile, os.DevNull, m.Port, "is not known"},
		"another host key": {m.KeyFile, m.OtherHosts, m.Port, "is not the known one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sound(), http.StatusOK, configured)
			access, err := login.New(t.Context(), stacks.Outputs{Stack: "dev"}, environment(map[string]string{login.KeyVariable: test.key, login.KnownHostsVariable: test.hosts}))
			require.NoError(t, err)
			access.Port = test.port
			w.checker.login = access
			_, found, err := w.run(t)
			assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
			assert.Equal(t, verdict.Fail, found[CheckSSH].Status)
			assert.Contains(t, found[CheckSSH].Detail, test.detail)
			assert.Equal(t, verdict.Skip, found[CheckDisk].Status)
		})
	}
}

func TestSilentMachine(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	w := newWorld(t, sound(), http.StatusOK, configured)
	w.checker.timeout = 200 * time.Millisecond
	w.checker.login.Port = listener.Addr().(*net.TCPAddr).Port
	begin := time.Now()
	_, found, err := w.run(t)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.Contains(t, found[CheckSSH].Detail, "no answer in time")
	assert.Less(t, time.Since(begin), 5*time.Second)
}

func TestWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sound(), http.StatusOK, configured)
	var rounds atomic.Int32
	w.checker.aws = func(context.Context, stacks.Outputs) map[string]found {
		if rounds.Add(1) < 3 {
			return map[string]found{"dev-uc-1": fail("instance is pending")}
		}
		return map[string]found{"dev-uc-1": ok("running")}
	}
	w.opts.Wait = 10 * time.Second
	_, _, err := w.run(t)
	require.NoError(t, err)
	assert.Equal(t, int32(3), rounds.Load())
}

func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sound(), http.StatusOK, `{"configured": false}`)
	w.opts.Wait = 100 * time.Millisecond
	_, found, err := w.run(t)
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	assert.Equal(t, verdict.Fail, found[CheckWizard].Status)
}

func TestWaitIsInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sound(), http.StatusServiceUnavailable, configured)
	w.opts.Wait = time.Hour
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := w.opts.report(ctx, w.checker)
	assert.Equal(t, cli.ExitTimeout, cli.Code(err))
	assert.Less(t, time.Since(begin), 5*time.Second)
}

// issue makes a certificate; parent nil is self-signed.
func issue(t *testing.T, change func(*x509.Certificate), parent *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "pbx"}, DNSNames: []string{"pbx.example.test"},
		NotBefore: noon.AddDate(0, 0, -1), NotAfter: noon.AddDate(1, 0, 0),
	}
	change(template)
	if parent == nil {
		parent, key = template, own
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return cert, own
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestCertificate(t *testing.T) {
	t.Parallel()
	authority, key := issue(t, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName = true, true, x509.KeyUsageCertSign, "Test CA"
		c.NotAfter = noon.AddDate(9, 0, 0)
	}, nil, nil)
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	for name, test := range map[string]struct {
		change     func(*x509.Certificate)
		selfSigned bool
		status     verdict.Status
		detail     string
	}{
		"good":                {func(*x509.Certificate) {}, false, verdict.OK, "valid until 2027-11-23, of Test CA"},
		"21 days left":        {func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 21) }, false, verdict.OK, "2026-12-14"},
		"20 days left":        {func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 20) }, false, verdict.Fail, "in 20 days; renew it"},
		"expired":             {func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }, false, verdict.Fail, "expired on 2026-11-23"},
		"of tomorrow":         {func(c *x509.Certificate) { c.NotBefore = noon.AddDate(0, 0, 1) }, false, verdict.Fail, "valid only from 2026-11-24"},
		"another name":        {func(c *x509.Certificate) { c.DNSNames = []string{"x.example.test"} }, false, verdict.Fail, "is for x.example.test, not for pbx.example.test"},
		"self-signed":         {func(*x509.Certificate) {}, true, verdict.Warn, "self-signed"},
		"self-signed, other":  {func(c *x509.Certificate) { c.DNSNames = nil }, true, verdict.Warn, "for pbx and not for pbx.example.test"},
		"self-signed expired": {func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }, true, verdict.Fail, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent, parentKey := authority, key
			if test.selfSigned {
				parent, parentKey = nil, nil
			}
			cert, _ := issue(t, test.change, parent, parentKey)
			w := &web{minimum: 21 * 24 * time.Hour, roots: roots, now: func() time.Time { return noon }}
			got := w.judgeCertificate([]*x509.Certificate{cert}, "pbx.example.test")
			assert.Equal(t, test.status, got.status, got.detail)
			assert.Contains(t, got.detail, test.detail)
		})
	}
}

func TestJudgeInstance(t *testing.T) {
	t.Parallel()
	running := func(instance, system types.SummaryStatus) types.InstanceStatus {
		return types.InstanceStatus{
			InstanceState:  &types.InstanceState{Name: types.InstanceStateNameRunning},
			InstanceStatus: &types.InstanceStatusSummary{Status: instance}, SystemStatus: &types.InstanceStatusSummary{Status: system},
		}
	}
	for name, test := range map[string]struct {
		status types.InstanceStatus
		want   verdict.Status
		detail string
	}{
		"passed":   {running(types.SummaryStatusOk, types.SummaryStatusOk), verdict.OK, "passed"},
		"waiting":  {running(types.SummaryStatusInitializing, types.SummaryStatusOk), verdict.Warn, "instance status check is initializing"},
		"impaired": {running(types.SummaryStatusOk, types.SummaryStatusImpaired), verdict.Fail, "the system status check is impaired"},
		"stopped":  {types.InstanceStatus{InstanceState: &types.InstanceState{Name: types.InstanceStateNameStopped}}, verdict.Fail, "instance is stopped"},
		"unknown":  {types.InstanceStatus{}, verdict.Fail, "in no state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := judgeInstance(test.status)
			assert.Equal(t, test.want, got.status)
			assert.Contains(t, got.detail, test.detail)
		})
	}
}

// TestInstanceStatuses sets the environment, so that it cannot run in parallel.
func TestInstanceStatuses(t *testing.T) {
	scrub(t)
	out := stacks.Outputs{Region: "us-east-1", Nodes: []stacks.Node{{Name: "a", InstanceID: "i-1"}, {Name: "b", InstanceID: "i-2"}}}

	got := instanceStatuses(context.Background(), out)
	assert.Equal(t, found{status: verdict.Skip, detail: "no AWS credentials"}, got["a"])
	assert.Equal(t, verdict.Skip, got["b"].status)

	code, body := http.StatusOK, `<DescribeInstanceStatusResponse><instanceStatusSet><item><instanceId>i-1</instanceId>
<instanceState><code>16</code><name>running</name></instanceState><systemStatus><status>ok</status></systemStatus>
<instanceStatus><status>ok</status></instanceStatus></item></instanceStatusSet></DescribeInstanceStatusResponse>`
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.ParseForm())
		assert.Equal(t, []string{"i-1", "i-2", "true"}, []string{r.Form.Get("InstanceId.1"), r.Form.Get("InstanceId.2"), r.Form.Get("IncludeAllInstances")})
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(api.Close)
	t.Setenv("AWS_ENDPOINT_URL", api.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	got = instanceStatuses(context.Background(), out)
	assert.Equal(t, verdict.OK, got["a"].status, got["a"].detail)
	assert.Equal(t, fail("EC2 does not know instance i-2"), got["b"])

	code, body = http.StatusForbidden, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>`
	got = instanceStatuses(context.Background(), out)
	assert.Equal(t, fail("ask EC2 how the machines are: UnauthorizedOperation: no"), got["a"])
}

// scrub hides this machine's own AWS settings.
func scrub(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	m := startMachine(t, nil)
	document := func(web string) string {
		return fmt.Sprintf(`{"stack":"dev","region":"us-east-1","nodes":[{"name":"a","roles":["uc-engine"],"instanceId":"i-1",
"zone":"z","privateIp":"127.0.0.1","user":"admin"}],"endpoints":{"web":%q,"sip":"sip:127.0.0.1"}}`, web)
	}
	access := map[string]string{login.KeyVariable: m.KeyFile, login.KnownHostsVariable: m.KnownHosts}
	with := func(name, value string) map[string]string {
		changed := maps.Clone(access)
		changed[name] = value
		return changed
	}
	for name, test := range map[string]struct {
		outputs string
		env     map[string]string
		args    []string
		errors  []string
	}{
		"every flag at once": {document("https://127.0.0.1"), access, []string{"--timeout", "0s", "--wait", "-1s", "--cert-days", "-1"}, []string{"--timeout", "--wait", "--cert-days"}},
		"plain HTTP":         {document("http://127.0.0.1"), access, nil, []string{"endpoints.web", "https://HOST"}},
		"no key, no agent":   {document("https://127.0.0.1"), with(login.KeyVariable, ""), nil, []string{login.KeyVariable, "SSH_AUTH_SOCK"}},
		"not a key":          {document("https://127.0.0.1"), with(login.KeyVariable, m.KnownHosts), nil, []string{"is not a private key"}},
		"no such key":        {document("https://127.0.0.1"), with(login.KeyVariable, "/nowhere/id"), nil, []string{"/nowhere/id"}},
		"no known hosts":     {document("https://127.0.0.1"), with(login.KnownHostsVariable, "/nowhere/known"), nil, []string{"/nowhere/known"}},
		"no outputs":         {`{}`, access, nil, []string{"nodes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := NewCmdHealth(&cli.IO{In: strings.NewReader(test.outputs), Out: &out, Err: io.Discard, Getenv: environment(test.env)})
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			cmd.SetArgs(append([]string{"--outputs", "-"}, test.args...))
			err := cmd.Execute()
			require.Error(t, err)
			assert.Equal(t, cli.ExitUsage, cli.Code(err))
			for _, part := range test.errors {
				assert.ErrorContains(t, err, part)
			}
			assert.Empty(t, out.String())
		})
	}
}
