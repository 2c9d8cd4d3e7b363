package outputs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/stacks"
)

const valid = `{"stack":"dev","region":"us-east-1","nodes":[{"name":"dev-uc-1","roles":["uc-engine"],"instanceId":"i-1",
"zone":"us-east-1a","privateIp":"10.20.0.5","publicIp":"203.0.113.10","user":"admin"}],
"endpoints":{"web":"https://203.0.113.10","sip":"sip:203.0.113.10:5060;transport=udp"}}`

func file(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	// A stand-in for the Pulumi CLI that answers with its arguments in the region field.
	echo := file(t, "pulumi", "#!/bin/sh\ncat <<END\n"+strings.Replace(valid, "us-east-1\"", "$*\"", 1)+"\nEND\n", 0o700)
	broken := file(t, "pulumi", "#!/bin/sh\necho 'no stack named x' >&2\nexit 255\n", 0o700)
	for name, test := range map[string]struct {
		source Source
		stdin  string
		region string
		code   int
		errors []string
	}{
		"file":             {source: Source{File: file(t, "out.json", valid, 0o600)}, region: "us-east-1"},
		"standard input":   {source: Source{File: "-"}, stdin: valid, region: "us-east-1"},
		"matching stack":   {source: Source{File: "-", Stack: "dev"}, stdin: valid, region: "us-east-1"},
		"another stack":    {source: Source{File: "-", Stack: "prod"}, stdin: valid, code: cli.ExitUsage, errors: []string{`"dev"`, `"prod"`}},
		"missing file":     {source: Source{File: "/nowhere/out.json"}, code: cli.ExitUsage, errors: []string{"--outputs", "/nowhere/out.json"}},
		"not json":         {source: Source{File: "-"}, stdin: "Error", code: cli.ExitUsage, errors: []string{"standard input"}},
		"every empty one":  {source: Source{File: "-"}, stdin: `{}`, code: cli.ExitUsage, errors: []string{"region", "endpoints.web", "endpoints.sip", "nodes"}},
		"too long":         {source: Source{File: "-"}, stdin: strings.Repeat(" ", maxSize+1), code: cli.ExitError, errors: []string{"more than"}},
		"pulumi, selected": {source: Source{Pulumi: echo}, region: "stack output --json --non-interactive"},
		"pulumi, named":    {source: Source{Pulumi: echo, Stack: "dev"}, region: "stack output --json --non-interactive --stack dev"},
		"pulumi fails":     {source: Source{Pulumi: broken}, code: cli.ExitError, errors: []string{"no stack named x"}},
		"no pulumi":        {source: Source{Pulumi: "/nowhere/pulumi"}, code: cli.ExitPreflight, errors: []string{"install the Pulumi CLI"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := test.source.Load(context.Background(), strings.NewReader(test.stdin))
			if test.code != 0 {
				require.Error(t, err)
				assert.Equal(t, test.code, cli.Code(err))
				for _, part := range test.errors {
					assert.ErrorContains(t, err, part)
				}
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.region, out.Region)
			assert.Equal(t, "dev-uc-1", out.Nodes[0].Name)
		})
	}
}

func TestLoadOfEveryPart(t *testing.T) {
	t.Parallel()
	const stage = `{"stack":"stage","region":"us-east-1","nodes":[{"name":"stage-router-1","roles":["c4-router"],"instanceId":"i-1",
"zone":"us-east-1a","privateIp":"10.30.64.6","user":"admin","access":"ssm"}],"fleets":[{"name":"stage-c4-sbc","role":"c4-sbc"}],
"database":{"host":"db.example.com","port":5432,"secretArn":"arn:aws:secretsmanager:us-east-1:123456789012:secret:x"},
"endpoints":{"web":"https://stage.example.com","sip":"","carriers":"sip:nlb.example.com:5060;transport=udp"}}`
	out, err := Source{File: "-"}.Load(context.Background(), strings.NewReader(stage))
	require.NoError(t, err)
	assert.Equal(t, stacks.AccessSSM, out.Nodes[0].Access)
	assert.Equal(t, stacks.RoleC4SBC, out.Fleets[0].Role)
	assert.Equal(t, 5432, out.Database.Port)
	_, err = Source{File: "-"}.Load(context.Background(), strings.NewReader(strings.Replace(stage, `"ssm"`, `"telnet"`, 1)))
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	assert.ErrorContains(t, err, `access is "telnet"`)
}

func TestLoadStopsWithItsContext(t *testing.T) {
	slow := file(t, "pulumi", "#!/bin/sh\nexec sleep 60\n", 0o700)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Source{Pulumi: slow}.Load(ctx, nil)
	assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
}
