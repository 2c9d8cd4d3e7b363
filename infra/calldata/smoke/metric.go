package smoke

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// tellTime is how long CloudWatch may take, besides the call's own time limit.
const tellTime = 30 * time.Second

// teller is the part of CloudWatch that is told.
type teller interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
}

// connect makes a client for a region, and sees first that there are credentials: without them a call would be placed for nothing.
func connect(ctx context.Context, region string) (teller, error) {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return nil, err
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return nil, cli.WithCode(cli.ExitPreflight, fmt.Errorf("--metric: no AWS credentials: %s; set AWS_PROFILE, or log in with `aws sso login`", awsapi.Message(err)))
	}
	return cloudwatch.NewFromConfig(settings), nil
}

// tell writes what came of a call of the stack, for its alarms. A call that was broken off or never meant says nothing.
func tell(ctx context.Context, client teller, stack string, outcome error) error {
	value := 1.0
	switch cli.Code(outcome) {
	case cli.ExitInterrupted, cli.ExitUsage:
		return nil
	case cli.ExitOK:
	default:
		value = 0
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	_, err := client.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(metrics.OutsideNamespace),
		MetricData: []types.MetricDatum{{
			MetricName: aws.String(metrics.CallWorked), Value: &value, Unit: types.StandardUnitCount,
			Dimensions: []types.Dimension{{Name: aws.String(metrics.DimStack), Value: &stack}},
		}},
	})
	if err != nil {
		return fmt.Errorf("tell CloudWatch what came of the call: %s", awsapi.Message(err))
	}
	return nil
}
