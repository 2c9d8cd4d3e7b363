// Package verdict is how commands that try things say what came of each.
package verdict

import (
	"fmt"
	"time"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
)

// Status is how a check or a step ended.
type Status string

const (
	// OK means that it is as it should be.
	OK Status = "ok"
	// Warn means that it works, but somebody should look at it.
	Warn Status = "warn"
	// Fail means that it does not work.
	Fail Status = "fail"
	// Skip means that it was not tried; the detail says why.
	Skip Status = "skip"
)

// Outcome is how one check or step ended. Embed it: its fields then stand in JSON beside those of the embedding struct.
type Outcome struct {
	// Status and Detail say how it ended and what was seen.
	Status Status `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
}

// Header names the columns of Row.
const Header = "STATUS\tTIME\tDETAIL"

// Row is the outcome as cells for text/tabwriter.
func (o Outcome) Row() string {
	took := time.Duration(o.Seconds * float64(time.Second))
	return fmt.Sprintf("%s\t%s\t%s", o.Status, progress.Short(took), o.Detail)
}
