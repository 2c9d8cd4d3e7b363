package configure

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestMain(m *testing.M) { sshtest.Main(m, tunnel.NewCmdTunnel) }

const managedID = "i-0123456789abcdef0"

var managedHosts = strings.NewReplacer("i-1", managedID, `key_arn: ""`, "key_arn: \"\"\n      access: ssm").Replace(hosts)

func managedHost() ansible.Host {
	return ansible.Host{
		Name: "stage-uc-1", Address: "127.0.0.1", PrivateIP: "127.0.0.1", User: "admin", InstanceID: managedID,
		Roles: []stacks.Role{stacks.RoleUCEngine}, Access: stacks.AccessSSM, Region: "eu-west-1",
	}
}

// aws puts an AWS CLI that is a shell script, and its plugin, first on PATH. The script's $here is their directory.
func aws(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"aws": fmt.Sprintf("#!/bin/sh\nhere='%s'\n%s\n", dir, script), "session-manager-plugin": "#!/bin/sh\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// systemsManager does for the AWS CLI what AWS does.
func systemsManager(port int) string {
	binary, _ := os.Executable()
	return fmt.Sprintf(`echo "$@" "$AWS_PROFILE" >>"$here/calls"
exec '%s' tunnel --via direct --instance %s --region eu-west-1 --host 127.0.0.1 --port %d`, binary, managedID, port)
}

// login is a line of shell for ansible-playbook: it does what Ansible does with its settings, a command over ssh.
func login(m *sshtest.Server) string {
	return fmt.Sprintf(`eval "ssh $ANSIBLE_SSH_COMMON_ARGS -p %d -i '%s' -l admin 127.0.0.1 hello" >"$here/said" 2>&1 || exit 4
env >"$here/env"
`, m.Port, m.KeyFile)
}

func TestManagedMachines(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	m := sshtest.Start(t, func(command string) sshtest.Reply {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, command)
		return sshtest.Reply{Stdout: "hello from the machine\n"}
	})
	t.Setenv("AWS_PROFILE", "stage")
	for _, way := range []string{"", "direct"} {
		fakes := aws(t, systemsManager(m.Port))
		asked = nil
		b := newBench(t, m, login(m)+say(recapEvent))
		b.opts.IO.In, b.env[tunnel.Variable] = strings.NewReader(managedHosts), way
		require.NoError(t, run(t.Context(), b.opts), b.err.String())

		said, err := os.ReadFile(filepath.Join(b.dir, "said"))
		require.NoError(t, err)
		assert.Equal(t, "hello from the machine\n", string(said), "Ansible goes through the tunnel")
		assert.Equal(t, []string{"true", "true", statusScript, "hello"}, asked)
		env, err := os.ReadFile(filepath.Join(b.dir, "env"))
		require.NoError(t, err)
		calls, err := os.ReadFile(filepath.Join(fakes, "calls"))
		if way == "direct" {
			assert.ErrorIs(t, err, os.ErrNotExist)
			assert.NotContains(t, string(env), "AWS_PROFILE")
			assert.Equal(t, 1, strings.Count(b.err.String(), "1 of 1 machines are reached straight to private addresses (CALLDATA_TUNNEL=direct)"))
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, strings.Repeat("ssm start-session --target "+managedID+" --document-name AWS-StartSSHSession --parameters portNumber="+strconv.Itoa(m.Port)+
			" --region eu-west-1 stage\n", 4), string(calls), "Ansible's tunnels have the credentials too")
		assert.Equal(t, 1, strings.Count(b.err.String(), "1 of 1 machines are reached through AWS Systems Manager"))
		left, err := filepath.Glob(filepath.Join(b.root, ".calldata/dev/"+runPrefix+"*"))
		require.NoError(t, err)
		assert.Empty(t, left, "nor is there a configuration of ssh after the run")
	}
}

