package wazonode

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{
		SubnetID: pulumi.String("subnet-1"), SecurityGroupIDs: pulumi.ToStringArray([]string{"sg-1"}), HostName: "dev-uc-1", Domain: "calldata.internal", InstanceType: "t3.xlarge",
		RootVolumeGiB: 50, SSHPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB", Public: true,
		DetailedMonitoring: true,
		Tags:               tags.Tags{Project: "p", Environment: "dev", Role: "uc-engine", Owner: "o", CostCenter: "c"},
	}
}

// run registers one node, changed by change.
func run(t *testing.T, change func(*Args)) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args()
		if change != nil {
			change(&a)
		}
		node, err := NewWazoNode(ctx, "dev-uc-1", a)
		if err != nil {
			return err
		}
		public := componenttest.PublicIP
		if !a.Public {
			public = ""
		}
		volume := ""
		if a.DataVolume.GiB > 0 {
			volume = "dev-uc-1-data-id"
		}
		pulumi.All(node.InstanceID, node.PrivateIP, node.PublicIP, node.DataVolumeID).ApplyT(func(got []any) error {
			assert.Equal(t, []any{"dev-uc-1-id", componenttest.PrivateIP, public, volume}, got)
			return nil
		})
		return nil
	}))
	return rec
}

func TestInstance(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	instance := rec.One(t, "aws:ec2/instance:Instance")
	in := instance.Inputs
	assert.Equal(t, componenttest.Image, in["ami"])
	assert.Equal(t, []string{"keyName", "ami"}, instance.IgnoreChanges, "neither a newer image nor a rotated key may replace a running machine")
	assert.Equal(t, map[string]any{"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1.0}, in["metadataOptions"])
	root := in["rootBlockDevice"].(map[string]any)
	assert.Equal(t, true, root["encrypted"])
	assert.Equal(t, "gp3", root["volumeType"])
	assert.Equal(t, "dev-uc-1-root", root["tags"].(map[string]any)["Name"])
	assert.Equal(t, true, in["userDataReplaceOnChange"])
	assert.Equal(t, true, in["monitoring"])
	assert.Equal(t, false, in["disableApiTermination"])
	assert.Equal(t, []any{"sg-1"}, in["vpcSecurityGroupIds"])
	assert.NotContains(t, in, "maintenanceOptions", "EC2's own recovery stays on, as by default")
	assert.NotContains(t, root, "kmsKeyId")
	assert.NotContains(t, in, "associatePublicIpAddress")
	assert.Contains(t, instance.Dependencies, "aws:iam/instanceProfile:InstanceProfile dev-uc-1")
	for _, r := range rec.Resources() {
		if r.Type != "calldata:wazonode:WazoNode" && r.Type != "pulumi:pulumi:Stack" {
			assert.Equal(t, "calldata:wazonode:WazoNode dev-uc-1", r.Parent, r.Name)
		}
	}
}

func TestImageLookup(t *testing.T) {
	t.Parallel()
	require.Len(t, run(t, nil).Calls("aws:ec2/getAmi:getAmi"), 1)

	pinned := run(t, func(a *Args) { a.AMIID = "ami-0123456789abcdef0" })
	assert.Empty(t, pinned.Calls("aws:ec2/getAmi:getAmi"))
	instance := pinned.One(t, "aws:ec2/instance:Instance")
	assert.Equal(t, "ami-0123456789abcdef0", instance.Inputs["ami"])
	assert.Equal(t, []string{"keyName"}, instance.IgnoreChanges, "a changed pin is a wish for another machine")
}

func TestAddress(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	eip := rec.One(t, "aws:ec2/eip:Eip")
	assert.False(t, eip.Protect)
	assert.NotContains(t, eip.Inputs, "instance", "the address must not depend on the machine")
	assert.Empty(t, eip.Dependencies)
	association := rec.One(t, "aws:ec2/eipAssociation:EipAssociation")
	assert.Equal(t, "dev-uc-1-id", association.Inputs["allocationId"])
	assert.Equal(t, true, association.Inputs["allowReassociation"])

	guarded := run(t, func(a *Args) { a.Protect = true })
	assert.True(t, guarded.One(t, "aws:ec2/eip:Eip").Protect)
	assert.Equal(t, true, guarded.One(t, "aws:ec2/instance:Instance").Inputs["disableApiTermination"])
	assert.False(t, guarded.One(t, "aws:ec2/instance:Instance").Protect, "the machine must stay replaceable")

	private := run(t, func(a *Args) { a.Public = false })
	assert.Empty(t, private.OfType("aws:ec2/eip:Eip"))
	assert.Empty(t, private.OfType("aws:ec2/eipAssociation:EipAssociation"))
}

func TestProfile(t *testing.T) {
	t.Parallel()
	assert.Empty(t, run(t, nil).OfType("aws:iam/rolePolicy:RolePolicy"))
	rec := run(t, func(a *Args) { a.Grants.MetricNamespaces = []string{"CallData"} })
	assert.Contains(t, rec.One(t, "aws:iam/rolePolicy:RolePolicy").Inputs["policy"], "cloudwatch:PutMetricData")
	assert.Equal(t, "dev-uc-1", rec.One(t, "aws:ec2/instance:Instance").Inputs["iamInstanceProfile"])
}

func TestKey(t *testing.T) {
	t.Parallel()
	const token = "aws:ec2/keyPair:KeyPair"
	rec := run(t, nil)
	assert.Equal(t, "dev-uc-1-", rec.One(t, token).Inputs["keyNamePrefix"])
	assert.Equal(t, "dev-uc-1", rec.One(t, "aws:ec2/instance:Instance").Inputs["keyName"])

	managed := func(a *Args) { a.InstallSSMAgent, a.Region = true, "us-east-1" }
	rec = run(t, managed)
	assert.Empty(t, rec.OfType(token), "no key pair where Systems Manager lets people in")
	instance := rec.One(t, "aws:ec2/instance:Instance")
	assert.NotContains(t, instance.Inputs, "keyName")
	assert.Equal(t, []string{"ami"}, instance.IgnoreChanges)
	config := cloudConfig(t, instance)
	assert.Equal(t, []any{args().SSHPublicKey}, config["ssh_authorized_keys"])
	assert.Equal(t, []any{[]any{"/usr/local/sbin/calldata-ssm-agent", "us-east-1"}}, config["runcmd"])

	rec = run(t, func(a *Args) { managed(a); a.SSHPublicKey = "" })
	assert.NotContains(t, cloudConfig(t, rec.One(t, "aws:ec2/instance:Instance")), "ssh_authorized_keys")
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) {
		a.VolumeKMSKeyARN = pulumi.String("arn:key")
		a.DataVolume.GiB, a.Zone = 100, "us-east-1a"
	})
	assert.Equal(t, "arn:key", rec.One(t, "aws:ec2/instance:Instance").Inputs["rootBlockDevice"].(map[string]any)["kmsKeyId"])
	volume := rec.One(t, "aws:ebs/volume:Volume")
	assert.Equal(t, "arn:key", volume.Inputs["kmsKeyId"])
	assert.Equal(t, true, volume.Inputs["encrypted"])
}

