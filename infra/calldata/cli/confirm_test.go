package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfirm(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"prod\n": "", " prod \r\n": "", "prod": "", "yes\n": `the answer was "yes", not "prod"`, "": "give --yes", "\n": `the answer was ""`,
	} {
		var asked bytes.Buffer
		err := (&IO{In: strings.NewReader(answer), Err: &asked}).Confirm(false, "prod", "prod-uc-1 will be overwritten.")
		assert.Equal(t, "prod-uc-1 will be overwritten.\nType prod to go on: ", asked.String())
		if want == "" {
			require.NoError(t, err, "%q", answer)
			continue
		}
		require.ErrorContains(t, err, want)
		assert.Equal(t, ExitUsage, Code(err))
	}
	require.NoError(t, (&IO{}).Confirm(true, "prod", "x"))
}
