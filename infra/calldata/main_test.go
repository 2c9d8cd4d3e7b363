package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
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

// Whatever keeps a command from beginning ends with the code for wrong usage; what happens in it keeps its own.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"rehearse dev --stop --keep": "stop",
		"rehearse":                   "accepts 1 arg",
		"rehearse dev --nothing":     "unknown flag: --nothing",
		"deplyo dev":                 `unknown command "deplyo"`,
		"backup nwo":                 `unknown command "nwo" for "calldata backup"`,
		"version now":                `unknown command "now" for "calldata version"`,
		"machines run":               "requires at least 1 arg",
		"machines run -- true":       `required flag(s) "spec" not set`,
		"tools path nothing":         `invalid argument "nothing"`,
		"completion bash now":        `unknown command "now"`,
	} {
		var out, said bytes.Buffer
		err := execute(t.Context(), root(&cli.IO{In: strings.NewReader(""), Out: &out, Err: &said, Getenv: func(string) string { return "" }}), strings.Fields(line))
		assert.Equal(t, cli.ExitUsage, cli.Code(err), "%s: %v", line, err)
		assert.ErrorContains(t, err, says, line)
		assert.ErrorContains(t, err, "--help", line)
	}
	for _, line := range []string{"version", "backup", "backup --help", "help backup", "--help"} {
		var out bytes.Buffer
		require.NoError(t, execute(t.Context(), root(&cli.IO{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) string { return "" }}), strings.Fields(line)), line)
		assert.NotEmpty(t, out.String(), line)
	}
	failed := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return errors.New("no") }, SilenceErrors: true, SilenceUsage: true}
	assert.Equal(t, cli.ExitError, cli.Code(execute(t.Context(), failed, nil)))
}
