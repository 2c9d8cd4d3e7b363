package outputs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/repo"
)

// masked stands for the value of a secret output, as in `pulumi stack output`.
const masked = "[secret]"

// widest is how much of a value a row of the table has room for, in characters.
const widest = 100

// Options is what `calldata outputs` works with.
type Options struct {
	// IO is where results go.
	IO *cli.IO
	// Dir is a directory inside the project. Default: the working directory.
	Dir string
	// Stack is the stack's name.
	Stack string
	// Name chooses one output, or with dots what is inside of it. Empty is all of them.
	Name string
	// ShowSecrets prints secret values instead of masking them.
	ShowSecrets bool
	// JSON prints JSON.
	JSON bool

	read func(ctx context.Context, root, stack string) (auto.OutputMap, error)
}

// NewCmdOutputs makes the command.
func NewCmdOutputs(streams *cli.IO) *cobra.Command {
	return newCmd(&Options{IO: streams, read: read})
}

func newCmd(opts *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "outputs STACK [NAME]",
		Short: "Print what a stack tells the outside",
		Long: `Print the outputs of a deployed stack: its machines, where people, phones and carriers reach it, its inventory. What is long
is cut in the table; NAME prints one output whole, and with dots what is inside of it. JSON has the form that commands take with --outputs.

Secret outputs are masked; --show-secrets prints them.

Exit codes: 0 done, 1 the state could not be read, 2 wrong input, 6 Pulumi is missing.`,
		Example: `  calldata outputs dev
  calldata outputs prod endpoints.web
  calldata outputs dev inventory | calldata configure --stack dev
  calldata outputs stage --json | calldata health --outputs -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return cli.UsageErrorf("want the name of one stack, for example dev, and perhaps of one output, got %d arguments", len(args))
			}
			opts.Stack, opts.Name = args[0], strings.Join(args[1:], "")
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.ShowSecrets, "show-secrets", false, "print secret outputs instead of masking them")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print JSON")
	return cmd
}

func read(ctx context.Context, root, stack string) (auto.OutputMap, error) {
	s, err := automation.Open(ctx, automation.Options{Dir: root, Stack: stack})
	if err != nil {
		return nil, err
	}
	return s.Outputs(ctx)
}

func run(ctx context.Context, o *Options) error {
	root, err := repo.Find(o.Dir)
	if err != nil {
		return err
	}
	outputs, err := o.read(ctx, root, o.Stack)
	if err != nil {
		return err
	}
	all := Mask(outputs, o.ShowSecrets)
	if o.Name == "" {
		return o.IO.Print(o.JSON, all, func(w io.Writer) error { return writeTable(w, o.Stack, all) })
	}
	value, err := inside(all, o.Name)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, fmt.Errorf("stack %s: %w", o.Stack, err))
	}
	text, isText := value.(string)
	return o.IO.Print(o.JSON || !isText, value, func(w io.Writer) error {
		_, err := io.WriteString(w, strings.TrimRight(text, "\n")+"\n")
		return err
	})
}

// Mask is the outputs' values, with [secret] in the place of secret ones unless show is true.
func Mask(outputs auto.OutputMap, show bool) map[string]any {
	values := map[string]any{}
	for name, v := range outputs {
		if values[name] = v.Value; v.Secret && !show {
			values[name] = masked
		}
	}
	return values
}

// inside finds a value by its path.
func inside(values map[string]any, path string) (any, error) {
	var at any = values
	for part := range strings.SplitSeq(path, ".") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("output %s: there is nothing with names in it before %q", path, part)
		}
		if at, ok = object[part]; !ok {
			return nil, fmt.Errorf("output %s: %q is none of %s", path, part, strings.Join(slices.Sorted(maps.Keys(object)), ", "))
		}
	}
	return at, nil
}

// writeTable gives an object a row for each of its parts, and everything else one.
func writeTable(w io.Writer, stack string, values map[string]any) error {
	if len(values) == 0 {
		_, err := fmt.Fprintf(w, "stack %s has no outputs: it is not deployed\n", stack)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "OUTPUT\tVALUE") // tabwriter keeps errors until Flush
	var errs []error
	row := func(name string, value any) {
		text, err := short(value)
		errs = append(errs, err)
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, text)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts, isObject := values[name].(map[string]any)
		if !isObject {
			row(name, values[name])
		}
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			row(name+"."+part, parts[part])
		}
	}
	return errors.Join(append(errs, table.Flush())...)
}

// short is a value in one row.
func short(value any) (string, error) {
	text, isText := value.(string)
	if !isText {
		data, err := json.Marshal(value)
		if err != nil {
			return "", err
		}
		text = string(data)
	}
	first, more, lines := strings.Cut(strings.TrimRight(text, "\n"), "\n")
	if lines {
		first += fmt.Sprintf(" … (%d more lines)", strings.Count(more, "\n")+1)
	}
	if runes := []rune(first); len(runes) > widest {
		first = string(runes[:widest]) + "…"
	}
	return first, nil
}
