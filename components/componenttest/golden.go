package componenttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// GoldenDirectory wants a directory to hold these files, by their names, and no others. With update it is written anew first.
func GoldenDirectory(t *testing.T, update bool, dir string, files map[string][]byte) {
	t.Helper()
	if update {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.MkdirAll(dir, 0o750))
		for name, data := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
	}
	there, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, there, len(files), "run `make golden` and read the diff")
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a test names its own files
		require.NoError(t, err)
		assert.Equal(t, string(want), string(have), "%s: run `make golden` and read the diff", name)
	}
}
