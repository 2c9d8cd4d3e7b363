package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/preflight"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const clone = "../../.."

// bench is a machine that has everything, and the command.
type bench struct {
	env    map[string]string
	absent string // a program
	said   map[string]string
	state  verdict.Status
	stack  string
	out    bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	_, key := sshtest.NewKey(t)
	return &bench{
		env:   map[string]string{"CALLDATA_SSH_KEY": key, "CALLDATA_SECRETS_FILE": put(t, "smoke_sip_password: never-show-me\n", 0o600)},
		said:  map[string]string{"git --version": "git version 2.39.5", "ssh -V": "OpenSSH_9.2p1", "go env GOVERSION": "go1.99.1", "gh --version": "gh version 2.60.0\nhttps://x"},
		state: verdict.OK,
	}
}

func put(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	return path
}

func (b *bench) run(t *testing.T, args ...string) (map[string]preflight.Result, error) {
	t.Helper()
	o := newOptions(&cli.IO{Out: &b.out, Err: io.Discard, Getenv: func(name string) string { return b.env[name] }})
	o.Dir = clone
	o.find = func(program string) (string, error) {
		if program == b.absent {
			return "", errors.New("not found")
		}
		return "/usr/bin/" + program, nil
	}
	o.run = func(_ context.Context, program string, args ...string) (string, error) {
		said, ok := b.said[strings.Join(append([]string{filepath.Base(program)}, args...), " ")]
		if !ok {
			return "", errors.New("exit status 1")
		}
		return said, nil
	}
	o.laptop = func(_ context.Context, _ *cli.IO, file *stackfile.File, profile string, _ time.Duration) []preflight.Result {
		b.stack = file.Stack + " " + profile
		return []preflight.Result{{Name: "state", Outcome: verdict.Outcome{Status: b.state, Detail: "s3://state"}}}
	}
	b.out.Reset()
	cmd := newCmd(o)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	checks := map[string]preflight.Result{}
	if strings.HasPrefix(b.out.String(), "{") {
		var report Report
		require.NoError(t, json.Unmarshal(b.out.Bytes(), &report))
		assert.Equal(t, err == nil, report.Healthy)
		for _, c := range report.Checks {
			checks[c.Name] = c
		}
	}
	return checks, err
}

func TestAllIsWell(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	checks, err := b.run(t, "prod", "--profile", "telephony", "--json")
	require.NoError(t, err)
	assert.Equal(t, "prod telephony", b.stack)
	for name, want := range map[string]string{
		"git": "git version 2.39.5", "go": "go1.99.1", "gh": "gh version 2.60.0", "ssh-key": "ssh-ed25519 SHA256:", "secrets": "1 entries", "state": "s3://state",
	} {
		assert.Equal(t, verdict.OK, checks[name].Status, name)
		assert.Contains(t, checks[name].Detail, want)
	}
	assert.Equal(t, verdict.Skip, checks["vault"].Status)
	assert.NotContains(t, b.out.String(), "never-show-me")

	_, err = b.run(t)
	require.NoError(t, err)
	assert.Equal(t, "dev ", b.stack)
	assert.Regexp(t, `(?m)^git +ok +git version`, b.out.String())
}

