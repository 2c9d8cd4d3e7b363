package vpc

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

// args are those of a network with subnets of these tiers in these zones, "a" standing for us-east-1a.
func args(nat NatStrategy, zones string, tiers ...Tier) Args {
	a := Args{
		CIDR: netip.MustParsePrefix("10.20.0.0/16"), Nat: nat, FlowLogRetentionDays: 14,
		Tags: tags.Tags{Project: "p", Environment: "dev", Role: "network", Owner: "o", CostCenter: "c"},
	}
	var tierNames, zoneNames []string
	for _, t := range tiers {
		tierNames = append(tierNames, string(t))
	}
	for _, z := range zones {
		zoneNames = append(zoneNames, "us-east-1"+string(z))
	}
	planned, err := cidr.Plan(a.CIDR, tierNames, zoneNames)
	if err != nil {
		panic(err)
	}
	for _, p := range planned {
		a.Subnets = append(a.Subnets, SubnetArgs{Name: p.Tier + "-" + p.Zone, Zone: p.Zone, Tier: Tier(p.Tier), CIDR: p.CIDR})
	}
	return a
}

// register registers the network dev-vpc, with a child in each subnet.
func register(t *testing.T, a Args) (*componenttest.Recorder, *Vpc) {
	t.Helper()
	rec := &componenttest.Recorder{}
	var made *Vpc
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) (err error) {
		if made, err = NewVpc(ctx, "dev-vpc", a); err != nil {
			return err
		}
		for _, s := range a.Subnets {
			if err := ctx.RegisterResource("test:index:Child", s.Name, pulumi.Map{"subnet": made.SubnetIDs[s.Name]}, &componenttest.Child{}); err != nil {
				return err
			}
		}
		return nil
	}))
	return rec, made
}

func TestDevNetwork(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		v, err := NewVpc(ctx, "dev-vpc", args("", "ab", Public))
		if err != nil {
			return err
		}
		assert.Empty(t, v.NatIPs)
		pulumi.All(v.VpcID, v.SubnetIDs["public-us-east-1b"], v.S3EndpointID).ApplyT(func(ids []any) error {
			assert.Equal(t, []any{"dev-vpc-id", "dev-vpc-public-us-east-1b-id", "dev-vpc-s3-id"}, ids)
			return nil
		})
		return nil
	}))
	for _, r := range rec.Resources() {
		if r.Type != "calldata:vpc:Vpc" && r.Type != "pulumi:pulumi:Stack" {
			assert.Equal(t, "calldata:vpc:Vpc dev-vpc", r.Parent, r.Name)
		}
	}
	assert.Len(t, rec.OfType("aws:ec2/subnet:Subnet"), 2)
	assert.Equal(t, "10.20.16.0/20", rec.OfType("aws:ec2/subnet:Subnet")["dev-vpc-public-us-east-1b"].Inputs["cidrBlock"])
	assert.Len(t, rec.OfType("aws:ec2/routeTableAssociation:RouteTableAssociation"), 2)
	for _, token := range []string{"aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip"} {
		assert.Empty(t, rec.OfType(token), "the smallest form costs nothing")
	}

	closed := rec.One(t, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
	assert.NotContains(t, closed.Inputs, "ingress")
	assert.NotContains(t, closed.Inputs, "egress")

	route := rec.One(t, "aws:ec2/route:Route")
	assert.Equal(t, "dev-vpc-public-internet", route.Name)
	assert.Equal(t, "0.0.0.0/0", route.Inputs["destinationCidrBlock"])
	assert.Equal(t, "dev-vpc-igw-id", route.Inputs["gatewayId"])
}

