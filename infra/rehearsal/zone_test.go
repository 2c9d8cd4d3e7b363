package rehearsal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	balancing "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestZoneNeedsAPlatformOfSeveral(t *testing.T) {
	t.Parallel()
	with := func(o Options) error {
		o.Repo, o.CacheDir, o.Zone = "../..", t.TempDir(), true
		_, err := o.withDefaults()
		return err
	}
	require.NoError(t, with(Options{Stack: "prod"}))
	err := with(Options{Stack: "stage", Calls: CallsNone, StopAfter: StageConfigure})
	require.ErrorContains(t, err, "--zone is for stacks of the shape prod")
	require.ErrorContains(t, err, "stage is of the shape stage")
	require.ErrorContains(t, err, "--calls none sets up none")
	require.ErrorContains(t, err, "--zone comes after the checks")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

// tries are calls of a way, one a second from a time on: "+" is answered after 100 ms, "s" after 12 s, "-" not at all.
func tries(way string, from time.Time, how string) []calls.Try {
	var all []calls.Try
	for i, c := range how {
		t := calls.Try{Way: way, At: from.Add(time.Duration(i) * time.Second)}
		switch c {
		case '+':
			t.Answered = t.At.Add(100 * time.Millisecond)
		case 's':
			t.Answered = t.At.Add(12 * time.Second)
		default:
			t.Why = fmt.Sprintf("no answer %d", i)
		}
		all = append(all, t)
	}
	return all
}

func TestWhatCallersNotice(t *testing.T) {
	t.Parallel()
	lost := time.Now()
	for _, c := range []struct {
		how  string
		want service
	}{
		// Seconds after the loss; the first two calls began before.
		{"++++++++++++++", service{Again: 0.1, Tried: 12, Slowest: 0.1}},
		{"++--++-++++++++++", service{Again: 5.1, Tried: 15, Failed: 3, Slowest: 0.1, Why: "no answer 6"}},
		{"+-s+++++++", service{Again: 12, Tried: 9, Failed: 1, Slowest: 12, Why: "no answer 1"}},
		{"++-+++++++++-++", service{Again: 1.1, Tried: 13, Failed: 2, Later: 1, Slowest: 0.1, Why: "no answer 12"}},
		{"++--+++-", service{Again: -1, Tried: 6, Failed: 3, Slowest: 0.1, Why: "no answer 7"}},
	} {
		c.want.Way = calls.WayPhone
		all := append(tries(calls.WayPhone, lost.Add(-2*time.Second), c.how), tries(calls.WayOut, lost, "----")...)
		got := serviceOf(all, calls.WayPhone, lost, lost.Add(time.Minute))
		assert.InDelta(t, c.want.Again, got.Again, 1e-6, c.how)
		assert.InDelta(t, c.want.Slowest, got.Slowest, 1e-6, c.how)
		got.Again, got.Slowest = c.want.Again, c.want.Slowest
		assert.Equal(t, c.want, got, c.how)
	}
	assert.Equal(t, []string{lost.Add(time.Second).UTC().Format(time.TimeOnly) + " out: no answer 1"}, failed(tries(calls.WayOut, lost, "+-+")))
	all := append(tries(calls.WayEngine, lost, "+++-"), append(tries(calls.WayPhone, lost, "++"), tries(calls.WayOut, lost, "+")...)...)
	assert.Equal(t, 5, answered(all), "outgoing calls have another caller")
	assert.Equal(t, 2, serviceOf(all, calls.WayEngine, lost, lost.Add(2*time.Second)).Tried, "later ones do not count")
	assert.Equal(t, "out not again (1 of 1 failed, the slowest took 0.0s): no way", service{Way: calls.WayOut, Again: -1, Tried: 1, Failed: 1, Why: "no way"}.String())
	assert.Equal(t, "out after 8.2s (3 of 900 failed, the slowest took 12.0s; 1 of them after that): busy",
		service{Way: calls.WayOut, Again: 8.2, Tried: 900, Failed: 3, Later: 1, Slowest: 12, Why: "busy"}.String())
}

func TestSteadyCallsAreHeard(t *testing.T) {
	t.Parallel()
	s := &steadyCalls{ended: make(chan struct{})}
	lines := `{"phone":"alice by i-1"}` + "\n" + `{"ready":true}` + "\n" + `{"try":{"way":"out","by":"i-1","at":"2026-01-01T00:00:00Z","answered":"2026-01-01T00:00:01Z"}}` + "\n" +
		`{"standing":{"up":10,"lost":4}}` + "\n" + `{"trouble":"phone bob does not register"}` + "\n"
	require.NoError(t, s.read(strings.NewReader(lines)))
	heard, standing, ready, err := s.heard()
	require.NoError(t, err)
	assert.True(t, ready)
	assert.Equal(t, &calls.Standing{Up: 10, Lost: 4}, standing)
	require.Len(t, heard, 1)
	assert.True(t, heard[0].OK())
	require.ErrorContains(t, s.troubled(), "phone bob does not register")
	require.Len(t, s.notes, 2)
	assert.Contains(t, s.notes[0], " phone alice by i-1")
	require.ErrorContains(t, s.read(strings.NewReader("no JSON")), "read what it tells")
	close(s.ended)
	_, _, _, err = s.heard()
	require.ErrorContains(t, err, "the steady calls have ended")
}

