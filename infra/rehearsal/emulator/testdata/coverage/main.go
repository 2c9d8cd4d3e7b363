// Command coverage is a Pulumi program with resources that only the emulator's extension makes work, and that no other
// test of this repository deploys. TestProgram takes it up and down. Its resources are registered by their tokens, so
// that it compiles in seconds, without the SDK's packages.
package main

import (
	"encoding/base64"
	"encoding/json"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// resource is any resource of the AWS provider.
type resource struct {
	pulumi.CustomResourceState

	ARN                 pulumi.StringOutput `pulumi:"arn"`
	Name                pulumi.StringOutput `pulumi:"name"`
	DefaultNetworkACLID pulumi.StringOutput `pulumi:"defaultNetworkAclId"`
}

type program struct {
	*pulumi.Context
}

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		p := program{ctx}
		vpc, subnets := p.network()
		p.volume(subnets[0])
		p.balancer(vpc, subnets)
		p.fleet(subnets)
		p.account()
		p.vault()
		p.channel()
		return nil
	})
}

// add registers a resource. A mistake ends the program, as in every generated SDK with a must.
func (p program) add(token, name string, properties pulumi.Map, options ...pulumi.ResourceOption) *resource {
	r := &resource{}
	if err := p.RegisterResource("aws:"+token, name, properties, r, append(options, pulumi.Version("6.83.2"))...); err != nil {
		panic(err)
	}
	return r
}

// setting is one of the test's own.
func (p program) setting(name string) string {
	value, _ := p.GetConfig("coverage:" + name)
	return value
}

func document(v any) pulumi.String {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return pulumi.String(text)
}

func (p program) network() (*resource, []*resource) {
	vpc := p.add("ec2/vpc:Vpc", "vpc", pulumi.Map{"cidrBlock": pulumi.String("10.30.0.0/16"), "enableDnsHostnames": pulumi.Bool(true)})
	// Subnets have the default list until they get another one.
	p.add("ec2/defaultNetworkAcl:DefaultNetworkAcl", "closed", pulumi.Map{
		"defaultNetworkAclId": vpc.DefaultNetworkACLID, "tags": pulumi.Map{"Name": pulumi.String("closed")},
	}, pulumi.IgnoreChanges([]string{"subnetIds"}))
	var subnets []*resource
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		subnets = append(subnets, p.add("ec2/subnet:Subnet", "subnet-"+zone, pulumi.Map{
			"vpcId": vpc.ID(), "cidrBlock": pulumi.Sprintf("10.30.%d.0/20", 16*i), "availabilityZone": pulumi.String(zone),
		}))
	}
	rule := func(number int, action, protocol, network string, from, to int) pulumi.Map {
		return pulumi.Map{"ruleNo": pulumi.Int(number), "action": pulumi.String(action), "protocol": pulumi.String(protocol), "cidrBlock": pulumi.String(network),
			"fromPort": pulumi.Int(from), "toPort": pulumi.Int(to)}
	}
	// Rules inside the list, as well as rules of their own.
	p.add("ec2/networkAcl:NetworkAcl", "tier", pulumi.Map{
		"vpcId": vpc.ID(), "subnetIds": pulumi.Array{subnets[0].ID()},
		"ingress": pulumi.Array{rule(100, "allow", "tcp", "203.0.113.0/24", 22, 22), rule(200, "deny", "tcp", "0.0.0.0/0", 22, 22), rule(300, "allow", "-1", "0.0.0.0/0", 0, 0)},
		"egress":  pulumi.Array{rule(100, "allow", "-1", "0.0.0.0/0", 0, 0)},
		"tags":    pulumi.Map{"Name": pulumi.String("tier")},
	})
	acl := p.add("ec2/networkAcl:NetworkAcl", "apart", pulumi.Map{"vpcId": vpc.ID(), "tags": pulumi.Map{"Name": pulumi.String("apart")}})
	for name, egress := range map[string]bool{"in": false, "out": true} {
		p.add("ec2/networkAclRule:NetworkAclRule", name, pulumi.Map{
			"networkAclId": acl.ID(), "ruleNumber": pulumi.Int(100), "egress": pulumi.Bool(egress), "protocol": pulumi.String("udp"), "ruleAction": pulumi.String("allow"),
			"cidrBlock": pulumi.String("10.30.0.0/16"), "fromPort": pulumi.Int(1024), "toPort": pulumi.Int(65535),
		})
	}
	p.add("ec2/networkAclAssociation:NetworkAclAssociation", "apart", pulumi.Map{"networkAclId": acl.ID(), "subnetId": subnets[1].ID()})
	return vpc, subnets
}

