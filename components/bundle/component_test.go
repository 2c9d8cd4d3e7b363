package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/tags"
)

func TestMain(m *testing.M) { os.Exit(componenttest.Main(m)) }

func args(t *testing.T) Args {
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	require.NoError(t, os.WriteFile(path, []byte("archive"), 0o600))
	sum := sha256.Sum256([]byte("archive"))
	return Args{
		BucketName: pulumi.String("artifacts"), Path: path, SHA256: hex.EncodeToString(sum[:]),
		Tags: tags.Tags{Project: "p", Environment: "stage", Role: "fleet", Owner: "o", CostCenter: "c"},
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]pulumi.StringInput{"own key": pulumi.String("arn:key"), "S3's key": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, a := &componenttest.Recorder{}, args(t)
			wantKey := "bundles/" + a.SHA256 + ".tar.gz"
			require.NoError(t, rec.Run(func(ctx *pulumi.Context) error {
				ready, user := &componenttest.Child{}, &componenttest.Child{}
				if err := ctx.RegisterResource("test:index:Ready", "policy", pulumi.Map{}, ready); err != nil {
					return err
				}
				a.After, a.KMSKeyARN = []pulumi.Resource{ready}, key
				b, err := NewBundle(ctx, "stage-bundle", a)
				if err != nil {
					return err
				}
				assert.Equal(t, wantKey, b.Key)
				return ctx.RegisterResource("test:index:Child", "user", pulumi.Map{"bucket": b.BucketName}, user)
			}))
			object := rec.One(t, "aws:s3/bucketObjectv2:BucketObjectv2")
			assert.Equal(t, "calldata:bundle:Bundle stage-bundle", object.Parent)
			assert.Equal(t, []string{"test:index:Ready policy"}, object.Dependencies)
			assert.True(t, object.RetainOnDelete, "a rollback needs the earlier archive")
			assert.False(t, object.Protect, "another archive replaces it")
			assert.Equal(t, wantKey, object.Inputs["key"])
			assert.Equal(t, []string{"aws:s3/bucketObjectv2:BucketObjectv2 stage-bundle"}, rec.One(t, "test:index:Child").Dependencies, "the bucket is named once the archive is in it")
			if key == nil {
				assert.NotContains(t, object.Inputs, "kmsKeyId")
				return
			}
			assert.Equal(t, "arn:key", object.Inputs["kmsKeyId"])
			assert.Equal(t, "aws:kms", object.Inputs["serverSideEncryption"])
			assert.Equal(t, true, object.Inputs["bucketKeyEnabled"])
		})
	}
}

func TestArgsAreCheckedBeforeTheFirstResource(t *testing.T) {
	t.Parallel()
	rec := &componenttest.Recorder{}
	err := rec.Run(func(ctx *pulumi.Context) error {
		_, err := NewBundle(ctx, "stage-bundle", Args{Path: "/absent", SHA256: "ABC"})
		return err
	})
	require.Error(t, err)
	for _, want := range []string{"bundle stage-bundle: ", "bucket name: it is missing", "path: open /absent", `SHA-256: "ABC"`, "tags: tag"} {
		assert.ErrorContains(t, err, want)
	}
	for _, r := range rec.Resources() {
		assert.Equal(t, "pulumi:pulumi:Stack", r.Type, "nothing may be registered")
	}
	changed := args(t)
	require.NoError(t, os.WriteFile(changed.Path, []byte("other"), 0o600))
	assert.ErrorContains(t, changed.Validate(), "make the archive anew")
}
