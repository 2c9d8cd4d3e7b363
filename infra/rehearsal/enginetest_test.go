package rehearsal

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/pulumi/providertest/pulumitest"
	"github.com/pulumi/providertest/pulumitest/assertpreview"
	"github.com/pulumi/providertest/pulumitest/assertrefresh"
	"github.com/pulumi/providertest/pulumitest/assertup"
	"github.com/pulumi/providertest/pulumitest/optnewstack"
	"github.com/pulumi/providertest/pulumitest/opttest"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// The tests of this file run the real engine and the real provider against the emulator on loopback: no machines, no
// root. They build what they need where the cache does not hold it.

type bench struct {
	repo     string
	program  string
	engine   *engine.Engine
	emulator *emulator.Emulator
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs engine and emulator, which -short leaves out")
	}
	repo, err := filepath.Abs("../..")
	require.NoError(t, err)
	cache, err := DefaultCache()
	require.NoError(t, err)
	b := &bench{repo: repo, program: filepath.Join(t.TempDir(), "program")}
	ctx := t.Context()
	b.engine, err = engine.Prepare(ctx, engine.Options{Root: repo, CacheDir: filepath.Join(cache, "engine")})
	require.NoError(t, err)
	python, err := pyenv.Prepare(ctx, filepath.Join(cache, "venv"), progress.Discard)
	require.NoError(t, err)
	require.NoError(t, buildProgram(ctx, repo, b.program, progress.Discard))
	b.emulator, err = emulator.Start(ctx, emulator.Options{
		Python: python.Python(), Dir: filepath.Join(t.TempDir(), "emulator"), EIPPool: elasticPool, Progress: progress.Discard,
	})
	require.NoError(t, err)
	t.Cleanup(b.emulator.Stop)
	return b
}

// stack opens a stack dev in a workspace of its own, with settings on top of what the emulator needs.
func (b *bench) stack(t *testing.T, settings map[string]any) *pulumitest.PulumiTest {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	all := EmulatorSettings()
	maps.Copy(all, settings)
	require.NoError(t, Workspace(dir, b.repo, "dev", b.program, all))

	// The Automation API wants bin/pulumi below its root.
	root := t.TempDir()
	require.NoError(t, os.Symlink(b.engine.Dir, filepath.Join(root, "bin")))
	pulumi, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root, SkipVersionCheck: true})
	require.NoError(t, err)
	opts := []opttest.Option{
		opttest.TestInPlace(), opttest.SkipInstall(), opttest.StackName("dev"), opttest.DisableGrpcLog(),
		opttest.WorkspaceOptions(auto.Pulumi(pulumi)), opttest.Env(engine.ProgramVariable, b.program),
		// Destroy is part of the test itself.
		opttest.NewStackOptions(optnewstack.DisableAutoDestroy()),
	}
	for _, pair := range append(b.engine.Env(t.TempDir()), b.emulator.Env()...) {
		name, value, _ := strings.Cut(pair, "=")
		opts = append(opts, opttest.Env(name, value))
	}
	return pulumitest.NewPulumiTest(t, dir, opts...)
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
	return found
}

// again runs an operation as steady does.
func again[T any](t *testing.T, operation func() (T, error)) (result T) {
	t.Helper()
	require.NoError(t, steady(t.Logf, func() (err error) {
		result, err = operation()
		return err
	}))
	return result
}

func ptr[T any](v T) *T { return &v }

// testKey is a public key made for this test; nobody holds its private half.
const testKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKTHzI7JBCjgFlPbS3rN7FpkrZZOU1nap1nse44Lx1KV test"

func TestEngineOnEmulator(t *testing.T) {
	b := newBench(t)
	require.Empty(t, b.things(t))
	p := b.stack(t, map[string]any{
		"calldata-foundation:adminCidrs":   []string{"203.0.113.1/32"},
		"calldata-foundation:sshPublicKey": testKey,
		"calldata-foundation:configure":    "false",
		"calldata-foundation:zones":        []string{"us-east-1a", "us-east-1b"},
	})

	up := again(t, func() (auto.UpResult, error) { return p.UpErr(t, optup.Parallel(parallel)) })
	assert.NotEmpty(t, up.Outputs["inventory"].Value)
	assert.NotEmpty(t, b.things(t))
	assertup.HasNoDeletes(t, up)

	noChange := func() {
		assertpreview.HasNoChanges(t, again(t, func() (auto.PreviewResult, error) { return p.PreviewErr(t) }))
	}
	noChange()
	assertrefresh.HasNoChanges(t, again(t, func() (auto.RefreshResult, error) { return p.RefreshErr(t) }))

	p.SetConfig(t, "calldata-foundation:owner", "night-shift")
	preview := again(t, func() (auto.PreviewResult, error) { return p.PreviewErr(t) })
	assertpreview.HasNoReplacements(t, preview)
	assertpreview.HasNoDeletes(t, preview)
	assert.Positive(t, preview.ChangeSummary["update"], "an edited tag updates resources")
	edited := again(t, func() (auto.UpResult, error) { return p.UpErr(t, optup.Parallel(parallel)) })
	assertup.HasNoReplacements(t, edited)
	assert.Equal(t, up.Outputs["inventory"].Value, edited.Outputs["inventory"].Value, "a tag moves no machine")
	noChange()

	again(t, func() (auto.DestroyResult, error) { return p.DestroyErr(t) })
	assert.Empty(t, b.things(t), "destroy leaves nothing")
}

func TestBadConfigMakesNothing(t *testing.T) {
	b := newBench(t)
	p := b.stack(t, map[string]any{
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
