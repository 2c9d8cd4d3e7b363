package s3copy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the role can do otherwise, the tests of the component replica look at.
func TestDeletions(t *testing.T) {
	t.Parallel()
	from, to := End{"arn:aws:s3:::here", "key-1", "us-east-1"}, End{"arn:aws:s3:::there", "key-2", "us-west-2"}
	for deletions, copied := range map[Deletions]bool{LeaveDeletions: false, CopyDeletions: true} {
		document, err := Permissions(from, to, deletions)
		require.NoError(t, err)
		assert.Equal(t, copied, strings.Contains(document, `"s3:ReplicateDelete"],"Resource":["arn:aws:s3:::there/*"]`), document)
		assert.NotContains(t, document, "s3:DeleteObject")
	}
}
