package configure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
)

const (
	rootPassword = "Root-passw0rd"
	sipPassword  = "Sip-passw0rd-123"
	recapEvent   = `{"event":"stats","hosts":{"dev-uc-1":{"ok":7,"changed":2,"unreachable":0,"failed":0,"skipped":1,"rescued":0,"ignored":0}}}`
	hosts        = `all:
  hosts:
    dev-uc-1:
      ansible_host: 127.0.0.1
      ansible_user: admin
      calldata_stack: dev
      calldata_region: eu-west-1
      calldata_roles: [uc-engine]
      calldata_instance_id: i-1
      private_ip: 127.0.0.1
      public_ip: ""
      calldata_vpc_cidr: 127.0.0.0/8
      calldata_fleets: []
      calldata_firewall:
        - name: ssh
          protocol: tcp
          from: 22
          to: 22
          sources: [127.0.0.0/8]
          peers: []
      calldata_carriers: []
      calldata_log_prefix: /calldata/dev
      calldata_backup_bucket: ""
      calldata_backup_key_arn: ""
  children:
    uc_engine_host:
      hosts:
        dev-uc-1: {}
`
)

// startMachine starts an SSH server. The wait for cloud-init gets the output and the exit code.
func startMachine(t *testing.T, output string, code uint32) *sshtest.Server {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not on PATH")
	}
	return sshtest.Start(t, func(command string) sshtest.Reply {
		if strings.Contains(command, "cloud-init") {
			return sshtest.Reply{Stdout: output, Code: code}
		}
		return sshtest.Reply{}
	})
}

// bench is a repository, a machine, and an ansible-playbook that is a shell script.
type bench struct {
	root, dir string
	env       map[string]string
	out, err  bytes.Buffer
	opts      *Options
}

func newBench(t *testing.T, m *sshtest.Server, script string) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir()}
	b.root = filepath.Join(b.dir, "repo")
	b.put(t, "repo/Pulumi.yaml", "name: test\n", 0o644)
	for name, content := range map[string]string{
		"ansible.cfg": "[defaults]\n", "playbooks/site.yml": "[]\n", "inventories/dev/hosts.yml": "all: {}\n",
		"requirements.yml": "roles: []\ncollections:\n  - name: ansible.posix\n",
		"upstream.yml":     "wazo_ansible: {repository: https://invalid.example/x.git, commit: " + strings.Repeat("a", 40) + "}\n",
	} {
		b.put(t, "repo/ansible/"+name, content, 0o644)
	}
	b.put(t, "python/ansible_collections/ansible/posix/x", "", 0o644)
	for _, role := range ansible.UpstreamRoles() {
		b.put(t, "wazo/roles/"+role+"/tasks/main.yml", "[]\n", 0o644)
	}
	playbook := b.put(t, "bin/ansible-playbook", fmt.Sprintf(`#!/bin/sh
here=%s
if [ "$1" = --version ]; then
  echo 'ansible-playbook [core 2.16.19]'
  echo "  ansible python module location = $here/python/ansible"
  echo '  ansible collection location = /nowhere:/else'
  exit
fi
%s
`, b.dir, script), 0o755)
	b.env = map[string]string{
		"CALLDATA_SECRETS_FILE": b.put(t, "vars.yml",
			"engine_api_root_password: "+rootPassword+"\nsmoke_sip_password: "+sipPassword+"\n", 0o600),
		"CALLDATA_WAZO_ANSIBLE":     filepath.Join(b.dir, "wazo"),
		"CALLDATA_ANSIBLE_PLAYBOOK": playbook,
	}
	b.opts = &Options{
		IO:  &cli.IO{In: strings.NewReader(hosts), Out: &b.out, Err: &b.err, Getenv: func(name string) string { return b.env[name] }},
		Dir: b.root, Stack: "dev", Inventory: "-", Playbook: "site", Timeout: time.Minute, reporter: progress.NewRecorder(progress.NewLines(&b.err)),
	}
	if m != nil {
		b.env["CALLDATA_SSH_KEY"], b.env["CALLDATA_KNOWN_HOSTS"] = m.KeyFile, m.KnownHosts
		b.opts.sshPort = m.Port
	}
	return b
}

