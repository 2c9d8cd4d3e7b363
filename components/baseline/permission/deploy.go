package permission

import "github.com/calldata/calldata-foundation/components/iamdoc"

// Deploy is what ReadOnly needs to become the policy of deployments: the changes that the components of this project make,
// and those that operators make through `calldata`. The boundary limits each of them to the environment.
func (s Scope) Deploy() []Policy {
	return []Policy{
		{Name: "state", Statements: append(append(s.readState(), s.writeState()...), s.noContents(readable{
			objects:    []string{"arn:aws:s3:::" + s.Environment + "-*"},
			parameters: s.arns("ssm", s.parameters()),
			secrets:    s.secrets(),
		})...)},
		{Name: "network", Statements: s.network()},
		{Name: "edge", Statements: s.edge()},
		{Name: "compute", Statements: s.compute()},
		{Name: "data", Statements: s.data()},
		{Name: "operations", Statements: s.operations()},
		{Name: "identity", Statements: s.identity()},
	}
}

// parameters are the environment's own SSM parameters; hierarchy is their path.
func (s Scope) parameters() string { return "parameter" + s.path() + "/*" }

// path is where an environment's log groups and parameters are.
func (s Scope) path() string { return "/calldata/" + s.stack() }

// secrets are the environment's own secrets, and those that its workflows read. The one that RDS keeps is not among them: it is named by RDS, and only the
// machines that need it read it.
func (s Scope) secrets() []string {
	return s.arns("secretsmanager", "secret:"+s.Environment+"-*", "secret:calldata/"+s.Environment+"/*")
}

// network is the VPC and its firewalls. EC2 tells its resources by tags, and some that AWS makes along with a VPC have
// none when we change them first: here the boundary, which denies the tags of other environments, is the limit.
func (s Scope) network() []iamdoc.Statement {
	return []iamdoc.Statement{
		{Sid: "Network", Conditions: s.here(), Resources: []string{"*"}, Actions: []string{
			"ec2:CreateVpc", "ec2:DeleteVpc", "ec2:ModifyVpcAttribute", "ec2:AssociateVpcCidrBlock", "ec2:DisassociateVpcCidrBlock",
			"ec2:CreateSubnet", "ec2:DeleteSubnet", "ec2:ModifySubnetAttribute",
			"ec2:CreateInternetGateway", "ec2:DeleteInternetGateway", "ec2:AttachInternetGateway", "ec2:DetachInternetGateway",
			"ec2:CreateNatGateway", "ec2:DeleteNatGateway", "ec2:AllocateAddress", "ec2:ReleaseAddress", "ec2:AssociateAddress", "ec2:DisassociateAddress",
			"ec2:ModifyAddressAttribute", "ec2:ResetAddressAttribute",
			"ec2:CreateRouteTable", "ec2:DeleteRouteTable", "ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute",
			"ec2:AssociateRouteTable", "ec2:DisassociateRouteTable", "ec2:ReplaceRouteTableAssociation",
			"ec2:CreateNetworkAcl", "ec2:DeleteNetworkAcl", "ec2:CreateNetworkAclEntry", "ec2:ReplaceNetworkAclEntry", "ec2:DeleteNetworkAclEntry", "ec2:ReplaceNetworkAclAssociation",
			"ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress",
			"ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress", "ec2:ModifySecurityGroupRules",
			"ec2:UpdateSecurityGroupRuleDescriptionsIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
			"ec2:CreateManagedPrefixList", "ec2:ModifyManagedPrefixList", "ec2:DeleteManagedPrefixList",
			"ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints", "ec2:CreateFlowLogs", "ec2:DeleteFlowLogs",
			"ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:CreateTags", "ec2:DeleteTags",
		}},
		// An interface endpoint answers under AWS's own name by a hidden zone.
		// Source: AWS Service Authorization Reference, Amazon EC2, CreateVpcEndpoint.
		{Sid: "EndpointNames", Actions: []string{"route53:AssociateVPCWithHostedZone"}, Resources: append(s.arns("ec2", "vpc/*"), "arn:aws:route53:::hostedzone/*")},
	}
}

