package wazofleet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/metrics"
)

const (
	// warmup is when a new machine's metrics begin to say something: the first calls, and two of its reports.
	warmup = 2 * time.Minute
	// grace is how long a machine that is ready may take to pass a load balancer's checks.
	grace = 2 * time.Minute
)

// groupMetrics are the metrics of the group itself.
// Source: Amazon EC2 Auto Scaling User Guide, "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling".
var groupMetrics = []string{
	"GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize", "GroupPendingInstances", "GroupStandbyInstances",
	"GroupTerminatingInstances", "GroupTotalInstances",
}

// group registers the Auto Scaling group.
func (b *builder) group(template *ec2.LaunchTemplate) (*autoscaling.Group, error) {
	a := b.args
	health, targets := "EC2", a.TargetGroupARNs
	switch {
	case targets == nil:
	case a.Aside:
		targets = pulumi.StringArray{} // none at all would leave it where it is registered
	default:
		health = "ELB"
	}
	all := a.Tags.Named(b.name)
	if a.Aside {
		all[ServiceKey] = ServiceAside
	}
	var tags autoscaling.GroupTagArray
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, autoscaling.GroupTagArgs{Key: pulumi.String(key), Value: pulumi.String(all[key]), PropagateAtLaunch: pulumi.Bool(true)})
	}
	return autoscaling.NewGroup(b.ctx, b.name, &autoscaling.GroupArgs{
		Name: pulumi.String(a.group()), VpcZoneIdentifiers: a.SubnetIDs,
		// No word about the desired capacity: that is for the scaling policies.
		MinSize: pulumi.Int(a.Min), MaxSize: pulumi.Int(a.Max), ProtectFromScaleIn: pulumi.Bool(a.ScaleInProtection),
		LaunchTemplate: autoscaling.GroupLaunchTemplateArgs{
			Id: template.ID(), Version: template.LatestVersion.ApplyT(func(v int) string { return fmt.Sprint(v) }).(pulumi.StringOutput),
		},
		TargetGroupArns: targets, HealthCheckType: pulumi.String(health), HealthCheckGracePeriod: pulumi.Int(int(grace / time.Second)),
		DefaultInstanceWarmup: pulumi.Int(int(warmup / time.Second)),
		InitialLifecycleHooks: initial(a.hooks()),
		InstanceRefresh:       refresh(),
		// When the group shrinks, machines of an old template go first.
		TerminationPolicies: pulumi.ToStringArray([]string{"OldestLaunchTemplate", "Default"}),
		// That is for spot machines, which carry no calls here.
		CapacityRebalance: pulumi.Bool(false),
		EnabledMetrics:    pulumi.ToStringArray(groupMetrics), MetricsGranularity: pulumi.String("1Minute"),
		// The provider would give up after ten minutes and forget the group, which AWS keeps. Whether machines become
		// ready is asked elsewhere. Source: github.com/pulumi/pulumi-aws, issue 5178.
		WaitForCapacityTimeout: pulumi.String("0"),
		Tags:                   tags,
	}, b.parent, pulumi.DependsOn(a.Firewall), pulumi.Protect(a.Protect),
		// The group is born with them; keepHooks looks after them from then on.
		pulumi.IgnoreChanges([]string{"initialLifecycleHooks"}))
}

// refresh replaces the machines when their launch template has changed, which holds the bundle's hash. A new machine is
// ready before an old one begins to drain, so that no call finds fewer machines than usual; a bundle that does not come
// up leaves all the old ones where they are.
//
// There is no rollback by AWS: it would restore what the group had when the refresh began, and by then the provider has
// given it the new template.
func refresh() autoscaling.GroupInstanceRefreshArgs {
	return autoscaling.GroupInstanceRefreshArgs{
		Strategy: pulumi.String("Rolling"),
		Preferences: autoscaling.GroupInstanceRefreshPreferencesArgs{
			MinHealthyPercentage: pulumi.Int(100), MaxHealthyPercentage: pulumi.Int(110),
			// Protection is against shrinking, not against a new bundle.
			ScaleInProtectedInstances: pulumi.String("Refresh"),
			// Who put a machine on standby decides about it.
			StandbyInstances: pulumi.String("Ignore"),
			// A second try goes on where the first one failed.
			SkipMatching: pulumi.Bool(true),
		},
	}
}

// scaling registers the policies that set the group's size. It grows when one of them asks for it, and shrinks when all
// do. Source: Amazon EC2 Auto Scaling User Guide, "Target tracking scaling policies", multiple policies.
func (b *builder) scaling(group *autoscaling.Group) error {
	for name, target := range map[string]autoscaling.PolicyTargetTrackingConfigurationArgs{
		"calls": {
			TargetValue: pulumi.Float64(b.args.CallsPerNode),
			CustomizedMetricSpecification: autoscaling.PolicyTargetTrackingConfigurationCustomizedMetricSpecificationArgs{
				Namespace: pulumi.String(metrics.Namespace), MetricName: pulumi.String(metrics.ActiveCalls), Statistic: pulumi.String("Average"),
				MetricDimensions: autoscaling.PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricDimensionArray{
					autoscaling.PolicyTargetTrackingConfigurationCustomizedMetricSpecificationMetricDimensionArgs{Name: pulumi.String(metrics.DimGroup), Value: group.Name},
				},
			},
		},
		"cpu": {
			TargetValue: pulumi.Float64(b.args.CPUTarget),
			PredefinedMetricSpecification: autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs{
				PredefinedMetricType: pulumi.String("ASGAverageCPUUtilization"),
			},
		},
	} {
		if _, err := autoscaling.NewPolicy(b.ctx, b.name+"-"+name, &autoscaling.PolicyArgs{
			AutoscalingGroupName: group.Name, PolicyType: pulumi.String("TargetTrackingScaling"), TargetTrackingConfiguration: target,
		}, b.parent); err != nil {
			return err
		}
	}
	return nil
}
