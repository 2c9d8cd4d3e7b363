package rehearsal

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	taggingtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/pulumi/providertest/pulumitest"
	"github.com/pulumi/providertest/pulumitest/assertrefresh"
	"github.com/pulumi/providertest/pulumitest/assertup"
	"github.com/pulumi/providertest/pulumitest/optnewstack"
	"github.com/pulumi/providertest/pulumitest/opttest"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
	"github.com/calldata/calldata-foundation/stacks"
)

// The tests of this file run the real engine and the real provider against the emulator on loopback: no machines, no
// root. They build what they need where the cache does not hold it.

type bench struct {
	repo     string
	program  string
	engine   *engine.Engine
	emulator *emulator.Emulator
}

func newBench(t testing.TB) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs engine and emulator, which -short leaves out")
	}
	repo, err := filepath.Abs("../..")
	require.NoError(t, err)
	b := &bench{repo: repo, program: filepath.Join(t.TempDir(), "program")}
	ctx := t.Context()
	b.engine, err = engine.Prepare(ctx, engine.Options{Root: repo})
	require.NoError(t, err)
	require.NoError(t, buildProgram(ctx, repo, pulumiProgram, b.program, progress.Discard))
	b.emulator = startEmulator(t)
	return b
}

// startEmulator starts an emulator that ends with the test.
func startEmulator(t testing.TB) *emulator.Emulator {
	t.Helper()
	root, err := cache.Default()
	require.NoError(t, err)
	python, err := pyenv.Prepare(t.Context(), filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	e, err := emulator.Start(t.Context(), emulator.Options{
		Python: python.Python(), Dir: filepath.Join(t.TempDir(), "emulator"), EIPPool: elasticPool, Progress: progress.Discard,
	})
	require.NoError(t, err)
	t.Cleanup(e.Stop)
	return e
}

// stack opens a stack in a workspace of its own, with settings on top of what the emulator needs. Ansible's content is a
// copy, so that a test can change it.
func (b *bench) stack(t *testing.T, name string, settings map[string]any) *pulumitest.PulumiTest {
	t.Helper()
	dir := b.workspace(t, name, settings)
	opts := []opttest.Option{
		opttest.TestInPlace(), opttest.SkipInstall(), opttest.StackName(name), opttest.DisableGrpcLog(),
		opttest.WorkspaceOptions(auto.Pulumi(b.pulumi(t))), opttest.Env(engine.ProgramVariable, b.program),
		// Destroy is part of the test itself.
		opttest.NewStackOptions(optnewstack.DisableAutoDestroy()),
	}
	for _, pair := range append(b.engine.Env(t.TempDir()), b.emulator.Env()...) {
		name, value, _ := strings.Cut(pair, "=")
		opts = append(opts, opttest.Env(name, value))
	}
	return pulumitest.NewPulumiTest(t, dir, opts...)
}

// pulumi is the engine's command line. The Automation API wants bin/pulumi below its root.
func (b *bench) pulumi(t testing.TB) auto.PulumiCommand {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Symlink(b.engine.Dir, filepath.Join(root, "bin")))
	pulumi, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root, SkipVersionCheck: true})
	require.NoError(t, err)
	return pulumi
}

// scene makes in the emulator what a stack of kind finds there, and answers its settings. There are no machines to
// configure.
func (b *bench) scene(t testing.TB, kind stacks.Kind) map[string]any {
	t.Helper()
	require.NoError(t, SetScene(t.Context(), b.emulator.AWSConfig(), kind))
	settings := SceneSettings(string(kind), kind, testKey)
	settings[stacks.Project+":configure"] = "false"
	return settings
}

// workspace makes a directory that Pulumi can deploy the stack called name from.
func (b *bench) workspace(t testing.TB, name string, settings map[string]any) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	all := EmulatorSettings()
	maps.Copy(all, b.emulator.Settings())
	maps.Copy(all, settings)
	require.NoError(t, Workspace(dir, b.repo, name, b.program, all))
	// The program runs in infra and reads ../ansible: with both in the workspace, that is the copy.
	for _, link := range linked {
		require.NoError(t, os.Remove(filepath.Join(dir, link)))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "infra"), 0o750))
	require.NoError(t, os.CopyFS(filepath.Join(dir, "ansible"), os.DirFS(filepath.Join(b.repo, "ansible"))))
	return dir
}