// edge is load balancers, their certificates and firewall, and DNS.
func (s Scope) edge() []iamdoc.Statement {
	records := iamdoc.Statement{Sid: "Records", Actions: []string{"route53:ChangeResourceRecordSets"}, Resources: []string{"arn:aws:route53:::hostedzone/*"}}
	if len(s.Domains) > 0 {
		var names []string
		for _, d := range s.Domains {
			names = append(names, d, "*."+d)
		}
		records.Conditions = conditions{"ForAllValues:StringLike": {"route53:ChangeResourceRecordSetsNormalizedRecordNames": names}}
	}
	return []iamdoc.Statement{
		{Sid: "Balancers", Conditions: s.here(), Resources: []string{"*"}, Actions: []string{
			"elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:ModifyLoadBalancerAttributes",
			"elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets", "elasticloadbalancing:SetIpAddressType", "elasticloadbalancing:SetWebAcl",
			"elasticloadbalancing:CreateWebACLAssociation", "elasticloadbalancing:DeleteWebACLAssociation",
			"elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
			"elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets",
			"elasticloadbalancing:CreateListener", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes",
			"elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:RemoveListenerCertificates",
			"elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:SetRulePriorities",
			"elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags",
		}},
		{Sid: "NewCertificates", Actions: []string{"acm:RequestCertificate"}, Resources: []string{"*"}, Conditions: s.here()},
		{Sid: "Certificates", Conditions: s.here(), Resources: s.arns("acm", "certificate/*"), Actions: []string{
			"acm:DeleteCertificate", "acm:UpdateCertificateOptions", "acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate",
		}},
		{Sid: "WebFirewall", Conditions: s.here(), Resources: []string{"*"}, Actions: []string{
			"wafv2:CreateWebACL", "wafv2:UpdateWebACL", "wafv2:DeleteWebACL", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL",
			"wafv2:PutLoggingConfiguration", "wafv2:DeleteLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource",
		}},
		// Source: AWS WAF Developer Guide, "Permissions to log to CloudWatch Logs".
		{Sid: "WebFirewallLogs", Conditions: s.here(), Resources: []string{"*"}, Actions: []string{
			"logs:CreateLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:DeleteResourcePolicy",
		}},
		records,
		{Sid: "NewHealthChecks", Actions: []string{"route53:CreateHealthCheck"}, Resources: []string{"*"}, Conditions: worldwide},
		{Sid: "HealthChecks", Resources: []string{"arn:aws:route53:::healthcheck/*"}, Actions: []string{
			"route53:UpdateHealthCheck", "route53:DeleteHealthCheck", "route53:ChangeTagsForResource",
		}},
	}
}

// compute is machines and fleets, and the way to them.
func (s Scope) compute() []iamdoc.Statement {
	checked := conditions{"BoolIfExists": {"ssm:SessionDocumentAccessCheck": {"true"}}}
	return []iamdoc.Statement{
		{Sid: "Machines", Conditions: s.here(), Resources: []string{"*"}, Actions: []string{
			"ec2:RunInstances", "ec2:TerminateInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances", "ec2:MonitorInstances", "ec2:UnmonitorInstances",
			"ec2:ModifyInstanceAttribute", "ec2:ModifyInstanceMetadataOptions", "ec2:ModifyInstanceMaintenanceOptions", "ec2:ModifyInstanceCreditSpecification",
			"ec2:AssociateIamInstanceProfile", "ec2:DisassociateIamInstanceProfile", "ec2:ReplaceIamInstanceProfileAssociation",
			"ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate", "ec2:DeleteLaunchTemplate", "ec2:DeleteLaunchTemplateVersions",
			"ec2:CreateVolume", "ec2:ModifyVolume", "ec2:AttachVolume", "ec2:DetachVolume", "ec2:DeleteVolume", "ec2:CreateSnapshot",
			"ec2:ImportKeyPair", "ec2:DeleteKeyPair",
		}},
		{Sid: "Fleets", Resources: s.arns("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+s.Environment+"-*"), Actions: []string{
			"autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup", "autoscaling:DeleteAutoScalingGroup", "autoscaling:SetDesiredCapacity",
			"autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags", "autoscaling:PutScalingPolicy", "autoscaling:DeletePolicy",
			"autoscaling:PutLifecycleHook", "autoscaling:DeleteLifecycleHook", "autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat",
			"autoscaling:PutNotificationConfiguration", "autoscaling:DeleteNotificationConfiguration", "autoscaling:PutScheduledUpdateGroupAction", "autoscaling:DeleteScheduledAction",
			"autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:DetachLoadBalancerTargetGroups", "autoscaling:AttachTrafficSources", "autoscaling:DetachTrafficSources",
			"autoscaling:EnableMetricsCollection", "autoscaling:DisableMetricsCollection", "autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses",
			"autoscaling:StartInstanceRefresh", "autoscaling:CancelInstanceRefresh", "autoscaling:RollbackInstanceRefresh", "autoscaling:SetInstanceProtection", "autoscaling:SetInstanceHealth",
			"autoscaling:EnterStandby", "autoscaling:ExitStandby", "autoscaling:TerminateInstanceInAutoScalingGroup", "autoscaling:PutWarmPool", "autoscaling:DeleteWarmPool",
		}},
		// Ansible and `calldata` reach machines by SSH through Session Manager, and in no other way: a shell, a command or
		// another port would need no SSH key. Without the check, a session that names no document would be a shell, and the
		// check must be in every statement about StartSession.
		// Source: AWS Systems Manager User Guide, "Start a session with a document by specifying the session documents in IAM
		// policies".
		{Sid: "Sessions", Actions: []string{"ssm:StartSession"}, Resources: s.arns("ec2", "instance/*"), Conditions: s.own().with(checked)},
		{Sid: "SessionDocument", Actions: []string{"ssm:StartSession"}, Resources: []string{"arn:aws:ssm:*::document/AWS-StartSSHSession"}, Conditions: checked},
		{Sid: "OwnSessions", Actions: []string{"ssm:ResumeSession", "ssm:TerminateSession"}, Resources: s.arns("ssm", "session/*"),
			// Source: AWS Systems Manager User Guide, "Quickstart default IAM policies for Session Manager".
			Conditions: conditions{"StringLike": {"ssm:resourceTag/aws:ssmmessages:session-id": {"${aws:userid}"}}}},
		// The stream of a session is guarded by the token that StartSession answers.
		{Sid: "SessionStreams", Actions: []string{"ssmmessages:OpenDataChannel"}, Resources: []string{"*"}, Conditions: s.here()},
	}
}

