package ssh

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/infra/calldata/tunnel"
)

func TestMain(m *testing.M) { sshtest.Main(m, tunnel.NewCmdTunnel) }

// bench is a machine and the command.
type bench struct {
	server   *sshtest.Server
	env      map[string]string
	out, err bytes.Buffer

	mu       sync.Mutex
	commands []string
}

func newBench(t *testing.T, reply sshtest.Reply) *bench {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not on PATH")
	}
	b := &bench{}
	b.server = sshtest.Start(t, func(command string) sshtest.Reply {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commands = append(b.commands, command)
		return reply
	})
	b.env = stacktest.Environment(b.server)
	return b
}

func (b *bench) run(t *testing.T, args ...string) error {
	t.Helper()
	o := &Options{
		IO:  &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: &b.err, Getenv: func(name string) string { return b.env[name] }},
		Dir: t.TempDir(), members: stacktest.Members, port: b.server.Port,
	}
	cmd := newCmd(o)
	cmd.SetArgs(append([]string{"--outputs", stacktest.Write(t, stacktest.Stack())}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(t.Context())
}

func TestCommandOnAFixedMachine(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: "up 3 days\n", Stderr: "a word\n"})
	require.NoError(t, b.run(t, "trial", "trial-uc-1", "--", "uptime", "-p"), b.err.String())
	assert.Equal(t, []string{"uptime -p"}, b.commands)
	assert.Equal(t, "up 3 days\n", b.out.String())
	assert.Contains(t, b.err.String(), "a word")
	assert.NotContains(t, b.err.String(), "terminal")
	require.NoError(t, b.run(t, "trial", "trial-uc-1", "--tty", "--", "top"))
	assert.Contains(t, b.err.String(), "Pseudo-terminal will not be allocated", "ssh was asked for one, and the test has none to give")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Code: 42})
	err := b.run(t, "trial", "uc-engine", "--", "false")
	assert.Equal(t, 42, cli.Code(err), "the command's own")
	require.ErrorIs(t, err, cli.ErrSilent)

	b.env["CALLDATA_KNOWN_HOSTS"] = b.server.OtherHosts
	err = b.run(t, "trial", "uc-engine", "--", "false")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	assert.Contains(t, b.err.String(), "REMOTE HOST IDENTIFICATION HAS CHANGED")
}

func TestMachineOfAFleetIsLearnt(t *testing.T) {
	b := newBench(t, sshtest.Reply{Stdout: "hello\n"})
	dir := t.TempDir()
	for _, name := range []string{"Pulumi.yaml", "ansible/x"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	t.Chdir(dir)
	delete(b.env, login.KnownHostsVariable)
	o := &Options{
		IO:  &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: &b.err, Getenv: func(name string) string { return b.env[name] }},
		Dir: dir, members: stacktest.Members, port: b.server.Port, Node: "c4-sbc", Command: []string{"hostname"},
	}
	o.Source.File = stacktest.Write(t, stacktest.Stack())
	for range 2 {
		require.NoError(t, run(t.Context(), o), b.err.String())
	}
	assert.Equal(t, "hello\nhello\n", b.out.String())
	known, err := os.ReadFile(filepath.Join(dir, ".calldata/trial/known_hosts"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(known), stacktest.Member))
}

func TestMistakes(t *testing.T) {
	b := newBench(t, sshtest.Reply{})
	for want, args := range map[string][]string{
		"want a stack and a machine":   {"trial"},
		"a command after --":           {"trial", "trial-uc-1", "uptime"},
		`no machine or role "nowhere"`: {"trial", "nowhere"},
		`not of --stack "prod"`:        {"prod", "trial-uc-1"},
	} {
		err := b.run(t, args...)
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
	}
	b.env[tunnel.Variable] = ""
	ssh, err := exec.LookPath("ssh")
	require.NoError(t, err)
	only := t.TempDir()
	require.NoError(t, os.Symlink(ssh, filepath.Join(only, "ssh")))
	t.Setenv("PATH", only)
	err = b.run(t, "trial", "trial-uc-1")
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	require.ErrorContains(t, err, "session-manager-plugin is not on PATH")
	t.Setenv("PATH", t.TempDir())
	err = b.run(t, "trial", "trial-uc-1")
	assert.Equal(t, cli.ExitPreflight, cli.Code(err))
	require.ErrorContains(t, err, "openssh-client")
	assert.Empty(t, b.commands)
}
