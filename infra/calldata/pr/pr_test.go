package pr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/github"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/statestore"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const settings = `# The stack of pull requests.
secretsprovider: awskms://alias/calldata-foundation-secrets?region=us-east-1
encryptedkey: AAAA
config:
  aws:region: us-east-1
  calldata-foundation:topology: dev
  calldata-foundation:adminCidrs: ["203.0.113.7/32"]
  calldata-foundation:sshPublicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV
  calldata-foundation:domain: pr.example.com
  calldata-foundation:certificateArn: arn:aws:acm:us-east-1:123456789012:certificate/1
  calldata-foundation:owner: night-shift
  calldata-foundation:workloadBoundary: arn:aws:iam::123456789012:policy/calldata-foundation-pr-workload-boundary
`

// bench is a repository with a backend of files, in which a stack of another pull request may begin while ours is made.
type bench struct {
	root, backend string
	now           time.Time
	opts          *Options
	typed         string
	calls         []string
	fail          map[string]error
	meanwhile     func()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{root: t.TempDir(), backend: t.TempDir(), now: time.Now().Truncate(time.Second), fail: map[string]error{}, meanwhile: func() {}}
	project, err := os.ReadFile("../../../Pulumi.yaml")
	require.NoError(t, err)
	b.put(t, "Pulumi.yaml", string(project))
	b.put(t, "Pulumi.pr.yaml", settings)
	b.put(t, "ansible/inventories/pr/group_vars/all/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n")
	b.opts = &Options{Dir: b.root, tools: tools{
		store: statestore.Open,
		create: func(_ context.Context, _, stack, provider string) error {
			b.calls = append(b.calls, "create "+stack+" "+provider)
			if b.fail["create"] == nil {
				b.stand(t, stack, 0, 0)
				b.meanwhile()
			}
			return b.fail["create"]
		},
		takeDown: func(_ context.Context, _ *cli.IO, root, stack string) error {
			assert.FileExists(t, stackfile.Path(root, stack), "the key is in it")
			b.calls = append(b.calls, "down "+stack)
			return b.fail["down"]
		},
		remove: func(_ context.Context, _, stack string) error {
			b.calls = append(b.calls, "remove "+stack)
			return nil
		},
		now: func() time.Time { return b.now },
	}}
	return b
}

func (b *bench) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// stand puts a stack into the backend that was deployed last some time ago.
func (b *bench) stand(t *testing.T, stack string, resources int, ago time.Duration) {
	t.Helper()
	var list []string
	for i := range resources {
		list = append(list, fmt.Sprintf(`{"urn":"urn:pulumi:%s::calldata-foundation::a:b:C::n%d","type":"a:b:C","custom":true,"id":"%d"}`, stack, i, i))
	}
	latest := ""
	if resources > 0 {
		latest = `,"latest":{"manifest":{"time":"2026-01-01T00:00:00Z","magic":"","version":""},"resources":[` + strings.Join(list, ",") + `]}`
	}
	path := filepath.Join(b.backend, ".pulumi", "stacks", stacks.Project, stack+".json")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(`{"version":3,"checkpoint":{"stack":"`+stack+`"`+latest+`}}`), 0o600))
	require.NoError(t, os.Chtimes(path, b.now.Add(-ago), b.now.Add(-ago)))
}

func (b *bench) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return b.runIn(t.Context(), args...)
}

func (b *bench) runIn(ctx context.Context, args ...string) (string, error) {
	var out, said bytes.Buffer
	o := *b.opts
	o.IO = &cli.IO{In: strings.NewReader(b.typed), InIsTerminal: b.typed != "", Out: &out, Err: &said, Getenv: func(name string) string {
		return map[string]string{"PULUMI_BACKEND_URL": "file://" + b.backend}[name]
	}}
	cmd := newCmd(&o)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&said)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

