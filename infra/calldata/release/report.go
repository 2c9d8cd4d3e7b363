package release

import (
	"errors"
	"fmt"
	"io"
	"strings"

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
	// Steps are what was done, each named so, as "green: calls to it".
	Steps []verdict.Step `json:"steps"`
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
		errs = append(errs, verdict.WriteSteps(w, r.Steps))
	}
	_, err := fmt.Fprintf(w, "%s: %s; %s\n", r.Stack, r.Result, words(r.Standings))
	errs = append(errs, err)
	if r.Next != "" {
		_, err = fmt.Fprintln(w, r.Next)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
