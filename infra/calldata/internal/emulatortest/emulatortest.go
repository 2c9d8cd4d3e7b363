// Package emulatortest starts the AWS emulator for tests of commands that talk to AWS.
package emulatortest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/cache"
	"github.com/calldata/calldata-foundation/infra/rehearsal/emulator"
	"github.com/calldata/calldata-foundation/infra/rehearsal/pyenv"
)

// Start starts an emulator that ends with the test. With -short the test is skipped.
func Start(t *testing.T) *emulator.Emulator {
	t.Helper()
	if testing.Short() {
		t.Skip("starts an emulator")
	}
	root, err := cache.Default()
	require.NoError(t, err)
	env, err := pyenv.Prepare(t.Context(), filepath.Join(root, "venv"), progress.Discard)
	require.NoError(t, err)
	e, err := emulator.Start(t.Context(), emulator.Options{Python: env.Python(), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(e.Stop)
	return e
}
