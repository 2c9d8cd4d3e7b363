package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRunReportsResult(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, say(`{"event":"play","name":"Base system"}`)+
		say(`{"event":"task","name":"common : Packages"}`)+
		say(`{"event":"host","host":"dev-uc-1","task":"common : Packages","status":"changed","seconds":1.5}`)+
		say(`{"event":"host","host":"dev-uc-2","task":"common : Packages","status":"ok","seconds":0.5,"said":"kernel says no"}`)+
		say(`{"event":"play","name":"Not needed"}`)+say(stats))
	told := &listener{}
	p.Reporter = told
	result, err := p.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []HostRecap{{Host: "dev-uc-1", OK: 3, Changed: 1, Skipped: 2}}, result.Hosts)
	assert.Equal(t, []TaskTime{{Play: "Base system", Name: "common : Packages", Hosts: 2, Elapsed: 2 * time.Second}}, result.Tasks)
	assert.Equal(t, 1, result.Changed())
	assert.True(t, result.Exit.OK())
	assert.Equal(t, strings.Join([]string{
		"step Base system", "Base system: 1 common : Packages", "dev-uc-2: kernel says no", "done Base system: <nil>",
		"step Not needed", "done Not needed: skipped: no host needs it",
	}, "\n"), told.String())
}

// Trap: extra variables, and the whole environment, turn up in go-ansible's errors.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const secret, passphrase = `s3cret"pass'word`, "do-not-pass-me-on"
	p, dir := fake(t, `
printf '%s\n' "$@" >"$here/args"
env >"$here/env"
for file in "$@"; do case $file in *=@*) cp "${file#*=@}" "$here/seen";; esac; done
cat "$here/vars.yml"; cat "$here/vars.yml" >&2
`+say(`{"event":"play","name":"Base"}`)+
		`printf '{"event":"host","host":"h","task":"t","status":"failed","message":"refused s3cret\\"pass'"'"'word"}\n' >&3`+"\n"+
		say(stats)+"exit 2")
	vars := filepath.Join(dir, "vars.yml")
	require.NoError(t, os.WriteFile(vars, []byte(secret+"\n"), 0o600))
	var log bytes.Buffer
	told := &listener{}
	p.ExtraVarsFiles, p.Log, p.Reporter, p.Masker = []string{vars}, &log, told, NewMasker(secret)
	p.Environ = append(p.Environ, "PULUMI_CONFIG_PASSPHRASE="+passphrase, "ANSIBLE_VAULT_PASSWORD_FILE=/elsewhere")
	result, err := p.Run(t.Context())
	require.Error(t, err)

	assert.Equal(t, secret+"\n", read(t, filepath.Join(dir, "seen")), "Ansible gets the file")
	shown, jsonErr := json.Marshal(result)
	require.NoError(t, jsonErr)
	for what, text := range map[string]string{
		"arguments": read(t, filepath.Join(dir, "args")), "environment": read(t, filepath.Join(dir, "env")),
		"error": err.Error(), "log": log.String(), "progress": told.String(), "result": string(shown),
	} {
		assert.NotContains(t, text, "s3cret", what)
		assert.NotContains(t, text, passphrase, what)
	}
	assert.Contains(t, read(t, filepath.Join(dir, "args")), "--extra-vars=@"+vars)
	assert.NotContains(t, read(t, filepath.Join(dir, "env")), "/elsewhere")
	assert.Contains(t, err.Error(), "refused "+Masked)
	assert.Equal(t, 2, strings.Count(log.String(), Masked))
}

func TestRunRefusesBeforeItStarts(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, `touch "$here/started"`)
	vars, key := filepath.Join(dir, "vars.yml"), filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(vars, []byte("a: b\n"), 0o640))
	require.NoError(t, os.WriteFile(key, nil, 0o604))
	p.ExtraVarsFiles, p.PrivateKeyFile, p.VaultPasswordFile = []string{vars}, key, dir
	p.Inventories, p.Name = []string{filepath.Join(dir, "a,b")}, "absent.yml"
	_, err := p.Run(t.Context())
	require.Error(t, err)
	for _, part := range []string{
		"mode 0640", "mode 0604", "chmod 600", "not a regular file", "commas", `no file "absent.yml"`, "no such file",
	} {
		assert.ErrorContains(t, err, part)
	}
	assert.NoFileExists(t, filepath.Join(dir, "started"))
}