func TestFlowLog(t *testing.T) {
	t.Parallel()
	rec, _ := register(t, args(NatNone, "a", Public))
	policy := rec.One(t, "aws:iam/rolePolicy:RolePolicy")
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["logs:CreateLogStream","logs:DescribeLogStreams","logs:PutLogEvents"],
		"Resource":["arn:aws:logs:us-east-1:123456789012:log-group:dev-vpc-flow-logs:*"]}]}`, policy.Inputs["policy"].(string))
	role := rec.One(t, "aws:iam/role:Role")
	assert.Contains(t, role.Inputs["assumeRolePolicy"], `"aws:SourceAccount":["123456789012"]`)
	flow := rec.One(t, "aws:ec2/flowLog:FlowLog")
	assert.Equal(t, "ALL", flow.Inputs["trafficType"])
	assert.Contains(t, flow.Dependencies, "aws:iam/rolePolicy:RolePolicy dev-vpc-flow-logs")
	group := rec.One(t, "aws:cloudwatch/logGroup:LogGroup")
	assert.InDelta(t, 14, group.Inputs["retentionInDays"], 0)
	assert.NotContains(t, group.Inputs, "kmsKeyId")

	a := args(NatNone, "a", Public)
	a.FlowLogKMSKeyARN = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/k")
	rec, _ = register(t, a)
	assert.Equal(t, "arn:aws:kms:us-east-1:123456789012:key/k", rec.One(t, "aws:cloudwatch/logGroup:LogGroup").Inputs["kmsKeyId"])
}

func TestTiersAreApart(t *testing.T) {
	t.Parallel()
	rec, _ := register(t, args(NatOnePerAz, "abc", Tiers()...))
	subnets := rec.OfType("aws:ec2/subnet:Subnet")
	require.Len(t, subnets, 9)
	for name, s := range subnets {
		assert.Equal(t, false, s.Inputs["mapPublicIpOnLaunch"], name)
		tier, zone, _ := strings.Cut(strings.TrimPrefix(name, "dev-vpc-"), "-")
		assert.Equal(t, tier, s.Inputs["tags"].(map[string]any)["Tier"], name)
		assert.Equal(t, zone, s.Inputs["availabilityZone"], name)
		table := rec.OfType("aws:ec2/routeTableAssociation:RouteTableAssociation")[name].Inputs["routeTableId"]
		switch Tier(tier) {
		case Private:
			assert.Equal(t, "dev-vpc-private-"+zone+"-id", table)
		default:
			assert.Equal(t, "dev-vpc-"+tier+"-id", table)
		}
	}
	for name, r := range rec.OfType("aws:ec2/route:Route") {
		assert.NotContains(t, name, "intra", "an intra subnet knows the network alone")
		if strings.Contains(name, "private") {
			assert.NotContains(t, r.Inputs, "gatewayId", "%s: nothing comes in from the internet", name)
		}
	}
	assert.ElementsMatch(t, []any{
		"dev-vpc-public-id", "dev-vpc-private-us-east-1a-id", "dev-vpc-private-us-east-1b-id", "dev-vpc-private-us-east-1c-id", "dev-vpc-intra-id",
	}, s3Endpoint(t, rec).Inputs["routeTableIds"])
	assert.Equal(t, "com.amazonaws.us-east-1.s3", s3Endpoint(t, rec).Inputs["serviceName"])
	assert.Equal(t, "Gateway", s3Endpoint(t, rec).Inputs["vpcEndpointType"])
}

func s3Endpoint(t *testing.T, rec *componenttest.Recorder) componenttest.Resource {
	t.Helper()
	return rec.One(t, "aws:ec2/vpcEndpoint:VpcEndpoint")
}

func TestNat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		nat      NatStrategy
		move     bool // the first public subnet is in us-east-1c, and there is no other
		given    []string
		gateways map[string]string // subnet and address by gateway
		routes   map[string]string // gateway by zone
	}{
		"none": {nat: NatNone},
		"single": {nat: NatSingle,
			gateways: map[string]string{"dev-vpc-nat-us-east-1a": "dev-vpc-public-us-east-1a-id dev-vpc-nat-us-east-1a-id"},
			routes:   map[string]string{"us-east-1a": "us-east-1a", "us-east-1b": "us-east-1a"}},
		"single, where no zone has both": {nat: NatSingle, move: true,
			gateways: map[string]string{"dev-vpc-nat-us-east-1c": "dev-vpc-public-us-east-1a-id dev-vpc-nat-us-east-1c-id"},
			routes:   map[string]string{"us-east-1a": "us-east-1c", "us-east-1b": "us-east-1c"}},
		"one per zone": {nat: NatOnePerAz,
			gateways: map[string]string{
				"dev-vpc-nat-us-east-1a": "dev-vpc-public-us-east-1a-id dev-vpc-nat-us-east-1a-id",
				"dev-vpc-nat-us-east-1b": "dev-vpc-public-us-east-1b-id dev-vpc-nat-us-east-1b-id",
			},
			routes: map[string]string{"us-east-1a": "us-east-1a", "us-east-1b": "us-east-1b"}},
		"with addresses that exist": {nat: NatOnePerAz, given: []string{"eipalloc-0000000a", "eipalloc-0000000b"},
			gateways: map[string]string{
				"dev-vpc-nat-us-east-1a": "dev-vpc-public-us-east-1a-id eipalloc-0000000a", "dev-vpc-nat-us-east-1b": "dev-vpc-public-us-east-1b-id eipalloc-0000000b",
			},
			routes: map[string]string{"us-east-1a": "us-east-1a", "us-east-1b": "us-east-1b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := args(tt.nat, "ab", Public, Private)
			a.NatAllocationIDs = tt.given
			if tt.move {
				a.Subnets = slices.Delete(a.Subnets, 1, 2)
				a.Subnets[0].Zone = "us-east-1c"
			}
			rec, v := register(t, a)
			got := map[string]string{}
			for name, g := range rec.OfType("aws:ec2/natGateway:NatGateway") {
				got[name] = fmt.Sprint(g.Inputs["subnetId"], " ", g.Inputs["allocationId"])
				assert.Contains(t, g.Dependencies, "aws:ec2/route:Route dev-vpc-public-internet", "a gateway needs the internet first")
			}
			assert.Equal(t, len(tt.gateways), len(got))
			for name, want := range tt.gateways {
				assert.Equal(t, want, got[name])
			}
			assert.Len(t, v.NatIPs, len(tt.gateways))
			wantAddresses := len(tt.gateways)
			if tt.given != nil {
				wantAddresses = 0
			}
			assert.Len(t, rec.OfType("aws:ec2/eip:Eip"), wantAddresses)
			routes := rec.OfType("aws:ec2/route:Route")
			assert.Len(t, routes, 1+len(tt.routes))
			for zone, gateway := range tt.routes {
				r := routes["dev-vpc-private-"+zone+"-nat"]
				assert.Equal(t, "dev-vpc-nat-"+gateway+"-id", r.Inputs["natGatewayId"], zone)
				assert.Equal(t, "dev-vpc-private-"+zone+"-id", r.Inputs["routeTableId"], zone)
				assert.Equal(t, "0.0.0.0/0", r.Inputs["destinationCidrBlock"], zone)
			}
		})
	}
}

func TestNatAddressesAreProtectedAndTold(t *testing.T) {
	t.Parallel()
	for _, protect := range []bool{false, true} {
		a := args(NatSingle, "a", Public, Private)
		a.ProtectAddresses = protect
		rec := &componenttest.Recorder{}
		require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
			v, err := NewVpc(ctx, "dev-vpc", a)
			if err != nil {
				return err
			}
			v.NatIPs[0].ApplyT(func(ip string) error {
				assert.Equal(t, componenttest.PublicIP, ip)
				return nil
			})
			return nil
		}))
		eip := rec.One(t, "aws:ec2/eip:Eip")
		assert.Equal(t, protect, eip.Protect)
		assert.Equal(t, protect, eip.RetainOnDelete)
	}
}

// The single gateway and its address must stay when the other zones get gateways, and no other subnet may move.
func TestMoreNatAndMoreZonesMoveNothing(t *testing.T) {
	t.Parallel()
	before, _ := register(t, args(NatSingle, "ab", Tiers()...))
	after, _ := register(t, args(NatOnePerAz, "abc", Tiers()...))
	grows := map[string]bool{
		"aws:ec2/networkAcl:NetworkAcl": true, "aws:ec2/vpcEndpoint:VpcEndpoint": true, "aws:ec2/route:Route dev-vpc-private-us-east-1b-nat": true,
	}
	for _, r := range before.Resources() {
		if !strings.HasPrefix(r.Type, "aws:") || grows[r.Type] || grows[r.Type+" "+r.Name] {
			continue
		}
		assert.Equal(t, r.Inputs, after.OfType(r.Type)[r.Name].Inputs, "%s %s", r.Type, r.Name)
	}
}

func TestSubnetIDsWaitUntilTheyAreJoined(t *testing.T) {
	t.Parallel()
	rec, _ := register(t, args(NatSingle, "ab", Tiers()...))
	joined := func(tier, subnet string) []string {
		return []string{
			"aws:ec2/networkAcl:NetworkAcl dev-vpc-" + tier, "aws:ec2/routeTableAssociation:RouteTableAssociation dev-vpc-" + subnet, "aws:ec2/subnet:Subnet dev-vpc-" + subnet,
			"aws:ec2/vpcEndpoint:VpcEndpoint dev-vpc-s3",
		}
	}
	children := rec.OfType("test:index:Child")
	assert.ElementsMatch(t, append(joined("public", "public-us-east-1a"), "aws:ec2/route:Route dev-vpc-public-internet"), children["public-us-east-1a"].Dependencies)
	assert.ElementsMatch(t, append(joined("private", "private-us-east-1b"), "aws:ec2/route:Route dev-vpc-private-us-east-1b-nat"), children["private-us-east-1b"].Dependencies)
	assert.ElementsMatch(t, joined("intra", "intra-us-east-1a"), children["intra-us-east-1a"].Dependencies)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	bad := Args{
		CIDR: netip.MustParsePrefix("10.0.0.0/8"), Nat: "many",
		Subnets: []SubnetArgs{
			{Name: "a", Zone: "us-east-1a", Tier: Public, CIDR: netip.MustParsePrefix("10.20.0.0/20")},
			{Name: "a", CIDR: netip.MustParsePrefix("10.20.8.0/24")},
		},
		AdminCIDRs: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("203.0.113.1/24"), netip.MustParsePrefix("fd00::/64"), {}},
	}
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewVpc(ctx, "dev-vpc", bad)
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"vpc dev-vpc: ", "CIDR: 10.0.0.0/8 has the size /8", `subnets[1]: the name "a" and the zone "" must both be set`, `subnets[1]: an earlier one is called "a" too`,
		`subnets[1]: the tier "" is none of [public private intra]`, "a (10.20.8.0/24) overlaps a (10.20.0.0/20)", `NAT: "many" is none of [none single one-per-az]`,
		"admin CIDRs[0]: 0.0.0.0/0 is the whole internet", "admin CIDRs[1]: 203.0.113.1/24 has host bits set, the network is 203.0.113.0/24",
		"admin CIDRs[2]: fd00::/64 is not an IPv4 range", "admin CIDRs[3]: invalid Prefix is not an IPv4 range",
		"flow log retention: 0 days, want one of [1 3 5", "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	assert.ErrorContains(t, Args{}.Validate(), "subnets: at least one is needed")
}

func TestNatMustFit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args   Args
		change func(*Args)
		want   string
	}{
		"nobody to serve":      {args: args(NatSingle, "a", Public), want: `NAT: "single" without a private subnet`},
		"no place to be":       {args: args(NatSingle, "a", Private), want: `NAT: "single" needs a public subnet for its gateway`},
		"no place in one zone": {args: args(NatOnePerAz, "ab", Public, Private), change: func(a *Args) { a.Subnets = a.Subnets[1:] }, want: "us-east-1a has none"},
		"too few addresses":    {args: args(NatOnePerAz, "ab", Public, Private), change: give("eipalloc-0000000a"), want: "1 of them, the network has 2 NAT gateways"},
		"too many addresses": {args: args(NatSingle, "ab", Public, Private), change: give("eipalloc-0000000a", "eipalloc-0000000b"),
			want: "2 of them, the network has 1 NAT gateways"},
		"addresses for nothing": {args: args(NatNone, "a", Public, Private), change: give("eipalloc-0000000a"), want: "1 of them, the network has 0 NAT gateways"},
		"an address twice": {args: args(NatOnePerAz, "ab", Public, Private), change: give("eipalloc-0000000a", "eipalloc-0000000a"),
			want: "NAT allocation ids[1]: eipalloc-0000000a is there twice"},
		"an address itself": {args: args(NatSingle, "a", Public, Private), change: give("203.0.113.10"), want: `NAT allocation ids[0]: "203.0.113.10" is not eipalloc-`},
		"no room for admins": {args: args(NatNone, "a", Public), change: func(a *Args) {
			for i := range 11 {
				a.AdminCIDRs = append(a.AdminCIDRs, netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32))
			}
		}, want: "admin CIDRs: 11 of them, a network ACL has room for 10"},
		"an admin twice": {args: args(NatNone, "a", Public), change: func(a *Args) {
			a.AdminCIDRs = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("203.0.113.0/24")}
		}, want: "admin CIDRs[1]: 203.0.113.0/24 is there twice"},
		"a log without end": {args: args(NatNone, "a", Public), change: func(a *Args) { a.FlowLogRetentionDays = 35 }, want: "flow log retention: 35 days"},
	} {
		if tt.change != nil {
			tt.change(&tt.args)
		}
		assert.ErrorContains(t, tt.args.Validate(), tt.want, name)
	}
	// A private network without NAT and a public tier is a legal one.
	assert.NoError(t, args(NatNone, "ab", Private, Intra).Validate())
}

func give(ids ...string) func(*Args) { return func(a *Args) { a.NatAllocationIDs = ids } }

func TestPreviewWorksWithoutAnswersFromAWS(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	a := args(NatOnePerAz, "abc", Tiers()...)
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewVpc(ctx, "dev-vpc", a)
		return err
	}))
	full, _ := register(t, a)
	assert.Len(t, rec.Resources(), len(full.Resources())-len(a.Subnets), "a preview must show every resource but the test's own children")
}
