package baseline

import (
	"fmt"

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
	pattern, err := notices.Pattern(f.pattern)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return b.shared.topic.Tell(b.ctx, name, notices.Event{
		Description: f.description, Pattern: pulumi.String(pattern), Paths: f.paths, Text: f.text, Tags: b.tags(name),
	}, b.parent)
}
