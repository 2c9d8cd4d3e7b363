package provider

import (
	"errors"
	"os"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func TestWhereAndAsWhom(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
		account, err := Account(ctx)
		require.NoError(t, err)
		assert.Equal(t, componenttest.Account, account)
		region, err := Region(ctx)
		assert.Equal(t, "us-east-1", region)
		return err
	}))
}

// silent is an AWS that does not answer.
type silent struct{ *componenttest.Recorder }

func (silent) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, errors.New("ExpiredToken")
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := Account(ctx)
		assert.ErrorContains(t, err, "are the credentials set and not expired?")
		assert.ErrorContains(t, err, "ExpiredToken")
		_, err = Region(ctx)
		assert.ErrorContains(t, err, "ask the provider which region this is")
		return nil
	}, pulumi.WithMocks("calldata-foundation", "dev", silent{&componenttest.Recorder{}})))
}
