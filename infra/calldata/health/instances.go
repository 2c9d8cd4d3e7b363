package health

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// instanceStatuses asks EC2 about every node at once and answers what it found for each.
func instanceStatuses(ctx context.Context, out stacks.Outputs) map[string]found {
	all := func(f found) map[string]found {
		result := map[string]found{}
		for _, node := range out.Nodes {
			result[node.Name] = f
		}
		return result
	}
	settings, missing := account(ctx, out.Region)
	if missing != "" {
		return all(skip("%s", missing))
	}
	var ids []string
	for _, node := range out.Nodes {
		ids = append(ids, node.InstanceID)
	}
	pages := ec2.NewDescribeInstanceStatusPaginator(ec2.NewFromConfig(settings), &ec2.DescribeInstanceStatusInput{
		InstanceIds: ids, IncludeAllInstances: aws.Bool(true),
	})
	seen := map[string]types.InstanceStatus{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return all(fail("ask EC2 how the machines are: %s", awsapi.Message(err)))
		}
		for _, status := range page.InstanceStatuses {
			seen[aws.ToString(status.InstanceId)] = status
		}
	}
	result := map[string]found{}
	for _, node := range out.Nodes {
		status, known := seen[node.InstanceID]
		if !known {
			result[node.Name] = fail("EC2 does not know instance %s", node.InstanceID)
			continue
		}
		result[node.Name] = judgeInstance(status)
	}
	return result
}

// account is how to ask AWS, or what there is not for that.
func account(ctx context.Context, region string) (settings aws.Config, missing string) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithRetryMaxAttempts(2))
	if err != nil {
		return settings, fmt.Sprintf("AWS settings: %v", err)
	}
	if settings.Credentials == nil {
		return settings, "no AWS credentials"
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return settings, "no AWS credentials"
	}
	return settings, ""
}

// judgeInstance wants a running instance whose two status checks have passed.
func judgeInstance(status types.InstanceStatus) found {
	if state := status.InstanceState; state == nil || state.Name != types.InstanceStateNameRunning {
		name := types.InstanceStateName("in no state")
		if state != nil {
			name = state.Name
		}
		return fail("instance is %s", name)
	}
	var waiting []string
	for _, check := range []struct {
		name    string
		summary *types.InstanceStatusSummary
	}{{"instance", status.InstanceStatus}, {"system", status.SystemStatus}} {
		if check.summary == nil {
			continue
		}
		switch check.summary.Status {
		case types.SummaryStatusOk, types.SummaryStatusNotApplicable:
		case types.SummaryStatusImpaired:
			return fail("running, but the %s status check is impaired", check.name)
		default:
			waiting = append(waiting, fmt.Sprintf("%s status check is %s", check.name, check.summary.Status))
		}
	}
	if len(waiting) > 0 {
		return warn("running; %s", strings.Join(waiting, ", "))
	}
	return ok("running, status checks passed")
}
