package setup

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
	"github.com/calldata/calldata-foundation/stacks"
)

const root = "S3cret-of-root"

// bench is a command against an engine that the rehearsal's doubles play: they have Wazo's rules for what is refused.
type bench struct {
	t         *testing.T
	server    *httptest.Server
	directory string
	files     string
	// writes counts the requests that change something.
	writes atomic.Int32
	out    bytes.Buffer
	err    bytes.Buffer
	in     string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not on PATH")
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", "serve.py")
	cmd.Dir = "../../rehearsal/doubles/tests"
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var log bytes.Buffer
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "%s", &log)
	var ports struct {
		Auth, Confd, Setupd int
		Directory           string
	}
	require.NoError(t, json.Unmarshal([]byte(line), &ports))

	b := &bench{t: t, directory: ports.Directory, files: t.TempDir()}
	mux := http.NewServeMux()
	for name, port := range map[string]int{"auth": ports.Auth, "confd": ports.Confd, "setupd": ports.Setupd} {
		target, err := url.Parse(fmt.Sprintf("http://127.0.0.1:%d", port))
		require.NoError(t, err)
		mux.Handle("/api/"+name+"/", http.StripPrefix("/api/"+name, httputil.NewSingleHostReverseProxy(target)))
	}
	b.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/token") {
			b.writes.Add(1)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(b.server.Close)
	b.write("secrets.yml", fmt.Sprintf("engine_api_root_password: %q\nacme_admin_password: Acme-admin-1\nacme_ada_sip: Ada-secret-1\nacme_lobby_sip: Lobby-secret-1\n", root))
	b.write("outputs.json", `{"stack":"dev","region":"us-east-1","endpoints":{"web":"https://10.0.0.5","sip":"sip:10.0.0.5"},"nodes":[
		{"name":"dev-uc-1","roles":["uc-engine"],"instanceId":"i-1","zone":"z","privateIp":"10.0.0.5","user":"admin"},
		{"name":"dev-router-1","roles":["c4-router"],"instanceId":"i-2","zone":"z","privateIp":"10.0.0.6","user":"admin"},
		{"name":"dev-router-2","roles":["c4-router"],"instanceId":"i-3","zone":"z","privateIp":"10.0.0.7","user":"admin"}]}`)
	example, err := os.ReadFile("../../../docs/examples/tenant.yml")
	require.NoError(t, err)
	b.write("tenant.yml", string(example))
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.files, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.path(name), []byte(text), 0o600))
}

// change replaces text in the document.
func (b *bench) change(pairs ...string) {
	b.t.Helper()
	data, err := os.ReadFile(b.path("tenant.yml"))
	require.NoError(b.t, err)
	text := string(data)
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(b.t, text, pairs[i])
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	b.write("tenant.yml", text)
}

// run runs the command, and answers what it printed and how many requests changed something.
func (b *bench) run(args ...string) (string, int, error) {
	b.t.Helper()
	b.out.Reset()
	b.err.Reset()
	b.writes.Store(0)
	env := map[string]string{secretsVariable: b.path("secrets.yml")}
	o := &Options{}
	o.IO = &cli.IO{In: strings.NewReader(b.in), InIsTerminal: b.in != "", Out: &b.out, Err: &b.err, Width: func() int { return 80 }, Getenv: func(name string) string { return env[name] }}
	o.open = func(context.Context, *Options, stacks.Outputs) (*wazo.Client, func(), error) {
		return wazo.New(b.server.URL, b.server.Client()), func() {}, nil
	}
	o.Source.File, o.File = b.path("outputs.json"), b.path("tenant.yml")
	o.Source.Stack = "dev"
	o.PlanOnly, o.Yes = slices.Contains(args, "--plan"), slices.Contains(args, "--yes")
	o.Prune, o.JSON = slices.Contains(args, "--prune"), slices.Contains(args, "--json")
	err := o.run(b.t.Context())
	assert.NotContains(b.t, b.out.String()+b.err.String()+fmt.Sprint(err), "secret-1", "no password is shown")
	return b.out.String(), int(b.writes.Load()), err
}

func (b *bench) dialplan() string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.directory, "dialplan"))
	require.NoError(b.t, err)
	return string(data)
}

func TestDayOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)

	out, writes, err := b.run("--plan")
	require.NoError(t, err)
	assert.Contains(t, out, "+ engine first setup\n  + tenant acme of acme\n")
	assert.Contains(t, out, "+ trunk acme-c4-2 of acme")
	assert.Zero(t, writes, "a plan changes nothing")

	b.in = "no\n"
	_, writes, err = b.run()
	assert.Equal(t, cli.ExitDeclined, cli.Code(err))
	assert.Zero(t, writes)
	assert.Contains(t, b.err.String(), "+ user acme-ada of acme", "the plan is shown before the question")
	b.in = ""
	_, _, err = b.run()
	require.ErrorContains(t, err, "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))

	b.in = "yes\n"
	out, _, err = b.run("--json")
	require.NoError(t, err)
	var result Result
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	assert.True(t, result.Applied)

	out, writes, err = b.run("--yes")
	require.NoError(t, err)
	assert.Equal(t, "nothing to do\n", out)
	assert.Zero(t, writes, "a second run changes nothing")

	plan := b.dialplan()
	assert.Contains(t, plan, ":14155550101:0:^.{0}(.*)$:\\\\1:do=line;name=acme-ada;ring=30")
	assert.Contains(t, plan, ":14155550102:0:^.{0}(.*)$:\\\\1:do=line;name=acme-lobby;ring=30")
	assert.Contains(t, plan, `do=trunk;to=10.0.0.6\:5060/10.0.0.7\:5060/sip.partner.example\:5060;from=+14155550100`)
}

