package policy

import (
	"slices"
	"strings"
)

func balancerRules() []Rule {
	return []Rule{
		{
			ID: "CD-30", Title: "Web load balancers drop malformed requests",
			Detail: "dropInvalidHeaderFields is true, and desyncMitigationMode is defensive (the default) or strictest, on application load balancers.",
			Levels: levels(Mandatory, Dev, Stage, Prod),
			References: References{SecurityHub: "ELB.4, ELB.12", Checkov: "CKV_AWS_131, CKV_AWS_328",
				Prowler: "elbv2_alb_drop_invalid_header_fields_enabled"},
			check: func(c *checker) {
				for _, lb := range c.balancers("application") {
					c.failUnless(lb.get("dropInvalidHeaderFields").mayBeTrue(), lb, "passes headers on that no standard allows: set dropInvalidHeaderFields")
					c.failUnless(!lb.get("desyncMitigationMode").is("monitor"), lb, "passes requests on that servers read in two ways: set desyncMitigationMode to defensive")
				}
			},
		},
		{
			ID: "CD-31", Title: "Load balancers keep access logs",
			Detail:     "accessLogs is enabled on application and network load balancers.",
			Levels:     levels(Mandatory, Stage, Prod),
			References: References{SecurityHub: "ELB.5", Checkov: "CKV_AWS_91", Prowler: "elbv2_logging_enabled"},
			check: func(c *checker) {
				for _, lb := range c.balancers("application", "network") {
					logs := lb.get("accessLogs")
					c.failUnless(logs.get("enabled").mayBeTrue() && !logs.get("bucket").missing(), lb, "keeps no access logs: set accessLogs, enabled, with the bucket for access logs")
				}
			},
		},
		{
			ID: "CD-32", Title: "Load balancers cannot be deleted by mistake",
			Detail:     "enableDeletionProtection is true.",
			Levels:     levels(Mandatory, Prod),
			References: References{SecurityHub: "ELB.6", Checkov: "CKV_AWS_150", Prowler: "elbv2_deletion_protection"},
			check: func(c *checker) {
				for _, lb := range c.balancers() {
					c.failUnless(lb.get("enableDeletionProtection").mayBeTrue(), lb, "can be deleted by anybody who may: set enableDeletionProtection")
				}
			},
		},
		{
			ID: "CD-33", Title: "The web speaks HTTPS, and TLS is 1.2 or newer",
			Detail: "HTTP listeners of application load balancers redirect to HTTPS and have no rules that forward. HTTPS and TLS listeners name a security policy without TLS 1.0 and 1.1; " +
				"AWS's default policy has them.",
			Levels: levels(Mandatory, Dev, Stage, Prod), Advises: "a security policy with TLS 1.3",
			References: References{SecurityHub: "ELB.1, ELB.17", Checkov: "CKV_AWS_2, CKV_AWS_103, CKV2_AWS_20, CKV2_AWS_74", Prowler: "elbv2_ssl_listeners, elbv2_insecure_ssl_ciphers"},
			check:      listenersSecure,
		},
		{
			ID: "CD-34", Title: "Public web load balancers have a web application firewall",
			Detail:     "A WAFv2 web ACL is associated with every application load balancer that is not internal. Stage is advised.",
			Levels:     and(levels(Mandatory, Prod), levels(Advisory, Stage)),
			References: References{SecurityHub: "ELB.16", Checkov: "CKV2_AWS_28", Prowler: "elbv2_waf_acl_attached"},
			check: func(c *checker) {
				for _, lb := range c.balancers("application") {
					c.failUnless(lb.get("internal").mayBeTrue() || len(c.referrers(lb, []string{"wafv2/webAclAssociation"}, "resourceArn")) > 0, lb,
						"meets the internet without a firewall: associate a WAFv2 web ACL with it")
				}
			},
		},
		{
			ID: "CD-35", Title: "Load balancers are in two zones, and say whether they cross them",
			Detail: "subnets or subnetMappings name at least two availability zones. Network load balancers set enableCrossZoneLoadBalancing, either way. What is not known yet passes.",
			Levels: levels(Mandatory, Stage, Prod),
			References: References{CIS: "REL10", SecurityHub: "ELB.13", Checkov: "CKV_AWS_152",
				Prowler: "elbv2_is_in_multiple_az"},
			check: balancersSpanZones,
		},
	}
}

