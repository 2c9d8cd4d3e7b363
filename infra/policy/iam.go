package policy

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// policiesOf answers the managed policies that are attached to a role, by ARN, and the documents of those in the stack
// and inside the role.
func (g Graph) policiesOf(role Resource) (managed, documents []value) {
	managed = role.get("managedPolicyArns").list()
	for _, inline := range role.get("inlinePolicies").list() {
		documents = append(documents, inline.get("policy"))
	}
	for _, r := range g.referrers(role, []string{"iam/rolePolicy"}, "role") {
		documents = append(documents, r.get("policy"))
	}
	attachments := append(g.referrers(role, []string{"iam/rolePolicyAttachment"}, "role"), g.referrers(role, []string{"iam/policyAttachment"}, "roles")...)
	for _, r := range attachments {
		own := g.referents(r, []string{"iam/policy"}, "policyArn")
		for _, p := range own {
			documents = append(documents, p.get("policy"))
		}
		if len(own) == 0 {
			managed = append(managed, r.get("policyArn"))
		}
	}
	return managed, documents
}

// matches reports whether the pattern of an IAM policy, in which * and ? are wildcards, is for an action. Case does not
// count. Source: AWS IAM User Guide, "IAM JSON policy elements: Action".
func matches(pattern, action string) bool {
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(strings.ToLower(pattern)))
	ok, _ := regexp.MatchString("^"+quoted+"$", strings.ToLower(action))
	return ok
}

// managedAdmin are AWS's own policies that let their holder do anything, or make himself somebody who may.
var managedAdmin = []string{"AdministratorAccess", "IAMFullAccess", "PowerUserAccess"}

// unrestrictable are patterns of actions that take no resource, or show nothing but what exists.
// Source: AWS Service Authorization Reference, the tables of actions of each service.
var unrestrictable = []string{
	"*:Describe*", "*:List*", "cloudwatch:PutMetricData", "cloudwatch:GetMetric*", "ec2:Get*", "ec2messages:*", "ssmmessages:*",
	"ssm:UpdateInstanceInformation", "ssm:PutInventory", "ssm:PutComplianceItems", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetManifest",
	"sts:GetCallerIdentity", "sts:DecodeAuthorizationMessage", "tag:Get*", "ecr:GetAuthorizationToken", "xray:Put*", "ce:*", "pricing:*", "servicequotas:Get*",
	"iam:GetAccountSummary", "iam:GetAccountPasswordPolicy", "iam:GenerateCredentialReport", "iam:GetCredentialReport", "backup:Get*", "logs:GetQueryResults", "logs:StopQuery",
	"autoscaling:Get*", "elasticloadbalancing:Get*", "wafv2:Get*", "route53:Get*", "route53domains:*", "acm:GetAccountConfiguration", "securityhub:Get*", "health:*",
}

// restrictableAll are actions that show names only, and yet take a resource whose contents they show.
var restrictableAll = []string{"s3:ListBucket", "s3:ListBucketVersions", "dynamodb:ListStreams"}

// escalations are actions that let their holder give himself any right.
// Source: Rhino Security Labs, "AWS IAM Privilege Escalation: Methods and Mitigation"; Checkov CKV_AWS_286.
var escalations = []string{
	"iam:PassRole", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:AttachGroupPolicy",
	"iam:PutRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy", "iam:AddUserToGroup", "iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey",
	"iam:CreateLoginProfile", "iam:UpdateLoginProfile", "sts:AssumeRole",
}

// resourcePart is what an ARN says after the account; a pattern that is no ARN is answered whole.
func resourcePart(pattern string) string {
	parts := strings.SplitN(pattern, ":", 6)
	return parts[len(parts)-1]
}

// anyResource reports whether a resource pattern of an identity policy leaves nothing out: "*", "arn:aws:s3:::*".
func anyResource(pattern string) bool { return strings.Trim(resourcePart(pattern), "*/:") == "" }

// anyIdentity is anyResource for actions on identities, where every role or every user is as bad:
// "arn:aws:iam::123456789012:role/*".
func anyIdentity(pattern string) bool {
	_, name, _ := strings.Cut(resourcePart(pattern), "/")
	return anyResource(pattern) || strings.Contains(pattern, ":iam:") && name == "*"
}

