package keys

import (
	"fmt"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/linkedrole"
)

// administer are the actions of whoever looks after a key. None of them encrypts or decrypts, or lets somebody else.
// Source: AWS KMS Developer Guide, "Allows key administrators to administer the KMS key".
var administer = []string{
	"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:Delete*", "kms:Describe*", "kms:Disable*", "kms:Enable*", "kms:Get*", "kms:List*", "kms:Put*",
	"kms:Revoke*", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update*",
}

// use are the actions of whoever encrypts and decrypts with a key.
// Source: AWS KMS Developer Guide, "Allows key users to use the KMS key".
var use = []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"}

// envelope are what a service needs to encrypt data under a key and to read it again.
var envelope = []string{"kms:Decrypt", "kms:GenerateDataKey*"}

// place is where a key is.
type place struct{ account, region string }

func (p place) principal(role string) map[string][]string {
	return map[string][]string{"AWS": {"arn:aws:iam::" + p.account + ":" + role}}
}

// root stands for the account: its IAM policies say who.
func (p place) root() map[string][]string { return p.principal("root") }

// policyOf is the policy of the key that a describe.
func policyOf(a Args, p place) (string, error) {
	statements := []iamdoc.Statement{{Sid: "AccountAdministers", Actions: administer, Resources: everything, Principals: p.root()}}
	if through := servicesOf[a.Use]; len(through) > 0 {
		statements = append(statements, p.through(through)...)
	}
	switch a.Use {
	case UseVolumes:
		if a.AutoScaling {
			statements = append(statements, p.autoScaling()...)
		}
	case UseStorage:
		statements = append(statements, p.logDelivery(), p.config())
	case UseLogs:
		statements = append(statements, p.logGroups())
	case UseNotices:
		statements = append(statements, p.publishers()...)
	case UseTrail:
		statements = append(statements, p.trail()...)
		statements = append(statements, p.config())
	}
	return iamdoc.Document(statements...)
}

// everything is the resource of every statement of a key's policy: the key itself.
var everything = []string{"*"}

// servicesOf are the services through which the account's principals use a key. CloudWatch Logs is not among them: it
// uses a key as itself.
// Source: AWS KMS Developer Guide, "kms:ViaService".
var servicesOf = map[Use][]string{
	UseVolumes:  {"ec2"},
	UseDatabase: {"rds", "secretsmanager"},
	UseStorage:  {"s3"},
	UseSecrets:  {"secretsmanager", "ssm", "rds"},
	UseNotices:  {"sns"},
	UseBackups:  {"backup", "ec2", "rds", "s3"},
	UseTrail:    {"s3"},
}

// through lets whoever IAM allows use the key, and hand its use on to a resource, by way of services alone. The keys that
// AWS itself manages for these services have policies of this form.
// Source: AWS KMS Developer Guide, "kms:ViaService" and "kms:GrantIsForAWSResource".
func (p place) through(services []string) []iamdoc.Statement {
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = fmt.Sprintf("%s.%s.amazonaws.com", s, p.region)
	}
	via := map[string][]string{"kms:ViaService": names}
	return []iamdoc.Statement{
		{Sid: "UseThroughServices", Actions: use, Resources: everything, Principals: p.root(), Conditions: map[string]map[string][]string{"StringEquals": via}},
		{Sid: "GrantThroughServices", Actions: []string{"kms:CreateGrant"}, Resources: everything, Principals: p.root(),
			Conditions: map[string]map[string][]string{"StringEquals": via, "Bool": {"kms:GrantIsForAWSResource": {"true"}}}},
	}
}

