package release

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/calldata/calldata-foundation/components/noderole"
	"github.com/calldata/calldata-foundation/components/wazofleet"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
)

// group is an Auto Scaling group.
type group struct {
	// desired is how many machines it is to have, least how many at least; targets the target groups that it registers them with.
	desired int
	least   int
	targets []string
	// members are those that are not on their way out, the oldest first.
	members []member
}

// member is a machine of a group.
type member struct {
	fleet.Member
	// aside means that it has the tag that others pass over it by.
	aside bool
}

// address is an Elastic IP of the pool.
type address struct {
	ip netip.Addr
	// association and instance are empty where nobody has it.
	association, instance string
}

// alarm is one that is on.
type alarm struct {
	name string
	// since is when it came on.
	since time.Time
}

// cloud is what a release asks of AWS, and does there beside Pulumi.
type cloud interface {
	// group reads an Auto Scaling group by name, nil where there is none.
	group(ctx context.Context, name string) (*group, error)
	// grow gives it at least n machines.
	grow(ctx context.Context, name string, n int) error
	// mark has the machines stand aside, or not any more.
	mark(ctx context.Context, ids []string, aside bool) error
	// pool lists the Elastic IPs with the tag.
	pool(ctx context.Context, tag string) ([]address, error)
	// release takes an address off a machine.
	release(ctx context.Context, association string) error
	// targets answers the state of each machine that is registered with one of the target groups, "healthy" where all say so.
	targets(ctx context.Context, arns []string) (map[string]string, error)
	// alarms are those that are on and whose names begin so, by name.
	alarms(ctx context.Context, prefix string) ([]alarm, error)
}

type awsCloud struct {
	autoscaling *autoscaling.Client
	ec2         *ec2.Client
	elb         *elasticloadbalancingv2.Client
	cloudwatch  *cloudwatch.Client
}

func newCloud(ctx context.Context, region string) (cloud, error) {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return nil, cli.WithCode(cli.ExitUsage, err)
	}
	return connect(settings), nil
}

func connect(settings aws.Config) *awsCloud {
	return &awsCloud{
		autoscaling: autoscaling.NewFromConfig(settings), ec2: ec2.NewFromConfig(settings), elb: elasticloadbalancingv2.NewFromConfig(settings),
		cloudwatch: cloudwatch.NewFromConfig(settings),
	}
}

// failed says what was asked of AWS in vain.
func failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return cli.WithCode(cli.ExitUnreachable, fmt.Errorf("%s: %s", fmt.Sprintf(format, args...), awsapi.Message(err)))
}

func (c *awsCloud) group(ctx context.Context, name string) (*group, error) {
	all, err := fleet.Groups(ctx, c.autoscaling, c.ec2, name)
	found, there := all[name]
	if err != nil || !there {
		return nil, err
	}
	g := &group{desired: found.Desired, least: found.Least, targets: found.Targets}
	for _, m := range found.Members {
		g.members = append(g.members, member{Member: m, aside: m.Tags[wazofleet.ServiceKey] == wazofleet.ServiceAside})
	}
	return g, nil
}

func (c *awsCloud) grow(ctx context.Context, name string, n int) error {
	_, err := c.autoscaling.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(name), DesiredCapacity: aws.Int32(int32(n))}) //nolint:gosec // at most 20
	return failed(err, "give the fleet %s %d machines", name, n)
}

func (c *awsCloud) mark(ctx context.Context, ids []string, aside bool) error {
	if len(ids) == 0 {
		return nil
	}
	tag := []ec2types.Tag{{Key: aws.String(wazofleet.ServiceKey), Value: aws.String(wazofleet.ServiceAside)}}
	if aside {
		_, err := c.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: ids, Tags: tag})
		return failed(err, "mark machines as standing aside")
	}
	_, err := c.ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: ids, Tags: tag})
	return failed(err, "mark machines as in service")
}

func (c *awsCloud) pool(ctx context.Context, tag string) ([]address, error) {
	out, err := c.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{Filters: []ec2types.Filter{{Name: aws.String("tag:" + noderole.PoolKey), Values: []string{tag}}}})
	if err != nil {
		return nil, failed(err, "ask for the addresses of the pool %s", tag)
	}
	found := make([]address, len(out.Addresses))
	for i, a := range out.Addresses {
		found[i] = address{association: aws.ToString(a.AssociationId), instance: aws.ToString(a.InstanceId)}
		found[i].ip, _ = netip.ParseAddr(aws.ToString(a.PublicIp)) // AWS's own form
	}
	return found, nil
}

func (c *awsCloud) release(ctx context.Context, association string) error {
	_, err := c.ec2.DisassociateAddress(ctx, &ec2.DisassociateAddressInput{AssociationId: aws.String(association)})
	if awsapi.Is(err, "InvalidAssociationID.NotFound") { // an earlier try got through
		return nil
	}
	return failed(err, "take an address back")
}

// healthy is the state of a target that takes calls.
const healthy = "healthy"

func (c *awsCloud) targets(ctx context.Context, arns []string) (map[string]string, error) {
	found := map[string]string{}
	for _, arn := range arns {
		out, err := c.elb.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)})
		if err != nil {
			return nil, failed(err, "ask for the health of targets")
		}
		for _, d := range out.TargetHealthDescriptions {
			id := aws.ToString(d.Target.Id)
			if state := string(d.TargetHealth.State); found[id] == "" || state != healthy {
				found[id] = state
			}
		}
	}
	return found, nil
}

// scaling begins the names of alarms that are a fleet's own thermostat, and on all the time.
// Source: Amazon EC2 Auto Scaling User Guide, "Target tracking scaling policies".
const scaling = "TargetTracking-"

func (c *awsCloud) alarms(ctx context.Context, prefix string) ([]alarm, error) {
	var found []alarm
	add := func(name *string, since ...*time.Time) {
		// Every evaluation with another reason moves the time of the update; the time of the transition is missing in old alarms.
		i := slices.IndexFunc(since, func(t *time.Time) bool { return t != nil })
		found = append(found, alarm{aws.ToString(name), aws.ToTime(since[max(i, 0)])})
	}
	pages := cloudwatch.NewDescribeAlarmsPaginator(c.cloudwatch, &cloudwatch.DescribeAlarmsInput{
		StateValue: cwtypes.StateValueAlarm, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed(err, "ask for alarms")
		}
		for _, a := range page.MetricAlarms {
			add(a.AlarmName, a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
		}
		for _, a := range page.CompositeAlarms {
			add(a.AlarmName, a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
		}
	}
	found = slices.DeleteFunc(found, func(a alarm) bool { return !strings.HasPrefix(a.name, prefix) || strings.HasPrefix(a.name, scaling) })
	slices.SortFunc(found, func(a, b alarm) int { return cmp.Compare(a.name, b.name) })
	return found, nil
}
