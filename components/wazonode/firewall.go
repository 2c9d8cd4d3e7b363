package wazonode

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// firewall registers the machine's security group, and answers it with its rules. Every rule is a resource of its own, so that a preview names the rule
// that changes, and the others are never taken away and put back.
func (b *builder) firewall() (*ec2.SecurityGroup, []pulumi.Resource, error) {
	group, err := ec2.NewSecurityGroup(b.ctx, b.name, &ec2.SecurityGroupArgs{
		VpcId: b.args.VpcID, Description: pulumi.String("Wazo node " + b.name), Tags: b.tags(b.name),
	}, b.parent)
	if err != nil {
		return nil, nil, err
	}
	var rules []pulumi.Resource
	for _, r := range b.args.Ingress {
		name := b.name + "-" + r.Name()
		rule, err := vpc.NewSecurityGroupIngressRule(b.ctx, name, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: group.ID(), IpProtocol: pulumi.String(string(r.Port.Protocol)), FromPort: pulumi.Int(r.Port.From), ToPort: pulumi.Int(r.Port.To),
			CidrIpv4: pulumi.String(r.Source.String()), Description: pulumi.String(r.Port.Description), Tags: b.tags(name),
		}, b.parent)
		if err != nil {
			return nil, nil, err
		}
		rules = append(rules, rule)
	}
	// Packages, time, carriers and phones are anywhere.
	name := b.name + "-to-anywhere"
	rule, err := vpc.NewSecurityGroupEgressRule(b.ctx, name, &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: group.ID(), IpProtocol: pulumi.String("-1"), CidrIpv4: pulumi.String("0.0.0.0/0"),
		Description: pulumi.String("All traffic to anywhere"), Tags: b.tags(name),
	}, b.parent)
	return group, append(rules, rule), err
}
