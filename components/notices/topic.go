package notices

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// Args describe a topic.
type Args struct {
	// DisplayName is who mails come from.
	DisplayName string
	// Account is the account whose alarms are told.
	Account string
	// Events says that rules of EventBridge tell, too.
	Events bool
	// KMSKeyARN is the key that the topic is encrypted with; whoever tells must be let use it.
	KMSKeyARN pulumi.StringInput
	// Emails hear of everything. Who is to hear of it has to confirm first.
	Emails []string
	// Tags are the topic's.
	Tags pulumi.StringMap
}

// Topic is a topic that is ready.
type Topic struct {
	ARN pulumi.StringOutput
	// Told is what lets others publish: whatever tells depends on it.
	Told pulumi.CustomResource
}

// CheckEmails reports every address of a field that is none, or is there twice.
func CheckEmails(field string, addresses []string) error {
	var errs []error
	for i, address := range addresses {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			errs = append(errs, fmt.Errorf("%s: %q is not an address", field, address))
		}
		if slices.Contains(addresses[:i], address) {
			errs = append(errs, fmt.Errorf("%s: %q is there twice", field, address))
		}
	}
	return errors.Join(errs...)
}

// NewTopic registers the topic, its policy, and a subscription NAME-ADDRESS for each address.
func NewTopic(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (Topic, error) {
	topic, err := sns.NewTopic(ctx, name, &sns.TopicArgs{
		DisplayName: pulumi.String(args.DisplayName), KmsMasterKeyId: args.KMSKeyARN.ToStringOutput(), Tags: args.Tags,
	}, opts...)
	if err != nil {
		return Topic{}, err
	}
	policy := topic.Arn.ApplyT(args.publishers).(pulumi.StringOutput)
	told, err := sns.NewTopicPolicy(ctx, name, &sns.TopicPolicyArgs{Arn: topic.Arn, Policy: policy}, opts...)
	if err != nil {
		return Topic{}, err
	}
	for _, address := range args.Emails {
		if _, err := sns.NewTopicSubscription(ctx, name+"-"+address, &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(address),
		}, opts...); err != nil {
			return Topic{}, err
		}
	}
	return Topic{ARN: topic.Arn, Told: told}, nil
}

// publishers is the topic's policy: alarms of the account, events of its rules where they tell, and nobody without TLS. Events
// come without the account that they are from.
// Source: Amazon CloudWatch User Guide, "Notifying users on alarm changes"; Amazon EventBridge User Guide, "Using resource-based
// policies for Amazon EventBridge", Amazon SNS permissions.
func (a Args) publishers(arn string) (string, error) {
	publish, topic := []string{"sns:Publish"}, []string{arn}
	service := func(name string) map[string][]string { return map[string][]string{"Service": {name}} }
	statements := []iamdoc.Statement{{
		Sid: "Alarms", Actions: publish, Resources: topic, Principals: service("cloudwatch.amazonaws.com"),
		Conditions: map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {a.Account}}},
	}}
	if a.Events {
		statements = append(statements, iamdoc.Statement{Sid: "Events", Actions: publish, Resources: topic, Principals: service("events.amazonaws.com")})
	}
	return iamdoc.Document(append(statements, iamdoc.Statement{
		Sid: "OnlyTLS", Effect: iamdoc.EffectDeny, Actions: publish, Resources: topic, Principals: iamdoc.Everyone(),
		Conditions: map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}},
	})...)
}
