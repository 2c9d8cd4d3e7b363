package vpc

import (
	"net/netip"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Protocols as EC2 tells them. By name, a refresh would find them changed.
// Source: IANA, Assigned Internet Protocol Numbers; -1 is EC2's word for all.
const (
	protocolAll  = -1
	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17
)

// Ports that a network ACL speaks of.
const (
	portSSH   = 22
	portHTTP  = 80
	portNTP   = 123
	portHTTPS = 443
	portRDP   = 3389
	// firstFree is the first port that needs no privilege. NAT gateways and load balancers ask from any such port, and
	// SIP, RTP and STUN listen on such ports.
	// Source: Amazon VPC User Guide, "Ephemeral ports".
	firstFree = 1024
	lastPort  = 65535
)

// maxACLRules is how many rules a network ACL has in each direction, the last of which, that denies, is AWS's own.
// Source: Amazon VPC User Guide, "Amazon VPC quotas": 20, with the default deny rule.
const maxACLRules = 20

// firstAdminRule is the number of the first admin range's rule. The others' numbers begin after the last one's.
const (
	firstAdminRule = 100
	firstRule      = 200
	ruleStep       = 10
)

var anywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// aclRule lets packets through. There are no denying ones: what no rule lets through is denied.
type aclRule struct {
	number   int
	protocol int
	from, to int // ports, for TCP and UDP
	peer     netip.Prefix
}

// acl are the rules of a tier. They are stateless: an answer needs its rule as a question does.
type acl struct{ ingress, egress []aclRule }

// aclOf is the network ACL of a tier. It is the coarse sieve behind the security groups, which say what a machine lets in:
// no way in from the internet but the ports of telephony and the web, no administration but from where the admins are,
// and no internet at all for the intra tier.
func aclOf(tier Tier, network netip.Prefix, admins []netip.Prefix) acl {
	inside := aclRule{protocol: protocolAll, peer: network}
	switch tier {
	case Public:
		var ssh []aclRule
		for i, p := range admins {
			ssh = append(ssh, aclRule{number: firstAdminRule + i, protocol: protocolTCP, from: portSSH, to: portSSH, peer: p})
		}
		return acl{ingress: append(ssh, numbered(publicIngress(inside))...), egress: numbered([]aclRule{{protocol: protocolAll, peer: anywhere}})}
	case Private:
		return acl{ingress: numbered(privateIngress(inside)), egress: numbered([]aclRule{{protocol: protocolAll, peer: anywhere}})}
	default:
		return acl{ingress: numbered([]aclRule{inside}), egress: numbered([]aclRule{inside})}
	}
}

func publicIngress(inside aclRule) []aclRule {
	return append(privateIngress(inside),
		aclRule{protocol: protocolTCP, from: portHTTP, to: portHTTP, peer: anywhere},
		aclRule{protocol: protocolTCP, from: portHTTPS, to: portHTTPS, peer: anywhere})
}

// privateIngress is what comes from the internet to machines that have no address there: the answers to what they asked
// through NAT, and what a network load balancer hands on under its sender's address.
//
// Port 3389 is left out although it is in the middle of the answers', so that no rule lets the internet reach RDP. A NAT
// gateway that happens to ask from there asks again: once in 64,512 times.
// Source: CIS AWS Foundations Benchmark, "Ensure no Network ACLs allow ingress from 0.0.0.0/0 to remote server
// administration ports", which looks at TCP and UDP rules one by one.
func privateIngress(inside aclRule) []aclRule {
	rules := []aclRule{inside}
	for _, protocol := range []int{protocolTCP, protocolUDP} {
		rules = append(rules,
			aclRule{protocol: protocol, from: firstFree, to: portRDP - 1, peer: anywhere},
			aclRule{protocol: protocol, from: portRDP + 1, to: lastPort, peer: anywhere})
	}
	return append(rules,
		// Time servers answer ntpd at the port that it asks from, its own.
		aclRule{protocol: protocolUDP, from: portNTP, to: portNTP, peer: anywhere},
		// Without ICMP's errors, packets that are too big vanish silently (RFC 1191).
		aclRule{protocol: protocolICMP, peer: anywhere})
}

func numbered(rules []aclRule) []aclRule {
	for i := range rules {
		rules[i].number = firstRule + ruleStep*i
	}
	return rules
}

// maxAdminCIDRs is how many admin ranges a public subnet's ACL has room for.
func maxAdminCIDRs() int { return maxACLRules - 1 - len(publicIngress(aclRule{})) }

// acls registers a network ACL for each tier, and then closes the default one, which nothing is left in. They are
// answered by tier.
func (b *builder) acls(network *ec2.Vpc, subnets map[string]*ec2.Subnet) (map[Tier]*ec2.NetworkAcl, error) {
	made := map[Tier]*ec2.NetworkAcl{}
	var all []pulumi.Resource
	for _, tier := range Tiers() {
		var ids pulumi.StringArray
		for _, s := range b.args.of(tier) {
			ids = append(ids, subnets[s.Name].ID())
		}
		if len(ids) == 0 {
			continue
		}
		rules, name := aclOf(tier, b.args.CIDR, b.args.AdminCIDRs), b.name+"-"+string(tier)
		in, out := ec2.NetworkAclIngressArray{}, ec2.NetworkAclEgressArray{}
		for _, r := range rules.ingress {
			in = append(in, ec2.NetworkAclIngressArgs(r.args()))
		}
		for _, r := range rules.egress {
			out = append(out, r.args())
		}
		acl, err := ec2.NewNetworkAcl(b.ctx, name, &ec2.NetworkAclArgs{VpcId: network.ID(), SubnetIds: ids, Ingress: in, Egress: out, Tags: b.tags(name)}, b.parent)
		if err != nil {
			return nil, err
		}
		made[tier] = acl
		all = append(all, acl)
	}
	// Without rules in the code, the provider takes away those that AWS puts there. It comes last because it writes down
	// which subnets it finds in it: earlier, these would be the ones on their way to their tier's.
	_, err := ec2.NewDefaultNetworkAcl(b.ctx, b.name+"-default", &ec2.DefaultNetworkAclArgs{
		DefaultNetworkAclId: network.DefaultNetworkAclId, Tags: b.tags(b.name + "-default-closed"),
	}, b.parent, pulumi.DependsOn(all))
	return made, err
}

func (r aclRule) args() ec2.NetworkAclEgressArgs {
	icmp := 0
	if r.protocol == protocolICMP {
		icmp = -1 // every type and code
	}
	return ec2.NetworkAclEgressArgs{
		RuleNo: pulumi.Int(r.number), Action: pulumi.String("allow"), Protocol: pulumi.String(strconv.Itoa(r.protocol)), CidrBlock: pulumi.String(r.peer.String()),
		FromPort: pulumi.Int(r.from), ToPort: pulumi.Int(r.to),
		// Also where it says nothing: a refresh compares rules in another order, and loses what not all of them have.
		IcmpType: pulumi.Int(icmp), IcmpCode: pulumi.Int(icmp),
	}
}
