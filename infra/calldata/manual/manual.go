// Package manual is `calldata manual`: pages about every command, for man and for docs/reference/cli, made of what the commands
// say of themselves.
package manual

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/version"
)

// Formats of pages.
const (
	man      = "man"
	markdown = "markdown"
)

const extension = ".md"

// NewCmdManual makes the command.
func NewCmdManual(streams *cli.IO) *cobra.Command {
	format := man
	cmd := &cobra.Command{
		Use:   "manual DIRECTORY",
		Short: "Write manual pages of every command",
		Long: `Write a manual page of every command into a directory, which is made where it is missing: for man, or as Markdown, as they
are in docs/reference/cli.

Exit codes: 0 done, 1 a page could not be written, 2 wrong input.`,
		Example: `  calldata manual ~/.local/share/man/man1 && man calldata-ssh
  calldata manual --format markdown /tmp/calldata`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != man && format != markdown {
				return cli.UsageErrorf("--format is %q, want %s or %s", format, man, markdown)
			}
			n, err := write(cmd.Root(), args[0], format)
			if err != nil {
				return fmt.Errorf("write the pages: %w", err)
			}
			_, err = fmt.Fprintf(streams.Out, "%d pages in %s\n", n, args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", man, "man or markdown")
	return cmd
}

// write answers how many pages it has written.
func write(root *cobra.Command, dir, format string) (int, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pages are for everybody
		return 0, err
	}
	pages, err := Markdown(root)
	if format == man {
		pages, err = roff(root)
	}
	if err != nil {
		return 0, err
	}
	for name, page := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil { //nolint:gosec // pages are for everybody
			return 0, err
		}
	}
	return len(pages), nil
}

// each calls do for every command that is shown.
func each(cmd *cobra.Command, do func(*cobra.Command) error) error {
	if err := do(cmd); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() {
			if err := each(c, do); err != nil {
				return err
			}
		}
	}
	return nil
}

// Markdown answers the pages by the names of their files. Equal commands give equal pages.
func Markdown(root *cobra.Command) (map[string][]byte, error) {
	pages := map[string][]byte{}
	err := each(root, func(cmd *cobra.Command) error {
		cmd.DisableAutoGenTag = true
		long := cmd.Long
		cmd.Long = listings(long)
		defer func() { cmd.Long = long }()
		var page bytes.Buffer
		err := doc.GenMarkdown(cmd, &page)
		text := strings.ReplaceAll(page.String(), "\t - ", " - ") // between a link and its text
		pages[name(cmd, "_")+extension] = []byte(strings.TrimRight(text, "\n") + "\n")
		return err
	})
	return pages, err
}

func roff(root *cobra.Command) (map[string][]byte, error) {
	pages := map[string][]byte{}
	err := each(root, func(cmd *cobra.Command) error {
		cmd.DisableAutoGenTag = true
		var page bytes.Buffer
		err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Source: "calldata " + version.Get().Version, Manual: "CallData Foundation"}, &page)
		pages[name(cmd, "-")+".1"] = page.Bytes()
		return err
	})
	return pages, err
}

func name(cmd *cobra.Command, joint string) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", joint)
}

// listings makes listings of the indented lines of a help text: a page of Markdown would run them together.
func listings(text string) string {
	var out []string
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != inside {
			inside = indented
			if line != "" {
				out = append(out, "")
			}
		}
		if inside {
			line = "  " + line
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// Stale answers the names of files in dir that are not as Markdown makes them, that are missing, or that no command has.
func Stale(dir string, root *cobra.Command) ([]string, error) {
	pages, err := Markdown(root)
	if err != nil {
		return nil, err
	}
	var stale []string
	for name, page := range pages {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(data, page) { //nolint:gosec // the repository's own
			stale = append(stale, name)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		if _, ok := pages[filepath.Base(file)]; !ok {
			stale = append(stale, filepath.Base(file))
		}
	}
	slices.Sort(stale)
	return stale, err
}
