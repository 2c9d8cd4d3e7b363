package ansible

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// library answers a Python that has what the tests of roles need: that of rehearsals, with Ansible and the emulator. Short tests
// take the system's own, and leave out what needs more.
func library(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		return "/usr/bin/python3"
	}
	root, err := cache.Default()
	require.NoError(t, err)
	python, err := pyenv.Prepare(t.Context(), filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	return python.Python()
}

// TestBackup runs the tests of calldata-backup, which are in Python as the program is. They say what they need and skip
// themselves where it is missing.
func TestBackup(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), library(t), "-B", "-m", "unittest", "discover", "-s", "testdata/backup")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `(?m)^Ran [1-9][0-9]* tests`, string(out))
}
