package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/pages"
)

// marks are what stands after `sh` where a block of commands needs more than a clone. Blocks without one are run by TestDocsRun.
var marks = map[string]string{
	"aws":      "credentials for an AWS account, and often a stack in it",
	"github":   "a repository on GitHub, and gh",
	"root":     "root on Debian: a rehearsal, machines, Molecule",
	"operator": "the shell of a kept rehearsal of stage: `calldata rehearse stage --training` runs them there",
	"machine":  "a machine of the platform",
	"clone":    "minutes, or it writes into the clone or the home directory",
}

// harmless are the commands that blocks without a mark may have.
var harmless = []string{"calldata version", "calldata topology", "calldata cost", "calldata routing test", "calldata manual", "make help", "cat", "cd", "echo", "export"}

// noSocket is a call of kamcmd without the socket that our Kamailios have.
var noSocket = regexp.MustCompile(`kamcmd [^-]`)

func readPages(t *testing.T) []pages.Page {
	t.Helper()
	all, err := pages.Read(repository)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// written are the pages that people write.
func written(t *testing.T) []pages.Page {
	t.Helper()
	return slices.DeleteFunc(readPages(t), func(p pages.Page) bool { return strings.HasPrefix(p.Path, "docs/reference/") })
}

func TestDocsLinks(t *testing.T) {
	t.Parallel()
	assert.Empty(t, pages.Broken(repository, readPages(t)))
}

// Every page can be reached from the README.
func TestDocsAreReached(t *testing.T) {
	t.Parallel()
	links := map[string][]string{}
	for _, p := range readPages(t) {
		links[p.Path] = nil
		for _, l := range p.Links {
			path, _, _ := strings.Cut(l.Text, "#")
			links[p.Path] = append(links[p.Path], filepath.Join(filepath.Dir(p.Path), path))
		}
	}
	reached := map[string]bool{}
	var follow func(string)
	follow = func(path string) {
		for _, to := range append([]string{path}, links[path]...) {
			for _, page := range []string{to, filepath.Join(to, "README.md")} { // GitHub shows the README of a directory
				if _, ok := links[page]; ok && !reached[page] {
					reached[page] = true
					follow(page)
				}
			}
		}
	}
	follow("README.md")
	for path := range links {
		if !strings.HasPrefix(path, "docs/reference/") {
			assert.True(t, reached[path], "no link leads to %s", path)
		}
	}
}

// Commands in the docs are commands that there are, with flags and arguments that they take.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	commands := scriptCommands(t)
	count := 0
	for _, p := range written(t) {
		for _, f := range p.Fences {
			if f.Language != "sh" {
				assert.NotContains(t, []string{"bash", "shell", "console", "zsh"}, f.Language, "%s:%d: sh is what the docs call it", p.Path, f.Line)
				assert.NotRegexp(t, `(?m)^\$? ?(bin/)?(calldata|make|pulumi) `, onlyPlain(f), "%s:%d: commands belong in a block of sh", p.Path, f.Line)
				continue
			}
			count++
			assert.Empty(t, commands.Check(f.Text.Text), "%s:%d", p.Path, f.Line)
			assert.NotRegexp(t, noSocket, f.Text.Text, "%s:%d: Kamailio listens elsewhere than kamcmd looks", p.Path, f.Line)
			if f.Mark != "" {
				assert.NotEmpty(t, marks[f.Mark], "%s:%d: nobody knows the mark %q", p.Path, f.Line, f.Mark)
			}
		}
		for _, s := range p.Spans {
			assert.NotRegexp(t, noSocket, s.Text, "%s:%d: Kamailio listens elsewhere than kamcmd looks", p.Path, s.Line)
			if regexp.MustCompile(`^(bin/)?(calldata|make|pulumi)( |$)`).MatchString(s.Text) {
				count++
				assert.Empty(t, commands.Mention(strings.TrimPrefix(s.Text, "bin/")), "%s:%d: `%s`", p.Path, s.Line, s.Text)
			}
		}
	}
	assert.Greater(t, count, 100)
}

// onlyPlain is the text of a block that says nothing of its language.
func onlyPlain(f pages.Fence) string {
	if f.Language != "" {
		return ""
	}
	return f.Text.Text
}

// The examples of every help are taken by the commands.
func TestExamplesAreTaken(t *testing.T) {
	t.Parallel()
	commands := scriptCommands(t)
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		assert.Empty(t, commands.Check(cmd.Example), cmd.CommandPath())
		assert.NotRegexp(t, noSocket, cmd.Example, cmd.CommandPath())
		for _, c := range cmd.Commands() {
			look(c)
		}
	}
	look(root(cli.System()))
}

// The page on operating has every exit code.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`(?m)^\tExit\w+ = (\d+)$`)
	source, err := os.ReadFile(filepath.Join(repository, "infra", "calldata", "cli", "exit.go"))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(repository, "docs", "operating.md"))
	require.NoError(t, err)
	found := code.FindAllStringSubmatch(string(source), -1)
	require.NotEmpty(t, found)
	for _, c := range found {
		assert.True(t, strings.Contains(string(page), "\n| "+c[1]+" | "), c[1])
	}
}

// The page on documentation explains every mark.
func TestMarksAreExplained(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, "docs", "README.md"))
	require.NoError(t, err)
	for mark, needs := range marks {
		assert.Contains(t, string(data), fmt.Sprintf("| `sh %s` | %s |", mark, needs))
	}
}

