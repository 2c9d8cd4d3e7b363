package rollback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/stacks"
)

// bench is a clone, a history, a backend of files, and what was asked of the engine.
type bench struct {
	asked        func() // while a question stands
	dir, backend string
	env          map[string]string
	history      []auto.UpdateSummary

	deployed *deploy.Options
	settings string // of the stack, in the tree that was deployed
	err      error  // of deploying, or of importing
	restored *automation.Checkpoint
	out, say string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), backend: t.TempDir()}
	b.env = map[string]string{"PULUMI_BACKEND_URL": "file://" + b.backend}
	b.git(t, "init", "--quiet", "--initial-branch=main")
	b.put(t, ".gitignore", "/.calldata/\n")
	b.put(t, "Pulumi.yaml", "name: calldata-foundation\nruntime: go\n")
	b.put(t, "ansible/README", "")
	return b
}

func (b *bench) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

func (b *bench) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// commit commits dev's settings and deploys them.
func (b *bench) commit(t *testing.T, settings, result string) string {
	t.Helper()
	b.put(t, "Pulumi.dev.yaml", "config: {x: "+settings+"}\n")
	b.git(t, "add", "--all")
	b.git(t, "commit", "--quiet", "--message", "Setting "+settings)
	commit := b.git(t, "rev-parse", "HEAD")
	b.happened(update, commit, result)
	return commit
}

func (b *bench) happened(kind, commit, result string) {
	b.history = append([]auto.UpdateSummary{{
		Kind: kind, Result: result, StartTime: fmt.Sprintf("2026-11-30T00:00:0%d.000Z", len(b.history)), Message: `"of the history"`,
		Environment: map[string]string{head: commit}, ResourceChanges: &map[string]int{"update": 1},
	}}, b.history...)
}

// terminal is a person's, who is asked something before the answer is read.
type terminal struct {
	io.Reader
	asked func()
}

func (p terminal) Read(to []byte) (int, error) {
	if p.asked != nil {
		p.asked()
	}
	return p.Reader.Read(to)
}

