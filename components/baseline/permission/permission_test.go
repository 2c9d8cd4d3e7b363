package permission

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

func dev() Scope {
	return Scope{
		Account: "123456789012", Region: "eu-central-1", Project: "calldata-foundation", Environment: "dev", Others: []string{"stage", "prod"},
		StateBucket: "state", SecretsKeyAlias: "alias/calldata-foundation-secrets",
	}
}

// readOnly stands for AWS's ReadOnlyAccess, with those of its actions that matter here.
var readOnly = []iamdoc.Statement{{Resources: []string{"*"}, Actions: []string{
	"acm:Describe*", "acm:List*", "autoscaling:Describe*", "cloudwatch:Describe*", "dynamodb:Get*", "dynamodb:Query", "dynamodb:Scan", "ec2:Describe*", "ec2:Get*", "elasticloadbalancing:Describe*", "iam:Get*", "iam:List*",
	"kms:Describe*", "kms:Get*", "kms:List*", "logs:Describe*", "logs:FilterLogEvents", "logs:Get*", "rds:Describe*", "rds:Download*", "rds:List*", "s3:Get*", "s3:List*",
	"secretsmanager:Describe*", "secretsmanager:List*", "sqs:Receive*", "ssm:Describe*", "ssm:Get*", "ssm:List*", "route53:Get*", "route53:List*",
}}}

func statements(policies []Policy) []iamdoc.Statement {
	all := slices.Clone(readOnly)
	for _, p := range policies {
		all = append(all, p.Statements...)
	}
	return all
}

const (
	account = "arn:aws:%s:eu-central-1:123456789012:"
	key     = "arn:aws:kms:eu-central-1:123456789012:key/1"
	secrets = "alias/calldata-foundation-secrets"
	state   = "arn:aws:s3:::state/.pulumi/"
)

func arn(service, resource string) string {
	return strings.Replace(account, "%s", service, 1) + resource
}

// alias is the context of a call on the key of the state.
func alias(name string) map[string]string {
	return map[string]string{"kms:ResourceAliases": name, "aws:ResourceTag/Environment": "account"}
}

