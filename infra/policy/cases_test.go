package policy

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"slices"
)

const all = "0.0.0.0/0"

// in is a standalone rule of the security group sbc.
func in(name, protocol string, from, to int, more m) Resource {
	return res("vpc/securityGroupIngressRule", name, with(m{"securityGroupId": "sbc-id", "ipProtocol": protocol, "fromPort": from, "toPort": to, "cidrIpv4": all, "description": "d"}, more))
}

func sg(name string, more m) Resource {
	return res("ec2/securityGroup", name, with(m{"description": "Members of " + name}, more))
}

var allTags = m{"Project": "p", "Environment": "prod", "Owner": "o", "CostCenter": "c", "ManagedBy": "pulumi", "Role": "r"}

// document is the text of a policy with one statement.
func statementOf(statement string) string {
	return `{"Version":"2012-10-17","Statement":[` + statement + `]}`
}

func zip(text string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}

// facts is user data that writes a node's facts, as the fleets' does.
func facts(drain int) string {
	file := base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(`{"calldata_drain_seconds": %d}`, drain)))
	return base64.StdEncoding.EncodeToString([]byte("#cloud-config\nwrite_files:\n- path: /etc/calldata/node.json\n  encoding: b64\n  content: " + file + "\n"))
}

var (
	vpc   = res("ec2/vpc", "net", m{"cidrBlock": "10.0.0.0/16"})
	table = res("ec2/routeTable", "public", m{"vpcId": "net-id"})
	igw   = res("ec2/internetGateway", "igw", m{"vpcId": "net-id"})
	out   = res("ec2/route", "out", m{"routeTableId": "public-id", "gatewayId": "igw-id"})
)

func subnet(name, zone string) Resource {
	return res("ec2/subnet", name, m{"vpcId": "net-id", "availabilityZone": zone})
}

func routed(subnet, table string) Resource {
	return res("ec2/routeTableAssociation", subnet+"-"+table, m{"subnetId": subnet + "-id", "routeTableId": table + "-id"})
}

var database = m{
	"instanceClass": "db.m7g.large", "storageEncrypted": true, "kmsKeyId": "key-arn", "multiAz": true, "deletionProtection": true, "finalSnapshotIdentifier": "last",
	"backupRetentionPeriod": 35, "copyTagsToSnapshot": true, "autoMinorVersionUpgrade": true, "parameterGroupName": "params", "caCertIdentifier": "rds-ca-rsa2048-g1",
	"enabledCloudwatchLogsExports": list{"postgresql"}, "monitoringInterval": 60, "performanceInsightsEnabled": true, "performanceInsightsKmsKeyId": "key-arn",
	"manageMasterUserPassword": true, "masterUserSecretKmsKeyId": "key-id", "tags": with(allTags, m{"Backup": "prod"}),
}

func db(changes m, more ...func(*Resource)) Resource {
	return res("rds/instance", "db", with(database, changes), more...)
}

var web = m{
	"loadBalancerType": "application", "dropInvalidHeaderFields": true, "accessLogs": m{"bucket": "logs", "enabled": true}, "enableDeletionProtection": true,
	"subnets": list{"a-id", "b-id"}, "securityGroups": list{"alb-id"},
}

func alb(changes m) Resource { return res("lb/loadBalancer", "web", with(web, changes)) }

func nlb(changes m) Resource {
	return res("lb/loadBalancer", "sip", with(with(web, m{"loadBalancerType": "network", "dropInvalidHeaderFields": nil, "enableCrossZoneLoadBalancing": false}), changes))
}

var disk = m{"encrypted": true, "kmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/k"}

var node = m{
	"instanceType": "m7i.large", "metadataOptions": m{"httpTokens": "required", "httpPutResponseHopLimit": 1}, "rootBlockDevice": disk, "iamInstanceProfile": "profile",
	"tags": m{"Role": "uc-engine"}, "userData": "#!/bin/sh\nTOKEN=$(curl -s http://169.254.169.254/latest/api/token)\n",
}

func instance(changes m, more ...func(*Resource)) Resource {
	return res("ec2/instance", "node", with(node, changes), more...)
}

var template = m{
	"instanceType": "m7i.large", "metadataOptions": m{"httpTokens": "required", "httpPutResponseHopLimit": 1}, "iamInstanceProfile": m{"arn": "arn:aws:iam::1:instance-profile/profile"},
	"blockDeviceMappings": list{m{"deviceName": "/dev/xvda", "ebs": m{"encrypted": "true", "kmsKeyId": "key-arn"}}, m{"deviceName": "/dev/sdb", "noDevice": "true"}},
}

func launch(changes m) Resource { return res("ec2/launchTemplate", "lt", with(template, changes)) }

var fleet = m{
	"launchTemplate": m{"id": "lt-id"}, "targetGroupArns": list{"arn"}, "healthCheckType": "ELB", "vpcZoneIdentifiers": list{"a-id", "b-id"}, "maxSize": 4,
	"tags": list{m{"key": "Role", "value": "c4-sbc", "propagateAtLaunch": true}},
}

func group(changes m) Resource { return res("autoscaling/group", "sbcs", with(fleet, changes)) }

func hook(changes m) Resource {
	return res("autoscaling/lifecycleHook", "drain", with(m{"autoscalingGroupName": "sbcs", "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "defaultResult": "CONTINUE",
		"heartbeatTimeout": 300}, changes))
}

func bucket(name string, changes m, more ...func(*Resource)) Resource {
	return res("s3/bucketV2", name, with(m{"tags": allTags}, changes), more...)
}

// setting is a resource about the bucket backups.
func setting(kind string, props m) Resource {
	return res("s3/"+kind, "backups", with(m{"bucket": "backups-id"}, props))
}

