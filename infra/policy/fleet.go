package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func fleetRules() []Rule {
	return []Rule{
		{
			ID: "CD-39", Title: "Fleets heal, span zones and can be told apart",
			Detail: "Autoscaling groups have a launch template, the health check ELB where a load balancer targets them, subnets in at least two availability zones, and tags that all propagate " +
				"to their machines.",
			Levels:     levels(Mandatory, Prod),
			References: References{SecurityHub: "AutoScaling.1, AutoScaling.2, AutoScaling.9", Checkov: "CKV_AWS_315, CKV_AWS_153, CKV2_AWS_15", Prowler: "autoscaling_group_multiple_az"},
			check:      fleetsHeal,
		},
		{
			ID: "CD-40", Title: "Fleets that carry calls let them end",
			Detail: "Autoscaling groups with a tag Role of " + strings.Join(callRoles, ", ") + " have a lifecycle hook for terminating instances, with a default result, whose longest wait " +
				"(100 heartbeats, at most 48 hours) reaches the drain bound: calldata_drain_seconds in the user data of the launch template, or 5 hours. They do not rebalance capacity and buy no " +
				"spot instances.",
			Levels: levels(Mandatory, Stage, Prod),
			check:  fleetsDrain,
		},
	}
}

func fleetsHeal(c *checker) {
	for _, group := range c.of("autoscaling/group") {
		c.failUnless(!group.get("launchTemplate").missing() || !group.get("mixedInstancesPolicy").missing(), group, "has no launch template: give it one in the place of its launch configuration")
		targeted := !group.get("targetGroupArns").missing() || !group.get("loadBalancers").missing() || !group.get("trafficSources").missing() ||
			len(c.referrers(group, []string{"autoscaling/attachment", "autoscaling/trafficSourceAttachment"}, "autoscalingGroupName")) > 0
		c.failUnless(!targeted || group.get("healthCheckType").mayBe("ELB"), group, "keeps machines that its load balancer gave up: set healthCheckType to ELB")
		n, known := c.zonesOf(group, "vpcZoneIdentifiers", "availabilityZones")
		c.failUnless(!known || n >= 2, group, "is in one availability zone, and lost with it: give it subnets in at least two")
		for _, tag := range group.get("tags").list() {
			if !tag.get("propagateAtLaunch").mayBeTrue() {
				key, _ := tag.get("key").text()
				c.fail(group, "keeps the tag %s from its machines: set propagateAtLaunch", key)
			}
		}
	}
}

// callRoles are the values of the tag Role of machines that calls pass through.
var callRoles = []string{"uc-engine", "c4-router", "c4-sbc", "router", "sbc", "media"}

const (
	// drainBound is what calls are given where nobody said otherwise. Source: livekit-helm, terminationGracePeriodSeconds.
	drainBound = 5 * time.Hour
	// terminating is the transition that a drain needs to hold.
	terminating = "autoscaling:EC2_INSTANCE_TERMINATING"
	// A hook waits for 100 heartbeats, at most 48 hours; its heartbeat is an hour where nobody said otherwise.
	// Source: Amazon EC2 Auto Scaling API Reference, PutLifecycleHook.
	heartbeats       = 100
	longestHook      = 48 * time.Hour
	defaultHeartbeat = time.Hour
)

// drainFact is where machines read how long draining may take, in seconds.
var drainFact = regexp.MustCompile(`calldata_drain_seconds"?\s*[:=]\s*"?(\d{1,6})`)

// boundOf is how long draining the machines of a group may take.
func (c *checker) boundOf(group Resource) time.Duration {
	for _, template := range c.templatesOf(group) {
		text, _ := template.get("userData").text()
		if found := drainFact.FindStringSubmatch(plainText(text)); found != nil {
			seconds, _ := strconv.Atoi(found[1])
			return time.Duration(seconds) * time.Second
		}
	}
	return drainBound
}

// templatesOf lists the launch templates of the stack that a group makes machines from.
func (c *checker) templatesOf(group Resource) []Resource {
	return append(c.referents(group, []string{"ec2/launchTemplate"}, "launchTemplate"), c.referents(group, []string{"ec2/launchTemplate"}, "mixedInstancesPolicy")...)
}

// groupTag is the value of a tag of an autoscaling group, whose tags are a list.
func groupTag(group Resource, key string) value {
	for _, tag := range group.get("tags").list() {
		if tag.get("key").is(key) {
			return tag.get("value")
		}
	}
	return value{}
}

func fleetsDrain(c *checker) {
	for _, group := range c.of("autoscaling/group") {
		if !groupTag(group, "Role").is(callRoles...) {
			continue
		}
		c.judgeHooks(group)
		c.failUnless(!group.get("capacityRebalance").isTrue(), group, "ends calls when AWS wants a machine back: take capacityRebalance away")
		share := group.get("mixedInstancesPolicy", "instancesDistribution", "onDemandPercentageAboveBaseCapacity")
		spot := !share.missing() && !share.mayBeAtLeast(100) || slices.ContainsFunc(c.templatesOf(group), func(r Resource) bool {
			return r.get("instanceMarketOptions", "marketType").is("spot")
		})
		c.failUnless(!spot, group, "has spot instances, which AWS takes back within two minutes, calls or not: use on-demand instances")
	}
}

// judgeHooks fails a group whose hooks do not hold a terminating machine for as long as draining may take.
func (c *checker) judgeHooks(group Resource) {
	bound := c.boundOf(group)
	hooks := group.get("initialLifecycleHooks").list()
	for _, r := range c.referrers(group, []string{"autoscaling/lifecycleHook"}, "autoscalingGroupName") {
		hooks = append(hooks, r.get())
	}
	hooks = slices.DeleteFunc(hooks, func(hook value) bool { return !hook.get("lifecycleTransition").mayBe(terminating) })
	c.failUnless(len(hooks) > 0, group, "ends calls at scale-in: add a lifecycle hook for %s", terminating)
	for _, hook := range hooks {
		c.failUnless(!hook.get("defaultResult").missing(), group, "does not say what becomes of a machine that does not answer its hook: set defaultResult to CONTINUE or ABANDON")
		heartbeat := hook.get("heartbeatTimeout")
		if heartbeat.opaque() {
			continue
		}
		longest := heartbeats * defaultHeartbeat
		if seconds, ok := heartbeat.number(); ok {
			longest = time.Duration(seconds) * heartbeats * time.Second
		}
		longest = min(longest, longestHook)
		c.failUnless(longest >= bound, group, "has a hook that waits for %s, and draining may take %s: set heartbeatTimeout to at least %.0f seconds, or lower the drain bound",
			longest, bound, (bound / heartbeats).Seconds())
	}
}