func TestSSHMachinesNeedNoTunnel(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH"))
	m := startMachine(t, "", 0)
	b := newBench(t, m, login(m)+say(recapEvent))
	b.env[tunnel.Variable] = "no way"
	require.NoError(t, run(t.Context(), b.opts), b.err.String())
	env, err := os.ReadFile(filepath.Join(b.dir, "env"))
	require.NoError(t, err)
	assert.Contains(t, string(env), "ANSIBLE_SSH_COMMON_ARGS=-o ", "ssh has its own configuration")
	assert.NotContains(t, b.err.String(), "reached")
}

func TestManagedMachinesArePreparedFor(t *testing.T) {
	m := startMachine(t, "", 0)
	bin := t.TempDir()
	for _, name := range []string{"ssh", "git", "env", "sh"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(bin, name)))
	}
	t.Setenv("PATH", bin)
	b := newBench(t, m, "")
	b.opts.IO.In = strings.NewReader(managedHosts)
	err := run(t.Context(), b.opts)
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	assert.ErrorContains(t, err, "aws is not on PATH")
	assert.ErrorContains(t, err, "session-manager-plugin is not on PATH")

	for text, want := range map[string]string{
		strings.Replace(managedHosts, managedID, "mi-1", 1):                             `inventory host "dev-uc-1": instance is "mi-1"`,
		strings.Replace(managedHosts, "eu-west-1", "eu-west-1 --profile x", 1):          `calldata_region is "eu-west-1 --profile x"`,
		strings.Replace(managedHosts, "access: ssm", "ansible_ssh_extra_args: -F x", 1): "ansible_ssh_extra_args",
	} {
		b := newBench(t, m, "")
		b.opts.IO.In = strings.NewReader(text)
		err := run(t.Context(), b.opts)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		assert.ErrorContains(t, err, want)
		assert.NoDirExists(t, filepath.Join(b.root, ".calldata"), "nothing was made")
	}
	b = newBench(t, m, "")
	b.opts.IO.In, b.env[tunnel.Variable] = strings.NewReader(managedHosts), "vpn"
	err = run(t.Context(), b.opts)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.ErrorContains(t, err, `CALLDATA_TUNNEL is "vpn"`)
}

// managed is what `calldata configure` makes of a managed host: settings with a configuration of ssh.
func managed(t *testing.T, c sshClient, way string, host ansible.Host) *settings {
	t.Helper()
	s := &settings{ssh: c, inventory: ansible.Inventory{Hosts: []ansible.Host{host}}}
	s.hosts = s.inventory.Hosts
	usage, machine := s.prepareTunnels(func(string) string { return way })
	require.Empty(t, compact(usage))
	require.Empty(t, compact(machine))
	require.NoError(t, s.writeSSHConfig(t.TempDir()))
	return s
}

// A machine that replaces another one may get its private address. Its key is another one, and its instance id too.
func TestHostKeysAreFiledByInstance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	for _, id := range []string{managedID, "i-0fedcba9876543210"} {
		m := startMachine(t, "", 0)
		host := managedHost()
		host.InstanceID = id
		s := managed(t, sshClient{key: m.KeyFile, knownHosts: file, trustFirst: true, port: m.Port}, "direct", host)
		wait := func() error {
			return waitForSSH(t.Context(), s.ssh, host, progress.Discard.Step(""))
		}
		require.NoError(t, wait(), "a new machine is trusted")
		require.NoError(t, wait(), "and known later")
		learnt, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Contains(t, string(learnt), id+" ssh-ed25519")
		assert.NotContains(t, string(learnt), "127.0.0.1")
	}
	// The same instance with another key is nobody's friend.
	m := startMachine(t, "", 0)
	s := managed(t, sshClient{key: m.KeyFile, knownHosts: file, trustFirst: true, port: m.Port}, "direct", managedHost())
	err := waitForSSH(t.Context(), s.ssh, managedHost(), progress.Discard.Step(""))
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.ErrorContains(t, err, "ssh-keygen -R "+managedID+" -f "+file)
}

