package noderole

import (
	"fmt"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/tags"
)

// place is where a role's resources are.
type place struct{ region, account string }

func (p place) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, p.region, p.account, resource)
}

// arns are the resources that only AWS can name. An empty list grants nothing.
type arns struct{ artifacts, backups, secrets, keys, topicKey []string }

// statements turns the grants into the policy language. Every statement names its resources or a condition that does.
// Source of actions, resource types and condition keys: AWS Service Authorization Reference.
func (a Args) statements(at place, known arns) []iamdoc.Statement {
	g := a.Grants
	var out []iamdoc.Statement
	add := func(s iamdoc.Statement) { out = append(out, s) }
	equals := func(key string, values ...string) map[string]map[string][]string {
		return map[string]map[string][]string{"StringEquals": {key: values}}
	}
	for _, bucket := range known.artifacts {
		add(iamdoc.Statement{Sid: "ReadArtifacts", Actions: []string{"s3:GetObject"}, Resources: []string{bucket + "/" + g.ArtifactsPrefix + "*"}})
	}
	for _, bucket := range known.backups {
		add(iamdoc.Statement{Sid: "KeepBackups", Actions: []string{"s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"}, Resources: []string{bucket + "/" + g.BackupsPrefix + "*"}})
		add(iamdoc.Statement{Sid: "ListBackups", Actions: []string{"s3:ListBucket"}, Resources: []string{bucket},
			Conditions: map[string]map[string][]string{"StringLike": {"s3:prefix": {g.BackupsPrefix + "*"}}}})
	}
	if len(known.secrets) > 0 {
		add(iamdoc.Statement{Sid: "ReadSecrets", Actions: []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}, Resources: known.secrets})
	}
	if len(known.keys) > 0 {
		add(iamdoc.Statement{Sid: "UseKeys", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: known.keys,
			Conditions: equals("kms:ViaService", "s3."+at.region+".amazonaws.com", "secretsmanager."+at.region+".amazonaws.com")})
	}
	if g.LogGroupPrefix != "" {
		group := at.arn("logs", "log-group:"+g.LogGroupPrefix)
		add(iamdoc.Statement{Sid: "WriteLogs", Actions: []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resources: []string{group, group + ":*", group + "/*"}})
	}
	if len(g.MetricNamespaces) > 0 {
		// The action knows no resources.
		add(iamdoc.Statement{Sid: "WriteMetrics", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []string{"*"}, Conditions: equals("cloudwatch:namespace", g.MetricNamespaces...)})
	}
	if g.FindMachines {
		// The action knows no resources.
		add(iamdoc.Statement{Sid: "FindMachines", Actions: []string{"ec2:DescribeInstances"}, Resources: []string{"*"}, Conditions: equals("aws:RequestedRegion", at.region)})
	}
	if g.TopicPrefix != "" {
		add(iamdoc.Statement{Sid: "Tell", Actions: []string{"sns:Publish"}, Resources: []string{at.arn("sns", g.TopicPrefix+"*")}})
		// Source: Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs", permissions of publishers.
		add(iamdoc.Statement{Sid: "EncryptTopics", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: known.topicKey,
			Conditions: equals("kms:ViaService", "sns."+at.region+".amazonaws.com")})
	}
	if g.ClaimAddresses != "" {
		// The action knows no resources.
		add(iamdoc.Statement{Sid: "FindAddresses", Actions: []string{"ec2:DescribeAddresses"}, Resources: []string{"*"}})
		// An association is checked against the address and against what it is given to, each by its own tags.
		add(iamdoc.Statement{Sid: "ClaimAddresses", Actions: []string{"ec2:AssociateAddress"}, Resources: []string{at.arn("ec2", "elastic-ip/*")},
			Conditions: equals("aws:ResourceTag/"+PoolKey, g.ClaimAddresses)})
		add(iamdoc.Statement{Sid: "ForOwnKind", Actions: []string{"ec2:AssociateAddress"}, Resources: []string{at.arn("ec2", "instance/*"), at.arn("ec2", "network-interface/*")},
			Conditions: map[string]map[string][]string{"StringEquals": {
				"aws:ResourceTag/" + tags.KeyEnvironment: {a.Tags.Environment}, "aws:ResourceTag/" + tags.KeyRole: {a.Tags.Role},
			}}})
	}
	if g.LifecycleGroup != "" {
		add(iamdoc.Statement{Sid: "OwnLifecycle", Actions: []string{"autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"},
			Resources: []string{at.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+g.LifecycleGroup)}})
	}
	return out
}
