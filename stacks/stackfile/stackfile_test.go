package stackfile

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
	"github.com/calldata/calldata-foundation/stacks"
)

const project = `
name: calldata-foundation
runtime: go
config:
  aws:region: {value: us-east-1}
  aws:maxRetries: 5
  zones:
    type: array
    items: {type: string}
    default: []
  sipCidrs: {type: array, items: {type: string}, default: ["0.0.0.0/0"]}
  adminCidrs: {type: array, items: {type: string}}
  rootVolumeGiB: {type: integer, default: 50}
  protect: {type: boolean, default: false}
  owner: {type: string, default: platform}
  amiId: {type: string, default: ""}
  email: {type: string, secret: true, default: nobody@example.org}
`

const stack = `
secretsprovider: awskms://alias/calldata-foundation-secrets?region=us-east-1
encryptedkey: AAAA
config:
  aws:region: eu-west-1
  calldata-foundation:zones:
    - &first eu-west-1a
    - eu-west-1b
  calldata-foundation:spare: *first
  calldata-foundation:protect: true
  calldata-foundation:owner: "night & day"
  calldata-foundation:email:
    secure: AAABANsecretsecret==
  calldata-foundation:numbers: {one: 1, yes: true, text: "1", none: null}
  calldata-foundation:carriers:
    - name: acme
      password:
        secure: AAABANsecretsecret==
`

func write(t *testing.T, project, stack string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(project), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.dev.yaml"), []byte(stack), 0o600))
	return dir
}

func all(f *File) map[string]string {
	values := map[string]string{}
	for _, key := range f.Keys() {
		values[key], _ = f.Get(key)
	}
	return values
}

func TestRead(t *testing.T) {
	t.Parallel()
	f, err := Read(write(t, project, stack), "dev")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"aws:region":                        "eu-west-1",
		"aws:maxRetries":                    "5",
		"calldata-foundation:amiId":         "",
		"calldata-foundation:carriers":      `[{"name":"acme","password":"[secret]"}]`,
		"calldata-foundation:email":         stacks.Secret,
		"calldata-foundation:numbers":       `{"none":null,"one":1,"text":"1","yes":true}`,
		"calldata-foundation:owner":         "night & day",
		"calldata-foundation:protect":       "true",
		"calldata-foundation:rootVolumeGiB": "50",
		"calldata-foundation:sipCidrs":      `["0.0.0.0/0"]`,
		"calldata-foundation:spare":         "eu-west-1a",
		"calldata-foundation:zones":         `["eu-west-1a","eu-west-1b"]`,
	}, all(f))
	assert.Equal(t, []string{"calldata-foundation:carriers", "calldata-foundation:email"}, f.Secrets())
	assert.Equal(t, "awskms://alias/calldata-foundation-secrets?region=us-east-1", f.SecretsProvider)
	assert.True(t, f.Keyed)
	_, set := f.Get("calldata-foundation:adminCidrs")
	assert.False(t, set, "a declaration without a default sets nothing")
}

func TestTheStacksOfThisProject(t *testing.T) {
	t.Parallel()
	names, err := Stacks("../..")
	require.NoError(t, err)
	for _, kind := range stacks.Topologies() {
		assert.Contains(t, names, kind)
	}
	for _, name := range names {
		f, err := Read("../..", name)
		require.NoError(t, err)
		// With examples for what everybody decides alone, every stack is complete.
		f.FillExamples()
		config, err := stacks.ReadConfig(name, f)
		require.NoError(t, err, name)
		_, err = stacks.New(name, config)
		require.NoError(t, err, name)
	}
}

func TestOverrideAndExamples(t *testing.T) {
	t.Parallel()
	f, err := Read(write(t, project, stack), "dev")
	require.NoError(t, err)
	require.NoError(t, f.Override("instanceType=m6i.large"))
	require.NoError(t, f.Override("aws:region=eu-north-1"))
	require.NoError(t, f.Override("domain=a=b"))
	assert.ErrorContains(t, f.Override("domain"), `"domain" is no setting: want NAME=VALUE`)
	assert.Error(t, f.Override("=x"))
	for key, want := range map[string]string{"calldata-foundation:instanceType": "m6i.large", "aws:region": "eu-north-1", "calldata-foundation:domain": "a=b"} {
		got, _ := f.Get(key)
		assert.Equal(t, want, got, key)
	}
	assert.Equal(t, []string{"adminCidrs", "sshPublicKey"}, f.FillExamples())
	require.NoError(t, f.Override("topology=prod"))
	assert.Equal(t, []string{"carrierCidrs"}, f.FillExamples(), "the domain is set")
	assert.Empty(t, f.FillExamples())
}

