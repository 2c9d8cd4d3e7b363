package reference

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the pages anew")

const pages = "../../docs/reference/components"

// TestGolden keeps the pages equal to the source, and every argument explained.
func TestGolden(t *testing.T) {
	t.Parallel()
	all, err := Components("..")
	require.NoError(t, err)
	require.Greater(t, len(all), 3)
	for _, c := range all {
		for _, typ := range c.doc.Types {
			for _, f := range c.fields(typ) {
				assert.NotEmpty(t, f.doc, "%s.%s.%s has no comment", c.Name, typ.Name, f.name)
			}
		}
	}
	if *update {
		require.NoError(t, os.RemoveAll(pages))
		require.NoError(t, os.MkdirAll(pages, 0o750))
		for _, c := range all {
			require.NoError(t, os.WriteFile(filepath.Join(pages, c.Name+".md"), []byte(c.Page()), 0o600))
		}
	}
	stale, err := Stale(pages, all)
	require.NoError(t, err)
	assert.Empty(t, stale, "run `make golden` and read the diff")
}

func TestStaleSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	all, err := Components("..")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, all[0].Name+".md"), []byte("edited by hand"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gone.md"), nil, 0o600))
	for _, c := range all[1:] {
		require.NoError(t, os.WriteFile(filepath.Join(dir, c.Name+".md"), []byte(c.Page()), 0o600))
	}
	stale, err := Stale(dir, all)
	require.NoError(t, err)
	assert.Equal(t, []string{all[0].Name + ".md", "gone.md"}, stale)
}
