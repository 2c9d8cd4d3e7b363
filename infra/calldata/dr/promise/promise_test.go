package promise

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsPublished(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/dr.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), Table())
}

func TestEveryPromiseIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[Loss]bool{}
	for _, p := range All() {
		assert.NotEmpty(t, p.By, p.Loss)
		assert.Positive(t, p.RTO, p.Loss)
		assert.False(t, seen[p.Loss], p.Loss)
		assert.Equal(t, p, Of(p.Loss))
		seen[p.Loss] = true
	}
	assert.Equal(t, Promise{Loss: "a house"}, Of("a house"))
}
