package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/ansible"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

// bench is the command with machines that answer as replies say, and playbooks that are only noted.
type bench struct {
	opts    *Options
	stack   stacks.Outputs
	env     map[string]string
	out     bytes.Buffer
	played  []*configure.Options
	playErr error
	handed  []handed // what was handed over with a playbook

	mu       sync.Mutex
	commands []string
	fed      map[string]*bytes.Buffer // what machines got by way of standard input, by the file
}

func newBench(t *testing.T, reply sshtest.Reply) *bench {
	t.Helper()
	b := &bench{stack: stacktest.Stack(), fed: map[string]*bytes.Buffer{}}
	server := sshtest.Start(t, func(command string) sshtest.Reply {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commands = append(b.commands, command)
		if _, file, fed := strings.Cut(command, "cat >"); fed {
			to := &bytes.Buffer{}
			b.fed[strings.TrimSuffix(file, "'")] = to
			return sshtest.Reply{Stdin: to}
		}
		return reply
	})
	b.env = stacktest.Environment(server)
	b.opts = &Options{
		IO: &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: io.Discard, Getenv: func(name string) string { return b.env[name] }},
		tools: tools{
			members: stacktest.Members, port: server.Port,
			play: func(_ context.Context, o *configure.Options) (*configure.Outcome, error) {
				b.played = append(b.played, o)
				if file, ok := o.Set["restore_from_file"].(string); ok {
					b.handed = append(b.handed, readHanded(t, file))
				}
				return &configure.Outcome{Stack: o.Stack, Playbook: o.Playbook, Result: ansible.Result{Exit: ansible.Exit{Ran: true}}}, b.playErr
			},
		},
	}
	return b
}

func (b *bench) run(t *testing.T, args ...string) error {
	t.Helper()
	b.out.Reset()
	cmd := newCmd(b.opts)
	cmd.SetArgs(append(args, "--outputs", stacktest.Write(t, b.stack)))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(t.Context())
}

func TestNow(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: "database/20261129T020000Z-1 is saved\n"})
	require.NoError(t, b.run(t, "now", "trial", "--json"))
	require.Len(t, b.played, 1)
	o := b.played[0]
	assert.Equal(t, "backup", o.Playbook)
	assert.Equal(t, []string{"backup_now"}, o.Tags)
	assert.Equal(t, "trial-uc-1,trial-router-1", o.Limit)
	assert.True(t, o.Own)
	assert.Equal(t, 3*time.Hour, o.Timeout)
	require.Len(t, o.Machines.Hosts, 2)
	assert.Equal(t, []string{"sudo -n /usr/local/sbin/calldata-backup now"}, b.commands, "one machine of the fleet")
	var saved struct {
		Fixed   struct{ Playbook string }
		Members map[string]string
	}
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &saved))
	assert.Equal(t, "backup", saved.Fixed.Playbook)
	assert.Equal(t, map[string]string{stacktest.Member: "database/20261129T020000Z-1 is saved\n"}, saved.Members)

	b.played, b.commands = nil, nil
	require.NoError(t, b.run(t, "now", "trial", "trial-router-1"))
	assert.Equal(t, "trial-router-1", b.played[0].Limit)
	assert.Empty(t, b.commands)
	assert.Contains(t, b.out.String(), "trial: ok")
}

func TestNowFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stderr: "busy: another Router is at it", Code: busy})
	require.NoError(t, b.run(t, "now", "trial", "c4-sbc"), "who comes second may leave it to the first")
	assert.Contains(t, b.out.String(), "another machine is at it")

	b = newBench(t, sshtest.Reply{Stderr: "failed: no space", Code: 1})
	b.playErr = cli.WithCode(cli.ExitUnreachable, errors.New("trial-uc-1 is away"))
	err := b.run(t, "now", "trial")
	require.ErrorContains(t, err, "trial-uc-1 is away")
	require.ErrorContains(t, err, "failed: no space")
	assert.Contains(t, b.out.String(), stacktest.Member, "what was done is printed all the same")
}

