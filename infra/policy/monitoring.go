package policy

import (
	"slices"
	"strings"
)

func monitoringRules() []Rule {
	return []Rule{
		{
			ID: "CD-41", Title: "Alarms reach somebody, and logs are kept and encrypted",
			Detail: "Metric and composite alarms have alarm actions that are enabled; an alarm that only feeds a composite one needs none. Log groups have a retention, in prod and in the account " +
				"at least 365 days, and a KMS key of ours.",
			Levels:     levels(Mandatory, Stage, Prod, Account),
			References: References{SecurityHub: "CloudWatch.15, CloudWatch.16", Checkov: "CKV_AWS_319, CKV_AWS_66, CKV_AWS_338, CKV_AWS_158"},
			check:      alarmsAndLogs,
		},
		{
			ID: "CD-47", Title: "Notices and queues are encrypted, and not public",
			Detail: "SNS topics name a KMS key; SQS queues do, or set sqsManagedSseEnabled. No policy of a topic or queue allows something to everybody without a condition.",
			Levels: levels(Mandatory, Stage, Prod, Account), References: References{SecurityHub: "SQS.1", Checkov: "CKV_AWS_26, CKV_AWS_27, CKV_AWS_168"},
			check: noticesEncrypted,
		},
	}
}

// minLogDays is how long logs are kept where customers are served. Source: Checkov CKV_AWS_338.
var minLogDays = map[Scope]float64{Stage: 1, Prod: 365, Account: 365}

func alarmsAndLogs(c *checker) {
	for _, alarm := range c.of("cloudwatch/metricAlarm", "cloudwatch/compositeAlarm") {
		switch {
		case alarm.get("actionsEnabled").isFalse():
			c.fail(alarm, "has its actions switched off: take actionsEnabled away")
		case alarm.get("alarmActions").missing() && !c.feedsComposite(alarm):
			c.fail(alarm, "tells nobody: set alarmActions to the stack's topic")
		}
	}
	days := minLogDays[c.Scope]
	for _, group := range c.of("cloudwatch/logGroup") {
		retention := group.get("retentionInDays")
		n, known := retention.number()
		switch {
		case retention.missing() || known && n == 0:
			c.fail(group, "keeps logs for ever: set retentionInDays to at least %.0f", days)
		case !retention.mayBeAtLeast(days):
			c.fail(group, "keeps logs for %.0f days: set retentionInDays to at least %.0f", n, days)
		}
		c.failUnless(group.requested().get("kmsKeyId").mayBeCustomerKey(), group, "is not encrypted with a key of ours: set kmsKeyId to the stack's key for logs")
	}
}

// feedsComposite reports whether a composite alarm's rule names an alarm, or may do so.
func (c *checker) feedsComposite(alarm Resource) bool {
	return slices.ContainsFunc(c.of("cloudwatch/compositeAlarm"), func(composite Resource) bool {
		rule, known := composite.get("alarmRule").text()
		if !known {
			return composite.get("alarmRule").opaque()
		}
		name, _ := alarm.get("name").text()
		return slices.ContainsFunc([]string{name, alarm.Name}, func(n string) bool {
			return n != "" && (strings.Contains(rule, `"`+n+`"`) || strings.Contains(rule, "("+n+")") || strings.Contains(rule, ":"+n+`"`))
		})
	})
}

func noticesEncrypted(c *checker) {
	for _, topic := range c.of("sns/topic") {
		c.failUnless(!topic.get("kmsMasterKeyId").missing(), topic, "is not encrypted: set kmsMasterKeyId to the stack's key for notices")
	}
	for _, queue := range c.of("sqs/queue") {
		c.failUnless(!queue.get("kmsMasterKeyId").missing() || queue.get("sqsManagedSseEnabled").mayBeTrue(), queue, "is not encrypted: set kmsMasterKeyId or sqsManagedSseEnabled")
	}
	for _, r := range c.of("sns/topic", "sns/topicPolicy", "sqs/queue", "sqs/queuePolicy") {
		doc, err := parse(r.get("policy"))
		if err == nil && slices.ContainsFunc(doc.Statement, func(s statement) bool { return s.allows() && s.Principal.everyone() && len(s.Condition) == 0 }) {
			c.fail(r, "its policy allows something to everybody: name the service, with a condition on aws:SourceAccount or aws:SourceArn")
		}
	}
}
