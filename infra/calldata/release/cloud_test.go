package release

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
)

func TestCloud(t *testing.T) {
	t.Parallel()
	c := connect(emulatortest.Start(t).AWSConfig())
	ctx := t.Context()
	images, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"136693071363"}})
	require.NoError(t, err)
	subnets, err := c.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	require.NoError(t, err)
	subnet := subnets.Subnets[0]
	template, err := c.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("fleet"),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{ImageId: images.Images[0].ImageId, InstanceType: ec2types.InstanceTypeT3Small},
	})
	require.NoError(t, err)
	targets, err := c.elb.CreateTargetGroup(ctx, &elasticloadbalancingv2.CreateTargetGroupInput{
		Name: aws.String("sip"), Protocol: elbtypes.ProtocolEnumTcp, Port: aws.Int32(5060), VpcId: subnet.VpcId,
	})
	require.NoError(t, err)
	arns := []string{aws.ToString(targets.TargetGroups[0].TargetGroupArn)}
	_, err = c.autoscaling.CreateAutoScalingGroup(ctx, &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("prod-c4-sbc"), MinSize: aws.Int32(1), MaxSize: aws.Int32(3), VPCZoneIdentifier: subnet.SubnetId,
		LaunchTemplate: autoscalingTemplate(template.LaunchTemplate.LaunchTemplateId), TargetGroupARNs: arns,
	})
	require.NoError(t, err)

	none, err := c.group(ctx, "prod-c4-sbc-green")
	require.NoError(t, err)
	assert.Nil(t, none)
	require.NoError(t, c.grow(ctx, "prod-c4-sbc", 2))
	g, err := c.group(ctx, "prod-c4-sbc")
	require.NoError(t, err)
	assert.Equal(t, 2, g.desired)
	assert.Equal(t, 1, g.least)
	assert.Equal(t, arns, g.targets)
	require.Len(t, g.members, 2)
	for _, m := range g.members {
		assert.True(t, m.InService, m.Name)
		assert.False(t, m.aside, m.Name)
		assert.NotEmpty(t, m.PrivateIP)
	}

	first := g.members[0].InstanceID
	for _, aside := range []bool{true, true, false, false} { // again changes nothing
		require.NoError(t, c.mark(ctx, []string{first}, aside))
		g, err = c.group(ctx, "prod-c4-sbc")
		require.NoError(t, err)
		assert.Equal(t, []bool{aside, false}, []bool{g.members[0].aside, g.members[1].aside})
	}
	require.NoError(t, c.mark(ctx, nil, true))

	states, err := c.targets(ctx, arns)
	require.NoError(t, err)
	assert.Contains(t, states, first)

	made, err := c.ec2.AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: ec2types.DomainTypeVpc, TagSpecifications: []ec2types.TagSpecification{{
		ResourceType: ec2types.ResourceTypeElasticIp, Tags: []ec2types.Tag{{Key: aws.String("Pool"), Value: aws.String("prod-c4-sbc")}},
	}}})
	require.NoError(t, err)
	_, err = c.ec2.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: made.AllocationId, InstanceId: aws.String(first)})
	require.NoError(t, err)
	pool, err := c.pool(ctx, "prod-c4-sbc")
	require.NoError(t, err)
	require.Len(t, pool, 1)
	assert.Equal(t, first, pool[0].instance)
	assert.Equal(t, aws.ToString(made.PublicIp), pool[0].ip.String())
	g, err = c.group(ctx, "prod-c4-sbc")
	require.NoError(t, err)
	assert.Equal(t, pool[0].ip, g.members[0].Public)
	require.NoError(t, c.release(ctx, pool[0].association))
	require.NoError(t, c.release(ctx, pool[0].association), "an earlier try may have got through")
	pool, err = c.pool(ctx, "prod-c4-sbc")
	require.NoError(t, err)
	assert.Empty(t, pool[0].association)

	for _, name := range []string{"prod-calls", "prod-quiet", "stage-calls", "TargetTracking-prod-c4-sbc-AlarmHigh"} {
		_, err := c.cloudwatch.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
			AlarmName: aws.String(name), MetricName: aws.String("FailedCalls"), Namespace: aws.String("CallData"), Statistic: cwtypes.StatisticSum,
			Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
		})
		require.NoError(t, err)
		state := cwtypes.StateValueAlarm
		if name == "prod-quiet" {
			state = cwtypes.StateValueOk
		}
		_, err = c.cloudwatch.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String(name), StateValue: state, StateReason: aws.String("test")})
		require.NoError(t, err)
	}
	on, err := c.alarms(ctx, "prod-")
	require.NoError(t, err)
	require.Len(t, on, 1, "of this stack alone, and no fleet's thermostat: %v", on)
	assert.Equal(t, "prod-calls", on[0].name)
	assert.WithinDuration(t, time.Now(), on[0].since, time.Hour)
}

func autoscalingTemplate(id *string) *asgtypes.LaunchTemplateSpecification {
	return &asgtypes.LaunchTemplateSpecification{LaunchTemplateId: id, Version: aws.String("$Latest")}
}
