package baseline

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/keys"
	"github.com/calldata/calldata-foundation/components/notices"
)

// notices registers the topic that alarms and findings are told to.
func (b *builder) notices(self *Baseline) error {
	name := b.name + "-notices"
	key, err := keys.NewKey(b.ctx, name, keys.Args{Use: keys.UseNotices, Protect: b.args.Protect, Tags: b.args.Tags}, b.parent)
	if err != nil {
		return err
	}
	topic, err := notices.NewTopic(b.ctx, name, notices.Args{
		DisplayName: "AWS account " + b.account, Account: b.account, Events: true, KMSKeyARN: key.ARN, Emails: b.args.AlertEmails, Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return err
	}
	b.shared.topic = topic
	self.NoticesTopicARN = after(topic.ARN, topic.Told)
	return nil
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
		Rule: rule.Name, Arn: b.shared.topic.ARN,
		InputTransformer: cloudwatch.EventTargetInputTransformerArgs{InputPaths: pulumi.ToStringMap(f.paths), InputTemplate: pulumi.String(strconv.Quote(f.text))},
	}, b.parent, pulumi.DependsOn([]pulumi.Resource{b.shared.topic.Told}))
	return err
}
