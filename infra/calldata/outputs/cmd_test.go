package outputs

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

const secret = "not for your eyes"

func printed(t *testing.T, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ansible"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), nil, 0o600))
	values := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(valid), &values))
	outputs := auto.OutputMap{
		"inventory": {Value: "all:\n  hosts:\n    dev-uc-1:\n"}, "password": {Value: secret, Secret: true}, "long": {Value: strings.Repeat("x", 2*widest)},
	}
	for name, v := range values {
		outputs[name] = auto.OutputValue{Value: v}
	}
	var out bytes.Buffer
	cmd := newCmd(&Options{
		IO: &cli.IO{Out: &out}, Dir: dir,
		read: func(_ context.Context, _, stack string) (auto.OutputMap, error) {
			if stack == "new" {
				return nil, nil
			}
			return outputs, nil
		},
	})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestOutputsAsTable(t *testing.T) {
	t.Parallel()
	out, err := printed(t, "dev")
	require.NoError(t, err)
	assert.Equal(t, `OUTPUT         VALUE
endpoints.sip  sip:203.0.113.10:5060;transport=udp
endpoints.web  https://203.0.113.10
inventory      all: … (2 more lines)
long           `+strings.Repeat("x", widest)+`…
nodes          [{"instanceId":"i-1","name":"dev-uc-1","privateIp":"10.20.0.5","publicIp":"203.0.113.10","roles":["u…
password       [secret]
region         us-east-1
stack          dev
`, out)
	out, err = printed(t, "new")
	require.NoError(t, err)
	assert.Equal(t, "stack new has no outputs: it is not deployed\n", out)
}

func TestOneOutput(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"inventory": "all:\n  hosts:\n    dev-uc-1:\n", "endpoints.web": "https://203.0.113.10\n", "password": "[secret]\n",
		"endpoints": "{\n  \"sip\": \"sip:203.0.113.10:5060;transport=udp\",\n  \"web\": \"https://203.0.113.10\"\n}\n",
	} {
		out, err := printed(t, "dev", path)
		require.NoError(t, err)
		assert.Equal(t, want, out)
	}
	for path, text := range map[string]string{"database": `"database" is none of endpoints, inventory`, "endpoints.ftp": "none of sip, web", "region.name": "nothing with names"} {
		_, err := printed(t, "dev", path)
		assert.Equal(t, cli.ExitUsage, cli.Code(err))
		assert.ErrorContains(t, err, text)
	}
	_, err := printed(t)
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
}

func TestOutputsAsJSONAreWhatCommandsRead(t *testing.T) {
	t.Parallel()
	out, err := printed(t, "dev", "--json")
	require.NoError(t, err)
	assert.NotContains(t, out, secret)
	loaded, err := Source{File: "-"}.Load(t.Context(), strings.NewReader(out))
	require.NoError(t, err)
	assert.Equal(t, "dev-uc-1", loaded.Nodes[0].Name)

	out, err = printed(t, "dev", "--show-secrets", "--json")
	require.NoError(t, err)
	assert.Contains(t, out, secret)
}
