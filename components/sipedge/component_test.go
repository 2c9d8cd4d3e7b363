package sipedge

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

const (
	eipType      = "aws:ec2/eip:Eip"
	balancerType = "aws:lb/loadBalancer:LoadBalancer"
	groupType    = "aws:lb/targetGroup:TargetGroup"
	listenerType = "aws:lb/listener:Listener"
	attachType   = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
	recordType   = "aws:route53/record:Record"
	checkType    = "aws:route53/healthCheck:HealthCheck"
)

func args() Args {
	return Args{
		VpcID: pulumi.String("vpc-1"),
		Carriers: &CarrierArgs{
			SubnetIDs:       map[string]pulumi.StringInput{"us-east-1b": pulumi.String("subnet-b"), "us-east-1a": pulumi.String("subnet-a")},
			SecurityGroupID: pulumi.String("sg-nlb"), StatusPort: 9600,
		},
		Phones: &PhoneArgs{Pool: 2, PoolTag: "prod-sbc", Domain: "sip.example.com", ZoneID: pulumi.String("Z1"), HealthChecks: true},
		Tags:   tags.Tags{Project: "p", Environment: "prod", Role: "sip-edge", Owner: "o", CostCenter: "c"},
	}
}

// run registers one edge, changed by change, and lets then work with it.
func run(t *testing.T, change func(*Args), then func(*pulumi.Context, *SipEdge) error) *componenttest.Recorder {
	t.Helper()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		a := args()
		if change != nil {
			change(&a)
		}
		edge, err := NewSipEdge(ctx, "prod-sip", a)
		if err != nil || then == nil {
			return err
		}
		return then(ctx, edge)
	}))
	for _, r := range rec.Resources() {
		if r.Type != "calldata:sipedge:SipEdge" && r.Type != "pulumi:pulumi:Stack" && r.Type != "test:index:Child" {
			assert.Equal(t, "calldata:sipedge:SipEdge prod-sip", r.Parent, r.Name)
		}
	}
	return rec
}

// outputs runs check on what the outputs resolve to.
func outputs(check func([]any), values ...any) {
	pulumi.All(values...).ApplyT(func(got []any) error { check(got); return nil })
}

func TestCarriersBalancer(t *testing.T) {
	t.Parallel()
	rec := run(t, nil, func(_ *pulumi.Context, e *SipEdge) error {
		assert.Len(t, e.CarrierIPs, 2)
		outputs(func(got []any) {
			assert.Equal(t, []any{
				"prod-sip.elb.amazonaws.com", "lb/prod-sip", componenttest.PublicIP,
				[]string{"arn:aws:lb:us-east-1:123456789012:prod-sip-sip", "arn:aws:lb:us-east-1:123456789012:prod-sip-sips"},
			}, got)
		}, e.CarrierDNS, e.CarrierARNSuffix, e.CarrierIPs[1], e.TargetGroupARNs)
		return nil
	})
	balancer := rec.One(t, balancerType)
	in := balancer.Inputs
	delete(in, "tags")
	assert.Equal(t, map[string]any{
		"loadBalancerType": "network", "internal": false, "enableCrossZoneLoadBalancing": true, "enableDeletionProtection": false, "securityGroups": []any{"sg-nlb"},
		"subnetMappings": []any{
			map[string]any{"subnetId": "subnet-a", "allocationId": "prod-sip-us-east-1a-id"}, map[string]any{"subnetId": "subnet-b", "allocationId": "prod-sip-us-east-1b-id"},
		},
	}, in)
	for _, zone := range []string{"us-east-1a", "us-east-1b"} {
		address := rec.OfType(eipType)["prod-sip-"+zone]
		assert.Equal(t, "vpc", address.Inputs["domain"])
		assert.Empty(t, address.Dependencies, "the address must not depend on the load balancer")
		assert.False(t, address.Protect || address.RetainOnDelete)
	}
	logged := run(t, func(a *Args) { a.Carriers.LogsBucket, a.Carriers.LogsPrefix = pulumi.String("logs"), "nlb" }, nil)
	assert.Equal(t, map[string]any{"bucket": "logs", "prefix": "nlb", "enabled": true}, logged.One(t, balancerType).Inputs["accessLogs"])
}

