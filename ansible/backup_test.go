package ansible

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBackup runs the tests of calldata-backup, which are in Python as the program is. They say what they need and skip
// themselves where it is missing.
func TestBackup(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-B", "-m", "unittest", "discover", "-s", "testdata/backup")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
