package fleet_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/fleet"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	mixed := stacktest.Stack()
	mixed.Nodes[1].Roles = []stacks.Role{stacks.RoleC4Router, stacks.RoleC4SBC}
	both := func(ctx context.Context, o stacks.Outputs, role stacks.Role) ([]stacks.Node, error) {
		members, err := stacktest.Members(ctx, o, role)
		return append(members, stacks.Node{Name: stacktest.Router, InstanceID: stacktest.Router}), err
	}
	for word, want := range map[string][]string{
		"trial-uc-1": {"trial-uc-1"}, stacktest.Router: {"trial-router-1"}, "c4-router": {"trial-router-1"}, stacktest.Member: {stacktest.Member},
		"c4-sbc": {"trial-router-1", stacktest.Member}, // fixed ones first
	} {
		nodes, err := fleet.Choose(t.Context(), mixed, word, both)
		require.NoError(t, err, word)
		var names []string
		for _, n := range nodes {
			names = append(names, n.Name)
		}
		assert.Equal(t, want, names, word)
	}
	assert.Equal(t, []stacks.Role{"c4-router", "c4-sbc", "uc-engine"}, fleet.Roles(mixed))
}

func TestNothingChosen(t *testing.T) {
	t.Parallel()
	none := func(context.Context, stacks.Outputs, stacks.Role) ([]stacks.Node, error) { return nil, nil }
	broken := func(context.Context, stacks.Outputs, stacks.Role) ([]stacks.Node, error) {
		return nil, errors.New("no credentials")
	}
	fixed := stacktest.Stack()
	fixed.Fleets = nil
	for name, c := range map[string]struct {
		stack stacks.Outputs
		word  string
		list  fleet.Lister
		code  int
		want  string
	}{
		"another name":    {stacktest.Stack(), "trial-uc-2", broken, cli.ExitUsage, "want one of trial-uc-1, trial-router-1, c4-router, c4-sbc, uc-engine, an instance id"},
		"another id":      {stacktest.Stack(), "i-0bbbbbbbbbbbbbbb1", stacktest.Members, cli.ExitUsage, "i-0bbbbbbbbbbbbbbb1"},
		"nobody runs":     {stacktest.Stack(), "c4-sbc", none, cli.ExitUnreachable, "Auto Scaling group"},
		"nobody answers":  {stacktest.Stack(), "c4-sbc", broken, cli.ExitError, "no credentials"},
		"no such role":    {fixed, "c4-sbc", broken, cli.ExitUsage, "no machine with the role c4-sbc"},
		"no fleet to ask": {fixed, stacktest.Member, broken, cli.ExitUsage, stacktest.Member},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := fleet.Choose(t.Context(), c.stack, c.word, c.list)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, c.code, cli.Code(err))
		})
	}
}
