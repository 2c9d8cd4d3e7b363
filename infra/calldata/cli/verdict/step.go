package verdict

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// Step is what came of one step of a command that does several things, one after the other.
type Step struct {
	Name string `json:"name"`
	Outcome
}

// Of is the outcome of what began at a time and ended now: what was seen, unless err says that it failed or was skipped (progress.ErrSkipped).
func Of(begin time.Time, detail string, err error) Outcome {
	o := Outcome{Status: OK, Detail: detail, Seconds: time.Since(begin).Seconds()}
	switch {
	case errors.Is(err, progress.ErrSkipped):
		o.Status, o.Detail = Skip, strings.TrimPrefix(err.Error(), progress.ErrSkipped.Error()+": ")
	case err != nil:
		o.Status, o.Detail = Fail, err.Error()
	}
	return o
}

// WriteSteps writes steps as a table for a person. Of a detail of several lines it has the first: an error is shown whole elsewhere.
func WriteSteps(w io.Writer, steps []Step) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "STEP\t"+Header) // tabwriter keeps errors until Flush
	for _, s := range steps {
		if first, _, more := strings.Cut(s.Detail, "\n"); more {
			s.Detail = first + " …"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\n", s.Name, s.Row())
	}
	return table.Flush()
}
