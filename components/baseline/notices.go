package baseline

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
	"github.com/calldata/calldata-foundation/components/keys"
)

// notices registers the topic that alarms and findings are told to.
func (b *builder) notices(self *Baseline) error {
	name := b.name + "-notices"
	key, err := keys.NewKey(b.ctx, name, keys.Args{Use: keys.UseNotices, Protect: b.args.Protect, Tags: b.args.Tags}, b.parent)
	if err != nil {
		return err
	}
	topic, err := sns.NewTopic(b.ctx, name, &sns.TopicArgs{DisplayName: pulumi.String("AWS account " + b.account), KmsMasterKeyId: key.ARN, Tags: b.tags(name)}, b.parent)
	if err != nil {
		return err
	}
	policy := topic.Arn.ApplyT(b.publishers).(pulumi.StringOutput)
	told, err := sns.NewTopicPolicy(b.ctx, name, &sns.TopicPolicyArgs{Arn: topic.Arn, Policy: policy}, b.parent)
	if err != nil {
		return err
	}
	for _, address := range b.args.AlertEmails {
		if _, err := sns.NewTopicSubscription(b.ctx, name+"-"+address, &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(address),
		}, b.parent); err != nil {
			return err
		}
	}
	b.shared.topic, b.shared.told = topic, []pulumi.Resource{told}
	self.NoticesTopicARN = after(topic.Arn, told)
	return nil
}

// publishers is the policy of the topic: alarms of this account, events of its rules, and nobody without TLS. Events come
// without the account that they are from.
// Source: Amazon EventBridge User Guide, "Using resource-based policies for Amazon EventBridge", Amazon SNS permissions.
func (b *builder) publishers(arn string) (string, error) {
	publish, topic := []string{"sns:Publish"}, []string{arn}
	return iamdoc.Document(
		iamdoc.Statement{Sid: "Alarms", Actions: publish, Resources: topic, Principals: map[string][]string{"Service": {"cloudwatch.amazonaws.com"}},
			Conditions: map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {b.account}}}},
		iamdoc.Statement{Sid: "Events", Actions: publish, Resources: topic, Principals: map[string][]string{"Service": {"events.amazonaws.com"}}},
		iamdoc.Statement{Sid: "OnlyTLS", Effect: iamdoc.EffectDeny, Actions: publish, Resources: topic, Principals: iamdoc.Everyone(),
			Conditions: map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}}},
	)
}

// finding is a kind of event that is told to the topic.
type finding struct {
	name, description string
	pattern           map[string]any
	// paths are the parts of the event that text names, as <part>.
	paths map[string]string
	text  string
}

// tell registers a rule that tells a kind of event to the topic, in words.
func (b *builder) tell(f finding) error {
	name := b.name + "-" + f.name
	var pattern strings.Builder
	writer := json.NewEncoder(&pattern)
	writer.SetEscapeHTML(false) // patterns compare with > and <
	if err := writer.Encode(f.pattern); err != nil {
		return fmt.Errorf("write the event pattern %s: %w", f.name, err)
	}
	rule, err := cloudwatch.NewEventRule(b.ctx, name, &cloudwatch.EventRuleArgs{
		Description: pulumi.String(f.description), EventPattern: pulumi.String(strings.TrimSpace(pattern.String())), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return err
	}
	_, err = cloudwatch.NewEventTarget(b.ctx, name, &cloudwatch.EventTargetArgs{
		Rule: rule.Name, Arn: b.shared.topic.Arn,
		InputTransformer: cloudwatch.EventTargetInputTransformerArgs{InputPaths: pulumi.ToStringMap(f.paths), InputTemplate: pulumi.String(strconv.Quote(f.text))},
	}, b.parent, pulumi.DependsOn(b.shared.told))
	return err
}