func TestBegin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out, err := b.run(t, "begin", "12", "--json")
	require.NoError(t, err)
	assert.JSONEq(t, `{"stack":"pr-12","number":12,"domain":"pr-12.pr.example.com","made":true,"standing":1}`, out)
	assert.Equal(t, []string{"create pr-12 awskms://alias/calldata-foundation-secrets?region=us-east-1"}, b.calls)
	file, err := stackfile.Read(b.root, "pr-12")
	require.NoError(t, err)
	assert.True(t, file.Keyed, "what is secret in pr is readable in pr-12")
	config, err := stacks.ReadConfig("pr-12", file)
	require.NoError(t, err)
	assert.Equal(t, "night-shift", config.Owner)
	assert.Equal(t, stacks.WebConfig{Domain: "pr-12.pr.example.com", HostedZone: "pr.example.com", BlueWeight: 100}, config.Web)
	assert.False(t, config.Access.Registrations)
	assert.Contains(t, config.WorkloadBoundary, "calldata-foundation-pr-workload-boundary")
	topology, err := stacks.New("pr-12", config)
	require.NoError(t, err)
	assert.Equal(t, "pr-12-uc-1", topology.Nodes[0].Name)
	assert.FileExists(t, filepath.Join(b.root, "ansible/inventories/pr-12/group_vars/all/vault.yml"))
	to, err := os.Readlink(filepath.Join(b.root, "ansible/inventories/pr-12.sh"))
	require.NoError(t, err)
	assert.Equal(t, "shared/inventory.sh", to)

	// Again it makes nothing, and takes the settings anew.
	b.put(t, "Pulumi.pr.yaml", strings.Replace(settings, "night-shift", "day", 1))
	b.put(t, "ansible/inventories/pr/routing.yml", "{}\n")
	b.stand(t, "pr-12", 3, 0)
	out, err = b.run(t, "begin", "12", "--limit", "1")
	require.NoError(t, err)
	assert.Equal(t, "pr-12 was there; stacks of pull requests: 1\n", out)
	assert.Len(t, b.calls, 1)
	data, err := os.ReadFile(stackfile.Path(b.root, "pr-12"))
	require.NoError(t, err)
	assert.Contains(t, string(data), "owner: day\n")
	assert.FileExists(t, filepath.Join(b.root, "ansible/inventories/pr-12/routing.yml"))
}

func TestBeginHoldsTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.stand(t, "pr-5", 3, time.Hour)
	b.stand(t, "prod", 3, time.Hour)
	b.stand(t, "pr-demo", 3, time.Hour)
	b.stand(t, "pr-9", 0, time.Minute)
	_, err := b.run(t, "begin", "12")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	require.ErrorContains(t, err, "no room for pr-12: pr-5, pr-9 stand, and the limit is 2")
	assert.Empty(t, b.calls)
	assert.NoFileExists(t, stackfile.Path(b.root, "pr-12"))
	_, err = b.run(t, "begin", "12", "--limit", "3")
	assert.NoError(t, err)
}

