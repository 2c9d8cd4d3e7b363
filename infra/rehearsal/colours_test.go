package rehearsal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/stacks"
)

// scaling reads an Auto Scaling group, nil where there is none, and how often its machines have been refreshed.
func (b *bench) scaling(t *testing.T, name string) (group *types.AutoScalingGroup, refreshes int) {
	t.Helper()
	client := autoscaling.NewFromConfig(b.emulator.AWSConfig())
	found, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	require.NoError(t, err)
	if len(found.AutoScalingGroups) == 0 {
		return nil, 0
	}
	all, err := client.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String(name)})
	require.NoError(t, err)
	return &found.AutoScalingGroups[0], len(all.InstanceRefreshes)
}

func aside(g *types.AutoScalingGroup) bool {
	for _, tag := range g.Tags {
		if aws.ToString(tag.Key) == "Service" {
			return aws.ToString(tag.Value) == "aside"
		}
	}
	return false
}

// TestColoursOnEmulator takes prod through a release with the real provider: the colour that was there before keeps its machines, whatever
// the program says; load balancer and tags go with those that take calls; who takes calls cannot be deleted.
func TestColoursOnEmulator(t *testing.T) {
	b, p, _ := deployed(t, stacks.KindProd)
	stand := func(blue, green stacks.Standing) {
		t.Helper()
		p.SetConfig(t, "calldata-foundation:blueFleets", string(blue))
		p.SetConfig(t, "calldata-foundation:greenFleets", string(green))
	}
	up := func() {
		t.Helper()
		p.Up(t, optup.Parallel(automation.Parallel))
		preview := p.Preview(t)
		assert.True(t, onlySame(plain(preview.ChangeSummary)), "%v\n%s", preview.ChangeSummary, preview.StdOut)
	}
	const blue, green = "prod-c4-sbc", "prod-c4-sbc-green"
	before, _ := b.scaling(t, blue)
	require.NotNil(t, before)
	require.Len(t, before.TargetGroupARNs, 2)

	require.NoError(t, os.WriteFile(filepath.Join(p.WorkingDir(), "ansible", "playbooks", "changed.yml"), []byte("---\n"), 0o600))
	p.SetConfig(t, "calldata-foundation:sbcInstanceType", "c6i.xlarge")
	stand(stacks.StandingHeld, stacks.StandingNew)
	up()
	held, refreshes := b.scaling(t, blue)
	assert.Equal(t, before.LaunchTemplate, held.LaunchTemplate, "a held fleet stays as it is")
	assert.Zero(t, refreshes)
	fresh, _ := b.scaling(t, green)
	require.NotNil(t, fresh)
	assert.Empty(t, fresh.TargetGroupARNs)
	assert.True(t, aside(fresh))

	stand(stacks.StandingHeld, stacks.StandingLive)
	up()
	for _, name := range []string{blue, green} {
		g, refreshes := b.scaling(t, name)
		assert.Len(t, g.TargetGroupARNs, 2, name)
		assert.False(t, aside(g), name)
		assert.Zero(t, refreshes, "%s: who comes into service is not replaced for that", name)
	}

	stand(stacks.StandingOld, stacks.StandingLive)
	up()
	old, refreshes := b.scaling(t, blue)
	assert.Empty(t, old.TargetGroupARNs)
	assert.True(t, aside(old))
	assert.Zero(t, refreshes)

	t.Log("settings that are older than the stack do not take away what takes the calls")
	stand(stacks.StandingLive, stacks.StandingNone)
	_, err := p.CurrentStack().Preview(t.Context())
	require.ErrorContains(t, err, "protected", "a deployment ends where its preview does")

	stand(stacks.StandingNone, stacks.StandingLive)
	up()
	gone, _ := b.scaling(t, blue)
	assert.Nil(t, gone)
}

// A rehearsal's first release has to go back, and for the alarm that was rung.
func TestWentBack(t *testing.T) {
	t.Parallel()
	report := func(text string) reported {
		var r reported
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		return r
	}
	ill := cli.WithCode(cli.ExitUnhealthy, errors.New("calldata release ended with code 3"))
	good := report(`{"result": "went back", "steps": [{"name": "green: addresses", "status": "ok"}, {"name": "green: judged", "status": "fail", "detail": "alarms: prod-rehearsal"}]}`)
	detail, err := wentBack(good, ill, "prod-rehearsal")
	require.NoError(t, err)
	assert.Equal(t, "exit code 3: green: judged: alarms: prod-rehearsal", detail)

	for name, c := range map[string]struct {
		report string
		err    error
		want   string
	}{
		"not noticed":    {`{"result": "released"}`, nil, `code 0 and the result "released"`},
		"not back":       {`{"result": "failed"}`, ill, `code 3 and the result "failed"`},
		"another reason": {`{"result": "went back", "steps": [{"name": "green: judged", "status": "fail", "detail": "no sound"}]}`, ill, "another reason than the alarm prod-rehearsal: green: judged: no sound"},
		"no reason":      {`{"result": "went back"}`, ill, "no step had failed"},
		"no report":      {`{}`, errors.New("killed"), "killed"},
	} {
		_, err := wentBack(report(c.report), c.err, "prod-rehearsal")
		assert.ErrorContains(t, err, c.want, name)
	}
}