// identityDocuments lists the policies that say what users, groups and roles may do, with where they are written.
func (g Graph) identityDocuments() map[string][]value {
	documents := map[string][]value{}
	for _, r := range g.of("iam/policy", "iam/rolePolicy", "iam/userPolicy", "iam/groupPolicy") {
		documents[r.URN] = append(documents[r.URN], r.get("policy"))
	}
	for _, r := range g.of("iam/role") {
		for _, inline := range r.get("inlinePolicies").list() {
			documents[r.URN] = append(documents[r.URN], inline.get("policy"))
		}
	}
	return documents
}

func leastPrivilege(c *checker) {
	guardrails(c)
	documents := c.identityDocuments()
	for _, r := range c.Resources {
		for _, document := range documents[r.URN] {
			if document.missing() {
				continue
			}
			doc, err := parse(document)
			if errors.Is(err, errOpaque) {
				continue
			}
			if err != nil {
				c.fail(r, "has a policy that is no policy document: %v", err)
				continue
			}
			for _, s := range doc.Statement {
				c.judgeStatement(r, s)
			}
		}
	}
	for _, r := range c.of("iam/rolePolicyAttachment", "iam/userPolicyAttachment", "iam/groupPolicyAttachment", "iam/policyAttachment", "iam/role", "chatbot/slackChannelConfiguration") {
		var arns []string
		for _, name := range []string{"policyArn", "managedPolicyArns", "guardrailPolicyArns"} {
			more, _ := r.get(name).texts()
			arns = append(arns, more...)
		}
		for _, arn := range arns {
			if i := slices.IndexFunc(managedAdmin, func(name string) bool { return strings.HasSuffix(arn, "/"+name) }); i >= 0 {
				c.fail(r, "gives %s, which is everything: attach a policy that names the actions and resources that are needed", managedAdmin[i])
			}
		}
	}
}

// guardrails fails channels of Slack in which everybody may do what any of their roles can: AWS takes AdministratorAccess for the
// guardrail of a channel that names none. Source: AWS Chatbot API Reference, SlackChannelConfiguration, GuardrailPolicyArns.
func guardrails(c *checker) {
	for _, r := range c.of("chatbot/slackChannelConfiguration") {
		c.failUnless(!r.requested().get("guardrailPolicyArns").missing(), r, "has the guardrail AdministratorAccess: set guardrailPolicyArns to a policy of what the channel needs")
	}
}

// judgeStatement fails r for the worst thing that a statement allows.
func (c *checker) judgeStatement(r Resource, s statement) {
	switch {
	case !s.allows():
	case len(s.NotAction) > 0:
		c.fail(r, "allows every action but %s: name the actions that are needed", strings.Join(s.NotAction, ", "))
	case len(s.NotResource) > 0:
		c.fail(r, "allows every resource but %s: name the resources that are needed", strings.Join(s.NotResource, ", "))
	case slices.ContainsFunc(s.Action, func(a string) bool { return strings.Trim(a, "*:") == "" }) && slices.ContainsFunc(s.Resource, anyResource):
		c.fail(r, "allows everything (* on *): name the actions and resources that are needed")
	case len(s.Condition) > 0:
	case slices.ContainsFunc(s.Resource, anyIdentity) && slices.ContainsFunc(s.Action, escalates):
		action := s.Action[slices.IndexFunc(s.Action, escalates)]
		c.fail(r, "allows %s on any resource, with which its holder can give himself every right: name the resources, or add a condition such as iam:PassedToService", action)
	case slices.ContainsFunc(s.Resource, anyResource) && slices.ContainsFunc(s.Action, restrictable):
		action := s.Action[slices.IndexFunc(s.Action, restrictable)]
		c.fail(r, "allows %s on any resource: name the resources, or add a condition", action)
	}
}

// escalates reports whether an action, or some action that a pattern stands for, lets its holder give himself any right.
func escalates(action string) bool {
	return slices.ContainsFunc(escalations, func(e string) bool { return matches(action, e) })
}

// restrictable reports whether an action can be limited to resources. A pattern can be, unless all that it stands for
// cannot.
func restrictable(action string) bool {
	if slices.ContainsFunc(restrictableAll, func(a string) bool { return matches(action, a) }) {
		return true
	}
	return !slices.ContainsFunc(unrestrictable, func(p string) bool { return matches(p, action) })
}