// volume is a disk that outlives its machine.
func (p program) volume(subnet *resource) {
	volume := p.add("ebs/volume:Volume", "data", pulumi.Map{
		"availabilityZone": pulumi.String("us-east-1a"), "size": pulumi.Int(10), "type": pulumi.String("gp3"), "encrypted": pulumi.Bool(true),
		"finalSnapshot": pulumi.Bool(true), "tags": pulumi.Map{"Backup": pulumi.String("dev")},
	})
	machine := p.add("ec2/instance:Instance", "node", pulumi.Map{
		"ami": pulumi.String(p.setting("image")), "instanceType": pulumi.String("t3.small"), "subnetId": subnet.ID(), "monitoring": pulumi.Bool(true),
		"metadataOptions":         pulumi.Map{"httpTokens": pulumi.String("required"), "instanceMetadataTags": pulumi.String("enabled")},
		"maintenanceOptions":      pulumi.Map{"autoRecovery": pulumi.String("default")},
		"userDataReplaceOnChange": pulumi.Bool(true), "userData": pulumi.Sprintf("#!/bin/sh\necho %s %s\n", volume.ID(), p.setting("bundle")),
	})
	p.add("ec2/volumeAttachment:VolumeAttachment", "data", pulumi.Map{
		"instanceId": machine.ID(), "volumeId": volume.ID(), "deviceName": pulumi.String("/dev/sdf"), "stopInstanceBeforeDetaching": pulumi.Bool(true),
	}, pulumi.DeleteBeforeReplace(true))
}

// balancer is a load balancer behind a web ACL.
func (p program) balancer(vpc *resource, subnets []*resource) {
	gateway := p.add("ec2/internetGateway:InternetGateway", "gateway", pulumi.Map{"vpcId": vpc.ID()})
	balancer := p.add("lb/loadBalancer:LoadBalancer", "web", pulumi.Map{
		"loadBalancerType": pulumi.String("application"), "subnets": pulumi.Array{subnets[0].ID(), subnets[1].ID()},
	}, pulumi.DependsOn([]pulumi.Resource{gateway}))
	visible := func(name string) pulumi.Map {
		return pulumi.Map{"cloudwatchMetricsEnabled": pulumi.Bool(true), "sampledRequestsEnabled": pulumi.Bool(false), "metricName": pulumi.String(name)}
	}
	transform := pulumi.Array{pulumi.Map{"priority": pulumi.Int(0), "type": pulumi.String("URL_DECODE")}}
	acl := p.add("wafv2/webAcl:WebAcl", "web", pulumi.Map{
		"scope": pulumi.String("REGIONAL"), "defaultAction": pulumi.Map{"allow": pulumi.Map{}}, "visibilityConfig": visible("web"),
		"description": pulumi.String("In front of the web"), "tags": pulumi.Map{"Name": pulumi.String("web")},
		"rules": pulumi.Array{
			pulumi.Map{
				"name": pulumi.String("rate"), "priority": pulumi.Int(0), "visibilityConfig": visible("rate"),
				"action": pulumi.Map{"block": pulumi.Map{"customResponse": pulumi.Map{"responseCode": pulumi.Int(429)}}},
				"statement": pulumi.Map{"rateBasedStatement": pulumi.Map{
					"aggregateKeyType": pulumi.String("IP"), "limit": pulumi.Int(100), "evaluationWindowSec": pulumi.Int(300),
					"scopeDownStatement": pulumi.Map{"andStatement": pulumi.Map{"statements": pulumi.Array{
						pulumi.Map{"byteMatchStatement": pulumi.Map{"fieldToMatch": pulumi.Map{"method": pulumi.Map{}}, "positionalConstraint": pulumi.String("EXACTLY"),
							"searchString": pulumi.String("POST"), "textTransformations": transform}},
						pulumi.Map{"notStatement": pulumi.Map{"statements": pulumi.Array{pulumi.Map{"regexMatchStatement": pulumi.Map{
							"fieldToMatch": pulumi.Map{"uriPath": pulumi.Map{}}, "regexString": pulumi.String("^/login/?$"), "textTransformations": transform}}}}},
					}}},
				}},
			},
			pulumi.Map{
				"name": pulumi.String("common"), "priority": pulumi.Int(1), "visibilityConfig": visible("common"), "overrideAction": pulumi.Map{"none": pulumi.Map{}},
				"statement": pulumi.Map{"managedRuleGroupStatement": pulumi.Map{
					"vendorName": pulumi.String("AWS"), "name": pulumi.String("AWSManagedRulesCommonRuleSet"),
					"ruleActionOverrides": pulumi.Array{pulumi.Map{"name": pulumi.String("SizeRestrictions_BODY"), "actionToUse": pulumi.Map{"count": pulumi.Map{}}}},
				}},
			},
		},
	})
	p.add("wafv2/webAclAssociation:WebAclAssociation", "web", pulumi.Map{"resourceArn": balancer.ARN, "webAclArn": acl.ARN})
	log := p.add("cloudwatch/logGroup:LogGroup", "waf", pulumi.Map{"name": pulumi.String("aws-waf-logs-web"), "retentionInDays": pulumi.Int(14)})
	p.add("wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", "web", pulumi.Map{
		"resourceArn": acl.ARN, "logDestinationConfigs": pulumi.Array{log.ARN},
		"redactedFields": pulumi.Array{pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("authorization")}}},
	})
}

