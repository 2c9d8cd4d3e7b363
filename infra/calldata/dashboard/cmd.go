package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
)

// Options is what `calldata dashboard preview` works with.
type Options struct {
	// IO is where results go.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Name is one dashboard, with or without the stack's name before it; empty is all.
	Name string
	// Out is the file of the picture, "-" for standard output; empty is none.
	Out string
	// JSON prints the dashboards as JSON instead of a table.
	JSON bool
}

// standardOutput is the value of Out for no file.
const standardOutput = "-"

// NewCmdDashboard makes the command.
func NewCmdDashboard(streams *cli.IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Look at the dashboards of a stack",
		Long: `A stack with alarms has dashboards in CloudWatch: an overview, and one each for the SIP edge, the engines, the database and the
fleets that it has. They are made from the stack's settings: what alarms watch is drawn with the alarms' thresholds.`,
	}
	cmd.AddCommand(newCmdPreview(streams))
	return cmd
}

func newCmdPreview(streams *cli.IO) *cobra.Command {
	opts := &Options{IO: streams}
	cmd := &cobra.Command{
		Use:   "preview STACK [NAME]",
		Short: "Draw the dashboards of a stack before it is deployed",
		Long: `List the dashboards that a stack's settings come to, and with --out draw them, or the one that is named, as a picture: the grid,
titles, axes and thresholds are those of CloudWatch, the lines and numbers are sample data. With --json, bodies are those that
CloudWatch is given, with the names of machines in the place of what only AWS can tell. AWS is not asked.

Exit codes: 0 done, 2 wrong input.`,
		Example: `  calldata dashboard preview stage --examples --out stage.svg
  calldata dashboard preview prod sip-edge --examples --out - >sip-edge.svg
  calldata dashboard preview dev --set c4=true
  calldata dashboard preview prod overview --examples --json | jq '.dashboards[0].body'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				opts.Name, args = args[1], args[:1]
			}
			return opts.Source.Args(cmd, args)
		},
		ValidArgsFunction: opts.complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	opts.Source.AddFlags(flags)
	flags.StringVar(&opts.Out, "out", "", "write a picture to this file, FILE.svg, or with - to standard output")
	flags.BoolVar(&opts.JSON, "json", false, "print the dashboards as JSON")
	return cmd
}

// complete offers stacks, and then what the stack's dashboards are called.
func (o *Options) complete(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return o.Source.Complete(cmd, args, begun)
	}
	source := o.Source
	source.Stack, source.Examples = args[0], true
	var names []string
	if t, _, err := source.Load(); err == nil {
		for _, name := range dashboards.Names(t.Stack, t.Watched()) {
			names = append(names, strings.TrimPrefix(name, t.Stack+"-"))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// Preview is what a stack's settings come to.
type Preview struct {
	Stack string `json:"stack"`
	// Deployed says whether a deployment makes them.
	Deployed   bool      `json:"deployed"`
	Dashboards []Summary `json:"dashboards"`
	// Examples are settings that have example values.
	Examples []string `json:"examples,omitempty"`
}

// Summary is a dashboard, and how much is on it.
type Summary struct {
	dashboards.Dashboard
	Widgets int `json:"widgets"`
	Metrics int `json:"metrics"`
}

func run(_ context.Context, o *Options) error {
	t, examples, err := o.Source.Load()
	if err = errors.Join(o.validate(), err); err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	made, err := o.made(t)
	if err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	if o.Out == standardOutput {
		_, err := io.WriteString(o.IO.Out, picture(t, made))
		return err
	}
	if o.Out != "" {
		if err := os.WriteFile(o.Out, []byte(picture(t, made)), 0o600); err != nil {
			return fmt.Errorf("write the picture: %w", err)
		}
	}
	p := Preview{Stack: t.Stack, Deployed: t.Alarms.Dashboards, Examples: examples}
	for _, d := range made {
		p.Dashboards = append(p.Dashboards, Summary{Dashboard: d, Widgets: len(d.Body.Widgets), Metrics: d.Metrics()})
	}
	return o.IO.Print(o.JSON, p, p.write)
}

func (o *Options) validate() error {
	switch {
	case o.Out == standardOutput && o.JSON:
		return errors.New("--out - and --json both print: give --out a file, or leave one out")
	case o.Out != "" && o.Out != standardOutput && !strings.EqualFold(filepath.Ext(o.Out), ".svg"):
		return fmt.Errorf("--out is %q: want a name that ends in .svg; browsers show it, and programs such as rsvg-convert make other pictures of it", o.Out)
	}
	return nil
}

// made are the dashboards, or the one that was asked for.
func (o *Options) made(t stacks.Topology) ([]dashboards.Dashboard, error) {
	if t.Account != nil {
		return nil, fmt.Errorf("%s is an account's stack, which has no dashboards: name another, for example prod", t.Stack)
	}
	if t.Alarms == nil {
		return nil, fmt.Errorf("%s has no alarms, and so no dashboards: give the setting alarms another value than none, or try --set alarms=few", t.Stack)
	}
	made, err := dashboards.Build(arguments(t))
	if err != nil || o.Name == "" {
		return made, err
	}
	at := slices.IndexFunc(made, func(d dashboards.Dashboard) bool { return d.Name == o.Name || d.Name == t.Stack+"-"+o.Name })
	if at < 0 {
		return nil, fmt.Errorf("%s has no dashboard %q, it has %s", t.Stack, o.Name, strings.Join(dashboards.Names(t.Stack, t.Watched()), ", "))
	}
	return made[at : at+1], nil
}

// arguments has names in the place of what only AWS can tell.
func arguments(t stacks.Topology) dashboards.Args {
	args := dashboards.Args{
		Stack: t.Stack, Region: t.Region, Level: t.Alarms.Level, Hours: t.Alarms.Hours != nil, LogPrefix: stacks.LogPrefix(t.Stack), Runbook: t.Alarms.Runbook,
		ARN: func(alarm string) string {
			return fmt.Sprintf("arn:aws:cloudwatch:%s:000000000000:alarm:%s", t.Region, alarm)
		},
	}
	for _, thing := range t.Watched() {
		ids := map[string]string{}
		for _, dimension := range thing.Kind.Dimensions() {
			ids[dimension] = thing.Name
		}
		args.Things = append(args.Things, dashboards.Thing{Thing: thing, IDs: ids})
	}
	return args
}

func (p Preview) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "dashboard\twidgets\tmetrics") // Flush says what went wrong
	for _, d := range p.Dashboards {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\n", d.Name, d.Widgets, d.Metrics)
	}
	if !p.Deployed {
		_, _ = fmt.Fprintf(table, "\n%s is deployed without them: its setting dashboards says so.\n", p.Stack)
	}
	if len(p.Examples) > 0 {
		_, _ = fmt.Fprintf(table, "\nExample values: %s\n", strings.Join(p.Examples, ", "))
	}
	return table.Flush()
}
