package automation

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkpoint is a file with a stack, a provider, a network and what is in it; more is added to the list of resources.
func checkpoint(more ...string) []byte {
	resources := append([]string{
		entry("pulumi:pulumi:Stack", "dev", ``),
		entry("pulumi:providers:aws", "default", `"custom":true,"id":"p-1"`),
		entry("aws:ec2/vpc:Vpc", "vpc", `"custom":true,"id":"vpc-1","parent":"`+urn("pulumi:pulumi:Stack", "dev")+`","provider":"`+urn("pulumi:providers:aws", "default")+`::p-1"`),
		entry("aws:ec2/subnet:Subnet", "subnet", `"custom":true,"id":"subnet-1","dependencies":["`+urn("aws:ec2/vpc:Vpc", "vpc")+`"]`),
	}, more...)
	return fmt.Appendf(nil, `{"version":3,"checkpoint":{"stack":"organization/p/dev","latest":{"manifest":{},"resources":[%s]}}}`, strings.Join(resources, ","))
}

func urn(kind, name string) string { return "urn:pulumi:dev::p::" + kind + "::" + name }

func entry(kind, name, rest string) string {
	text := fmt.Sprintf(`{"urn":%q,"type":%q`, urn(kind, name), kind)
	if rest != "" {
		text += "," + rest
	}
	return text + "}"
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestCheckpointIsRead(t *testing.T) {
	t.Parallel()
	zstd, err := encoding.Zstd(raw{}).Marshal(checkpoint())
	require.NoError(t, err)
	for name, data := range map[string][]byte{"plain": checkpoint(), "gzip": packed(t, checkpoint()), "zstd": zstd} {
		c, err := ParseCheckpoint(data)
		require.NoError(t, err, name)
		assert.Len(t, c.Resources, 4, name)
		assert.Equal(t, 3, c.form, name)
		assert.Contains(t, string(c.Raw), `"manifest"`, name)
	}
	empty, err := ParseCheckpoint([]byte(`{"version":3,"checkpoint":{"stack":"organization/p/dev"}}`))
	require.NoError(t, err, "a stack that was never deployed")
	assert.Empty(t, empty.Resources)
}

// raw hands bytes through.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (raw) Unmarshal(_ []byte, _ any) error { return nil }

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	whole := string(checkpoint())
	cut := strings.Index(whole, `"aws:ec2/subnet:Subnet"`)
	for name, test := range map[string]struct {
		data string
		says string
		left int
	}{
		"empty":             {"", "it cannot be read: unexpected end of JSON input", 0},
		"nothing":           {"null", "its version is 0, want 3 or 4", 0},
		"of another time":   {`{"version":1,"checkpoint":{}}`, "its version is 1", 0},
		"of a later time":   {`{"version":5,"checkpoint":{}}`, "its version is 5", 0},
		"cut":               {whole[:cut], "it cannot be read: unexpected end of JSON input", 3},
		"before resources":  {whole[:20], "it cannot be read", 0},
		"packed, and cut":   {string(packed(t, []byte(whole))[:25]), "it cannot be read: unexpected EOF", 0},
		"a secret for list": {strings.Replace(whole, `"resources":[`, `"resources":"hunter2","x":[`, 1), "resources is no []apitype.ResourceV3", 0},
		"no type":           {string(checkpoint(`{"urn":"urn:x"}`)), "resource 4 has no name or no type", 5},
		"twice":             {string(checkpoint(entry("aws:ec2/vpc:Vpc", "vpc", `"custom":true,"id":"vpc-2"`))), "vpc is there twice", 5},
		"lost parent":       {string(checkpoint(entry("a:b:C", "c", `"parent":"urn:pulumi:dev::p::a:b:C::gone"`))), "c needs gone, which is not before it", 5},
		"lost dependency":   {string(checkpoint(entry("a:b:C", "c", `"propertyDependencies":{"x":["urn:pulumi:dev::p::a:b:C::gone"]}`))), "c needs gone", 5},
		"lost provider":     {string(checkpoint(entry("a:b:C", "c", `"custom":true,"id":"1","provider":"urn:x::2"`))), "c has a provider that is not before it", 5},
		"component with ID": {string(checkpoint(entry("a:b:C", "c", `"id":"1"`))), "c is a component and has an ID", 5},
	} {
		c, err := ParseCheckpoint([]byte(test.data))
		require.ErrorContains(t, err, test.says, name)
		assert.NotContains(t, err.Error(), "hunter2")
		assert.Len(t, c.Resources, test.left, name)
	}
	_, err := ParseCheckpoint(checkpoint(entry("aws:ec2/vpc:Vpc", "vpc", `"custom":true,"id":"vpc-0","delete":true`)))
	assert.NoError(t, err, "one that is about to be deleted counts once more")
}

func TestWhatIsReadOfADamagedPackedFile(t *testing.T) {
	t.Parallel()
	var more []string
	for i := range 2000 { // so many that the damage is after some of them
		more = append(more, entry("a:b:C", fmt.Sprintf("c-%d", i), fmt.Sprintf(`"custom":true,"id":"%x"`, i*i)))
	}
	data := packed(t, checkpoint(more...))
	c, err := ParseCheckpoint(data[:len(data)*3/4])
	require.Error(t, err)
	assert.Greater(t, len(c.Resources), 100)
	assert.Less(t, len(c.Resources), 2004)
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	parse := func(more ...string) State {
		c, err := ParseCheckpoint(checkpoint(more...))
		require.NoError(t, err)
		return c.State
	}
	now := parse(entry("a:b:C", "new", `"custom":true,"id":"1"`), entry("a:b:C", "seen", `"custom":true,"id":"2","external":true`), entry("a:b:C", "group", ``))
	then := parse()
	names := func(list []apitype.ResourceV3) (names []string) {
		for _, r := range list {
			names = append(names, Name(string(r.URN)))
		}
		return names
	}
	assert.Equal(t, []string{"new"}, names(now.Unknown(then)))
	assert.Empty(t, then.Unknown(now))
	then.Resources[2].ID = "vpc-0"
	assert.Equal(t, []string{"vpc"}, names(then.Unknown(now)), "another one of the same name")
}