func TestProtect(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Protect = true }, nil)
	assert.Len(t, rec.OfType(eipType), 4)
	for name, address := range rec.OfType(eipType) {
		assert.True(t, address.Protect && address.RetainOnDelete, name)
	}
	balancer := rec.One(t, balancerType)
	assert.Equal(t, true, balancer.Inputs["enableDeletionProtection"])
	assert.False(t, balancer.Protect, "it must stay replaceable: carriers know its addresses, not it")
}

func TestListeners(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Carriers.DrainTimeout = 20 * time.Minute }, nil)
	groups, listeners := rec.OfType(groupType), rec.OfType(listenerType)
	require.Len(t, groups, 2)
	require.Len(t, listeners, 2)
	used := map[any]bool{}
	for name, want := range map[string]struct {
		protocol string
		port     float64
		idle     any
	}{
		"prod-sip-sip": {"TCP_UDP", 5060, nil}, "prod-sip-sips": {"TCP", 5061, 1800.0},
	} {
		group := groups[name].Inputs
		assert.Equal(t, name, group["tags"].(map[string]any)["Name"])
		delete(group, "tags")
		assert.Equal(t, map[string]any{
			"vpcId": "vpc-1", "targetType": "instance", "port": want.port, "protocol": want.protocol,
			"healthCheck": map[string]any{
				"enabled": true, "protocol": "HTTP", "port": "9600", "path": "/status", "matcher": "200",
				"interval": 10.0, "timeout": 5.0, "healthyThreshold": 2.0, "unhealthyThreshold": 2.0,
			},
			"stickiness": map[string]any{"enabled": true, "type": "source_ip"}, "preserveClientIp": "true",
			"connectionTermination": true, "deregistrationDelay": 1200.0,
		}, group)
		assert.Empty(t, groups[name].Dependencies)
		listener := listeners[name].Inputs
		assert.Equal(t, want.protocol, listener["protocol"])
		assert.Equal(t, want.port, listener["port"])
		assert.Equal(t, want.idle, listener["tcpIdleTimeoutSeconds"])
		assert.Equal(t, []any{map[string]any{"type": "forward", "targetGroupArn": "arn:aws:lb:us-east-1:123456789012:" + name}}, listener["defaultActions"])
		assert.NotContains(t, listener, "certificateArn", "TLS ends at the SBC")
		assert.False(t, used[listener["port"]], "two listeners on one port")
		used[listener["port"]] = true
	}
	assert.InDelta(t, 300, run(t, nil, nil).OfType(groupType)["prod-sip-sip"].Inputs["deregistrationDelay"], 0)
}

func TestLongNamesFit(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewSipEdge(ctx, strings.Repeat("long-", 8)+"sip", args())
		return err
	}))
	assert.Len(t, rec.OfType(groupType), 2)
	for _, kind := range []string{balancerType, groupType} {
		for name := range rec.OfType(kind) {
			assert.LessOrEqual(t, len(name), 24, name)
		}
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	rec := run(t, nil, func(_ *pulumi.Context, e *SipEdge) error {
		assert.Len(t, e.PoolIPs, 2)
		assert.Equal(t, []string{"sip-1.sip.example.com", "sip-2.sip.example.com"}, e.Hosts)
		outputs(func(got []any) {
			assert.Equal(t, []any{componenttest.PublicIP, "prod-sip-pool-1-id", "prod-sip-pool-2-id"}, got)
		}, e.PoolIPs[0], e.PoolAllocationIDs[0], e.PoolAllocationIDs[1])
		return nil
	})
	for n := range 2 {
		address := rec.OfType(eipType)[fmt.Sprintf("prod-sip-pool-%d", n+1)]
		assert.Equal(t, "prod-sbc", address.Inputs["tags"].(map[string]any)["Pool"])
		assert.Equal(t, "prod", address.Inputs["tags"].(map[string]any)["Environment"])
		assert.NotContains(t, address.Inputs, "instance", "SBCs claim them")
		assert.Empty(t, address.Dependencies)
	}
	assert.NotContains(t, rec.OfType(eipType)["prod-sip-us-east-1a"].Inputs["tags"], "Pool", "SBCs must not claim the carriers' addresses")
}