// data is databases, buckets, keys, secrets and backups. Recovery points and snapshots of what there is are not deleted from here:
// they are what is left when a deployment, or whoever has taken it over, has done the worst.
func (s Scope) data() []iamdoc.Statement {
	e := s.Environment
	return []iamdoc.Statement{
		{Sid: "Databases", Resources: s.arns("rds", "db:"+e+"-*", "subgrp:"+e+"-*", "pg:"+e+"-*", "og:default:*", "snapshot:"+e+"-*", "snapshot:rds:"+e+"-*"), Actions: []string{
			"rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:DeleteDBInstance", "rds:RebootDBInstance", "rds:StartDBInstance", "rds:StopDBInstance",
			"rds:CreateDBSubnetGroup", "rds:ModifyDBSubnetGroup", "rds:DeleteDBSubnetGroup",
			"rds:CreateDBParameterGroup", "rds:ModifyDBParameterGroup", "rds:ResetDBParameterGroup", "rds:DeleteDBParameterGroup",
			"rds:CreateDBSnapshot", "rds:CopyDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot", "rds:RestoreDBInstanceToPointInTime", "rds:AddTagsToResource", "rds:RemoveTagsFromResource",
		}},
		// AWS Backup names its snapshots after nothing of ours, but tags them.
		{Sid: "RecoveryPoints", Actions: []string{"rds:CopyDBSnapshot"}, Resources: s.arns("rds", "snapshot:awsbackup:*"), Conditions: s.own()},
		// The copy that a database has begun with (components/rds); what it is a copy of stays.
		{Sid: "BegunWith", Actions: []string{"rds:DeleteDBSnapshot"}, Resources: s.arns("rds", "snapshot:"+e+"-*-begin")},
		{Sid: "Buckets", Resources: []string{"arn:aws:s3:::" + e + "-*"}, Actions: []string{
			"s3:CreateBucket", "s3:DeleteBucket", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucket*", "s3:DeleteBucketPolicy",
			"s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutReplicationConfiguration",
			"s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload",
		}},
		{Sid: "NewKeys", Actions: []string{"kms:CreateKey"}, Resources: []string{"*"}, Conditions: s.created()},
		// A key that is being made has no tags yet. This would also take a key that nobody has given an Environment.
		// Source: AWS KMS Developer Guide, "Controlling access to tags".
		{Sid: "TagNewKeys", Actions: []string{"kms:TagResource"}, Resources: s.arns("kms", "key/*"), Conditions: s.created().with(
			conditions{"Null": {"aws:ResourceTag/Environment": {"true"}}},
		)},
		{Sid: "Keys", Resources: s.arns("kms", "key/*"), Conditions: s.own(), Actions: []string{
			"kms:PutKeyPolicy", "kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:UpdateKeyDescription", "kms:TagResource", "kms:UntagResource",
			"kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias",
			// For what AWS services encrypt on the deployment's behalf; the keys' own policies say which services.
			"kms:CreateGrant", "kms:RetireGrant", "kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
		}},
		{Sid: "Aliases", Actions: []string{"kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"}, Resources: s.arns("kms", "alias/"+e+"-*")},
		{Sid: "Secrets", Resources: append(s.secrets(), s.arns("secretsmanager", "secret:rds!db-*")...), Actions: []string{
			"secretsmanager:CreateSecret", "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret", "secretsmanager:RotateSecret",
			"secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:PutResourcePolicy", "secretsmanager:DeleteResourcePolicy",
		}},
		{Sid: "OwnSecrets", Actions: []string{"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"}, Resources: s.secrets()},
		{Sid: "Vaults", Resources: s.arns("backup", "backup-vault:"+e+"-*", "backup-plan:*", "recovery-point:*"), Actions: []string{
			"backup:CreateBackupVault", "backup:DeleteBackupVault", "backup:PutBackupVaultLockConfiguration", "backup:DeleteBackupVaultLockConfiguration", "backup:PutBackupVaultNotifications", "backup:DeleteBackupVaultNotifications",
			"backup:CreateBackupPlan", "backup:UpdateBackupPlan", "backup:DeleteBackupPlan", "backup:CreateBackupSelection", "backup:DeleteBackupSelection",
			"backup:StartBackupJob", "backup:StartCopyJob", "backup:StartRestoreJob", "backup:TagResource", "backup:UntagResource",
		}},
		// Source: AWS Backup Developer Guide, "API permissions", CreateBackupVault.
		{Sid: "VaultStorage", Actions: []string{"backup-storage:MountCapsule"}, Resources: []string{"*"}, Conditions: s.here()},
	}
}