func (b *bench) run(t *testing.T, typed string, args ...string) error {
	t.Helper()
	var out, say bytes.Buffer
	b.deployed, b.restored = nil, nil
	cmd := newCmd(&Options{
		IO:     &cli.IO{In: terminal{strings.NewReader(typed), b.asked}, InIsTerminal: typed != "", Out: &out, Err: &say, Getenv: func(name string) string { return b.env[name] }},
		Source: stackarg.Source{Dir: b.dir},
		tools: tools{
			history: func(_ context.Context, _, _ string, n int) ([]auto.UpdateSummary, error) {
				return b.history[:min(n, len(b.history))], nil
			},
			deploy: func(_ context.Context, o *deploy.Options) (*deploy.Report, error) {
				b.deployed = o
				data, err := os.ReadFile(filepath.Join(o.Source.Dir, "Pulumi."+o.Source.Stack+".yaml"))
				require.NoError(t, err)
				b.settings = string(data)
				require.NoError(t, os.WriteFile(filepath.Join(o.Source.Dir, ".calldata", "dev", "known_hosts"), []byte("a host"), 0o600))
				cmd := exec.Command("git", "status", "--porcelain")
				cmd.Dir = o.Source.Dir
				dirty, err := cmd.Output()
				require.NoError(t, err)
				assert.Empty(t, string(dirty))
				return &deploy.Report{Stack: "dev", Result: deploy.Deployed, Steps: []verdict.Step{}}, b.err
			},
			store: statestore.Open,
			restore: func(_ context.Context, root, stack string, c automation.Checkpoint) error {
				assert.Equal(t, b.dir+" dev", root+" "+stack)
				b.restored = &c
				return b.err
			},
			preview: func(context.Context, string, string, progress.Step) (*preview.Report, error) {
				return &preview.Report{Stack: "dev", Counts: map[string]int{"same": 3}}, nil
			},
		},
	})
	cmd.SetArgs(append([]string{"dev"}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	b.out, b.say = out.String(), say.String()
	return err
}

func TestBackToTheDeploymentBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.commit(t, "first", succeeded)
	b.commit(t, "broken", "failed")
	last := b.commit(t, "last", succeeded)
	b.happened("refresh", last, succeeded)
	b.put(t, "Pulumi.dev.yaml", "config: {x: not committed}\n")
	require.NoError(t, b.run(t, "", "--yes", "--json", "--skip", "smoke", "--wait", "1m"))

	assert.Equal(t, "config: {x: first}\n", b.settings)
	assert.True(t, b.deployed.KeepProtected)
	assert.True(t, b.deployed.Yes)
	assert.Equal(t, []string{"smoke"}, b.deployed.Skip)
	assert.Equal(t, time.Minute, b.deployed.Wait)
	assert.Equal(t, "roll back to "+first[:12]+": Setting first", b.deployed.Message)
	assert.Contains(t, b.deployed.Question, first[:12])
	var r Report
	require.NoError(t, json.Unmarshal([]byte(b.out), &r))
	assert.Equal(t, first, r.To)
	assert.Equal(t, last, r.From)
	require.Len(t, r.TakenBack, 2)
	assert.Contains(t, r.TakenBack[0], "Setting last")
	assert.Empty(t, r.Added)
	assert.Equal(t, deploy.Deployed, r.Deployment.Result)
	assert.Contains(t, b.say, "stack dev: back to "+first[:12]+" Setting first\n  taken back: ")

	assert.NoDirExists(t, b.deployed.Source.Dir)
	assert.NotContains(t, b.git(t, "worktree", "list"), "rollback")
	assert.FileExists(t, filepath.Join(b.dir, ".calldata/dev/known_hosts"), "what is learnt is the clone's")
	assert.Contains(t, b.git(t, "status", "--porcelain"), "M Pulumi.dev.yaml", "the clone's own changes stay")

	b.happened(update, last, succeeded)
	b.history[0].Environment[dirty] = "true"
	require.NoError(t, b.run(t, "", "--yes"))
	assert.Equal(t, "config: {x: last}\n", b.settings, "what was not committed is taken back")
	assert.Contains(t, b.say, "had changes that were not committed")

	b.happened(update, first, "failed")
	require.NoError(t, b.run(t, "", "--yes"))
	assert.Equal(t, "config: {x: last}\n", b.settings, "of a deployment that failed it takes the one before")
	assert.Contains(t, b.say, "new: ")
	b.history[0].Message = `"roll back to it"`
	require.NoError(t, b.run(t, "", "--yes"))
	assert.Equal(t, "config: {x: first}\n", b.settings, "a rollback that failed is gone on with")
	b.history[0].Result = succeeded
	require.ErrorContains(t, b.run(t, "", "--yes"), "its last deployment was a rollback already, to "+first[:12]+"; name a commit with --to")
	require.NoError(t, b.run(t, "", "--list"))
	assert.Contains(t, b.out, "the last one; a rollback\n")
}

func TestBackToACommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.commit(t, "first", succeeded)
	b.commit(t, "second", succeeded)
	b.git(t, "tag", "good", first)
	for _, name := range []string{first, first[:8], "good"} {
		require.NoError(t, b.run(t, "", "--to", name, "--dry-run"))
		assert.Equal(t, "config: {x: first}\n", b.settings)
		assert.True(t, b.deployed.DryRun)
	}
	b.happened(destroyed, first, succeeded)
	require.NoError(t, b.run(t, "dev\n", "--to", "good"))
	assert.Contains(t, b.say, "the stack was taken down at 2026-11-30T00:00:02.000Z")

	// What a rollback left that was killed is in nobody's way.
	b.git(t, "worktree", "add", "--quiet", "--detach", filepath.Join(b.dir, ".calldata/rollback/dev"), "HEAD")
	require.NoError(t, b.run(t, "", "--to", "good", "--yes"))

	b.err = errors.New("broken")
	require.ErrorIs(t, b.run(t, "", "--to", "good", "--yes", "--json"), b.err)
	assert.Contains(t, b.out, first, "the report comes with the error")
	assert.NotContains(t, b.git(t, "worktree", "list"), "rollback")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.git(t, "add", "--all")
	b.git(t, "commit", "--quiet", "--message", "Without settings")
	bare := b.git(t, "rev-parse", "HEAD")
	b.put(t, schema+"001_a.sql", "")
	first := b.commit(t, "first", succeeded)
	require.ErrorContains(t, b.run(t, "", "--yes"), "of the last 20 operations on stack dev: no whole deployment of another commit is before the last one; name")
	b.put(t, schema+"002_b.sql", "")
	b.put(t, schema+"003_c.sql", "")
	b.commit(t, "second", succeeded)

	b.env["CALLDATA_SECRETS_FILE"], b.env["CALLDATA_ANSIBLE_PLAYBOOK"] = "dev.yml", "ansible-playbook"
	err := b.run(t, "", "--to", bare, "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, text := range []string{"has no Pulumi.dev.yaml", "does not know: 001_a.sql, 002_b.sql, 003_c.sql", `CALLDATA_SECRETS_FILE is "dev.yml", want a path from the root`} {
		require.ErrorContains(t, err, text, "every reason at once")
	}
	delete(b.env, "CALLDATA_SECRETS_FILE")
	err = b.run(t, "", "--to", "deadbeef", "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "the clone has no commit deadbeef: `git fetch --all`")
	require.ErrorContains(t, b.run(t, "", "--yes"), "does not know: 002_b.sql, 003_c.sql")
	assert.Nil(t, b.deployed)
	require.NoError(t, b.run(t, "", "--yes", "--newer-schema"))
	assert.Contains(t, b.say, "does not know: 002_b.sql, 003_c.sql")

	b.git(t, "rm", "--quiet", "-r", schema+"003_c.sql")
	b.commit(t, "third", succeeded)
	require.ErrorContains(t, b.run(t, "", "--to", first, "--yes"), "does not know: 002_b.sql, 003_c.sql", "of every deployment")
	b.happened(update, strings.Repeat("0", 40), succeeded)
	require.ErrorContains(t, b.run(t, "", "--to", first, "--yes"), "commit 000000000000, which is deployed now, is not in this clone")
	require.NoError(t, b.run(t, "", "--to", first, "--yes", "--newer-schema"))
	b.happened(update, "", succeeded)
	require.ErrorContains(t, b.run(t, "", "--to", first, "--yes"), "which commit is deployed now is not known")

	b.dir = filepath.Join(b.dir, "ansible")
	require.NoError(t, os.RemoveAll(filepath.Join(b.dir, "../.git")))
	require.ErrorContains(t, b.run(t, "", "--yes"), "is not inside a clone")
}

func TestProjectBelowTheClonesRoot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.dir = filepath.Join(b.dir, "platform")
	b.put(t, ".gitignore", "/.calldata/\n")
	b.put(t, "Pulumi.yaml", "name: calldata-foundation\nruntime: go\n")
	b.put(t, "ansible/README", "")
	b.commit(t, "first", succeeded)
	b.put(t, schema+"001_a.sql", "")
	b.commit(t, "second", succeeded)
	require.ErrorContains(t, b.run(t, "", "--yes"), "does not know: 001_a.sql;")
	require.NoError(t, b.run(t, "", "--yes", "--newer-schema"))
	assert.Equal(t, "config: {x: first}\n", b.settings)
	assert.NotContains(t, b.git(t, "worktree", "list"), "rollback")
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.commit(t, "first", succeeded)
	c, err := open(t.Context(), b.dir)
	require.NoError(t, err)
	_, end, err := c.checkout(t.Context(), "dev", first)
	require.NoError(t, err)
	err = b.run(t, "", "--to", first, "--yes")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "another `calldata rollback dev` is at work")
	end()
	require.NoError(t, b.run(t, "", "--to", first, "--yes"))
}

