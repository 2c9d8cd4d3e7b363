package policy

import "strings"

func protectionRules() []Rule {
	return []Rule{{
		ID: "CD-50", Title: "What cannot be made again is protected",
		Detail: "RDS instances that are no replicas, KMS keys, Elastic IPs that are not a NAT gateway's, and buckets whose name or tags Role, Use or Name have one of the words " +
			strings.Join(keptWords, ", ") + " are protected by Pulumi and retained in AWS when Pulumi forgets them. Volumes of their own are protected; a snapshot keeps them. Pulumi does not tell " +
			"policy packs about retainOnDelete: a preview judges the protection alone.",
		Levels: levels(Mandatory, Prod, Account), References: References{CIS: "REL"},
		check: statefulProtected,
	}}
}

func statefulProtected(c *checker) {
	retained := append(c.primaries(), c.of("rds/cluster", "kms/key")...)
	for _, eip := range c.of("ec2/eip") {
		if len(c.referrers(eip, []string{"ec2/natGateway"}, "allocationId")) == 0 {
			retained = append(retained, eip)
		}
	}
	for _, bucket := range c.buckets() {
		if named(bucket, keptWords...) {
			retained = append(retained, bucket)
		}
	}
	for _, r := range append(retained, c.of("ebs/volume")...) {
		c.failUnless(r.Protect, r, "can be deleted by one mistake in the program: protect it (pulumi.Protect)")
	}
	if c.RetentionUnknown {
		return
	}
	for _, r := range retained {
		c.failUnless(r.RetainOnDelete, r, "is deleted once the program leaves it out: retain it (pulumi.RetainOnDelete)")
	}
}
