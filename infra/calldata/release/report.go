package release

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/stacks"
)

// How a release ended.
const (
	// Planned: it was a dry run.
	Planned = "planned"
	// Released: the new colour takes the calls, the old one is kept.
	Released = "released"
	// WentBack: the colour that was there before takes the calls again.
	WentBack = "went back"
	// Finished: the colour that takes no calls is gone.
	Finished = "finished"
	// Declined: somebody said no; Failed: a step failed, and nothing had to be taken back or could be.
	Declined = "declined"
	Failed   = "failed"
)

// Step is what came of one step.
type Step struct {
	// Name says what was done, for example "green: calls to it".
	Name string `json:"name"`
	verdict.Outcome
}

// Report is what came of a release.
type Report struct {
	// Stack is the stack's name, Result one of the constants above.
	Stack  string `json:"stack"`
	Result string `json:"result"`
	// Base is the colour that was there before, Fresh the one that the release brings.
	Base  stacks.Colour `json:"base"`
	Fresh stacks.Colour `json:"fresh"`
	// Standings are how the fleets of each colour stand now.
	Standings map[stacks.Colour]stacks.Standing `json:"standings"`
	// Plan is what was to be done, Notes what somebody should know of it.
	Plan  []string `json:"plan"`
	Notes []string `json:"notes,omitempty"`
	// Steps are what was done.
	Steps []Step `json:"steps"`
	// Next is what may be done next.
	Next string `json:"next,omitempty"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
}

func (r *Report) judge(err error) {
	switch {
	case cli.Code(err) == cli.ExitDeclined:
		r.Result = Declined
	case err != nil && r.Result == "":
		r.Result = Failed
	}
	if err != nil {
		r.Error = err.Error()
	}
}

func (r *Report) writePlan(w io.Writer) error {
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "stack %s: %s\n", r.Stack, words(r.Standings))
	for i, step := range r.Plan {
		_, _ = fmt.Fprintf(&text, "  %d. %s\n", i+1, step)
	}
	for _, note := range r.Notes {
		_, _ = fmt.Fprintf(&text, "  %s\n", note)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// WriteTable writes the report for a person.
func (r *Report) WriteTable(w io.Writer) error {
	var errs []error
	if len(r.Steps) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "STEP\t"+verdict.Header) // tabwriter keeps errors until Flush
		for _, s := range r.Steps {
			if first, _, more := strings.Cut(s.Detail, "\n"); more {
				s.Detail = first + " …" // the error is shown whole
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\n", s.Name, s.Row())
		}
		errs = append(errs, table.Flush())
	}
	_, err := fmt.Fprintf(w, "%s: %s; %s\n", r.Stack, r.Result, words(r.Standings))
	errs = append(errs, err)
	if r.Next != "" {
		_, err = fmt.Fprintln(w, r.Next)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