// Traps: exit codes are lost, misnamed, and ambiguous.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code                          int
		recap                         bool
		want                          string
		failed, unreachable, badInput bool
	}{
		{1, true, "error", false, false, false},
		{2, true, "failed hosts", true, false, false},
		{4, true, "unreachable hosts", false, true, false},
		{6, true, "failed hosts, unreachable hosts", true, true, false},
		{8, true, "play broken off", true, false, false},
		{99, true, "interrupted", false, false, false},
		{250, true, "unexpected error in Ansible", false, false, false},
		{255, true, "unknown error in Ansible", false, false, false},
		{1, false, "error before any play", false, false, false},
		{2, false, "wrong options", false, false, true},
		{4, false, "content or inventory cannot be parsed", false, false, true},
		{5, false, "wrong options", false, false, true},
		{250, false, "unexpected error in Ansible", false, false, false},
		{42, true, "unknown exit code 42", false, false, false},
	} {
		t.Run(strconv.Itoa(c.code)+"/"+strconv.FormatBool(c.recap), func(t *testing.T) {
			t.Parallel()
			script := "echo the reason >&2\n"
			if c.recap {
				script += say(stats)
			}
			p, _ := fake(t, script+"exit "+strconv.Itoa(c.code))
			result, err := p.Run(t.Context())
			var run *RunError
			require.ErrorAs(t, err, &run)
			assert.Equal(t, c.code, run.Result.Exit.Code)
			assert.Equal(t, c.want, result.Exit.String())
			assert.Equal(t, c.failed, result.Exit.FailedHosts())
			assert.Equal(t, c.unreachable, result.Exit.UnreachableHosts())
			assert.Equal(t, c.badInput, result.Exit.BadInput())
			assert.ErrorContains(t, err, "site.yml: exit code "+strconv.Itoa(c.code)+", "+c.want)
			assert.ErrorContains(t, err, "the reason")
		})
	}
}

// Trap: a playbook fails, or never ran, but the error is nil.
func TestSuccessNeedsRecap(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, "exit 0")
	_, err := p.Run(t.Context())
	assert.ErrorContains(t, err, "no recap")
}

func TestBrokenEventIsAnError(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, say("not json")+say(stats))
	result, err := p.Run(t.Context())
	require.ErrorContains(t, err, "event stream")
	assert.Len(t, result.Hosts, 1, "the lines after it count")
}

// Traps: any line on standard error breaks the event stream; newlines get lost; lines end at 64 KiB.
func TestOutputIsKeptWhole(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, `
echo '[WARNING]: something' >&2
`+say(`{"event":"play","name":"p"}`)+`
printf 'one\n\n  two\n'
long=$(head -c 300000 /dev/zero | tr '\0' x)
printf '%s\n' "$long"
printf '{"event":"host","host":"h","task":"t","status":"failed","message":"%s"}\n' "$long" >&3
`+say(stats)+`echo 'no newline' | tr -d '\n'; exit 2`)
	var log bytes.Buffer
	p.Log = &log
	result, err := p.Run(t.Context())
	require.Error(t, err)
	long := strings.Repeat("x", 300000)
	// The two streams are read side by side: a line of stderr may come late, but never inside another line.
	assert.Contains(t, log.String(), "[WARNING]: something\n")
	assert.Equal(t, "one\n\n  two\n"+long+"\nno newline", strings.Replace(log.String(), "[WARNING]: something\n", "", 1))
	require.Len(t, result.Failures, 1)
	assert.Equal(t, long, result.Failures[0].Message)
	assert.Len(t, result.Hosts, 1)
}

// Trap: two goroutines write at once. The race detector watches.
func TestStreamsShareOneLog(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, `
(i=0; while [ $i -lt 500 ]; do echo "out $i"; i=$((i+1)); done) &
(i=0; while [ $i -lt 500 ]; do echo "err $i" >&2; i=$((i+1)); done) &
wait
`+say(stats))
	var log bytes.Buffer
	p.Log = &log
	_, err := p.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1000, strings.Count(log.String(), "\n"))
}

