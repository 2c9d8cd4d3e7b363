package stacks

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAccountOutputs(t *testing.T) {
	t.Parallel()
	const roles = `"stack":"account","region":"eu-central-1","previewRoles":{"dev":"arn:aws:iam::111122223333:role/p"}`
	o, err := ParseAccountOutputs([]byte("{" + roles + `,"deployRoles":{"dev":"arn:aws:iam::111122223333:role/d"},"trailBucket":"x"}`))
	require.NoError(t, err)
	assert.Equal(t, "111122223333", o.Account())
	assert.Equal(t, "arn:aws:iam::111122223333:role/d", o.DeployRoles["dev"])
	for text, wants := range map[string][]string{
		`[]`: {"not the JSON"},
		`{}`: {"output stack is empty", "output region is empty", "previewRoles is empty"},
		"{" + roles + `,"deployRoles":{"dev":"x","prod":"y"}}`:                             {`deployRoles.dev is "x"`, `deployRoles.prod is "y"`},
		"{" + roles + `,"callsRoles":{"dev":"x"}}`:                                         {`callsRoles.dev is "x"`},
		"{" + roles + `,"deployRoles":{"dev":"arn:aws:iam::444455556666:role/d"},"x":"y"}`: {"[111122223333 444455556666], want one"},
	} {
		_, err := ParseAccountOutputs([]byte(text))
		for _, want := range wants {
			assert.ErrorContains(t, err, want)
		}
	}
}