func TestDataVolume(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.DataVolume.GiB, a.Zone, a.Protect = 100, "us-east-1b", true })
	volume := rec.One(t, "aws:ebs/volume:Volume")
	assert.Empty(t, volume.Dependencies, "the data must not depend on the machine")
	assert.True(t, volume.Protect)
	assert.Equal(t, true, volume.Inputs["finalSnapshot"])
	assert.Equal(t, "us-east-1b", volume.Inputs["availabilityZone"])
	assert.Equal(t, "dev", volume.Inputs["tags"].(map[string]any)["Backup"])
	attachment := rec.One(t, "aws:ec2/volumeAttachment:VolumeAttachment")
	assert.Equal(t, map[string]any{
		"deviceName": "/dev/sdf", "instanceId": "dev-uc-1-id", "volumeId": "dev-uc-1-data-id", "stopInstanceBeforeDetaching": true,
	}, attachment.Inputs)
	instance := rec.One(t, "aws:ec2/instance:Instance")
	assert.Contains(t, instance.Dependencies, "aws:ebs/volume:Volume dev-uc-1-data", "its id is in the user data")
	config := cloudConfig(t, instance)
	assert.Equal(t, []any{[]any{"/usr/local/sbin/calldata-data-volume", "dev-uc-1-data-id", "/var/lib/postgresql"}}, config["runcmd"])
	assert.Equal(t, dataVolumeScript, config["write_files"].([]any)[0].(map[string]any)["content"])

	open := run(t, func(a *Args) { a.DataVolume.GiB, a.Zone = 100, "us-east-1b" })
	assert.False(t, open.One(t, "aws:ebs/volume:Volume").Protect)
	assert.Equal(t, false, open.One(t, "aws:ebs/volume:Volume").Inputs["finalSnapshot"])
	assert.Empty(t, run(t, nil).OfType("aws:ebs/volume:Volume"))
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.AutoRecovery, a.Region = true, "eu-west-1" })
	got := map[string][3]any{}
	for name, alarm := range rec.OfType("aws:cloudwatch/metricAlarm:MetricAlarm") {
		assert.Equal(t, map[string]any{"InstanceId": "dev-uc-1-id"}, alarm.Inputs["dimensions"])
		got[name] = [3]any{alarm.Inputs["metricName"], alarm.Inputs["evaluationPeriods"], alarm.Inputs["alarmActions"].([]any)[0]}
	}
	assert.Equal(t, map[string][3]any{
		"dev-uc-1-recover": {"StatusCheckFailed_System", 2.0, "arn:aws:automate:eu-west-1:ec2:recover"},
		"dev-uc-1-reboot":  {"StatusCheckFailed_Instance", 3.0, "arn:aws:automate:eu-west-1:ec2:reboot"},
	}, got)
	assert.Empty(t, run(t, nil).OfType("aws:cloudwatch/metricAlarm:MetricAlarm"))
}