// fleet is a group with hooks, born with them and kept by resources of their own.
func (p program) fleet(subnets []*resource) {
	template := p.add("ec2/launchTemplate:LaunchTemplate", "fleet", pulumi.Map{
		"imageId": pulumi.String(p.setting("image")), "instanceType": pulumi.String("t3.small"), "updateDefaultVersion": pulumi.Bool(true),
		"userData": pulumi.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n" + p.setting("bundle")))),
		"tags":     pulumi.Map{"Name": pulumi.String("fleet")},
	})
	hook := func(name, transition, result string) pulumi.Map {
		return pulumi.Map{
			"name": pulumi.String(name), "lifecycleTransition": pulumi.String("autoscaling:EC2_INSTANCE_" + transition),
			"heartbeatTimeout": pulumi.Int(600), "defaultResult": pulumi.String(result),
		}
	}
	hooks := func() map[string]pulumi.Map {
		return map[string]pulumi.Map{"boot": hook("boot", "LAUNCHING", "ABANDON"), "drain": hook("drain", "TERMINATING", "CONTINUE")}
	}
	initial := hooks()
	group := p.add("autoscaling/group:Group", "fleet", pulumi.Map{
		"name": pulumi.String("fleet"), "minSize": pulumi.Int(2), "maxSize": pulumi.Int(3), "vpcZoneIdentifiers": pulumi.Array{subnets[0].ID(), subnets[1].ID()},
		"launchTemplate": pulumi.Map{"id": template.ID(), "version": pulumi.String("$Latest")}, "waitForCapacityTimeout": pulumi.String("0"),
		"initialLifecycleHooks": pulumi.Array{initial["boot"], initial["drain"]}, "protectFromScaleIn": pulumi.Bool(true),
		"tags": pulumi.Array{pulumi.Map{"key": pulumi.String("Role"), "value": pulumi.String("fleet"), "propagateAtLaunch": pulumi.Bool(true)}},
	}, pulumi.IgnoreChanges([]string{"initialLifecycleHooks"}))
	for name, kept := range hooks() {
		kept["autoscalingGroupName"] = group.Name
		p.add("autoscaling/lifecycleHook:LifecycleHook", name, kept)
	}
}

