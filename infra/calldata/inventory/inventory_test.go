package inventory

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
)

const outputsJSON = `{"stack":"stage","region":"eu-west-1","vpcCidr":"10.30.0.0/16",
"endpoints":{"web":"https://stage.example.com","sip":"sip:sip.stage.example.com:5060;transport=udp"},
"backups":{"bucket":"stage-backups","keyArn":"arn:aws:kms:eu-west-1:123456789012:key/1"},
"nodes":[
{"name":"stage-uc-1","roles":["uc-engine"],"instanceId":"i-0aaaaaaaaaaaaaaa1","zone":"eu-west-1a","privateIp":"10.30.64.5","user":"admin","access":"ssm",
 "firewall":[{"name":"https","protocol":"tcp","from":443,"to":443,"sources":[],"peers":["alb"]}]},
{"name":"stage-sbc-1","roles":["c4-sbc"],"instanceId":"i-0aaaaaaaaaaaaaaa3","zone":"eu-west-1a","privateIp":"10.30.0.7","publicIp":"203.0.113.20","user":"debian",
 "firewall":[{"name":"sips","protocol":"tcp","from":5061,"to":5061,"sources":["0.0.0.0/0"],"peers":[]}]}]}`

// bench is what the command runs with. Its zero value is in a directory of no repository, and reads outputsJSON.
type bench struct {
	dir, stdin string
	env        map[string]string
}

func (b bench) call(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if b.dir == "" {
		b.dir = t.TempDir()
	}
	if b.stdin == "" {
		b.stdin = outputsJSON
	}
	var out bytes.Buffer
	cmd := newCommand(&Options{Dir: b.dir, IO: &cli.IO{
		In: strings.NewReader(b.stdin), Out: &out, Err: io.Discard, Getenv: func(name string) string { return b.env[name] },
	}})
	cmd.SetArgs(append([]string{"--outputs", "-"}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestYAMLIsWhatConfigureReads(t *testing.T) {
	t.Parallel()
	text, err := bench{}.call(t, "stage")
	require.NoError(t, err)
	inv, err := ansible.ParseInventory([]byte(text))
	require.NoError(t, err)
	require.Len(t, inv.Hosts, 2)
	assert.Equal(t, "stage-backups", inv.Hosts[0].BackupBucket)
}

func TestFormsForPrograms(t *testing.T) {
	t.Parallel()
	decode := func(args ...string) map[string]any {
		text, err := bench{}.call(t, args...)
		require.NoError(t, err)
		got := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(text), &got), text)
		return got
	}
	host := decode("--host", "stage-sbc-1")
	assert.Equal(t, "203.0.113.20", host["ansible_host"])
	assert.Equal(t, []any{"c4-sbc"}, host["calldata_roles"])
	assert.Equal(t, []any{map[string]any{
		"name": "sips", "protocol": "tcp", "from": 5061.0, "to": 5061.0, "sources": []any{"0.0.0.0/0"}, "peers": []any{},
	}}, host["calldata_firewall"])

	list := decode("stage", "--list")
	assert.Equal(t, host, list["_meta"].(map[string]any)["hostvars"].(map[string]any)["stage-sbc-1"])
	assert.Equal(t, map[string]any{"children": []any{"ungrouped", "c4_sbc_host", "uc_engine_host"}}, list["all"])
	assert.Equal(t, map[string]any{"hosts": []any{"stage-uc-1"}}, list["uc_engine_host"])

	whole := decode("--json")["all"].(map[string]any)
	assert.Equal(t, host, whole["hosts"].(map[string]any)["stage-sbc-1"])
	assert.Equal(t, map[string]any{"hosts": map[string]any{"stage-sbc-1": map[string]any{}}}, whole["children"].(map[string]any)["c4_sbc_host"])
}

// asked is what ssh itself makes of a configuration for a machine.
func asked(t *testing.T, text, machine string) map[string]string {
	t.Helper()
	path, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not on PATH")
	}
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := exec.Command(path, "-G", "-F", file, machine).CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, text)
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		got[key] = value
	}
	return got
}

