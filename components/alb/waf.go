package alb

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/lbname"
)

// The SDK's package wafv2 is 12 MB of generated types for a rule language that may nest without end; building it would cost
// every build minutes. Two resources need none of it. A test compares every name below with the SDK's source.
const (
	aclType         = "aws:wafv2/webAcl:WebAcl"
	associationType = "aws:wafv2/webAclAssociation:WebAclAssociation"

	// sdkVersion is the version that the SDK's own resources ask the engine for. With another, or none, the engine would start
	// a second provider of its own choice.
	sdkVersion = "6.83.2"
)

type webACL struct {
	pulumi.CustomResourceState

	ARN pulumi.StringOutput `pulumi:"arn"`
}

type webACLAssociation struct{ pulumi.CustomResourceState }

// loginPath is where passwords are tried: wazo-auth's tokens, and the form of wazo-ui.
// Source: wazo-auth: plugins/http/tokens/api.yml; wazo-ansible: roles/validate-uc-ui.
const loginPath = `^/(api/auth/[0-9.]+/token|login)/?$`

// harmless are the rules of the common rule set that are counted instead of enforced, because the platform's own traffic
// breaks them. Source: AWS WAF Developer Guide, Core rule set.
var harmless = []string{
	"SizeRestrictions_BODY",        // more than 8 KiB: sound files, voicemail greetings, imports of users
	"GenericRFI_BODY",              // a URL with an address: webhooks, the provisioning URL of phones
	"NoUserAgent_HEADER",           // softphones that open a WebSocket, and phones that fetch their configuration
	"RestrictedExtensions_URIPATH", // .ini: what some makes of phones call their configuration
}

// firewall registers the web ACL and puts it in front of the load balancer. Of a WebSocket it sees the handshake alone.
func (b *builder) firewall() error {
	rules := pulumi.Array{
		rule(0, "login-rate", "action", refuse(429), pulumi.Map{"rateBasedStatement": pulumi.Map{
			"aggregateKeyType": pulumi.String("IP"), "limit": pulumi.Int(b.args.LoginLimit), "evaluationWindowSec": pulumi.Int(300),
			"scopeDownStatement": pulumi.Map{"andStatement": pulumi.Map{"statements": pulumi.Array{
				pulumi.Map{"byteMatchStatement": pulumi.Map{
					"fieldToMatch": field("method"), "positionalConstraint": pulumi.String("EXACTLY"), "searchString": pulumi.String("POST"),
					"textTransformations": transform("NONE"),
				}},
				pulumi.Map{"regexMatchStatement": pulumi.Map{
					"fieldToMatch": field("uriPath"), "regexString": pulumi.String(loginPath),
					// nginx decodes and tidies a path before it looks at it, so this does too.
					"textTransformations": transform("URL_DECODE", "NORMALIZE_PATH"),
				}},
			}}},
		}}),
		managed(1, "ip-reputation", "AWSManagedRulesAmazonIpReputationList"),
		managed(2, "known-bad-inputs", "AWSManagedRulesKnownBadInputsRuleSet"),
		managed(3, "common", "AWSManagedRulesCommonRuleSet", harmless...),
	}
	// WAF refuses dots in names, as load balancers do.
	name, acl := lbname.Fit(b.name), &webACL{}
	err := b.ctx.RegisterResource(aclType, name, pulumi.Map{
		"description": pulumi.String("In front of " + b.name), "scope": pulumi.String("REGIONAL"), "defaultAction": choose("allow"), "rules": rules,
		"visibilityConfig": visibility(name), "tags": b.tags(b.name),
	}, acl, b.parent, pulumi.Version(sdkVersion))
	if err != nil {
		return err
	}
	return b.ctx.RegisterResource(associationType, name, pulumi.Map{"resourceArn": b.self.ARN, "webAclArn": acl.ARN},
		&webACLAssociation{}, b.parent, pulumi.Version(sdkVersion))
}

func rule(priority int, name, key string, action, statement pulumi.Map) pulumi.Map {
	return pulumi.Map{
		"name": pulumi.String(name), "priority": pulumi.Int(priority), key: action, "statement": statement, "visibilityConfig": visibility(name),
	}
}

// managed is a rule group that AWS keeps up to date, with some of its rules counted alone.
func managed(priority int, name, group string, counted ...string) pulumi.Map {
	statement := pulumi.Map{"vendorName": pulumi.String("AWS"), "name": pulumi.String(group)}
	if len(counted) > 0 {
		var overrides pulumi.Array
		for _, rule := range counted {
			overrides = append(overrides, pulumi.Map{"name": pulumi.String(rule), "actionToUse": choose("count")})
		}
		statement["ruleActionOverrides"] = overrides
	}
	return rule(priority, name, "overrideAction", choose("none"), pulumi.Map{"managedRuleGroupStatement": statement})
}

// visibility counts matches in CloudWatch. It keeps no samples of requests: a sample shows the headers, and a login to
// wazo-auth carries the password in one. Source: wazo-auth: plugins/http/tokens/api.yml, HTTP Basic.
func visibility(metric string) pulumi.Map {
	return pulumi.Map{
		"cloudwatchMetricsEnabled": pulumi.Bool(true), "sampledRequestsEnabled": pulumi.Bool(false), "metricName": pulumi.String(metric),
	}
}

func refuse(status int) pulumi.Map {
	return pulumi.Map{"block": pulumi.Map{"customResponse": pulumi.Map{"responseCode": pulumi.Int(status)}}}
}

// choose is one of several settings that have no settings of their own.
func choose(key string) pulumi.Map { return pulumi.Map{key: pulumi.Map{}} }

func field(key string) pulumi.Map { return choose(key) }

func transform(kinds ...string) pulumi.Array {
	var all pulumi.Array
	for i, kind := range kinds {
		all = append(all, pulumi.Map{"priority": pulumi.Int(i), "type": pulumi.String(kind)})
	}
	return all
}
