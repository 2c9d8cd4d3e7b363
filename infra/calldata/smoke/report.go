package smoke

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/calldata/smoke/sip"
)

// Status is how a step ended.
type Status string

const (
	// StatusOK: as it should be.
	StatusOK Status = "ok"
	// StatusWarn: it works, but somebody should look at it.
	StatusWarn Status = "warn"
	// StatusFail: it does not work.
	StatusFail Status = "fail"
	// StatusSkip: not tried, because an earlier step failed.
	StatusSkip Status = "skip"
)

// Step is one thing that was tried.
type Step struct {
	// Name is one of the Step constants.
	Name string `json:"name"`
	// Status and Detail say how it ended and what was seen.
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Duration is how long it took.
	Duration time.Duration `json:"-"`
}

// MarshalJSON gives the duration in seconds.
func (s Step) MarshalJSON() ([]byte, error) {
	type plain Step
	return json.Marshal(struct {
		plain
		Seconds float64 `json:"seconds"`
	}{plain(s), s.Duration.Seconds()})
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
		if s.Status == StatusFail {
			return s, true
		}
	}
	return Step{}, false
}

func (r Report) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "STEP\tSTATUS\tTIME\tDETAIL") // tabwriter keeps errors until Flush
	for _, s := range r.Steps {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Status, progress.Short(s.Duration), s.Detail)
	}
	return table.Flush()
}

func (r Report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