// account are settings of the whole account.
func (p program) account() {
	p.add("s3/accountPublicAccessBlock:AccountPublicAccessBlock", "account", pulumi.Map{
		"blockPublicAcls": pulumi.Bool(true), "blockPublicPolicy": pulumi.Bool(true), "ignorePublicAcls": pulumi.Bool(true), "restrictPublicBuckets": pulumi.Bool(true),
	})
	p.add("iam/accountPasswordPolicy:AccountPasswordPolicy", "account", pulumi.Map{
		"minimumPasswordLength": pulumi.Int(14), "requireSymbols": pulumi.Bool(true), "requireNumbers": pulumi.Bool(true), "requireUppercaseCharacters": pulumi.Bool(true),
		"requireLowercaseCharacters": pulumi.Bool(true), "allowUsersToChangePassword": pulumi.Bool(true), "passwordReusePrevention": pulumi.Int(24), "maxPasswordAge": pulumi.Int(90),
	})
	key := p.add("kms/key:Key", "volumes", pulumi.Map{"enableKeyRotation": pulumi.Bool(true)})
	p.add("ebs/encryptionByDefault:EncryptionByDefault", "account", pulumi.Map{"enabled": pulumi.Bool(true)})
	p.add("ebs/defaultKmsKey:DefaultKmsKey", "account", pulumi.Map{"keyArn": key.ARN})
	p.add("ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess", "account", pulumi.Map{"state": pulumi.String("block-all-sharing")})
	p.add("ec2/instanceMetadataDefaults:InstanceMetadataDefaults", "account", pulumi.Map{"httpTokens": pulumi.String("required"), "httpPutResponseHopLimit": pulumi.Int(1)})
	detector := p.add("guardduty/detector:Detector", "account", pulumi.Map{"enable": pulumi.Bool(true)})
	p.add("guardduty/detectorFeature:DetectorFeature", "volumes", pulumi.Map{
		"detectorId": detector.ID(), "name": pulumi.String("EBS_MALWARE_PROTECTION"), "status": pulumi.String("ENABLED"),
	})
	secret := p.add("secretsmanager/secret:Secret", "secret", pulumi.Map{"recoveryWindowInDays": pulumi.Int(0)})
	p.add("secretsmanager/secretPolicy:SecretPolicy", "secret", pulumi.Map{"secretArn": secret.ARN, "policy": document(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:DeleteSecret", "Resource": "*",
			"Condition": map[string]any{"StringNotLike": map[string]any{"aws:PrincipalArn": "arn:aws:iam::123456789012:role/deploy"}}}},
	})})
	p.add("ssm/document:Document", "session", pulumi.Map{
		"documentType": pulumi.String("Session"), "name": pulumi.String("SSM-SessionManagerRunShell"), "documentFormat": pulumi.String("JSON"),
		"content": document(map[string]any{"schemaVersion": "1.0", "description": "Sessions", "sessionType": "Standard_Stream", "inputs": map[string]any{"idleSessionTimeout": "20"}}),
	})
}

// vault is where copies lie that nobody may delete too early.
func (p program) vault() {
	vault := p.add("backup/vault:Vault", "vault", pulumi.Map{"tags": pulumi.Map{"Name": pulumi.String("vault")}})
	p.add("backup/vaultLockConfiguration:VaultLockConfiguration", "vault", pulumi.Map{"backupVaultName": vault.Name, "minRetentionDays": pulumi.Int(7)})
	bucket := p.add("s3/bucketV2:BucketV2", "trail", pulumi.Map{"objectLockEnabled": pulumi.Bool(true), "forceDestroy": pulumi.Bool(true)})
	versions := p.add("s3/bucketVersioningV2:BucketVersioningV2", "trail", pulumi.Map{
		"bucket": bucket.ID(), "versioningConfiguration": pulumi.Map{"status": pulumi.String("Enabled")},
	})
	p.add("s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2", "trail", pulumi.Map{
		"bucket": bucket.ID(), "rule": pulumi.Map{"defaultRetention": pulumi.Map{"mode": pulumi.String("GOVERNANCE"), "days": pulumi.Int(30)}},
	}, pulumi.DependsOn([]pulumi.Resource{versions}))
}

// channel is a channel of Slack that hears what a topic is told.
func (p program) channel() {
	topic := p.add("sns/topic:Topic", "notices", pulumi.Map{})
	role := p.add("iam/role:Role", "channel", pulumi.Map{"assumeRolePolicy": document(map[string]any{
		"Version":   "2012-10-17",
		"Statement": []any{map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": "chatbot.amazonaws.com"}, "Action": "sts:AssumeRole"}},
	})})
	p.add("chatbot/slackChannelConfiguration:SlackChannelConfiguration", "channel", pulumi.Map{
		"configurationName": pulumi.String("channel"), "slackTeamId": pulumi.String("T07EA123LEP"), "slackChannelId": pulumi.String("C07EZ1ABC23"),
		"iamRoleArn": role.ARN, "snsTopicArns": pulumi.Array{topic.ARN}, "guardrailPolicyArns": pulumi.StringArray{pulumi.String("arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess")},
		"tags": pulumi.Map{"Name": pulumi.String("channel")},
	})
}
