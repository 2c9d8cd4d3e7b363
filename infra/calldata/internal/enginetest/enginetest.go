// Package enginetest makes projects without a cloud for tests that need the real engine.
package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Project makes a project of a name, whose program is automation/testdata/program, in an Environment. It answers the project's
// directory and the backend's.
func Project(t *testing.T, name string) (dir, backend string) {
	t.Helper()
	made := Environment(t, "./infra/calldata/automation/testdata/program")
	dir = t.TempDir()
	text := fmt.Sprintf("name: %s\nruntime: {name: go, options: {binary: %s}}\n", name, made.Program)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(text), 0o600))
	return dir, made.Backend
}
