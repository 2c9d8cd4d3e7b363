package permission

import (
	"slices"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// services are those that the components use. A boundary gives nothing: it is the most that policies can. A component
// that uses another service needs it here, and in a policy of Deploy.
var services = []string{
	"ec2:*", "ec2messages:*", "ebs:*", "elasticloadbalancing:*", "autoscaling:*", "rds:*", "rds-db:*", "kms:*", "secretsmanager:*", "ssm:*", "ssmmessages:*",
	"logs:*", "cloudwatch:*", "events:*", "sns:*", "backup:*", "backup-storage:*", "acm:*", "wafv2:*", "servicequotas:Get*", "servicequotas:List*", "tag:Get*",
}

// worldwide limits a statement to services without a region, which AWS counts as us-east-1.
// Source: AWS IAM User Guide, "AWS global condition context keys", aws:RequestedRegion.
var worldwide = conditions{"StringEquals": {"aws:RequestedRegion": {"us-east-1"}}}

// global are services without a region.
var global = []string{"iam:Get*", "iam:List*", "route53:*"}

// irreversible are the actions that lose what no deployment brings back.
var irreversible = []string{
	"rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "rds:DeleteDBInstanceAutomatedBackup", "ec2:DeleteVolume", "ec2:DeleteSnapshot", "ec2:ReleaseAddress",
	"s3:DeleteBucket", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "kms:ScheduleKeyDeletion", "kms:DisableKey",
	"backup:DeleteBackupVault", "backup:DeleteBackupVaultLockConfiguration", "backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle", "logs:DeleteLogGroup",
}

// remote are the actions by which Systems Manager runs commands on machines. It chooses them by tags, and asks IAM about the
// document rather than about each machine. Nothing of ours needs them.
// Source: AWS Service Authorization Reference, AWS Systems Manager, CreateAssociation and others, resource types.
var remote = []string{
	"ssm:SendCommand", "ssm:CreateAssociation*", "ssm:UpdateAssociation", "ssm:StartAssociationsOnce", "ssm:StartAutomationExecution", "ssm:StartChangeRequestExecution",
	"ssm:RegisterTaskWithMaintenanceWindow", "ssm:UpdateMaintenanceWindowTask",
}

// Boundary is the limit of the role of deployments, whatever policies it has.
func (s Scope) Boundary() Policy {
	bucket := "arn:aws:s3:::" + s.StateBucket
	return Policy{Name: "deploy-boundary", Statements: slices.Concat(
		s.ceiling(append([]string{bucket}, append(s.stateFiles(), s.stateMeta())...)...),
		s.identity(),
		s.slack(),
		s.apart(s.Others),
	)}
}

// WorkloadBoundary is the limit of every role that deployments make: what deployments may do, but for identities and for
// the state. Nothing of the account itself is open to it, such as the key of the state.
func (s Scope) WorkloadBoundary() Policy {
	return Policy{Name: "workload-boundary", Statements: slices.Concat(
		s.ceiling(), []iamdoc.Statement{s.passRoles()}, s.apart(append(slices.Clone(s.Others), Account)),
	)}
}

// ceiling is what policies may allow. Buckets are told apart by their names alone.
func (s Scope) ceiling(buckets ...string) []iamdoc.Statement {
	return []iamdoc.Statement{
		{Sid: "Services", Actions: services, Resources: []string{"*"}, Conditions: s.here()},
		{Sid: "GlobalServices", Actions: global, Resources: []string{"*"}, Conditions: worldwide},
		{Sid: "OwnBuckets", Actions: []string{"s3:*"}, Resources: append([]string{"arn:aws:s3:::" + s.Environment + "-*"}, buckets...)},
		{Sid: "BucketNames", Actions: []string{"s3:ListAllMyBuckets", "s3:GetAccountPublicAccessBlock"}, Resources: []string{"*"}, Conditions: s.here()},
	}
}

// apart denies what belongs to other environments, making anything that would, and commands for machines anywhere. What
// carries no tag Environment, or the value of no environment of ours, is not denied: a domain's zone or an image can be
// shared.
func (s Scope) apart(others []string) []iamdoc.Statement {
	var statements []iamdoc.Statement
	deny := func(sid, key string, environments []string) {
		var stacks []string
		for _, e := range environments {
			stacks = append(stacks, e, e+"-*")
		}
		statements = append(statements, iamdoc.Statement{Sid: sid, Effect: iamdoc.EffectDeny, Actions: []string{"*"}, Resources: []string{"*"},
			Conditions: conditions{"StringLike": {key: stacks}}})
	}
	if len(others) > 0 {
		deny("NotOfOthers", "aws:ResourceTag/Environment", others)
	}
	deny("NotForOthers", "aws:RequestTag/Environment", append(slices.Clone(s.Others), Account))
	statements = append(statements, iamdoc.Statement{Sid: "NoRemoteCommands", Effect: iamdoc.EffectDeny, Actions: remote, Resources: []string{"*"}})
	if s.Guarded {
		statements = append(statements, iamdoc.Statement{Sid: "NothingForEver", Effect: iamdoc.EffectDeny, Actions: irreversible, Resources: []string{"*"}})
	}
	return statements
}