func TestPreviewReadsAndSeesNoSecrets(t *testing.T) {
	t.Parallel()
	policies := statements(dev().Preview())
	for _, tc := range []struct {
		request
		want bool
	}{
		{request{"ec2:DescribeInstances", "*", nil}, true},
		{request{"chatbot:DescribeSlackChannelConfigurations", "*", map[string]string{"aws:RequestedRegion": "us-west-2"}}, true},
		{request{"chatbot:DeleteSlackChannelConfiguration", slackChannel + "dev-slack", map[string]string{"aws:RequestedRegion": "us-west-2"}}, false},
		{request{"s3:GetBucketPolicy", "arn:aws:s3:::dev-backups-1234567", nil}, true},
		{request{"s3:GetObject", state + "stacks/calldata-foundation/dev.json", nil}, true},
		{request{"s3:GetObject", state + "stacks/calldata-foundation/dev.pulumi-tags", nil}, true},
		{request{"s3:GetObject", state + "meta.yaml", nil}, true},
		{request{"s3:ListBucket", "arn:aws:s3:::state", nil}, true},
		{request{"kms:Decrypt", key, alias(secrets)}, true},
		{request{"s3:GetObject", "arn:aws:s3:::dev-artifacts-1234567/bundles/abc.tar.gz", nil}, true},
		{request{"kms:Decrypt", key, map[string]string{"aws:ResourceTag/Environment": "dev", "kms:ViaService": "s3.eu-central-1.amazonaws.com"}}, true},
		{request{"ssm:GetParameter", "arn:aws:ssm:eu-central-1::parameter/aws/service/debian/release/12/latest/amd64", nil}, true},

		{request{"s3:GetObject", state + "stacks/calldata-foundation/prod.json", nil}, false},
		{request{"s3:GetObject", state + "stacks/calldata-foundation/dev-two.json", nil}, false},
		{request{"s3:PutObject", state + "stacks/calldata-foundation/dev.json", nil}, false},
		{request{"s3:PutObject", state + "locks/organization/calldata-foundation/dev/1.json", nil}, false},
		{request{"s3:GetObject", "arn:aws:s3:::dev-backups-1234567/uc-1/dump.gpg", nil}, false},
		{request{"s3:GetObject", "arn:aws:s3:::prod-artifacts-1234567/bundles/abc.tar.gz", nil}, false},
		{request{"s3:GetObjectVersion", "arn:aws:s3:::prod-backups-1234567/uc-1/dump.gpg", nil}, false},
		{request{"kms:Decrypt", key, alias("alias/dev-database")}, false},
		{request{"kms:Decrypt", key, map[string]string{"aws:ResourceTag/Environment": "prod", "kms:ViaService": "s3.eu-central-1.amazonaws.com"}}, false},
		{request{"kms:Decrypt", key, map[string]string{"aws:ResourceTag/Environment": "dev", "kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}}, false},
		{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:dev-x"), nil}, false},
		{request{"ssm:GetParameter", arn("ssm", "parameter/calldata/dev/x"), nil}, false},
		{request{"ssm:GetParametersByPath", arn("ssm", "parameter/calldata"), nil}, false},
		{request{"logs:GetLogEvents", arn("logs", "log-group:dev-x:log-stream:y"), nil}, false},
		{request{"rds:DownloadDBLogFilePortion", arn("rds", "db:dev-db"), nil}, false},
		{request{"ec2:GetConsoleOutput", arn("ec2", "instance/i-1"), nil}, false},
		{request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("dev")}, false},
		{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/dev-x", nil}, false},
		{request{"ssm:StartSession", arn("ec2", "instance/i-1"), tagged("dev")}, false},
		{request{"ssm:StartSession", sessionDocument, nil}, false},
		{request{"ssm:ResumeSession", arn("ssm", "session/me-1"), session("AROA1:me")}, false},
		{request{"ssm:TerminateSession", arn("ssm", "session/me-1"), session("AROA1:me")}, false},
		{request{"ssm:SendCommand", arn("ec2", "instance/i-1"), tagged("dev")}, false},
		{request{"ssmmessages:OpenDataChannel", arn("ssm", "session/me-1"), nil}, false},
	} {
		assert.Equal(t, tc.want, allowed(policies, nil, tc.request), "%s on %s %v", tc.action, tc.resource, tc.context)
	}
}

// AWS extends ReadOnlyAccess now and then, and somebody may attach more. Secrets and contents stay shut all the same.
func TestPreviewSeesNoSecretsWhateverItMayRead(t *testing.T) {
	t.Parallel()
	anything := []iamdoc.Statement{{Actions: []string{"*"}, Resources: []string{"*"}}}
	for role, policies := range map[string][]Policy{"preview": dev().Preview(), "deploy": dev().Deploy()} {
		all := append(slices.Clone(anything), statements(policies)...)
		requests := []request{
			{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:rds!db-1"), nil},
			{"secretsmanager:BatchGetSecretValue", arn("secretsmanager", "secret:prod-x"), nil},
			{"ssm:GetParameterHistory", arn("ssm", "parameter/calldata/prod/x"), nil},
			{"s3:GetObject", "arn:aws:s3:::prod-backups-1234567/x", nil},
			{"s3:GetObjectVersion", state + "stacks/calldata-foundation/prod.json", nil},
		}
		for _, action := range contents {
			requests = append(requests, request{action, "*", nil})
		}
		for _, r := range requests {
			assert.False(t, allowed(all, nil, r), "%s: %s on %s", role, r.action, r.resource)
		}
	}
}

// Who calls from outside has no other policy, not even AWS's for readers.
func TestCallsTellWhatCameOfThem(t *testing.T) {
	t.Parallel()
	var policies []iamdoc.Statement
	for _, p := range dev().Calls() {
		policies = append(policies, p.Statements...)
	}
	namespace := func(name string) map[string]string { return map[string]string{"cloudwatch:namespace": name} }
	for _, tc := range []struct {
		request
		want bool
	}{
		{request{"s3:GetObject", state + "stacks/calldata-foundation/dev.json", nil}, true},
		{request{"kms:Decrypt", key, alias(secrets)}, true},
		{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:calldata/dev/calls-AbCdEf"), nil}, true},
		{request{"cloudwatch:PutMetricData", "*", namespace("CallData/Outside")}, true},

		{request{"cloudwatch:PutMetricData", "*", namespace("CallData")}, false},
		{request{"cloudwatch:PutMetricData", "*", nil}, false},
		{request{"s3:GetObject", state + "stacks/calldata-foundation/prod.json", nil}, false},
		{request{"s3:PutObject", state + "stacks/calldata-foundation/dev.json", nil}, false},
		{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:calldata/dev/secrets-AbCdEf"), nil}, false},
		{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:calldata/prod/calls-AbCdEf"), nil}, false},
		{request{"ec2:DescribeInstances", "*", nil}, false},
		{request{"ssm:StartSession", arn("ec2", "instance/i-1"), tagged("dev")}, false},
	} {
		assert.Equal(t, tc.want, allowed(policies, nil, tc.request), "%s on %s %v", tc.action, tc.resource, tc.context)
	}
}

func bounded(name string) map[string]string {
	return map[string]string{"iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/" + name}
}

func passed(service string) map[string]string {
	return map[string]string{"iam:PassedToService": service}
}

// sessionDocument is the one that tunnels ask for, see infra/calldata/tunnel.
const sessionDocument = "arn:aws:ssm:eu-central-1::document/AWS-StartSSHSession"

// session is the context of a call on a session that somebody began. The simulator knows us as AROA1:me.
func session(of string) map[string]string {
	return map[string]string{"ssm:resourceTag/aws:ssmmessages:session-id": of}
}

const (
	workload     = "calldata-foundation-dev-workload-boundary"
	slackChannel = "arn:aws:chatbot::123456789012:chat-configuration/slack-channel/"
)

// deployments are calls, and whether a deployment of dev may make them.
var deployments = []struct {
	request
	want bool
}{
	// Its own things.
	{request{"ec2:CreateVpc", arn("ec2", "vpc/*"), map[string]string{"aws:RequestTag/Environment": "dev"}}, true},
	{request{"ec2:RunInstances", "arn:aws:ec2:eu-central-1::image/ami-1", nil}, true},
	{request{"ec2:DeleteNetworkAclEntry", arn("ec2", "network-acl/acl-default"), nil}, true},
	{request{"ec2:AssociateAddress", arn("ec2", "elastic-ip/eipalloc-1"), tagged("shared")}, true},
	// What calldata release asks and does beside Pulumi.
	{request{"cloudwatch:DescribeAlarms", "*", nil}, true},
	{request{"elasticloadbalancing:DescribeTargetHealth", "*", nil}, true},
	{request{"autoscaling:SetDesiredCapacity", arn("autoscaling", "autoScalingGroup:1:autoScalingGroupName/dev-c4-sbc-green"), nil}, true},
	{request{"ec2:DeleteTags", arn("ec2", "instance/i-1"), tagged("dev")}, true},
	{request{"ec2:DisassociateAddress", arn("ec2", "elastic-ip/eipalloc-1"), tagged("dev")}, true},
	{request{"rds:CreateDBInstance", arn("rds", "db:dev-db"), nil}, true},
	{request{"rds:CopyDBSnapshot", arn("rds", "snapshot:awsbackup:job-1"), tagged("dev")}, true},
	{request{"rds:CopyDBSnapshot", arn("rds", "snapshot:dev-router-begin"), nil}, true},
	{request{"rds:DeleteDBSnapshot", arn("rds", "snapshot:dev-router-begin"), nil}, true},
	{request{"rds:CreateDBInstance", arn("rds", "og:default:postgres-16"), nil}, true},
	{request{"secretsmanager:CreateSecret", arn("secretsmanager", "secret:rds!db-1"), nil}, true},
	{request{"s3:PutBucketPolicy", "arn:aws:s3:::dev-backups-1234567", nil}, true},
	{request{"s3:PutObject", "arn:aws:s3:::dev-artifacts-1234567/bundles/1.tar.gz", nil}, true},
	{request{"s3:PutReplicationConfiguration", "arn:aws:s3:::dev-backups-1234567", nil}, true},
	{request{"kms:CreateKey", "*", map[string]string{"aws:RequestTag/Environment": "dev"}}, true},
	{request{"kms:TagResource", key, map[string]string{"aws:RequestTag/Environment": "dev"}}, true},
	{request{"kms:PutKeyPolicy", key, tagged("dev")}, true},
	{request{"kms:CreateAlias", arn("kms", "alias/dev-volumes"), nil}, true},
	{request{"autoscaling:StartInstanceRefresh", arn("autoscaling", "autoScalingGroup:1:autoScalingGroupName/dev-c4-sbc"), nil}, true},
	{request{"logs:CreateLogGroup", arn("logs", "log-group:/aws/rds/instance/dev-db/postgresql"), nil}, true},
	{request{"logs:CreateLogGroup", arn("logs", "log-group:/calldata/dev/c4-sbc"), nil}, true},
	{request{"logs:PutMetricFilter", arn("logs", "log-group:/calldata/dev/c4-sbc/journal"), nil}, true},
	{request{"logs:PutMetricFilter", arn("logs", "log-group:/calldata/prod/c4-sbc/journal"), nil}, false},
	{request{"logs:PutQueryDefinition", "*", nil}, true},
	{request{"logs:StartQuery", arn("logs", "log-group:/calldata/dev/c4-sbc/journal"), nil}, false},
	{request{"cloudwatch:PutMetricAlarm", arn("cloudwatch", "alarm:dev-uc-1-cpu"), nil}, true},
	{request{"events:PutRule", arn("events", "rule/dev-copy-jobs-failed-1234567"), nil}, true},
	{request{"backup:CreateBackupVault", arn("backup", "backup-vault:dev-backup-1"), nil}, true},
	{request{"route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", nil}, true},
	{request{"elasticloadbalancing:CreateLoadBalancer", arn("elasticloadbalancing", "loadbalancer/app/x/1"), nil}, true},
	{request{"ssm:StartSession", arn("ec2", "instance/i-1"), tagged("dev")}, true},
	{request{"ssm:StartSession", sessionDocument, nil}, true},
	{request{"ssm:ResumeSession", arn("ssm", "session/me-1"), session("AROA1:me")}, true},
	{request{"ssm:TerminateSession", arn("ssm", "session/me-1"), session("AROA1:me")}, true},
	{request{"ssmmessages:OpenDataChannel", arn("ssm", "session/me-1"), nil}, true},
	{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:dev-trunk-1"), nil}, true},
	{request{"ssm:GetParameter", arn("ssm", "parameter/calldata/dev/x"), nil}, true},
	// Its own state.
	{request{"s3:PutObject", state + "stacks/calldata-foundation/dev.json", nil}, true},
	{request{"s3:DeleteObject", state + "locks/organization/calldata-foundation/dev/1.json", nil}, true},
	{request{"s3:GetObjectVersion", state + "stacks/calldata-foundation/dev.json", nil}, true},
	{request{"kms:GenerateDataKey", key, alias(secrets)}, true},
	{request{"s3:PutObject", state + "stacks/calldata-foundation/prod.json", nil}, false},
	{request{"s3:GetObject", state + "stacks/calldata-foundation/prod.json", nil}, false},
	{request{"s3:PutObject", state + "locks/organization/calldata-foundation/prod/1.json", nil}, false},
	{request{"s3:PutBucketPolicy", "arn:aws:s3:::state", nil}, false},
	{request{"s3:DeleteObjectVersion", state + "stacks/calldata-foundation/dev.json", nil}, false},
	{request{"kms:ScheduleKeyDeletion", key, alias(secrets)}, false},
	// Roles, only with the boundary.
	{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/dev-uc-1", bounded(workload)}, true},
	{request{"iam:PutRolePolicy", "arn:aws:iam::123456789012:role/dev-uc-1", bounded(workload)}, true},
	{request{"iam:DeleteRole", "arn:aws:iam::123456789012:role/dev-uc-1", nil}, true},
	{request{"iam:PassRole", "arn:aws:iam::123456789012:role/dev-uc-1", passed("ec2.amazonaws.com")}, true},
	{request{"iam:PassRole", "arn:aws:iam::123456789012:role/dev-copies", passed("s3.amazonaws.com")}, true},
	{request{"iam:CreateServiceLinkedRole", "arn:aws:iam::123456789012:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
		map[string]string{"iam:AWSServiceName": "rds.amazonaws.com"}}, true},
	{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/dev-uc-1", nil}, false},
	{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/dev-uc-1", bounded("dev-own-boundary")}, false},
	{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/admin", bounded(workload)}, false},
	{request{"iam:AttachRolePolicy", "arn:aws:iam::123456789012:role/dev-uc-1", nil}, false},
	{request{"iam:DeleteRolePermissionsBoundary", "arn:aws:iam::123456789012:role/dev-uc-1", bounded(workload)}, false},
	{request{"iam:PutRolePolicy", "arn:aws:iam::123456789012:role/calldata-foundation-dev-deploy", bounded(workload)}, false},
	{request{"iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/calldata-foundation-prod-deploy", nil}, false},
	{request{"iam:CreatePolicyVersion", "arn:aws:iam::123456789012:policy/" + workload, nil}, false},
	{request{"iam:CreatePolicyVersion", "arn:aws:iam::123456789012:policy/calldata-foundation-dev-deploy-boundary", nil}, false},
	{request{"iam:PassRole", "arn:aws:iam::123456789012:role/calldata-foundation-prod-deploy", passed("ec2.amazonaws.com")}, false},
	{request{"iam:PassRole", "arn:aws:iam::123456789012:role/dev-uc-1", passed("lambda.amazonaws.com")}, false},
	{request{"iam:CreateUser", "arn:aws:iam::123456789012:user/dev-x", nil}, false},
	{request{"iam:CreateAccessKey", "arn:aws:iam::123456789012:user/admin", nil}, false},
	{request{"iam:UpdateOpenIDConnectProviderThumbprint", "arn:aws:iam::123456789012:oidc-provider/" + Issuer, nil}, false},
	{request{"iam:CreateServiceLinkedRole", "arn:aws:iam::123456789012:role/aws-service-role/x", map[string]string{"iam:AWSServiceName": "organizations.amazonaws.com"}}, false},
	{request{"sts:AssumeRole", "arn:aws:iam::123456789012:role/calldata-foundation-prod-deploy", nil}, false},
	// A channel of Slack, which is in none of its regions.
	{request{"chatbot:CreateSlackChannelConfiguration", "*", map[string]string{"aws:RequestedRegion": "us-west-2"}}, true},
	{request{"chatbot:UpdateSlackChannelConfiguration", slackChannel + "dev-slack", map[string]string{"aws:RequestedRegion": "us-west-2"}}, true},
	{request{"iam:PassRole", "arn:aws:iam::123456789012:role/dev-slack-1", passed("chatbot.amazonaws.com")}, true},
	{request{"iam:CreateServiceLinkedRole", "arn:aws:iam::123456789012:role/aws-service-role/management.chatbot.amazonaws.com/AWSServiceRoleForAWSChatbot",
		map[string]string{"iam:AWSServiceName": "management.chatbot.amazonaws.com"}}, true},
	{request{"chatbot:DeleteSlackChannelConfiguration", slackChannel + "prod-slack", map[string]string{"aws:RequestedRegion": "us-west-2"}}, false},
	{request{"chatbot:DeleteSlackWorkspaceAuthorization", "*", nil}, false},
	{request{"iam:PassRole", "arn:aws:iam::123456789012:role/prod-slack-1", passed("chatbot.amazonaws.com")}, false},
	// Other environments.
	{request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("prod")}, false},
	{request{"ec2:CreateTags", arn("ec2", "instance/i-1"), map[string]string{"aws:ResourceTag/Environment": "prod", "aws:RequestTag/Environment": "dev"}}, false},
	{request{"ec2:CreateTags", arn("ec2", "instance/i-1"), map[string]string{"aws:ResourceTag/Environment": "dev", "aws:RequestTag/Environment": "prod"}}, false},
	{request{"ec2:CreateVpc", arn("ec2", "vpc/*"), map[string]string{"aws:RequestTag/Environment": "prod"}}, false},
	{request{"elasticloadbalancing:ModifyListener", arn("elasticloadbalancing", "listener/app/x/1/2"), tagged("prod")}, false},
	{request{"rds:DeleteDBInstance", arn("rds", "db:prod-db"), nil}, false},
	{request{"s3:PutBucketPolicy", "arn:aws:s3:::prod-backups-1234567", nil}, false},
	{request{"s3:GetObject", "arn:aws:s3:::prod-backups-1234567/x", nil}, false},
	{request{"kms:PutKeyPolicy", key, tagged("prod")}, false},
	{request{"kms:TagResource", key, map[string]string{"aws:RequestTag/Environment": "dev", "aws:ResourceTag/Environment": "prod"}}, false},
	{request{"kms:CreateAlias", arn("kms", "alias/calldata-foundation-secrets"), nil}, false},
	{request{"ssm:StartSession", arn("ec2", "instance/i-1"), tagged("prod")}, false},
	{request{"ssm:StartSession", arn("ec2", "instance/i-1"), nil}, false},
	{request{"ssm:TerminateSession", arn("ssm", "session/you-1"), session("AROA1:you")}, false},
	// Ways to a machine that need no SSH key.
	{request{"ssm:StartSession", "arn:aws:ssm:eu-central-1::document/AWS-StartPortForwardingSession", nil}, false},
	{request{"ssm:StartSession", "arn:aws:ssm:eu-central-1::document/AWS-StartInteractiveCommand", nil}, false},
	{request{"ssm:StartSession", arn("ssm", "document/SSM-SessionManagerRunShell"), nil}, false},
	{request{"ssm:StartSession", arn("ec2", "instance/i-1"), map[string]string{"aws:ResourceTag/Environment": "dev", "ssm:SessionDocumentAccessCheck": "false"}}, false},
	{request{"ssm:SendCommand", arn("ec2", "instance/i-1"), tagged("dev")}, false},
	{request{"ssm:CreateAssociation", arn("ssm", "document/dev-x"), nil}, false},
	{request{"ssm:CreateAssociation", arn("ssm", "association/*"), nil}, false},
	{request{"ssm:StartAutomationExecution", "arn:aws:ssm:eu-central-1::automation-definition/AWS-RunShellScript:1", nil}, false},
	{request{"ec2-instance-connect:SendSSHPublicKey", arn("ec2", "instance/i-1"), tagged("dev")}, false},
	{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:prod-trunk-1"), nil}, false},
	{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:rds!db-1"), nil}, false},
	{request{"autoscaling:SetDesiredCapacity", arn("autoscaling", "autoScalingGroup:1:autoScalingGroupName/prod-c4-sbc"), nil}, false},
	{request{"backup:DeleteBackupVault", arn("backup", "backup-vault:prod-backup-1"), nil}, false},
	{request{"cloudwatch:DeleteAlarms", arn("cloudwatch", "alarm:prod-x"), nil}, false},
	// What no deployment does.
	{request{"backup:DeleteRecoveryPoint", "arn:aws:ec2:eu-central-1::snapshot/snap-1", nil}, false},
	{request{"rds:DeleteDBSnapshot", arn("rds", "snapshot:rds:dev-db"), nil}, false},
	{request{"rds:DeleteDBSnapshot", arn("rds", "snapshot:awsbackup:job-1"), nil}, false},
	{request{"rds:DeleteDBSnapshot", arn("rds", "snapshot:dev-router-final"), nil}, false},
	{request{"rds:DeleteDBSnapshot", arn("rds", "snapshot:prod-router-begin"), nil}, false},
	{request{"rds:CopyDBSnapshot", arn("rds", "snapshot:prod-router-begin"), nil}, false},
	{request{"rds:CopyDBSnapshot", arn("rds", "snapshot:awsbackup:job-1"), nil}, false},
	{request{"rds:CopyDBSnapshot", arn("rds", "snapshot:awsbackup:job-1"), tagged("prod")}, false},
	{request{"cloudtrail:StopLogging", arn("cloudtrail", "trail/account-trail"), nil}, false},
	{request{"guardduty:DeleteDetector", arn("guardduty", "detector/1"), nil}, false},
	{request{"config:StopConfigurationRecorder", "*", nil}, false},
	{request{"organizations:LeaveOrganization", "*", nil}, false},
	{request{"ec2:RunInstances", arn("ec2", "instance/*"), map[string]string{"aws:RequestedRegion": "ap-south-1"}}, false},
	{request{"ec2:DisableEbsEncryptionByDefault", "*", nil}, false},
	{request{"s3:PutAccountPublicAccessBlock", "*", nil}, false},
}

// The document that is allowed is the one that tunnels ask for.
func TestSessionDocument(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../../infra/calldata/tunnel/ssm.go")
	require.NoError(t, err)
	_, name, _ := strings.Cut(sessionDocument, "document/")
	assert.Contains(t, string(source), `"--document-name", "`+name+`"`)
}

func TestDeploymentsChangeOneEnvironment(t *testing.T) {
	t.Parallel()
	s := dev()
	policies, boundary := statements(s.Deploy()), s.Boundary().Statements
	for _, tc := range deployments {
		assert.Equal(t, tc.want, allowed(policies, boundary, tc.request), "%s on %s %v", tc.action, tc.resource, tc.context)
	}
}

// The boundary alone must hold, should somebody give the role every right.
func TestBoundaryHoldsAnAdministrator(t *testing.T) {
	t.Parallel()
	administrator := []iamdoc.Statement{{Actions: []string{"*"}, Resources: []string{"*"}}}
	boundary := dev().Boundary().Statements
	for _, tc := range deployments {
		escalates := strings.HasPrefix(tc.action, "iam:") || strings.HasPrefix(tc.action, "sts:") || strings.HasPrefix(tc.action, "organizations:") ||
			strings.HasPrefix(tc.action, "cloudtrail:") || strings.HasPrefix(tc.action, "guardduty:") || strings.HasPrefix(tc.action, "config:") ||
			slices.Contains([]string{"ssm:SendCommand", "ssm:CreateAssociation", "ssm:StartAutomationExecution"}, tc.action) ||
			tc.context["aws:ResourceTag/Environment"] == "prod" || tc.context["aws:RequestTag/Environment"] == "prod" || strings.Contains(tc.resource, "prod.json") ||
			strings.Contains(tc.resource, ":::prod-")
		if !tc.want && escalates {
			assert.False(t, allowed(administrator, boundary, tc.request), "%s on %s %v", tc.action, tc.resource, tc.context)
		}
	}
}

// What a deployment cannot do, a role that it makes cannot do either, whatever policy it gets.
func TestRolesThatDeploymentsMake(t *testing.T) {
	t.Parallel()
	s := dev()
	anything, deploy, made := []iamdoc.Statement{{Actions: []string{"*"}, Resources: []string{"*"}}}, s.Boundary().Statements, s.WorkloadBoundary().Statements
	for _, tc := range deployments {
		if allowed(anything, made, tc.request) {
			assert.True(t, allowed(anything, deploy, tc.request), "%s on %s %v", tc.action, tc.resource, tc.context)
		}
	}
	for _, r := range []request{
		{"iam:CreateRole", "arn:aws:iam::123456789012:role/dev-x", bounded(workload)},
		{"iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/dev-x", nil},
		{"s3:GetObject", state + "stacks/calldata-foundation/dev.json", nil},
		{"kms:Decrypt", key, alias(secrets)},
		{"kms:Decrypt", key, tagged("prod")},
		{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:x"), tagged("prod")},
		{"sts:AssumeRole", "arn:aws:iam::123456789012:role/prod-x", nil},
		{"ssm:CreateAssociation", arn("ssm", "association/*"), nil},
	} {
		assert.False(t, allowed(anything, made, r), "%s on %s %v", r.action, r.resource, r.context)
	}
	// And it can do its work.
	for _, r := range []request{
		{"ssmmessages:CreateControlChannel", "*", nil},
		{"ssm:UpdateInstanceInformation", "*", nil},
		{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:rds!db-1"), nil},
		{"kms:Decrypt", key, tagged("dev")},
		{"s3:GetObject", "arn:aws:s3:::dev-artifacts-1234567/bundles/x", nil},
		{"ec2:AssociateAddress", arn("ec2", "elastic-ip/eipalloc-1"), tagged("dev")},
		{"autoscaling:CompleteLifecycleAction", arn("autoscaling", "autoScalingGroup:1:autoScalingGroupName/dev-c4-sbc"), tagged("dev")},
		{"logs:PutLogEvents", arn("logs", "log-group:/calldata/dev/c4-sbc:log-stream:x"), nil},
		{"cloudwatch:PutMetricData", "*", nil},
		{"ec2:CreateSnapshot", arn("ec2", "volume/vol-1"), tagged("dev")},
		{"rds:CreateDBSnapshot", arn("rds", "db:dev-db"), tagged("dev")},
		{"rds-db:connect", arn("rds-db", "dbuser:db-1/calldata"), nil},
		{"iam:PassRole", "arn:aws:iam::123456789012:role/dev-uc-1", passed("ec2.amazonaws.com")},
	} {
		assert.True(t, allowed(anything, made, r), "%s on %s %v", r.action, r.resource, r.context)
	}
}

// Copies of backups are made in another region, by roles that deployments make.
func TestCopiesInAnotherRegion(t *testing.T) {
	t.Parallel()
	const elsewhere = "eu-west-1"
	there := func(name, of string) map[string]string {
		return map[string]string{"aws:RequestedRegion": elsewhere, name: of}
	}
	farKey := "arn:aws:kms:" + elsewhere + ":123456789012:key/1"
	s := dev()
	for _, named := range []bool{false, true} {
		if named {
			s.OtherRegions = []string{elsewhere}
		}
		for _, r := range []request{
			{"kms:CreateKey", "*", there("aws:RequestTag/Environment", "dev")},
			{"kms:PutKeyPolicy", farKey, there("aws:ResourceTag/Environment", "dev")},
			{"backup:CreateBackupVault", "arn:aws:backup:" + elsewhere + ":123456789012:backup-vault:dev-copies-1", there("aws:RequestTag/Environment", "dev")},
			{"backup-storage:MountCapsule", "*", there("aws:RequestTag/Environment", "dev")},
		} {
			assert.Equal(t, named, allowed(statements(s.Deploy()), s.Boundary().Statements, r), "%s, otherRegions %v", r.action, s.OtherRegions)
		}
		anything := []iamdoc.Statement{{Actions: []string{"*"}, Resources: []string{"*"}}}
		for _, r := range []request{
			{"kms:Encrypt", farKey, there("aws:ResourceTag/Environment", "dev")},
			{"backup:CopyIntoBackupVault", "arn:aws:backup:" + elsewhere + ":123456789012:backup-vault:dev-copies-1", there("aws:ResourceTag/Environment", "dev")},
		} {
			assert.Equal(t, named, allowed(anything, s.WorkloadBoundary().Statements, r), "%s, otherRegions %v", r.action, s.OtherRegions)
		}
	}
}

// What a policy gives and the boundary does not is a mistake in one of the two.
func TestBoundaryLeavesWhatPoliciesGive(t *testing.T) {
	t.Parallel()
	s := dev()
	boundary := s.Boundary().Statements
	for _, p := range s.Deploy() {
		for _, st := range p.Statements {
			if st.Effect == iamdoc.EffectDeny {
				continue
			}
			context := map[string]string{}
			for _, keys := range st.Conditions {
				for key, values := range keys {
					if values[0] != "true" {
						context[key] = expand(values[0])
					}
				}
			}
			for _, action := range st.Actions {
				for _, resource := range st.Resources {
					r := request{action, resource, context}
					assert.True(t, allowed([]iamdoc.Statement{st}, boundary, r), "%s %s: %s on %s", p.Name, st.Sid, action, resource)
				}
			}
		}
	}
}

func TestGuardedEnvironmentsLoseNothing(t *testing.T) {
	t.Parallel()
	s := dev()
	for _, r := range []request{
		{"rds:DeleteDBInstance", arn("rds", "db:dev-db"), nil},
		{"kms:ScheduleKeyDeletion", key, tagged("dev")},
		{"s3:DeleteObjectVersion", "arn:aws:s3:::dev-backups-1234567/x", nil},
		{"ec2:ReleaseAddress", arn("ec2", "elastic-ip/eipalloc-1"), tagged("dev")},
		{"ec2:DeleteVolume", arn("ec2", "volume/vol-1"), tagged("dev")},
	} {
		s.Guarded = false
		assert.True(t, allowed(statements(s.Deploy()), s.Boundary().Statements, r), r.action)
		s.Guarded = true
		assert.False(t, allowed(statements(s.Deploy()), s.Boundary().Statements, r), r.action)
	}
	assert.True(t, allowed(statements(s.Deploy()), s.Boundary().Statements, request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("dev")}), "machines come and go")
}

func TestDomains(t *testing.T) {
	t.Parallel()
	s := dev()
	s.Domains = []string{"dev.example.com"}
	for name, want := range map[string]bool{
		"dev.example.com": true, "sip.dev.example.com": true, "_acme.dev.example.com": true, "example.com": false, "xdev.example.com": false, "sip.prod.example.com": false,
	} {
		r := request{"route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", map[string]string{"route53:ChangeResourceRecordSetsNormalizedRecordNames": name}}
		assert.Equal(t, want, allowed(statements(s.Deploy()), s.Boundary().Statements, r), name)
	}
}

// AWS takes no policy that is too long, or whose statements have names of anything but letters and digits, or twice the
// same.
func TestDocuments(t *testing.T) {
	t.Parallel()
	long := dev()
	// The longest names of stacks with buckets, see infra/calldata/dr/afresh.
	long.Environment, long.Others = strings.Repeat("e", 24), []string{strings.Repeat("f", 24), strings.Repeat("g", 24), strings.Repeat("h", 24), Requests}
	long.OtherRegions, long.Domains, long.Guarded, long.StateBucket = []string{"ap-southeast-1"}, []string{"dev.telephony.example.com"}, true, strings.Repeat("s", 63)
	for _, s := range []Scope{dev(), long} {
		policies := slices.Concat(s.Preview(), s.Deploy(), s.Calls(), []Policy{s.Boundary(), s.WorkloadBoundary()})
		require.LessOrEqual(t, len(s.Deploy()), 9, "IAM attaches 10 policies to a role, and one is ReadOnly")
		for _, p := range policies {
			text, err := p.Document()
			require.NoError(t, err)
			assert.True(t, json.Valid([]byte(text)))
			seen := map[string]bool{}
			for _, st := range p.Statements {
				assert.Regexp(t, "^[A-Za-z0-9]+$", st.Sid)
				assert.False(t, seen[st.Sid], "%s: %s", p.Name, st.Sid)
				seen[st.Sid] = true
				assert.NotEmpty(t, st.Actions)
				if st.Effect != iamdoc.EffectDeny {
					assert.Empty(t, st.NotResources, "%s: %s", p.Name, st.Sid)
					assert.NotContains(t, st.Actions, "*", "%s: %s", p.Name, st.Sid)
					if slices.Contains(st.Resources, "*") {
						assert.NotEmpty(t, st.Conditions, "%s: %s is about everything", p.Name, st.Sid)
					}
				}
			}
		}
		for _, role := range []string{s.PreviewRole(), s.DeployRole(), s.CallsRole()} {
			assert.LessOrEqual(t, len(role), 64)
		}
	}
	_, err := Policy{"network", []iamdoc.Statement{{Resources: []string{strings.Repeat("x", MaxPolicy)}}}}.Document()
	assert.ErrorContains(t, err, "the policy network has")
}

func TestSubject(t *testing.T) {
	t.Parallel()
	r := Repository{Owner: "calldata", Name: "foundation"}
	assert.Equal(t, "repo:calldata/foundation:environment:dev", r.Subject("dev"))
	assert.Equal(t, "repo:calldata/foundation:environment:dev-preview", r.Subject(PreviewEnvironment("dev")))
	r.OwnerID, r.ID = 12, 345
	assert.Equal(t, "repo:calldata@12/foundation@345:environment:dev", r.Subject("dev"))
}

func TestProviderARN(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", ProviderARN("123456789012"))
}

func TestTrust(t *testing.T) {
	t.Parallel()
	got, err := Trust("arn:provider", "repo:o/r:environment:dev")
	require.NoError(t, err)
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRoleWithWebIdentity"],"Principal":{"Federated":["arn:provider"]},
		"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":["sts.amazonaws.com"],"token.actions.githubusercontent.com:sub":["repo:o/r:environment:dev"]}}}]}`, got)
}

// requests is the scope of the stacks of pull requests.
func requests() Scope {
	s := dev()
	s.Environment, s.Others = Requests, []string{"dev", "stage", "prod"}
	return s
}

// The role of pull requests changes each of their stacks, and nothing else: neither what is called alike nor the stack of their settings.
func TestDeploymentsOfPullRequests(t *testing.T) {
	t.Parallel()
	const boundary = "calldata-foundation-pr-workload-boundary"
	policies, limit := statements(requests().Deploy()), requests().Boundary().Statements
	for _, tc := range []struct {
		request
		want bool
	}{
		{request{"ec2:CreateVpc", arn("ec2", "vpc/*"), map[string]string{"aws:RequestTag/Environment": "pr-12"}}, true},
		{request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("pr-12")}, true},
		{request{"ssm:StartSession", arn("ec2", "instance/i-1"), tagged("pr-13")}, true},
		{request{"kms:CreateKey", "*", map[string]string{"aws:RequestTag/Environment": "pr-12"}}, true},
		{request{"kms:TagResource", key, map[string]string{"aws:RequestTag/Environment": "pr-12"}}, true},
		{request{"kms:PutKeyPolicy", key, tagged("pr-12")}, true},
		{request{"kms:CreateAlias", arn("kms", "alias/pr-12-volumes"), nil}, true},
		{request{"s3:PutBucketPolicy", "arn:aws:s3:::pr-12-backups-1234567", nil}, true},
		{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/pr-12-uc-1", bounded(boundary)}, true},
		{request{"logs:CreateLogGroup", arn("logs", "log-group:/calldata/pr-12/uc-1"), nil}, true},
		{request{"ssm:GetParameter", arn("ssm", "parameter/calldata/pr-12/x"), nil}, true},
		{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:calldata/pr/ssh-key-AbCdEf"), nil}, true},
		{request{"s3:PutObject", state + "stacks/calldata-foundation/pr-12.json", nil}, true},
		{request{"s3:PutObject", state + "stacks/calldata-foundation/pr-12.pulumi-tags", nil}, true},
		{request{"s3:DeleteObject", state + "locks/organization/calldata-foundation/pr-12/1.json", nil}, true},
		{request{"s3:PutObject", state + "history/calldata-foundation/pr-12/pr-12-1.history.json", nil}, true},
		{request{"kms:Decrypt", key, alias(secrets)}, true},

		{request{"s3:PutObject", state + "stacks/calldata-foundation/pr.json", nil}, false},
		{request{"s3:PutObject", state + "stacks/calldata-foundation/prod.json", nil}, false},
		{request{"s3:GetObject", state + "stacks/calldata-foundation/dev.json", nil}, false},
		{request{"s3:PutBucketPolicy", "arn:aws:s3:::prod-backups-1234567", nil}, false},
		{request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("prod")}, false},
		{request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("prod-us-west-2")}, false},
		{request{"ec2:CreateVpc", arn("ec2", "vpc/*"), map[string]string{"aws:RequestTag/Environment": "stage"}}, false},
		{request{"kms:CreateKey", "*", map[string]string{"aws:RequestTag/Environment": "pr"}}, false},
		{request{"kms:PutKeyPolicy", key, tagged("prod")}, false},
		{request{"ssm:StartSession", arn("ec2", "instance/i-1"), tagged("dev")}, false},
		{request{"logs:CreateLogGroup", arn("logs", "log-group:/calldata/prod/uc-1"), nil}, false},
		{request{"secretsmanager:GetSecretValue", arn("secretsmanager", "secret:calldata/prod/ssh-key-AbCdEf"), nil}, false},
		{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/prod-uc-1", bounded(boundary)}, false},
		{request{"iam:CreateRole", "arn:aws:iam::123456789012:role/pr-12-uc-1", nil}, false},
		{request{"iam:PutRolePolicy", "arn:aws:iam::123456789012:role/calldata-foundation-pr-deploy", bounded(boundary)}, false},
	} {
		assert.Equal(t, tc.want, allowed(policies, limit, tc.request), "%s on %s %v", tc.action, tc.resource, tc.context)
	}
	previews := statements(requests().Preview())
	for resource, want := range map[string]bool{state + "stacks/calldata-foundation/pr-12.json": true, state + "stacks/calldata-foundation/prod.json": false} {
		assert.Equal(t, want, allowed(previews, nil, request{"s3:GetObject", resource, nil}), resource)
	}
	for _, p := range slices.Concat(requests().Deploy(), requests().Preview(), []Policy{requests().Boundary(), requests().WorkloadBoundary()}) {
		_, err := p.Document()
		require.NoError(t, err)
	}
}

// What is called after another environment is that one's: stacks of pull requests, drills and failovers.
func TestOthersStacksAreTheirs(t *testing.T) {
	t.Parallel()
	s := dev()
	s.Others = append(s.Others, Requests)
	policies, limit := statements(s.Deploy()), s.Boundary().Statements
	for _, stack := range []string{"pr-12", "stage-drill", "prod-us-west-2"} {
		assert.False(t, allowed(policies, limit, request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged(stack)}), stack)
		assert.False(t, allowed(policies, limit, request{"ec2:CreateVpc", arn("ec2", "vpc/*"), map[string]string{"aws:RequestTag/Environment": stack}}), stack)
	}
	assert.True(t, allowed(policies, limit, request{"ec2:TerminateInstances", arn("ec2", "instance/i-1"), tagged("dev")}))
	assert.True(t, allowed(policies, limit, request{"ec2:AssociateAddress", arn("ec2", "elastic-ip/eipalloc-1"), tagged("shared")}))
}

func TestRequestNumber(t *testing.T) {
	t.Parallel()
	for stack, want := range map[string]int{"pr-12": 12, "pr-1": 1, "pr": 0, "pr-": 0, "pr-0": 0, "pr-012": 0, "pr--1": 0, "pr-+1": 0, "pr-12a": 0, "prod": 0, "12": 0, "prod-12": 0} {
		number, ok := RequestNumber(stack)
		assert.Equal(t, want > 0, ok, stack)
		if ok {
			assert.Equal(t, want, number)
			assert.Equal(t, stack, RequestStack(number))
		}
	}
}
