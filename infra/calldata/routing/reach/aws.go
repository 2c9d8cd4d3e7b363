package reach

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// fleetUser is the login that cloud-init makes on Debian's AMIs.
const fleetUser = "admin"

// routers are the machines that reach the database, at least one.
func (w Way) routers(ctx context.Context) ([]stacks.Node, error) {
	var routers []stacks.Node
	for _, n := range w.Stack.Nodes {
		if slices.Contains(n.Roles, stacks.RoleC4Router) {
			routers = append(routers, n)
		}
	}
	if len(routers) > 0 {
		return routers, nil
	}
	if !slices.ContainsFunc(w.Stack.Fleets, func(f stacks.Fleet) bool { return f.Role == stacks.RoleC4Router }) {
		return nil, cli.UsageErrorf("stack %s has no Router, so it has no routing", w.Stack.Stack)
	}
	return w.fleet(ctx)
}

// fleet are the running Routers of the stack's fleet, the oldest first: it has had the most time to start.
// Source: EC2 API Reference, DescribeInstances.
func (w Way) fleet(ctx context.Context) ([]stacks.Node, error) {
	settings, err := awsapi.Load(ctx, w.Stack.Region, "", "")
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	filter := func(name, value string) types.Filter {
		return types.Filter{Name: aws.String(name), Values: []string{value}}
	}
	pages := ec2.NewDescribeInstancesPaginator(ec2.NewFromConfig(settings), &ec2.DescribeInstancesInput{Filters: []types.Filter{
		filter("tag:Environment", w.Stack.Stack), filter("tag:Role", string(stacks.RoleC4Router)), filter("instance-state-name", "running"),
	}})
	var found []types.Instance
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask EC2 for the Routers of stack %s: %s", w.Stack.Stack, awsapi.Message(err)))
		}
		for _, r := range page.Reservations {
			found = append(found, r.Instances...)
		}
	}
	slices.SortFunc(found, func(a, b types.Instance) int {
		return cmp.Or(aws.ToTime(a.LaunchTime).Compare(aws.ToTime(b.LaunchTime)), cmp.Compare(aws.ToString(a.InstanceId), aws.ToString(b.InstanceId)))
	})
	var routers []stacks.Node
	for _, i := range found {
		routers = append(routers, stacks.Node{
			Name: aws.ToString(i.InstanceId), Roles: []stacks.Role{stacks.RoleC4Router}, InstanceID: aws.ToString(i.InstanceId),
			PrivateIP: aws.ToString(i.PrivateIpAddress), User: fleetUser, Access: stacks.AccessSSM,
		})
	}
	if len(routers) == 0 {
		return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("stack %s has no Router that runs now: look at its Auto Scaling group", w.Stack.Stack))
	}
	return routers, nil
}

// secret answers user and password of the database's owner. No error shows them.
func (w Way) secret(ctx context.Context, arn string) (user, password string, err error) {
	settings, err := awsapi.Load(ctx, w.Stack.Region, "", "")
	if err != nil {
		return "", "", cli.WithCode(cli.ExitUsage, err)
	}
	out, err := secretsmanager.NewFromConfig(settings).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
	if err != nil {
		return "", "", cli.WithCode(cli.ExitUnreachable, fmt.Errorf("read the database's password, %s: %s: log in to AWS as somebody who may read it", arn, awsapi.Message(err)))
	}
	var value struct{ Username, Password string }
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &value) != nil || value.Username == "" || value.Password == "" {
		return "", "", cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("the secret %s is no JSON with username and password: RDS writes it so", arn))
	}
	return value.Username, value.Password, nil
}