// Of two that begin at the same moment the limit lets in the one that was first; of those who cannot tell, none.
func TestBeginAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resources int
		ago       time.Duration
		full      bool
	}{
		"the other was first":  {0, time.Second, true},
		"at the same moment":   {0, 0, true},
		"we were first":        {0, -time.Second, false},
		"it is deployed since": {3, -time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.stand(t, "pr-5", 3, time.Hour)
			b.meanwhile = func() { b.stand(t, "pr-9", c.resources, c.ago) }
			_, err := b.run(t, "begin", "12")
			if !c.full {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
			require.ErrorContains(t, err, "pr-5, pr-9 stand")
			assert.Equal(t, "remove pr-12", b.calls[len(b.calls)-1], "its place is free again")
			assert.NoDirExists(t, filepath.Join(b.root, "ansible/inventories/pr-12"))
		})
	}
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, new string
		args     []string
		want     []string
	}{
		"no number":           {"", "", []string{"pr-12"}, []string{`"pr-12" is not the number`}},
		"a path":              {"", "", []string{"../dev"}, []string{"is not the number"}},
		"two numbers":         {"", "", []string{"1", "2"}, []string{"one pull request"}},
		"no key":              {"encryptedkey: AAAA\n", "", []string{"12"}, []string{"Pulumi.pr.yaml holds no key"}},
		"wrong settings":      {"night-shift", `"a<b"`, []string{"12"}, []string{"owner", "-s pr"}},
		"everything at once":  {"encryptedkey: AAAA\n", "", []string{"12", "--limit", "0"}, []string{"--limit is 0", "holds no key"}},
		"too long for a name": {"", "", []string{strings.Repeat("9", 40)}, []string{"is not the number"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			data, err := os.ReadFile(filepath.Join(b.root, "Pulumi.pr.yaml"))
			require.NoError(t, err)
			b.put(t, "Pulumi.pr.yaml", strings.Replace(string(data), c.old, c.new, 1))
			_, err = b.run(t, append([]string{"begin"}, c.args...)...)
			assert.Equal(t, cli.ExitUsage, cli.Code(err), "%v", err)
			for _, part := range c.want {
				require.ErrorContains(t, err, part)
			}
			assert.Empty(t, b.calls)
		})
	}
	b := newBench(t)
	b.fail["create"] = errors.New("no passphrase")
	_, err := b.run(t, "begin", "12")
	require.ErrorContains(t, err, "no passphrase")
	assert.NoFileExists(t, stackfile.Path(b.root, "pr-12"))
	assert.NoDirExists(t, filepath.Join(b.root, "ansible/inventories/pr-12"))
}

