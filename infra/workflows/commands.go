package workflows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"
)

// Commands are what scripts may call.
type Commands struct {
	// Root is the repository.
	Root string
	// Calldata is the command's tree.
	Calldata *cobra.Command
	// Targets are those of the Makefile.
	Targets []string
}

// wrapper is a script that runs the command that follows it.
const wrapper = ".ci/summary"

// commands wants every target of make and what it runs, every verb and flag of calldata and every file in .ci that a script calls to exist.
func commands(f File, c Commands, report reporter) {
	for _, j := range f.Jobs {
		for _, s := range j.Steps {
			if s.Run == "" || strings.Contains(s.Run, "${{") { // for the rule of injections
				continue
			}
			for _, wrong := range c.Check(s.Run) {
				report(s.Line, "%s", wrong)
			}
		}
	}
}

// Check says what is wrong with the commands of a bash script.
func (c Commands) Check(script string) []string {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	syntax.Walk(file, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			wrong = append(wrong, c.call(words(call.Args))...)
		}
		return true
	})
	return wrong
}

// placeholder stands for a word that is not written out, such as "$STACK".
const placeholder = "placeholder"

// words are those of a call.
func words(args []*syntax.Word) []string {
	var out []string
	for _, w := range args {
		text, ok := literal(w.Parts)
		if !ok {
			text = placeholder
		}
		out = append(out, text)
	}
	return out
}

func literal(parts []syntax.WordPart) (string, bool) {
	text := ""
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			text += p.Value
		case *syntax.SglQuoted:
			text += p.Value
		case *syntax.DblQuoted:
			inner, ok := literal(p.Parts)
			if !ok {
				return "", false
			}
			text += inner
		default:
			return "", false
		}
	}
	return text, true
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

// call checks one call.
func (c Commands) call(words []string) []string {
	var wrong []string
	if strings.HasPrefix(words[0], ".ci/") && !c.executable(words[0]) {
		wrong = append(wrong, words[0]+" is not there, or not executable")
	}
	if words[0] == wrapper && len(words) > 1 {
		return append(wrong, c.call(words[1:])...)
	}
	switch filepath.Base(words[0]) {
	case "make":
		wrong = append(wrong, c.make(words[1:])...)
	case "calldata":
		if err := c.verb(words[1:]); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong
}

// make checks targets, and what make would run for them.
func (c Commands) make(args []string) []string {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == placeholder })
	var wrong []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-") && !assignment.MatchString(a) && !slices.Contains(c.Targets, a) {
			wrong = append(wrong, "the Makefile has no target "+a)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	cmd := exec.Command("make", append([]string{"-n", "--no-print-directory", "-C", c.Root}, args...)...) //nolint:gosec,noctx // it only prints
	cmd.Env = append(os.Environ(), "MAKEFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		return []string{fmt.Sprintf("make -n %s: %v", strings.Join(args, " "), err)}
	}
	return c.Check(string(out))
}

// verb finds the command that args mean, and its flags.
func (c Commands) verb(args []string) error {
	cmd, rest, err := c.Calldata.Find(args)
	if err != nil {
		return fmt.Errorf("calldata %s: %w", strings.Join(args, " "), err)
	}
	if !cmd.Runnable() {
		return fmt.Errorf("calldata %s: %s has no such verb", strings.Join(args, " "), cmd.CommandPath())
	}
	for _, arg := range rest {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "-" || arg == "--" || !strings.HasPrefix(arg, "-"):
		case strings.HasPrefix(arg, "--") && cmd.Flag(name) == nil,
			!strings.HasPrefix(arg, "--") && cmd.Flags().ShorthandLookup(name[:1]) == nil:
			return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), arg)
		}
	}
	return nil
}

func (c Commands) exists(path string) bool {
	_, err := os.Stat(filepath.Join(c.Root, path))
	return err == nil
}

func (c Commands) executable(path string) bool {
	info, err := os.Stat(filepath.Join(c.Root, path))
	return err == nil && info.Mode()&0o111 != 0
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

// Targets are the targets that the Makefile at root explains or marks as such.
func Targets(root string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(root, "Makefile")) //nolint:gosec // the repository's
	if err != nil {
		return nil, err
	}
	var names []string
	for _, found := range target.FindAllStringSubmatch(string(data), -1) {
		names = append(names, found[1])
	}
	return names, nil
}
