package sipedge

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/lbname"
	"github.com/calldata/calldata-foundation/components/ports"
)

// StatusPath is what the load balancer asks of each SBC over HTTP. It has to answer 200 as long as the SBC may have calls,
// also while it drains: an SBC that leaves does so by leaving its target groups, because the flows of one that fails the
// check move away at once. Source: wazo-c4-sbc: kamailio/xhttp.cfg.
const StatusPath = "/status"

const (
	// Two failures ten seconds apart: a dead SBC gets no calls after 20 s.
	checkInterval, checkTimeout        = 10 * time.Second, 5 * time.Second
	healthyThreshold, failureThreshold = 2, 2

	// tcpIdle is how long a TLS connection may be silent. A call over it says nothing until its session timer is refreshed
	// (RFC 4028, 4.2: 1800 s unless agreed otherwise), and a BYE on a connection that the load balancer forgot is lost.
	tcpIdle = 1800 * time.Second
)

// carriers registers the load balancer and what it listens on.
func (b *builder) carriers(args CarrierArgs) error {
	balancer, err := b.balancer(args)
	if err != nil {
		return err
	}
	b.self.CarrierDNS, b.self.CarrierARNSuffix = balancer.DnsName, balancer.ArnSuffix
	// One port for both protocols takes one listener: AWS has no second one on the same port.
	// Source: User Guide for Network Load Balancers, Listeners.
	if err := b.listener(args, balancer, "-sip", "TCP_UDP", port(ports.SIP), 0); err != nil {
		return err
	}
	// TLS passes through as TCP: see docs/decisions/0006.
	return b.listener(args, balancer, "-sips", "TCP", port(ports.SIPS), tcpIdle)
}

// port is where the load balancer and the SBCs listen.
func port(name string) int {
	p, _ := ports.Find(ports.NLB(), name)
	return p.From
}

func (b *builder) balancer(args CarrierArgs) (*lb.LoadBalancer, error) {
	var mappings lb.LoadBalancerSubnetMappingArray
	for _, zone := range slices.Sorted(maps.Keys(args.SubnetIDs)) {
		address, err := b.address(b.name+"-"+zone, nil)
		if err != nil {
			return nil, err
		}
		b.self.CarrierIPs = append(b.self.CarrierIPs, address.PublicIp)
		mappings = append(mappings, lb.LoadBalancerSubnetMappingArgs{SubnetId: args.SubnetIDs[zone], AllocationId: address.AllocationId})
	}
	balancer := &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("network"),
		Internal:         pulumi.Bool(false),
		SubnetMappings:   mappings,
		SecurityGroups:   pulumi.StringArray{args.SecurityGroupID},
		// A carrier keeps sending to the address that it was given, also when the SBC of that zone is gone. Signalling is little
		// enough for the traffic between zones to cost next to nothing.
		EnableCrossZoneLoadBalancing: pulumi.Bool(true),
		EnableDeletionProtection:     pulumi.Bool(b.args.Protect),
		Tags:                         b.tags(b.name),
	}
	if args.LogsBucket != nil {
		logs := lb.LoadBalancerAccessLogsArgs{Bucket: args.LogsBucket, Enabled: pulumi.Bool(true)}
		if args.LogsPrefix != "" {
			logs.Prefix = pulumi.String(args.LogsPrefix)
		}
		balancer.AccessLogs = logs
	}
	return lb.NewLoadBalancer(b.ctx, lbname.Fit(b.name), balancer, b.parent)
}

// listener registers a listener and the target group that it sends to. With an idle time of 0, AWS's own holds: 350 s for
// TCP, and 120 s for UDP, which nobody can change and keep-alives must stay below.
// Source: User Guide for Network Load Balancers, Connection idle timeout.
func (b *builder) listener(args CarrierArgs, balancer *lb.LoadBalancer, suffix, protocol string, number int, idle time.Duration) error {
	name := b.name + suffix
	targets, err := lb.NewTargetGroup(b.ctx, lbname.Fit(name), &lb.TargetGroupArgs{
		VpcId: b.args.VpcID, TargetType: pulumi.String("instance"), Port: pulumi.Int(number), Protocol: pulumi.String(protocol),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Enabled: pulumi.Bool(true), Protocol: pulumi.String("HTTP"), Port: pulumi.String(strconv.Itoa(args.StatusPort)),
			Path: pulumi.String(StatusPath), Matcher: pulumi.String("200"), Interval: seconds(checkInterval), Timeout: seconds(checkTimeout),
			HealthyThreshold: pulumi.Int(healthyThreshold), UnhealthyThreshold: pulumi.Int(failureThreshold),
		},
		// The requests of a dialog belong to one SBC, and a carrier may send them from several ports. It holds as long as the
		// same SBCs are healthy, and gives all calls of one address to one SBC: a big carrier has to send from several.
		Stickiness: lb.TargetGroupStickinessArgs{Enabled: pulumi.Bool(true), Type: pulumi.String("source_ip")},
		// An SBC tells carriers by their address.
		PreserveClientIp:      pulumi.String("true"),
		ConnectionTermination: pulumi.Bool(true),
		DeregistrationDelay:   seconds(args.DrainTimeout),
		Tags:                  b.tags(name),
	}, b.parent)
	if err != nil {
		return err
	}
	if len(b.self.groups) == 0 {
		b.self.TargetGroupARNSuffix = targets.ArnSuffix
	}
	b.self.groups = append(b.self.groups, group{suffix: suffix, arn: targets.Arn})
	listener := &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn, Port: pulumi.Int(number), Protocol: pulumi.String(protocol),
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{Type: pulumi.String("forward"), TargetGroupArn: targets.Arn}},
		Tags:           b.tags(name),
	}
	if idle > 0 {
		// The provider sets it for TCP alone and passes over it for TCP_UDP.
		// Source: github.com/hashicorp/terraform-provider-aws, issue 50100.
		listener.TcpIdleTimeoutSeconds = seconds(idle)
	}
	_, err = lb.NewListener(b.ctx, name, listener, b.parent)
	return err
}