func TestNames(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Phones.TTL = 2 * time.Minute }, nil)
	records := rec.OfType(recordType)
	assert.Len(t, records, 10)
	assert.Equal(t, map[string]any{
		"zoneId": "Z1", "name": "sip-1.sip.example.com", "type": "A", "ttl": 120.0, "records": []any{componenttest.PublicIP},
	}, records["prod-sip-sip-1"].Inputs)
	for name, want := range map[string][3]string{
		"prod-sip-a-2":       {"sip.example.com", "A", componenttest.PublicIP},
		"prod-sip-srv-udp-2": {"_sip._udp.sip.example.com", "SRV", "10 10 5060 sip-2.sip.example.com"},
		"prod-sip-srv-tcp-2": {"_sip._tcp.sip.example.com", "SRV", "10 10 5060 sip-2.sip.example.com"},
		"prod-sip-srv-tls-2": {"_sips._tcp.sip.example.com", "SRV", "10 10 5061 sip-2.sip.example.com"},
	} {
		assert.Equal(t, map[string]any{
			"zoneId": "Z1", "name": want[0], "type": want[1], "records": []any{want[2]}, "ttl": 120.0,
			"multivalueAnswerRoutingPolicy": true, "setIdentifier": "sip-2", "healthCheckId": "prod-sip-sip-2-id",
		}, records[name].Inputs, name)
	}
	checks := rec.OfType(checkType)
	assert.Equal(t, []string{"prod-sip-sip-1", "prod-sip-sip-2"}, slices.Sorted(maps.Keys(checks)))
	check := checks["prod-sip-sip-1"]
	delete(check.Inputs, "tags")
	assert.Equal(t, map[string]any{
		"type": "TCP", "ipAddress": componenttest.PublicIP, "port": 5060.0, "requestInterval": 10.0, "failureThreshold": 3.0,
	}, check.Inputs)
	assert.Equal(t, []string{eipType + " prod-sip-pool-1"}, check.Dependencies)
}

func TestNamesWithoutHealthChecks(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Phones.HealthChecks = false }, nil)
	assert.Empty(t, rec.OfType(checkType))
	records := rec.OfType(recordType)
	assert.Len(t, records, 10)
	for name, r := range records {
		assert.NotContains(t, r.Inputs, "healthCheckId", name)
		assert.InDelta(t, 60, r.Inputs["ttl"], 0, name)
	}
}

func TestGivenAddresses(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) {
		a.Carriers, a.VpcID = nil, nil
		a.Phones.Pool, a.Phones.PoolTag, a.Phones.Addresses = 0, "", []pulumi.StringInput{pulumi.String("198.51.100.7")}
		a.Phones.CheckInterval = 30 * time.Second
	}, func(ctx *pulumi.Context, e *SipEdge) error {
		assert.Empty(t, e.PoolAllocationIDs)
		outputs(func(got []any) { assert.Equal(t, []any{"198.51.100.7", "", []string{}}, got) }, e.PoolIPs[0], e.CarrierDNS, e.TargetGroupARNs)
		assert.ErrorContains(t, e.Attach(ctx, "sbc-1", pulumi.String("i-1"), nil), "attach sbc-1: this SIP edge has no load balancer for carriers")
		return nil
	})
	assert.Empty(t, rec.OfType(eipType))
	assert.Empty(t, rec.OfType(balancerType))
	assert.Equal(t, []any{"198.51.100.7"}, rec.OfType(recordType)["prod-sip-a-1"].Inputs["records"])
	assert.InDelta(t, 30, rec.One(t, checkType).Inputs["requestInterval"], 0)
}

func TestPoolWithoutDomain(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Carriers, a.Phones = nil, &PhoneArgs{Pool: 1, PoolTag: "x"} }, nil)
	assert.Len(t, rec.OfType(eipType), 1)
	assert.Empty(t, rec.OfType(recordType))
}

