package notices

import (
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/chatbot"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/iamdoc"
)

// Slack is a channel of Slack.
type Slack struct {
	// Workspace and Channel are Slack's own IDs, like T07EA123LEP and C07EZ1ABC23.
	Workspace string `json:"workspace"`
	Channel   string `json:"channel"`
}

// slackForm is how a channel is written: the end of what Slack copies as the channel's link, but for the slash before it.
// Source: AWS Chatbot API Reference, CreateSlackChannelConfiguration, SlackTeamId and SlackChannelId; Slack API, "Conversations", IDs.
var slackForm = regexp.MustCompile(`^(T[A-Z0-9]{2,254})/([CG][A-Z0-9]{2,254})$`)

// ParseSlack reads "T07EA123LEP/C07EZ1ABC23".
func ParseSlack(text string) (Slack, error) {
	found := slackForm.FindStringSubmatch(text)
	if found == nil {
		return Slack{}, fmt.Errorf("%q: want WORKSPACE/CHANNEL in Slack's IDs, like T07EA123LEP/C07EZ1ABC23", text)
	}
	return Slack{Workspace: found[1], Channel: found[2]}, nil
}

// String is what ParseSlack reads.
func (s Slack) String() string { return s.Workspace + "/" + s.Channel }

// SlackArgs describe how a channel hears of topics.
type SlackArgs struct {
	// Slack is the channel. AWS connects a channel once in an account.
	Slack Slack
	// TopicARNs are the topics.
	TopicARNs pulumi.StringArrayInput
	// Tags answers the tags of something that is called so.
	Tags func(name string) pulumi.StringMap
}

// graphs is what Amazon Q Developer needs to draw an alarm's metric beneath its message.
// Source: Amazon Q Developer in chat applications Administrator Guide, "IAM policies", the policy of notifications, here without what
// CloudWatch has besides metrics and alarms.
var graphs = []string{"cloudwatch:Describe*", "cloudwatch:GetMetric*", "cloudwatch:List*"}

// NewSlack registers that a channel of Slack hears of topics, by Amazon Q Developer in chat applications, which was AWS Chatbot. The
// channel's role may look at metrics and alarms; the same policy is the guardrail, which is the most that anybody in the channel can do
// by any role. The account's administrator connects the workspace by hand before: it takes a login at Slack.
//
// The key of encrypted topics needs to let nobody more in: Amazon SNS decrypts what it delivers.
// Source: Amazon Q Developer in chat applications Administrator Guide, "Service-linked role": it has no permission of KMS.
func NewSlack(ctx *pulumi.Context, name string, args SlackArgs, opts ...pulumi.ResourceOption) error {
	text, err := iamdoc.Document(iamdoc.Statement{Sid: "Graphs", Actions: graphs, Resources: []string{"*"}})
	if err != nil {
		return err
	}
	policy, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Description: pulumi.String("What the Slack channel of " + name + " may do, and the most that it can"), Policy: pulumi.String(text), Tags: args.Tags(name),
	}, opts...)
	if err != nil {
		return err
	}
	// The service does not promise to name the account, and only who may pass the role can have it used: there is no deputy to confuse.
	trust, err := iamdoc.Trust("chatbot.amazonaws.com", "")
	if err != nil {
		return err
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Description: pulumi.String("Lets the Slack channel of " + name + " show the metrics of alarms"), AssumeRolePolicy: pulumi.String(trust), Tags: args.Tags(name),
	}, opts...)
	if err != nil {
		return err
	}
	attached, err := iam.NewRolePolicyAttachment(ctx, name, &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: policy.Arn}, opts...)
	if err != nil {
		return err
	}
	_, err = chatbot.NewSlackChannelConfiguration(ctx, name, &chatbot.SlackChannelConfigurationArgs{
		ConfigurationName: pulumi.String(name), SlackTeamId: pulumi.String(args.Slack.Workspace), SlackChannelId: pulumi.String(args.Slack.Channel),
		IamRoleArn: role.Arn, GuardrailPolicyArns: pulumi.StringArray{policy.Arn}, SnsTopicArns: args.TopicARNs, Tags: args.Tags(name),
		// AWS changes neither of the two, and takes a name and a channel once.
	}, append(opts, pulumi.DependsOn([]pulumi.Resource{attached}), pulumi.ReplaceOnChanges([]string{"configurationName", "slackTeamId"}), pulumi.DeleteBeforeReplace(true))...)
	return err
}