func (b *bench) put(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(b.dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(content), mode))
	return file
}

func say(event string) string { return "printf '%s\\n' '" + event + "' >&3\n" }

func TestConfigure(t *testing.T) {
	t.Parallel()
	m := startMachine(t, "status: done\n", 0)
	m.Refuse.Store(1)
	b := newBench(t, m, `
printf '%s\n' "$@" >"$here/args"
env >"$here/env"
cp "${ANSIBLE_INVENTORY#*,}" "$here/inventory"
cat "$here/vars.yml"
`+say(`{"event":"play","name":"Base system"}`)+say(recapEvent))
	require.NoError(t, run(t.Context(), b.opts), b.err.String())

	assert.Contains(t, b.out.String(), "dev-uc-1   7        2        1")
	assert.Contains(t, b.out.String(), "dev: ok, 2 changed")
	inventory, err := os.ReadFile(filepath.Join(b.dir, "inventory"))
	require.NoError(t, err)
	assert.Equal(t, hosts, string(inventory))
	args, err := os.ReadFile(filepath.Join(b.dir, "args"))
	require.NoError(t, err)
	assert.Contains(t, string(args), "--extra-vars=@"+b.env["CALLDATA_SECRETS_FILE"])
	env, err := os.ReadFile(filepath.Join(b.dir, "env"))
	require.NoError(t, err)
	assert.Contains(t, string(env), "ANSIBLE_INVENTORY="+filepath.Join(b.root, "ansible/inventories/dev")+",")
	assert.Contains(t, string(env), "StrictHostKeyChecking=yes")

	logs, err := filepath.Glob(filepath.Join(b.root, ".calldata/dev/logs/configure-*.log"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	info, err := os.Stat(logs[0])
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	log, err := os.ReadFile(logs[0])
	require.NoError(t, err)
	assert.Contains(t, string(log), "smoke_sip_password: "+ansible.Masked)
	for what, text := range map[string]string{"log": string(log), "out": b.out.String(), "err": b.err.String(), "args": string(args), "env": string(env)} {
		assert.NotContains(t, text, rootPassword, what)
		assert.NotContains(t, text, sipPassword, what)
	}
	left, err := filepath.Glob(filepath.Join(b.root, ".calldata/dev/*"))
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{filepath.Join(b.root, ".calldata/dev/logs"), filepath.Join(b.root, ".calldata/dev/configure.lock")}, left)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	b := newBench(t, startMachine(t, "", 0), say(recapEvent))
	b.opts.JSON, b.opts.Check = true, true
	require.NoError(t, run(t.Context(), b.opts), b.err.String())
	var got struct {
		Stack, Log string
		Check      bool
		Result     struct {
			Changed, ExitCode int
			Outcome           string
			Hosts             []ansible.HostRecap
		}
	}
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &got))
	assert.Equal(t, "dev", got.Stack)
	assert.True(t, got.Check)
	assert.True(t, strings.HasPrefix(got.Log, ".calldata/dev/logs/"))
	assert.Equal(t, 2, got.Result.Changed)
	assert.Equal(t, "ok", got.Result.Outcome)
	assert.Equal(t, []ansible.HostRecap{{Host: "dev-uc-1", OK: 7, Changed: 2, Skipped: 1}}, got.Result.Hosts)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	m := startMachine(t, "", 0)
	for name, c := range map[string]struct {
		script string
		want   int
	}{
		"failed":                 {say(recapEvent) + "exit 2", cli.ExitError},
		"unreachable":            {say(recapEvent) + "exit 4", cli.ExitUnreachable},
		"failed and unreachable": {say(recapEvent) + "exit 6", cli.ExitError},
		"content":                {"exit 4", cli.ExitUsage},
		"options":                {"exit 5", cli.ExitUsage},
		"unexpected":             {"exit 250", cli.ExitError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, m, c.script)
			err := run(t.Context(), b.opts)
			require.Error(t, err)
			assert.Equal(t, c.want, cli.Code(err), err.Error())
			assert.Contains(t, b.out.String(), "log: .calldata/dev/logs/")
		})
	}
}

