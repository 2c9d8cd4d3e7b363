package otherregion

import (
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

// What is in the other region is made with the credentials, and by the way, of everything else.
func TestProviderHasTheStacksSettings(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewProvider(ctx, "eu-central-1", map[string]string{
			"aws:region": "us-east-1", "aws:profile": "voice", "aws:skipMetadataApiCheck": "true", "aws:allowedAccountIds": `["123456789012"]`, "calldata-foundation:owner": "x",
		})
		return err
	}))
	provider := rec.One(t, "pulumi:providers:aws")
	assert.Equal(t, "eu-central-1", provider.Name)
	assert.Equal(t, map[string]any{"region": "eu-central-1", "profile": "voice", "skipMetadataApiCheck": "true", "allowedAccountIds": `["123456789012"]`}, provider.Inputs)
}
