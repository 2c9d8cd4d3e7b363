package policy

import (
	"slices"
	"strings"
)

func databaseRules() []Rule {
	return []Rule{
		{
			ID: "CD-22", Title: "Databases are encrypted",
			Detail:     "storageEncrypted is true on RDS instances and clusters. A replica takes it from its source.",
			Levels:     levels(Mandatory, Dev, Stage, Prod),
			References: References{CIS: "2.2.1", SecurityHub: "RDS.3", Checkov: "CKV_AWS_16", Prowler: "rds_instance_storage_encrypted"},
			check: func(c *checker) {
				for _, db := range c.of("rds/instance", "rds/cluster") {
					c.failUnless(replica(db) && db.get("storageEncrypted").missing() || db.get("storageEncrypted").mayBeTrue(), db,
						"is not encrypted, which cannot be mended later without a restore: set storageEncrypted and kmsKeyId")
				}
			},
		},
		{
			ID: "CD-23", Title: "Databases are not public",
			Detail:     "publiclyAccessible is not true.",
			Levels:     levels(Mandatory, Dev, Stage, Prod),
			References: References{CIS: "2.2.3", SecurityHub: "RDS.2", Checkov: "CKV_AWS_17", Prowler: "rds_instance_no_public_access"},
			check: func(c *checker) {
				for _, db := range c.of("rds/instance", "rds/clusterInstance") {
					c.failUnless(!db.get("publiclyAccessible").isTrue(), db, "has a public address: take publiclyAccessible away")
				}
			},
		},
		{
			ID: "CD-24", Title: "Databases have a standby in another zone",
			Detail:     "multiAz is true on RDS instances that are no replicas. Stage is advised.",
			Levels:     and(levels(Mandatory, Prod), levels(Advisory, Stage)),
			References: References{CIS: "2.2.4", SecurityHub: "RDS.5", Checkov: "CKV_AWS_157", Prowler: "rds_instance_multi_az"},
			check: func(c *checker) {
				for _, db := range c.primaries() {
					c.failUnless(db.get("multiAz").mayBeTrue(), db, "is lost with its availability zone: set multiAz")
				}
			},
		},
		{
			ID: "CD-25", Title: "Databases cannot be deleted by mistake",
			Detail:     "deletionProtection is true and skipFinalSnapshot is not, on RDS instances that are no replicas.",
			Levels:     levels(Mandatory, Prod),
			References: References{SecurityHub: "RDS.8", Checkov: "CKV_AWS_293", Prowler: "rds_instance_deletion_protection"},
			check: func(c *checker) {
				for _, db := range c.primaries() {
					c.failUnless(db.get("deletionProtection").mayBeTrue(), db, "can be deleted by anybody who may: set deletionProtection")
					c.failUnless(!db.get("skipFinalSnapshot").isTrue(), db, "would leave nothing behind: take skipFinalSnapshot away, and set finalSnapshotIdentifier")
				}
			},
		},
		{
			ID: "CD-26", Title: "Databases are backed up",
			Detail:     "backupRetentionPeriod is at least 7 days in stage and 14 in prod, and snapshots take the tags over, on RDS instances that are no replicas.",
			Levels:     levels(Mandatory, Stage, Prod),
			References: References{SecurityHub: "RDS.11, RDS.17", Checkov: "CKV_AWS_133, CKV2_AWS_60", Prowler: "rds_instance_backup_enabled"},
			check: func(c *checker) {
				days := map[Scope]float64{Stage: 7, Prod: 14}[c.Scope]
				for _, db := range c.primaries() {
					c.failUnless(db.get("backupRetentionPeriod").mayBeAtLeast(days), db, "keeps backups for too short a time: set backupRetentionPeriod to at least %.0f days", days)
					c.failUnless(db.get("copyTagsToSnapshot").mayBeTrue(), db, "makes snapshots that nobody can tell apart: set copyTagsToSnapshot")
				}
			},
		},
		{
			ID: "CD-27", Title: "Databases take minor upgrades by themselves",
			Detail:     "autoMinorVersionUpgrade is not false; the provider's default is true.",
			Levels:     levels(Mandatory, Stage, Prod),
			References: References{CIS: "2.2.2", SecurityHub: "RDS.13", Checkov: "CKV_AWS_226", Prowler: "rds_instance_minor_version_upgrade_enabled"},
			check: func(c *checker) {
				for _, db := range c.of("rds/instance", "rds/clusterInstance") {
					c.failUnless(!db.get("autoMinorVersionUpgrade").isFalse(), db, "misses security fixes: set autoMinorVersionUpgrade")
				}
			},
		},
		{
			ID: "CD-28", Title: "Databases talk TLS only, with a certificate that is not about to end",
			Detail: "The instance's parameter group is in the stack and sets rds.force_ssl to 1 (PostgreSQL) or require_secure_transport to ON (MySQL). caCertIdentifier, where it is set, " +
				"is one of the authorities that AWS offers today.",
			Levels:     levels(Mandatory, Stage, Prod),
			References: References{Checkov: "CKV2_AWS_69, CKV_AWS_211", Prowler: "rds_instance_transport_encrypted"},
			check:      databaseTLS,
		},
		{
			ID: "CD-29", Title: "Databases can be looked into",
			Detail: "Logs are exported to CloudWatch, enhanced monitoring is on, and Performance Insights is on with a key of ours.",
			Levels: levels(Mandatory, Prod),
			References: References{SecurityHub: "RDS.9, RDS.6", Checkov: "CKV_AWS_129, CKV_AWS_118, CKV_AWS_353, CKV_AWS_354",
				Prowler: "rds_instance_integration_cloudwatch_logs"},
			check: func(c *checker) {
				for _, db := range c.of("rds/instance") {
					c.failUnless(!db.get("enabledCloudwatchLogsExports").missing(), db, "keeps its logs to itself: set enabledCloudwatchLogsExports, for PostgreSQL to postgresql and upgrade")
					c.failUnless(db.get("monitoringInterval").mayBeAtLeast(1), db, "has no enhanced monitoring: set monitoringInterval to 60, and monitoringRoleArn")
					switch {
					case !db.get("performanceInsightsEnabled").mayBeTrue():
						c.fail(db, "has no Performance Insights: set performanceInsightsEnabled and performanceInsightsKmsKeyId")
					case !db.requested().get("performanceInsightsKmsKeyId").mayBeCustomerKey():
						c.fail(db, "encrypts Performance Insights, which shows queries, with AWS's own key: set performanceInsightsKmsKeyId")
					}
				}
			},
		},
	}
}