func TestEndsEarly(t *testing.T) {
	t.Parallel()
	m := startMachine(t, "", 0)
	t.Run("time limit", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, m, "sleep 300")
		b.opts.Timeout = 3 * time.Second
		err := run(t.Context(), b.opts)
		assert.Equal(t, cli.ExitTimeout, cli.Code(err))
		assert.ErrorContains(t, err, "--timeout")
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, m, `touch "$here/started"; sleep 300`)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for {
				if _, err := os.Stat(filepath.Join(b.dir, "started")); err == nil {
					cancel()
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		err := run(ctx, b.opts)
		assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
		left, globErr := filepath.Glob(filepath.Join(b.root, ".calldata/dev", runPrefix+"*"))
		require.NoError(t, globErr)
		assert.Empty(t, left)
	})
	t.Run("Ctrl-C while waiting", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, m, "")
		b.opts.sshPort = 1
		ctx, cancel := context.WithTimeoutCause(t.Context(), 2500*time.Millisecond, errors.New("enough"))
		defer cancel()
		err := run(ctx, b.opts)
		assert.Equal(t, cli.ExitTimeout, cli.Code(err))
		assert.ErrorContains(t, err, "refused")
	})
}

func TestEverythingWrongAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "")
	b.opts.Stack, b.opts.Timeout, b.opts.Tags = "../prod", 0, []string{"a b"}
	b.opts.IO.In = strings.NewReader("all: {hosts: {x: {ansible_host: nowhere}}}")
	b.env["CALLDATA_SECRETS_FILE"] = b.put(t, "open.yml", "x: y\n", 0o644)
	b.env["CALLDATA_VAULT_PASSWORD_FILE"] = filepath.Join(b.dir, "absent")
	b.env["CALLDATA_SSH_KEY"] = b.put(t, "key", "not a key\n", 0o600)
	b.env["CALLDATA_KNOWN_HOSTS"] = b.dir
	b.env["CALLDATA_WAZO_ANSIBLE"] = b.root
	b.env["CALLDATA_ANSIBLE_PLAYBOOK"] = filepath.Join(b.dir, "no-ansible")
	err := run(t.Context(), b.opts)
	require.Error(t, err)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, part := range []string{
		`--stack is "../prod"`, "--timeout is 0s", `--tags has "a b"`, `ansible_host is "nowhere"`, "open.yml has mode 0644",
		"CALLDATA_VAULT_PASSWORD_FILE", "CALLDATA_SSH_KEY", "CALLDATA_KNOWN_HOSTS", "not laid out like wazo-ansible", "no-ansible",
	} {
		assert.ErrorContains(t, err, part)
	}
	assert.NoDirExists(t, filepath.Join(b.root, ".calldata"), "nothing was made")
}

func TestVars(t *testing.T) {
	t.Parallel()
	b := newBench(t, startMachine(t, "status: done\n", 0), `
printf '%s\n' "$@" >"$here/args"
`+say(recapEvent))
	b.opts.Vars = b.put(t, "restore.yml", "restore_yes: true\n", 0o600)
	require.NoError(t, run(t.Context(), b.opts), b.err.String())
	args, err := os.ReadFile(filepath.Join(b.dir, "args"))
	require.NoError(t, err)
	assert.Contains(t, string(args), "--extra-vars=@"+b.env["CALLDATA_SECRETS_FILE"]+"\n--extra-vars=@"+b.opts.Vars+"\n", "they win over the secrets")

	for content, want := range map[string]string{
		"ansible_host: 10.0.0.1\n": "restore.yml sets ansible_host, which this command decides",
		"- no map\n":               "restore.yml is not a YAML map",
	} {
		b.put(t, "restore.yml", content, 0o600)
		b.opts.IO.In = strings.NewReader(hosts)
		err := run(t.Context(), b.opts)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		assert.ErrorContains(t, err, "--vars")
		assert.ErrorContains(t, err, want)
	}
}

