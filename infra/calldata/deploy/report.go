package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/verdict"
	"github.com/calldata/calldata-foundation/infra/calldata/preview"
	"github.com/calldata/calldata-foundation/stacks"
)

// The steps, in their order.
const (
	StepRehearsal = "rehearsal"
	StepPreflight = "preflight"
	StepPreview   = "preview"
	StepPolicies  = "policies"
	StepConfirm   = "confirm"
	StepUp        = "up"
	StepHealth    = "health"
	StepSmoke     = "smoke"
)

// How a deployment ended.
const (
	// Deployed: every step did its work; Unchanged: no resource changed, and the stack is well.
	Deployed  = "deployed"
	Unchanged = "unchanged"
	// Previewed: it was a dry run.
	Previewed = "previewed"
	// Declined: somebody said no; Failed: a step failed.
	Declined = "declined"
	Failed   = "failed"
)

// Report is what came of a deployment.
type Report struct {
	// Stack is the stack's name, Result one of the constants above.
	Stack  string `json:"stack"`
	Result string `json:"result"`
	// Resumes says how the last deployment ended, where it did not end well and this one goes on with it.
	Resumes *Resumes `json:"resumes,omitempty"`
	// Steps are in their order, each of the name of one of the Step constants.
	Steps []verdict.Step `json:"steps"`
	// Planned is what the preview said, Changed how many resources the engine did what with.
	Planned *preview.Report `json:"planned,omitempty"`
	Changed map[string]int  `json:"changed,omitempty"`
	// Endpoints is where people and phones reach the platform.
	Endpoints *stacks.Endpoints `json:"endpoints,omitempty"`
	// Log is the engine's log, relative to the repository.
	Log string `json:"log,omitempty"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`

	dryRun bool
}

// Resumes is a deployment that did not end well.
type Resumes struct {
	// Kind is what it was, as "update"; Result how it ended; Started when it began, as the backend writes it; Commit the commit that
	// was deployed, where that is known.
	Kind    string `json:"kind,omitempty"`
	Result  string `json:"result,omitempty"`
	Started string `json:"started,omitempty"`
	Commit  string `json:"commit,omitempty"`
	// Interrupted is what was under way when it was cut off, as "creating dev-uc-1". Nobody knows how that ended.
	Interrupted []string `json:"interrupted,omitempty"`
}

func (r *Resumes) String() string {
	text := fmt.Sprintf("the last %s, of %s", cmp.Or(r.Kind, "update"), r.Started)
	if r.Commit != "" {
		text += ", of commit " + r.Commit
	}
	text += ", ended as: " + r.Result
	if r.Started == "" {
		text = "the last deployment was cut off"
	}
	if len(r.Interrupted) > 0 {
		text += "; under way were: " + strings.Join(r.Interrupted, ", ")
	}
	return text
}

// judge gives the report its result.
func (r *Report) judge(err error) {
	switch {
	case cli.Code(err) == cli.ExitDeclined:
		r.Result = Declined
	case err != nil:
		r.Result, r.Error = Failed, err.Error()
	case r.dryRun:
		r.Result = Previewed
	case r.Planned != nil && len(r.Planned.Changes) == 0:
		r.Result = Unchanged
	default:
		r.Result = Deployed
	}
}

// WriteTable writes the report for a person.
func (r *Report) WriteTable(w io.Writer) error {
	errs := []error{verdict.WriteSteps(w, r.Steps)}
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	text := r.Stack + ": " + r.Result
	if counts := automation.Describe(r.Changed); counts != "" {
		text += ", " + counts
	}
	line("%s", text)
	if e := r.Endpoints; e != nil {
		for _, at := range []struct{ name, url string }{{"web", e.Web}, {"phones", e.SIP}, {"carriers", e.Carriers}} {
			if at.url != "" {
				line("  %-8s  %s", at.name, at.url)
			}
		}
	}
	if r.Result == Failed {
		line("mend the cause and run the same command again: it goes on with what is pending")
	}
	return errors.Join(errs...)
}
