package policy

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"
	"sync"
)

func costRules() []Rule {
	return []Rule{
		{
			ID: "CD-48", Title: "Everything says whose it is",
			Detail: "Every resource of a type that takes tags has " + strings.Join(mandatoryTags, ", ") + ", none of them empty, on itself or from its provider's default tags. " +
				"S3 objects are left out: they are billed with their bucket.",
			Levels: levels(Mandatory, Dev, Stage, Prod, Account), References: References{CIS: "COST03"},
			check: tagged,
		},
		{
			ID: "CD-49", Title: "Costs have a limit",
			Detail: "The account's stack has a budget, and budgets in any stack have notifications that reach somebody. Instances, launch templates and databases are of a type on the list: " +
				"general, compute and memory families (EC2 amd64) up to 4xlarge. Autoscaling groups grow to 3 machines in dev, 6 in stage, 20 in prod. In prod each zone with private subnets " +
				"that use NAT has a NAT gateway of its own; elsewhere one may do.",
			Levels: levels(Mandatory, Dev, Stage, Prod, Account), References: References{CIS: "COST02, COST05"},
			check: costsLimited,
		},
	}
}

// mandatoryTags are those that bills and alarms are sorted by.
var mandatoryTags = []string{"Project", "Environment", "Owner", "CostCenter", "ManagedBy"}

// taggableList names every kind of resource that takes tags, by the provider's SDK.
//
//go:embed taggable.txt
var taggableList string

var taggable = sync.OnceValue(func() map[string]bool {
	kinds := map[string]bool{}
	for kind := range strings.FieldsSeq(taggableList) {
		kinds[kind] = true
	}
	return kinds
})

func tagged(c *checker) {
	for _, r := range c.Resources {
		if !taggable()[r.kind()] && !r.is("autoscaling/group") || r.is("s3/bucketObject", "s3/bucketObjectv2", "s3/objectCopy") {
			continue
		}
		var missing []string
		for _, key := range mandatoryTags {
			if !mayHaveTag(r, key) {
				missing = append(missing, key)
			}
		}
		c.failUnless(len(missing) == 0, r, "has no tag %s: give it the tags of its component", strings.Join(missing, ", "))
	}
}

// mayHaveTag reports whether a resource has, or may have, a tag that is not empty, among its own or its provider's
// default tags.
func mayHaveTag(r Resource, key string) bool {
	if r.is("autoscaling/group") {
		return r.get("tags").opaque() || !groupTag(r, key).missing()
	}
	return !r.tag(key).missing() || !r.get("tagsAll", key).missing()
}

// allowedTypes are the EC2 and RDS types that somebody chose with the bill in mind. Wazo's packages are for amd64, which
// RDS does not ask for. Source: Amazon EC2 Instance Types Guide; Amazon RDS User Guide, "DB instance classes".
var (
	allowedTypes   = regexp.MustCompile(`^(t3|t3a)\.(micro|small|medium|large|xlarge|2xlarge)$|^[mcr](5|5a|6i|6a|7i|7a|7i-flex)\.(large|xlarge|2xlarge|4xlarge)$`)
	allowedClasses = regexp.MustCompile(`^db\.((t3|t4g)\.(micro|small|medium|large|xlarge|2xlarge)|[mr](5|6i|6g|7i|7g)\.(large|xlarge|2xlarge|4xlarge))$`)
)

// maxMachines bounds an autoscaling group, so that a runaway metric does not buy a data centre.
var maxMachines = map[Scope]float64{Dev: 3, Stage: 6, Prod: 20}

func costsLimited(c *checker) {
	c.budgets()
	for _, r := range c.of("ec2/instance", "ec2/launchTemplate", "ec2/launchConfiguration", "ec2/spotInstanceRequest") {
		c.typeAllowed(r, "instanceType", allowedTypes)
	}
	for _, r := range c.of("rds/instance", "rds/clusterInstance") {
		c.typeAllowed(r, "instanceClass", allowedClasses)
	}
	if limit, limited := maxMachines[c.Scope]; limited {
		for _, group := range c.of("autoscaling/group") {
			if n, known := group.get("maxSize").number(); known && n > limit {
				c.fail(group, "may grow to %.0f machines: set maxSize to at most %.0f", n, limit)
			}
		}
	}
	if c.Scope == Prod {
		c.natPerZone()
	}
}

func (c *checker) typeAllowed(r Resource, property string, allowed *regexp.Regexp) {
	if text, known := r.get(property).text(); known && text != "" && !allowed.MatchString(text) {
		c.fail(r, "is of the type %s, which is not on the list: take one of a general, compute or memory family, up to 4xlarge", text)
	}
}

func (c *checker) budgets() {
	budgets := c.of("budgets/budget")
	if c.Scope == Account && len(budgets) == 0 {
		c.lack("there is no budget: add an aws.budgets.Budget with notifications")
	}
	for _, budget := range budgets {
		notifications := budget.get("notifications")
		silent := slices.ContainsFunc(notifications.list(), func(n value) bool {
			return !n.opaque() && n.get("subscriberEmailAddresses").missing() && n.get("subscriberSnsTopicArns").missing()
		})
		c.failUnless(!notifications.missing() && !silent, budget, "has a notification that reaches nobody, or none: set notifications with subscriberEmailAddresses or subscriberSnsTopicArns")
	}
}

// natPerZone fails a network whose private subnets use NAT gateways in fewer zones than they are in.
func (c *checker) natPerZone() {
	for _, vpc := range c.of("ec2/vpc") {
		var subnets []Resource
		used := map[string]bool{}
		for _, subnet := range c.referrers(vpc, []string{"ec2/subnet"}, "vpcId") {
			gateways := c.gateways(subnet, "natGatewayId")
			for _, nat := range gateways {
				used[nat.URN] = true
			}
			if len(gateways) > 0 {
				subnets = append(subnets, subnet)
			}
		}
		if n, known := zones(subnets); known && len(used) < n {
			c.fail(vpc, "has %d NAT gateways for private subnets in %d zones, and the loss of one zone silences others: add one in each zone", len(used), n)
		}
	}
}