// autoScaling admits EC2 Auto Scaling. It starts machines as its own role, whose permissions are AWS's to write and do
// not speak of our keys, so that the key itself must.
// Source: Amazon EC2 Auto Scaling User Guide, "Required AWS KMS key policy for use with encrypted volumes".
func (p place) autoScaling() []iamdoc.Statement {
	role := map[string][]string{"AWS": {linkedrole.AutoScaling.ARN(p.account)}}
	return []iamdoc.Statement{
		{Sid: "AutoScalingUses", Actions: use, Resources: everything, Principals: role},
		{Sid: "AutoScalingGrants", Actions: []string{"kms:CreateGrant"}, Resources: everything, Principals: role,
			Conditions: map[string]map[string][]string{"Bool": {"kms:GrantIsForAWSResource": {"true"}}}},
	}
}

// logGroups admits CloudWatch Logs, for log groups of this account and region.
// Source: Amazon CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
func (p place) logGroups() iamdoc.Statement {
	return iamdoc.Statement{
		Sid: "LogGroups", Actions: []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"}, Resources: everything,
		Principals: service("logs." + p.region + ".amazonaws.com"),
		Conditions: map[string]map[string][]string{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": {fmt.Sprintf("arn:aws:logs:%s:%s:log-group:*", p.region, p.account)}}},
	}
}

// logDelivery admits the service that brings logs of network load balancers, VPCs and others to a bucket.
// Source: Amazon CloudWatch Logs User Guide, "Logs sent to Amazon S3", "Amazon S3 bucket server-side encryption".
func (p place) logDelivery() iamdoc.Statement {
	return iamdoc.Statement{
		Sid: "LogDelivery", Actions: []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"}, Resources: everything,
		Principals: service("delivery.logs.amazonaws.com"),
		Conditions: map[string]map[string][]string{
			"StringEquals": {"aws:SourceAccount": {p.account}},
			"ArnLike":      {"aws:SourceArn": {fmt.Sprintf("arn:aws:logs:%s:%s:*", p.region, p.account)}},
		},
	}
}

// config admits AWS Config, which brings its history to a bucket.
// Source: AWS Config Developer Guide, "Permissions for the KMS Key for the AWS Config Delivery Channel".
func (p place) config() iamdoc.Statement {
	return iamdoc.Statement{
		Sid: "ConfigDelivery", Actions: envelope, Resources: everything, Principals: service("config.amazonaws.com"), Conditions: p.ours(),
	}
}

// trail admits CloudTrail, for trails of this account.
// Source: AWS CloudTrail User Guide, "Configure AWS KMS key policies for CloudTrail".
func (p place) trail() []iamdoc.Statement {
	trails := []string{fmt.Sprintf("arn:aws:cloudtrail:*:%s:trail/*", p.account)}
	return []iamdoc.Statement{
		{Sid: "TrailEncrypts", Actions: []string{"kms:GenerateDataKey*"}, Resources: everything, Principals: service("cloudtrail.amazonaws.com"),
			Conditions: map[string]map[string][]string{"ArnLike": {"aws:SourceArn": trails}, "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails}}},
		{Sid: "TrailDescribes", Actions: []string{"kms:DescribeKey"}, Resources: everything, Principals: service("cloudtrail.amazonaws.com"),
			Conditions: map[string]map[string][]string{"ArnLike": {"aws:SourceArn": trails}}},
	}
}

// publishers admits what tells news to an encrypted topic.
// Source: Amazon SNS Developer Guide, "Enable compatibility between event sources from AWS services and encrypted topics":
// events are delivered without the account that they are from, hence the statement without a condition.
func (p place) publishers() []iamdoc.Statement {
	return []iamdoc.Statement{
		{Sid: "AlarmsAndCosts", Actions: envelope, Resources: everything, Conditions: p.ours(),
			Principals: service("cloudwatch.amazonaws.com", "budgets.amazonaws.com", "costalerts.amazonaws.com")},
		{Sid: "Events", Actions: envelope, Resources: everything, Principals: service("events.amazonaws.com")},
	}
}

// ours limits a service to work that it does for this account, against the confused deputy.
// Source: AWS IAM User Guide, "The confused deputy problem".
func (p place) ours() map[string]map[string][]string {
	return map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {p.account}}}
}

func service(names ...string) map[string][]string { return map[string][]string{"Service": names} }
