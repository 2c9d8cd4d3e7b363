package policy

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func keyRules() []Rule {
	everywhere := levels(Mandatory, Dev, Stage, Prod, Account)
	return []Rule{
		{
			ID: "CD-36", Title: "Keys rotate, are for named principals, and take two weeks to delete",
			Detail: "enableKeyRotation is true on symmetric keys; deletionWindowInDays, where set, is at least 14 (the default is 30); no statement of the key's policy that allows is for all " +
				"principals. A policy that is not known yet passes.",
			Levels: everywhere, References: References{CIS: "3.6", SecurityHub: "KMS.4", Checkov: "CKV_AWS_7, CKV_AWS_33, CKV2_AWS_64", Prowler: "kms_cmk_rotation_enabled"},
			check: keysSafe,
		},
		{
			ID: "CD-42", Title: "Secrets are encrypted with a key of ours, and in no place where they can be read",
			Detail: "Secrets of Secrets Manager and SecureString parameters name a KMS key of ours; a plain parameter is not called after a secret. RDS makes, keeps and rotates its master " +
				"password. User data (base64 and gzip are taken off) holds no value that Pulumi keeps secret, no key and no literal password. No value that Pulumi keeps secret is in the " +
				"environment or the text of a command or a Lambda function: standard input and files are for those. Rotation of our own secrets is not asked for, since nothing in AWS can rotate them.",
			Levels: everywhere, References: References{SecurityHub: "SecretsManager.1", Checkov: "CKV_AWS_149, CKV_AWS_337, CKV_AWS_46, CKV2_AWS_57, CKV2_AWS_34",
				Prowler: "ec2_launch_template_no_secrets"},
			check: secretsSafe,
		},
		{
			ID: "CD-43", Title: "Policies allow what is needed, on what it is needed for",
			Detail: "No policy allows everything, all but something, a restrictable action on any resource without a condition, or an action on all identities with which its holder can give " +
				"himself every right. Nobody has " + strings.Join(managedAdmin, ", ") + ". Channels of Slack have a guardrail. Actions that take no resource, and those that list or describe, pass. A policy that is not known yet passes.",
			Levels: everywhere, References: References{CIS: "1.15", SecurityHub: "IAM.1, IAM.21", Checkov: "CKV_AWS_1, CKV_AWS_274, CKV_AWS_286, CKV_AWS_355",
				Prowler: "iam_customer_attached_policy_no_administrative_privileges"},
			check: leastPrivilege,
		},
	}
}

// minDeletionDays is how long a key can be got back: until somebody who was away notices.
const minDeletionDays = 14

func keysSafe(c *checker) {
	for _, key := range c.of("kms/key") {
		spec := key.get("customerMasterKeySpec")
		if spec.missing() || spec.is("SYMMETRIC_DEFAULT") {
			c.failUnless(key.get("enableKeyRotation").mayBeTrue(), key, "never changes: set enableKeyRotation")
		}
		window := key.get("deletionWindowInDays")
		c.failUnless(window.missing() || window.mayBeAtLeast(minDeletionDays), key, "is gone for good too soon after its deletion: set deletionWindowInDays to at least %d", minDeletionDays)
		c.namedPrincipals(key, key.get("policy"))
		for _, r := range c.referrers(key, []string{"kms/keyPolicy"}, "keyId") {
			c.namedPrincipals(r, r.get("policy"))
		}
	}
}

func (c *checker) namedPrincipals(r Resource, policy value) {
	if policy.missing() {
		return // AWS's default, which leaves all to the account's IAM
	}
	doc, err := parse(policy)
	if err != nil && !errors.Is(err, errOpaque) {
		c.fail(r, "has a policy that is no policy document: %v", err)
	}
	if slices.ContainsFunc(doc.Statement, func(s statement) bool { return s.allows() && (s.Principal.everyone() || len(s.NotPrincipal) > 0) }) {
		c.fail(r, "its policy allows something to everybody: name the account, the role or the service")
	}
}

// secretWords are in the names of parameters that hold secrets.
var secretWords = regexp.MustCompile(`(?i)password|passwd|secret|token|private.?key`)

