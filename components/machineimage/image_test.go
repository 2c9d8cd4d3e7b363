package machineimage

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func TestNewestDebian(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		id, err := NewestDebian(ctx)
		assert.Equal(t, componenttest.Image, id)
		return err
	}))
	calls := rec.Calls("aws:ec2/getAmi:getAmi")
	require.Len(t, calls, 1)
	assert.Equal(t, true, calls[0].Args["mostRecent"])
	assert.Equal(t, []any{"136693071363"}, calls[0].Args["owners"])
	filters := map[string]any{}
	for _, f := range calls[0].Args["filters"].([]any) {
		filter := f.(map[string]any)
		filters[filter["name"].(string)] = filter["values"].([]any)[0]
	}
	assert.Equal(t, map[string]any{"name": "debian-12-amd64-*", "architecture": "x86_64", "root-device-type": "ebs", "virtualization-type": "hvm", "state": "available"}, filters)
}
