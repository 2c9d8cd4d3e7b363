package emulator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/policy"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// deployment drives testdata/coverage with the real engine and provider against an emulator.
type deployment struct {
	dir, pulumi string
	env         []string
	client      *ec2.Client
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	if testing.Short() {
		t.Skip("needs engine and emulator, which -short leaves out")
	}
	repo, err := filepath.Abs("../../..")
	require.NoError(t, err)
	root, err := cache.Default()
	require.NoError(t, err)
	built, err := engine.Prepare(t.Context(), engine.Options{Root: repo})
	require.NoError(t, err)
	python, err := pyenv.Prepare(t.Context(), filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	e, err := emulator.Start(t.Context(), emulator.Options{Python: python.Python(), Dir: filepath.Join(t.TempDir(), "emulator")})
	require.NoError(t, err)
	t.Cleanup(e.Stop)

	d := &deployment{dir: t.TempDir(), pulumi: filepath.Join(built.Dir, "pulumi"), client: ec2.NewFromConfig(e.AWSConfig())}
	program := filepath.Join(t.TempDir(), "program")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/coverage").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.WriteFile(filepath.Join(d.dir, "Pulumi.yaml"), []byte("name: coverage\nruntime: {name: go, options: {binary: "+program+"}}\n"), 0o600))
	d.env = append(os.Environ(), built.Env(t.TempDir())...)
	d.env = append(d.env, e.Env()...)
	d.env = append(d.env, engine.ProgramVariable+"="+program, "PULUMI_BACKEND_URL=file://"+t.TempDir(), "PULUMI_CONFIG_PASSPHRASE=for this test alone")
	d.run(t, "stack", "init", "test")
	images, err := d.client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"136693071363"}})
	require.NoError(t, err)
	d.set(t, "coverage:image", *images.Images[0].ImageId)
	d.set(t, "aws:region", emulator.Region)
	for _, settings := range []map[string]any{rehearsal.EmulatorSettings(), e.Settings()} {
		for name, value := range settings {
			d.set(t, name, value)
		}
	}
	return d
}

// set sets one of the stack's settings.
func (d *deployment) set(t *testing.T, name string, value any) {
	t.Helper()
	file := filepath.Join(d.dir, "Pulumi.test.yaml")
	stack := struct {
		Salt   string         `yaml:"encryptionsalt"`
		Config map[string]any `yaml:"config"`
	}{Config: map[string]any{}}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &stack))
	stack.Config[name] = value
	text, err = yaml.Marshal(stack)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}

// dataVolume is the volume that is there for itself.
func (d *deployment) dataVolume(t *testing.T) types.Volume {
	t.Helper()
	out, err := d.client.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{
		Filters: []types.Filter{{Name: aws.String("tag:Backup"), Values: []string{"dev"}}},
	})
	require.NoError(t, err)
	require.Len(t, out.Volumes, 1)
	require.Len(t, out.Volumes[0].Attachments, 1)
	return out.Volumes[0]
}

// run runs Pulumi's command line, which must succeed.
func (d *deployment) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), d.pulumi, append(args, "--non-interactive", "--color", "never")...)
	cmd.Dir, cmd.Env = d.dir, d.env
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("pulumi %v: %s", args, time.Since(begin).Round(100*time.Millisecond))
}

// publicMachines is what the policy about public addresses finds in the stack's state, and how many machines are there.
func (d *deployment) publicMachines(t *testing.T) (violations []policy.Violation, machines int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.json")
	d.run(t, "stack", "export", "--file", file)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	_, resources, err := policy.FromState(data)
	require.NoError(t, err)
	for _, r := range resources {
		if r.Type == "aws:ec2/instance:Instance" {
			machines++
		}
	}
	rule, found := policy.FindRule("CD-14")
	require.True(t, found)
	return rule.Check(policy.Graph{Scope: policy.Stage, Resources: resources}), machines
}

// running are the instances and volumes that there are.
func (d *deployment) running(t *testing.T) (instances, volumes []string) {
	t.Helper()
	found, err := d.client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	require.NoError(t, err)
	for _, r := range found.Reservations {
		for _, i := range r.Instances {
			if i.State.Name != types.InstanceStateNameTerminated {
				instances = append(instances, *i.InstanceId)
			}
		}
	}
	disks, err := d.client.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{})
	require.NoError(t, err)
	for _, v := range disks.Volumes {
		volumes = append(volumes, *v.VolumeId)
	}
	return instances, volumes
}

// Every resource of the program comes up, stays as it is, and goes.
func TestProgram(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.run(t, "up", "--yes", "--skip-preview")
	d.run(t, "preview", "--expect-no-changes")
	d.run(t, "refresh", "--yes", "--skip-preview", "--expect-no-changes")
	public, machines := d.publicMachines(t)
	assert.Empty(t, public, "the machine is in a subnet that gives no public addresses")
	assert.Equal(t, 1, machines)
	instances, volumes := d.running(t)
	assert.Len(t, instances, 3)
	assert.Len(t, volumes, 4, "a root volume each, and the data volume")

	// A new machine takes the data volume over.
	data := d.dataVolume(t)
	d.set(t, "coverage:bundle", "two")
	d.run(t, "up", "--yes", "--skip-preview")
	taken := d.dataVolume(t)
	assert.Equal(t, data.VolumeId, taken.VolumeId)
	assert.NotEqual(t, data.Attachments[0].InstanceId, taken.Attachments[0].InstanceId)
	d.run(t, "preview", "--expect-no-changes")
	d.run(t, "destroy", "--yes", "--skip-preview")
	instances, volumes = d.running(t)
	assert.Empty(t, instances)
	assert.Empty(t, volumes)
	snapshots, err := d.client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
	require.NoError(t, err)
	assert.NotEmpty(t, snapshots.Snapshots, "the data volume's last snapshot")
}
