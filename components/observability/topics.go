package observability

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/provider"
)

// topics registers the topic of the notices, that of the pages where somebody is called, and who hears of both.
func (b *builder) topics() error {
	account, err := provider.Account(b.ctx, b.parent)
	if err != nil {
		return err
	}
	notice, err := b.topic("notice", account, b.args.KMSKeyARN)
	if err != nil {
		return err
	}
	if err := b.copies(notice); err != nil {
		return err
	}
	b.self.NoticeARN, b.self.PageARN = notice.ARN, notice.ARN
	all := pulumi.StringArray{notice.ARN}
	if b.args.Level == alarms.Pages {
		page, err := b.topic("page", account, b.args.KMSKeyARN)
		if err != nil {
			return err
		}
		b.self.PageARN = page.ARN
		all = append(all, page.ARN)
		if err := b.pager(); err != nil {
			return err
		}
	}
	if far := b.args.Elsewhere; far != nil {
		topic, err := b.topic("notice-elsewhere", account, far.KMSKeyARN, pulumi.Provider(far.Provider))
		if err != nil {
			return err
		}
		b.elsewhere = topic.ARN
		all = append(all, topic.ARN)
	}
	if b.args.Slack == (notices.Slack{}) {
		return nil
	}
	return notices.NewSlack(b.ctx, b.name+"-slack", notices.SlackArgs{Slack: b.args.Slack, TopicARNs: all, Tags: b.tags}, b.parent)
}

// pager registers who takes pages.
func (b *builder) pager() error {
	if b.args.PagerURL == "" {
		return nil
	}
	_, err := sns.NewTopicSubscription(b.ctx, b.name+"-page-pager", &sns.TopicSubscriptionArgs{
		Topic: b.self.PageARN, Protocol: pulumi.String("https"), Endpoint: pulumi.ToSecret(pulumi.String(b.args.PagerURL)).(pulumi.StringOutput),
		EndpointAutoConfirms: pulumi.Bool(true), // PagerDuty and Opsgenie confirm by themselves
	}, b.parent)
	return err
}

// topic registers one of the topics.
func (b *builder) topic(suffix, account string, key pulumi.StringInput, opts ...pulumi.ResourceOption) (notices.Topic, error) {
	name := b.name + "-" + suffix
	topic, err := notices.NewTopic(b.ctx, name, notices.Args{
		DisplayName: "CallData " + name, Account: account, Events: suffix == "notice" && b.args.CopyVaultARN != nil, KMSKeyARN: key, Emails: b.args.Emails, Tags: b.tags(name),
	}, append(opts, b.parent)...)
	b.told = append(b.told, topic.Told)
	return topic, err
}

// copies tells of copies to another region that AWS Backup did not make, or not whole. The event is in the region that they come from.
// Source: AWS Backup Developer Guide, "Monitoring AWS Backup events using Amazon EventBridge"; API Reference, CopyJob.
func (b *builder) copies(topic notices.Topic) error {
	if b.args.CopyVaultARN == nil {
		return nil
	}
	name := b.name + "-" + alarms.CopyJobsFailed
	pattern := b.args.CopyVaultARN.ToStringOutput().ApplyT(func(arn string) (string, error) {
		return notices.Pattern(map[string]any{
			"source": []string{"aws.backup"}, "detail-type": []string{"Copy Job State Change"},
			"detail": map[string]any{"state": []string{"FAILED", "PARTIAL"}, "destinationBackupVaultArn": []string{arn}},
		})
	}).(pulumi.StringOutput)
	return topic.Tell(b.ctx, name, notices.Event{
		Description: "Tells of backups that were not copied to the other region", Pattern: pattern, Tags: b.tags(name),
		Paths: map[string]string{"resource": "$.detail.resourceArn", "state": "$.detail.state", "why": "$.detail.statusMessage", "vault": "$.detail.destinationBackupVaultArn"},
		Text:  name + ": the copy of a backup of <resource> to <vault> is <state>: <why>. " + alarms.Runbook,
	}, b.parent)
}
