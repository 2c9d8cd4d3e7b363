package cost

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stackarg"
)

// Options is what `calldata cost` works with.
type Options struct {
	// IO is where results go.
	IO *cli.IO
	// Source says which stack.
	Source stackarg.Source
	// Assumptions that are negative are those that suit the kind of stack.
	Assumptions Assumptions
	// JSON prints the estimate as JSON instead of a table.
	JSON bool
}

// unset is a flag that nobody gave.
const unset = -1

// NewCmdCost makes the command.
func NewCmdCost(streams *cli.IO) *cobra.Command {
	opts := &Options{IO: streams}
	cmd := &cobra.Command{
		Use:   "cost STACK",
		Short: "Estimate what a stack costs in a month",
		Long: `Estimate what a stack costs in a month, resource by resource, from its settings alone. AWS is not asked.

The prices are list prices on demand of ` + PricesOf + `, as of ` + AsOf + `; docs/reference/cost.md names the source of each, and
those that could not be verified. Usage is assumed, and the assumptions are printed. With --set, other settings can be
tried.

Exit codes: 0 done, 2 wrong input.`,
		Example: `  calldata cost prod
  calldata cost dev --set instanceType=t3.large
  calldata cost prod --examples --call-minutes 2000000 --json | jq .usd`,
		Args:              opts.Source.Args,
		ValidArgsFunction: opts.Source.Complete,
		RunE:              func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	opts.Source.AddFlags(flags)
	a := &opts.Assumptions
	flags.Float64Var(&a.CallMinutes, "call-minutes", unset, "minutes of calls in a month (default: 500000 in prod, else 1000)")
	flags.Float64Var(&a.LogGB, "log-gb", unset, "GB of logs that each machine writes in a month (default: 3 in prod, else 1)")
	flags.Float64Var(&a.NATGB, "nat-gb", unset, "GB that each private machine fetches through NAT in a month (default: 5)")
	flags.Float64Var(&a.WebRequests, "web-requests", unset, "millions of web requests in a month (default: 5 in prod, else 0.1)")
	flags.Float64Var(&a.CapacityUnits, "capacity-units", unset, "capacity units that each load balancer uses on average (default: 1)")
	flags.BoolVar(&opts.JSON, "json", false, "print the estimate as JSON")
	return cmd
}

func run(_ context.Context, o *Options) error {
	t, examples, err := o.Source.Load()
	if err != nil {
		return err
	}
	a := o.Assumptions.or(DefaultAssumptions(t.Kind))
	if err := a.validate(); err != nil {
		return cli.WithCode(cli.ExitUsage, err)
	}
	e := Of(t, a)
	e.Examples = examples
	return o.IO.Print(o.JSON, e, e.writeTable)
}

// or fills what was not given.
func (a Assumptions) or(b Assumptions) Assumptions {
	pick := func(given, otherwise float64) float64 {
		if given == unset {
			return otherwise
		}
		return given
	}
	return Assumptions{
		CallMinutes: pick(a.CallMinutes, b.CallMinutes), LogGB: pick(a.LogGB, b.LogGB), NATGB: pick(a.NATGB, b.NATGB),
		WebRequests: pick(a.WebRequests, b.WebRequests), CapacityUnits: pick(a.CapacityUnits, b.CapacityUnits),
	}
}
