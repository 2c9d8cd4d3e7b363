package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/manual"
)

var update = flag.Bool("update", false, "write the pages anew")

const reference = "../../docs/reference/cli"

// TestGolden keeps the pages equal to what the commands say of themselves.
func TestGolden(t *testing.T) {
	t.Parallel()
	io := cli.System()
	io.Getenv = func(string) string { return "" }
	if *update {
		made, err := manual.Markdown(root(io))
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(reference))
		require.NoError(t, os.MkdirAll(reference, 0o750))
		for name, page := range made {
			require.NoError(t, os.WriteFile(filepath.Join(reference, name), page, 0o600))
		}
	}
	stale, err := manual.Stale(reference, root(io))
	require.NoError(t, err)
	assert.Empty(t, stale, "run `make golden` and read the diff")
}

// TestEveryHelpHasAnExample holds for what can be run.
func TestEveryHelpHasAnExample(t *testing.T) {
	t.Parallel()
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Runnable() && !cmd.Hidden {
			assert.NotEmpty(t, cmd.Example, cmd.CommandPath())
		}
		assert.NotEmpty(t, cmd.Short, cmd.CommandPath())
		for _, c := range cmd.Commands() {
			look(c)
		}
	}
	look(root(cli.System()))
}
