package preflight

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
)

// Result is what one check found.
type Result struct {
	// Name is the check's name, for example "quota-addresses".
	Name string `json:"name"`
	verdict.Outcome
}

// Report is what all checks found.
type Report struct {
	// Stack and Region are where the deployment is to be; Account is empty without credentials.
	Stack   string `json:"stack"`
	Region  string `json:"region"`
	Account string `json:"account,omitempty"`
	// Ready tells whether no check failed. Warnings and skipped checks do not count.
	Ready bool `json:"ready"`
	// Checks are in a fixed order.
	Checks []Result `json:"checks"`
}

// sort puts the checks into the order of names, and judges.
func (r *Report) sort(order []string) {
	slices.SortStableFunc(r.Checks, func(a, b Result) int {
		return cmp.Compare(slices.Index(order, a.Name), slices.Index(order, b.Name))
	})
	r.Ready = len(r.failures()) == 0
}

func (r *Report) failures() []Result {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Result) bool { return c.Status != verdict.Fail })
}

func (r *Report) err() error {
	failures := r.failures()
	if len(failures) == 0 {
		return nil
	}
	names := make([]string, len(failures))
	for i, f := range failures {
		names[i] = f.Name
	}
	return cli.WithCode(cli.ExitUnhealthy, fmt.Errorf("stack %s cannot be deployed yet: %d of %d checks failed: %s",
		r.Stack, len(failures), len(r.Checks), strings.Join(names, ", ")))
}

func (r *Report) table(w io.Writer) error { return Table(w, r.Checks) }

// Table prints results; each line of a detail has a row of its own.
func Table(w io.Writer, results []Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CHECK\tSTATUS\tDETAIL") // tabwriter keeps errors until Flush
	for _, r := range results {
		name, status := r.Name, string(r.Status)
		for line := range strings.SplitSeq(r.Detail, "\n") {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", name, status, line)
			name, status = "", ""
		}
	}
	return table.Flush()
}
