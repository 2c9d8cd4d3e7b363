package policy

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

func bucketRules() []Rule {
	everywhere := levels(Mandatory, Dev, Stage, Prod, Account)
	return []Rule{
		{
			ID: "CD-16", Title: "Buckets block public access",
			Detail:     "Every bucket has a public access block with all four settings on.",
			Levels:     everywhere,
			References: References{CIS: "2.1.4", SecurityHub: "S3.8, S3.1", Checkov: "CKV_AWS_53-56, CKV2_AWS_6", Prowler: "s3_bucket_level_public_access_block"},
			check:      publicAccessBlocked,
		},
		{
			ID: "CD-17", Title: "Buckets refuse requests without TLS",
			Detail: "A bucket policy denies s3:* on the bucket and its objects to everybody where aws:SecureTransport is false. A policy that is not known yet passes.",
			Levels: everywhere, References: References{CIS: "2.1.1", SecurityHub: "S3.5", Prowler: "s3_bucket_secure_transport_policy"},
			check: tlsOnly,
		},
		{
			ID: "CD-18", Title: "Buckets that a restore or a rollback needs are versioned",
			Detail: "Buckets whose name or tags Role, Use or Name have one of the words " + strings.Join(restoreWords, ", ") + ".",
			Levels: everywhere, References: References{SecurityHub: "S3.14", Checkov: "CKV_AWS_21", Prowler: "s3_bucket_object_versioning"},
			check: func(c *checker) {
				for _, bucket := range c.buckets() {
					if !named(bucket, restoreWords...) {
						continue
					}
					versioned := bucket.get("versioning", "enabled").mayBeTrue() || slices.ContainsFunc(c.settings(bucket, "s3/bucketVersioning"), func(r Resource) bool {
						return r.get("versioningConfiguration", "status").mayBe("Enabled")
					})
					c.failUnless(versioned, bucket, "is not versioned, and what is overwritten is gone: add a versioning configuration with the status Enabled")
				}
			},
		},
		{
			ID: "CD-19", Title: "Buckets are encrypted with a KMS key, by way of a bucket key",
			Detail: "The default encryption is aws:kms with a key of ours and bucketKeyEnabled. Buckets that load balancers or S3 write access logs to have AES256: they can write no other.",
			Levels: levels(Mandatory, Stage, Prod, Account), References: References{SecurityHub: "S3.17", Checkov: "CKV_AWS_19, CKV_AWS_145", Prowler: "s3_bucket_kms_encryption"},
			check: bucketsEncrypted,
		},
		{
			ID: "CD-20", Title: "Buckets keep access logs",
			Detail: "Every bucket but those that access logs are written to has a logging configuration.",
			Levels: everywhere, Advises: "that every bucket has lifecycle rules",
			References: References{SecurityHub: "S3.9, S3.13", Checkov: "CKV_AWS_18, CKV2_AWS_61", Prowler: "s3_bucket_server_access_logging_enabled"},
			check: func(c *checker) {
				for _, bucket := range c.buckets() {
					logged := !bucket.get("logging").missing() || len(c.settings(bucket, "s3/bucketLogging")) > 0
					c.failUnless(logged || c.takesLogs(bucket), bucket, "keeps no access logs: add a logging configuration to the bucket for access logs")
				}
				for _, bucket := range c.buckets() {
					if bucket.get("lifecycleRules").missing() && len(c.settings(bucket, "s3/bucketLifecycleConfiguration")) == 0 {
						c.advise(bucket, "has no lifecycle rules, and grows for ever: add rules that expire old versions and unfinished uploads")
					}
				}
			},
		},
		{
			ID: "CD-21", Title: "Backups outlive a mistake and a region",
			Detail: "Buckets whose name or tags Role, Use or Name have the word backup or backups have object lock, and a replication rule, unless they are the copies of another bucket.",
			Levels: levels(Advisory, Prod), References: References{CIS: "REL09", SecurityHub: "S3.15, S3.7", Checkov: "CKV_AWS_143, CKV_AWS_144", Prowler: "s3_bucket_object_lock"},
			check: backupBuckets,
		},
	}
}

// keptWords name the buckets whose objects nobody can make again; restoreWords those, and what is deployed again when a
// release is taken back.
var (
	keptWords    = []string{"state", "backup", "backups", "recording", "recordings"}
	restoreWords = []string{"state", "backup", "backups", "recording", "recordings", "artifacts", "trail"}
)

var words = regexp.MustCompile(`[^a-z0-9]+`)

// named reports whether the name or a tag of a bucket has one of some words.
func named(bucket Resource, among ...string) bool {
	texts := []string{bucket.Name}
	for _, v := range []value{bucket.tag("Role"), bucket.tag("Use"), bucket.tag("Name"), bucket.get("bucket")} {
		if text, ok := v.text(); ok {
			texts = append(texts, text)
		}
	}
	return slices.ContainsFunc(words.Split(strings.ToLower(strings.Join(texts, " ")), -1), func(w string) bool { return slices.Contains(among, w) })
}

func (c *checker) buckets() []Resource { return c.of("s3/bucket") }

// settings lists the resources of one kind that are about a bucket.
func (c *checker) settings(bucket Resource, kind string) []Resource {
	return c.referrers(bucket, []string{kind}, "bucket")
}

