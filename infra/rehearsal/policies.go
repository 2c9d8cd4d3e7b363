package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/calldata/calldata-foundation/infra/calldata/automation"
)

// policies is the check that the policy pack let the stack pass. Advice and exceptions are counted, and shown in full in
// the log.
func policies(judged []apitype.PolicyEvent, err error) Check {
	var violations, advice []string
	for _, e := range judged {
		if e.EnforcementLevel == automation.Mandatory {
			violations = append(violations, automation.Violation(e))
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
