package permission

import "github.com/calldata/calldata-foundation/components/iamdoc"

// ReadOnly is AWS's policy for whoever looks at everything. It shows some contents besides, which Preview takes away.
// Source: AWS Managed Policy Reference Guide, ReadOnlyAccess.
const ReadOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"

// bundles are the Ansible contents of fleets, which hold no secrets. Pulumi compares them when it looks for drift.
func (s Scope) bundles() string { return "arn:aws:s3:::" + s.Environment + "-*/bundles/*" }

// Preview is what ReadOnly needs to become the policy of previews and of drift detection: the state, and no contents.
func (s Scope) Preview() []Policy {
	return []Policy{{Name: "preview", Statements: append(append(s.readState(), lookAtSlack(),
		// S3 answers for an encrypted object only to who may decrypt it.
		iamdoc.Statement{Sid: "LookAtBundles", Actions: []string{"kms:Decrypt"}, Resources: s.arns("kms", "key/*"), Conditions: s.own().with(
			conditions{"StringLike": {"kms:ViaService": {"s3.*.amazonaws.com"}}},
		)}),
		s.noContents(readable{objects: []string{s.bundles()}})...)}}
}

// readable are the contents that a role may see in spite of noContents.
type readable struct{ objects, parameters, secrets []string }

// contents are actions of ReadOnly, or of whoever extends it, that show what customers said and did.
var contents = []string{
	"logs:GetLogEvents", "logs:FilterLogEvents", "logs:GetLogRecord", "logs:GetQueryResults", "logs:StartQuery", "logs:StartLiveTail", "logs:Unmask",
	"rds:DownloadCompleteDBLogFile", "rds:DownloadDBLogFilePortion",
	"ec2:GetConsoleOutput", "ec2:GetConsoleScreenshot", "ec2:GetPasswordData", "ebs:GetSnapshotBlock",
	"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan",
	"sqs:ReceiveMessage", "kinesis:GetRecords", "lambda:GetFunction", "athena:GetQueryResults", "cloudtrail:GetQueryResults",
}

// noContents denies secrets and what customers said and did, but for what is readable and the stack's own state.
func (s Scope) noContents(open readable) []iamdoc.Statement {
	secrets := iamdoc.Statement{Sid: "NoSecrets", Effect: iamdoc.EffectDeny, Actions: []string{"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"}}
	if len(open.secrets) > 0 {
		secrets.NotResources = open.secrets
	} else {
		secrets.Resources = []string{"*"}
	}
	return []iamdoc.Statement{
		secrets,
		{Sid: "NoParameters", Effect: iamdoc.EffectDeny, Actions: []string{"ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory"},
			// AWS publishes its images' ids as parameters.
			NotResources: append([]string{"arn:aws:ssm:*::parameter/aws/service/*"}, open.parameters...)},
		{Sid: "NoObjects", Effect: iamdoc.EffectDeny, Actions: []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTorrent", "s3:GetObjectVersionTorrent"},
			NotResources: append(append(s.stateFiles(), s.stateMeta()), open.objects...)},
		{Sid: "NoContents", Effect: iamdoc.EffectDeny, Actions: contents, Resources: []string{"*"}},
	}
}
