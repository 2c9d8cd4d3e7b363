// Package enginetest makes projects without a cloud for tests that need the real engine.
package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
)

// Project makes a project of a name, whose program is automation/testdata/program, and gives this process an operator's environment
// with the real engine and a backend of files. It answers the project's directory and the backend's. With -short the test is skipped.
func Project(t *testing.T, name string) (dir, backend string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the engine, which -short leaves out")
	}
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	repo := strings.TrimSpace(string(module))
	cache, err := rehearsal.DefaultCache()
	require.NoError(t, err)
	programs, err := engine.Prepare(t.Context(), engine.Options{Root: repo, CacheDir: filepath.Join(cache, "engine")})
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, automation.Compile(t.Context(), repo, "./infra/calldata/automation/testdata/program", program, progress.Discard.Step("program")))
	for _, pair := range programs.Env(t.TempDir()) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	backend = t.TempDir()
	t.Setenv(engine.ProgramVariable, program)
	t.Setenv("PULUMI_BACKEND_URL", "file://"+backend)
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "for this test alone")
	dir = t.TempDir()
	text := fmt.Sprintf("name: %s\nruntime: {name: go, options: {binary: %s}}\n", name, program)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(text), 0o600))
	return dir, backend
}