func TestListOfDeployments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.run(t, "", "--list"))
	assert.Equal(t, "dev was never deployed\n", b.out)
	first := b.commit(t, "first", succeeded)
	b.history[0].Environment[dirty] = "true"
	b.happened(update, strings.Repeat("0", 40), "failed")
	second := b.commit(t, "second", succeeded)
	b.happened(destroyed, second, succeeded)
	require.NoError(t, b.run(t, "", "--list"))
	assert.Equal(t, fmt.Sprintf(`TIME                      COMMIT        RESULT     CHANGES   SUBJECT         NOTES
2026-11-30T00:00:02.000Z  %s  succeeded  1 update  Setting second  the last one
2026-11-30T00:00:01.000Z  000000000000  failed     1 update  of the history  not in this clone: git fetch
2026-11-30T00:00:00.000Z  %s  succeeded  1 update  Setting first   where --to is not given; with changes that were not committed
`, second[:12], first[:12]), b.out)
	require.NoError(t, b.run(t, "", "--list", "--json", "--limit", "2"))
	var list DeployList
	require.NoError(t, json.Unmarshal([]byte(b.out), &list))
	require.Len(t, list.Deploys, 1)
	assert.Equal(t, second, list.Deploys[0].Commit)
	assert.Nil(t, b.deployed)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.commit(t, "first", succeeded)
	for says, args := range map[string][]string{
		"nobody can be asked":                    {},
		"--yes and --dry-run exclude each other": {"--yes", "--dry-run"},
		"--list and --to exclude each other":     {"--list", "--to", "x"},
		"--state and --skip exclude each other":  {"--state", "--skip", "smoke", "--yes"},
		"--forget is for --state":                {"--forget", "--yes"},
		"--limit is 0":                           {"--limit", "0", "--yes"},
		`--to is "-x"`:                           {"--to=-x", "--yes"},
		`--to is ""`:                             {"--to=", "--yes"},
	} {
		err := b.run(t, "", args...)
		assert.Equal(t, cli.ExitUsage, cli.Code(err), says)
		require.ErrorContains(t, err, says)
	}
	err := b.run(t, "", "--list", "--yes", "--limit", "0")
	require.ErrorContains(t, err, "--list and --yes exclude each other")
	require.ErrorContains(t, err, "--limit is 0", "everything at once")
}

