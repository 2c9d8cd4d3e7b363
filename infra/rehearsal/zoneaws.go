package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	balancing "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// statusCheck is how long EC2 needs to see that a machine is gone: it looks every minute.
	// Source: Amazon EC2 User Guide, "Status checks for Amazon EC2 instances".
	statusCheck = time.Minute
	// reaction is how long Auto Scaling lets pass after a failed check until it replaces a machine: "within a few minutes".
	// Source: Amazon EC2 Auto Scaling User Guide, "View health check status and the reason for health check failures".
	reaction = 2 * time.Minute
	// observeEvery is how often AWS's own metrics are taken: each of their minutes has several values.
	observeEvery = 10 * time.Second
)

// The metrics that AWS tells of a stack's things, and that amazon derives.
const (
	metricInService = "GroupInServiceInstances"
	metricHealthy   = "HealthyHostCount"
	metricUnhealthy = "UnHealthyHostCount"
	metricStatus    = "StatusCheckFailed"
)

// derived tells whether amazon derives the metric of an alarm.
func derived(a alarms.Alarm) bool {
	return slices.Contains([]string{metricInService, metricHealthy, metricUnhealthy, metricStatus}, a.Metric)
}

// amazon does and tells what AWS does and tells when a zone is lost, and the emulator does not: status checks of EC2, health checks of
// load balancers, the machines that Auto Scaling makes in other zones. All follows from the emulator's records of groups and targets,
// from which machines are off since when, and from the settings of the stack's own health checks.
type amazon struct {
	topology stacks.Topology
	outputs  stacks.Outputs
	groups   *autoscaling.Client
	balancer *elb.Client
	ledger   ledger

	mu sync.Mutex
	// subnets are those of the lost zone, off its machines, lost when they went.
	subnets []string
	off     map[string]bool
	lost    time.Time
	// back is when its fixed machines ran again.
	back time.Time
	// before are the subnets of groups that avoid the zone. replaced is when a group had as many machines in service as it wants,
	// none of them lost.
	before   map[string]string
	noticed  map[string]time.Time
	replaced map[string]time.Time
	// serving is how many machines of each group are in service and not lost, wanted how many it wants.
	serving, wanted map[string]int
	errs            []error
}

func newAmazon(config aws.Config, topology stacks.Topology, outputs stacks.Outputs) *amazon {
	return &amazon{
		topology: topology, outputs: outputs, groups: autoscaling.NewFromConfig(config), balancer: elb.NewFromConfig(config),
		off: map[string]bool{}, before: map[string]string{}, noticed: map[string]time.Time{}, replaced: map[string]time.Time{},
		serving: map[string]int{}, wanted: map[string]int{},
	}
}

// lose says that a zone's machines are off from now on.
func (a *amazon) lose(ids, subnets []string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.subnets, a.lost = subnets, at
	for _, id := range ids {
		a.off[id] = true
	}
}

// find says that the zone is back: its fixed machines run again, and Auto Scaling uses its subnets.
func (a *amazon) find(ctx context.Context, at time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.back = at
	var errs []error
	for group, subnets := range a.before {
		_, err := a.groups.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(group), VPCZoneIdentifier: aws.String(subnets)})
		if err != nil {
			errs = append(errs, fmt.Errorf("give %s its subnets back: %w", group, err))
			continue
		}
		delete(a.before, group)
	}
	return errors.Join(errs...)
}

// watch goes on until ctx ends.
func (a *amazon) watch(ctx context.Context) {
	for {
		if err := a.observe(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.mu.Lock()
			a.errs = append(a.errs, err)
			a.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(observeEvery):
		}
	}
}

// err is everything that went wrong, each once.
func (a *amazon) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := map[string]bool{}
	var errs []error
	for _, err := range a.errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// observe looks once, has Auto Scaling replace what it has noticed, and tells the metrics.