// balancers lists the load balancers of some types, or of all. The provider's default is application.
func (c *checker) balancers(types ...string) []Resource {
	return slices.DeleteFunc(c.of("lb/loadBalancer"), func(lb Resource) bool {
		kind := lb.get("loadBalancerType")
		if kind.missing() {
			kind = value{"application"}
		}
		return len(types) > 0 && !kind.is(types...)
	})
}

// modernPolicies begin the names of the security policies without TLS 1.0 and 1.1, those with TLS 1.3 first.
// Source: Elastic Load Balancing, "Security policies for your Application Load Balancer".
var modernPolicies = []string{"ELBSecurityPolicy-TLS13-1-2-", "ELBSecurityPolicy-TLS13-1-3-", "ELBSecurityPolicy-TLS-1-2-", "ELBSecurityPolicy-FS-1-2-"}

const withTLS13 = "ELBSecurityPolicy-TLS13-"

func listenersSecure(c *checker) {
	for _, listener := range c.of("lb/listener") {
		protocol := listener.get("protocol")
		switch {
		case protocol.is("HTTP"):
			c.redirects(listener)
		case protocol.is("HTTPS", "TLS"):
			policy := listener.get("sslPolicy")
			text, known := policy.text()
			begins := func(prefix string) bool { return strings.HasPrefix(text, prefix) }
			switch {
			case policy.opaque():
			case !slices.ContainsFunc(modernPolicies, begins):
				c.fail(listener, "takes TLS 1.0 with the security policy %q: set sslPolicy to ELBSecurityPolicy-TLS13-1-2-2021-06", text)
			case known && !begins(withTLS13):
				c.advise(listener, "has no TLS 1.3: set sslPolicy to ELBSecurityPolicy-TLS13-1-2-2021-06")
			}
		}
	}
}

// redirects fails a listener for HTTP that does anything but send clients to HTTPS.
func (c *checker) redirects(listener Resource) {
	const advice = "make it redirect to HTTPS, with HTTP_301"
	safe := func(actions value) bool {
		return actions.opaque() || !slices.ContainsFunc(actions.list(), func(a value) bool {
			return !a.get("type").mayBe("redirect") || !a.get("redirect", "protocol").mayBe("HTTPS")
		})
	}
	c.failUnless(!listener.get("defaultActions").missing() && safe(listener.get("defaultActions")), listener, "serves plain HTTP: %s", advice)
	for _, rule := range c.referrers(listener, []string{"lb/listenerRule"}, "listenerArn") {
		c.failUnless(safe(rule.get("actions")), rule, "serves plain HTTP: %s, or move the rule to the listener for HTTPS", advice)
	}
}

func balancersSpanZones(c *checker) {
	for _, lb := range c.balancers() {
		n, known := c.zonesOf(lb, "subnets", "subnetMappings")
		c.failUnless(!known || n >= 2, lb, "is in one availability zone, and lost with it: give it subnets in at least two")
	}
	for _, lb := range c.balancers("network") {
		c.failUnless(!lb.get("enableCrossZoneLoadBalancing").missing(), lb,
			"does not say whether a zone's address serves other zones: set enableCrossZoneLoadBalancing to true, or to false where clients try every address")
	}
}

// zonesOf counts the availability zones of what is in subnets: those of its subnets in the stack, or else its subnets, of
// which load balancers take one in each zone. Source: Elastic Load Balancing API Reference, CreateLoadBalancer.
func (c *checker) zonesOf(r Resource, properties ...string) (n int, known bool) {
	for _, property := range properties {
		listed := r.get(property)
		if listed.opaque() {
			return 0, false
		}
		if listed.missing() {
			continue
		}
		subnets := c.referents(r, []string{"ec2/subnet"}, property)
		if found, all := zones(subnets); all && len(subnets) == len(listed.list()) {
			return found, true
		}
		return len(listed.list()), true
	}
	return 0, true
}
