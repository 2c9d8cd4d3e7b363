package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"

	"github.com/calldata/calldata-foundation/components/baseline/permission"
)

// Commands are what scripts may call.
type Commands struct {
	// Root is the repository.
	Root string
	// Calldata makes the command's tree: a new one each time, since flags keep what they were given.
	Calldata func() *cobra.Command
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

// placeholder stands for a word that is not written out, such as "$STACK"; several for what may be any number of words, as $ARGS.
const (
	placeholder = "placeholder"
	several     = "placeholders"
)

// words are those of a call.
func words(args []*syntax.Word) []string {
	var out []string
	for _, w := range args {
		text, ok := literal(w.Parts)
		if _, quoted := w.Parts[0].(*syntax.DblQuoted); !ok && quoted && !strings.Contains(source(w), "@") {
			text = placeholder
		} else if !ok {
			text = several
		}
		out = append(out, text)
	}
	return out
}

func source(w *syntax.Word) string {
	var out strings.Builder
	_ = syntax.NewPrinter().Print(&out, w) // a strings.Builder takes everything
	return out.String()
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
	case "pulumi":
		wrong = append(wrong, c.pulumi(words[1:])...)
	}
	return wrong
}

// make checks targets, and what make would run for them.
func (c Commands) make(args []string) []string {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == placeholder || a == several })
	var wrong []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-") && !assignment.MatchString(a) && !slices.Contains(c.Targets, a) {
			wrong = append(wrong, "the Makefile has no target "+a)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	// -B and -s: what it would run for a fresh clone, and no remarks between the commands.
	cmd := exec.Command("make", append([]string{"-nBs", "--no-print-directory", "-C", c.Root}, args...)...) //nolint:gosec,noctx // it only prints
	cmd.Env = append(os.Environ(), "MAKEFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		return []string{fmt.Sprintf("make -n %s: %v", strings.Join(args, " "), err)}
	}
	return c.Check(string(out))
}

// verb finds the command that args mean, and has it take its flags and arguments.
func (c Commands) verb(args []string) error {
	cmd, rest, err := c.find(args)
	if err != nil {
		return err
	}
	if !cmd.Runnable() {
		return fmt.Errorf("calldata %s: %s has no such verb", strings.Join(args, " "), cmd.CommandPath())
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(known(cmd, rest)); err != nil {
		return fmt.Errorf("calldata %s: %w", strings.Join(args, " "), err)
	}
	if slices.Contains(rest, several) {
		return nil
	}
	given := cmd.Flags().Args()
	if err := errors.Join(cmd.ValidateArgs(given), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
		return fmt.Errorf("calldata %s: %w", strings.Join(args, " "), err)
	}
	if use := strings.Fields(cmd.Use); len(use) > 1 && len(given) > 0 && strings.EqualFold(strings.Trim(use[1], "[]<>"), "stack") {
		if err := c.stack(given[0]); err != nil {
			return err
		}
	}
	if flag := cmd.Flags().Lookup("stack"); flag != nil && flag.Changed {
		return c.stack(flag.Value.String())
	}
	return nil
}

// find finds the command that args mean, and sees that it has their flags.
func (c Commands) find(args []string) (*cobra.Command, []string, error) {
	cmd, rest, err := c.Calldata().Find(args)
	if err != nil {
		return nil, nil, fmt.Errorf("calldata %s: %w", strings.Join(args, " "), err)
	}
	for _, arg := range rest {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case arg == "-" || !strings.HasPrefix(arg, "-"), name == "help", arg == "-h":
		case strings.HasPrefix(arg, "--") && cmd.Flag(name) == nil,
			!strings.HasPrefix(arg, "--") && cmd.Flags().ShorthandLookup(name[:1]) == nil:
			return nil, nil, fmt.Errorf("%s has no flag %s", cmd.CommandPath(), arg)
		}
	}
	return cmd, rest, nil
}

