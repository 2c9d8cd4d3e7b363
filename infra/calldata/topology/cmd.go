package topology

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
	"github.com/calldata/calldata-foundation/stacks"
)

// Options is what `calldata topology` works with.
type Options struct {
	// IO is where the result goes.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// JSON, Mermaid and SVG choose a form other than the table. At most one is set.
	JSON, Mermaid, SVG bool
}

// NewCmdTopology makes the command.
func NewCmdTopology(streams *cli.IO) *cobra.Command {
	opts := &Options{IO: streams}
	cmd := &cobra.Command{
		Use:   "topology STACK",
		Short: "Show what a stack consists of",
		Long: `Show what a stack consists of, from its settings alone: networks, machines, fleets, edges, database, and what the
firewall lets through. AWS is not asked.

Exit codes: 0 done, 2 wrong input.`,
		Example: `  calldata topology prod
  calldata topology prod --examples --svg > prod.svg
  calldata topology stage --mermaid
  calldata topology dev --json | jq .traffic`,
		Args:              opts.Source.Args,
		ValidArgsFunction: opts.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Source.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the topology as JSON")
	cmd.Flags().BoolVar(&opts.Mermaid, "mermaid", false, "print a diagram in the language of mermaid.js")
	cmd.Flags().BoolVar(&opts.SVG, "svg", false, "print a picture as SVG")
	return cmd
}

// described is a topology with its traffic, which the topology keeps as rules.
type described struct {
	stacks.Topology
	Traffic []Link `json:"traffic,omitempty"`
}

func run(_ context.Context, o *Options) error {
	forms := 0
	for _, chosen := range []bool{o.JSON, o.Mermaid, o.SVG} {
		if chosen {
			forms++
		}
	}
	if forms > 1 {
		return cli.WithCode(cli.ExitUsage, errors.New("--json, --mermaid and --svg are three forms of one thing: choose one"))
	}
	t, _, err := o.Source.Load()
	if err != nil {
		return err
	}
	text := func(w io.Writer) error { return writeTable(w, t) }
	switch {
	case o.Mermaid:
		text = func(w io.Writer) error { return write(w, draw(t).mermaid()) }
	case o.SVG:
		text = func(w io.Writer) error { return write(w, draw(t).svg()) }
	}
	return o.IO.Print(o.JSON, described{t, Links(t)}, text)
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}