// Trap: a full disk stops the copying, and Ansible stands still at a full pipe.
func TestLogFailureIsTold(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, "head -c 300000 /dev/zero | tr '\\0' x\n"+say(stats))
	told := &listener{}
	p.Reporter, p.Log = told, full{}
	_, err := p.Run(t.Context())
	require.NoError(t, err)
	assert.Contains(t, told.String(), "not complete: disk full")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// Trap: children hold the pipes, so a cancelled run goes on, and its error hides the context's.
func TestCancelEndsEverything(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		want   error
	}{
		"deadline": {
			`sleep 300 & echo $! >"$here/child.tmp"; mv "$here/child.tmp" "$here/child"; wait`,
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
			context.DeadlineExceeded,
		},
		"cancel": {
			`sleep 300 & echo $! >"$here/child.tmp"; mv "$here/child.tmp" "$here/child"; sleep 300`,
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
			context.Canceled,
		},
		"SIGTERM ignored": {
			`trap '' TERM; sh -c 'trap "" TERM; echo $$ >"$1/child.tmp"; mv "$1/child.tmp" "$1/child"; while :; do sleep 1; done' - "$here" & wait; wait`,
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
			context.DeadlineExceeded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, dir := fake(t, `echo $$ >"$here/leader"; `+say(`{"event":"play","name":"p"}`)+c.script)
			told := &listener{}
			p.Reporter = told
			ctx, cancel := c.ctx(t.Context())
			defer cancel()
			began := time.Now()
			result, err := p.Run(ctx)
			require.ErrorIs(t, err, c.want)
			var run *RunError
			require.ErrorAs(t, err, &run)
			assert.Less(t, time.Since(began), 6*time.Second)
			assert.False(t, result.Exit.OK())
			assert.Contains(t, told.String(), "done p: context")
			for _, name := range []string{"leader", "child"} {
				assertGone(t, filepath.Join(dir, name))
			}
		})
	}
}

// Trap: a process that outlives ansible-playbook holds its pipes, and the run never ends.
func TestLeftoversAreEnded(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, `sleep 300 & echo $! >"$here/child"`+"\n"+say(stats))
	began := time.Now()
	_, err := p.Run(t.Context())
	require.NoError(t, err)
	assert.Less(t, time.Since(began), 10*time.Second)
	assertGone(t, filepath.Join(dir, "child"))
}

// assertGone fails if the process whose id file holds is still there.
func assertGone(t *testing.T, file string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, file)))
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		// An orphan stays a zombie where nothing reaps for PID 1.
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 2*time.Second, 20*time.Millisecond, "process %d of %s is still running", pid, file)
}

// Trap: standard input is the parent's, and questions wait for an answer for ever.
func TestNobodyIsAsked(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, `
if read -r answer; then echo "read $answer" >"$here/asked"; fi
if (: </dev/tty) 2>/dev/null; then echo tty >>"$here/asked"; fi
`+say(stats))
	_, err := p.Run(t.Context())
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(dir, "asked"))
}

// Trap: nothing is printed until the end.
func TestProgressIsLive(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, say(`{"event":"play","name":"p"}`)+say(`{"event":"task","name":"slow","handler":true}`)+`
i=0; while [ ! -e "$here/heard" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
[ -e "$here/heard" ] || exit 1
`+say(stats))
	p.Reporter = &listener{hook: func(line string) {
		if line == "p: 1 handler: slow" {
			_ = os.WriteFile(filepath.Join(dir, "heard"), nil, 0o600)
		}
	}}
	_, err := p.Run(t.Context())
	assert.NoError(t, err)
}

