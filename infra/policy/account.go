package policy

import (
	"regexp"
	"slices"
	"strings"
)

func accountRules() []Rule {
	return []Rule{
		{
			ID: "CD-04", Title: "New disks are encrypted whoever makes them",
			Detail:     "The account's stack turns EBS encryption by default on.",
			Levels:     levels(Mandatory, Account),
			References: References{CIS: "5.1.1", SecurityHub: "EC2.7", Checkov: "CKV_AWS_106", Prowler: "ec2_ebs_default_encryption"},
			check: func(c *checker) {
				settings := c.of("ebs/encryptionByDefault")
				if len(settings) == 0 {
					c.lack("EBS encryption by default is not turned on: add an aws.ebs.EncryptionByDefault")
				}
				for _, r := range settings {
					c.failUnless(!r.get("enabled").isFalse(), r, "turns EBS encryption by default off: set enabled")
				}
			},
		},
		{
			ID: "CD-37", Title: "CloudTrail records every region, provably",
			Detail:     "The account's stack has a trail of all regions with global events, log file validation, a KMS key of ours, and a log group in CloudWatch, and it is logging.",
			Levels:     levels(Mandatory, Account),
			References: References{CIS: "3.1, 3.2, 3.5", SecurityHub: "CloudTrail.1, CloudTrail.2, CloudTrail.4, CloudTrail.5", Checkov: "CKV_AWS_67, CKV_AWS_36, CKV_AWS_35, CKV2_AWS_10", Prowler: "cloudtrail_multi_region_enabled"},
			check:      trailComplete,
		},
		{
			ID: "CD-38", Title: "AWS Config, GuardDuty and Security Hub watch the account",
			Detail:     "The account's stack has a Config recorder that is on and has a delivery channel, a GuardDuty detector and Security Hub. Each costs money by use, hence only advice.",
			Levels:     levels(Advisory, Account),
			References: References{CIS: "3.3, 4.16", SecurityHub: "Config.1, GuardDuty.1", Checkov: "CKV2_AWS_45, CKV_AWS_238", Prowler: "config_recorder_all_regions_enabled"},
			check:      accountWatched,
		},
		{
			ID: "CD-45", Title: "GitHub takes a role on from one repository and one environment",
			Detail: "A trust policy for GitHub's OIDC provider has StringEquals on the audience, sts.amazonaws.com, and a subject repo:OWNER/NAME:environment:ENVIRONMENT without wildcards. " +
				"A policy that is not known yet passes.",
			Levels:     levels(Mandatory, Dev, Stage, Prod, Account),
			References: References{Checkov: "CKV_AWS_358, CKV_AWS_393"},
			check:      githubTrust,
		},
	}
}

func trailComplete(c *checker) {
	trails := c.of("cloudtrail/trail")
	if len(trails) == 0 {
		c.lack("there is no trail: add an aws.cloudtrail.Trail of all regions")
		return
	}
	problems := map[string][]string{}
	for _, trail := range trails {
		for _, part := range []struct {
			ok     bool
			advice string
		}{
			{trail.get("isMultiRegionTrail").mayBeTrue(), "isMultiRegionTrail"},
			{!trail.get("includeGlobalServiceEvents").isFalse(), "includeGlobalServiceEvents"},
			{!trail.get("enableLogging").isFalse(), "enableLogging"},
			{trail.get("enableLogFileValidation").mayBeTrue(), "enableLogFileValidation"},
			{trail.requested().get("kmsKeyId").mayBeCustomerKey(), "kmsKeyId"},
			{!trail.get("cloudWatchLogsGroupArn").missing() && !trail.get("cloudWatchLogsRoleArn").missing(), "cloudWatchLogsGroupArn and cloudWatchLogsRoleArn"},
		} {
			if !part.ok {
				problems[trail.URN] = append(problems[trail.URN], part.advice)
			}
		}
		if len(problems[trail.URN]) == 0 {
			return // one complete trail is enough; others may be for something else
		}
	}
	for _, trail := range trails {
		c.fail(trail, "does not record everything provably: set %s", strings.Join(problems[trail.URN], ", "))
	}
}

func accountWatched(c *checker) {
	recording := slices.ContainsFunc(c.of("cfg/recorderStatus"), func(r Resource) bool { return r.get("isEnabled").mayBeTrue() })
	if !recording || len(c.of("cfg/recorder")) == 0 || len(c.of("cfg/deliveryChannel")) == 0 {
		c.lack("AWS Config records nothing: add a recorder, its delivery channel and its status, enabled")
	}
	if !slices.ContainsFunc(c.of("guardduty/detector"), func(r Resource) bool { return !r.get("enable").isFalse() }) {
		c.lack("GuardDuty is off: add an aws.guardduty.Detector")
	}
	if len(c.of("securityhub/account")) == 0 {
		c.lack("Security Hub is off: add an aws.securityhub.Account")
	}
}

// github is GitHub's OIDC provider. Source: GitHub Docs, "OpenID Connect reference".
const github = "token.actions.githubusercontent.com"

// githubSubject is a subject of one repository and one environment.
var githubSubject = regexp.MustCompile(`^repo:[^*?:/]+/[^*?:/]+:environment:[^*?]+$`)

func githubTrust(c *checker) {
	for _, role := range c.of("iam/role") {
		doc, err := parse(role.get("assumeRolePolicy"))
		if err != nil {
			continue // not known, or refused by IAM
		}
		for _, s := range doc.Statement {
			if !s.allows() || !c.trustsGitHub(s) {
				continue
			}
			audience, _ := s.condition("StringEquals", github+":aud")
			c.failUnless(slices.Equal(audience, texts{"sts.amazonaws.com"}), role, "takes GitHub's tokens for any audience: add StringEquals %s:aud sts.amazonaws.com", github)
			subjects, _ := s.condition("StringEquals", github+":sub")
			if patterns, given := s.condition("StringLike", github+":sub"); given {
				subjects = patterns
			}
			c.failUnless(len(subjects) > 0 && !slices.ContainsFunc(subjects, func(s string) bool { return !githubSubject.MatchString(s) }), role,
				"can be taken on from %s: bind %s:sub to repo:OWNER/NAME:environment:ENVIRONMENT, without wildcards", orAnything(subjects), github)
		}
	}
}

func orAnything(subjects texts) string {
	if len(subjects) == 0 {
		return "every repository of GitHub"
	}
	return strings.Join(subjects, ", ")
}

// trustsGitHub reports whether a statement of a trust policy is for GitHub's tokens: it names the provider, or a
// condition on its claims.
func (c *checker) trustsGitHub(s statement) bool {
	for _, federated := range s.Principal["Federated"] {
		if strings.Contains(federated, github) || slices.ContainsFunc(c.of("iam/openIdConnectProvider"), func(r Resource) bool {
			url, _ := r.get("url").text()
			return strings.Contains(url, github) && r.identifiedBy(federated)
		}) {
			return true
		}
	}
	for _, keys := range s.Condition {
		for key := range keys {
			if strings.HasPrefix(strings.ToLower(key), github+":") {
				return true
			}
		}
	}
	return false
}