func TestPreflightCode(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "")
	b.env["CALLDATA_ANSIBLE_PLAYBOOK"] = filepath.Join(b.dir, "absent")
	err := run(t.Context(), b.opts)
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	assert.ErrorContains(t, err, "pipx install")

	for _, c := range []struct{ version, want string }{
		{"ansible-playbook [core 2.13.1]", "2.13, want 2.14 to 2.18"},
		{"ansible-playbook [core 2.19.0b1]", "2.19, want"},
		{"ansible-playbook 2.9.6", "does not name its ansible-core"},
	} {
		b := newBench(t, nil, "")
		b.put(t, "bin/ansible-playbook", "#!/bin/sh\necho '"+c.version+"'\n", 0o755)
		err := run(t.Context(), b.opts)
		assert.Equal(t, cli.ExitPreflight, cli.Code(err), c.version)
		assert.ErrorContains(t, err, c.want)
	}

	b = newBench(t, nil, "")
	require.NoError(t, os.RemoveAll(filepath.Join(b.dir, "python")))
	assert.ErrorContains(t, run(t.Context(), b.opts), "ansible-galaxy collection install")
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	const value = "never-show-me-1"
	for name, c := range map[string]struct {
		content string
		vault   bool
		want    []string
	}{
		"complete": {"engine_api_root_password: a-b-c-d\nsmoke_sip_password: " + value, false, nil},
		"nothing":  {"", false, []string{"has no engine_api_root_password", "has no smoke_sip_password"}},
		"rest in vault": {
			"smoke_sip_password: " + value, true, nil,
		},
		"number":       {"engine_api_root_password: 12345678\nsmoke_sip_password: " + value, false, []string{"put it in quotes"}},
		"not YAML":     {"smoke_sip_password: '" + value, false, []string{"not a YAML map"}},
		"a list":       {"- " + value, false, []string{"not a YAML map"}},
		"decided":      {"uc_engine_upstream: x\nengine_api_root_password: abcd\nsmoke_sip_password: " + value, false, []string{"sets uc_engine_upstream"}},
		"locked vault": {"$ANSIBLE_VAULT;1.1;AES256\n6162", false, []string{"set CALLDATA_VAULT_PASSWORD_FILE"}},
		"open vault":   {"$ANSIBLE_VAULT;1.1;AES256\n6162", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &settings{secretsFile: filepath.Join(dir, "vars.yml")}
			require.NoError(t, os.WriteFile(s.secretsFile, []byte(c.content), 0o600))
			if c.vault {
				s.vaultPassword.File = filepath.Join(dir, "vault")
				require.NoError(t, os.WriteFile(s.vaultPassword.File, []byte("the-vault-password\n"), 0o600))
			}
			err := errors.Join(s.readSecrets(t.Context())...)
			if len(c.want) == 0 {
				require.NoError(t, err)
				if strings.Contains(c.content, value) {
					assert.Equal(t, ansible.Masked, s.masker.String(value))
				}
				return
			}
			for _, part := range c.want {
				assert.ErrorContains(t, err, part)
			}
			assert.NotContains(t, err.Error(), value)
		})
	}
	err := errors.Join((&settings{}).readSecrets(t.Context())...)
	assert.ErrorContains(t, err, "no secrets")
}

func TestLimit(t *testing.T) {
	t.Parallel()
	inv, err := ansible.ParseInventory([]byte(hosts))
	require.NoError(t, err)
	for _, limit := range []string{"", "all", "dev-uc-1", "uc_engine_host", "dev-uc-1,all"} {
		s := &settings{inventory: inv, limit: limit}
		require.NoError(t, s.choose())
		assert.Equal(t, inv.Hosts, s.hosts, limit)
	}
	for _, limit := range []string{"dev-uc-*", "@file", "-x", "dev-uc-1,", "database"} {
		assert.Error(t, (&settings{inventory: inv, limit: limit}).choose(), limit)
	}
}