// replica reports whether a database copies another one.
func replica(db Resource) bool { return !db.get("replicateSourceDb").missing() }

// primaries lists the RDS instances that are no replicas.
func (c *checker) primaries() []Resource {
	return slices.DeleteFunc(c.of("rds/instance"), replica)
}

// authorities are those that AWS signs database certificates with. rds-ca-2019 ended in August 2024.
// Source: Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance".
var authorities = []string{"rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"}

func databaseTLS(c *checker) {
	for _, db := range c.of("rds/instance") {
		if ca := db.get("caCertIdentifier"); !ca.missing() && !ca.mayBe(authorities...) {
			text, _ := ca.text()
			c.fail(db, "has the certificate authority %s: set caCertIdentifier to one of %s", text, strings.Join(authorities, ", "))
		}
		groups := c.referents(db, []string{"rds/parameterGroup"}, "parameterGroupName")
		if len(groups) == 0 && db.get("parameterGroupName").opaque() {
			continue
		}
		c.failUnless(len(groups) > 0, db, "has no parameter group in this stack, so nobody sees whether it insists on TLS: add one that sets rds.force_ssl to 1")
		for _, group := range groups {
			c.failUnless(group.get("parameters").opaque() || slices.ContainsFunc(group.get("parameters").list(), func(p value) bool {
				return p.get("name").mayBe("rds.force_ssl") && p.get("value").mayBe("1") || p.get("name").mayBe("require_secure_transport") && p.get("value").mayBe("1", "ON")
			}), group, "lets clients of %s connect without TLS: set rds.force_ssl to 1", db.Name)
		}
	}
}
