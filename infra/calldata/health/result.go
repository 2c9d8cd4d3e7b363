package health

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
)

// Result is what one check found.
type Result struct {
	// Name is one of the Check constants.
	Name string `json:"name"`
	// Node is the machine's name; empty for checks of an endpoint.
	Node string `json:"node,omitempty"`
	verdict.Outcome

	unreachable bool // the machine or endpoint did not answer at all
	coming      bool // machines of the fleet are setting themselves up
}

// Report is one round of checks.
type Report struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// Healthy tells whether no check failed. Warnings and skipped checks do not count.
	Healthy bool `json:"healthy"`
	// Checks are in a fixed order: by node, endpoints last, then by check.
	Checks []Result `json:"checks"`
}

// newReport sorts the results and judges them.
func newReport(stack string, results []Result) Report {
	order := func(name string) int { return slices.Index(checkOrder, name) }
	slices.SortStableFunc(results, func(a, b Result) int {
		return cmp.Or(
			cmp.Compare(boolToInt(a.Node == ""), boolToInt(b.Node == "")),
			cmp.Compare(a.Node, b.Node),
			cmp.Compare(order(a.Name), order(b.Name)),
		)
	})
	failed := slices.ContainsFunc(results, func(r Result) bool { return r.Status == verdict.Fail })
	return Report{Stack: stack, Healthy: !failed, Checks: results}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// failures lists the checks that failed.
func (r Report) failures() []Result {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Result) bool { return c.Status != verdict.Fail })
}

// err answers nil for a healthy report, or an error whose exit code tells a machine that cannot be reached from one that
// is ill.
func (r Report) err() error {
	failures := r.failures()
	if len(failures) == 0 {
		return nil
	}
	first := failures[0]
	where := first.Name
	if first.Node != "" {
		where = first.Node + " " + first.Name
	}
	err := fmt.Errorf("stack %s is not healthy: %d of %d checks failed, first %s: %s",
		r.Stack, len(failures), len(r.Checks), where, first.Detail)
	code := cli.ExitUnhealthy
	if slices.ContainsFunc(failures, func(c Result) bool { return c.unreachable }) {
		code = cli.ExitUnreachable
	}
	return cli.WithCode(code, err)
}

func (r Report) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NODE\tCHECK\t"+verdict.Header) // tabwriter keeps errors until Flush
	for _, c := range r.Checks {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", cmp.Or(c.Node, "-"), c.Name, c.Row())
	}
	return table.Flush()
}