func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	s := &settings{stack: "dev", state: filepath.Join(t.TempDir(), "dev")}
	unlock, err := s.lock()
	require.NoError(t, err)
	_, err = s.lock()
	assert.ErrorContains(t, err, "another")
	stale := filepath.Join(s.state, runPrefix+"1")
	require.NoError(t, os.Mkdir(stale, 0o700))
	unlock()
	unlock, err = s.lock()
	require.NoError(t, err)
	defer unlock()
	assert.NoDirExists(t, stale, "what a crashed run left")
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	m := startMachine(t, "", 0)
	host := ansible.Host{Name: "dev-uc-1", Address: "127.0.0.1", User: "admin"}
	wait := func(c sshClient) error {
		return waitForSSH(t.Context(), c, host, progress.Discard.Step(""))
	}

	file := filepath.Join(t.TempDir(), "known_hosts")
	first := sshClient{key: m.KeyFile, knownHosts: file, trustFirst: true, port: m.Port}
	require.NoError(t, wait(first), "a new host is trusted")
	learnt, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(learnt), "[127.0.0.1]:")
	require.NoError(t, wait(first), "and known later")

	// Another machine's key under this machine's name: somebody is in between, or the machine was replaced.
	forged, err := os.ReadFile(m.OtherHosts)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, forged, 0o600))
	err = wait(first)
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.ErrorContains(t, err, "ssh-keygen -R 127.0.0.1")
}

func TestCloudInit(t *testing.T) {
	t.Parallel()
	const result = "status: error\ndetail: x\n=== result\n{\"v1\": {\"errors\": [\"module runcmd failed\"]}}\n"
	for name, c := range map[string]struct {
		output string
		code   uint32
		want   string
		said   string
	}{
		"done":      {"status: done\n=== result\n{}", 0, "", ""},
		"absent":    {"", absent, "", "this machine has none"},
		"recovered": {result, 2, "", "recovered from: module runcmd failed"},
		"failed":    {result, 1, "exit code 1: module runcmd failed", ""},
		"silent":    {"", 1, "does not say why", ""},
		"old":       {"status: error\ndetail: no space\n=== result\n", 1, "no space", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startMachine(t, c.output, c.code)
			host := ansible.Host{Name: "dev-uc-1", Address: "127.0.0.1", User: "admin"}
			var told bytes.Buffer
			recorder := progress.NewRecorder(progress.NewLines(&told))
			err := waitForMachine(t.Context(), sshClient{key: m.KeyFile, knownHosts: m.KnownHosts, port: m.Port}, host, recorder)
			assert.Contains(t, told.String(), c.said)
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.want)
			assert.Equal(t, cli.ExitError, cli.Code(err))
		})
	}
}