func secretsSafe(c *checker) {
	for _, r := range c.of("secretsmanager/secret") {
		c.failUnless(r.requested().get("kmsKeyId").mayBeCustomerKey(), r, "is encrypted with AWS's own key: set kmsKeyId to the stack's key for secrets")
	}
	for _, r := range c.of("ssm/parameter") {
		name, _ := r.get("name").text()
		switch {
		case r.get("type").is("SecureString"):
			c.failUnless(r.requested().get("keyId").mayBeCustomerKey(), r, "is encrypted with AWS's own key: set keyId to the stack's key for secrets")
		case r.get("type").is("String", "StringList") && secretWords.MatchString(name):
			c.fail(r, "is called after a secret and stored in the clear: make it a SecureString with the stack's key for secrets")
		}
	}
	for _, db := range slices.DeleteFunc(c.of("rds/instance", "rds/cluster"), replica) {
		switch {
		case db.get("manageMasterUserPassword").mayBeTrue():
			c.failUnless(db.requested().get("masterUserSecretKmsKeyId").mayBeCustomerKey(), db, "keeps its password under AWS's own key: set masterUserSecretKmsKeyId")
		case !db.get("password").missing() || !db.get("masterPassword").missing():
			c.fail(db, "has a password that nobody rotates: set manageMasterUserPassword, and take it from the secret that RDS keeps")
		}
	}
	for _, r := range c.of("ec2/instance", "ec2/launchTemplate", "ec2/launchConfiguration") {
		for _, property := range []string{"userData", "userDataBase64"} {
			if what := secretIn(r.requested().get(property)); what != "" {
				c.fail(r, "has %s in its user data, which everybody on the machine and whoever may describe it can read: fetch it from Secrets Manager at boot", what)
			}
		}
	}
	for _, r := range c.of("command:local:Command", "command:remote:Command") {
		for _, property := range []string{"environment", "create", "update", "delete"} {
			c.failUnless(!r.get(property).secret(), r, "has a secret in %s, which every process of the same user can read: pass it by stdin or in a file of mode 0600", property)
		}
	}
	for _, r := range c.of("lambda/function") {
		c.failUnless(!r.get("environment").secret(), r, "has a secret in its environment: fetch it from Secrets Manager")
	}
}

// secretForms are what gives a secret away in a text. A literal value is one that is no variable, path, ARN or template.
var secretForms = []struct {
	what string
	form *regexp.Regexp
}{
	// Source: AWS IAM User Guide, "IAM identifiers: Understanding unique ID prefixes".
	{"an access key", regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`)},
	// Source: RFC 7468.
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a literal password", regexp.MustCompile(`(?i)(password|passwd|secret|token|api_?key)["']?\s*[:=]\s*["']?([^\s"'$<{(\[/%][^\s"']{5,})`)},
}

// secretIn names the secret that user data has, or answers nothing.
func secretIn(v value) string {
	if v.secret() {
		return "a value that Pulumi keeps secret"
	}
	text, _ := v.text()
	// The ARN of a secret names it and gives nothing away.
	text = arns.ReplaceAllString(plainText(text), "arn")
	for _, form := range secretForms {
		if form.form.MatchString(text) {
			return form.what
		}
	}
	return ""
}

// arns are Amazon Resource Names. Source: AWS IAM User Guide, "Identify AWS resources with Amazon Resource Names".
var arns = regexp.MustCompile(`\barn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[A-Za-z0-9_/:.*+=,@-]+`)

// maxUserData bounds what is unpacked. EC2 takes 16 KiB. Source: Amazon EC2 User Guide, "Run commands when you launch an
// EC2 instance with user data input".
const maxUserData = 1 << 20

// packed is what may be base64 inside a text, such as a file in a cloud-config.
var packed = regexp.MustCompile(`[A-Za-z0-9+/]{24,}={0,2}`)

// plainText takes base64 and gzip off a text that has them, and adds what is packed inside it in the same way.
func plainText(text string) string {
	if data, ok := unpack(text); ok {
		text = data
	}
	var all strings.Builder
	all.WriteString(text)
	for _, part := range packed.FindAllString(text, -1) {
		if data, ok := unpack(part); ok {
			all.WriteString("\n" + data)
		}
	}
	return all.String()
}

func unpack(text string) (string, bool) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", false
	}
	if reader, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		data, _ = io.ReadAll(io.LimitReader(reader, maxUserData)) // what could be read is looked at
	}
	return string(data), utf8.Valid(data)
}