// file is a state in the backend: of each name an address in AWS with an ID, as name=ID.
func file(addresses ...string) string {
	var list []string
	for _, a := range addresses {
		name, id, _ := strings.Cut(a, "=")
		list = append(list, fmt.Sprintf(`{"urn":"urn:pulumi:dev::calldata-foundation::aws:ec2/eip:Eip::%s","custom":true,"id":%q,"type":"aws:ec2/eip:Eip"}`, name, id))
	}
	return `{"version":3,"checkpoint":{"stack":"organization/calldata-foundation/dev","latest":{"manifest":{},"resources":[` + strings.Join(list, ",") + `]}}}`
}

const (
	stateFile  = ".pulumi/stacks/calldata-foundation/dev.json"
	historyDir = ".pulumi/history/calldata-foundation/dev/dev-17644608000000000"
)

// state gives the backend a present state and a history: of 11, 12 and so on, the oldest first.
func (b *bench) state(t *testing.T, present string, history ...string) {
	t.Helper()
	put := func(key, text string) {
		path := filepath.Join(b.backend, key)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	put(stateFile, present)
	for i, text := range history {
		put(fmt.Sprintf("%s%d.checkpoint.json", historyDir, i+11), text)
		put(fmt.Sprintf("%s%d.history.json", historyDir, i+11), `{"kind":"update","result":"succeeded","environment":{"git.head":"abcdef0123456789"}}`)
		put(fmt.Sprintf(".pulumi/backups/calldata-foundation/dev/dev.17644608000000000%d.json", i+11), text)
	}
}

// number counts the addresses that were made the state.
func (b *bench) number() int {
	if b.restored == nil {
		return -1
	}
	return len(b.restored.Resources)
}

func TestRepair(t *testing.T) {
	t.Parallel()
	one, two, three := file("a=1"), file("a=1", "b=2"), file("a=1", "b=2", "c=3")
	for name, test := range map[string]struct {
		present  string
		history  []string
		typed    string
		args     []string
		code     int
		restored int // addresses, or -1
		says     []string
	}{
		"cut":             {present: three[:len(three)/2], history: []string{one, two, three}, args: []string{"--yes"}, restored: 3, says: []string{"damaged, it cannot be read: unexpected end of JSON input; 1 resources of it can be read", ", after: update succeeded, commit abcdef012345, 3 resources", "would be known again: 2 resources", "dev: repaired, 3 resources\nkept: .pulumi/backups/calldata-foundation/dev/dev.", "dev: 3 same"}},
		"typed":           {present: "", history: []string{one}, typed: "dev\n", restored: 1},
		"declined":        {present: "", history: []string{one}, typed: "y\n", code: cli.ExitDeclined, restored: -1, says: []string{"dev: declined"}},
		"dry run":         {present: "", history: []string{one}, args: []string{"--dry-run"}, restored: -1, says: []string{"dev: planned"}},
		"damaged copies":  {present: "", history: []string{one, two[:20], three[:30]}, args: []string{"--yes"}, restored: 1},
		"no whole copy":   {present: "", history: []string{one[:20]}, args: []string{"--yes"}, code: cli.ExitUsage, restored: -1, says: []string{"of 1 copies of the state that were looked at none is whole"}},
		"whole":           {present: two, history: []string{one, two}, args: []string{"--yes"}, restored: -1, says: []string{"the state is whole, 2 resources"}},
		"chosen":          {present: one, history: []string{two, one}, args: []string{"--yes", "--to", "20251130T000000.0"}, code: cli.ExitUsage, restored: -1, says: []string{"may be any of"}},
		"forgets":         {present: three, history: []string{one}, args: []string{"--yes", "--to", "2025"}, code: cli.ExitUsage, restored: -1, says: []string{"would be forgotten: aws:ec2/eip:Eip b, 2", "2 resources would stay in AWS"}},
		"may forget":      {present: three, history: []string{one}, args: []string{"--yes", "--to", "2025", "--forget"}, restored: 1, says: []string{"would be forgotten: aws:ec2/eip:Eip c, 3"}},
		"forgets by half": {present: three[:len(three)-4], history: []string{one}, args: []string{"--yes"}, code: cli.ExitUsage, restored: -1, says: []string{"2 resources would stay in AWS"}},
		"damaged chosen":  {present: one, history: []string{two[:20]}, args: []string{"--yes", "--to", "2025"}, code: cli.ExitUsage, restored: -1, says: []string{"this copy is damaged too"}},
		"none so":         {present: one, history: []string{two}, args: []string{"--yes", "--to", "2024"}, code: cli.ExitUsage, restored: -1, says: []string{"none begins so"}},
		"nobody to ask":   {present: "", history: []string{one}, code: cli.ExitUsage, restored: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.put(t, "Pulumi.dev.yaml", "config: {}\n")
			b.state(t, test.present, test.history...)
			err := b.run(t, test.typed, append([]string{"--state"}, test.args...)...)
			assert.Equal(t, test.code, cli.Code(err), "%v", err)
			assert.Equal(t, test.restored, b.number())
			for _, text := range test.says {
				assert.Contains(t, fmt.Sprint(b.say, b.out, err), text)
			}
			kept, _ := filepath.Glob(filepath.Join(b.backend, ".pulumi/backups/calldata-foundation/dev/*"))
			if test.restored >= 0 {
				assert.Len(t, kept, len(test.history)+1, "the present state is kept")
			} else {
				assert.Len(t, kept, len(test.history), "nothing was done")
			}
		})
	}
}

