package wazonode

import (
	"net/netip"
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{
		VpcID: pulumi.String("vpc-1"), SubnetID: pulumi.String("subnet-1"), HostName: "dev-uc-1", Domain: "calldata.internal", InstanceType: "t3.xlarge",
		RootVolumeGiB: 50, SSHPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0XrBZBSp3BzStLHTvHHAH8cUYgqyNIJ8TwIrbDlvB", PortTable: ports.UCEngine(), Public: true,
		Ingress: ports.Rules(ports.UCEngine(), map[ports.Exposure][]netip.Prefix{
			ports.Admin: {netip.MustParsePrefix("203.0.113.1/32")}, ports.Phones: {netip.MustParsePrefix("0.0.0.0/0")},
		}),
		Tags: tags.Tags{Project: "p", Environment: "dev", Role: "uc-engine", Owner: "o", CostCenter: "c"},
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
		pulumi.All(node.InstanceID, node.PrivateIP, node.PublicIP, node.SecurityGroupID).ApplyT(func(got []any) error {
			assert.Equal(t, []any{"dev-uc-1-id", componenttest.PrivateIP, public, "dev-uc-1-id"}, got)
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
	calls := run(t, nil).Calls("aws:ec2/getAmi:getAmi")
	require.Len(t, calls, 1)
	assert.Equal(t, true, calls[0].Args["mostRecent"])
	assert.Equal(t, []any{"136693071363"}, calls[0].Args["owners"])
	filters := map[string]any{}
	for _, f := range calls[0].Args["filters"].([]any) {
		filter := f.(map[string]any)
		filters[filter["name"].(string)] = filter["values"].([]any)[0]
	}
	assert.Equal(t, map[string]any{"name": "debian-12-amd64-*", "architecture": "x86_64", "root-device-type": "ebs", "virtualization-type": "hvm", "state": "available"}, filters)

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

func TestFirewall(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	assert.NotContains(t, rec.One(t, "aws:ec2/securityGroup:SecurityGroup").Inputs, "ingress", "rules are resources of their own")
	got := map[string][4]any{}
	for name, rule := range rec.OfType("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
		got[name] = [4]any{rule.Inputs["ipProtocol"], rule.Inputs["fromPort"], rule.Inputs["toPort"], rule.Inputs["cidrIpv4"]}
		assert.NotEmpty(t, rule.Inputs["description"], name)
	}
	assert.Equal(t, map[string][4]any{
		"dev-uc-1-ssh-from-203-0-113-1-32":       {"tcp", 22.0, 22.0, "203.0.113.1/32"},
		"dev-uc-1-http-from-203-0-113-1-32":      {"tcp", 80.0, 80.0, "203.0.113.1/32"},
		"dev-uc-1-https-from-203-0-113-1-32":     {"tcp", 443.0, 443.0, "203.0.113.1/32"},
		"dev-uc-1-sip-udp-from-0-0-0-0-0":        {"udp", 5060.0, 5060.0, "0.0.0.0/0"},
		"dev-uc-1-rtp-from-0-0-0-0-0":            {"udp", 10000.0, 20000.0, "0.0.0.0/0"},
		"dev-uc-1-icmp-echo-from-203-0-113-1-32": {"icmp", 8.0, -1.0, "203.0.113.1/32"},
	}, got)
	egress := rec.One(t, "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
	assert.Equal(t, "-1", egress.Inputs["ipProtocol"])
	assert.NotContains(t, egress.Inputs, "fromPort")
}

func TestProfile(t *testing.T) {
	t.Parallel()
	rec := run(t, nil)
	assert.Equal(t, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", rec.One(t, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").Inputs["policyArn"])
	assert.Contains(t, rec.One(t, "aws:iam/role:Role").Inputs["assumeRolePolicy"], "ec2.amazonaws.com")
}

func TestUserData(t *testing.T) {
	t.Parallel()
	text := run(t, nil).One(t, "aws:ec2/instance:Instance").Inputs["userData"].(string)
	require.Regexp(t, `^#cloud-config\n`, text)
	var got map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &got))
	assert.Equal(t, map[string]any{
		"hostname": "dev-uc-1", "fqdn": "dev-uc-1.calldata.internal", "prefer_fqdn_over_hostname": false, "preserve_hostname": false,
		"manage_etc_hosts": "localhost", "ssh_pwauth": false, "disable_root": true, "package_update": false, "package_upgrade": false,
	}, got)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewWazoNode(ctx, "dev-uc-1", Args{HostName: "Dev\nruncmd: [x]", Domain: "-", InstanceType: "big", AMIID: "x", SSHPublicKey: "hunter2",
			Ingress: []ports.Rule{{}}})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"node dev-uc-1: ", "VPC id: it is missing", "subnet id: it is missing", `host name: "Dev\nruncmd: [x]" is not`, `domain: "-"`, `instance type: "big"`, `AMI id: "x"`,
		"root volume: 0 GiB", "SSH public key: it is not one line", "ingress: rule", "tags: tag",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "hunter2")
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}