const manifests = `[
 {"id": "sbc-a/20261128T020000Z-1", "parts": [{"name": "sbc-files", "bytes": 10}, {"name": "calldata", "bytes": 5}], "failed": {}},
 {"id": "sbc-b/20261129T020000Z-2", "parts": [{"name": "calldata", "bytes": 7}], "failed": {"sbc-files": "no such file"}},
 {"id": "sbc-a/20261127T020000Z-3", "damaged": "not JSON", "parts": [], "failed": {}}
]`

func TestList(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: manifests})
	require.NoError(t, b.run(t, "list", "trial", "c4-sbc"))
	assert.Equal(t, []string{"sudo -n /usr/local/sbin/calldata-backup list --json"}, b.commands)
	lines := strings.Split(b.out.String(), "\n")
	assert.Regexp(t, `^sbc-b/20261129T020000Z-2 +c4-sbc +7 +without sbc-files +calldata$`, lines[1])
	assert.Regexp(t, `^sbc-a/20261128T020000Z-1 +c4-sbc +15 +complete +sbc-files calldata$`, lines[2])
	assert.Regexp(t, `^sbc-a/20261127T020000Z-3 +c4-sbc +0 +damaged: not JSON`, lines[3])

	// The Router does not answer: the others are listed all the same.
	err := b.run(t, "list", "trial", "--json")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	require.ErrorContains(t, err, "trial-router-1")
	var list List
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &list))
	require.Len(t, list.Backups, 6)
	assert.Equal(t, "sbc-b/20261129T020000Z-2", list.Backups[0].ID)

	require.NoError(t, b.run(t, "list", "trial", "trial-uc-1", "--json"))
	assert.JSONEq(t, `{"stack": "trial", "backups": []}`, b.out.String(), "of this machine alone")

	b.commands = nil
	monitoring := b.stack.Nodes[0]
	monitoring.Name, monitoring.InstanceID, monitoring.PrivateIP, monitoring.Roles = "trial-prometheus-1", "i-0aaaaaaaaaaaaaaa4", "127.0.0.8", []stacks.Role{stacks.RolePrometheus}
	b.stack.Nodes = append(b.stack.Nodes, monitoring)
	b.stack.Prometheus = &stacks.Prometheus{Level: alarms.Few}
	require.NoError(t, b.run(t, "list", "trial", "trial-uc-1"))
	_ = b.run(t, "list", "trial")
	assert.Len(t, b.commands, 3, "the engine twice and an SBC: a monitoring node has nothing to list")
	for _, args := range [][]string{{"list", "trial", "prometheus"}, {"now", "trial", "trial-prometheus-1"}} {
		err = b.run(t, args...)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		require.ErrorContains(t, err, "trial-uc-1", "what there is")
	}

	b = newBench(t, sshtest.Reply{Stdout: "nonsense"})
	require.ErrorContains(t, b.run(t, "list", "trial", "c4-sbc"), "prints no list of manifests")
	b = newBench(t, sshtest.Reply{Stderr: "sudo: calldata-backup: command not found", Code: 1})
	b.stack.Backups = nil
	require.ErrorContains(t, b.run(t, "list", "trial", "c4-sbc"), "has no bucket for backups")
}