// Files that text names are there.
func TestDocsNameFilesThatExist(t *testing.T) {
	t.Parallel()
	path := regexp.MustCompile(`^(?:\.ci|\.github|ansible|components|docs|infra|stacks)/[\w./-]+$|^Pulumi\.[a-z]+\.yaml$`)
	for _, p := range written(t) {
		for _, s := range p.Spans {
			if !path.MatchString(s.Text) || regexp.MustCompile(`\b[A-Z]{3,}\b|\bpr\b|/(routing|tenant|vault)\.yml$`).MatchString(s.Text) { // stands for another word, or is made by the operator
				continue
			}
			_, err := os.Stat(filepath.Join(repository, s.Text))
			assert.NoError(t, err, "%s:%d", p.Path, s.Line)
		}
	}
}

// TestMain lets this program be the command, under its name: so that what the docs say is run by the command of this very source.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "calldata" {
		main()
	}
	os.Exit(m.Run())
}

// Blocks of commands without a mark, and such commands within text as need only a stack's name, are run and end well.
func TestDocsRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	ran := 0
	try := func(p pages.Page, script pages.Text) {
		ran++
		t.Run(fmt.Sprintf("%s:%d", p.Path, script.Line), func(t *testing.T) {
			t.Parallel()
			require.Empty(t, harmful(t, script.Text), "mark the block, as docs/README.md tells")
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script.Text) //nolint:gosec // harmless
			cmd.Dir = clone(t, self)
			cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + filepath.Join(cmd.Dir, "bin") + ":" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
	whole := regexp.MustCompile(`^(bin/)?calldata (topology|cost) [a-z]+( --[a-z].*)?$`)
	for _, p := range written(t) {
		for _, f := range p.Fences {
			if f.Language == "sh" && f.Mark == "" {
				try(p, f.Text)
			}
		}
		for _, s := range p.Spans {
			if whole.MatchString(s.Text) && len(harmful(t, s.Text)) == 0 {
				try(p, s)
			}
		}
	}
	assert.Greater(t, ran, 5)
}

// clone is a directory that looks like the repository after `make bin/calldata`.
func clone(t *testing.T, self string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs(repository)
	require.NoError(t, err)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, e := range entries {
		if name := e.Name(); name != "bin" && name != ".git" && name != ".calldata" {
			require.NoError(t, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
		}
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "bin", "calldata")))
	return dir
}

// harmful are the commands of a script that need a mark.
func harmful(t *testing.T, script string) []string {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	require.NoError(t, err)
	var found []string
	syntax.Walk(file, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		var text strings.Builder
		require.NoError(t, syntax.NewPrinter().Print(&text, call))
		line := strings.TrimPrefix(text.String(), "bin/") + " "
		if !slices.ContainsFunc(harmless, func(h string) bool { return strings.HasPrefix(line, h+" ") }) {
			found = append(found, text.String())
		}
		return true
	})
	return found
}

// The runbook says what to do at every alarm that a stack registers, whom it calls, and what every metric means.
func TestRunbookHasEveryAlarm(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, "docs", "runbook.md"))
	require.NoError(t, err)
	page := string(data)
	_, anchor, _ := strings.Cut(alarms.Runbook, "#")
	assert.Contains(t, page, "\n### "+strings.ReplaceAll(strings.ToUpper(anchor[:1])+anchor[1:], "-", " ")+"\n", "alarms say that they are explained there")
	for _, alarm := range alarms.All() {
		assert.Equal(t, 1, strings.Count(page, fmt.Sprintf("\n| `%s` | %s | ", alarm.Name, alarm.Severity)), "what is to be done at the alarm %s, which is a %s?", alarm.Name, alarm.Severity)
	}
	assert.Equal(t, 1, strings.Count(page, fmt.Sprintf("\n| `%s` | ", alarms.CopyJobsFailed)))
	graphs, err := filepath.Glob(filepath.Join(repository, "stacks", "deploy", "testdata", "*.golden.json"))
	require.NoError(t, err)
	known := map[string]bool{}
	for _, path := range graphs {
		data, err := os.ReadFile(path) //nolint:gosec // the repository's
		require.NoError(t, err)
		var graph []struct {
			Type, Name string
			Inputs     struct{ MetricName, AlarmDescription string }
		}
		require.NoError(t, json.Unmarshal(data, &graph))
		for _, r := range graph {
			if strings.HasSuffix(r.Inputs.AlarmDescription, alarms.Runbook) {
				continue
			}
			switch r.Type {
			case "aws:cloudwatch/metricAlarm:MetricAlarm":
				known[cmp.Or(r.Inputs.MetricName, r.Name)] = true
			case "aws:cloudwatch/compositeAlarm:CompositeAlarm", "aws:cloudwatch/eventRule:EventRule":
				_, name, _ := strings.Cut(r.Name, "-") // the stack's
				known[name] = true
			}
		}
	}
	assert.Greater(t, len(known), 15)
	for name := range known {
		assert.True(t, strings.Contains(page, "\n| `"+name+"` | "), "what is to be done at the alarm %s?", name)
	}
	for _, name := range metrics.All() {
		assert.True(t, strings.Contains(page, "\n| `"+name+"` | "), "what does the metric %s mean?", name)
	}
}