// takesLogs reports whether S3 or load balancers write access logs to a bucket.
func (c *checker) takesLogs(bucket Resource) bool {
	return len(c.referrers(bucket, []string{"s3/bucketLogging"}, "targetBucket")) > 0 ||
		len(c.referrers(bucket, []string{"s3/bucket"}, "logging", "targetBucket")) > 0 ||
		len(c.referrers(bucket, []string{"lb/loadBalancer"}, "accessLogs", "bucket")) > 0 ||
		len(c.referrers(bucket, []string{"lb/loadBalancer"}, "connectionLogs", "bucket")) > 0
}

func publicAccessBlocked(c *checker) {
	for _, bucket := range c.buckets() {
		blocks := c.settings(bucket, "s3/bucketPublicAccessBlock")
		c.failUnless(len(blocks) > 0, bucket, "has no public access block: add one with blockPublicAcls, blockPublicPolicy, ignorePublicAcls and restrictPublicBuckets")
		for _, block := range blocks {
			for _, setting := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
				c.failUnless(block.get(setting).mayBeTrue(), block, "does not set %s: set it to true", setting)
			}
		}
	}
}

func tlsOnly(c *checker) {
	for _, bucket := range c.buckets() {
		var policies []value
		if !bucket.get("policy").missing() {
			policies = append(policies, bucket.get("policy"))
		}
		for _, r := range c.settings(bucket, "s3/bucketPolicy") {
			policies = append(policies, r.get("policy"))
		}
		c.failUnless(slices.ContainsFunc(policies, mayDenyPlain), bucket,
			"takes requests without TLS: deny s3:* on it and its objects to everybody where aws:SecureTransport is false")
	}
}

// mayDenyPlain reports whether a bucket policy refuses, or may refuse, everything that does not come by TLS.
func mayDenyPlain(policy value) bool {
	doc, err := parse(policy)
	if err != nil {
		return errors.Is(err, errOpaque)
	}
	objects, bucket := false, false
	for _, s := range doc.Statement {
		values, conditional := s.condition("Bool", "aws:SecureTransport")
		if !s.denies() || !s.Principal.everyone() || !slices.Contains(values, "false") || !conditional ||
			!slices.ContainsFunc(s.Action, func(a string) bool { return a == "*" || strings.EqualFold(a, "s3:*") }) {
			continue
		}
		for _, r := range s.Resource {
			objects = objects || r == "*" || strings.HasSuffix(r, "/*")
			bucket = bucket || r == "*" || !strings.HasSuffix(r, "/*")
		}
	}
	return objects && bucket
}

func bucketsEncrypted(c *checker) {
	const advice = "add a default encryption with aws:kms, the stack's key for storage, and bucketKeyEnabled"
	for _, bucket := range c.buckets() {
		rules := bucket.get("serverSideEncryptionConfiguration", "rule").list()
		configured := len(rules) > 0
		for _, r := range c.settings(bucket, "s3/bucketServerSideEncryptionConfiguration") {
			configured = true
			rules = append(rules, r.get("rules").list()...)
		}
		c.failUnless(configured, bucket, "has no default encryption of its own: %s", advice)
		for _, rule := range rules {
			byDefault := rule.get("applyServerSideEncryptionByDefault")
			switch {
			// Source: Amazon S3 User Guide, "Enabling Amazon S3 server access logging"; Elastic Load Balancing, "Access logs for
			// your Application Load Balancer".
			case c.takesLogs(bucket):
				c.failUnless(byDefault.get("sseAlgorithm").mayBe("AES256", "aws:kms"), bucket, "is not encrypted: set sseAlgorithm to AES256")
			case !byDefault.get("sseAlgorithm").mayBe("aws:kms", "aws:kms:dsse"):
				c.fail(bucket, "is not encrypted with KMS: %s", advice)
			case !byDefault.get("kmsMasterKeyId").mayBeCustomerKey():
				c.fail(bucket, "is encrypted with AWS's own key: %s", advice)
			case !rule.get("bucketKeyEnabled").mayBeTrue():
				c.fail(bucket, "asks KMS for every object: set bucketKeyEnabled")
			}
		}
	}
}

func backupBuckets(c *checker) {
	for _, bucket := range c.buckets() {
		if !named(bucket, "backup", "backups") {
			continue
		}
		locked := bucket.get("objectLockEnabled").mayBeTrue() || len(c.settings(bucket, "s3/bucketObjectLockConfiguration")) > 0
		c.failUnless(locked, bucket, "has no object lock, and whoever may delete can delete backups: turn it on, which S3 allows for new buckets")
		copied := !bucket.get("replicationConfiguration").missing() || slices.ContainsFunc(c.settings(bucket, "s3/bucketReplicationConfig"), func(r Resource) bool {
			return r.get("rules").opaque() || slices.ContainsFunc(r.get("rules").list(), func(rule value) bool { return rule.get("status").mayBe("Enabled") })
		})
		copied = copied || slices.ContainsFunc(c.of("s3/bucketReplicationConfig"), func(r Resource) bool { return copiesTo(r, bucket) })
		c.failUnless(copied, bucket, "is in one region alone: add a replication rule to a bucket in another")
	}
}

// copiesTo reports whether a replication configuration has objects copied to a bucket, or may do so.
func copiesTo(config, bucket Resource) bool {
	return config.get("rules").opaque() || slices.ContainsFunc(config.get("rules").list(), func(rule value) bool {
		destination := rule.get("destination", "bucket")
		arn, known := destination.text()
		return destination.opaque() || known && bucket.identifiedBy(arn)
	})
}
