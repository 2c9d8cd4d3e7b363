package policy

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const exported = `{"version": 3, "deployment": {"manifest": {}, "resources": [
 {"urn": "urn:pulumi:stage::calldata-foundation::pulumi:pulumi:Stack::calldata-foundation-stage", "type": "pulumi:pulumi:Stack"},
 {"urn": "urn:pulumi:stage::calldata-foundation::calldata:buckets:Bucket::b", "type": "calldata:buckets:Bucket", "parent": "urn:pulumi:stage::calldata-foundation::pulumi:pulumi:Stack::calldata-foundation-stage"},
 {"urn": "urn:pulumi:stage::calldata-foundation::calldata:buckets:Bucket$aws:s3/bucketV2:BucketV2::b", "type": "aws:s3/bucketV2:BucketV2", "custom": true, "id": "b-1234",
  "parent": "urn:pulumi:stage::calldata-foundation::calldata:buckets:Bucket::b", "protect": true, "retainOnDelete": true,
  "inputs": {"forceDestroy": false, "tags": {"Use": "old"}}, "outputs": {"bucket": "b-1234", "tags": {"Use": "backups"},
  "policy": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}, "acl": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"},
  "dependencies": ["urn:pulumi:stage::p::t::d"], "propertyDependencies": {"bucket": ["urn:pulumi:stage::p::t::d"]}},
 {"urn": "urn:pulumi:stage::calldata-foundation::aws:s3/bucketV2:BucketV2::going", "type": "aws:s3/bucketV2:BucketV2", "delete": true},
 {"urn": "urn:pulumi:stage::calldata-foundation::aws:s3/bucketV2:BucketV2::read", "type": "aws:s3/bucketV2:BucketV2", "external": true}]}}`

func TestFromState(t *testing.T) {
	t.Parallel()
	stack, resources, err := FromState([]byte(exported))
	require.NoError(t, err)
	assert.Equal(t, "stage", stack)
	require.Len(t, resources, 3)
	assert.Empty(t, resources[1].Parent, "a child of the stack")
	got := resources[2]
	assert.Equal(t, "b", got.Name)
	assert.Equal(t, "b-1234", got.ID)
	assert.Equal(t, resources[1].URN, got.Parent)
	assert.True(t, got.Protect && got.RetainOnDelete)
	assert.Equal(t, m{"forceDestroy": false, "tags": m{"Use": "backups"}, "bucket": "b-1234", "policy": Secret{}, "acl": Unknown{}}, got.Props)
	assert.Equal(t, m{"forceDestroy": false, "tags": m{"Use": "old"}}, got.Inputs)
	assert.Equal(t, map[string][]string{"bucket": {"urn:pulumi:stage::p::t::d"}}, got.PropertyDependencies)

	for text, want := range map[string]string{
		"no":                            "read the state",
		"{}":                            "version is 0",
		`{"version":2,"deployment":{}}`: "version is 2, want 3 or 4",
		`{"version":3,"deployment":{}}`: "the stack has no resources",
		`{"version":3,"deployment":[]}`: "read the state",
		`{"version":3,"deployment":{"resources":[{"urn":"x"}]}}`: `"x" is no name of a resource`,
	} {
		_, _, err := FromState([]byte(text))
		assert.ErrorContains(t, err, want, text)
	}
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	secret := resource.MakeSecret(resource.NewProperty("hush"))
	given := resource.PropertyMap{
		"secret": secret, "unknown": resource.MakeComputed(resource.NewProperty("")), "list": resource.NewProperty([]resource.PropertyValue{secret, resource.NewProperty(1.0)}),
		"output": resource.NewProperty(resource.Output{Element: resource.NewProperty("x"), Known: true}), "later": resource.NewProperty(resource.Output{}),
		"hidden": resource.NewProperty(resource.Output{Element: resource.NewProperty("x"), Known: true, Secret: true}), "asset": resource.NewProperty(&resource.Asset{Text: "x"}),
	}.Mappable()
	given["int"] = 5
	assert.Equal(t, m{"secret": Secret{}, "unknown": Unknown{}, "list": list{Secret{}, 1.0}, "output": "x", "later": Unknown{}, "hidden": Secret{}, "asset": Unknown{}, "int": 5.0}, NormalizeProps(given))
}
