package compile

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
)

var update = flag.Bool("update", false, "write the golden files anew")

const example = "../../../../docs/examples/routing.yml"

func parse(t *testing.T) *document.Document {
	t.Helper()
	data, err := os.ReadFile(example)
	require.NoError(t, err)
	d, err := document.Parse(data)
	require.NoError(t, err)
	return d
}

func TestExampleGoldenTables(t *testing.T) {
	t.Parallel()
	tables, err := Compile(parse(t), Numbers{}, map[string]string{"telco_password": "not a real one"})
	require.NoError(t, err)
	got, err := json.MarshalIndent(tables, "", " ")
	require.NoError(t, err)
	golden := "testdata/example.golden.json"
	if *update {
		require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got)+"\n", "run make golden and read the diff")
}

func TestExampleTestsHold(t *testing.T) {
	t.Parallel()
	outcomes := parse(t).Check()
	assert.NotEmpty(t, outcomes)
	for _, o := range outcomes {
		assert.True(t, o.OK, "%+v", o)
	}
}

func TestNumbersStay(t *testing.T) {
	t.Parallel()
	d, numbers := parse(t), Numbers{KindTenant: {"gone": 7}, KindSet: {"ipbx acme-1": 412}}
	before := numbers.Clone()
	_, err := Compile(d, numbers, map[string]string{"telco_password": "x"})
	require.NoError(t, err)
	assert.Equal(t, 412, numbers[KindSet]["ipbx acme-1"])
	assert.Equal(t, 8, numbers[KindTenant]["acme"], "a number is not given again while its name is remembered")
	assert.Len(t, before[KindTenant], 1, "a clone is another")
	first := numbers.Clone()
	d.Tenants = d.Tenants[1:]
	_, err = Compile(d, numbers, map[string]string{"telco_password": "x"})
	require.NoError(t, err)
	assert.Equal(t, first, numbers)
}

func TestMissingSecretsAreTold(t *testing.T) {
	t.Parallel()
	_, err := Compile(parse(t), Numbers{}, nil)
	assert.ErrorContains(t, err, "trunk telco-2: the secrets file has no telco_password")
}