func TestRestore(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	key := filepath.Join(t.TempDir(), "backup.key")
	require.NoError(t, os.WriteFile(key, []byte("AGE-SECRET-KEY-1X"), 0o600))
	args := []string{
		"restore", "trial", "trial-router-1", "--identity", key, "--backup", "database/latest", "--backup", "trial-router-1/20261129T020000Z-1f2e", "--part", "database",
		"--allow", "schema",
	}
	err := b.run(t, args...)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "nobody can be asked")
	assert.Empty(t, b.played)

	b.opts.IO.In, b.opts.IO.InIsTerminal = strings.NewReader("yes\n"), true
	assert.Equal(t, cli.ExitDeclined, cli.Code(b.run(t, args...)), "the stack's name is wanted")
	assert.Empty(t, b.played)
	b.opts.IO.In = strings.NewReader("trial\n")
	require.NoError(t, b.run(t, args...))
	require.Len(t, b.played, 1)
	o := b.played[0]
	assert.Equal(t, "restore", o.Playbook)
	assert.Equal(t, "trial-router-1", o.Limit)
	assert.True(t, o.Own)
	assert.False(t, o.Check)
	assert.Equal(t, map[string]any{
		"restore_yes": true, "restore_identity_file": key, "restore_backups": []string{"database/latest", "trial-router-1/20261129T020000Z-1f2e"},
		"restore_parts": []string{"database"}, "restore_allow": []string{"schema"},
	}, o.Set)

	require.NoError(t, b.run(t, "restore", "trial", "trial-uc-1", "--identity-secret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x", "--check"))
	assert.True(t, b.played[1].Check, "nothing is asked where nothing is touched")
	assert.Equal(t, map[string]any{"restore_yes": false, "restore_identity_secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"}, b.played[1].Set)
	require.NoError(t, b.run(t, "restore", "trial", "trial-uc-1", "--yes"))
	b.playErr = errors.New("refused")
	require.ErrorContains(t, b.run(t, "restore", "trial", "trial-uc-1", "--yes", "--json"), "refused")
	assert.Contains(t, b.out.String(), `"playbook": "restore"`)
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	open := filepath.Join(t.TempDir(), "open {{ x }}")
	require.NoError(t, os.WriteFile(open, nil, 0o644)) //nolint:gosec // that is the mistake
	err := b.run(t, "restore", "trial", "trial-uc-1", "--identity", open, "--identity-secret", "x{{", "--backup", "x; reboot", "--part", "A B", "--allow", "all", "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, part := range []string{"has mode 0644", "plainer name", "--identity-secret is", "two places", `--backup is "x; reboot"`, `--part is "A B"`, `--allow is "all"`} {
		require.ErrorContains(t, err, part)
	}
	for want, args := range map[string][]string{
		"want one of trial-uc-1,trial-router-1": {"restore", "trial", stacktest.Member, "--yes"},
		`--from is "prod:here"`:                 {"restore", "trial", "trial-uc-1", "--yes", "--from", "prod:here"},
		`--from is "s3://UPPER"`:                {"list", "trial", "--from", "s3://UPPER"},
		"want `backup restore STACK NODE":       {"restore", "trial"},
		"--timeout is 0s":                       {"now", "trial", "--timeout", "0s"},
		`"nowhere"`:                             {"list", "trial", "nowhere"},
	} {
		err := b.run(t, args...)
		require.ErrorContains(t, err, want)
		assert.Equal(t, cli.ExitUsage, cli.Code(err), err)
	}
	assert.Empty(t, b.played)
	assert.Empty(t, b.commands)
}

// TestPlaybooksKnowTheVariables keeps the names of the variables equal on both sides.
func TestPlaybooksKnowTheVariables(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../ansible/playbooks/restore.yml")
	require.NoError(t, err)
	vars, err := (&RestoreOptions{Parts: []string{"x"}, Allow: []string{"x"}, Identity: Identity{File: "x", Secret: "x"}}).vars([]string{"x"})
	require.NoError(t, err)
	require.Len(t, vars, 6)
	for name := range vars {
		assert.Contains(t, string(text), name)
	}
	for _, name := range []string{"restore_from_file", memberKey, memberFrom} {
		assert.Contains(t, string(text), name)
	}
	program, err := os.ReadFile("../../../ansible/roles/backup/files/calldata_backup/restore.py")
	require.NoError(t, err)
	assert.Contains(t, string(program), `REASONS = ("`+strings.Join(reasons, `", "`)+`")`)
	now, err := os.ReadFile("../../../ansible/playbooks/backup.yml")
	require.NoError(t, err)
	assert.Contains(t, string(now), "tags: [never, backup_now]")
}
