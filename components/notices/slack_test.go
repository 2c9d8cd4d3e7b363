package notices

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestParseSlack(t *testing.T) {
	t.Parallel()
	slack, err := ParseSlack("T07EA123LEP/C07EZ1ABC23")
	require.NoError(t, err)
	assert.Equal(t, Slack{Workspace: "T07EA123LEP", Channel: "C07EZ1ABC23"}, slack)
	assert.Equal(t, "T07EA123LEP/C07EZ1ABC23", slack.String())
	for _, wrong := range []string{"", "#alarms", "C07EZ1ABC23", "C07EZ1ABC23/T07EA123LEP", "T07EA123LEP/", "T07EA123LEP/C07EZ1ABC23/x", "t07ea123lep/c07ez1abc23"} {
		_, err := ParseSlack(wrong)
		require.ErrorContains(t, err, "want WORKSPACE/CHANNEL", wrong)
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		return NewSlack(ctx, "prod-slack", SlackArgs{
			Slack: Slack{"T07EA123LEP", "C07EZ1ABC23"}, TopicARNs: pulumi.ToStringArray([]string{"arn:notice", "arn:page"}),
			Tags: func(name string) pulumi.StringMap { return pulumi.StringMap{"Name": pulumi.String(name)} },
		})
	}))
	policy := rec.One(t, "aws:iam/policy:Policy").Inputs
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"Graphs","Effect":"Allow","Action":["cloudwatch:Describe*","cloudwatch:GetMetric*","cloudwatch:List*"],"Resource":["*"]}]}`, policy["policy"].(string))
	role := rec.One(t, "aws:iam/role:Role").Inputs
	assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Service":["chatbot.amazonaws.com"]},"Action":["sts:AssumeRole"]}]}`, role["assumeRolePolicy"].(string))
	channel := rec.One(t, "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration")
	arn := rec.One(t, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").Inputs["policyArn"]
	assert.Equal(t, []any{arn}, channel.Inputs["guardrailPolicyArns"], "nobody in the channel can do more than its role")
	assert.Equal(t, "T07EA123LEP", channel.Inputs["slackTeamId"])
	assert.Equal(t, "C07EZ1ABC23", channel.Inputs["slackChannelId"])
	assert.Equal(t, []any{"arn:notice", "arn:page"}, channel.Inputs["snsTopicArns"])
	assert.Equal(t, map[string]any{"Name": "prod-slack"}, channel.Inputs["tags"])
	assert.Contains(t, channel.Dependencies, "aws:iam/rolePolicyAttachment:RolePolicyAttachment prod-slack", "the first message finds the role's permissions")
}