func (a *amazon) observe(ctx context.Context, now time.Time) error {
	targets, err := a.targets(ctx)
	if err != nil {
		return err
	}
	groups, err := a.describe(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, g := range groups {
		errs = append(errs, a.replace(ctx, g, targets, now))
		a.ledger.tell(aws.ToString(g.AutoScalingGroupName), metricInService, float64(len(inService(g))), now)
	}
	for _, t := range targets {
		unhealthy := 0
		for id := range t.ids {
			if a.failing(id, t.fails, t.recovers, now) {
				unhealthy++
			}
		}
		a.ledger.tell(t.thing, metricHealthy, float64(len(t.ids)-unhealthy), now)
		a.ledger.tell(t.thing, metricUnhealthy, float64(unhealthy), now)
	}
	for _, n := range a.outputs.Nodes {
		failed := 0.0
		if a.failing(n.InstanceID, statusCheck, 0, now) {
			failed = 1
		}
		a.ledger.tell(n.Name, metricStatus, failed, now)
	}
	return errors.Join(errs...)
}

// failing tells whether a check that needs so long to fail, and so long to pass again, finds a machine ill.
func (a *amazon) failing(id string, fails, recovers time.Duration, now time.Time) bool {
	if !a.off[id] || now.Before(a.lost.Add(fails)) {
		return false
	}
	return a.back.IsZero() || now.Before(a.back.Add(recovers))
}

// describe asks for all groups.
func (a *amazon) describe(ctx context.Context) ([]scaling.AutoScalingGroup, error) {
	var all []scaling.AutoScalingGroup
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(a.groups, &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask for fleets: %w", err)
		}
		all = append(all, page.AutoScalingGroups...)
	}
	return all, nil
}

func inService(g scaling.AutoScalingGroup) []string {
	var ids []string
	for _, i := range g.Instances {
		if i.LifecycleState == scaling.LifecycleStateInService {
			ids = append(ids, aws.ToString(i.InstanceId))
		}
	}
	return ids
}

// replace counts a group's machines, and gives up those that are lost when it is time. New ones are made in the zones that are left:
// "When one Availability Zone becomes unhealthy or unavailable, Amazon EC2 Auto Scaling launches new instances in an unaffected
// Availability Zone." The emulator knows no such zones, so that the group has no subnets there as long as it is lost.
// Source: Amazon EC2 Auto Scaling User Guide, "Add an Availability Zone".
func (a *amazon) replace(ctx context.Context, g scaling.AutoScalingGroup, targets []target, now time.Time) error {
	name := aws.ToString(g.AutoScalingGroupName)
	var lost []string
	serving := 0
	for _, id := range inService(g) {
		if a.off[id] {
			lost = append(lost, id)
		} else {
			serving++
		}
	}
	a.serving[name], a.wanted[name] = serving, int(aws.ToInt32(g.DesiredCapacity))
	if !a.noticed[name].IsZero() && a.replaced[name].IsZero() && serving >= a.wanted[name] {
		a.replaced[name] = now
	}
	if len(lost) == 0 || now.Before(a.lost.Add(detection(g, targets)+reaction)) {
		return nil
	}
	if a.noticed[name].IsZero() {
		a.noticed[name] = now
	}
	if _, done := a.before[name]; !done && a.back.IsZero() {
		subnets := aws.ToString(g.VPCZoneIdentifier)
		left := slices.DeleteFunc(strings.Split(subnets, ","), func(id string) bool { return slices.Contains(a.subnets, id) })
		_, err := a.groups.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(name), VPCZoneIdentifier: aws.String(strings.Join(left, ","))})
		if err != nil {
			return fmt.Errorf("have %s avoid the zone: %w", name, err)
		}
		a.before[name] = subnets
	}
	for _, id := range lost {
		_, err := a.groups.SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{
			InstanceId: aws.String(id), HealthStatus: aws.String("Unhealthy"), ShouldRespectGracePeriod: aws.Bool(false),
		})
		if err != nil {
			return fmt.Errorf("tell %s that %s is ill: %w", name, id, err)
		}
	}
	return nil
}

// detection is how long a group needs to see that a machine is gone: as long as the load balancer where its checks count, or as EC2.
func detection(g scaling.AutoScalingGroup, targets []target) time.Duration {
	least := statusCheck
	if aws.ToString(g.HealthCheckType) != "ELB" {
		return least
	}
	for _, t := range targets {
		if slices.ContainsFunc(g.TargetGroupARNs, func(arn string) bool { return t.arns[arn] }) {
			least = min(least, t.fails)
		}
	}
	return least
}