// known are args with what their flags take by default in the place of what is not written out, which may be no number.
func known(cmd *cobra.Command, args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		flag := cmd.Flag(strings.TrimPrefix(name, "--"))
		switch {
		case !strings.HasPrefix(arg, "--") || flag == nil || flag.DefValue == "":
		case joined && value == placeholder:
			args[i] = name + "=" + flag.DefValue
		case !joined && flag.NoOptDefVal == "" && i+1 < len(args) && args[i+1] == placeholder:
			args[i+1] = flag.DefValue
		}
	}
	return args
}

// Mention says what is wrong with a command within a sentence. One that has no argument, such as `calldata drain --back`, need not be
// whole: its verb and its flags have to exist.
func (c Commands) Mention(text string) []string {
	args := strings.Fields(text)
	switch {
	case text == "calldata":
		return nil
	case args[0] != "calldata":
		return c.Check(text)
	}
	cmd, rest, err := c.find(args[1:])
	switch {
	case err != nil:
		return []string{err.Error()}
	case len(rest) > 0 && !strings.HasPrefix(rest[0], "-"):
		return c.Check(text)
	case !cmd.Runnable() && !cmd.HasSubCommands():
		return []string{text + ": there is no such verb"}
	}
	return nil
}

// variable is a word that stands for another one in a text.
var variable = regexp.MustCompile(`^<?[A-Z-]+>?$|^<[a-z-]+>$`)

// stack wants a stack to have its file. That of a pull request is made of another one.
func (c Commands) stack(name string) error {
	if _, ok := permission.RequestNumber(name); ok {
		name = permission.Requests
	}
	if name == placeholder || name == several || variable.MatchString(name) || c.exists("Pulumi."+name+".yaml") {
		return nil
	}
	return fmt.Errorf("stack %s has no file Pulumi.%s.yaml", name, name)
}

// pulumiCommands are those of Pulumi's that an operator of ours needs.
// Source: https://www.pulumi.com/docs/iac/cli/commands/, version 3.258.
var pulumiCommands = []string{
	"cancel", "config", "config get", "config rm", "config set", "destroy", "import", "login", "logout", "plugin install", "policy analyze", "preview", "refresh",
	"stack", "stack change-secrets-provider", "stack export", "stack history", "stack import", "stack init", "stack ls", "stack output", "stack select", "state delete", "up",
}

// group says whether a command of Pulumi's has commands of its own.
func group(name string) bool {
	return slices.ContainsFunc(pulumiCommands, func(p string) bool { return strings.HasPrefix(p, name+" ") })
}

// pulumi wants a command of Pulumi's to be known, and its stack to have a file.
func (c Commands) pulumi(args []string) []string {
	var words []string
	for i, a := range args {
		switch {
		case i > 0 && (args[i-1] == "-s" || args[i-1] == "--stack"):
			if err := c.stack(a); err != nil {
				return []string{err.Error()}
			}
		case !strings.HasPrefix(a, "-"):
			words = append(words, a)
		}
	}
	name := ""
	for len(words) > 0 && (name == "" || group(name)) {
		name, words = strings.TrimSpace(name+" "+words[0]), words[1:]
	}
	if !slices.Contains(pulumiCommands, name) {
		return []string{"pulumi " + strings.Join(args, " ") + ": no such command is known"}
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

var (
	target = regexp.MustCompile(`(?m)^([a-z][a-z-]*|\$\([A-Z]+\)):(?:[^=]|$)`)
	value  = regexp.MustCompile(`(?m)^([A-Z]+) *:= *(\S+)$`)
)

// Targets are the targets that the Makefile at root explains or marks as such, and the programs that it makes.
func Targets(root string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(root, "Makefile")) //nolint:gosec // the repository's
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, found := range value.FindAllStringSubmatch(string(data), -1) {
		values["$("+found[1]+")"] = found[2]
	}
	var names []string
	for _, found := range target.FindAllStringSubmatch(string(data), -1) {
		names = append(names, cmp.Or(values[found[1]], found[1]))
	}
	return names, nil
}
