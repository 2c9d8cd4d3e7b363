package notices

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Event is a kind of event that is told to a topic with Args.Events.
type Event struct {
	// Description says what it is, for whoever reads the rule.
	Description string
	// Pattern is EventBridge's, as Pattern writes it.
	Pattern pulumi.StringInput
	// Paths are the parts of the event that Text names, as <part>.
	Paths map[string]string
	// Text is what is told.
	Text string
	// Tags are the rule's.
	Tags pulumi.StringMap
}

// Pattern writes an event pattern.
func Pattern(of map[string]any) (string, error) {
	var text strings.Builder
	writer := json.NewEncoder(&text)
	writer.SetEscapeHTML(false) // patterns compare with > and <
	if err := writer.Encode(of); err != nil {
		return "", fmt.Errorf("write an event pattern: %w", err)
	}
	return strings.TrimSpace(text.String()), nil
}

// Tell registers a rule of EventBridge that tells a kind of event to the topic, in words.
func (t Topic) Tell(ctx *pulumi.Context, name string, e Event, opts ...pulumi.ResourceOption) error {
	rule, err := cloudwatch.NewEventRule(ctx, name, &cloudwatch.EventRuleArgs{
		Description: pulumi.String(e.Description), EventPattern: e.Pattern.ToStringOutput(), Tags: e.Tags,
	}, opts...)
	if err != nil {
		return err
	}
	_, err = cloudwatch.NewEventTarget(ctx, name, &cloudwatch.EventTargetArgs{
		Rule: rule.Name, Arn: t.ARN,
		InputTransformer: cloudwatch.EventTargetInputTransformerArgs{InputPaths: pulumi.ToStringMap(e.Paths), InputTemplate: pulumi.String(strconv.Quote(e.Text))},
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{t.Told}))...)
	return err
}