func TestRepairOfAMissingState(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(t, "Pulumi.dev.yaml", "config: {}\n")
	require.ErrorContains(t, b.run(t, "", "--state", "--yes"), "has neither a state nor copies of one")
	b.state(t, "", file("a=1"))
	require.NoError(t, os.Remove(filepath.Join(b.backend, stateFile)))
	require.NoError(t, b.run(t, "", "--state", "--list"))
	assert.Contains(t, b.out, "missing")
	require.NoError(t, b.run(t, "", "--state", "--yes", "--json"))
	var r Repair
	require.NoError(t, json.Unmarshal([]byte(b.out), &r))
	assert.Equal(t, Repaired, r.Result)
	assert.Nil(t, r.Present)
	assert.Empty(t, r.Kept)
	assert.FileExists(t, filepath.Join(b.backend, stateFile), "for Pulumi, which takes a stack without one for unknown")
}

func TestNobodyDeploysWhileTheQuestionStands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(t, "Pulumi.dev.yaml", "config: {}\n")
	b.state(t, file("a=1", "b=2"), file("a=1", "b=2"))
	deployed := file("a=1", "b=2", "c=3")
	b.asked = func() { b.state(t, deployed, file("a=1", "b=2")) }
	err := b.run(t, "dev\n", "--state", "--to", "2025")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "has changed since it was looked at")
	assert.Equal(t, -1, b.number())
	now, err := os.ReadFile(filepath.Join(b.backend, stateFile))
	require.NoError(t, err)
	assert.Equal(t, deployed, string(now))
}

