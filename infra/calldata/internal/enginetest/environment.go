package enginetest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/engine"
)

// Environment compiles a program of this repository, say "./infra", and gives this process an operator's environment: the real
// engine, which runs that program, a backend of files, and more variables, each NAME=VALUE. With -short the test is skipped.
func Environment(t *testing.T, program string, more ...string) Made {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the engine, which -short leaves out")
	}
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	m := Made{Repo: strings.TrimSpace(string(module)), Program: filepath.Join(t.TempDir(), "program"), Backend: t.TempDir()}
	programs, err := engine.Prepare(t.Context(), engine.Options{Root: m.Repo})
	require.NoError(t, err)
	require.NoError(t, automation.Compile(t.Context(), m.Repo, program, m.Program, progress.Discard.Step("program")))
	for _, pair := range append(programs.Env(t.TempDir()), more...) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	t.Setenv(engine.ProgramVariable, m.Program)
	t.Setenv("PULUMI_BACKEND_URL", "file://"+m.Backend)
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "for this test alone")
	return m
}

// Made says where things of an Environment are: the repository, the compiled program and the backend.
type Made struct{ Repo, Program, Backend string }