func TestHostKeysOfTheOperator(t *testing.T) {
	m := startMachine(t, "", 0)
	byAddress, err := os.ReadFile(m.KnownHosts)
	require.NoError(t, err)
	_, key, _ := strings.Cut(string(byAddress), " ")
	for name, c := range map[string]struct {
		text  string
		alias bool
	}{"by address": {string(byAddress), false}, "by instance": {managedID + " " + key, true}} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
		s := managed(t, sshClient{key: m.KeyFile, knownHosts: file, port: m.Port}, "direct", managedHost())
		require.NoError(t, waitForSSH(t.Context(), s.ssh, managedHost(), progress.Discard.Step("")), name)
		assert.Equal(t, c.alias, strings.Contains(s.sshConfig, "HostKeyAlias "+managedID), name)
	}
}

func TestWhatAWSSaysIsShown(t *testing.T) {
	m := startMachine(t, "", 0)
	c := sshClient{key: m.KeyFile, knownHosts: m.KnownHosts, port: m.Port}
	fakes := aws(t, `echo x >>"$here/calls"; echo >&2
echo "An error occurred (AccessDeniedException) when calling the StartSession operation: User: x is not authorized" >&2; exit 254`)
	begin := time.Now()
	err := waitForSSH(t.Context(), managed(t, c, "", managedHost()).ssh, managedHost(), progress.Discard.Step(""))
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.ErrorContains(t, err, "stage-uc-1 ("+managedID+") cannot be reached: ssh: An error occurred (AccessDeniedException)")
	assert.ErrorContains(t, err, "may these credentials start a session")
	assert.Less(t, time.Since(begin), sshLimit/10, "trying again does not help")
	calls, err := os.ReadFile(filepath.Join(fakes, "calls"))
	require.NoError(t, err)
	assert.Equal(t, "x\n", string(calls))

	// The agent of a young machine comes up with time.
	aws(t, `if [ -e "$here/online" ]; then `+systemsManager(m.Port)+`
fi
touch "$here/online"
echo "An error occurred (TargetNotConnected) when calling the StartSession operation: `+managedID+` is not connected." >&2; exit 254`)
	var told bytes.Buffer
	m.Refuse.Store(1)
	step := progress.NewRecorder(progress.NewLines(&told)).Step("")
	require.NoError(t, waitForSSH(t.Context(), managed(t, c, "", managedHost()).ssh, managedHost(), step))
	step.Done(nil)

	s := managed(t, sshClient{key: m.KeyFile, knownHosts: m.KnownHosts, port: 1}, "direct", managedHost())
	_, err = s.ssh.answers(t.Context(), managedHost())
	assert.EqualError(t, err, "ssh: calldata: tunnel to 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused")
	assert.Contains(t, s.ssh.hint(), "private address")
}

// The real ansible-playbook and the real ssh, with a connection that both keep open for more than one task.
func TestRealAnsibleThroughTheTunnel(t *testing.T) {
	playbook, err := exec.LookPath("ansible-playbook")
	if err != nil {
		t.Skip("ansible-playbook is not on PATH")
	}
	m := startMachine(t, "", 0)
	fakes := aws(t, systemsManager(m.Port))
	b := newBench(t, m, "")
	b.opts.IO.In = strings.NewReader(managedHosts)
	b.env["CALLDATA_ANSIBLE_PLAYBOOK"] = playbook
	content, err := filepath.Abs("../../../ansible")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(content, "plugins"), filepath.Join(b.root, "ansible", "plugins")))
	require.NoError(t, os.WriteFile(filepath.Join(b.root, "ansible", "ansible.cfg"), []byte(fmt.Sprintf("[defaults]\nremote_port = %d\n"+
		"[ssh_connection]\npipelining = true\nssh_args = -o ControlMaster=auto -o ControlPersist=60s\n", m.Port)), 0o600))
	b.put(t, "repo/ansible/playbooks/site.yml", `- name: Talk
  hosts: uc_engine_host
  gather_facts: false
  tasks:
    - name: Once
      ansible.builtin.raw: once
    - name: Twice
      ansible.builtin.raw: twice
`, 0o644)
	require.NoError(t, run(t.Context(), b.opts), b.err.String())
	assert.Contains(t, b.out.String(), "dev: ok, 2 changed")
	calls, err := os.ReadFile(filepath.Join(fakes, "calls"))
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(string(calls), "start-session"), "three to wait, and one for all of Ansible")
}
