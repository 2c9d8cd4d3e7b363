package permission

import "github.com/calldata/calldata-foundation/components/iamdoc"

// passedTo are the services that our roles are for.
var passedTo = []string{
	"ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com", "monitoring.rds.amazonaws.com", "backup.amazonaws.com", "autoscaling.amazonaws.com", "events.amazonaws.com",
	"s3.amazonaws.com",      // which copies backups to another region
	"chatbot.amazonaws.com", // which shows a channel of Slack the metrics of alarms
}

// linkedTo are the services whose own roles AWS makes on first use, in the name of whoever uses them first.
// Source: AWS IAM User Guide, "Create a service-linked role".
var linkedTo = []string{
	"autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "backup.amazonaws.com", "wafv2.amazonaws.com",
	"management.chatbot.amazonaws.com", // which subscribes a channel of Slack to topics
}

// identity is the environment's roles. Each must have the workload boundary: what a deployment cannot do itself, it cannot
// have done by a role that it makes.
// Source: AWS IAM User Guide, "Permissions boundaries for IAM entities", "Delegating responsibility to others".
func (s Scope) identity() []iamdoc.Statement {
	e := s.Environment
	bounded := conditions{"StringEquals": {"iam:PermissionsBoundary": {s.WorkloadBoundaryARN()}}}
	return []iamdoc.Statement{
		{Sid: "BoundedRoles", Resources: s.roles(), Conditions: bounded, Actions: []string{
			"iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy",
		}},
		{Sid: "Roles", Resources: s.roles(), Actions: []string{
			"iam:DeleteRole", "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:UpdateAssumeRolePolicy", "iam:TagRole", "iam:UntagRole",
		}},
		{Sid: "Policies", Resources: s.iam("policy/" + e + "-*"), Actions: []string{
			"iam:CreatePolicy", "iam:DeletePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:TagPolicy", "iam:UntagPolicy",
		}},
		{Sid: "Profiles", Resources: s.iam("instance-profile/" + e + "-*"), Actions: []string{
			"iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile",
		}},
		s.passRoles(),
		{Sid: "ServiceRoles", Actions: []string{"iam:CreateServiceLinkedRole"}, Resources: s.iam("role/aws-service-role/*"),
			Conditions: conditions{"StringEquals": {"iam:AWSServiceName": linkedTo}}},
	}
}

// passRoles lets the environment's roles be given to the services that they are for.
func (s Scope) passRoles() iamdoc.Statement {
	return iamdoc.Statement{
		Sid: "PassRoles", Actions: []string{"iam:PassRole"}, Resources: s.roles(), Conditions: conditions{"StringEquals": {"iam:PassedToService": passedTo}},
	}
}