func TestSSHConfig(t *testing.T) {
	t.Parallel()
	repo := filepath.Join(t.TempDir(), "100% ours")
	learnt := filepath.Join(repo, ".calldata", "stage", "known_hosts")
	require.NoError(t, os.MkdirAll(filepath.Dir(learnt), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(repo, "ansible"), 0o700))
	for _, file := range []string{learnt, filepath.Join(repo, "Pulumi.yaml")} {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	text, err := bench{dir: repo, env: map[string]string{login.KeyVariable: "/keys/id_ed25519"}}.call(t, "--ssh-config")
	require.NoError(t, err)
	for _, name := range []string{"stage-uc-1", "10.30.64.5"} {
		got := asked(t, text, name)
		assert.Equal(t, "10.30.64.5", got["hostname"])
		assert.Equal(t, "admin", got["user"])
		assert.Equal(t, "i-0aaaaaaaaaaaaaaa1", got["hostkeyalias"])
		assert.Contains(t, got["proxycommand"], " tunnel --via ssm --instance i-0aaaaaaaaaaaaaaa1 --region eu-west-1 --host 10.30.64.5 --port 22")
		assert.Contains(t, got["identityfile"], "/keys/id_ed25519")
		assert.Contains(t, strings.ReplaceAll(got["userknownhostsfile"], "%%", "%"), learnt)
	}
	got := asked(t, text, "stage-sbc-1")
	assert.Equal(t, "203.0.113.20", got["hostname"])
	assert.Equal(t, "debian", got["user"])
	assert.NotContains(t, got, "proxycommand")
	assert.NotContains(t, got, "hostkeyalias")

	pinned := filepath.Join(t.TempDir(), "pinned")
	require.NoError(t, os.WriteFile(pinned, nil, 0o600))
	text, err = bench{env: map[string]string{login.KnownHostsVariable: pinned, "CALLDATA_TUNNEL": "direct"}}.call(t, "--ssh-config")
	require.NoError(t, err)
	got = asked(t, text, "stage-uc-1")
	assert.Equal(t, pinned, got["userknownhostsfile"])
	assert.NotContains(t, got, "hostkeyalias", "a file that has keys by address")
	assert.Contains(t, got["proxycommand"], "--via direct")
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	older := strings.Replace(outputsJSON, `"vpcCidr":"10.30.0.0/16",`, "", 1)
	short := strings.Replace(outputsJSON, "i-0aaaaaaaaaaaaaaa1", "i-1", 1)
	for name, c := range map[string]struct {
		bench bench
		args  []string
		want  []string
	}{
		"two stacks":      {args: []string{"stage", "prod"}, want: []string{"one stack"}},
		"argument, flag":  {args: []string{"stage", "--stack", "prod"}, want: []string{`"stage"`, `"prod"`}},
		"another stack":   {args: []string{"prod"}, want: []string{`"stage"`, `"prod"`}},
		"two forms":       {args: []string{"--list", "--ssh-config"}, want: []string{"--list and --ssh-config"}},
		"unknown host":    {args: []string{"--host", "stage-uc-9"}, want: []string{"stage-uc-9", "stage-sbc-1, stage-uc-1"}},
		"older outputs":   {bench: bench{stdin: older}, want: []string{"calldata_vpc_cidr", "pulumi up"}},
		"unknown way":     {bench: bench{env: map[string]string{"CALLDATA_TUNNEL": "pigeon"}}, args: []string{"--ssh-config"}, want: []string{"pigeon"}},
		"no such file":    {bench: bench{env: map[string]string{login.KnownHostsVariable: "/nowhere/known"}}, args: []string{"--ssh-config"}, want: []string{login.KnownHostsVariable}},
		"not an instance": {bench: bench{stdin: short}, args: []string{"--ssh-config"}, want: []string{"stage-uc-1", `"i-1"`}},
		"a strange name":  {bench: bench{env: map[string]string{login.KeyVariable: "/a\"b"}}, args: []string{"--ssh-config"}, want: []string{"plainer name"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := c.bench.call(t, c.args...)
			require.Error(t, err)
			assert.Equal(t, cli.ExitUsage, cli.Code(err), err)
			assert.Empty(t, out)
			for _, part := range c.want {
				assert.ErrorContains(t, err, part)
			}
		})
	}
}
