package fleet

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// Group is an Auto Scaling group.
type Group struct {
	// Desired is how many machines it is to have, Least how many at least, Coming how many are about to join.
	Desired, Least, Coming int
	// Targets are the ARNs of the target groups that it registers them with.
	Targets []string
	// Members are those that are not on their way out, the oldest first.
	Members []Member
}

// Member is a machine of a group. Its node has no roles.
type Member struct {
	stacks.Node
	// Public is the address that the internet knows it by, the zero value where it has none.
	Public netip.Addr
	// InService means that it runs, has booted, and Auto Scaling takes it for well.
	InService bool
	// Tags are the machine's, by key.
	Tags map[string]string
}

// Groups reads Auto Scaling groups and their machines. A group that there is not is not in the answer. That AWS does not answer has
// the code cli.ExitUnreachable.
// Sources: Amazon EC2 Auto Scaling API Reference, DescribeAutoScalingGroups; EC2 API Reference, DescribeInstances.
func Groups(ctx context.Context, groups *autoscaling.Client, machines *ec2.Client, names ...string) (map[string]Group, error) {
	failed := func(err error, whose string) error {
		return cli.WithCode(cli.ExitUnreachable, fmt.Errorf("ask %s %s: %s", whose, strings.Join(names, ", "), awsapi.Message(err)))
	}
	out, err := groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names})
	if err != nil {
		return nil, failed(err, "Auto Scaling for the fleets")
	}
	result := map[string]Group{}
	members := map[string]scaling.Instance{}
	groupOf := map[string]string{}
	var ids []string
	for _, found := range out.AutoScalingGroups {
		name := aws.ToString(found.AutoScalingGroupName)
		g := Group{Desired: int(aws.ToInt32(found.DesiredCapacity)), Least: int(aws.ToInt32(found.MinSize)), Targets: found.TargetGroupARNs}
		for _, i := range found.Instances {
			state, id := string(i.LifecycleState), aws.ToString(i.InstanceId)
			if strings.HasPrefix(state, "Terminat") {
				continue
			}
			if strings.HasPrefix(state, string(scaling.LifecycleStatePending)) {
				g.Coming++
			}
			members[id], groupOf[id] = i, name
			ids = append(ids, id)
		}
		result[name] = g
	}
	if len(ids) == 0 {
		return result, nil
	}
	// As a filter: EC2 refuses to answer for any where it does not know one by its id.
	instances, err := describe(ctx, machines, filter("instance-id", ids...))
	if err != nil {
		return nil, failed(err, "EC2 for the machines of the fleets")
	}
	for _, i := range instances {
		id := aws.ToString(i.InstanceId)
		m := Member{Node: node(i), Tags: map[string]string{}}
		m.Public, _ = netip.ParseAddr(aws.ToString(i.PublicIpAddress)) // none is none
		m.InService = i.State != nil && i.State.Name == types.InstanceStateNameRunning &&
			members[id].LifecycleState == scaling.LifecycleStateInService && aws.ToString(members[id].HealthStatus) == "Healthy"
		for _, tag := range i.Tags {
			m.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		g := result[groupOf[id]]
		g.Members = append(g.Members, m)
		result[groupOf[id]] = g
	}
	return result, nil
}