func TestChangesAndPruning(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, _, err := b.run("--yes")
	require.NoError(t, err)

	b.change("country: US", "country: CA", "firstname: Ada", "firstname: Augusta", `extension: "1001"`, `extension: "1003"`, "ring: 30", "ring: -1",
		"last: \"1999\"", "last: \"2999\"", "extension:1002@office", "extension:*12@office", "sources: [198.51.100.0/28]", "sources: [198.51.100.16/28]",
		"trunks: [c4, partner]", "trunks: [partner, c4]", "strip: 4", "strip: 3")
	b.write("secrets.yml", fmt.Sprintf("engine_api_root_password: %q\nacme_admin_password: Acme-admin-1\nacme_ada_sip: Other-secret-1\nacme_lobby_sip: Lobby-secret-1\n", root))
	out, _, err := b.run("--plan")
	require.NoError(t, err)
	for _, want := range []string{
		"country: US => CA", "firstname: Ada => Augusta", "extension: 1001 => 1003", "ring: 30 => 0", "ranges: 1000-1999 => 1000-2999",
		"to: extension:1002@office => extension:*12@office", "match: 198.51.100.0/28 => 198.51.100.16/28", "strip: 4 => 3", "password: ******** => ********",
		"trunks: acme-c4-1, acme-c4-2, acme-partner-1 => acme-partner-1, acme-c4-1, acme-c4-2",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "+ ")
	_, _, err = b.run("--yes")
	require.NoError(t, err)
	out, _, err = b.run("--plan")
	require.NoError(t, err)
	assert.Equal(t, "nothing to do\n", out)
	assert.Contains(t, b.dialplan(), ":14155550102:0:^.{0}(.*)$:\\\\1:do=answer")
	assert.Contains(t, b.dialplan(), ":1003:0:^.{0}(.*)$:\\\\1:do=line;name=acme-ada;ring=86400")

	// What the document does not name any more stays, until it is asked to go.
	b.change("      - name: partner\n        context: numbers\n        hosts: [sip.partner.example]\n        sources: [198.51.100.16/28]\n", "",
		"trunks: [partner, c4]", "trunks: [c4]", "          - {match: \"911\"}\n", "", "      - {number: \"+14155550199\", context: numbers, to: \"hangup:busy\"}\n", "",
		"      - firstname: Lobby\n        context: office\n        extension: \"1002\"\n        sip: {username: acme-lobby, password: !secret acme_lobby_sip}\n", "")
	_, _, err = b.run("--yes")
	require.NoError(t, err)
	out, writes, err := b.run("--yes")
	require.NoError(t, err)
	assert.Equal(t, "nothing to do\nnot in the document, and left alone (--prune removes them):\n  - pattern world 911 of acme\n  - inbound 14155550199 of acme\n"+
		"  - user acme-lobby of acme\n  - trunk acme-partner-1 of acme\n", out)
	assert.Zero(t, writes)
	_, _, err = b.run("--yes", "--prune")
	require.NoError(t, err)
	out, _, err = b.run("--plan")
	require.NoError(t, err)
	assert.Equal(t, "nothing to do\n", out)
	assert.NotContains(t, b.dialplan(), "lobby")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, _, err := b.run("--yes")
	require.NoError(t, err)

	b.change("type: outcall", "type: internal\n        ranges: [{first: \"1\", last: \"2\"}]")
	_, writes, err := b.run("--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, `tenants[0].outbound[0].context is "outside"`)
	assert.Zero(t, writes)
	b.change("name: outside\n        type: internal\n        ranges: [{first: \"1\", last: \"2\"}]", "name: outside\n        type: outcall")

	// Another tenant may not take the first one's names.
	b.change("slug: acme", "slug: other")
	_, writes, err = b.run("--yes")
	require.ErrorContains(t, err, "acme-admin")
	assert.Zero(t, writes)
	b.change("slug: other", "slug: acme")

	b.write("secrets.yml", "engine_api_root_password: wrong-password\nacme_admin_password: Acme-admin-1\nacme_ada_sip: short\n")
	_, _, err = b.run("--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "acme_ada_sip has fewer than 8")
	require.ErrorContains(t, err, "no text under acme_lobby_sip")
	b.write("secrets.yml", "engine_api_root_password: wrong-password\nacme_admin_password: Acme-admin-1\nacme_ada_sip: Ada-secret-1\nacme_lobby_sip: Lobby-secret-1\n")
	_, _, err = b.run("--yes")
	require.ErrorContains(t, err, "log in as root")

	b.server.Close()
	_, _, err = b.run("--yes")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
}

func TestEngineIsChosen(t *testing.T) {
	t.Parallel()
	stack := stacks.Outputs{Stack: "prod", Nodes: []stacks.Node{
		{Name: "r", Roles: []stacks.Role{stacks.RoleC4Router}}, {Name: "a", Roles: []stacks.Role{stacks.RoleUCEngine}}, {Name: "b", Roles: []stacks.Role{stacks.RoleUCEngine}},
	}}
	for name, want := range map[string]string{"": "a", "b": "b"} {
		n, err := engine(stack, name)
		require.NoError(t, err)
		assert.Equal(t, want, n.Name)
	}
	_, err := engine(stack, "r")
	require.ErrorContains(t, err, `--node is "r"`)
	_, err = engine(stacks.Outputs{Stack: "x"}, "")
	require.ErrorContains(t, err, "no node with the role uc-engine")
	_, _, err = open(t.Context(), &Options{URL: "http://x"}, stack)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}