func TestReachable(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		rule, after := &componenttest.Child{}, &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "rule", pulumi.Map{}, rule); err != nil {
			return err
		}
		a := args()
		a.Firewall, a.DataVolume.GiB, a.Zone = []pulumi.Resource{rule}, 10, "us-east-1a"
		node, err := NewWazoNode(ctx, "dev-uc-1", a)
		if err != nil {
			return err
		}
		return ctx.RegisterResource("test:index:After", "after", pulumi.Map{}, after, pulumi.DependsOn(node.Reachable))
	}))
	assert.Equal(t, []string{
		"aws:ec2/eipAssociation:EipAssociation dev-uc-1", "aws:ec2/instance:Instance dev-uc-1", "aws:ec2/volumeAttachment:VolumeAttachment dev-uc-1-data", "test:index:Child rule",
	}, rec.One(t, "test:index:After").Dependencies)
}

// cloudConfig is the instance's user data.
func cloudConfig(t *testing.T, instance componenttest.Resource) map[string]any {
	t.Helper()
	var got map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(instance.Inputs["userData"].(string)), &got))
	return got
}

func TestUserData(t *testing.T) {
	t.Parallel()
	// Byte for byte: another text would replace every machine that there is.
	assert.Equal(t, `#cloud-config
hostname: dev-uc-1
fqdn: dev-uc-1.calldata.internal
prefer_fqdn_over_hostname: false
preserve_hostname: false
manage_etc_hosts: localhost
ssh_pwauth: false
disable_root: true
package_update: false
package_upgrade: false
`, run(t, nil).One(t, "aws:ec2/instance:Instance").Inputs["userData"])
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewWazoNode(ctx, "dev-uc-1", Args{HostName: "Dev\nruncmd: [x]", Domain: "-", InstanceType: "big", AMIID: "x", SSHPublicKey: "hunter2",
			DataVolume: DataVolumeArgs{GiB: -1, Device: "/dev/sda", MountPoint: "/x; rm"}, AutoRecovery: true, Grants: noderole.Grants{ArtifactsPrefix: "*"}})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"node dev-uc-1: ", "security group ids: they are missing", "subnet id: it is missing", `host name: "Dev\nruncmd: [x]" is not`, `domain: "-"`, `instance type: "big"`, `AMI id: "x"`,
		"root volume: 0 GiB", "SSH public key: it is not one line", `region: ""`, "data volume: -1 GiB", `the device "/dev/sda"`,
		`the mount point "/x; rm"`, `zone: ""`, "grants: artifacts bucket", "tags: tag",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "hunter2")
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}
