package deploy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/infra/policy"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	templateToken = "aws:ec2/launchTemplate:LaunchTemplate"
	scalingToken  = "aws:autoscaling/group:Group"
)

// standing is the graph of prod with its fleets standing so.
func standing(t *testing.T, blue, green stacks.Standing) map[string]componenttest.Resource {
	t.Helper()
	found := map[string]componenttest.Resource{}
	for _, r := range graph(t, topologyOf(t, stacks.KindProd, "blueFleets", string(blue), "greenFleets", string(green))).Resources() {
		found[r.Type+" "+r.Name] = r
	}
	return found
}

func service(r componenttest.Resource) any { return tagsOf(r)["Service"] }

func TestTheOtherColourLeavesWhatIsThereAsItIs(t *testing.T) {
	t.Parallel()
	before, after := standing(t, stacks.StandingLive, stacks.StandingNone), standing(t, stacks.StandingHeld, stacks.StandingNew)
	for key, was := range before {
		is, ok := after[key]
		require.True(t, ok, "%s is gone", key)
		if was.Type == templateToken {
			assert.Contains(t, is.IgnoreChanges, "userData", "%s: a held fleet is never replaced", key)
			is.IgnoreChanges = was.IgnoreChanges
		}
		assert.Equal(t, was, is, key)
	}
	for key := range after {
		if _, was := before[key]; !was {
			assert.Contains(t, key, "-green")
		}
	}
	sbc := after[scalingToken+" prod-c4-sbc-green"]
	assert.Equal(t, "aside", service(sbc))
	assert.Equal(t, []any{}, sbc.Inputs["targetGroupArns"])
	assert.Equal(t, "EC2", sbc.Inputs["healthCheckType"], "nobody asks it whether it is well but EC2")
	assert.False(t, sbc.Protect)
	assert.NotContains(t, after[templateToken+" prod-c4-sbc-green"].IgnoreChanges, "userData", "it follows the program")
}

func TestCallsMoveFromColourToColour(t *testing.T) {
	t.Parallel()
	shared, moved := standing(t, stacks.StandingHeld, stacks.StandingLive), standing(t, stacks.StandingOld, stacks.StandingLive)
	for _, name := range []string{"prod-c4-sbc", "prod-c4-sbc-green"} {
		group := shared[scalingToken+" "+name]
		assert.Nil(t, service(group), name)
		assert.Len(t, group.Inputs["targetGroupArns"], 2, name)
		assert.Equal(t, "ELB", group.Inputs["healthCheckType"], name)
		assert.True(t, group.Protect, name)
	}
	old := moved[scalingToken+" prod-c4-sbc"]
	assert.Equal(t, "aside", service(old))
	assert.Equal(t, []any{}, old.Inputs["targetGroupArns"])
	assert.Equal(t, shared[templateToken+" prod-c4-sbc"], moved[templateToken+" prod-c4-sbc"], "its machines stay")
	assert.Equal(t, shared[templateToken+" prod-c4-sbc-green"], moved[templateToken+" prod-c4-sbc-green"])
	for key, was := range shared {
		if strings.HasPrefix(was.Type, "aws:") && was.Type != scalingToken && !strings.HasPrefix(was.Type, "aws:cloudwatch/") {
			assert.Equal(t, was, moved[key], "%s: who stands aside keeps everything else", key)
		}
	}
}

func TestEveryStandingKeepsThePolicies(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]stacks.Standing{
		{stacks.StandingHeld, stacks.StandingNew}, {stacks.StandingHeld, stacks.StandingLive}, {stacks.StandingOld, stacks.StandingLive}, {stacks.StandingNone, stacks.StandingLive},
	} {
		rec := graph(t, topologyOf(t, stacks.KindProd, "blueFleets", string(pair[0]), "greenFleets", string(pair[1])))
		report := policy.Evaluate(policy.Graph{Stack: "prod", Scope: policy.Prod, Resources: judged(rec)}, nil)
		assert.Empty(t, report.Mandatory(), "%v", pair)
	}
}