func TestStartFailureIsExplained(t *testing.T) {
	t.Parallel()
	p, _ := fake(t, "")
	require.NoError(t, os.WriteFile(p.Binary, []byte("#!/no/such/interpreter\n"), 0o755))
	_, err := p.Run(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, dir := fake(t, `touch "$here/started"`)
	_, err = p.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.NoFileExists(t, filepath.Join(dir, "started"))
}

func TestArgumentsAndEnvironment(t *testing.T) {
	t.Parallel()
	p, dir := fake(t, `printf '%s\n' "$@" >"$here/args"; env >"$here/env"; pwd >"$here/cwd"`+"\n"+say(stats))
	key := filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(key, nil, 0o600))
	p.PrivateKeyFile, p.Limit, p.Tags, p.SkipTags, p.Check, p.Diff = key, "dev-uc-1", []string{"a", "b"}, []string{"c"}, true, true
	config := filepath.Join(dir, "ssh config")
	require.NoError(t, os.WriteFile(config, nil, 0o600))
	p.SSHOptions, p.SSHConfigFile, p.RolesPath = []string{"UserKnownHostsFile=/a b"}, config, []string{"/upstream/roles"}
	p.Environ = append(p.Environ, "AWS_PROFILE=stage", "ANSIBLE_FORKS=1")
	p.Pass = []string{"AWS_*"}
	p.Inventories = append(p.Inventories, dir)
	_, err := p.Run(t.Context())
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{
		"--check", "--diff", "--limit=dev-uc-1", "--tags=a,b", "--skip-tags=c", "--private-key=" + key, "site.yml",
	}, strings.Fields(read(t, filepath.Join(dir, "args"))))
	env := read(t, filepath.Join(dir, "env"))
	for _, line := range []string{
		"ANSIBLE_INVENTORY=" + filepath.Join(dir, "hosts.yml") + "," + dir,
		"ANSIBLE_ROLES_PATH=" + filepath.Join(p.Dir, "roles") + ":/upstream/roles",
		"ANSIBLE_SSH_COMMON_ARGS=-F '" + config + "' -o 'BatchMode=yes' -o 'UserKnownHostsFile=/a b'",
		"AWS_PROFILE=stage",
	} {
		assert.Contains(t, env, line+"\n")
	}
	assert.NotContains(t, env, "ANSIBLE_FORKS")
	assert.Equal(t, p.Dir+"\n", read(t, filepath.Join(dir, "cwd")))
}

// The real ansible-playbook with the real callback plugin, on this machine and without ssh.
func TestRealAnsible(t *testing.T) {
	t.Parallel()
	if _, err := osexec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not on PATH")
	}
	p, dir := fake(t, "")
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	p.Binary, p.Environ, p.Grace = "ansible-playbook", nil, 5*time.Second
	for _, name := range []string{"ansible.cfg", "plugins"} {
		_ = os.Remove(filepath.Join(p.Dir, name))
		require.NoError(t, os.Symlink(filepath.Join(here, name), filepath.Join(p.Dir, name)))
	}
	require.NoError(t, os.WriteFile(p.Inventories[0], []byte(
		"all: {hosts: {one: {ansible_connection: local}, two: {ansible_connection: local}}}\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(p.Dir, p.Name), []byte(`
- name: First
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug: {msg: "hello from {{ inventory_hostname }}"}
    - name: Change
      ansible.builtin.command: {cmd: echo not-in-the-events}
      notify: Handle
    - name: Ignore
      ansible.builtin.fail: {msg: never mind}
      ignore_errors: true
  handlers:
    - name: Handle
      ansible.builtin.debug: {msg: handled}
- name: Second
  hosts: two
  gather_facts: false
  tasks:
    - name: Hide
      ansible.builtin.command: {cmd: "false"}
      no_log: true
`), 0o600))
	var log bytes.Buffer
	told := &listener{}
	p.Log, p.Reporter = &log, told
	result, err := p.Run(t.Context())
	require.Error(t, err, log.String())
	assert.Equal(t, []HostRecap{
		{Host: "one", OK: 4, Changed: 1, Ignored: 1}, {Host: "two", OK: 4, Changed: 1, Failed: 1, Ignored: 1},
	}, result.Hosts, log.String())
	assert.True(t, result.Exit.FailedHosts())
	require.Len(t, result.Failures, 1)
	assert.Equal(t, Failure{
		Host: "two", Play: "Second", Task: "Hide", Message: "hidden, because the task has no_log",
	}, result.Failures[0])
	for _, line := range []string{"one: hello from one", "First: 4 handler: Handle", `one: failed at "Ignore", ignored: never mind`} {
		assert.Contains(t, told.String(), line)
	}
	assert.NotContains(t, told.String(), "not-in-the-events")
	assert.Contains(t, log.String(), "PLAY RECAP")
	entries, err := os.ReadDir(filepath.Join(dir, "content"))
	require.NoError(t, err)
	assert.Len(t, entries, 3, "a run leaves nothing in the content")
}
