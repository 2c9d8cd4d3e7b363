package afresh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/backup"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/configure"
	"github.com/calldata/calldata-foundation/infra/calldata/deploy"
	"github.com/calldata/calldata-foundation/infra/calldata/health"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/beside"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/infra/calldata/outputs"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
	rehearsal "github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

const (
	copied   = "arn:aws:rds:us-west-2:123456789012:snapshot:awsbackup:copyjob-1"
	settings = `# The prod stack.
secretsprovider: awskms://alias/calldata-foundation-secrets?region=us-east-1
encryptedkey: AAAA
config:
  aws:region: us-east-1
  calldata-foundation:domain: voice.example.com
  calldata-foundation:carrierCidrs: ["198.51.100.0/24"]
  calldata-foundation:sshPublicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV
  calldata-foundation:amiId: ami-01234567
  calldata-foundation:copyRegion: us-west-2
  calldata-foundation:alertEmails: [ops@example.com]
  calldata-foundation:slackChannel: T0123456789/C0123456789
  calldata-foundation:syntheticCalls: true
  calldata-foundation:certificateArn: arn:aws:acm:us-east-1:123456789012:certificate/1
  calldata-foundation:pagerUrl:
    secure: AAABANsecret==
`
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// bench is a repository with the stack prod, of which a test says what AWS and the other commands would say.
type bench struct {
	root      string
	opts      *Options
	out, said bytes.Buffer
	stack     stacks.Outputs
	calls     []string
	fail      map[string]error
	snapshot  string
	// known is a stack that Pulumi's backend has.
	known string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{root: t.TempDir(), fail: map[string]error{}, snapshot: copied}
	project, err := os.ReadFile("../../../../Pulumi.yaml")
	require.NoError(t, err)
	b.put(t, "Pulumi.yaml", string(project))
	b.put(t, "Pulumi.prod.yaml", settings)
	b.put(t, "ansible/inventories/prod/group_vars/all/vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n")
	b.put(t, "ansible/inventories/prod/routing.yml", "ipbxes: [{addresses: [10.40.1.5]}] # 10.40.1.0/24\n")
	require.NoError(t, os.Symlink("../shared/hosts.yml", filepath.Join(b.root, "ansible/inventories/prod/hosts.yml")))
	b.stack = stacktest.Stack()
	b.stack.Stack, b.stack.Region = "prod", "us-east-1"
	b.stack.Nodes = []stacks.Node{b.stack.Nodes[0], b.stack.Nodes[0]}
	for i, name := range []string{"prod-uc-1", "prod-uc-2"} {
		b.stack.Nodes[i].Name, b.stack.Nodes[i].PrivateIP = name, []string{"10.40.1.5", "10.40.2.5"}[i]
	}
	b.stack.Backups.Copy = &stacks.BackupsCopy{Region: "us-west-2", Bucket: "far", KeyARN: "arn:aws:kms:us-west-2:123456789012:key/1"}
	b.opts = &Options{Dir: b.root, IO: &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: &b.said, Getenv: func(string) string { return "" }}}
	b.opts.tools = tools{
		snapshot: func(_ context.Context, region, database string) (Snapshot, error) {
			return Snapshot{ARN: b.snapshot, Type: "awsbackup", Time: now.Add(-8 * time.Hour)}, b.did("snapshot " + region + " " + database)
		},
		zones: func(_ context.Context, region string, count int) ([]string, error) {
			return []string{"us-west-2a", "us-west-2b", "us-west-2d"}[:count], b.did("zones " + region)
		},
		backups: func(_ context.Context, _ *cli.IO, _ stacks.Outputs, bucket string, _ ...stacks.Role) ([]backup.Backup, error) {
			return []backup.Backup{
				{ID: "prod-uc-1/20261130T010000Z-1", Damaged: "no manifest"}, {ID: "prod-uc-1/20261130T000000Z-2"}, {ID: "prod-uc-1/20261129T000000Z-3"},
			}, b.did("backups " + bucket)
		},
		known: func(_ context.Context, _, stack string) (bool, error) {
			return b.known == stack, b.did("known " + stack)
		},
		create: func(_ context.Context, _, stack, provider string) error {
			return b.did("create " + stack + " " + provider)
		},
		deploy: func(_ context.Context, o *deploy.Options) (*deploy.Report, error) {
			return &deploy.Report{Result: deploy.Deployed, Changed: map[string]int{"create": 3}}, b.did("deploy " + o.Source.Stack)
		},
		outputs: func(_ context.Context, s outputs.Source) (stacks.Outputs, error) { return b.anew(s.Stack), nil },
		restore: func(_ context.Context, t *task, engine, id string) error {
			return b.did("restore " + engine + " " + id + " " + t.bucket)
		},
		play: func(_ context.Context, o *configure.Options) (*configure.Outcome, error) {
			return nil, b.did("configure " + o.Playbook + " " + o.Limit)
		},
		routing: func(_ context.Context, t *task) error { return b.did("routing " + t.home.name) },
		setup:   func(_ context.Context, t *task) error { return b.did("setup " + t.home.name) },
		health: func(context.Context, *cli.IO, stacks.Outputs, time.Duration, progress.Step) (health.Report, error) {
			return health.Report{}, b.did("health")
		},
		tables: func(_ context.Context, _ *cli.IO, stack stacks.Outputs) (map[string]table, error) {
			return map[string]table{"public.tenant": {3, "1"}, "public.acc": {int64(len(stack.Stack)), stack.Stack}}, b.did("tables " + stack.Stack)
		},
		smoke:   func(_ context.Context, t *task) error { return b.did("smoke " + t.home.name) },
		calls:   func(_ context.Context, _ *task, plan string) error { return b.did("calls " + filepath.Base(plan)) },
		destroy: func(ctx context.Context, t *task) error { return errors.Join(ctx.Err(), b.did("destroy "+t.home.name)) },
		now:     func() time.Time { return now },
	}
	return b
}

