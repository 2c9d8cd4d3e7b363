package stackfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/stacks"
)

func TestDerive(t *testing.T) {
	t.Parallel()
	first, err := Read(write(t, project, "# The dev stack.\n"+stack+"  owner: day # short\n"), "dev")
	require.NoError(t, err)
	made, text, err := first.Derive(Derivation{Stack: "dev-again", Head: "# Made of dev.", Settings: map[string]any{
		"aws:region": "us-west-2", "zones": []string{"us-west-2a"}, "owner": nil, "protect": false, "domain": "again.example.com",
	}})
	require.NoError(t, err)
	values := all(made)
	for key, want := range map[string]string{
		"aws:region": "us-west-2", "calldata-foundation:zones": `["us-west-2a"]`, "calldata-foundation:protect": "false",
		"calldata-foundation:owner": "platform", "calldata-foundation:domain": "again.example.com", "calldata-foundation:email": stacks.Secret,
		"calldata-foundation:spare": "eu-west-1a",
	} {
		assert.Equal(t, want, values[key], key)
	}
	assert.Equal(t, "dev-again", made.Stack)
	assert.Equal(t, first.Secrets(), made.Secrets())
	assert.Equal(t, first.SecretsProvider, made.SecretsProvider)
	for _, kept := range []string{"# Made of dev.\n", "encryptedkey: AAAA\n", "secure: AAABANsecretsecret==\n"} {
		assert.Contains(t, string(text), kept)
	}
	for _, gone := range []string{"The dev stack", "short", "night & day", "day"} {
		assert.NotContains(t, string(text), gone)
	}
	assert.NoFileExists(t, made.Path, "nothing is written")

	other, text, err := first.Derive(Derivation{Stack: "dev-again", SecretsProvider: "awskms://alias/other?region=us-west-2"})
	require.NoError(t, err)
	assert.Equal(t, "awskms://alias/other?region=us-west-2", other.SecretsProvider)
	assert.Empty(t, other.Secrets())
	assert.NotContains(t, string(text), "AAAA")
	assert.Equal(t, 1, strings.Count(string(text), "secretsprovider:"))

	empty, err := Read(write(t, project, ""), "dev")
	require.NoError(t, err)
	filled, _, err := empty.Derive(Derivation{Stack: "x", Settings: map[string]any{"aws:region": "us-west-2"}})
	require.NoError(t, err)
	assert.Equal(t, "us-west-2", all(filled)["aws:region"])
}
