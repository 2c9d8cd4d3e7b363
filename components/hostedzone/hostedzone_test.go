package hostedzone

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func TestFind(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		id, err := Find(ctx, "example.com")
		assert.Equal(t, componenttest.Zone, id)
		return err
	}))
	calls := rec.Calls("aws:route53/getZone:getZone")
	require.Len(t, calls, 1)
	assert.Equal(t, map[string]any{"name": "example.com", "privateZone": false}, calls[0].Args, "a private zone is asked by nobody outside")
}
