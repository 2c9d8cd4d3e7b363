package sipedge

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/ports"
)

// checkFailures is how many checks in a row must fail, or succeed, to change a mind.
const checkFailures = 3

// services are the SRV records: RFC 3263, 4.1 and 4.2.
var services = []struct{ name, suffix, port string }{
	{"_sip._udp", "srv-udp", ports.SIP},
	{"_sip._tcp", "srv-tcp", ports.SIPTCP},
	{"_sips._tcp", "srv-tls", ports.SIPS},
}

// phones registers the pool and the names.
func (b *builder) phones(args PhoneArgs) error {
	for i := range args.Pool {
		address, err := b.address(fmt.Sprintf("%s-pool-%d", b.name, i+1), map[string]string{noderole.PoolKey: args.PoolTag})
		if err != nil {
			return err
		}
		b.self.PoolIPs = append(b.self.PoolIPs, address.PublicIp)
		b.self.PoolAllocationIDs = append(b.self.PoolAllocationIDs, address.AllocationId)
	}
	for _, address := range args.Addresses {
		b.self.PoolIPs = append(b.self.PoolIPs, address.ToStringOutput())
	}
	if args.Domain == "" {
		return nil
	}
	for i, address := range b.self.PoolIPs {
		if err := b.host(args, i+1, address); err != nil {
			return err
		}
	}
	return nil
}

// host registers the names of the n-th address: one of its own, and its part in those of the domain. The latter are
// multivalue answers, so that each comes and goes with its own health: Route 53 answers with up to eight healthy ones, and
// with unhealthy ones when no other is left. Source: Amazon Route 53 Developer Guide, Multivalue answer routing.
func (b *builder) host(args PhoneArgs, n int, address pulumi.StringOutput) error {
	label := fmt.Sprintf("sip-%d", n)
	host := label + "." + args.Domain
	b.self.Hosts = append(b.self.Hosts, host)
	_, err := route53.NewRecord(b.ctx, b.name+"-"+label, &route53.RecordArgs{
		ZoneId: args.ZoneID, Name: pulumi.String(host), Type: pulumi.String("A"), Ttl: seconds(args.TTL), Records: pulumi.StringArray{address},
	}, b.parent)
	if err != nil {
		return err
	}
	var health pulumi.StringPtrInput
	if args.HealthChecks {
		check, err := b.healthCheck(args, label, address)
		if err != nil {
			return err
		}
		health = check.ID()
	}
	shared := func(suffix, name, kind string, value pulumi.StringInput) error {
		_, err := route53.NewRecord(b.ctx, fmt.Sprintf("%s-%s-%d", b.name, suffix, n), &route53.RecordArgs{
			ZoneId: args.ZoneID, Name: pulumi.String(name), Type: pulumi.String(kind), Ttl: seconds(args.TTL), Records: pulumi.StringArray{value},
			MultivalueAnswerRoutingPolicy: pulumi.Bool(true), SetIdentifier: pulumi.String(label), HealthCheckId: health,
		}, b.parent)
		return err
	}
	if err := shared("a", args.Domain, "A", address); err != nil {
		return err
	}
	for _, s := range services {
		// Equal priority and weight: SBCs are equal.
		value := fmt.Sprintf("10 10 %d %s", port(s.port), host)
		if err := shared(s.suffix, s.name+"."+args.Domain, "SRV", pulumi.String(value)); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) healthCheck(args PhoneArgs, label string, address pulumi.StringOutput) (*route53.HealthCheck, error) {
	name := b.name + "-" + label
	return route53.NewHealthCheck(b.ctx, name, &route53.HealthCheckArgs{
		Type: pulumi.String("TCP"), IpAddress: address, Port: pulumi.Int(port(ports.SIPTCP)),
		RequestInterval: seconds(args.CheckInterval), FailureThreshold: pulumi.Int(checkFailures), Tags: b.tags(name),
	}, b.parent)
}
