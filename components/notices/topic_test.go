package notices

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func TestTopic(t *testing.T) {
	t.Parallel()
	for _, events := range []bool{false, true} {
		rec := &componenttest.Recorder{}
		require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
			_, err := NewTopic(ctx, "x", Args{
				DisplayName: "X", Account: "123456789012", Events: events, KMSKeyARN: pulumi.String("arn:key"), Emails: []string{"a@example.com", "b@example.com"},
				Tags: pulumi.StringMap{"Owner": pulumi.String("o")},
			})
			return err
		}))
		topic := rec.One(t, "aws:sns/topic:Topic").Inputs
		assert.Equal(t, "X", topic["displayName"])
		assert.Equal(t, "arn:key", topic["kmsMasterKeyId"])
		assert.Equal(t, map[string]any{"Owner": "o"}, topic["tags"])
		eventStatement := ""
		if events {
			eventStatement = `{"Sid":"Events","Effect":"Allow","Principal":{"Service":["events.amazonaws.com"]},"Action":["sns:Publish"],"Resource":["arn:aws:sns:us-east-1:123456789012:x"]},`
		}
		assert.JSONEq(t, `{"Version":"2012-10-17","Statement":[
			{"Sid":"Alarms","Effect":"Allow","Principal":{"Service":["cloudwatch.amazonaws.com"]},"Action":["sns:Publish"],"Resource":["arn:aws:sns:us-east-1:123456789012:x"],
				"Condition":{"StringEquals":{"aws:SourceAccount":["123456789012"]}}},`+eventStatement+`
			{"Sid":"OnlyTLS","Effect":"Deny","Principal":{"AWS":["*"]},"Action":["sns:Publish"],"Resource":["arn:aws:sns:us-east-1:123456789012:x"],
				"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}]}`, rec.One(t, "aws:sns/topicPolicy:TopicPolicy").Inputs["policy"].(string))
		subscriptions := rec.OfType("aws:sns/topicSubscription:TopicSubscription")
		require.Len(t, subscriptions, 2)
		assert.Equal(t, "email", subscriptions["x-a@example.com"].Inputs["protocol"])
		assert.Equal(t, "b@example.com", subscriptions["x-b@example.com"].Inputs["endpoint"])
		assert.Equal(t, "arn:aws:sns:us-east-1:123456789012:x", subscriptions["x-a@example.com"].Inputs["topic"])
	}
}

func TestCheckEmails(t *testing.T) {
	t.Parallel()
	require.NoError(t, CheckEmails("e-mails", nil))
	require.NoError(t, CheckEmails("e-mails", []string{"a@example.com", "b@example.com"}))
	err := CheckEmails("e-mails", []string{"nobody", "a@example.com", "A <a@example.com>", "a@example.com"})
	require.ErrorContains(t, err, `"nobody" is not an address`)
	require.ErrorContains(t, err, `"A <a@example.com>" is not an address`)
	require.ErrorContains(t, err, `"a@example.com" is there twice`)
}