// target is what is behind a load balancer.
type target struct {
	// thing is the stack's name for it; arns are its target groups, ids the machines in them.
	thing string
	arns  map[string]bool
	ids   map[string]bool
	// fails and recovers are how long its checks need to find a machine ill, and well again.
	fails, recovers time.Duration
}

// targets asks for what is behind the stack's load balancers.
func (a *amazon) targets(ctx context.Context) ([]target, error) {
	things := map[balancing.LoadBalancerTypeEnum]string{}
	if a.topology.Web != nil {
		things[balancing.LoadBalancerTypeEnumApplication] = a.topology.Web.Name
	}
	if a.topology.SIPEdge != nil && a.topology.SIPEdge.Carriers {
		things[balancing.LoadBalancerTypeEnumNetwork] = a.topology.SIPEdge.Name
	}
	out, err := a.balancer.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
	if err != nil {
		return nil, fmt.Errorf("ask for load balancers: %w", err)
	}
	var all []target
	for _, b := range out.LoadBalancers {
		thing := things[b.Type]
		if thing == "" {
			continue
		}
		t := target{thing: thing, arns: map[string]bool{}, ids: map[string]bool{}}
		groups, err := a.balancer.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{LoadBalancerArn: b.LoadBalancerArn})
		if err != nil {
			return nil, fmt.Errorf("ask for the targets of %s: %w", thing, err)
		}
		for _, g := range groups.TargetGroups {
			health, err := a.balancer.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
			if err != nil {
				return nil, fmt.Errorf("ask for the targets of %s: %w", thing, err)
			}
			t.arns[aws.ToString(g.TargetGroupArn)] = true
			for _, h := range health.TargetHealthDescriptions {
				t.ids[aws.ToString(h.Target.Id)] = true
			}
			// A check that times out has failed: the stack's time-outs are shorter than its intervals.
			every := time.Duration(aws.ToInt32(g.HealthCheckIntervalSeconds)) * time.Second
			t.fails, t.recovers = every*time.Duration(aws.ToInt32(g.UnhealthyThresholdCount)), every*time.Duration(aws.ToInt32(g.HealthyThresholdCount))
		}
		all = append(all, t)
	}
	return all, nil
}

// fleetsNow is how many machines of each fleet serve, and since when as many as it wants.
func (a *amazon) fleetsNow() (all []fleetNow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(a.wanted)) {
		all = append(all, fleetNow{name: name, serving: a.serving[name], wanted: a.wanted[name], noticed: a.noticed[name], replaced: a.replaced[name]})
	}
	return all
}

// fleetNow is a fleet as it is.
type fleetNow struct {
	name              string
	serving, wanted   int
	noticed, replaced time.Time
}

// ledger keeps metrics by the thing that they are of.
type ledger struct {
	mu     sync.Mutex
	values map[string][]value
}

type value struct {
	at time.Time
	of float64
}

func (l *ledger) tell(thing, metric string, of float64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.values == nil {
		l.values = map[string][]value{}
	}
	l.values[thing+" "+metric] = append(l.values[thing+" "+metric], value{at, of})
}

// series is an asker.
func (l *ledger) series(_ context.Context, a watched, metric string, since, until time.Time) (alarms.Series, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to := since.Truncate(a.period()), until.Truncate(a.period())
	periods := make([][]float64, to.Sub(from)/a.period())
	for _, v := range l.values[a.thing+" "+metric] {
		if i := int(v.at.Sub(from) / a.period()); !v.at.Before(from) && i < len(periods) {
			periods[i] = append(periods[i], v.of)
		}
	}
	out := make(alarms.Series, len(periods))
	for i, values := range periods {
		if len(values) > 0 {
			made := statistic(a.Statistic, values)
			out[i] = &made
		}
	}
	return out, nil
}

// statistic is what CloudWatch makes of the values of a period.
func statistic(name string, values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch name {
	case alarms.Maximum:
		return slices.Max(values)
	case alarms.Minimum:
		return slices.Min(values)
	case alarms.Average:
		return sum / float64(len(values))
	case alarms.SampleCount:
		return float64(len(values))
	}
	return sum
}