// anew are the outputs of the stack that was made: other addresses.
func (b *bench) anew(name string) stacks.Outputs {
	made := b.stack
	made.Stack, made.Nodes = name, slices.Clone(b.stack.Nodes)
	for i := range made.Nodes {
		made.Nodes[i].Name = counterpart(made.Nodes[i].Name, "prod", name)
		made.Nodes[i].PrivateIP = []string{"10.40.1.77", "10.40.2.77"}[i]
	}
	return made
}

func (b *bench) did(call string) error {
	b.calls = append(b.calls, call)
	return b.fail[call]
}

func (b *bench) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// files are the names of all that is in the repository.
func (b *bench) files(t *testing.T) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			names = append(names, path)
		}
		return err
	}))
	return names
}

func (b *bench) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.root, name))
	require.NoError(t, err)
	return string(data)
}

// run runs the failover of prod, and answers what was called.
func (b *bench) run(t *testing.T, args ...string) ([]string, error) {
	t.Helper()
	return b.verb(t, newCmdFailover(b.opts), args...)
}

func (b *bench) verb(t *testing.T, cmd *cobra.Command, args ...string) ([]string, error) {
	t.Helper()
	b.out.Reset()
	b.said.Reset()
	b.calls = nil
	cmd.SetArgs(append([]string{"prod", "--outputs", stacktest.Write(t, b.stack)}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(io.Discard)
	if cmd.Context() == nil {
		cmd.SetContext(t.Context())
	}
	err := cmd.Execute()
	return b.calls, err
}

var (
	asking  = "known prod-us-west-2"
	looking = []string{"snapshot us-west-2 prod-router", "zones us-west-2", "backups s3://far?region=us-west-2"}
	making  = []string{
		"create prod-us-west-2 awskms://alias/calldata-foundation-secrets?region=us-east-1", "deploy prod-us-west-2",
		"restore prod-us-west-2-uc-1 prod-uc-1/20261130T000000Z-2 s3://far?region=us-west-2", "configure uc-engine prod-us-west-2-uc-1",
		"configure uc-engine prod-us-west-2-uc-2", "routing prod-us-west-2", "health",
	}
)

func TestFailover(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	calls, err := b.run(t, "--yes", "--json")
	require.NoError(t, err)
	assert.Equal(t, slices.Concat([]string{asking}, looking, making), calls)
	var report Report
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &report))
	assert.Equal(t, Made, report.Result)
	assert.Equal(t, []Return{
		{"prod-us-west-2-router", copied, (8 * time.Hour).Seconds()}, {"prod-us-west-2-uc-1", "prod-uc-1/20261130T000000Z-2", (12 * time.Hour).Seconds()},
	}, report.Returns)
	statuses := map[string]string{}
	for _, s := range report.Done {
		statuses[s.Name] = string(s.Status) + " " + s.Detail
	}
	assert.Equal(t, "skip its namesake has no whole backup", statuses["restore prod-us-west-2-uc-2"])
	assert.Equal(t, "ok 1 changed in routing.yml", statuses["addresses"])
	assert.Contains(t, statuses["setup"], "skip there is no ansible/inventories/prod-us-west-2/tenant.yml")
	next := strings.Join(report.Next, "\n")
	assert.Contains(t, next, "pulumi config set calldata-foundation:domain voice.example.com -s prod-us-west-2")
	assert.NotContains(t, next, "pagerUrl", "it is what it was")

	text := b.read(t, "Pulumi.prod-us-west-2.yaml")
	assert.Contains(t, text, "# Made by `calldata dr failover prod`")
	assert.Contains(t, text, "encryptedkey: AAAA\n")
	assert.Contains(t, text, "secure: AAABANsecret==\n")
	file, err := stackfile.Read(b.root, "prod-us-west-2")
	require.NoError(t, err)
	c, err := stacks.ReadConfig("prod-us-west-2", file)
	require.NoError(t, err)
	assert.Equal(t, stacks.KindProd, c.Topology)
	assert.Equal(t, "us-west-2", c.Region)
	assert.Equal(t, []string{"us-west-2a", "us-west-2b", "us-west-2d"}, c.Network.Zones)
	assert.Equal(t, copied, c.Database.Snapshot)
	assert.Equal(t, "us-west-2.voice.example.com", c.Web.Domain)
	assert.Equal(t, "voice.example.com", c.Web.HostedZone)
	assert.Empty(t, c.Web.CertificateARN+c.Machines.AMIID+c.Retention.CopyRegion)
	assert.True(t, c.Protect, "it is for good")

	assert.Equal(t, "ipbxes: [{addresses: [10.40.1.77]}] # 10.40.1.0/24\n", b.read(t, "ansible/inventories/prod-us-west-2/routing.yml"))
	assert.Equal(t, "ipbxes: [{addresses: [10.40.1.5]}] # 10.40.1.0/24\n", b.read(t, "ansible/inventories/prod/routing.yml"))
	for link, want := range map[string]string{"prod-us-west-2/hosts.yml": "../shared/hosts.yml", "prod-us-west-2.sh": "shared/inventory.sh"} {
		to, err := os.Readlink(filepath.Join(b.root, beside.Inventories, link))
		require.NoError(t, err)
		assert.Equal(t, want, to)
	}

	// Once more: nothing is chosen, restored or configured again, and what was set since is left alone.
	text = strings.Replace(text, "us-west-2.voice.example.com", "voice.example.com", 1)
	b.put(t, "Pulumi.prod-us-west-2.yaml", text)
	before := text + b.read(t, ".calldata/prod-us-west-2/afresh.json")
	calls, err = b.run(t, "--yes")
	require.NoError(t, err)
	assert.Equal(t, []string{making[0], "deploy prod-us-west-2", "routing prod-us-west-2", "health"}, calls)
	assert.Equal(t, before, b.read(t, "Pulumi.prod-us-west-2.yaml")+b.read(t, ".calldata/prod-us-west-2/afresh.json"))
	assert.Regexp(t, `(?m)^domain +voice.example.com$`, b.said.String())
	assert.Regexp(t, `(?m)^restore prod-us-west-2-uc-1 +skip .* an earlier run did it$`, b.out.String())
}

func TestSettingsOfOnesOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	set := []string{"--set", "vpcCidr=10.50.0.0/16", "--set", `alertEmails=["a@example.com","b@example.com"]`}
	b.fail = map[string]error{making[0]: errors.New("gone")}
	_, err := b.run(t, append([]string{"--yes"}, set...)...)
	require.ErrorContains(t, err, "gone")
	assert.Regexp(t, `(?m)^with +vpcCidr=10.50.0.0/16, alertEmails=\["a@example.com","b@example.com"\]$`, b.said.String())
	c := func() stacks.Config {
		file, err := stackfile.Read(b.root, "prod-us-west-2")
		require.NoError(t, err)
		c, err := stacks.ReadConfig("prod-us-west-2", file)
		require.NoError(t, err)
		return c
	}
	assert.Equal(t, "10.50.0.0/16", c().Network.CIDR.String())
	assert.Equal(t, []string{"a@example.com", "b@example.com"}, c().Account.AlertEmails)

	// They are remembered, also without the file. Others are not taken any more, and what is in the file counts.
	b.fail = nil
	require.NoError(t, os.Remove(filepath.Join(b.root, "Pulumi.prod-us-west-2.yaml")))
	_, err = b.run(t, "--yes", "--set", "vpcCidr=10.60.0.0/16")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "but an earlier run began with vpcCidr=10.50.0.0/16")
	for _, args := range [][]string{nil, set} {
		_, err = b.run(t, append([]string{"--yes"}, args...)...)
		require.NoError(t, err)
		assert.Equal(t, "10.50.0.0/16", c().Network.CIDR.String())
	}
}

func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	calls, err := b.run(t, "--plan")
	require.NoError(t, err)
	assert.Equal(t, looking, calls)
	assert.Regexp(t, `(?m)^prod-us-west-2-router +8h0m +`+copied+`$`, b.out.String())
	assert.Contains(t, b.out.String(), "us-west-2 (us-west-2a, us-west-2b, us-west-2d)")
	assert.Contains(t, b.out.String(), "4. calldata backup restore prod-us-west-2 prod-us-west-2-uc-1 --from 's3://far?region=us-west-2' --backup prod-uc-1/20261130T000000Z-2 --allow stack\n")
	assert.NoFileExists(t, filepath.Join(b.root, "Pulumi.prod-us-west-2.yaml"))
	assert.NoDirExists(t, filepath.Join(b.root, ".calldata"))

	b.opts.IO.InIsTerminal, b.opts.IO.In = true, strings.NewReader("prod\n")
	calls, err = b.run(t)
	assert.Equal(t, cli.ExitDeclined, cli.Code(err), "the new stack's name is to be typed")
	assert.Equal(t, append([]string{asking}, looking...), calls)
	assert.NoFileExists(t, filepath.Join(b.root, "Pulumi.prod-us-west-2.yaml"))
}

func TestFailoverGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, call := range making {
		b.fail = map[string]error{call: cli.WithCode(cli.ExitUnreachable, errors.New("gone"))}
		calls, err := b.run(t, "--yes")
		assert.Equal(t, cli.ExitUnreachable, cli.Code(err), call)
		assert.Equal(t, call, calls[len(calls)-1])
		assert.Contains(t, b.out.String(), "it goes on where it stopped")
		if i > 0 {
			assert.NotContains(t, calls, looking[0], "what was chosen stays")
		}
	}
	b.fail = nil
	calls, err := b.run(t, "--yes")
	require.NoError(t, err)
	assert.NotContains(t, calls, making[2], "what was restored is not overwritten")
}

func TestWhatCannotComeBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*bench)
		args   []string
		code   int
		want   []string
	}{
		"no copies": {func(b *bench) { b.stack.Backups.Copy = nil }, nil, cli.ExitUsage, []string{"keeps no copies in a second region", "copyRegion"}},
		"no snapshot": {func(b *bench) {
			b.fail[looking[0]] = cli.WithCode(cli.ExitUnhealthy, errors.New("RDS has no snapshot"))
		}, nil, cli.ExitUnhealthy, []string{"RDS has no snapshot"}},
		"no answer":     {func(b *bench) { b.fail[looking[2]] = cli.WithCode(cli.ExitUnreachable, errors.New("S3 is away")) }, nil, cli.ExitUnreachable, []string{"S3 is away"}},
		"both at once":  {func(b *bench) { b.fail[looking[0]], b.fail[looking[1]] = errors.New("one"), errors.New("two") }, nil, cli.ExitError, []string{"one", "two"}},
		"name too long": {nil, []string{"--name", "prod-with-a-name-for-buckets"}, cli.ExitUsage, []string{"of 28 characters", "allow 24"}},
		"no name":       {nil, []string{"--name", "Prod"}, cli.ExitUsage, []string{`--name is "Prod", want lower case letters`}},
		"identity":      {nil, []string{"--identity", "nowhere"}, cli.ExitUsage, []string{"--identity"}},
		"calls":         {nil, []string{"--calls", "cmd.go"}, cli.ExitUsage, []string{"--calls: cmd.go: invalid character"}},
		"settings": {nil, []string{"--set", "owner", "--set", "databaseSnapshot=x", "--set", "calldata-foundation:aws:region=x", "--set", "zones=[a", "--set", "pagerUrl=x"},
			cli.ExitUsage, []string{`--set: "owner" is no setting`, "--set has databaseSnapshot, which this command decides itself", "zones is \"[a\", which is no JSON",
				"--set has pagerUrl, which is encrypted in stack prod"}},
		"no setting": {nil, []string{"--set", "vpcCidr=ten", "--set", "colour=red"}, cli.ExitUsage, []string{`vpcCidr is "ten"`, "colour is not a setting of this project"}},
		"step":       {nil, []string{"--skip", "health"}, cli.ExitUsage, []string{`--skip has "health", want preflight`}},
		"no backup": {func(b *bench) {
			b.opts.tools.backups = func(context.Context, *cli.IO, stacks.Outputs, string, ...stacks.Role) ([]backup.Backup, error) {
				return nil, nil
			}
		}, nil, cli.ExitUnhealthy, []string{"no whole backup of an engine"}},
		"file of somebody": {func(b *bench) {
			_ = os.WriteFile(filepath.Join(b.root, "Pulumi.prod-us-west-2.yaml"), []byte("config: {}\n"), 0o600)
		}, nil, cli.ExitUsage, []string{"there is Pulumi.prod-us-west-2.yaml; give another --name"}},
		"stack of somebody": {func(b *bench) { b.known = "prod-us-west-2" }, nil, cli.ExitUsage, []string{"there is a stack of this name in Pulumi's backend;"}},
		"no backend":        {func(b *bench) { b.fail[asking] = cli.WithCode(cli.ExitUnreachable, errors.New("no backend")) }, nil, cli.ExitUnreachable, []string{"no backend"}},
		"all at once": {func(b *bench) { b.known = "prod" }, []string{"--name", "prod"}, cli.ExitUsage, []string{
			"the name prod is taken", "Pulumi.prod.yaml, ansible/inventories/prod, a stack of this name in Pulumi's backend;",
		}},
		"link of somebody": {func(b *bench) {
			_ = os.Symlink("nowhere", filepath.Join(b.root, beside.Inventories, "fleet.sh"))
		}, []string{"--name", "fleet"}, cli.ExitUsage, []string{"there is ansible/inventories/fleet.sh;"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if tc.change != nil {
				tc.change(b)
			}
			calls, err := b.run(t, append([]string{"--yes"}, tc.args...)...)
			assert.Equal(t, tc.code, cli.Code(err), err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			assert.Subset(t, append([]string{asking, "known prod", "known fleet"}, looking...), calls, "nothing was done")
			assert.NoDirExists(t, filepath.Join(b.root, ".calldata"))
		})
	}
	b := newBench(t)
	assert.Equal(t, cli.ExitUsage, cli.Code(func() error { _, err := b.run(t); return err }()), "nobody can be asked")
}

func TestAnotherKeyForSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const provider = "awskms://alias/calldata-foundation-secrets?region=us-west-2"
	calls, err := b.run(t, "--yes", "--secrets-provider", provider)
	require.NoError(t, err)
	assert.Contains(t, calls, "create prod-us-west-2 "+provider)
	text := b.read(t, "Pulumi.prod-us-west-2.yaml")
	assert.NotContains(t, text, "AAABANsecret==")
	assert.NotContains(t, text, "encryptedkey")
	assert.Contains(t, b.said.String(), "left out, since their key is another: calldata-foundation:pagerUrl")
	assert.Contains(t, b.out.String(), "pulumi config set --secret calldata-foundation:pagerUrl -s prod-us-west-2")
}

func TestAnotherKeyAfterTheFirstRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fail = map[string]error{making[0]: errors.New("the key is gone")}
	_, err := b.run(t, "--yes")
	require.ErrorContains(t, err, "the key is gone")
	const provider = "awskms://alias/calldata-foundation-secrets?region=us-west-2"
	_, err = b.run(t, "--yes", "--secrets-provider", provider)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	require.ErrorContains(t, err, "wrote Pulumi.prod-us-west-2.yaml with awskms://alias/calldata-foundation-secrets?region=us-east-1: take that file away")
	require.NoError(t, os.Remove(filepath.Join(b.root, "Pulumi.prod-us-west-2.yaml")))
	for range 2 {
		calls, err := b.run(t, "--yes", "--secrets-provider", provider)
		require.NoError(t, err)
		assert.Contains(t, calls, "create prod-us-west-2 "+provider)
	}
}

func TestWhatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, resumes := range []bool{false, true} {
		r := Report{Plan: Plan{Resumes: resumes}}
		r.measure(100 * time.Hour)
		if resumes {
			require.NoError(t, r.kept(), "what went before is not known")
			assert.Zero(t, r.RTO)
		} else {
			require.ErrorContains(t, r.kept(), "it took 100h0m, promised are 4h0m")
		}
	}
}

func TestSettingsOfADrill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o, err := readOld(b.root, "prod")
	require.NoError(t, err)
	file, topology, _, err := o.derive(Drill, home{name: "prod-drill", region: "us-east-1", snapshot: "rds:prod-router-1"})
	require.NoError(t, err)
	c, err := stacks.ReadConfig("prod-drill", file)
	require.NoError(t, err)
	assert.Equal(t, "us-east-1", c.Region)
	assert.Equal(t, "drill.voice.example.com", c.Web.Domain)
	assert.False(t, c.Protect || c.Retention.LockBackups, "it goes again")
	assert.Empty(t, c.Watch.PagerURL+c.Retention.CopyRegion, "it calls nobody")
	assert.False(t, c.Access.Registrations, "carriers would send it the live stack's calls")
	assert.True(t, topology.Silent)
	assert.Len(t, c.PolicyExceptions, 4)
	assert.Empty(t, file.Secrets())
	assert.Equal(t, "rds:prod-router-1", topology.Database.Snapshot)
	assert.Equal(t, o.topology.Network.Zones, topology.Network.Zones)
}

var drilling = []string{
	"known prod-drill",
	"snapshot us-east-1 prod-router", "backups s3://trial-backups?region=us-east-1",
	"create prod-drill awskms://alias/calldata-foundation-secrets?region=us-east-1", "deploy prod-drill", "tables prod", "tables prod-drill",
	"restore prod-drill-uc-1 prod-uc-1/20261130T000000Z-2 s3://trial-backups?region=us-east-1", "configure uc-engine prod-drill-uc-1", "configure uc-engine prod-drill-uc-2",
	"routing prod-drill", "health", "smoke prod-drill", "destroy prod-drill",
}

const takingDown = "calldata destroy prod-drill && pulumi stack rm prod-drill && " +
	"rm -rf ansible/inventories/prod-drill ansible/inventories/prod-drill.sh .calldata/prod-drill"