func TestRetryGivesUp(t *testing.T) {
	t.Parallel()
	tries := 0
	err := retry(t.Context(), 50*time.Millisecond, progress.Discard.Step(""), func(context.Context) (bool, error) {
		tries++
		return false, errors.New("not yet")
	})
	assert.ErrorContains(t, err, "gave up after 50ms: not yet")
	assert.Equal(t, 1, tries)
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	origin := filepath.Join(dir, "origin")
	shell := func(at string, args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = at
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	for _, role := range ansible.UpstreamRoles() {
		require.NoError(t, os.MkdirAll(filepath.Join(origin, "roles", role, "tasks"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(origin, "roles", role, "tasks", "main.yml"), []byte(role), 0o644))
	}
	shell(origin, "git", "init", "--quiet")
	shell(origin, "git", "add", ".")
	shell(origin, "git", "commit", "--quiet", "-m", "first")
	commit := shell(origin, "git", "rev-parse", "HEAD")
	shell(origin, "git", "commit", "--quiet", "--allow-empty", "-m", "second")

	s := &settings{root: filepath.Join(dir, "repo"), upstream: ansible.Upstream{Repository: "file://" + origin, Commit: commit}}
	got, err := s.checkout(t.Context(), progress.Discard)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(s.root, ".calldata", "wazo-ansible", commit), got)
	assert.Equal(t, commit, shell(got, "git", "rev-parse", "HEAD"))

	task := filepath.Join(got, "roles", "b2bua", "tasks", "main.yml")
	for name, damage := range map[string]func(){
		"edited":  func() { require.NoError(t, os.WriteFile(task, []byte("evil"), 0o644)) },
		"extra":   func() { require.NoError(t, os.WriteFile(filepath.Join(got, "ansible.cfg"), nil, 0o644)) },
		"removed": func() { require.NoError(t, os.RemoveAll(filepath.Join(got, ".git"))) },
	} {
		damage()
		require.Error(t, s.verify(t.Context(), got), name)
		_, err := s.checkout(t.Context(), progress.Discard)
		require.NoError(t, err, name)
		require.NoError(t, s.verify(t.Context(), got), name)
	}
	content, err := os.ReadFile(task)
	require.NoError(t, err)
	assert.Equal(t, "b2bua", string(content))

	// Here already: the origin is not needed.
	s.upstream.Repository = "file:///nowhere"
	_, err = s.checkout(t.Context(), progress.Discard)
	require.NoError(t, err)

	s.upstream = ansible.Upstream{Repository: "file://" + origin, Commit: strings.Repeat("0", 40)}
	_, err = s.checkout(t.Context(), progress.Discard)
	require.Error(t, err)
	entries, err := os.ReadDir(filepath.Join(s.root, ".calldata", "wazo-ansible"))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing half made")
}

func TestGalaxyRoles(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, "")
	s := &settings{root: b.root, content: filepath.Join(b.root, "ansible")}
	s.galaxy = b.put(t, "bin/ansible-galaxy", "#!/bin/sh\necho no route to Galaxy >&2\nexit 1\n", 0o755)
	_, err := s.galaxyRoles(t.Context(), progress.Discard)
	require.ErrorContains(t, err, "no route to Galaxy")

	b.put(t, "bin/ansible-galaxy", "#!/bin/sh\n[ \"$1 $2 $3\" = 'role install --role-file' ] && mkdir \"$6/geerlingguy.postgresql\"\n", 0o755)
	dir, err := s.galaxyRoles(t.Context(), progress.Discard)
	require.NoError(t, err)
	assert.DirExists(t, filepath.Join(dir, "geerlingguy.postgresql"))
	require.NoError(t, os.Remove(s.galaxy))
	again, err := s.galaxyRoles(t.Context(), progress.Discard)
	require.NoError(t, err, "installed once")
	assert.Equal(t, dir, again)
	b.put(t, "repo/ansible/requirements.yml", "roles: [{name: other}]\n", 0o644)
	_, err = s.galaxyRoles(t.Context(), progress.Discard)
	assert.Error(t, err, "other requirements are another directory")
}

func TestPlaybookByName(t *testing.T) {
	t.Parallel()
	b := newBench(t, startMachine(t, "status: done\n", 0), `
for last; do :; done
echo "$last" >"$here/asked"
`+say(recapEvent))
	for _, name := range []string{"common", "fleet"} {
		b.put(t, "repo/ansible/playbooks/"+name+".yml", "[]\n", 0o644)
	}
	b.opts.Playbook = "common"
	b.opts.JSON = true
	require.NoError(t, run(t.Context(), b.opts), b.err.String())
	asked, err := os.ReadFile(filepath.Join(b.dir, "asked"))
	require.NoError(t, err)
	assert.Equal(t, "playbooks/common.yml\n", string(asked))
	assert.Contains(t, b.out.String(), `"playbook": "common"`)

	require.NoError(t, os.Remove(filepath.Join(b.dir, "asked")))
	for _, name := range []string{"", "common.yml", "../common", "vars/common", "fleet", "pbx"} {
		b.opts.IO.In, b.opts.Playbook = strings.NewReader(hosts), name
		err := run(t.Context(), b.opts)
		assert.Equal(t, cli.ExitUsage, cli.Code(err), name)
		assert.ErrorContains(t, err, fmt.Sprintf("--playbook is %q, want one of ansible/playbooks: common, site", name))
	}
	assert.NoFileExists(t, filepath.Join(b.dir, "asked"))
}

func TestFlags(t *testing.T) {
	t.Parallel()
	cmd := NewCmdConfigure(&cli.IO{Getenv: func(string) string { return "" }})
	require.NoError(t, cmd.ParseFlags([]string{"--stack", "prod", "--inventory", "x", "--timeout", "1h", "--playbook", "common", "--limit", "a", "--tags", "b,c", "--check", "--json"}))
	assert.Error(t, cmd.Args(cmd, []string{"extra"}))
	timeout, err := cmd.Flags().GetDuration("timeout")
	require.NoError(t, err)
	assert.Equal(t, time.Hour, timeout)
}
