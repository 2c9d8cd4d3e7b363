package permission

import "github.com/calldata/calldata-foundation/components/iamdoc"

// atSlack limits a statement to the regions that the service is in, whatever the topics' region.
// Source: AWS General Reference, "AWS Chatbot endpoints and quotas".
func atSlack() conditions {
	return conditions{"StringEquals": {"aws:RequestedRegion": {"us-east-2", "us-west-2", "eu-west-1", "ap-southeast-1"}}}
}

// lookAtSlack is what shows the account's channels of Slack.
func lookAtSlack() iamdoc.Statement {
	return iamdoc.Statement{
		Sid: "LookAtSlack", Actions: []string{"chatbot:DescribeSlackChannelConfigurations", "chatbot:ListTagsForResource"}, Resources: []string{"*"}, Conditions: atSlack(),
	}
}

// slack is what lets a channel of Slack hear of alarms. A channel that is made takes no resource; it is of use with a role of the
// environment's only, since no other can be passed.
// Source: AWS Service Authorization Reference, AWS Chatbot.
func (s Scope) slack() []iamdoc.Statement {
	return []iamdoc.Statement{
		lookAtSlack(),
		{Sid: "NewSlack", Actions: []string{"chatbot:CreateSlackChannelConfiguration"}, Resources: []string{"*"}, Conditions: atSlack()},
		{Sid: "Slack", Resources: []string{"arn:aws:chatbot::" + s.Account + ":chat-configuration/slack-channel/" + s.Environment + "-*"}, Actions: []string{
			"chatbot:UpdateSlackChannelConfiguration", "chatbot:DeleteSlackChannelConfiguration", "chatbot:TagResource", "chatbot:UntagResource",
		}, Conditions: atSlack()},
	}
}