// things names every EC2 object in the emulator that a destroy would have to remove. What AWS gives every account, the
// default VPC and what belongs to it, is not among them.
func (b *bench) things(t *testing.T) []string {
	t.Helper()
	ctx, client := context.Background(), ec2.NewFromConfig(b.emulator.AWSConfig())
	found := []string{}
	ours := types.Filter{Name: ptr("tag:Project"), Values: []string{"calldata-foundation"}}
	vpcs, err := client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []types.Filter{ours}})
	require.NoError(t, err)
	for _, v := range vpcs.Vpcs {
		found = append(found, *v.VpcId)
	}
	instances, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	require.NoError(t, err)
	for _, r := range instances.Reservations {
		for _, i := range r.Instances {
			if i.State.Name != types.InstanceStateNameTerminated {
				found = append(found, *i.InstanceId)
			}
		}
	}
	addresses, err := client.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	require.NoError(t, err)
	for _, a := range addresses.Addresses {
		found = append(found, *a.AllocationId)
	}
	groups, err := client.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{})
	require.NoError(t, err)
	for _, g := range groups.SecurityGroups {
		if *g.GroupName != "default" {
			found = append(found, *g.GroupId)
		}
	}
	keys, err := client.DescribeKeyPairs(ctx, &ec2.DescribeKeyPairsInput{})
	require.NoError(t, err)
	for _, k := range keys.KeyPairs {
		found = append(found, *k.KeyName)
	}
	volumes, err := client.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{})
	require.NoError(t, err)
	for _, v := range volumes.Volumes {
		found = append(found, *v.VolumeId)
	}
	for _, region := range []string{emulator.Region, copyRegion} {
		there := b.emulator.AWSConfig()
		there.Region = region
		pages := tagging.NewGetResourcesPaginator(tagging.NewFromConfig(there), &tagging.GetResourcesInput{
			TagFilters: []taggingtypes.TagFilter{{Key: ptr("Project"), Values: []string{"calldata-foundation"}}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			require.NoError(t, err)
			for _, r := range page.ResourceTagMappingList {
				// The emulator goes on to list what was deleted in EC2, and keys that wait for their deletion.
				if arn := *r.ResourceARN; !strings.HasPrefix(arn, "arn:aws:ec2:") && !strings.HasPrefix(arn, "arn:aws:kms:") {
					found = append(found, arn)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

func ptr[T any](v T) *T { return &v }

// testKey is a public key made for this test; nobody holds its private half.
const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV test"

// edit is a change of a deployed stack, and what may be replaced by it.
type edit struct {
	name string
	// settings are set, a nil value removes one; content changes what Ansible reads.
	settings map[string]string
	content  bool
	// replaced is how many resources the change replaces. Long-lived ones are never among them.
	replaced int
}

// onEmulator are the stacks with the edits that they have to survive.
var onEmulator = map[stacks.Kind][]edit{
	stacks.KindDev: {
		{name: "another type of machine", settings: map[string]string{"instanceType": "t3.2xlarge"}},
		{name: "one more zone", settings: map[string]string{"zones[1]": "us-east-1b"}},
	},
	stacks.KindStage: {
		{name: "another type of machine", settings: map[string]string{"instanceType": "t3.xlarge", "sbcInstanceType": "t3.large"}},
		{name: "one more zone", settings: map[string]string{"zones[0]": "us-east-1a", "zones[1]": "us-east-1b", "zones[2]": "us-east-1c"}},
	},
	stacks.KindProd: {
		{name: "another type of machine", settings: map[string]string{"routerInstanceType": "c6i.xlarge"}},
		// The archive's key is its hash: another one is another object.
		{name: "changed playbooks", content: true, replaced: 1},
	},
	stacks.KindAccount: {
		{name: "longer logs", settings: map[string]string{"logRetentionDays": "400"}},
	},
}

func TestEngineOnEmulator(t *testing.T) {
	for _, kind := range []stacks.Kind{stacks.KindDev, stacks.KindStage, stacks.KindProd, stacks.KindAccount} {
		t.Run(string(kind), func(t *testing.T) {
			deployOnEmulator(t, kind, onEmulator[kind])
		})
	}
}

// deployOnEmulator takes a stack through its life: up, no change, edits, and destroy, which leaves nothing.
func deployOnEmulator(t *testing.T, kind stacks.Kind, edits []edit) {
	b, p, before := deployed(t, kind)
	up := func() { p.Up(t, optup.Parallel(automation.Parallel)) }
	noChange := func(when string) {
		t.Helper()
		preview := p.Preview(t)
		if !onlySame(plain(preview.ChangeSummary)) {
			t.Fatalf("a preview after %s must show no change: %v\n%s", when, preview.ChangeSummary, preview.StdOut)
		}
	}

	made := b.things(t)
	assert.Greater(t, len(made), len(before))
	if kind == stacks.KindStage {
		assert.True(t, slices.ContainsFunc(made, func(arn string) bool { return strings.HasPrefix(arn, "arn:aws:backup:"+copyRegion) }), "no vault for copies of backups: %v", made)
	}
	exported, err := p.CurrentStack().Export(t.Context())
	require.NoError(t, err)
	// An export is decrypted: what was a secret is a quoted text within a text.
	assert.Equal(t, kind == stacks.KindProd, strings.Contains(string(exported.Deployment), scenePager))
	assert.NotContains(t, string(exported.Deployment), `"`+scenePager+`"`, "whoever knows it can call people")
	noChange("up")
	assertrefresh.HasNoChanges(t, p.Refresh(t))
	noChange("refresh")

	edits = append([]edit{{name: "another tag", settings: map[string]string{"owner": "night-shift"}}}, edits...)
	for _, e := range edits {
		for name, value := range e.settings {
			require.NoError(t, p.CurrentStack().SetConfigWithOptions(t.Context(), "calldata-foundation:"+name, auto.ConfigValue{Value: value}, &auto.ConfigOptions{Path: true}))
		}
		if e.content {
			require.NoError(t, os.WriteFile(filepath.Join(p.WorkingDir(), "ansible", "playbooks", "changed.yml"), []byte("---\n"), 0o600))
		}
		preview := p.Preview(t)
		assert.Equal(t, e.replaced, preview.ChangeSummary["replace"], "%s: %v\n%s", e.name, preview.ChangeSummary, preview.StdOut)
		assert.Zero(t, preview.ChangeSummary["delete"], "%s: %v\n%s", e.name, preview.ChangeSummary, preview.StdOut)
		assert.Positive(t, preview.ChangeSummary["update"]+preview.ChangeSummary["create"], "%s must change something", e.name)
		up()
		noChange(e.name)
	}

	if state := b.protected(t, p); len(state) > 0 {
		_, err := p.DestroyErr(t)
		require.ErrorContains(t, err, "protected", "what carriers, callers and data depend on goes only when somebody says so")
		assert.Equal(t, state, b.protected(t, p), "a refused destroy must leave what is protected")
		p.SetConfig(t, "calldata-foundation:protect", "false")
		up()
	}
	p.Destroy(t)
	assert.Equal(t, before, b.things(t), "destroy leaves nothing")
}

// deployed takes a stack up in an emulator of its own, and answers what was there before.
func deployed(t *testing.T, kind stacks.Kind) (*bench, *pulumitest.PulumiTest, []string) {
	t.Helper()
	b := newBench(t)
	before := b.things(t)
	p := b.stack(t, string(kind), b.scene(t, kind))
	assertup.HasNoDeletes(t, p.Up(t, optup.Parallel(automation.Parallel)))
	return b, p, before
}

// plain is a summary of changes by the names that they have in the engine's events.
func plain(summary map[apitype.OpType]int) map[string]int {
	out := map[string]int{}
	for op, n := range summary {
		out[string(op)] = n
	}
	return out
}

// protected names the resources in a stack's state that Pulumi refuses to delete.
func (b *bench) protected(t *testing.T, p *pulumitest.PulumiTest) []string {
	t.Helper()
	s, err := automation.New(*p.CurrentStack(), nil).State(t.Context())
	require.NoError(t, err)
	var names []string
	for _, r := range s.Resources {
		if r.Protect {
			names = append(names, string(r.URN))
		}
	}
	slices.Sort(names)
	return names
}

func TestBadConfigMakesNothing(t *testing.T) {
	b := newBench(t)
	p := b.stack(t, "dev", map[string]any{
		"calldata-foundation:adminCidrs":   []string{"0.0.0.0/0"},
		"calldata-foundation:instanceType": "t3.enormous",
		"calldata-foundation:vpcCidr":      "10.20.0.0/30",
		"calldata-foundation:zones":        []string{"eu-west-1a"},
		"calldata-foundation:sshPublicKey": "",
	})
	_, err := p.UpErr(t)
	require.Error(t, err)
	for _, setting := range []string{"adminCidrs", "0.0.0.0/0", "instanceType", "t3.enormous", "vpcCidr", "10.20.0.0/30", "zones", "eu-west-1a", "sshPublicKey"} {
		assert.Contains(t, err.Error(), setting)
	}
	assert.Contains(t, err.Error(), "pulumi config set", "each error says how to mend it")
	assert.Empty(t, b.things(t), "nothing was made")
}