func access(changes m) Resource {
	return setting("bucketPublicAccessBlock", with(m{"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true}, changes))
}

func encryption(rule m) Resource {
	return setting("bucketServerSideEncryptionConfigurationV2", m{"rules": list{rule}})
}

var kmsRule = m{"applyServerSideEncryptionByDefault": m{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "key-arn"}, "bucketKeyEnabled": true}

const tlsPolicy = `{"Effect":"Deny","Principal":{"AWS":["*"]},"Action":["s3:*"],"Resource":["arn:aws:s3:::backups","arn:aws:s3:::backups/*"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}`

func role(trust string) Resource { return res("iam/role", "deploy", m{"assumeRolePolicy": trust}) }

func githubRole(aud, sub string) string {
	return statementOf(`{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},` +
		`"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"` + aud + `"},"StringLike":{"token.actions.githubusercontent.com:sub":"` + sub + `"}}}`)
}

func policyOf(statement string) Resource {
	return res("iam/rolePolicy", "rights", m{"role": "deploy", "policy": statementOf(statement)})
}

var trail = m{"isMultiRegionTrail": true, "enableLogFileValidation": true, "kmsKeyId": "key-arn", "cloudWatchLogsGroupArn": "arn", "cloudWatchLogsRoleArn": "arn"}

var budget = res("budgets/budget", "month", m{"notifications": list{m{"subscriberEmailAddresses": list{"ops@example.com"}}}})

// ruleCases are the graphs that the rules are tested with, by rule.
func ruleCases() map[string][]ruleCase {
	profile := res("iam/instanceProfile", "profile", m{"role": "machine"})
	machine := res("iam/role", "machine", m{"name": "machine"})
	ssm := res("iam/rolePolicyAttachment", "ssm", m{"role": "machine", "policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"})
	params := res("rds/parameterGroup", "params", m{"parameters": list{m{"name": "rds.force_ssl", "value": "1"}}})
	privates := []Resource{vpc, subnet("a", "us-east-1a"), subnet("b", "us-east-1b"), subnet("c", "us-east-1c")}
	nat := func(name string) Resource { return res("ec2/natGateway", name, m{"allocationId": name + "-eip-id"}) }
	natRoute := func(table, gateway string) []Resource {
		return []Resource{res("ec2/routeTable", table, m{"vpcId": "net-id"}), res("ec2/route", table+"-out", m{"routeTableId": table + "-id", "natGatewayId": gateway + "-id"})}
	}
	acl := func(entries ...any) Resource {
		return res("ec2/networkAcl", "acl", m{"vpcId": "net-id", "ingress": entries})
	}
	entry := func(number int, action, protocol string, from, to int, cidr string) m {
		return m{"ruleNo": number, "action": action, "protocol": protocol, "fromPort": from, "toPort": to, "cidrBlock": cidr}
	}
	vault := res("backup/vault", "vault", m{"kmsKeyArn": "key-arn"})
	lock := res("backup/vaultLockConfiguration", "lock", m{"backupVaultName": "vault"})
	plan := res("backup/plan", "plan", m{"rules": list{m{"targetVaultName": "vault"}}})
	selection := res("backup/selection", "tagged", m{"planId": "plan-id", "selectionTags": list{m{"type": "STRINGEQUALS", "key": "Backup", "value": "prod"}}})

	return map[string][]ruleCase{
		"CD-01": {
			{name: "IMDSv2", scope: Dev, graph: []Resource{instance(nil), launch(nil)}},
			{name: "left to the template", scope: Dev, graph: []Resource{instance(m{"metadataOptions": nil, "launchTemplate": m{"id": "lt-id"}})}},
			{name: "no metadata at all", scope: Dev, graph: []Resource{instance(m{"metadataOptions": m{"httpEndpoint": "disabled"}})}},
			{name: "IMDSv1", scope: Dev, graph: []Resource{instance(m{"metadataOptions": m{"httpTokens": "optional"}}), launch(m{"metadataOptions": nil})},
				want: []string{"node: answers IMDSv1", "lt: answers IMDSv1"}},
		},
		"CD-02": {
			{name: "one hop", scope: Stage, graph: []Resource{instance(nil), launch(nil)}},
			{name: "two hops, and none said", scope: Prod, graph: []Resource{instance(m{"metadataOptions": m{"httpPutResponseHopLimit": 2}}), launch(m{"metadataOptions": m{"httpTokens": "required"}})},
				want: []string{"node: lets metadata", "lt: lets metadata"}},
		},
		"CD-03": {
			{name: "encrypted", scope: Dev, graph: []Resource{instance(m{"ebsBlockDevices": list{disk}}), launch(nil), res("ebs/volume", "data", disk)}},
			{name: "not encrypted", scope: Dev, graph: []Resource{instance(m{"rootBlockDevice": m{"encrypted": false}, "ebsBlockDevices": list{m{"deviceName": "/dev/sdf"}}}), launch(m{"blockDeviceMappings": nil}),
				res("ebs/volume", "data", m{"encrypted": true})},
				want: []string{"the root volume is not encrypted", "a data volume is not encrypted", "leaves its volumes to the image", "data: it is encrypted with AWS's own key"}},
			{name: "a template's volume", scope: Dev, graph: []Resource{launch(m{"blockDeviceMappings": list{m{"ebs": m{"encrypted": "true", "kmsKeyId": "alias/aws/ebs"}}}})}, want: []string{"AWS's own key"}},
			{name: "state, where AWS chose the key", scope: Dev, graph: []Resource{res("ebs/volume", "data", disk, asked(m{"encrypted": true}))}, want: []string{"AWS's own key"}},
			{name: "state, where attached volumes show up", scope: Dev, graph: []Resource{instance(m{"ebsBlockDevices": list{m{"encrypted": false}}}, asked(node))}},
		},
		"CD-04": {
			{name: "on", scope: Account, graph: []Resource{res("ebs/encryptionByDefault", "ebs", m{"enabled": true})}},
			{name: "by default on", scope: Account, graph: []Resource{res("ebs/encryptionByDefault", "ebs", nil)}},
			{name: "absent", scope: Account, graph: []Resource{vpc}, want: []string{": EBS encryption by default is not turned on"}},
			{name: "off", scope: Account, graph: []Resource{res("ebs/encryptionByDefault", "ebs", m{"enabled": false})}, want: []string{"ebs: turns EBS encryption by default off"}},
		},
		"CD-05": {
			{name: "operators", scope: Dev, graph: []Resource{in("ssh", "tcp", 22, 22, m{"cidrIpv4": "203.0.113.7/32"}), in("sip", "udp", 5060, 5060, nil), in("later", "tcp", 22, 22, m{"cidrIpv4": Unknown{}})}},
			{name: "the world, in every way to write it", scope: Dev, graph: []Resource{
				in("ssh", "tcp", 22, 22, nil), in("half", "tcp", 0, 1000, m{"cidrIpv4": "128.0.0.0/1"}), in("all", "-1", -1, -1, nil), in("v6", "tcp", 3389, 3389, m{"cidrIpv4": nil, "cidrIpv6": "::/0"}),
				sg("inline", m{"ingress": list{m{"protocol": "6", "fromPort": 22, "toPort": 22, "cidrBlocks": list{"10.0.0.0/8", all}}}}),
				res("ec2/securityGroupRule", "old", m{"type": "ingress", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": list{all}}),
				res("ec2/securityGroupRule", "egress", m{"type": "egress", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": list{all}}),
				res("ec2/managedPrefixList", "wide", m{"entries": list{m{"cidr": all}}}), in("listed", "tcp", 22, 22, m{"cidrIpv4": nil, "prefixListId": "wide-id"}),
			}, want: []string{"ssh: lets tcp 22 in", "half: lets tcp 0-1000 in from 128.0.0.0/1", "all: lets everything in", "v6: lets tcp 3389 in from ::/0", "inline: lets tcp 22 in", "old: lets tcp 22 in",
				"listed: lets tcp 22 in"}},
			{name: "a refreshed group lists its standalone rules, and one made by hand", scope: Dev, graph: []Resource{
				in("ssh", "tcp", 22, 22, nil), in("more", "tcp", 22, 22, m{"cidrIpv4": "203.0.113.7/32"}),
				res("ec2/securityGroup", "sbc", m{"ingress": list{m{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": list{all, "203.0.113.7/32"}},
					m{"protocol": "tcp", "fromPort": 3389, "toPort": 3389, "cidrBlocks": list{all}}}}, asked(nil))},
				want: []string{"ssh: lets tcp 22 in", "sbc: lets tcp 3389 in"}},
		},
		"CD-06": {
			{name: "closed, or denied first", scope: Stage, graph: []Resource{vpc, res("ec2/defaultNetworkAcl", "closed", m{"defaultNetworkAclId": ""}, after(vpc.URN)),
				acl(entry(100, "allow", "tcp", 22, 22, "203.0.113.7/32"), entry(300, "allow", "-1", 0, 0, all), entry(200, "deny", "tcp", 22, 22, all), entry(201, "deny", "tcp", 3000, 4000, all))}},
			{name: "open", scope: Stage, graph: []Resource{acl(entry(100, "allow", "-1", 0, 0, all), entry(200, "deny", "tcp", 22, 22, all))}, want: []string{"acl: entry 100 lets the internet reach port 22"}},
			{name: "RDP forgotten", scope: Stage, graph: []Resource{acl(entry(100, "deny", "tcp", 22, 22, all), entry(200, "allow", "-1", 0, 0, all))}, want: []string{"port 3389"}},
			{name: "a denial of somebody else", scope: Stage, graph: []Resource{acl(entry(100, "deny", "-1", 0, 0, "10.0.0.0/8"), entry(200, "allow", "tcp", 22, 22, all))}, want: []string{"entry 200"}},
			{name: "standalone, and no default ACL", scope: Prod, graph: []Resource{vpc, acl(), res("ec2/networkAclRule", "r", m{"networkAclId": "acl-id", "ruleNumber": 1, "ruleAction": "allow", "protocol": "all", "ipv6CidrBlock": "::/0"}),
				res("ec2/networkAclRule", "e", m{"networkAclId": "acl-id", "egress": true, "ruleNumber": 1, "ruleAction": "allow", "protocol": "all", "cidrBlock": all}),
				res("ec2/networkAclRule", "foreign", m{"networkAclId": "elsewhere", "ruleNumber": 1, "ruleAction": "allow", "protocol": "all", "cidrBlock": all})},
				want: []string{"r: entry 1", "foreign: entry 1", "net: its default network ACL is not managed"}},
		},
		"CD-07": {
			{name: "services", scope: Dev, graph: []Resource{sg("sbc", nil), in("sip", "udp", 5060, 5060, nil), in("sips", "tcp", 5061, 5061, nil), in("rtp", "udp", 23000, 32768, nil), in("asterisk", "udp", 10000, 20000, nil),
				in("https", "tcp", 443, 443, nil), in("ssh", "tcp", 22, 22, m{"cidrIpv4": "203.0.113.7/32"}), in("peer", "tcp", 9600, 9600, m{"cidrIpv4": nil, "referencedSecurityGroupId": "nlb-id"})}},
			{name: "80 on a load balancer", scope: Dev, graph: []Resource{sg("alb", nil), alb(nil), in("http", "tcp", 80, 80, m{"securityGroupId": "alb-id"})}},
			{name: "others", scope: Dev, graph: []Resource{sg("sbc", nil), in("wide", "udp", 5000, 6000, nil), in("tcp-media", "tcp", 10000, 20000, nil), in("all", "-1", -1, -1, nil), in("ping", "icmp", 8, -1, nil), in("http", "tcp", 80, 80, nil)},
				want: []string{"wide: lets udp 5000-6000 in", "tcp-media: lets tcp 10000-20000 in", "all: lets everything in", "ping: lets icmp in", "http: lets tcp 80 in from 0.0.0.0/0 on something that is no load balancer"}},
		},
		"CD-08": {
			{name: "private", scope: Dev, graph: []Resource{in("pg", "tcp", 5432, 5432, m{"cidrIpv4": "10.20.0.0/16"}), in("pg6", "tcp", 5432, 5432, m{"cidrIpv4": nil, "cidrIpv6": "fd00::/8"}), in("rtp", "udp", 23000, 32768, nil)}},
			{name: "public", scope: Dev, graph: []Resource{in("pg", "tcp", 5432, 5432, m{"cidrIpv4": "203.0.113.7/32"}), in("ng", "udp", 22000, 22500, nil), in("sysconfd", "tcp", 8668, 8668, nil), in("all", "-1", -1, -1, nil)},
				want: []string{"pg: lets tcp 5432 in from 203.0.113.7/32, which covers PostgreSQL", "rtpengine's control", "sysconfd: lets tcp 8668", "all: lets everything in"}},
		},
		"CD-09": {
			{name: "closed", scope: Stage, graph: []Resource{vpc, res("ec2/defaultSecurityGroup", "closed", m{"vpcId": "net-id"}), in("sip", "udp", 5060, 5060, nil)}},
			{name: "open or forgotten", scope: Prod, graph: []Resource{vpc, res("ec2/defaultSecurityGroup", "other", m{"vpcId": "vpc-elsewhere", "egress": list{m{"protocol": "-1", "cidrBlocks": list{all}}}}),
				in("in", "tcp", 443, 443, m{"securityGroupId": "other-id"})},
				want: []string{"net: its default security group is not managed", "in: gives a default security group a rule", "other: gives a default security group a rule"}},
		},
		"CD-10": {
			{name: "described and used", scope: Dev, graph: []Resource{sg("sbc", nil), in("sip", "udp", 5060, 5060, nil), instance(m{"vpcSecurityGroupIds": list{"sbc-id"}})}},
			{name: "neither", scope: Dev, graph: []Resource{sg("sbc", m{"description": "Managed by Pulumi", "egress": list{m{"protocol": "-1", "cidrBlocks": list{all}}}}), in("sip", "udp", 5060, 5060, m{"description": nil})},
				want: []string{"sbc: has no description", "sip: its rule for udp 5060 has no description", "sbc: its rule for everything has no description", "sbc: nothing uses it"}, advice: 1},
		},
		"CD-11": {
			{name: "narrow, or a machine", scope: Stage, graph: []Resource{sg("db", nil), db(m{"vpcSecurityGroupIds": list{"db-id"}}), sg("node", m{"egress": list{m{"protocol": "-1", "cidrBlocks": list{all}}}}),
				instance(m{"vpcSecurityGroupIds": list{"node-id"}}), res("vpc/securityGroupEgressRule", "out", m{"securityGroupId": "db-id", "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": all})}},
			{name: "wide", scope: Prod, graph: []Resource{sg("db", nil), db(m{"vpcSecurityGroupIds": list{"db-id"}}), res("vpc/securityGroupEgressRule", "out", m{"securityGroupId": "db-id", "ipProtocol": "-1", "cidrIpv4": all})},
				want: []string{"out: lets everything out to 0.0.0.0/0, for db"}},
		},
		"CD-12": {
			{name: "logged", scope: Stage, graph: []Resource{vpc, res("ec2/flowLog", "flow", m{"vpcId": "net-id", "trafficType": "ALL"})}},
			{name: "not all of it, and another network's", scope: Stage, graph: []Resource{vpc, res("ec2/flowLog", "flow", m{"vpcId": "net-id", "trafficType": "ACCEPT"}), res("ec2/flowLog", "other", m{"vpcId": "vpc-1", "trafficType": "ALL"})},
				want: []string{"net: has no flow log"}},
			{name: "preview", scope: Stage, graph: []Resource{vpc, res("ec2/flowLog", "flow", m{"vpcId": Unknown{}, "trafficType": "ALL"}, by("vpcId", vpc.URN))}},
		},
		"CD-13": {
			{name: "not asked for", scope: Dev, graph: []Resource{subnet("a", "us-east-1a")}},
			{name: "given", scope: Dev, graph: []Resource{res("ec2/subnet", "a", m{"mapPublicIpOnLaunch": true})}, want: []string{"a: gives every machine a public address"}},
		},
		"CD-14": {
			{name: "SBCs", scope: Stage, graph: []Resource{instance(m{"tags": m{"Role": "c4-sbc"}, "associatePublicIpAddress": true}), instance(m{"associatePublicIpAddress": false}),
				launch(m{"networkInterfaces": list{m{"associatePublicIpAddress": "true"}}, "tagSpecifications": list{m{"resourceType": "instance", "tags": m{"Role": "c4-sbc"}}}})}},
			{name: "engines", scope: Prod, graph: []Resource{instance(nil), res("ec2/eip", "e", m{}), res("ec2/eipAssociation", "ea", m{"instanceId": "node-id", "allocationId": "e-id"}),
				launch(m{"networkInterfaces": list{m{"associatePublicIpAddress": "true"}}, "tags": m{"Role": "c4-router"}})},
				want: []string{"node: has the Elastic IP ea", "lt: gives its machines a public address"}},
			{name: "a public address", scope: Stage, graph: []Resource{instance(m{"associatePublicIpAddress": true})}, want: []string{"node: has a public address"}},
		},
		"CD-15": {
			{name: "three private zones", scope: Prod, graph: privates},
			{name: "public ones too", scope: Prod, graph: slices.Concat(privates, []Resource{table, igw, out, subnet("pa", "us-east-1a"), subnet("pb", "us-east-1b"), subnet("pc", "us-east-1c"),
				routed("pa", "public"), routed("pb", "public"), routed("pc", "public")})},
			{name: "two in prod", scope: Prod, graph: privates[:3], want: []string{"private subnets in 2 availability zones, want 3"}},
			{name: "two in stage", scope: Stage, graph: privates[:3]},
			{name: "all public", scope: Stage, graph: []Resource{vpc, table, igw, out, subnet("pa", "us-east-1a"), routed("pa", "public")}, want: []string{"private subnets in 0", "public subnets in 1"}},
			{name: "inline routes", scope: Stage, graph: []Resource{vpc, igw, res("ec2/routeTable", "public", m{"routes": list{m{"gatewayId": "igw-id"}}}), subnet("a", "us-east-1a"), subnet("b", "us-east-1b"),
				routed("a", "public"), routed("b", "public")}, want: []string{"private subnets in 0"}},
		},
		"CD-16": {
			{name: "blocked", scope: Dev, graph: []Resource{bucket("backups", nil), access(nil)}},
			{name: "half", scope: Account, graph: []Resource{bucket("backups", nil), access(m{"ignorePublicAcls": false, "restrictPublicBuckets": nil}), bucket("other", nil)},
				want: []string{"backups: does not set ignorePublicAcls", "backups: does not set restrictPublicBuckets", "other: has no public access block"}},
			{name: "preview", scope: Dev, graph: []Resource{bucket("backups", nil), res("s3/bucketPublicAccessBlock", "b", m{"bucket": Unknown{}, "blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true,
				"restrictPublicBuckets": true}, after(bucket("backups", nil).URN))}},
		},
		"CD-17": {
			{name: "denied", scope: Dev, graph: []Resource{bucket("backups", nil), setting("bucketPolicy", m{"policy": statementOf(tlsPolicy)})}},
			{name: "not known", scope: Dev, graph: []Resource{bucket("backups", nil), setting("bucketPolicy", m{"policy": Unknown{}})}},
			{name: "no policy", scope: Dev, graph: []Resource{bucket("backups", nil)}, want: []string{"backups: takes requests without TLS"}},
			{name: "objects only", scope: Dev, graph: []Resource{bucket("backups", nil), setting("bucketPolicy", m{"policy": statementOf(
				`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::backups/*","Condition":{"Bool":{"aws:SecureTransport":false}}}`)})}, want: []string{"takes requests without TLS"}},
			{name: "allowed", scope: Dev, graph: []Resource{bucket("backups", nil), setting("bucketPolicy", m{"policy": statementOf(
				`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`)})}, want: []string{"takes requests without TLS"}},
		},
		"CD-18": {
			{name: "versioned, or not needed", scope: Dev, graph: []Resource{bucket("backups", nil), setting("bucketVersioningV2", m{"versioningConfiguration": m{"status": "Enabled"}}), bucket("access-logs", nil)}},
			{name: "not versioned", scope: Dev, graph: []Resource{bucket("backups", nil), setting("bucketVersioningV2", m{"versioningConfiguration": m{"status": "Suspended"}}), bucket("files", m{"tags": m{"Use": "recordings"}})},
				want: []string{"backups: is not versioned", "files: is not versioned"}},
		},
		"CD-19": {
			{name: "KMS", scope: Stage, graph: []Resource{bucket("backups", nil), encryption(kmsRule)}},
			{name: "access logs", scope: Stage, graph: []Resource{bucket("backups", nil), encryption(m{"applyServerSideEncryptionByDefault": m{"sseAlgorithm": "AES256"}}), alb(m{"accessLogs": m{"bucket": "backups-id", "enabled": true}})}},
			{name: "AES256", scope: Prod, graph: []Resource{bucket("backups", nil), encryption(m{"applyServerSideEncryptionByDefault": m{"sseAlgorithm": "AES256"}}), bucket("other", nil)},
				want: []string{"backups: is not encrypted with KMS", "other: has no default encryption"}},
			{name: "AWS's key", scope: Prod, graph: []Resource{bucket("backups", nil), encryption(with(kmsRule, m{"applyServerSideEncryptionByDefault": m{"sseAlgorithm": "aws:kms"}}))}, want: []string{"AWS's own key"}},
			{name: "no bucket key", scope: Prod, graph: []Resource{bucket("backups", nil), encryption(with(kmsRule, m{"bucketKeyEnabled": nil}))}, want: []string{"asks KMS for every object"}},
		},
		"CD-20": {
			{name: "logged", scope: Dev, graph: []Resource{bucket("backups", nil), bucket("logs", nil), setting("bucketLoggingV2", m{"targetBucket": "logs-id"}), setting("bucketLifecycleConfigurationV2", m{"rules": list{m{}}}),
				res("s3/bucketLifecycleConfigurationV2", "logs", m{"bucket": "logs-id"})}},
			{name: "neither", scope: Dev, graph: []Resource{bucket("backups", nil)}, want: []string{"backups: keeps no access logs", "backups: has no lifecycle rules"}, advice: 1},
		},
		"CD-21": {
			{name: "locked and copied", scope: Prod, graph: []Resource{bucket("backups", m{"objectLockEnabled": true}), setting("bucketReplicationConfig", m{"rules": list{m{"status": "Enabled"}}}), bucket("artifacts", nil)}},
			{name: "neither", scope: Prod, graph: []Resource{bucket("backups", nil), setting("bucketReplicationConfig", m{"rules": list{m{"status": "Disabled"}}})}, want: []string{"has no object lock", "is in one region alone"}},
			{name: "a copy", scope: Prod, graph: []Resource{bucket("backups-copy", m{"objectLockEnabled": true}),
				setting("bucketReplicationConfig", m{"rules": list{m{"status": "Enabled", "destination": m{"bucket": "arn:aws:s3:::backups-copy"}}}})}},
			{name: "a copy of another name", scope: Prod, graph: []Resource{bucket("backups-copy", m{"objectLockEnabled": true}),
				setting("bucketReplicationConfig", m{"rules": list{m{"status": "Enabled", "destination": m{"bucket": "arn:aws:s3:::backups-elsewhere"}}}})}, want: []string{"backups-copy: is in one region alone"}},
		},
		"CD-22": {
			{name: "encrypted", scope: Dev, graph: []Resource{db(nil), res("rds/instance", "replica", m{"replicateSourceDb": "db"})}},
			{name: "not", scope: Dev, graph: []Resource{db(m{"storageEncrypted": nil}), res("rds/cluster", "aurora", m{"storageEncrypted": false})}, want: []string{"db: is not encrypted", "aurora: is not encrypted"}},
		},
		"CD-23": {
			{name: "private", scope: Dev, graph: []Resource{db(nil), db(m{"publiclyAccessible": false})}},
			{name: "public", scope: Dev, graph: []Resource{db(m{"publiclyAccessible": true})}, want: []string{"db: has a public address"}},
		},
		"CD-24": {
			{name: "standby", scope: Prod, graph: []Resource{db(nil), res("rds/instance", "replica", m{"replicateSourceDb": "db"})}},
			{name: "none", scope: Stage, graph: []Resource{db(m{"multiAz": nil})}, want: []string{"db: is lost with its availability zone"}},
		},
		"CD-25": {
			{name: "protected", scope: Prod, graph: []Resource{db(nil)}},
			{name: "not", scope: Prod, graph: []Resource{db(m{"deletionProtection": false, "skipFinalSnapshot": true})}, want: []string{"set deletionProtection", "take skipFinalSnapshot away"}},
		},
		"CD-26": {
			{name: "backed up", scope: Prod, graph: []Resource{db(nil), db(m{"backupRetentionPeriod": 14})}},
			{name: "a week in prod", scope: Prod, graph: []Resource{db(m{"backupRetentionPeriod": 7, "copyTagsToSnapshot": nil})}, want: []string{"at least 14 days", "set copyTagsToSnapshot"}},
			{name: "a week in stage", scope: Stage, graph: []Resource{db(m{"backupRetentionPeriod": 7})}},
			{name: "none", scope: Stage, graph: []Resource{db(m{"backupRetentionPeriod": nil})}, want: []string{"at least 7 days"}},
		},
		"CD-27": {
			{name: "by default", scope: Stage, graph: []Resource{db(m{"autoMinorVersionUpgrade": nil}), db(nil)}},
			{name: "off", scope: Stage, graph: []Resource{db(m{"autoMinorVersionUpgrade": false})}, want: []string{"db: misses security fixes"}},
		},
		"CD-28": {
			{name: "TLS", scope: Stage, graph: []Resource{db(nil), params, db(m{"caCertIdentifier": nil})}},
			{name: "plain", scope: Stage, graph: []Resource{db(m{"caCertIdentifier": "rds-ca-2019"}), res("rds/parameterGroup", "params", m{"parameters": list{m{"name": "rds.force_ssl", "value": "0"}}})},
				want: []string{"db: has the certificate authority rds-ca-2019", "params: lets clients of db connect without TLS"}},
			{name: "AWS's group", scope: Stage, graph: []Resource{db(m{"parameterGroupName": "default.postgres16"}), params}, want: []string{"db: has no parameter group in this stack"}},
		},
		"CD-29": {
			{name: "seen", scope: Prod, graph: []Resource{db(nil)}},
			{name: "dark", scope: Prod, graph: []Resource{db(m{"enabledCloudwatchLogsExports": nil, "monitoringInterval": 0, "performanceInsightsEnabled": nil})},
				want: []string{"keeps its logs to itself", "has no enhanced monitoring", "has no Performance Insights"}},
			{name: "AWS's key", scope: Prod, graph: []Resource{db(m{"performanceInsightsKmsKeyId": nil})}, want: []string{"encrypts Performance Insights"}},
		},
		"CD-30": {
			{name: "strict", scope: Dev, graph: []Resource{alb(nil), nlb(nil), alb(m{"loadBalancerType": nil, "desyncMitigationMode": "strictest"})}},
			{name: "lax", scope: Dev, graph: []Resource{alb(m{"dropInvalidHeaderFields": nil, "desyncMitigationMode": "monitor", "loadBalancerType": nil})}, want: []string{"set dropInvalidHeaderFields", "set desyncMitigationMode"}},
		},
		"CD-31": {
			{name: "logged", scope: Stage, graph: []Resource{alb(nil), nlb(nil)}},
			{name: "not", scope: Stage, graph: []Resource{alb(m{"accessLogs": nil}), nlb(m{"accessLogs": m{"bucket": "logs", "enabled": false}})}, want: []string{"web: keeps no access logs", "sip: keeps no access logs"}},
		},
		"CD-32": {
			{name: "protected", scope: Prod, graph: []Resource{alb(nil), nlb(nil)}},
			{name: "not", scope: Prod, graph: []Resource{alb(m{"enableDeletionProtection": false}), nlb(m{"enableDeletionProtection": nil})}, want: []string{"web: can be deleted", "sip: can be deleted"}},
		},
		"CD-33": {
			{name: "redirect, TLS 1.3, SIP", scope: Dev, graph: []Resource{alb(nil),
				res("lb/listener", "http", m{"protocol": "HTTP", "defaultActions": list{m{"type": "redirect", "redirect": m{"protocol": "HTTPS"}}}}),
				res("lb/listener", "https", m{"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}), res("lb/listener", "sip", m{"protocol": "UDP"})}},
			{name: "plain and old", scope: Dev, graph: []Resource{
				res("lb/listener", "http", m{"protocol": "HTTP", "defaultActions": list{m{"type": "forward", "targetGroupArn": "x"}}}),
				res("lb/listenerRule", "rule", m{"listenerArn": "arn:aws:lb:us-east-1:1:http", "actions": list{m{"type": "forward"}}}),
				res("lb/listener", "https", m{"protocol": "HTTPS"}), res("lb/listener", "old", m{"protocol": "TLS", "sslPolicy": "ELBSecurityPolicy-TLS13-1-0-2021-06"}),
				res("lb/listener", "fair", m{"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS-1-2-2017-01"})},
				want: []string{"http: serves plain HTTP", "rule: serves plain HTTP", "https: takes TLS 1.0", "old: takes TLS 1.0", "fair: has no TLS 1.3"}, advice: 1},
		},
		"CD-34": {
			{name: "behind WAF, or internal", scope: Prod, graph: []Resource{alb(nil), res("wafv2/webAclAssociation", "waf", m{"resourceArn": "arn:aws:lb:us-east-1:1:web"}), res("lb/loadBalancer", "in", m{"internal": true}), nlb(nil)}},
			{name: "open", scope: Stage, graph: []Resource{alb(nil)}, want: []string{"web: meets the internet without a firewall"}},
		},
		"CD-35": {
			{name: "two zones", scope: Stage, graph: []Resource{alb(nil), nlb(m{"subnets": nil, "subnetMappings": list{m{"subnetId": "a-id"}, m{"subnetId": "b-id"}}}), subnet("a", "us-east-1a"), subnet("b", "us-east-1b")}},
			{name: "one zone", scope: Stage, graph: []Resource{alb(nil), nlb(m{"subnets": list{"x"}, "enableCrossZoneLoadBalancing": nil}), subnet("a", "us-east-1a"), subnet("b", "us-east-1a")},
				want: []string{"web: is in one availability zone", "sip: is in one availability zone", "sip: does not say whether"}},
		},
		"CD-36": {
			{name: "safe", scope: Account, graph: []Resource{res("kms/key", "k", m{"enableKeyRotation": true, "policy": statementOf(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"kms:*","Resource":"*"}`)}),
				res("kms/key", "signing", m{"customerMasterKeySpec": "RSA_4096"}), res("kms/key", "denies", m{"enableKeyRotation": true, "deletionWindowInDays": 14, "policy": statementOf(`{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}`)})}},
			{name: "not", scope: Dev, graph: []Resource{res("kms/key", "k", m{"deletionWindowInDays": 7, "policy": statementOf(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}`)}),
				res("kms/key", "bad", m{"enableKeyRotation": true, "policy": "{"}), res("kms/keyPolicy", "p", m{"keyId": "k-id", "policy": statementOf(`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:role/x"},"Action":"kms:*","Resource":"*"}`)})},
				want: []string{"k: never changes", "k: is gone for good too soon", "k: its policy allows something to everybody", "p: its policy allows", "bad: has a policy that is no policy document"}},
		},
		"CD-37": {
			{name: "complete", scope: Account, graph: []Resource{res("cloudtrail/trail", "t", trail), res("cloudtrail/trail", "other", nil)}},
			{name: "absent", scope: Account, graph: []Resource{vpc}, want: []string{": there is no trail"}},
			{name: "half", scope: Account, graph: []Resource{res("cloudtrail/trail", "t", with(trail, m{"isMultiRegionTrail": nil, "enableLogging": false, "kmsKeyId": nil, "cloudWatchLogsRoleArn": nil}))},
				want: []string{"t: does not record everything provably: set isMultiRegionTrail, enableLogging, kmsKeyId, cloudWatchLogsGroupArn and cloudWatchLogsRoleArn"}},
		},
		"CD-38": {
			{name: "watched", scope: Account, graph: []Resource{res("cfg/recorder", "r", nil), res("cfg/recorderStatus", "s", m{"isEnabled": true}), res("cfg/deliveryChannel", "c", nil), res("guardduty/detector", "g", nil), res("securityhub/account", "h", nil)}},
			{name: "not", scope: Account, graph: []Resource{res("cfg/recorder", "r", nil), res("cfg/recorderStatus", "s", m{"isEnabled": false}), res("guardduty/detector", "g", m{"enable": false})},
				want: []string{"AWS Config records nothing", "GuardDuty is off", "Security Hub is off"}},
		},
		"CD-39": {
			{name: "heals", scope: Prod, graph: []Resource{group(nil), group(m{"targetGroupArns": nil, "healthCheckType": "EC2"})}},
			{name: "does not", scope: Prod, graph: []Resource{group(m{"launchTemplate": nil, "healthCheckType": nil, "vpcZoneIdentifiers": list{"a-id"}, "tags": list{m{"key": "Role", "value": "x"}}})},
				want: []string{"has no launch template", "set healthCheckType to ELB", "is in one availability zone", "keeps the tag Role from its machines"}},
			{name: "attached", scope: Prod, graph: []Resource{group(m{"targetGroupArns": nil, "healthCheckType": "EC2"}), res("autoscaling/attachment", "a", m{"autoscalingGroupName": "sbcs"})}, want: []string{"set healthCheckType to ELB"}},
		},
		"CD-40": {
			{name: "drains", scope: Stage, graph: []Resource{group(nil), hook(nil), launch(nil), res("autoscaling/group", "web", m{"tags": list{m{"key": "Role", "value": "web"}}})}},
			{name: "initial hook, default heartbeat", scope: Stage, graph: []Resource{group(m{"initialLifecycleHooks": list{m{"lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "defaultResult": "ABANDON"}}})}},
			{name: "own bound", scope: Stage, graph: []Resource{group(nil), hook(m{"heartbeatTimeout": 30}), launch(m{"userData": facts(900)})}},
			{name: "own bound, too long", scope: Stage, graph: []Resource{group(nil), hook(nil), launch(m{"userData": facts(36000)})}, want: []string{"waits for 8h20m0s, and draining may take 10h0m0s"}},
			{name: "cuts calls", scope: Prod, graph: []Resource{group(m{"capacityRebalance": true}), hook(m{"lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}), launch(m{"instanceMarketOptions": m{"marketType": "spot"}})},
				want: []string{"sbcs: ends calls at scale-in", "sbcs: ends calls when AWS wants a machine back", "sbcs: has spot instances"}},
			{name: "too short", scope: Prod, graph: []Resource{group(nil), hook(m{"heartbeatTimeout": 30, "defaultResult": nil})}, want: []string{"does not say what becomes", "waits for 50m0s, and draining may take 5h0m0s: set heartbeatTimeout to at least 180 seconds"}},
			{name: "a share of spot", scope: Prod, graph: []Resource{group(m{"mixedInstancesPolicy": m{"instancesDistribution": m{"onDemandPercentageAboveBaseCapacity": 50}}}), hook(nil)}, want: []string{"has spot instances"}},
		},
		"CD-41": {
			{name: "heard and kept", scope: Prod, graph: []Resource{res("cloudwatch/metricAlarm", "cpu", m{"alarmActions": list{"arn"}}), res("cloudwatch/metricAlarm", "part", nil),
				res("cloudwatch/compositeAlarm", "both", m{"alarmRule": `ALARM("part") AND ALARM(cpu)`, "alarmActions": list{"arn"}}), res("cloudwatch/logGroup", "logs", m{"retentionInDays": 365, "kmsKeyId": "key-arn"})}},
			{name: "not", scope: Prod, graph: []Resource{res("cloudwatch/metricAlarm", "cpu", nil), res("cloudwatch/metricAlarm", "off", m{"alarmActions": list{"arn"}, "actionsEnabled": false}),
				res("cloudwatch/logGroup", "short", m{"retentionInDays": 90, "kmsKeyId": "key-arn"}), res("cloudwatch/logGroup", "ever", nil)},
				want: []string{"cpu: tells nobody", "off: has its actions switched off", "short: keeps logs for 90 days: set retentionInDays to at least 365", "ever: keeps logs for ever", "ever: is not encrypted"}},
			{name: "stage", scope: Stage, graph: []Resource{res("cloudwatch/logGroup", "short", m{"retentionInDays": 90, "kmsKeyId": "key-arn"})}},
		},
		"CD-42": {
			{name: "kept", scope: Dev, graph: []Resource{res("secretsmanager/secret", "s", m{"kmsKeyId": "key-arn"}), res("ssm/parameter", "p", m{"type": "SecureString", "keyId": "key-arn", "name": "/x/password"}), db(nil),
				res("ssm/parameter", "plain", m{"type": "String", "name": "/x/version"}), instance(nil),
				launch(m{"userData": base64.StdEncoding.EncodeToString([]byte(`{"db_secret": "arn:aws:secretsmanager:us-east-1:1:secret:db", "password_file": "/run/p", "token": "$TOKEN"}`))}),
				res("command:local:Command", "c", m{"create": "x", "environment": m{"A": "b"}, "stdin": Secret{}})}},
			{name: "AWS's keys", scope: Dev, graph: []Resource{res("secretsmanager/secret", "s", nil), res("ssm/parameter", "p", m{"type": "SecureString"}), db(m{"masterUserSecretKmsKeyId": nil})},
				want: []string{"s: is encrypted with AWS's own key", "p: is encrypted with AWS's own key", "db: keeps its password under AWS's own key"}},
			{name: "in the open", scope: Dev, graph: []Resource{res("ssm/parameter", "p", m{"type": "String", "name": "/x/db-password"}), db(m{"manageMasterUserPassword": nil, "password": Secret{}}),
				instance(m{"userData": "export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"}), launch(m{"userData": zip("db_password: 'hunter2hunter2'\n")}),
				res("ec2/launchConfiguration", "lc", m{"userData": Secret{}}), res("command:local:Command", "c", m{"environment": m{"PGPASSWORD": Secret{}}}), res("lambda/function", "f", m{"environment": m{"variables": Secret{}}})},
				want: []string{"p: is called after a secret", "db: has a password that nobody rotates", "node: has an access key", "lt: has a literal password", "lc: has a value that Pulumi keeps secret",
					"c: has a secret in environment", "f: has a secret in its environment"}},
			{name: "a private key", scope: Dev, graph: []Resource{instance(m{"userData": "-----BEGIN OPENSSH PRIVATE KEY-----"})}, want: []string{"has a private key"}},
		},
		"CD-43": {
			{name: "least privilege", scope: Dev, graph: []Resource{
				policyOf(`{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]},{"Effect":"Allow","Action":["ec2:DescribeAddresses","cloudwatch:PutMetricData","ssmmessages:*","logs:Describe*"],"Resource":"*"},` +
					`{"Effect":"Allow","Action":"ec2:AssociateAddress","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Pool":"sbc"}}},{"Effect":"Deny","Action":"*","Resource":"*"},` +
					`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::1:role/machine"}`),
				res("iam/policy", "later", m{"policy": Unknown{}}), res("iam/rolePolicyAttachment", "a", m{"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"})}},
			{name: "everything", scope: Dev, graph: []Resource{policyOf(`{"Effect":"Allow","Action":"*","Resource":"*"}`), res("iam/policy", "but", m{"policy": statementOf(`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`)}),
				res("iam/policy", "not", m{"policy": statementOf(`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b"}`)}), res("iam/policy", "bad", m{"policy": "["}),
				res("iam/rolePolicyAttachment", "a", m{"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
				res("iam/role", "r", m{"managedPolicyArns": list{"arn:aws:iam::aws:policy/IAMFullAccess"}, "inlinePolicies": list{m{"policy": statementOf(`{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}`)}}})},
				want: []string{"rights: allows everything", "but: allows every action but iam:*", "not: allows every resource but", "bad: has a policy that is no policy document",
					"r: allows secretsmanager:GetSecretValue on any resource", "a: gives AdministratorAccess", "r: gives IAMFullAccess"}},
			{name: "escalation", scope: Dev, graph: []Resource{policyOf(`{"Effect":"Allow","Action":["iam:Get*","iam:Pass*"],"Resource":"arn:aws:iam::1:role/*"}`)}, want: []string{"allows iam:Pass* on any resource, with which"}},
			{name: "a guardrail", scope: Dev, graph: []Resource{res("chatbot/slackChannelConfiguration", "c", m{"guardrailPolicyArns": list{Unknown{}}})}},
			{name: "no guardrail", scope: Dev, graph: []Resource{res("chatbot/slackChannelConfiguration", "c", m{"slackTeamId": "T1"}),
				res("chatbot/slackChannelConfiguration", "d", m{"guardrailPolicyArns": list{"arn:aws:iam::aws:policy/AdministratorAccess"}})},
				want: []string{"c: has the guardrail AdministratorAccess", "d: gives AdministratorAccess"}},
			{name: "all buckets", scope: Dev, graph: []Resource{policyOf(`{"Effect":"Allow","Action":"s3:List*","Resource":"arn:aws:s3:::*"}`)}, want: []string{"allows s3:List* on any resource"}},
		},
		"CD-44": {
			{name: "managed", scope: Prod, graph: []Resource{instance(nil), launch(nil), profile, machine, ssm}},
			{name: "own policy", scope: Prod, graph: []Resource{instance(nil), profile, machine, res("iam/rolePolicy", "p", m{"role": "machine-id", "policy": statementOf(
				`{"Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:*"],"Resource":"*"}`)})}},
			{name: "elsewhere", scope: Prod, graph: []Resource{instance(m{"iamInstanceProfile": "foreign"})}},
			{name: "neither role nor SSM", scope: Prod, graph: []Resource{instance(m{"iamInstanceProfile": nil, "keyName": "ops"}), launch(nil), profile, machine},
				want: []string{"node: has a key pair", "node: has no instance profile", "lt: SSM cannot manage it"}},
			{name: "a key pair in stage", scope: Stage, graph: []Resource{instance(m{"keyName": "ops"}), profile, machine, ssm}},
		},
		"CD-45": {
			{name: "bound", scope: Account, graph: []Resource{role(githubRole("sts.amazonaws.com", "repo:calldata/foundation:environment:prod")), res("iam/role", "ec2", m{"assumeRolePolicy": statementOf(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}`)}),
				res("iam/role", "later", m{"assumeRolePolicy": Unknown{}})}},
			{name: "any branch, any audience", scope: Account, graph: []Resource{role(githubRole("https://github.com/calldata", "repo:calldata/foundation:*"))}, want: []string{"deploy: takes GitHub's tokens for any audience", "can be taken on from repo:calldata/foundation:*"}},
			{name: "no condition", scope: Account, graph: []Resource{res("iam/openIdConnectProvider", "gh", m{"url": "https://token.actions.githubusercontent.com"}),
				role(statementOf(`{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam:us-east-1:1:gh"}}`))}, want: []string{"any audience", "every repository of GitHub"}},
		},
		"CD-46": {
			{name: "covered", scope: Prod, graph: []Resource{db(nil), res("ebs/volume", "data", m{"tags": m{"Backup": "prod"}}), vault, lock, plan, selection}},
			{name: "by ARN or all", scope: Prod, graph: []Resource{db(m{"tags": nil}), res("ebs/volume", "data", nil), vault, lock, plan,
				res("backup/selection", "s", m{"planId": "plan-id", "resources": list{"arn:aws:rds:us-east-1:1:db", "arn:aws:ec2:*:*:*"}})}},
			{name: "nothing to cover", scope: Prod, graph: []Resource{vpc}},
			{name: "nothing covers", scope: Prod, graph: []Resource{db(nil)}, want: []string{": there is no backup vault", "db: is in no backup"}},
			{name: "half", scope: Prod, graph: []Resource{db(m{"tags": m{"Backup": "stage"}}), res("backup/vault", "vault", nil), plan, res("backup/plan", "idle", nil), selection},
				want: []string{"vault: is encrypted with AWS's own key", "vault: is not locked", "idle: has no rules", "idle: selects nothing", "db: is in no backup"}},
			{name: "conditions", scope: Prod, graph: []Resource{db(nil), vault, lock, plan, res("backup/selection", "s", m{"planId": "plan-id", "resources": list{"*"},
				"conditions": list{m{"stringEquals": list{m{"key": "aws:ResourceTag/Backup", "value": "other"}}}}})}, want: []string{"db: is in no backup"}},
		},
		"CD-47": {
			{name: "encrypted", scope: Stage, graph: []Resource{res("sns/topic", "t", m{"kmsMasterKeyId": "key-arn"}), res("sqs/queue", "q", m{"sqsManagedSseEnabled": true}),
				res("sns/topicPolicy", "p", m{"policy": statementOf(`{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":"1"}}}`)})}},
			{name: "not", scope: Prod, graph: []Resource{res("sns/topic", "t", nil), res("sqs/queue", "q", m{"policy": statementOf(`{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}`)})},
				want: []string{"t: is not encrypted", "q: is not encrypted", "q: its policy allows something to everybody"}},
		},
		"CD-48": {
			{name: "tagged", scope: Dev, graph: []Resource{bucket("b", nil), res("ec2/vpc", "v", m{"tagsAll": allTags}), res("s3/bucketObjectv2", "o", nil), access(nil), res("calldata:vpc:Vpc", "c", nil),
				res("autoscaling/group", "g", m{"tags": list{m{"key": "Project", "value": "p"}, m{"key": "Environment", "value": "e"}, m{"key": "Owner", "value": "o"}, m{"key": "CostCenter", "value": "c"}, m{"key": "ManagedBy", "value": "pulumi"}}})}},
			{name: "not", scope: Dev, graph: []Resource{bucket("b", m{"tags": with(allTags, m{"Owner": "", "CostCenter": nil})}), vpc, group(nil)},
				want: []string{"b: has no tag Owner, CostCenter:", "net: has no tag Project, Environment, Owner, CostCenter, ManagedBy", "sbcs: has no tag Project"}},
		},
		"CD-49": {
			{name: "a budget", scope: Account, graph: []Resource{budget}},
			{name: "no budget", scope: Account, graph: []Resource{vpc}, want: []string{": there is no budget"}},
			{name: "a silent budget", scope: Dev, graph: []Resource{res("budgets/budget", "b", m{"notifications": list{m{"threshold": 80}}})}, want: []string{"b: has a notification that reaches nobody"}},
			{name: "modest", scope: Dev, graph: []Resource{instance(nil), launch(nil), db(nil), group(m{"maxSize": 3})}},
			{name: "costly", scope: Dev, graph: []Resource{instance(m{"instanceType": "x1e.32xlarge"}), launch(m{"instanceType": "t4g.large"}), db(m{"instanceClass": "db.r6i.32xlarge"}), group(nil)},
				want: []string{"node: is of the type x1e.32xlarge", "lt: is of the type t4g.large", "db: is of the type db.r6i.32xlarge", "sbcs: may grow to 4 machines: set maxSize to at most 3"}},
			{name: "NAT in each zone", scope: Prod, graph: slices.Concat([]Resource{vpc, nat("n1"), nat("n2"), subnet("a", "us-east-1a"), subnet("b", "us-east-1b"), routed("a", "ta"), routed("b", "tb")}, natRoute("ta", "n1"), natRoute("tb", "n2"))},
			{name: "one NAT", scope: Prod, graph: slices.Concat([]Resource{vpc, nat("n1"), subnet("a", "us-east-1a"), subnet("b", "us-east-1b"), routed("a", "ta"), routed("b", "tb")}, natRoute("ta", "n1"), natRoute("tb", "n1")),
				want: []string{"net: has 1 NAT gateways for private subnets in 2 zones"}},
			{name: "one NAT in stage", scope: Stage, graph: slices.Concat([]Resource{vpc, nat("n1"), subnet("a", "us-east-1a"), subnet("b", "us-east-1b"), routed("a", "ta"), routed("b", "tb")}, natRoute("ta", "n1"), natRoute("tb", "n1"))},
		},
		"CD-50": {
			{name: "protected", scope: Prod, graph: []Resource{db(nil, retained), bucket("backups", nil, retained), bucket("logs", nil), res("kms/key", "k", nil, retained), res("ec2/eip", "sip", nil, retained),
				res("ec2/eip", "n1-eip", nil), nat("n1"), res("ebs/volume", "data", nil, protected)}},
			{name: "not", scope: Prod, graph: []Resource{db(nil), bucket("backups", nil, protected), res("ec2/eip", "sip", nil, retained), res("ebs/volume", "data", nil)},
				want: []string{"db: can be deleted", "data: can be deleted", "db: is deleted once", "backups: is deleted once"}},
			{name: "preview", scope: Prod, unretained: true, graph: []Resource{db(nil, protected), bucket("backups", nil)}, want: []string{"backups: can be deleted"}},
		},
	}
}
