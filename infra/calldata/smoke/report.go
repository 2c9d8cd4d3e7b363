package smoke

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/sip"
)

// Step is one thing that was tried.
type Step struct {
	// Name is one of the Step constants.
	Name string `json:"name"`
	verdict.Outcome
}

// Report is the outcome of a smoke test.
type Report struct {
	// Stack is the stack's name; Endpoint the SIP URI that was called; Local the address that it was called from.
	Stack    string `json:"stack"`
	Endpoint string `json:"endpoint"`
	Local    string `json:"local,omitempty"`
	// Passed tells whether no step failed.
	Passed bool `json:"passed"`
	// Steps are in the order in which they ran.
	Steps []Step `json:"steps"`
	// Media counts what came of the call's audio; nil when no call was answered.
	Media *sip.Media `json:"media,omitempty"`
}

// failed answers the first step that failed.
func (r Report) failed() (Step, bool) {
	for _, s := range r.Steps {
		if s.Status == verdict.Fail {
			return s, true
		}
	}
	return Step{}, false
}

func (r Report) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "STEP\t"+verdict.Header) // tabwriter keeps errors until Flush
	for _, s := range r.Steps {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", s.Name, s.Row())
	}
	return table.Flush()
}