func TestWhatIsLacking(t *testing.T) {
	t.Parallel()
	_, key := sshtest.NewKey(t)
	for name, c := range map[string]struct {
		change func(*bench)
		check  string
		status verdict.Status
		want   string
	}{
		"no git":         {func(b *bench) { b.absent = "git" }, "git", verdict.Fail, "install git"},
		"no gh":          {func(b *bench) { b.absent = "gh" }, "gh", verdict.Warn, "cli.github.com"},
		"no go":          {func(b *bench) { b.absent = "go" }, "go", verdict.Fail, "go.dev"},
		"old go":         {func(b *bench) { b.said["go env GOVERSION"] = "go1.20.1" }, "go", verdict.Warn, "go1.20.1, and go.mod wants"},
		"broken ssh":     {func(b *bench) { delete(b.said, "ssh -V") }, "ssh", verdict.Fail, "exit status 1"},
		"no key":         {func(b *bench) { delete(b.env, "CALLDATA_SSH_KEY") }, "ssh-key", verdict.Warn, "no machine can be logged in to"},
		"an agent":       {func(b *bench) { delete(b.env, "CALLDATA_SSH_KEY"); b.env["SSH_AUTH_SOCK"] = "/x" }, "ssh-key", verdict.OK, "agent"},
		"not a key":      {func(b *bench) { b.env["CALLDATA_SSH_KEY"] = put(t, "never-show-me", 0o600) }, "ssh-key", verdict.Fail, "is not a private key"},
		"an open key":    {func(b *bench) { _ = os.Chmod(key, 0o640); b.env["CALLDATA_SSH_KEY"] = key }, "ssh-key", verdict.Fail, "chmod 600"}, //nolint:gosec // that is the mistake
		"no known hosts": {func(b *bench) { b.env["CALLDATA_KNOWN_HOSTS"] = "/nowhere/known" }, "known-hosts", verdict.Fail, "/nowhere/known"},
		"no secrets":     {func(b *bench) { delete(b.env, "CALLDATA_SECRETS_FILE") }, "secrets", verdict.Warn, "is not set"},
		"open secrets":   {func(b *bench) { b.env["CALLDATA_SECRETS_FILE"] = put(t, "a: never-show-me", 0o644) }, "secrets", verdict.Fail, "chmod 600"},
		"broken secrets": {func(b *bench) { b.env["CALLDATA_SECRETS_FILE"] = put(t, "never-show-me", 0o600) }, "secrets", verdict.Fail, "not a YAML map"},
		"a vault":        {func(b *bench) { b.env["CALLDATA_SECRETS_FILE"] = put(t, "$ANSIBLE_VAULT;1.1;AES256\n", 0o600) }, "secrets", verdict.OK, "a vault"},
		"two passwords": {func(b *bench) {
			b.env["CALLDATA_VAULT_SECRET"], b.env["CALLDATA_VAULT_PASSWORD"] = "x", "never-show-me"
		}, "vault", verdict.Fail, "more than one"},
		"a short password": {func(b *bench) { b.env["CALLDATA_VAULT_PASSWORD"] = "never-show" }, "vault", verdict.Fail, "10 characters"},
		"a password":       {func(b *bench) { b.env["CALLDATA_VAULT_PASSWORD"] = "never-show-me" }, "vault", verdict.OK, "the environment"},
		"no state":         {func(b *bench) { b.state = verdict.Fail }, "state", verdict.Fail, "s3://state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c.change(b)
			checks, err := b.run(t, "--json")
			assert.Equal(t, c.status, checks[c.check].Status, checks[c.check].Detail)
			assert.Contains(t, checks[c.check].Detail, c.want)
			assert.NotContains(t, b.out.String(), "never-show")
			if c.status != verdict.Fail {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
			require.ErrorContains(t, err, fmt.Sprintf("1 of %d checks failed: %s", len(checks), c.check))
		})
	}
}

func TestTheProgramItself(t *testing.T) {
	t.Parallel()
	head := strings.Repeat("a", 40)
	for commit, want := range map[string]struct {
		status verdict.Status
		detail string
	}{
		head: {verdict.OK, "commit " + head}, head + "-dirty": {verdict.OK, "changes that were not committed"}, "unknown": {verdict.OK, "commit unknown"},
		strings.Repeat("b", 40): {verdict.Warn, "the clone is at " + head},
	} {
		status, detail := compare(version.Info{Version: "devel", Commit: commit}, head)
		assert.Equal(t, want.status, status, commit)
		assert.Contains(t, detail, want.detail)
	}
	status, _ := compare(version.Info{Commit: head}, "")
	assert.Equal(t, verdict.OK, status, "outside of Git")
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"one stack at most": {"dev", "prod"}, "--timeout is 0s": {"--timeout", "0s"}, "Pulumi.nowhere.yaml": {"nowhere"}, "is no name of a stack": {"../x"},
	} {
		_, err := newBench(t).run(t, args...)
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
	}
}
