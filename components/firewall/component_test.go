package firewall

import (
	"net/netip"
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

var phones = map[ports.Exposure][]netip.Prefix{ports.Phones: {netip.MustParsePrefix("0.0.0.0/0")}, ports.Carriers: {netip.MustParsePrefix("198.51.100.0/24")}}

func group(name ports.Group, present ...ports.Group) GroupArgs {
	return GroupArgs{Name: name, Ingress: ports.Rules(ports.Table(name), phones, present...)}
}

func args() Args {
	all := []ports.Group{ports.GroupC4SBC, ports.GroupC4Router, ports.GroupNLB, ports.GroupDatabase}
	a := Args{VpcID: pulumi.String("vpc-1"), Tags: tags.Tags{Project: "p", Environment: "stage", Role: "network", Owner: "o", CostCenter: "c"}}
	for _, g := range all {
		a.Groups = append(a.Groups, group(g, all...))
	}
	return a
}

func TestFirewall(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		f, err := NewFirewall(ctx, "stage", args())
		if err != nil {
			return err
		}
		for _, g := range args().Groups {
			assert.NotEmpty(t, f.Rules[g.Name], g.Name)
		}
		f.IDs[ports.GroupC4SBC].ApplyT(func(id string) error { assert.Equal(t, "stage-c4-sbc-id", id); return nil })
		return nil
	}))
	for _, r := range rec.Resources() {
		if r.Type != "calldata:firewall:Firewall" && r.Type != "pulumi:pulumi:Stack" {
			assert.Equal(t, "calldata:firewall:Firewall stage", r.Parent, r.Name)
			assert.Equal(t, "stage", r.Inputs["tags"].(map[string]any)["Environment"], r.Name)
		}
	}
	groups := rec.OfType("aws:ec2/securityGroup:SecurityGroup")
	assert.Len(t, groups, 4)
	assert.Equal(t, "c4-router", groups["stage-c4-router"].Inputs["tags"].(map[string]any)["Role"])

	in := rec.OfType("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
	assert.Equal(t, "stage-c4-router-id", in["stage-database-postgresql-from-c4-router"].Inputs["referencedSecurityGroupId"])
	assert.NotContains(t, in["stage-database-postgresql-from-c4-router"].Inputs, "cidrIpv4")
	assert.Equal(t, "198.51.100.0/24", in["stage-nlb-sip-udp-from-198-51-100-0-24"].Inputs["cidrIpv4"])
	assert.Equal(t, "stage-c4-sbc-id", in["stage-c4-router-sip-udp-from-c4-sbc"].Inputs["referencedSecurityGroupId"], "the two name each other")
	assert.Equal(t, "stage-c4-router-id", in["stage-c4-sbc-sip-inside-from-c4-router"].Inputs["referencedSecurityGroupId"])

	out := rec.OfType("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
	assert.Equal(t, "-1", out["stage-c4-sbc-to-anywhere"].Inputs["ipProtocol"])
	assert.Equal(t, "stage-c4-sbc-id", out["stage-nlb-status-to-c4-sbc"].Inputs["referencedSecurityGroupId"], "the load balancer must reach what it checks")
	assert.NotContains(t, out, "stage-nlb-to-anywhere")
	for name, r := range out {
		assert.NotEqual(t, "stage-database-id", r.Inputs["securityGroupId"], "%s: a database starts no connection", name)
	}
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	bad := args()
	bad.VpcID, bad.Tags.Owner = nil, ""
	bad.Groups = append(bad.Groups, GroupArgs{Name: "pbx"}, group(ports.GroupNLB), group(ports.GroupUCEngine, ports.GroupALB))
	ssh, _ := ports.Find(ports.UCEngine(), ports.SSH)
	bad.Groups[0].Ingress = append(bad.Groups[0].Ingress, ports.Rule{Port: ssh, Source: netip.MustParsePrefix("0.0.0.0/0")})
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewFirewall(ctx, "stage", bad)
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"firewall stage: ", "VPC id: it is missing", `groups[4]: "pbx" is not one of`, "groups[5]: an earlier one is of nlb too", "tags: tag Owner",
		"group uc-engine: rule https-from-alb: there is no group alb", "group c4-sbc: rule ssh-from-0-0-0-0-0: tcp 22 is for admin, not for the whole internet",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	assert.ErrorContains(t, Args{}.Validate(), "groups: at least one is needed")
}