func TestDrill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.opts.IO.Getenv = func(name string) string { return map[string]string{secretsVariable: "secrets.yml"}[name] }
	b.snapshot = "arn:aws:rds:us-east-1:123456789012:snapshot:rds:prod-router-1"
	before := b.files(t)
	calls, err := b.verb(t, newCmdDrill(b.opts), "--yes", "--json")
	require.NoError(t, err)
	assert.Equal(t, drilling, calls)
	var report Report
	require.NoError(t, json.Unmarshal(b.out.Bytes(), &report))
	assert.Equal(t, Drilled, report.Result)
	assert.InDelta(t, (12 * time.Hour).Seconds(), report.RPO, 0, "the oldest that came back")
	assert.Equal(t, Promised{(30 * time.Hour).Seconds(), (4 * time.Hour).Seconds()}, report.Promised)
	for _, s := range report.Done {
		if s.Name == "compare" {
			assert.Equal(t, "1 of 2 tables are as in the old database; others were changed since: public.acc (4 rows, 10 came back)", s.Detail)
		}
	}
	assert.Equal(t, before, b.files(t), "nothing of it is left")
}

func TestDrillIsTakenDownWhateverHappens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.snapshot = "arn:aws:rds:us-east-1:123456789012:snapshot:rds:prod-router-1"
	before := b.files(t)
	for _, call := range []string{drilling[3], "deploy prod-drill", "tables prod-drill", "routing prod-drill", "health"} {
		b.fail = map[string]error{call: cli.WithCode(cli.ExitUnreachable, errors.New("gone"))}
		calls, err := b.verb(t, newCmdDrill(b.opts), "--yes")
		assert.Equal(t, cli.ExitUnreachable, cli.Code(err), call)
		assert.Equal(t, []string{call, "destroy prod-drill"}, calls[len(calls)-2:])
		assert.Equal(t, before, b.files(t))
	}
	// Ctrl-C.
	ctx, cancel := context.WithCancel(t.Context())
	b.fail = nil
	b.opts.tools.deploy = func(ctx context.Context, _ *deploy.Options) (*deploy.Report, error) {
		cancel()
		return nil, ctx.Err()
	}
	cmd := newCmdDrill(b.opts)
	cmd.SetContext(ctx)
	calls, err := b.verb(t, cmd, "--yes")
	assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
	assert.Equal(t, "destroy prod-drill", calls[len(calls)-1])

	b = newBench(t)
	b.snapshot = "rds:prod-router-1"
	b.fail = map[string]error{"destroy prod-drill": errors.New("the vault is not empty")}
	_, err = b.verb(t, newCmdDrill(b.opts), "--yes")
	require.ErrorContains(t, err, "the vault is not empty")
	require.ErrorContains(t, err, "stack prod-drill is left, and costs money; this takes it down: "+takingDown)
	assert.FileExists(t, filepath.Join(b.root, "Pulumi.prod-drill.yaml"), "without it nothing could be destroyed")
	b.fail = nil
	calls, err = b.verb(t, newCmdDrill(b.opts), "--yes")
	require.NoError(t, err)
	assert.Contains(t, b.out.String(), "; resumed: RTO not measured\n")
	assert.Equal(t, slices.DeleteFunc(slices.Clone(drilling[3:]), func(call string) bool { return call == "smoke prod-drill" }), calls, "machines may be new: everything is done again")
	assert.NoFileExists(t, filepath.Join(b.root, ".calldata/prod-drill/afresh.json"))

	b = newBench(t)
	b.snapshot = "rds:prod-router-1"
	calls, err = b.verb(t, newCmdDrill(b.opts), "--yes", "--keep")
	require.NoError(t, err)
	assert.NotContains(t, calls, "destroy prod-drill")
	assert.Contains(t, b.out.String(), takingDown)
}

// With a Pulumi that knows one stack without resources, and cannot remove it at first.
func TestDrillWhoseEndIsCutOff(t *testing.T) {
	b := newBench(t)
	b.snapshot = "rds:prod-router-1"
	before := b.files(t)
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	pulumi := func(remove string) {
		script := `#!/bin/sh
case "$*" in
version) echo v3.260.0 ;;
*"stack export"*) echo '{"version": 3, "deployment": {}}' ;;
*"stack rm"*) ` + remove + ` ;;
esac
`
		require.NoError(t, os.WriteFile(filepath.Join(bin, "pulumi"), []byte(script), 0o700)) //nolint:gosec // a program
	}
	b.opts.tools.destroy = func(ctx context.Context, task *task) error {
		if err := system().destroy(ctx, task); err != nil {
			return err
		}
		return b.did("destroyed " + task.home.name)
	}
	drill := func() error {
		_, err := b.verb(t, newCmdDrill(b.opts), "--yes")
		return err
	}

	pulumi(`echo "error: the backend does not answer" >&2; exit 255`)
	require.ErrorContains(t, drill(), "the backend does not answer")
	assert.FileExists(t, filepath.Join(b.root, "Pulumi.prod-drill.yaml"))

	pulumi("rm Pulumi.prod-drill.yaml")
	b.fail = map[string]error{"destroyed prod-drill": errors.New("killed")}
	require.ErrorContains(t, drill(), "killed")
	assert.NoFileExists(t, filepath.Join(b.root, "Pulumi.prod-drill.yaml"))

	b.fail = nil
	require.NoError(t, drill())
	left := slices.DeleteFunc(b.files(t), func(path string) bool { return filepath.Ext(path) == ".log" })
	assert.Equal(t, before, left)
}

func TestStepsThatAreCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	root := filepath.Join(b.root, beside.Inventories)
	b.fail = map[string]error{"routing prod-us-west-2": errors.New("gone")}
	_, err := b.run(t, "--yes")
	require.ErrorContains(t, err, "gone")

	// After the document and before the record of it, where the new stack has an old one's address.
	require.NoError(t, os.Remove(filepath.Join(root, "prod-us-west-2.sh")))
	path := repo.Afresh(b.root, "prod-us-west-2")
	r, err := readRecord(path)
	require.NoError(t, err)
	r.Done = slices.DeleteFunc(r.Done, func(step string) bool { return step == "addresses" })
	require.NoError(t, r.write())
	b.stack.Nodes[1].PrivateIP = "10.40.1.77"
	b.fail = nil
	_, err = b.run(t, "--yes")
	require.NoError(t, err)
	assert.Equal(t, "ipbxes: [{addresses: [10.40.1.77]}] # 10.40.1.0/24\n", b.read(t, "ansible/inventories/prod-us-west-2/routing.yml"))
	to, err := os.Readlink(filepath.Join(root, "prod-us-west-2.sh"))
	require.NoError(t, err)
	assert.Equal(t, "shared/inventory.sh", to)
}

// callsPlan is a plan of calldata calls for prod.
const callsPlan = `{
  "sbcs": [{"name": "sbc", "address": "192.0.2.1", "private": "10.40.0.5"}], "routers": [{"name": "router", "private": "10.40.0.6"}],
  "engines": [{"name": "uc-1", "private": "10.40.1.5"}], "domain": "acme.example.com", "strangers": "203.0.113.0/24",
  "phones": [
    {"user": "ada", "secret": "ada_sip", "extension": "1001", "number": "+14155550101", "address": "198.51.100.1"},
    {"user": "bob", "secret": "bob_sip", "extension": "1002", "number": "+14155550102", "address": "198.51.100.2"}
  ],
  "carriers": [{"trunk": "one", "address": "198.51.100.3"}, {"trunk": "two", "address": "198.51.100.4"}],
  "numbers": {"unknown": "+14155550199", "unserved": "+14155550198", "outside": "+1415556", "unreachable": "+1415557"}
}
`

// An operator's environment may name the live stack's database.
func TestRoutingIsNotTheLiveStacks(t *testing.T) {
	b := newBench(t)
	example, err := os.ReadFile("../../../../docs/examples/routing.yml")
	require.NoError(t, err)
	b.put(t, "ansible/inventories/prod-drill/routing.yml", string(example))
	b.put(t, "live", "no URL")
	b.put(t, "secrets.yml", "telco_password: not-a-password\n")
	t.Chdir(b.root)
	t.Setenv("PATH", t.TempDir())
	b.opts.IO.Getenv = func(name string) string {
		return map[string]string{"CALLDATA_ROUTING_DATABASE_FILE": filepath.Join(b.root, "live"), secretsVariable: filepath.Join(b.root, "secrets.yml")}[name]
	}
	err = system().routing(t.Context(), &task{Options: b.opts, home: home{name: "prod-drill"}})
	require.Error(t, err)
	assert.Equal(t, cli.ExitPreflight, cli.Code(err), "%v", err) // it asks Pulumi for the new stack, and there is none
}

func TestSecretsOfSetup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put(t, "ansible/inventories/prod/tenant.yml", "{}\n")
	b.put(t, "secrets.yml", "{}\n")
	secrets := filepath.Join(b.root, "secrets.yml")
	require.NoError(t, os.Chmod(secrets, 0o644)) //nolint:gosec // what the test is about
	file := ""
	b.opts.IO.Getenv = func(name string) string { return map[string]string{secretsVariable: file}[name] }
	b.known = "prod-us-west-2"
	for _, want := range []string{"CALLDATA_SECRETS_FILE is not set: name the file", "so others may read it"} {
		calls, err := b.run(t, "--yes")
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "the name prod-us-west-2 is taken", "both at once")
		assert.Equal(t, []string{asking}, calls)
		file = secrets
	}
	b.known, file = "", ""
	_, err := b.run(t, "--plan")
	require.NoError(t, err, "a plan needs none")
	file = secrets
	require.NoError(t, os.Chmod(secrets, 0o600))
	calls, err := b.run(t, "--yes")
	require.NoError(t, err)
	assert.Contains(t, calls, "setup prod-us-west-2")
}

