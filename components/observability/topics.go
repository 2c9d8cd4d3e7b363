package observability

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// topics registers the topic of the notices, and that of the pages where somebody is called.
func (b *builder) topics() error {
	identity, err := aws.GetCallerIdentity(b.ctx, &aws.GetCallerIdentityArgs{}, b.parent)
	if err != nil {
		return fmt.Errorf("ask AWS which account this is; are the credentials set and not expired? %w", err)
	}
	notice, err := b.topic("notice", identity.AccountId)
	if err != nil {
		return err
	}
	b.self.NoticeARN, b.self.PageARN = notice.Arn, notice.Arn
	if b.args.Level != alarms.Pages {
		return nil
	}
	page, err := b.topic("page", identity.AccountId)
	if err != nil {
		return err
	}
	b.self.PageARN = page.Arn
	if b.args.PagerURL == "" {
		return nil
	}
	_, err = sns.NewTopicSubscription(b.ctx, b.name+"-page-pager", &sns.TopicSubscriptionArgs{
		Topic: page.Arn, Protocol: pulumi.String("https"), Endpoint: pulumi.ToSecret(pulumi.String(b.args.PagerURL)).(pulumi.StringOutput),
		EndpointAutoConfirms: pulumi.Bool(true), // PagerDuty and Opsgenie confirm by themselves
	}, b.parent)
	return err
}

// topic registers a topic with the addresses that hear of it.
func (b *builder) topic(suffix, account string) (*sns.Topic, error) {
	name := b.name + "-" + suffix
	topic, err := sns.NewTopic(b.ctx, name, &sns.TopicArgs{DisplayName: pulumi.String("CallData " + name), KmsMasterKeyId: b.args.KMSKeyARN.ToStringOutput(), Tags: b.tags(name)}, b.parent)
	if err != nil {
		return nil, err
	}
	policy := topic.Arn.ApplyT(func(arn string) (string, error) { return publishers(arn, account) }).(pulumi.StringOutput)
	told, err := sns.NewTopicPolicy(b.ctx, name, &sns.TopicPolicyArgs{Arn: topic.Arn, Policy: policy}, b.parent)
	if err != nil {
		return nil, err
	}
	b.told = append(b.told, told)
	for _, address := range b.args.Emails {
		if _, err := sns.NewTopicSubscription(b.ctx, name+"-"+address, &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(address),
		}, b.parent); err != nil {
			return nil, err
		}
	}
	return topic, nil
}

// publishers is the policy of a topic: alarms of this account, and nobody without TLS.
// Source: Amazon CloudWatch User Guide, "Notifying users on alarm changes".
func publishers(arn, account string) (string, error) {
	publish, topic := []string{"sns:Publish"}, []string{arn}
	return iamdoc.Document(
		iamdoc.Statement{Sid: "Alarms", Actions: publish, Resources: topic, Principals: map[string][]string{"Service": {"cloudwatch.amazonaws.com"}},
			Conditions: map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {account}}}},
		iamdoc.Statement{Sid: "OnlyTLS", Effect: iamdoc.EffectDeny, Actions: publish, Resources: topic, Principals: iamdoc.Everyone(),
			Conditions: map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}},
	)
}
