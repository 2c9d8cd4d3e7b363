package alb

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/lbname"
)

// Alb is an Application Load Balancer for the engines.
type Alb struct {
	pulumi.ResourceState

	// ARN is the load balancer's, ARNSuffix the part of it that CloudWatch knows it by.
	ARN       pulumi.StringOutput
	ARNSuffix pulumi.StringOutput
	// DNSName is AWS's name for it, and ZoneID the hosted zone of that name, for aliases.
	DNSName pulumi.StringOutput
	ZoneID  pulumi.StringOutput
	// CertificateARN is the certificate that it shows. It resolves once the certificate is valid.
	CertificateARN pulumi.StringOutput
	// URL is where users go.
	URL pulumi.StringOutput
	// TargetGroups are where the engines of each colour are attached.
	TargetGroups map[Colour]TargetGroup
}

// TargetGroup is the engines of one colour.
type TargetGroup struct {
	// ARN is its ARN, ARNSuffix the part of it that CloudWatch knows it by.
	ARN       pulumi.StringOutput
	ARNSuffix pulumi.StringOutput
}

// sslPolicy allows TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers alone, which RFC 9325, 4.2, asks for.
// Source: User Guide for Application Load Balancers, Security policies.
const sslPolicy = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"

// builder registers the children of one Alb.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption
	self   *Alb
}

// NewAlb registers a load balancer. It fails before the first resource if args are not valid.
func NewAlb(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Alb, error) {
	if err := args.Validate(); err != nil {
		return nil, fmt.Errorf("alb %s: %w", name, err)
	}
	self := &Alb{TargetGroups: map[Colour]TargetGroup{}}
	if err := ctx.RegisterComponentResource("calldata:alb:Alb", name, self, opts...); err != nil {
		return nil, fmt.Errorf("alb %s: %w", name, err)
	}
	b := builder{ctx: ctx, name: name, args: args.withDefaults(), parent: pulumi.Parent(self), self: self}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("alb %s: %w", name, err)
	}
	groups := pulumi.StringMap{}
	for colour, group := range self.TargetGroups {
		groups[string(colour)] = group.ARN
	}
	return self, ctx.RegisterResourceOutputs(self, pulumi.Map{
		"arn": self.ARN, "dnsName": self.DNSName, "zoneId": self.ZoneID, "certificateArn": self.CertificateARN, "url": self.URL, "targetGroupArns": groups,
	})
}

func (b *builder) build() error {
	balancer, err := b.balancer()
	if err != nil {
		return err
	}
	b.self.ARN, b.self.ARNSuffix, b.self.DNSName, b.self.ZoneID = balancer.Arn, balancer.ArnSuffix, balancer.DnsName, balancer.ZoneId
	if b.self.CertificateARN, err = b.certificate(); err != nil {
		return err
	}
	for _, colour := range Colours() {
		if err := b.targetGroup(colour); err != nil {
			return err
		}
	}
	if err := b.listeners(); err != nil {
		return err
	}
	if err := b.names(); err != nil {
		return err
	}
	if b.args.WAF {
		return b.firewall()
	}
	return nil
}

func (b *builder) balancer() (*lb.LoadBalancer, error) {
	args := &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"),
		Internal:         pulumi.Bool(false),
		IpAddressType:    pulumi.String("ipv4"),
		Subnets:          b.args.SubnetIDs,
		SecurityGroups:   pulumi.StringArray{b.args.SecurityGroupID},
		IdleTimeout:      seconds(b.args.IdleTimeout),
		// Requests that two servers could read in two ways are how one client's request ends up in another's answer.
		DropInvalidHeaderFields:  pulumi.Bool(true),
		DesyncMitigationMode:     pulumi.String("defensive"),
		EnableDeletionProtection: pulumi.Bool(b.args.Protect),
		Tags:                     b.tags(b.name),
	}
	if b.args.DualStack {
		args.IpAddressType = pulumi.String("dualstack")
	}
	if b.args.LogsBucket != nil {
		logs := lb.LoadBalancerAccessLogsArgs{Bucket: b.args.LogsBucket, Enabled: pulumi.Bool(true)}
		if b.args.LogsPrefix != "" {
			logs.Prefix = pulumi.String(b.args.LogsPrefix)
		}
		args.AccessLogs = logs
	}
	return lb.NewLoadBalancer(b.ctx, lbname.Fit(b.name), args, b.parent)
}

// listeners registers where clients come in: HTTPS, and HTTP to be sent there.
func (b *builder) listeners() error {
	_, err := lb.NewListener(b.ctx, b.name+"-http", &lb.ListenerArgs{
		LoadBalancerArn: b.self.ARN, Port: pulumi.Int(80), Protocol: pulumi.String("HTTP"),
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
			Type: pulumi.String("redirect"),
			Redirect: lb.ListenerDefaultActionRedirectArgs{
				Port: pulumi.String("443"), Protocol: pulumi.String("HTTPS"), StatusCode: pulumi.String("HTTP_301"),
			},
		}},
		Tags: b.tags(b.name + "-http"),
	}, b.parent)
	if err != nil {
		return err
	}
	var groups lb.ListenerDefaultActionForwardTargetGroupArray
	for _, colour := range Colours() {
		groups = append(groups, lb.ListenerDefaultActionForwardTargetGroupArgs{
			Arn: b.self.TargetGroups[colour].ARN, Weight: pulumi.Int(b.args.Weights.of(colour)),
		})
	}
	_, err = lb.NewListener(b.ctx, b.name+"-https", &lb.ListenerArgs{
		LoadBalancerArn: b.self.ARN, Port: pulumi.Int(443), Protocol: pulumi.String("HTTPS"),
		SslPolicy: pulumi.String(sslPolicy), CertificateArn: b.self.CertificateARN,
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
			Type: pulumi.String("forward"),
			Forward: lb.ListenerDefaultActionForwardArgs{
				TargetGroups: groups,
				Stickiness:   lb.ListenerDefaultActionForwardStickinessArgs{Enabled: pulumi.Bool(true), Duration: seconds(tokenLifetime)},
			},
		}},
		Tags: b.tags(b.name + "-https"),
	}, b.parent)
	return err
}

func (b *builder) tags(name string) pulumi.StringMap {
	return pulumi.ToStringMap(b.args.Tags.Named(name))
}
