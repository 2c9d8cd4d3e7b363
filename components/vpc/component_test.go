package vpc

import (
	"net/netip"
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args() Args {
	return Args{
		CIDR: netip.MustParsePrefix("10.20.0.0/16"),
		Subnets: []SubnetArgs{
			{"public-us-east-1a", "us-east-1a", netip.MustParsePrefix("10.20.0.0/20")},
			{"public-us-east-1b", "us-east-1b", netip.MustParsePrefix("10.20.16.0/20")},
		},
		FlowLogRetentionDays: 14,
		Tags:                 tags.Tags{Project: "p", Environment: "dev", Role: "network", Owner: "o", CostCenter: "c"},
	}
}

func TestVpc(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		v, err := NewVpc(ctx, "dev-vpc", args())
		if err != nil {
			return err
		}
		pulumi.All(v.VpcID, v.SubnetIDs["public-us-east-1b"]).ApplyT(func(ids []any) error {
			assert.Equal(t, []any{"dev-vpc-id", "dev-vpc-public-us-east-1b-id"}, ids)
			return nil
		})
		return nil
	}))
	for _, r := range rec.Resources() {
		if r.Type != "calldata:vpc:Vpc" && r.Type != "pulumi:pulumi:Stack" {
			assert.Equal(t, "calldata:vpc:Vpc dev-vpc", r.Parent, r.Name)
		}
	}
	for name, subnet := range rec.OfType("aws:ec2/subnet:Subnet") {
		assert.Equal(t, false, subnet.Inputs["mapPublicIpOnLaunch"], name)
	}
	assert.Len(t, rec.OfType("aws:ec2/subnet:Subnet"), 2)
	assert.Len(t, rec.OfType("aws:ec2/routeTableAssociation:RouteTableAssociation"), 2)

	closed := rec.One(t, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
	assert.NotContains(t, closed.Inputs, "ingress")
	assert.NotContains(t, closed.Inputs, "egress")

	route := rec.One(t, "aws:ec2/route:Route")
	assert.Equal(t, "0.0.0.0/0", route.Inputs["destinationCidrBlock"])
	assert.Equal(t, "dev-vpc-igw-id", route.Inputs["gatewayId"])

	policy := rec.One(t, "aws:iam/rolePolicy:RolePolicy")
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["logs:CreateLogStream","logs:DescribeLogStreams","logs:PutLogEvents"],
		"Resource":["arn:aws:logs:us-east-1:123456789012:log-group:dev-vpc-flow-logs:*"]}]}`, policy.Inputs["policy"].(string))
	role := rec.One(t, "aws:iam/role:Role")
	assert.Contains(t, role.Inputs["assumeRolePolicy"], `"aws:SourceAccount":["123456789012"]`)
	flow := rec.One(t, "aws:ec2/flowLog:FlowLog")
	assert.Equal(t, "ALL", flow.Inputs["trafficType"])
	assert.Contains(t, flow.Dependencies, "aws:iam/rolePolicy:RolePolicy dev-vpc-flow-logs")
	assert.InDelta(t, 14, rec.One(t, "aws:cloudwatch/logGroup:LogGroup").Inputs["retentionInDays"], 0)
}

func TestSubnetIDsWaitForTheirRoute(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		v, err := NewVpc(ctx, "dev-vpc", args())
		if err != nil {
			return err
		}
		self := &componenttest.Child{}
		return ctx.RegisterResource("test:index:Child", "child", pulumi.Map{"subnet": v.SubnetIDs["public-us-east-1a"]}, self)
	}))
	child := rec.One(t, "test:index:Child")
	assert.Equal(t, []string{
		"aws:ec2/route:Route dev-vpc-public-internet", "aws:ec2/routeTableAssociation:RouteTableAssociation dev-vpc-public-us-east-1a",
		"aws:ec2/subnet:Subnet dev-vpc-public-us-east-1a",
	}, child.Dependencies)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	bad := Args{
		CIDR: netip.MustParsePrefix("10.0.0.0/8"),
		Subnets: []SubnetArgs{
			{"a", "us-east-1a", netip.MustParsePrefix("10.20.0.0/20")},
			{"a", "", netip.MustParsePrefix("10.20.8.0/24")},
		},
	}
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewVpc(ctx, "dev-vpc", bad)
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"vpc dev-vpc: ", "CIDR: 10.0.0.0/8 has the size /8", `subnets[1]: the name "a" and the zone "" must both be set`, `subnets[1]: an earlier one is called "a" too`,
		"a (10.20.8.0/24) overlaps a (10.20.0.0/20)", "flow log retention: 0 days", "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	assert.ErrorContains(t, Args{}.Validate(), "subnets: at least one is needed")
}
