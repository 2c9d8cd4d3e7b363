package awsfront

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	balancing "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// errUnknown is what lookups answer when there is no such thing.
var errUnknown = errors.New("there is no such thing")

// account asks the AWS API what machines want to know.
type account struct {
	region      string
	ec2         *ec2.Client
	autoscaling *autoscaling.Client
	balancing   *elasticloadbalancingv2.Client
	iam         *iam.Client
	route53     *route53.Client
	sts         *sts.Client

	mu    sync.Mutex
	given map[string]session
}

func newAccount(c aws.Config) *account {
	return &account{
		region: c.Region, ec2: ec2.NewFromConfig(c), autoscaling: autoscaling.NewFromConfig(c), balancing: elasticloadbalancingv2.NewFromConfig(c),
		iam: iam.NewFromConfig(c), route53: route53.NewFromConfig(c), sts: sts.NewFromConfig(c), given: map[string]session{},
	}
}

// instance is an EC2 instance and who owns it.
type instance struct {
	types.Instance
	owner, reservation string
}

func (i instance) tag(key string) string {
	for _, t := range i.Tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// instances are those that filters leave and that are not terminated.
func (a *account) instances(ctx context.Context, filters ...types.Filter) ([]instance, error) {
	var found []instance
	pages := ec2.NewDescribeInstancesPaginator(a.ec2, &ec2.DescribeInstancesInput{Filters: filters})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				if i.State == nil || i.State.Name != types.InstanceStateNameTerminated {
					found = append(found, instance{i, aws.ToString(r.OwnerId), aws.ToString(r.ReservationId)})
				}
			}
		}
	}
	return found, nil
}

// at answers the instance that has a private address.
func (a *account) at(ctx context.Context, address netip.Addr) (instance, error) {
	found, err := a.instances(ctx, types.Filter{Name: aws.String("private-ip-address"), Values: []string{address.String()}})
	if err != nil {
		return instance{}, err
	}
	if len(found) == 0 {
		return instance{}, fmt.Errorf("instance with the address %s: %w", address, errUnknown)
	}
	return found[0], nil
}

// userData answers an instance's user data, still encoded.
func (a *account) userData(ctx context.Context, i instance) (string, error) {
	out, err := a.ec2.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: i.InstanceId, Attribute: types.InstanceAttributeNameUserData})
	if err != nil {
		return "", err
	}
	if out.UserData == nil || aws.ToString(out.UserData.Value) == "" {
		return "", errUnknown
	}
	return aws.ToString(out.UserData.Value), nil
}

// lifecycle is the state that Auto Scaling brings an instance to.
// Source: Amazon EC2 Auto Scaling User Guide, "Retrieve the target lifecycle state through instance metadata".
func (a *account) lifecycle(ctx context.Context, i instance) (string, error) {
	out, err := a.autoscaling.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: []string{aws.ToString(i.InstanceId)}})
	if err != nil {
		return "", err
	}
	if len(out.AutoScalingInstances) == 0 {
		return "", errUnknown
	}
	state := aws.ToString(out.AutoScalingInstances[0].LifecycleState)
	switch {
	case strings.HasPrefix(state, "Pending"), state == "InService":
		return "InService", nil
	case strings.HasPrefix(state, "Terminating"):
		return "Terminated", nil
	case strings.HasPrefix(state, "Detach"):
		return "Detached", nil
	}
	return state, nil
}

// session is what the metadata service hands out.
// Source: Amazon EC2 User Guide, "Retrieve security credentials from instance metadata".
type session struct {
	Code            string
	LastUpdated     time.Time
	Type            string
	AccessKeyId     string //nolint:revive // as in the document
	SecretAccessKey string
	Token           string
	Expiration      time.Time
}

// role answers the name and the ARN of an instance's role.
func (a *account) role(ctx context.Context, i instance) (name, arn string, err error) {
	if i.IamInstanceProfile == nil {
		return "", "", errUnknown
	}
	path := strings.Split(aws.ToString(i.IamInstanceProfile.Arn), "/")
	out, err := a.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: aws.String(path[len(path)-1])})
	if err != nil {
		return "", "", err
	}
	if len(out.InstanceProfile.Roles) == 0 {
		return "", "", errUnknown
	}
	role := out.InstanceProfile.Roles[0]
	return aws.ToString(role.RoleName), aws.ToString(role.Arn), nil
}

// assume answers credentials of an instance's role: the same ones until half of their time is over.
func (a *account) assume(ctx context.Context, i instance, arn string) (session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := aws.ToString(i.InstanceId)
	if known, ok := a.given[id+arn]; ok && time.Now().Before(known.LastUpdated.Add(known.Expiration.Sub(known.LastUpdated)/2)) {
		return known, nil
	}
	out, err := a.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn), RoleSessionName: aws.String(id)})
	if err != nil {
		return session{}, err
	}
	made := session{
		Code: "Success", LastUpdated: time.Now().UTC().Truncate(time.Second), Type: "AWS-HMAC", AccessKeyId: aws.ToString(out.Credentials.AccessKeyId),
		SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey), Token: aws.ToString(out.Credentials.SessionToken), Expiration: aws.ToTime(out.Credentials.Expiration).UTC(),
	}
	a.given[id+arn] = made
	return made, nil
}

// targets are the private addresses behind a load balancer of that name.
func (a *account) targets(ctx context.Context, name string) ([]netip.Addr, error) {
	var balancer *balancing.LoadBalancer
	pages := elasticloadbalancingv2.NewDescribeLoadBalancersPaginator(a.balancing, &elasticloadbalancingv2.DescribeLoadBalancersInput{})
	for balancer == nil && pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for i := range page.LoadBalancers {
			if strings.EqualFold(aws.ToString(page.LoadBalancers[i].DNSName), name) {
				balancer = &page.LoadBalancers[i]
			}
		}
	}
	if balancer == nil {
		return nil, errUnknown
	}
	groups, err := a.balancing.DescribeTargetGroups(ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{LoadBalancerArn: balancer.LoadBalancerArn})
	if err != nil {
		return nil, err
	}
	ids, addresses := map[string]bool{}, []netip.Addr{}
	for _, g := range groups.TargetGroups {
		health, err := a.balancing.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
		if err != nil {
			return nil, err
		}
		for _, h := range health.TargetHealthDescriptions {
			if h.TargetHealth == nil || h.TargetHealth.State == balancing.TargetHealthStateEnumHealthy {
				ids[aws.ToString(h.Target.Id)] = true
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := a.instances(ctx)
	for _, i := range all {
		if address, err := netip.ParseAddr(aws.ToString(i.PrivateIpAddress)); err == nil && ids[aws.ToString(i.InstanceId)] {
			addresses = append(addresses, address)
		}
	}
	return addresses, err
}