func TestCallsOfADrill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.snapshot = "rds:prod-router-1"
	b.put(t, "calls.json", callsPlan)
	plan := ""
	b.opts.tools.calls = func(_ context.Context, _ *task, path string) error {
		data, err := os.ReadFile(path)
		plan = string(data)
		return errors.Join(err, b.did("calls"))
	}
	calls, err := b.verb(t, newCmdDrill(b.opts), "--yes", "--calls", filepath.Join(b.root, "calls.json"))
	require.NoError(t, err)
	assert.Contains(t, calls, "calls")
	want := strings.Replace(callsPlan, "10.40.1.5", "10.40.1.77", 1)
	assert.Subset(t, fields(t, plan), fields(t, want), "the drill's machines, not the live ones")

	// What leads into the live stack is not taken, and its SBCs' certificates are not those of the new ones.
	live := strings.Replace(callsPlan, "{", `{"databaseUrlFile": "live", "ssh": {"user": "admin", "keyFile": "k", "knownHosts": "h"}, "certificatesFile": "live.pem",`, 1)
	b.put(t, "live.json", live)
	b.opts.tools.certificates = func(_ context.Context, p rehearsal.Plan) ([]byte, error) {
		return []byte("shown"), b.did("certificates of " + p.Engines[0].Private.String())
	}
	calls, err = b.verb(t, newCmdDrill(b.opts), "--yes", "--calls", filepath.Join(b.root, "live.json"))
	require.NoError(t, err)
	assert.Contains(t, calls, "certificates of 10.40.1.77")
	now := fields(t, plan)
	assert.Equal(t, filepath.Join(b.root, ".calldata/prod-drill/sbc-certificates.pem"), now["certificatesFile"])
	assert.NotContains(t, now, "ssh")
	assert.NotContains(t, now, "databaseUrlFile")
	b.fail = map[string]error{"calls": cli.WithCode(cli.ExitUnhealthy, errors.New("no answer"))}
	_, err = b.verb(t, newCmdDrill(b.opts), "--yes", "--calls", filepath.Join(b.root, "calls.json"))
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))

	// Whether the stack has the phone of smoke is for its routing to say.
	b.opts.IO.Getenv = func(name string) string { return map[string]string{secretsVariable: "secrets.yml"}[name] }
	b.fail = map[string]error{"smoke prod-drill": cli.WithCode(cli.ExitUnhealthy, errors.New("404"))}
	_, err = b.verb(t, newCmdDrill(b.opts), "--yes")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^call +warn .*404: where phones come by routing, give --calls$`, b.out.String())
}

func fields(t *testing.T, text string) map[string]any {
	t.Helper()
	all := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(text), &all))
	return all
}

func TestDrillThatBreaksThePromise(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.snapshot = "rds:prod-router-1"
	b.opts.tools.now = func() time.Time { return now.Add(24 * time.Hour) }
	_, err := b.verb(t, newCmdDrill(b.opts), "--yes")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	assert.ErrorContains(t, err, "the data is 36h0m old, promised are 30h0m")
}

func TestCompare(t *testing.T) {
	t.Parallel()
	was := map[string]table{"a": {1, "x"}, "b": {2, "y"}}
	_, err := compared(was, map[string]table{"a": {1, "x"}})
	require.ErrorContains(t, err, "missing are b")
	_, err = compared(was, map[string]table{"a": {0, "0"}, "b": {0, "0"}})
	require.ErrorContains(t, err, "that is not a backup of it")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
	text, err := compared(was, was)
	require.NoError(t, err)
	assert.Equal(t, "2 of 2 tables are as in the old database", text)
}

func TestReaddress(t *testing.T) {
	t.Parallel()
	moved := map[string]string{"10.20.1.5": "10.20.1.6", "10.20.1.6": "10.20.1.5", "10.20.2.5": "10.20.2.5"}
	for text, want := range map[string]string{
		"[10.20.1.5, 10.20.1.6]": "[10.20.1.6, 10.20.1.5]", "10.20.1.50": "10.20.1.50", "10.20.1.5/32": "10.20.1.5/32", "110.20.1.5": "110.20.1.5", "10.20.2.5": "10.20.2.5",
	} {
		got, _ := readdress(text, moved)
		assert.Equal(t, want, got)
	}
	_, count := readdress("10.20.1.5 10.20.2.5", moved)
	assert.Equal(t, 1, count)
}
