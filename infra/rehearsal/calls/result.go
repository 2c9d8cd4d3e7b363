package calls

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
)

// Result is what came of all scenarios. Its JSON form has these names.
type Result struct {
	Stack  string `json:"stack"`
	Passed bool   `json:"passed"`
	// Scenarios are in the order in which they ran.
	Scenarios []Outcome `json:"scenarios"`
	Seconds   float64   `json:"seconds"`
}

// Outcome is what came of one scenario.
type Outcome struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	verdict.Outcome
	// Step is the step that failed.
	Step string `json:"step,omitempty"`
	// Figures are what was measured.
	Figures []Figure `json:"figures,omitempty"`
}

// Figure is one measured value.
type Figure struct {
	// Name says what it is, Unit what it counts: "s", "ms", "calls", "calls/s", "packets", "MiB", or empty for a ratio.
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// String is "calls lost 0 calls".
func (f Figure) String() string {
	text := fmt.Sprintf("%.2f", f.Value)
	if f.Value == float64(int64(f.Value)) {
		text = fmt.Sprintf("%d", int64(f.Value))
	}
	return strings.TrimSpace(f.Name + " " + text + " " + f.Unit)
}

// Told is what the scenario has seen and measured: the step that failed and why, or a detail, and the figures.
func (o Outcome) Told() string {
	var all []string
	switch {
	case o.Step != "":
		all = append(all, o.Step+": "+o.Detail)
	case o.Detail != "":
		all = append(all, o.Detail)
	}
	for _, f := range o.Figures {
		all = append(all, f.String())
	}
	return strings.Join(all, "; ")
}

// Failures are the scenarios that failed, each with the step that did.
func (r Result) Failures() []string {
	var out []string
	for _, s := range r.Scenarios {
		if s.Status == verdict.Fail {
			out = append(out, fmt.Sprintf("%s: %s: %s: %s", s.Group, s.Name, s.Step, s.Detail))
		}
	}
	return out
}

// Counts are how many scenarios there were, by status.
func (r Result) Counts() map[verdict.Status]int {
	count := map[verdict.Status]int{}
	for _, s := range r.Scenarios {
		count[s.Status]++
	}
	return count
}

// WriteTable writes the scenarios for a person, and what failed once more at the end.
func (r Result) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "GROUP\tSCENARIO\t"+verdict.Header) // tabwriter keeps errors until Flush
	for _, s := range r.Scenarios {
		shown := s.Outcome
		shown.Detail = s.Told()
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Group, s.Name, shown.Row())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	failures := r.Failures()
	if len(failures) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%d of %d scenarios failed:\n  %s\n", len(failures), len(r.Scenarios), strings.Join(failures, "\n  "))
	return err
}
