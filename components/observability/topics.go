package observability

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// topics registers the topic of the notices, that of the pages where somebody is called, and who hears of both.
func (b *builder) topics() error {
	identity, err := aws.GetCallerIdentity(b.ctx, &aws.GetCallerIdentityArgs{}, b.parent)
	if err != nil {
		return fmt.Errorf("ask AWS which account this is; are the credentials set and not expired? %w", err)
	}
	notice, err := b.topic("notice", identity.AccountId)
	if err != nil {
		return err
	}
	b.self.NoticeARN, b.self.PageARN = notice.ARN, notice.ARN
	all := pulumi.StringArray{notice.ARN}
	if b.args.Level == alarms.Pages {
		page, err := b.topic("page", identity.AccountId)
		if err != nil {
			return err
		}
		b.self.PageARN = page.ARN
		all = append(all, page.ARN)
		if err := b.pager(); err != nil {
			return err
		}
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
func (b *builder) topic(suffix, account string) (notices.Topic, error) {
	name := b.name + "-" + suffix
	topic, err := notices.NewTopic(b.ctx, name, notices.Args{
		DisplayName: "CallData " + name, Account: account, KMSKeyARN: b.args.KMSKeyARN, Emails: b.args.Emails, Tags: b.tags(name),
	}, b.parent)
	b.told = append(b.told, topic.Told)
	return topic, err
}
