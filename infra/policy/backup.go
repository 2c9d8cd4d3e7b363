package policy

import (
	"slices"
	"strings"
)

func backupRules() []Rule {
	return []Rule{{
		ID: "CD-46", Title: "AWS Backup covers databases and disks, in a locked vault",
		Detail: "Where the stack has RDS instances (no replicas) or volumes of their own, it has a vault with a KMS key of ours and a lock, a plan that fills it, and a selection of that plan that " +
			"covers each of them: by ARN, by * or by one of its tags.",
		Levels:     levels(Mandatory, Prod),
		References: References{CIS: "REL09", SecurityHub: "Backup.1", Checkov: "CKV_AWS_166", Prowler: "rds_instance_protected_by_backup_plan"},
		check:      backedUp,
	}}
}

func backedUp(c *checker) {
	precious := append(c.primaries(), c.of("ebs/volume")...)
	if len(precious) == 0 {
		return
	}
	vaults := c.of("backup/vault")
	if len(vaults) == 0 {
		c.lack("there is no backup vault: add an aws.backup.Vault with a key of ours, and a plan and a selection")
	}
	for _, vault := range vaults {
		c.failUnless(vault.requested().get("kmsKeyArn").mayBeCustomerKey(), vault, "is encrypted with AWS's own key: set kmsKeyArn to the stack's key for backups")
		c.failUnless(len(c.referrers(vault, []string{"backup/vaultLockConfiguration"}, "backupVaultName")) > 0, vault,
			"is not locked, and whoever may delete can delete backups: add an aws.backup.VaultLockConfiguration")
	}
	selections := c.of("backup/selection")
	for _, plan := range c.of("backup/plan") {
		c.failUnless(!plan.get("rules").missing(), plan, "has no rules, so it never runs: give it a rule with a schedule and the vault")
		c.failUnless(len(c.referrers(plan, []string{"backup/selection"}, "planId")) > 0, plan, "selects nothing: add an aws.backup.Selection")
	}
	for _, r := range precious {
		c.failUnless(slices.ContainsFunc(selections, func(s Resource) bool { return c.selects(s, r) }), r,
			"is in no backup: give it the tag that a selection of AWS Backup looks for")
	}
}

// selects reports whether a selection of a plan in the stack covers r, or may do so.
// Source: AWS Backup API Reference, BackupSelection: resources or tags are enough, conditions must all hold.
func (c *checker) selects(selection, r Resource) bool {
	if len(c.referents(selection, []string{"backup/plan"}, "planId")) == 0 {
		return false
	}
	byTag := slices.ContainsFunc(selection.get("selectionTags").list(), func(t value) bool { return hasTag(r, t.get("key"), t.get("value"), t.opaque()) })
	arns, complete := selection.get("resources").texts()
	byARN := !complete || refers(selection, r, "resources") || slices.ContainsFunc(arns, func(arn string) bool {
		return arn == "*" || strings.HasSuffix(arn, ":*") && strings.Contains(arn, ":"+services[r.kind()]+":")
	})
	return byTag || selection.get("selectionTags").opaque() || byARN && conditionsHold(selection, r)
}

// services are the services in the ARNs of what is backed up.
var services = map[string]string{"rds/instance": "rds", "ebs/volume": "ec2"}

// conditionsHold reports whether the tags of r meet the conditions of a selection that are equalities; others may hold.
func conditionsHold(selection, r Resource) bool {
	for _, condition := range selection.get("conditions").list() {
		for _, equal := range condition.get("stringEquals").list() {
			key, _ := equal.get("key").text()
			if !hasTag(r, value{strings.TrimPrefix(key, "aws:ResourceTag/")}, equal.get("value"), equal.opaque()) {
				return false
			}
		}
	}
	return true
}

// hasTag reports whether r has, or may have, a tag.
func hasTag(r Resource, key, want value, opaque bool) bool {
	name, known := key.text()
	if opaque || !known || r.get("tags").opaque() {
		return true
	}
	text, known := want.text()
	return !known || r.tag(name).mayBe(text)
}
