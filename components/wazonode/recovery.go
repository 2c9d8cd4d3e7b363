package wazonode

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recovery registers the alarms that mend the machine. EC2's own recovery is on by default besides; alarms act within
// minutes, and are seen. The two wait differently long, so that one failure does not set off both actions.
// Source: Amazon EC2 User Guide, "Create alarms that stop, terminate, reboot, or recover an instance".
func (b *builder) recovery(instance *ec2.Instance) error {
	for _, alarm := range []struct {
		metric, action, description string
		minutes                     int
	}{
		{"StatusCheckFailed_System", "recover", "The hardware of %s has failed: EC2 moves the machine to other hardware.", 2},
		{"StatusCheckFailed_Instance", "reboot", "%s does not answer although its hardware is sound: EC2 reboots it.", 3},
	} {
		name := b.name + "-" + alarm.action
		if _, err := cloudwatch.NewMetricAlarm(b.ctx, name, &cloudwatch.MetricAlarmArgs{
			AlarmDescription: pulumi.String(fmt.Sprintf(alarm.description, b.name)),
			Namespace:        pulumi.String("AWS/EC2"), MetricName: pulumi.String(alarm.metric), Dimensions: pulumi.StringMap{"InstanceId": instance.ID()},
			Statistic: pulumi.String("Maximum"), Period: pulumi.Int(60), EvaluationPeriods: pulumi.Int(alarm.minutes),
			ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"), Threshold: pulumi.Float64(1),
			AlarmActions: pulumi.Array{pulumi.String("arn:aws:automate:" + b.args.Region + ":ec2:" + alarm.action)}, Tags: b.tags(name),
		}, b.parent); err != nil {
			return err
		}
	}
	return nil
}
