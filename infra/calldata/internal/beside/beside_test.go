package beside

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

func TestTheRecordGoesLast(t *testing.T) {
	t.Parallel()
	s := Stack{Root: t.TempDir(), From: "prod", Name: "prod-drill"}
	record := repo.Afresh(s.Root, s.Name)
	stuck := filepath.Join(s.program(), "file") // a directory that is not empty cannot be removed like a file
	for _, path := range []string{record, s.Settings(), filepath.Join(s.inventory(), "routing.yml"), stuck} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	require.Error(t, s.Remove())
	assert.FileExists(t, record, "the same command goes on")
	require.NoError(t, os.Remove(stuck))
	require.NoError(t, s.Remove())
	assert.NoFileExists(t, record)
	taken, err := s.Taken()
	require.NoError(t, err)
	assert.Empty(t, taken)
	require.NoError(t, s.Remove(), "nothing is left to remove")
}
