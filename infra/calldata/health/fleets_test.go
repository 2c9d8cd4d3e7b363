package health

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/stretchr/testify/assert"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestJudgeFleet(t *testing.T) {
	t.Parallel()
	instance := func(id string, state types.LifecycleState, health string) types.Instance {
		return types.Instance{InstanceId: aws.String(id), LifecycleState: state, HealthStatus: aws.String(health)}
	}
	running := []stacks.Node{{InstanceID: "i-1"}, {InstanceID: "i-2"}, {InstanceID: "i-3"}}
	for name, c := range map[string]struct {
		instances []types.Instance
		status    verdict.Status
		detail    string
		serving   []string
	}{
		"all": {[]types.Instance{instance("i-1", types.LifecycleStateInService, "Healthy"), instance("i-2", types.LifecycleStateInService, "Healthy"),
			instance("i-3", types.LifecycleStateInService, "Healthy")}, verdict.OK, "3 of 3 machines in service", []string{"i-1", "i-2", "i-3"}},
		"one is coming": {[]types.Instance{instance("i-1", types.LifecycleStateInService, "Healthy"), instance("i-2", types.LifecycleStatePendingWait, "Healthy"),
			instance("i-3", types.LifecycleStateInService, "Healthy")}, verdict.Warn, "2 of 3 machines in service", []string{"i-1", "i-3"}},
		"one is ill, one is gone": {[]types.Instance{instance("i-1", types.LifecycleStateInService, "Unhealthy"), instance("i-2", types.LifecycleStateInService, "Healthy"),
			instance("i-4", types.LifecycleStateInService, "Healthy")}, verdict.Fail, "1 of 3 machines in service, want at least 2", []string{"i-2"}},
		"none": {nil, verdict.Fail, "0 of 3 machines in service, want at least 2", nil},
	} {
		got := judgeFleet(types.AutoScalingGroup{MinSize: aws.Int32(2), DesiredCapacity: aws.Int32(3), Instances: c.instances}, running)
		assert.Equal(t, found{status: c.status, detail: c.detail}, got.found, name)
		var ids []string
		for _, n := range got.serving {
			ids = append(ids, n.InstanceID)
		}
		assert.Equal(t, c.serving, ids, name)
	}
}

func TestFleetsWithoutCredentials(t *testing.T) {
	scrub(t)
	got := fleetStates(t.Context(), stacks.Outputs{Region: "us-east-1", Fleets: []stacks.Fleet{{Name: "prod-c4-sbc", Role: stacks.RoleC4SBC}}})
	assert.Equal(t, map[string]fleetState{"prod-c4-sbc": {found: skip("no AWS credentials")}}, got)
}
