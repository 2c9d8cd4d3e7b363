package rehearsal

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

// TestEngineAsksThePolicies previews the strictest stack, first with a database that a zone can take away.
func TestEngineAsksThePolicies(t *testing.T) {
	b := newBench(t)
	pack := filepath.Join(t.TempDir(), "policies")
	require.NoError(t, buildProgram(t.Context(), b.repo, policyPack, pack, progress.Discard))
	settings := b.scene(t, stacks.KindProd)
	settings["calldata-foundation:databaseMultiAz"] = "false"
	p := b.stack(t, "prod", settings)
	_, err := p.CurrentStack().Preview(t.Context(), optpreview.PolicyPacks(pack))
	require.Error(t, err)
	assert.ErrorContains(t, err, "CD-24")
	assert.ErrorContains(t, err, "prod-router")

	require.NoError(t, p.CurrentStack().SetConfig(t.Context(), "calldata-foundation:databaseMultiAz", auto.ConfigValue{Value: "true"}))
	preview, err := p.CurrentStack().Preview(t.Context(), optpreview.PolicyPacks(pack))
	require.NoError(t, err)
	assert.NotContains(t, preview.StdOut, "[mandatory]")
}

func TestPoliciesAreACheck(t *testing.T) {
	t.Parallel()
	judged := []apitype.PolicyEvent{
		{PolicyName: "CD-24", EnforcementLevel: "mandatory", ResourceURN: "urn:pulumi:prod::p::aws:rds/instance:Instance::prod-router", Message: "is lost with its zone"},
		{PolicyName: "CD-21", EnforcementLevel: "advisory", Message: "one region"},
		{PolicyName: "CD-21", EnforcementLevel: "advisory", Message: "one region"},
	}
	c := policies(judged, errors.New("CD-24"))
	assert.False(t, c.OK)
	assert.Equal(t, "1 mandatory violations; CD-24: prod-router: is lost with its zone, advice by CD-21", c.Detail)
	assert.True(t, policies(judged[1:], nil).OK)
}
