// Package fleet finds the machines of a stack: fixed ones in its outputs, machines of fleets, which come and go, in EC2.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// Lister answers the running machines of a stack's fleet. Members is the one that asks EC2.
type Lister func(ctx context.Context, stack stacks.Outputs, role stacks.Role) ([]stacks.Node, error)

// Members are the running machines of the stack's fleet of a role, the oldest first: it has had the most time to start. Each
// is named by its instance id. It needs AWS credentials; that EC2 does not answer has the code cli.ExitUnreachable.
// Source: EC2 API Reference, DescribeInstances.
func Members(ctx context.Context, stack stacks.Outputs, role stacks.Role) ([]stacks.Node, error) {
	settings, err := awsapi.Load(ctx, stack.Region, "", "")
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	found, err := describe(ctx, ec2.NewFromConfig(settings),
		filter("tag:Environment", stack.Stack), filter("tag:Role", string(role)), filter("instance-state-name", "running"))
	if err != nil {
		return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask EC2 for the machines of stack %s with the role %s: %s", stack.Stack, role, awsapi.Message(err)))
	}
	nodes := make([]stacks.Node, 0, len(found))
	for _, i := range found {
		nodes = append(nodes, node(i, role))
	}
	return nodes, nil
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// describe answers the machines that pass all filters, the oldest first.
func describe(ctx context.Context, client *ec2.Client, filters ...types.Filter) ([]types.Instance, error) {
	pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{Filters: filters})
	var found []types.Instance
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			found = append(found, r.Instances...)
		}
	}
	slices.SortFunc(found, func(a, b types.Instance) int {
		return cmp.Or(aws.ToTime(a.LaunchTime).Compare(aws.ToTime(b.LaunchTime)), cmp.Compare(aws.ToString(a.InstanceId), aws.ToString(b.InstanceId)))
	})
	return found, nil
}

// node is a machine of a fleet.
func node(i types.Instance, roles ...stacks.Role) stacks.Node {
	id := aws.ToString(i.InstanceId)
	return stacks.Node{Name: id, Roles: roles, InstanceID: id, PrivateIP: aws.ToString(i.PrivateIpAddress), User: stacks.DebianUser, Access: stacks.AccessSSM}
}

// IsMember tells a machine of a fleet from a fixed one, which has a name of its own.
func IsMember(n stacks.Node) bool { return n.Name == n.InstanceID }
