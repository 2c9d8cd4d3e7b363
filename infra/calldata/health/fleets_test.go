package health

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestJudgeFleet(t *testing.T) {
	t.Parallel()
	member := func(id string, inService bool) fleet.Member {
		return fleet.Member{Node: stacks.Node{InstanceID: id}, InService: inService}
	}
	for name, c := range map[string]struct {
		members []fleet.Member
		comes   int
		status  verdict.Status
		detail  string
		serving []string
		coming  bool
	}{
		"all":                        {[]fleet.Member{member("i-1", true), member("i-2", true), member("i-3", true)}, 0, verdict.OK, "3 of 3 machines in service", []string{"i-1", "i-2", "i-3"}, false},
		"one is coming":              {[]fleet.Member{member("i-1", true), member("i-2", false), member("i-3", true)}, 1, verdict.Warn, "2 of 3 machines in service", []string{"i-1", "i-3"}, false},
		"one is ill, one is gone":    {[]fleet.Member{member("i-1", false), member("i-2", true)}, 0, verdict.Fail, "1 of 3 machines in service, want at least 2", []string{"i-2"}, false},
		"too few, and one is coming": {[]fleet.Member{member("i-1", true)}, 1, verdict.Fail, "1 of 3 machines in service, want at least 2", []string{"i-1"}, true},
		"none":                       {nil, 0, verdict.Fail, "0 of 3 machines in service, want at least 2", nil, false},
	} {
		got := judgeFleet(fleet.Group{Least: 2, Desired: 3, Coming: c.comes, Members: c.members}, stacks.RoleC4SBC)
		assert.Equal(t, found{status: c.status, detail: c.detail, coming: c.coming}, got.found, name)
		var ids []string
		for _, n := range got.serving {
			ids = append(ids, n.InstanceID)
			assert.Equal(t, []stacks.Role{stacks.RoleC4SBC}, n.Roles)
		}
		assert.Equal(t, c.serving, ids, name)
	}
}

// A fleet whose machines set themselves up is waited for, and so is what follows from that.
func TestFleetsThatComeAreWaitedFor(t *testing.T) {
	w := newWorld(t, sound(), http.StatusOK, configured)
	w.opts.Wait = time.Second
	w.checker.stack.Nodes, w.checker.stack.Fleets = nil, []stacks.Fleet{{Name: "stage-sbc", Role: stacks.RoleC4SBC}}
	begin, boots := time.Now(), 1200*time.Millisecond
	w.checker.groups = func(context.Context, stacks.Outputs) map[string]fleetState {
		f := fleetState{found: fail("0 of 2 machines in service, want at least 2")}
		switch took := time.Since(begin); {
		case took < boots:
			f.coming = true
		case took > boots+w.opts.pause: // what follows takes another round
			f.found = ok("2 of 2 machines in service")
		}
		return map[string]fleetState{"stage-sbc": f}
	}
	_, _, err := w.run(t)
	require.NoError(t, err, w.out.String())

	w.out.Reset()
	w.opts.Wait = 20 * time.Millisecond
	w.checker.groups = func(context.Context, stacks.Outputs) map[string]fleetState {
		return map[string]fleetState{"stage-sbc": {found: fail("0 of 2 machines in service, want at least 2")}}
	}
	_, _, err = w.run(t)
	assert.Equal(t, cli.ExitUnhealthy, cli.Code(err), "nothing comes")
}

func TestFleetsWithoutCredentials(t *testing.T) {
	scrub(t)
	got := fleetStates(t.Context(), stacks.Outputs{Region: "us-east-1", Fleets: []stacks.Fleet{{Name: "prod-c4-sbc", Role: stacks.RoleC4SBC}}})
	assert.Equal(t, map[string]fleetState{"prod-c4-sbc": {found: skip("no AWS credentials")}}, got)
}
