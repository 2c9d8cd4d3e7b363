package policy

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/policy"
)

// result is a report that can be printed and ends the command.
type result struct{ policy.Report }

// writeTable lists what was found, then what is excepted and why, then what needs no exception any more.
func (r result) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(level any, rule, resource, text string) { // tabwriter keeps errors until Flush
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", level, rule, cmp.Or(resource, "-"), text)
	}
	if len(r.Violations)+len(r.Exceptions)+len(r.Stale) > 0 {
		row("LEVEL", "RULE", "RESOURCE", "WHAT")
	}
	for _, v := range r.Violations {
		row(v.Level, v.Rule, v.Resource, v.Message)
	}
	for _, e := range r.Exceptions {
		row("excepted", e.Rule, e.Resource, fmt.Sprintf("%s (it %s)", e.Reason, e.Message))
	}
	for _, e := range r.Stale {
		row("stale", e.Rule, e.Resource, "nothing needs this exception any more, take it away: "+e.Reason)
	}
	_, _ = fmt.Fprintf(table, "%d resources of %s judged by %d rules for %s: %d mandatory and %d advisory violations, %d excepted\n",
		r.Resources, r.Stack, r.Rules, r.Scope, len(r.Mandatory()), len(r.Violations)-len(r.Mandatory()), len(r.Exceptions))
	return table.Flush()
}

// err is nil unless a mandatory rule is broken.
func (r result) err() error {
	broken := r.Mandatory()
	if len(broken) == 0 {
		return nil
	}
	first := broken[0]
	return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("stack %s breaks mandatory policies %d times, first %s: %s %s",
		r.Stack, len(broken), first.Rule, cmp.Or(first.Resource, "the stack"), first.Message))
}