func TestRepairOfALockedOrBrokenBackend(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(t, "Pulumi.dev.yaml", "config: {}\n")
	b.state(t, file("a=1", "b=2"), file("a=1"))
	lock := filepath.Join(b.backend, ".pulumi/locks/organization/calldata-foundation/dev/x.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(lock), 0o700))
	require.NoError(t, os.WriteFile(lock, []byte(`{"username":"ann","hostname":"elsewhere"}`), 0o600))
	err := b.run(t, "", "--state", "--yes", "--to", "2025")
	for _, text := range []string{"the lock of stack dev is held: ann@elsewhere", "pulumi cancel -s dev", "1 resources would stay in AWS"} {
		require.ErrorContains(t, err, text, "every reason at once")
	}
	require.NoError(t, os.Remove(lock))
	b.err = errors.New("secrets cannot be decrypted")
	err = b.run(t, "", "--state", "--yes", "--to", "2025", "--forget", "--json")
	require.ErrorIs(t, err, b.err)
	var r Repair
	require.NoError(t, json.Unmarshal([]byte(b.out), &r))
	assert.Equal(t, Failed, r.Result)
	assert.FileExists(t, filepath.Join(b.backend, r.Kept))
}

func TestListOfCopies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(t, "Pulumi.dev.yaml", "config: {}\n")
	b.state(t, file("a=1")[:40], file("a=1"), file("a=1", "b=2"), "{}")
	require.NoError(t, b.run(t, "", "--state", "--list", "--json"))
	var list CopyList
	require.NoError(t, json.Unmarshal([]byte(b.out), &list))
	assert.Equal(t, "present", list.Present.From)
	assert.NotEmpty(t, list.Present.Damaged)
	require.Len(t, list.Copies, 3, "the backups are the same")
	for i, resources := range []int{0, 2, 1} {
		assert.Equal(t, statestore.FromHistory, list.Copies[i].From)
		assert.Equal(t, resources, list.Copies[i].Resources)
	}
	assert.NotEmpty(t, list.Copies[0].Damaged)
	assert.Equal(t, "abcdef0123456789", list.Copies[1].Commit)
	require.NoError(t, b.run(t, "", "--state", "--list", "--limit", "1"))
	assert.Equal(t, 3, strings.Count(b.out, "\n"))
	assert.Contains(t, b.out, "damaged: it is no checkpoint")
}

// TestMigrationsAreWhereTheyAreLookedFor keeps both places equal.
func TestMigrationsAreWhereTheyAreLookedFor(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("../../../" + schema + "*.sql")
	require.NoError(t, err)
	assert.NotEmpty(t, found)
	tasks, err := os.ReadFile("../../../ansible/roles/c4_router/tasks/database.yml")
	require.NoError(t, err)
	assert.Contains(t, string(tasks), "src: schema/")
	assert.Equal(t, "calldata-foundation", stacks.Project)
}
