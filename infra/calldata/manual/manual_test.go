package manual

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
)

// tree is a command with a visible, a hidden and this package's own command.
func tree(out *bytes.Buffer) *cobra.Command {
	root := &cobra.Command{Use: "calldata", Short: "The tool", SilenceErrors: true, SilenceUsage: true}
	shown := &cobra.Command{
		Use: "shown STACK", Short: "Is shown", Long: "Reads these:\n  ONE  the first\n  TWO  the second\nand no more.", Example: "  calldata shown dev",
		Run: func(*cobra.Command, []string) {},
	}
	shown.Flags().Bool("json", false, "print JSON")
	root.AddCommand(shown, &cobra.Command{Use: "hidden", Hidden: true, Run: func(*cobra.Command, []string) {}}, NewCmdManual(&cli.IO{Out: out}))
	return root
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	root := tree(&bytes.Buffer{})
	pages, err := Markdown(root)
	require.NoError(t, err)
	require.Len(t, pages, 3)
	page := string(pages["calldata_shown.md"])
	for _, want := range []string{
		"## calldata shown\n\nIs shown\n", "Reads these:\n\n    ONE  the first\n    TWO  the second\n\nand no more.", "calldata shown STACK [flags]", "  calldata shown dev", "--json   print JSON",
		"* [calldata](calldata.md) - The tool\n",
	} {
		assert.Contains(t, page, want)
	}
	again, err := Markdown(root)
	require.NoError(t, err)
	assert.Equal(t, pages, again, "help texts are as they were")
}

func TestCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := filepath.Join(t.TempDir(), "man1")
	call := func(args ...string) error {
		cmd := tree(&out)
		cmd.SetArgs(append([]string{"manual", dir}, args...))
		return cmd.ExecuteContext(t.Context())
	}
	require.NoError(t, call())
	assert.Contains(t, out.String(), "pages in "+dir)
	page, err := os.ReadFile(filepath.Join(dir, "calldata-shown.1"))
	require.NoError(t, err)
	assert.Contains(t, string(page), `.TH "CALLDATA-SHOWN" "1"`)
	require.NoError(t, call("--format", "markdown"))
	assert.FileExists(t, filepath.Join(dir, "calldata_manual.md"))
	assert.Equal(t, cli.ExitUsage, cli.Code(call("--format", "pdf")))
}

func TestStaleSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	root, dir := tree(&bytes.Buffer{}), t.TempDir()
	_, err := write(root, dir, markdown)
	require.NoError(t, err)
	stale, err := Stale(dir, root)
	require.NoError(t, err)
	assert.Empty(t, stale)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calldata.md"), []byte("edited by hand"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "calldata_gone.md"), nil, 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "calldata_shown.md")))
	stale, err = Stale(dir, root)
	require.NoError(t, err)
	assert.Equal(t, []string{"calldata.md", "calldata_gone.md", "calldata_shown.md"}, stale)
}
