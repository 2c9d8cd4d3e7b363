package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// mandatory is the enforcement level of the engine that stops a deployment.
const mandatory = "mandatory"

// judge keeps what a policy says. A mandatory violation is why the operation fails.
func (w *watch) judge(e apitype.PolicyEvent) {
	e.Message = strings.TrimSpace(colourTags.Replace(e.Message))
	w.judged = append(w.judged, e)
	if e.EnforcementLevel == mandatory {
		w.errors = append(w.errors, violation(e))
	}
}

// policies is the check that the policy pack let the stack pass. Advice and exceptions are counted, and shown in full in
// the log.
func policies(judged []apitype.PolicyEvent, err error) Check {
	var violations, advice []string
	for _, e := range judged {
		if e.EnforcementLevel == mandatory {
			violations = append(violations, violation(e))
		} else if !slices.Contains(advice, e.PolicyName) {
			advice = append(advice, e.PolicyName)
		}
	}
	c := Check{Name: "policies", OK: err == nil && len(violations) == 0, Detail: fmt.Sprintf("%d mandatory violations", len(violations))}
	for _, v := range violations {
		c.Detail += "; " + v
	}
	if len(advice) > 0 {
		c.Detail += ", advice by " + strings.Join(advice, ", ")
	}
	return c
}

func violation(e apitype.PolicyEvent) string {
	text := e.PolicyName + ": " + e.Message
	if e.ResourceURN != "" {
		text = e.PolicyName + ": " + urnName(e.ResourceURN) + ": " + e.Message
	}
	return text
}
