package doubles

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListNamesEveryRole(t *testing.T) {
	t.Parallel()
	entries, err := content.ReadDir(Root + "/roles")
	require.NoError(t, err)
	var roles, listed []string
	for _, entry := range entries {
		roles = append(roles, entry.Name())
	}
	for _, double := range List() {
		listed = append(listed, double.Name)
		assert.NotEmpty(t, double.StandsFor, double.Name)
		assert.NotEmpty(t, double.Differs, double.Name)
	}
	assert.ElementsMatch(t, roles, listed)
}

func TestExtract(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	root, err := Extract(dir)
	require.NoError(t, err)
	stale := filepath.Join(root, "roles", "stale")
	require.NoError(t, os.WriteFile(stale, nil, 0o600))
	again, err := Extract(dir)
	require.NoError(t, err)
	assert.Equal(t, root, again)
	assert.NoFileExists(t, stale)
	assert.FileExists(t, filepath.Join(root, "roles", "b2bua", "files", "kamailio.cfg"))
	assert.FileExists(t, filepath.Join(root, ".ansible-lint"))
}

// TestPrograms runs the tests of the doubles' Python programs, which live next to this file.
func TestPrograms(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not on PATH")
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", "-m", "unittest", "discover", "-s", "tests")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