func TestAttach(t *testing.T) {
	t.Parallel()
	rec := run(t, func(a *Args) { a.Phones = nil }, func(ctx *pulumi.Context, e *SipEdge) error {
		ready := &componenttest.Child{}
		if err := ctx.RegisterResource("test:index:Child", "configured", pulumi.Map{}, ready); err != nil {
			return err
		}
		assert.ErrorContains(t, e.Attach(ctx, "stage-sbc-2", nil, nil), "attach stage-sbc-2: the instance id is missing")
		return e.Attach(ctx, "stage-sbc-1", pulumi.String("i-1"), []pulumi.Resource{ready})
	})
	attached := rec.OfType(attachType)
	require.Len(t, attached, 2)
	for name, group := range map[string]string{"stage-sbc-1-sip": "prod-sip-sip", "stage-sbc-1-sips": "prod-sip-sips"} {
		assert.Equal(t, map[string]any{"targetGroupArn": "arn:aws:lb:us-east-1:123456789012:" + group, "targetId": "i-1"}, attached[name].Inputs)
		assert.Equal(t, []string{groupType + " " + group, "test:index:Child configured"}, attached[name].Dependencies)
	}
}

func TestPreviewKnowsNothing(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{Preview: true}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewSipEdge(ctx, "prod-sip", args())
		return err
	}))
	assert.Len(t, rec.OfType(recordType), 10)
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewSipEdge(ctx, "prod-sip", Args{
			Carriers: &CarrierArgs{StatusPort: 70000, DrainTimeout: 2 * time.Hour, LogsPrefix: "/x"},
			Phones: &PhoneArgs{
				Pool: -1, PoolTag: "sbc!", Addresses: []pulumi.StringInput{nil}, Domain: "Example", CheckInterval: 20 * time.Second, TTL: 48 * time.Hour,
			},
		})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{
		"SIP edge prod-sip: ", "VPC id: it is missing", "carriers: subnet ids: at least one zone", "carriers: security group id: it is missing",
		"carriers: status port: 70000", "carriers: drain timeout: 2h0m0s", `carriers: logs prefix: "/x" is set without`, `carriers: logs prefix: "/x" is not words`,
		"phones: pool: -1, want a number", "phones: pool: -1, with 1 addresses", "phones: addresses[0]: it is missing", `phones: pool tag: "sbc!" has a character`,
		`phones: domain: "Example" is not a full`, `phones: domain: "Example" and the zone id belong together`, "phones: check interval: 20s, Route 53 knows 10s and 30s",
		"phones: TTL: 48h0m0s", "tags: tag CostCenter: the value is empty",
	} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, args().Validate())
	for name, c := range map[string]struct {
		change func(*Args)
		want   string
	}{
		"neither":               {func(a *Args) { a.Carriers, a.Phones = nil, nil }, "carriers and phones: both are missing"},
		"subnet missing":        {func(a *Args) { a.Carriers.SubnetIDs["us-east-1c"] = nil }, `that of the zone "us-east-1c" is missing`},
		"zone without a name":   {func(a *Args) { a.Carriers.SubnetIDs[""] = pulumi.String("s") }, "a zone has no name"},
		"no pool, no addresses": {func(a *Args) { a.Phones.Pool, a.Phones.PoolTag = 0, "" }, "pool: 0, with 0 addresses that exist; give a pool or addresses"},
		"tag without a pool": {func(a *Args) {
			a.Phones.Pool, a.Phones.Addresses = 0, []pulumi.StringInput{pulumi.String("198.51.100.7")}
		}, `pool tag: "prod-sbc" is set without a pool`},
		"checks without names":  {func(a *Args) { a.Phones.Domain, a.Phones.ZoneID = "", nil }, "health checks: they decide what DNS answers"},
		"zone without a domain": {func(a *Args) { a.Phones.Domain, a.Phones.HealthChecks = "", false }, `domain: "" and the zone id belong together`},
		"domain too long":       {func(a *Args) { a.Phones.Domain = strings.Repeat("a.", 121) + "com" }, "is not a full domain name"},
		"parts of a second":     {func(a *Args) { a.Phones.TTL = 1500 * time.Millisecond }, "TTL: 1.5s, want whole seconds"},
		"AWSLogs":               {func(a *Args) { a.Carriers.LogsBucket, a.Carriers.LogsPrefix = pulumi.String("b"), "AWSLogs" }, "without AWSLogs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := args()
			c.change(&a)
			assert.ErrorContains(t, a.Validate(), c.want)
		})
	}
}