func TestList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	out, err := b.run(t, "list", "--json")
	require.NoError(t, err)
	assert.JSONEq(t, "[]", out)
	b.stand(t, "pr-5", 3, time.Hour)
	b.stand(t, "pr-12", 3, 80*time.Hour)
	b.stand(t, "pr-9", 0, 2*time.Hour)
	b.stand(t, "pr-10", 0, 4*time.Hour)
	b.stand(t, "prod", 3, 800*time.Hour)
	b.stand(t, "pr", 0, 800*time.Hour)
	b.stand(t, "pr-demo", 3, 800*time.Hour)
	ends := func(args ...string) map[int]string {
		t.Helper()
		out, err := b.run(t, append([]string{"list", "--json"}, args...)...)
		require.NoError(t, err)
		var all []Standing
		require.NoError(t, json.Unmarshal([]byte(out), &all))
		var numbers []int
		why := map[int]string{}
		for _, s := range all {
			numbers = append(numbers, s.Number)
			if s.Ends != "" {
				why[s.Number] = s.Ends
			}
		}
		assert.Equal(t, []int{5, 9, 10, 12}, numbers)
		return why
	}
	const closed, empty = "its pull request is closed, or has lost its label", "nothing is deployed in it"
	assert.Equal(t, map[int]string{10: empty}, ends(), "what holds a place for nothing goes, whatever is asked")
	assert.Equal(t, map[int]string{10: empty}, ends("--hours", "0"))
	assert.Equal(t, map[int]string{10: empty, 12: closed}, ends("--wanted", "5,9,10"))
	assert.Equal(t, map[int]string{9: closed, 10: closed}, ends("--wanted", "5,12"))
	assert.Equal(t, map[int]string{5: closed, 9: closed, 10: closed, 12: closed}, ends("--wanted", ""))
	assert.Equal(t, map[int]string{10: empty, 12: "nothing was deployed for 80 hours"}, ends("--hours", "72"))
	assert.Equal(t, map[int]string{5: closed, 10: empty, 12: "nothing was deployed for 80 hours"}, ends("--hours", "72", "--wanted", "9,10,12"))

	out, err = b.run(t, "list", "--wanted", "5,9,10")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^pr-12 +3 +\S+ ago +`+closed+`$`, out)
	assert.Regexp(t, `(?m)^pr-5 +3 +\S+ ago +-$`, out)
	_, err = b.run(t, "list", "--wanted", "5,x", "--hours", "-1")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, `"x" is not the number`)
	assert.ErrorContains(t, err, "--hours is -1")
}

// broken is a backend that answers nothing, or does so for one kind of question alone.
type broken struct {
	statestore.Store
	list, read error
}

func (b broken) List(ctx context.Context, prefix string) ([]statestore.Object, error) {
	if b.list != nil {
		return nil, b.list
	}
	return b.Store.List(ctx, prefix)
}

func (b broken) Read(context.Context, string) ([]byte, error) { return nil, b.read }

func TestBackendDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken broken
		code   int
	}{
		"no list":     {broken{list: errors.New("access denied")}, cli.ExitUnreachable},
		"no state":    {broken{read: errors.New("access denied")}, cli.ExitUnreachable},
		"interrupted": {broken{list: context.Canceled}, cli.ExitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.stand(t, "pr-5", 3, time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b.opts.store = func(ctx context.Context, url, dir string) (store statestore.Store, err error) {
				c.broken.Store, err = statestore.Open(ctx, url, dir)
				if c.code == cli.ExitInterrupted {
					cancel()
				}
				return c.broken, err
			}
			for _, args := range [][]string{{"list"}, {"begin", "12"}} {
				_, err := b.runIn(ctx, args...)
				assert.Equal(t, c.code, cli.Code(err), "%v: %v", args, err)
			}
			assert.Empty(t, b.calls)
			assert.NoFileExists(t, stackfile.Path(b.root, "pr-12"))
		})
	}
}

// One is taken down and no other, wherever it was made, and whatever its settings would be now.
func TestEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, number := range []string{"12", "13"} {
		_, err := b.run(t, "begin", number)
		require.NoError(t, err)
	}
	b.calls = nil
	_, err := b.run(t, "end", "12")
	assert.Equal(t, cli.ExitUsage, cli.Code(err), "nobody can be asked")
	b.typed = "pr-13\n"
	_, err = b.run(t, "end", "12")
	assert.Equal(t, cli.ExitDeclined, cli.Code(err))
	b.fail["down"] = errors.New("AWS said no")
	_, err = b.run(t, "end", "12", "--yes")
	require.ErrorContains(t, err, "AWS said no")
	assert.FileExists(t, stackfile.Path(b.root, "pr-12"))
	b.fail["down"], b.typed = nil, "pr-12\n"
	out, err := b.run(t, "end", "12", "--json")
	require.NoError(t, err)
	assert.JSONEq(t, `{"stack":"pr-12","number":12}`, out)
	assert.Equal(t, []string{"down pr-12", "down pr-12"}, b.calls)
	for _, gone := range []string{"Pulumi.pr-12.yaml", "ansible/inventories/pr-12", "ansible/inventories/pr-12.sh"} {
		_, err := os.Lstat(filepath.Join(b.root, gone))
		assert.ErrorIs(t, err, os.ErrNotExist, gone)
	}
	for _, stays := range []string{"Pulumi.pr-13.yaml", "Pulumi.pr.yaml", "ansible/inventories/pr-13/group_vars/all/vault.yml", "ansible/inventories/pr/group_vars/all/vault.yml"} {
		assert.FileExists(t, filepath.Join(b.root, stays))
	}
	b.put(t, "Pulumi.pr.yaml", strings.Replace(settings, "night-shift", `"a<b"`, 1))
	_, err = b.run(t, "end", "14", "--yes")
	require.NoError(t, err)
	assert.Equal(t, "down pr-14", b.calls[len(b.calls)-1])
}

// The workflow and the commands have the same defaults.
func TestDefaults(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../.github/workflows/pr-environment.yml")
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(data), "vars.PR_LIMIT || '"+strconv.Itoa(github.DefaultLimit)+"'"))
	assert.Contains(t, string(data), "vars.PR_HOURS || '"+strconv.Itoa(github.DefaultHours)+"'")
	assert.Equal(t, "pr", permission.Requests, "the name is in the workflow, and in ansible/inventories")
}
