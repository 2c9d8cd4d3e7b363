package smoke

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/sip/siptest"
	"github.com/calldata/calldata-foundation/stacks"
)

// told calls the endpoint with --metric, and answers what CloudWatch got and how the command ended.
func told(t *testing.T, endpoint string, refuse error) (*cloud, error) {
	t.Helper()
	c := &cloud{refuse: refuse}
	outputs := filepath.Join(t.TempDir(), "outputs.json")
	require.NoError(t, os.WriteFile(outputs, fmt.Appendf(nil, `{"stack":"prod","region":"eu-central-1","nodes":[{"name":"a",
"roles":["uc-engine"],"instanceId":"i-1","zone":"z","privateIp":"10.20.0.5","user":"admin"}],
"endpoints":{"web":"https://127.0.0.1","sip":%q,"carriers":"sip:carriers.example.com"}}`, endpoint), 0o600))
	opts := &Options{
		IO: &cli.IO{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Getenv: os.Getenv}, SecretsFile: secrets(t), Extension: stacks.SmokeExtension,
		Timeout: 20 * time.Second, Tone: 400 * time.Millisecond, Metric: true, reply: 5 * time.Second,
		connect: func(_ context.Context, region string) (teller, error) {
			c.region = region
			return c, nil
		},
	}
	opts.Source.File = outputs
	return c, run(context.Background(), opts)
}

// cloud is a CloudWatch that remembers.
type cloud struct {
	region string
	refuse error
	got    []*cloudwatch.PutMetricDataInput
}

func (c *cloud) PutMetricData(_ context.Context, in *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error) {
	c.got = append(c.got, in)
	return &cloudwatch.PutMetricDataOutput{}, c.refuse
}

func (c *cloud) one(t *testing.T) types.MetricDatum {
	t.Helper()
	require.Len(t, c.got, 1)
	require.Len(t, c.got[0].MetricData, 1)
	return c.got[0].MetricData[0]
}

func TestACallThatWorksIsTold(t *testing.T) {
	t.Parallel()
	engine := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{})
	c, err := told(t, engine.Endpoint(), nil)
	require.NoError(t, err)
	assert.Equal(t, "eu-central-1", c.region)
	datum := c.one(t)
	assert.Equal(t, "CallData/Outside", *c.got[0].Namespace)
	assert.Equal(t, "CallWorked", *datum.MetricName)
	assert.InDelta(t, 1, *datum.Value, 0)
	assert.Equal(t, []types.Dimension{{Name: aws.String("Stack"), Value: aws.String("prod")}}, datum.Dimensions)
}

func TestACallThatFailsIsTold(t *testing.T) {
	t.Parallel()
	busy := siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{InviteCode: 486}).Endpoint()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // hears and says nothing
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	for endpoint, code := range map[string]int{
		busy: cli.ExitUnhealthy, "sip:" + conn.LocalAddr().String(): cli.ExitUnreachable, "sip:sip.prod.invalid:5060": cli.ExitUnreachable,
	} {
		c, err := told(t, endpoint, nil)
		assert.Equal(t, code, cli.Code(err), endpoint)
		assert.InDelta(t, 0, *c.one(t).Value, 0, endpoint)
	}
}

func TestWhatWasNeverMeantIsNotTold(t *testing.T) {
	t.Parallel()
	c, err := told(t, "sips:127.0.0.1", nil)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.Empty(t, c.got)
	require.NoError(t, tell(context.Background(), c, "prod", cli.WithCode(cli.ExitInterrupted, context.Canceled)))
	assert.Empty(t, c.got)
}

// Whoever waits for the metric hears why there is none; a call that failed keeps its code.
func TestCloudWatchRefuses(t *testing.T) {
	t.Parallel()
	refuse := errors.New("AccessDenied")
	_, err := told(t, siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{}).Endpoint(), refuse)
	require.ErrorContains(t, err, "tell CloudWatch what came of the call: AccessDenied")
	assert.Equal(t, cli.ExitError, cli.Code(err))
	_, err = told(t, siptest.Start(t, stacks.SmokeUser, password, siptest.Faults{InviteCode: 486}).Endpoint(), refuse)
	require.ErrorContains(t, err, "AccessDenied")
	require.ErrorContains(t, err, "486")
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err))
}

func TestTheEmulatorIsTold(t *testing.T) {
	t.Parallel()
	client := cloudwatch.NewFromConfig(emulatortest.Start(t).AWSConfig())
	require.NoError(t, tell(t.Context(), client, "prod", nil))
	require.NoError(t, tell(t.Context(), client, "prod", errors.New("no audio")))
	found, err := client.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("CallData/Outside"), MetricName: aws.String("CallWorked"), Dimensions: []types.Dimension{{Name: aws.String("Stack"), Value: aws.String("prod")}},
		StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour)), Period: aws.Int32(24 * 60 * 60),
		Statistics: []types.Statistic{types.StatisticMinimum, types.StatisticMaximum},
	})
	require.NoError(t, err)
	least, most := 1.0, 0.0
	for _, point := range found.Datapoints {
		least, most = min(least, *point.Minimum), max(most, *point.Maximum)
	}
	assert.InDelta(t, 0, least, 0)
	assert.InDelta(t, 1, most, 0)
}