// operations is logs, alarms, notices and parameters.
func (s Scope) operations() []iamdoc.Statement {
	e := s.Environment
	groups := s.arns("logs", "log-group:"+e+"-*", "log-group:"+s.path()+"/*", "log-group:/aws/*/"+e+"-*", "log-group:aws-waf-logs-"+e+"-*")
	return append(s.slack(), []iamdoc.Statement{
		{Sid: "Logs", Resources: groups, Actions: []string{
			"logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy", "logs:AssociateKmsKey", "logs:DisassociateKmsKey",
			"logs:PutMetricFilter", "logs:DeleteMetricFilter", "logs:TagResource", "logs:UntagResource",
		}},
		// IAM does not tell saved queries apart. Source: Service Authorization Reference, Amazon CloudWatch Logs.
		{Sid: "Queries", Actions: []string{"logs:PutQueryDefinition", "logs:DeleteQueryDefinition"}, Resources: []string{"*"}, Conditions: s.here()},
		{Sid: "Alarms", Resources: append(s.arns("cloudwatch", "alarm:"+e+"-*"), "arn:aws:cloudwatch::"+s.Account+":dashboard/"+e+"-*"), Actions: []string{
			"cloudwatch:PutMetricAlarm", "cloudwatch:PutCompositeAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:EnableAlarmActions", "cloudwatch:DisableAlarmActions", "cloudwatch:SetAlarmState",
			"cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards", "cloudwatch:TagResource", "cloudwatch:UntagResource",
		}},
		{Sid: "Notices", Resources: s.arns("sns", e+"-*"), Actions: []string{
			"sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:Publish", "sns:TagResource", "sns:UntagResource",
		}},
		// IAM does not tell subscriptions apart.
		{Sid: "Subscriptions", Actions: []string{"sns:Unsubscribe", "sns:SetSubscriptionAttributes"}, Resources: []string{"*"}, Conditions: s.here()},
		{Sid: "Events", Resources: s.arns("events", "rule/"+e+"-*"), Actions: []string{
			"events:PutRule", "events:DeleteRule", "events:EnableRule", "events:DisableRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
		}},
		{Sid: "Parameters", Resources: s.arns("ssm", s.parameters()), Actions: []string{
			"ssm:PutParameter", "ssm:DeleteParameter", "ssm:DeleteParameters", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource",
		}},
	}...)
}