func TestAssignment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"vpcCidr=10.50.0.0/16": "10.50.0.0/16", "calldata-foundation:vpcCidr=a=b": "a=b", `vpcCidr=["x","y"]`: []any{"x", "y"}, "vpcCidr=": nil,
	} {
		name, value, err := Assignment(text)
		require.NoError(t, err)
		assert.Equal(t, "vpcCidr", name)
		assert.Equal(t, want, value, text)
	}
	name, _, err := Assignment("aws:region=eu-north-1")
	require.NoError(t, err)
	assert.Equal(t, "aws:region", name)
	for text, want := range map[string]string{"vpcCidr": "want NAME=VALUE", "=x": "want NAME=VALUE", "zones=[a": `zones is "[a", which is no JSON`} {
		_, _, err := Assignment(text)
		assert.ErrorContains(t, err, want)
	}
}

func TestReadNamesEveryMistake(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		project, stack, name string
		want                 []string
	}{
		"both files broken": {"name: [", "config: [secret", "dev", []string{"Pulumi.yaml: yaml", "Pulumi.dev.yaml: yaml"}},
		"another project":   {"name: shop", "", "dev", []string{`Pulumi.yaml is of the project "shop", want calldata-foundation`}},
		"unknown stack":     {project, "", "nope", []string{"no stack is called nope", "this project has files for dev"}},
		"path as stack":     {project, "", "../dev", []string{`"../dev" is no name of a stack`}},
		"empty name":        {project, "", "", []string{`"" is no name of a stack`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(write(t, tt.project, tt.stack), tt.name)
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "secret")
		})
	}
	empty := t.TempDir()
	_, err := Read(empty, "dev")
	assert.ErrorContains(t, err, "Pulumi.yaml: no such file")
}

func TestEmptyStackFileHasTheDefaults(t *testing.T) {
	t.Parallel()
	f, err := Read(write(t, project, ""), "dev")
	require.NoError(t, err)
	region, _ := f.Get("aws:region")
	assert.Equal(t, "us-east-1", region)
	email, _ := f.Get("calldata-foundation:email")
	assert.Equal(t, "nobody@example.org", email)
	assert.Empty(t, f.Secrets())
}

// TestPulumiAgrees compares what Pulumi says of the same files.
func TestPulumiAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the engine, which -short leaves out")
	}
	engine, err := engine.Prepare(t.Context(), engine.Options{Root: "../.."})
	require.NoError(t, err)
	// What is encrypted cannot be compared.
	withoutSecrets := strings.ReplaceAll(stack, "secure: AAABANsecretsecret==", "other: x")
	dir := write(t, strings.Replace(project, ", secret: true", "", 1), strings.ReplaceAll(withoutSecrets,
		"secretsprovider: awskms://alias/calldata-foundation-secrets?region=us-east-1\nencryptedkey: AAAA\n", ""))
	env := append(append(os.Environ(), engine.Env(t.TempDir())...), "PULUMI_CONFIG_PASSPHRASE=test", "PULUMI_BACKEND_URL=file://"+t.TempDir())
	pulumi := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), filepath.Join(engine.Dir, "pulumi"), append(args, "--non-interactive")...)
		cmd.Dir, cmd.Env, cmd.Stderr = dir, env, os.Stderr
		out, err := cmd.Output()
		require.NoError(t, err)
		return out
	}
	pulumi("stack", "init", "dev")
	var said map[string]struct{ Value string }
	require.NoError(t, json.Unmarshal(pulumi("config", "--json", "-s", "dev"), &said))
	f, err := Read(dir, "dev")
	require.NoError(t, err)
	values := map[string]string{}
	for key, entry := range said {
		values[key] = entry.Value
	}
	assert.Equal(t, values, all(f))
}