func TestTheSecondEngineKnowsWhatTheFirstKnew(t *testing.T) {
	t.Parallel()
	got, err := copied([]byte(`{"uuid": "one", "lines": [1, 2], "settings": {"ha": {"node_type": "master"}, "rtp": {"options": {}}}}`),
		[]byte(`{"uuid": "two", "lines": [], "settings": {"ha": {"node_type": "slave"}}}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"uuid": "two", "lines": [1, 2], "settings": {"ha": {"node_type": "slave"}, "rtp": {"options": {}}}}`, string(got))
	got, err = copied([]byte(`{"uuid": "one", "settings": {"ha": {"node_type": "master"}}}`), []byte(`{"uuid": "two", "settings": {}}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"uuid": "two", "settings": {}}`, string(got))
	_, err = copied([]byte(`{}`), []byte(`{"settings": {}}`))
	require.ErrorContains(t, err, "the first engine's state")
	_, err = copied([]byte(`{"settings": {}}`), []byte(`nothing`))
	require.ErrorContains(t, err, "the second engine's state")
}

func TestCountRoles(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1 uc-engine, 2 c4-sbc", countRoles(map[string]string{"i-1": "c4-sbc", "i-2": "uc-engine", "i-3": "c4-sbc"}))
}

// A machine is off from minute 10 until minute 25, as EC2's own alarm on status checks sees it.
func TestAlarmsGoByWhatAWSTells(t *testing.T) {
	t.Parallel()
	begin := time.Now().UTC().Truncate(time.Minute)
	lost, back := begin.Add(10*time.Minute+30*time.Second), begin.Add(25*time.Minute+30*time.Second)
	a := &amazon{off: map[string]bool{}, outputs: stacks.Outputs{Nodes: []stacks.Node{{Name: "prod-uc-1", InstanceID: "i-1"}, {Name: "prod-uc-2", InstanceID: "i-2"}}}}
	for now := begin; now.Before(begin.Add(30 * time.Minute)); now = now.Add(observeEvery) {
		if a.lost.IsZero() && !now.Before(lost) {
			a.lose([]string{"i-1"}, nil, lost)
		}
		if a.back.IsZero() && !now.Before(back) {
			require.NoError(t, a.find(t.Context(), back))
		}
		for _, n := range a.outputs.Nodes {
			failed := 0.0
			if a.failing(n.InstanceID, statusCheck, 0, now) {
				failed = 1
			}
			a.ledger.tell(n.Name, metricStatus, failed, now)
		}
	}
	topology := stacks.Topology{Nodes: []stacks.NodeSpec{{Name: "prod-uc-1", Roles: []stacks.Role{stacks.RoleUCEngine}}, {Name: "prod-uc-2", Roles: []stacks.Role{stacks.RoleUCEngine}}}}
	list := watchedBy(topology, a.outputs, derived)
	require.Len(t, list, 2)
	told, off, err := judge(t.Context(), a.ledger.series, list, begin, begin.Add(30*time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 2, told)
	// EC2 sees it in minute 11, ten minutes make the alarm, and minute 26 is the first good one.
	assert.Equal(t, []fired{{"prod-uc-1 status", alarms.Page, begin.Add(21 * time.Minute), begin.Add(27 * time.Minute)}}, off)

	z := &zoneDrill{lostAt: lost, backAt: back}
	text, err := z.tellAlarms(off, 2, 2, back)
	require.NoError(t, err)
	assert.Equal(t, "2 alarms, 2 with values; page prod-uc-1 status after 10m30s, cleared after 16m30s", text)
	data, err := json.Marshal(z.result.Alarms)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"name": "prod-uc-1 status", "severity": "page", "firedSeconds": 630, "clearedSeconds": 90}]`, string(data))
	off[0].severity, off[0].over = alarms.Notice, time.Time{}
	text, err = z.tellAlarms(off, 2, 2, back)
	require.ErrorContains(t, err, "nobody was called")
	assert.Contains(t, text, "not cleared")
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{alarms.Maximum: 4, alarms.Minimum: 1, alarms.Average: 2.5, alarms.SampleCount: 4, alarms.Sum: 10} {
		assert.InDelta(t, want, statistic(name, []float64{1, 4, 2, 3}), 1e-9, name)
	}
}

// TestAutoScalingAvoidsALostZone has a fleet behind a load balancer that loses the machine of one of two zones.
func TestAutoScalingAvoidsALostZone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs the emulator")
	}
	config := startEmulator(t).AWSConfig()
	ctx := t.Context()
	machines, groups, balancers := ec2.NewFromConfig(config), autoscaling.NewFromConfig(config), elb.NewFromConfig(config)
	vpc, err := machines.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.40.0.0/16")})
	require.NoError(t, err)
	var subnets []string
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		s, err := machines.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String(fmt.Sprintf("10.40.%d.0/24", i)), AvailabilityZone: aws.String(zone)})
		require.NoError(t, err)
		subnets = append(subnets, *s.Subnet.SubnetId)
	}
	balancer, err := balancers.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("prod-sip"), Type: balancing.LoadBalancerTypeEnumNetwork, Subnets: subnets})
	require.NoError(t, err)
	targets, err := balancers.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: aws.String("prod-sip"), Protocol: balancing.ProtocolEnumTcpUdp, Port: aws.Int32(5060),
		VpcId: vpc.Vpc.VpcId, TargetType: balancing.TargetTypeEnumInstance, HealthCheckIntervalSeconds: aws.Int32(10), UnhealthyThresholdCount: aws.Int32(2), HealthyThresholdCount: aws.Int32(2)})
	require.NoError(t, err)
	_, err = balancers.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: balancing.ProtocolEnumTcpUdp, Port: aws.Int32(5060),
		DefaultActions: []balancing.Action{{Type: balancing.ActionTypeEnumForward, TargetGroupArn: targets.TargetGroups[0].TargetGroupArn}}})
	require.NoError(t, err)
	images, err := machines.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"136693071363"}}) // Debian
	require.NoError(t, err)
	_, err = machines.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("sbc"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: images.Images[0].ImageId, InstanceType: types.InstanceTypeT3Small}})
	require.NoError(t, err)
	_, err = groups.CreateAutoScalingGroup(ctx, &autoscaling.CreateAutoScalingGroupInput{AutoScalingGroupName: aws.String("prod-c4-sbc"), MinSize: aws.Int32(2), MaxSize: aws.Int32(4),
		LaunchTemplate:    &scaling.LaunchTemplateSpecification{LaunchTemplateName: aws.String("sbc"), Version: aws.String("$Latest")},
		VPCZoneIdentifier: aws.String(strings.Join(subnets, ",")), HealthCheckType: aws.String("ELB"), TargetGroupARNs: []string{*targets.TargetGroups[0].TargetGroupArn}})
	require.NoError(t, err)

	a := newAmazon(config, stacks.Topology{SIPEdge: &stacks.SIPEdgeSpec{Name: "prod-sip", Carriers: true}}, stacks.Outputs{})
	zones := func() (all []string, group scaling.AutoScalingGroup) {
		found, err := a.describe(ctx)
		require.NoError(t, err)
		require.Len(t, found, 1)
		for _, i := range found[0].Instances {
			if i.LifecycleState == scaling.LifecycleStateInService {
				all = append(all, aws.ToString(i.AvailabilityZone))
			}
		}
		return all, found[0]
	}
	now := time.Now()
	require.NoError(t, a.observe(ctx, now))
	before, group := zones()
	assert.ElementsMatch(t, []string{"us-east-1a", "us-east-1b"}, before)
	lost := ""
	for _, i := range group.Instances {
		if aws.ToString(i.AvailabilityZone) == "us-east-1a" {
			lost = *i.InstanceId
		}
	}
	a.lose([]string{lost}, subnets[:1], now)
	for _, after := range []time.Duration{10 * time.Second, 30 * time.Second} {
		require.NoError(t, a.observe(ctx, now.Add(after)))
	}
	here, _ := zones()
	assert.Len(t, here, 2, "nobody has reacted yet")
	assert.Equal(t, []fleetNow{{name: "prod-c4-sbc", serving: 1, wanted: 2}}, a.fleetsNow())
	series, err := a.ledger.series(ctx, watched{alarms.Alarm{Statistic: alarms.Maximum, Seconds: 60}, "prod-sip", nil}, metricUnhealthy, now.Add(-time.Minute), now.Add(2*time.Minute))
	require.NoError(t, err)
	seen := 0.0
	for _, v := range series {
		if v != nil {
			seen = max(seen, *v)
		}
	}
	assert.InDelta(t, 1, seen, 1e-9, "two checks of ten seconds have failed")

	noticed := now.Add(20*time.Second + reaction)
	require.NoError(t, a.observe(ctx, noticed))
	here, group = zones()
	assert.Equal(t, []string{"us-east-1b", "us-east-1b"}, here, "the other zone has the new one")
	assert.Equal(t, subnets[1], aws.ToString(group.VPCZoneIdentifier))
	require.NoError(t, a.observe(ctx, noticed.Add(observeEvery)))
	assert.Equal(t, []fleetNow{{"prod-c4-sbc", 2, 2, noticed, noticed.Add(observeEvery)}}, a.fleetsNow())
	require.NoError(t, a.find(ctx, noticed.Add(time.Minute)))
	_, group = zones()
	assert.Equal(t, strings.Join(subnets, ","), aws.ToString(group.VPCZoneIdentifier))
	require.NoError(t, a.observe(ctx, noticed.Add(2*time.Minute)))
	assert.NoError(t, a.err())
}
