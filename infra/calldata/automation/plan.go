package automation

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Plan is what a preview saved: the steps that an update may take, by resource. Its file holds settings and properties too, with
// secrets encrypted by the stack's key.
type Plan map[resource.URN][]apitype.OpType

// ReadPlan reads a saved plan.
func ReadPlan(path string) (Plan, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	var file apitype.DeploymentPlanV1
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s is no saved plan: %w", path, err)
	}
	if len(file.ResourcePlans) == 0 {
		return nil, fmt.Errorf("%s is no saved plan: it names no resources", path)
	}
	plan := Plan{}
	for urn, p := range file.ResourcePlans {
		plan[urn] = p.Steps
	}
	return plan, nil
}

// Stack is the stack that the plan is for, or an error where it names several.
func (p Plan) Stack() (string, error) {
	name := ""
	for urn := range p {
		if !urn.IsValid() {
			return "", fmt.Errorf("the plan has %q, which is no URN", urn)
		}
		if stack := urn.Stack().Name().String(); name == "" {
			name = stack
		} else if stack != name {
			return "", errors.New("the plan has resources of several stacks")
		}
	}
	return name, nil
}

// Differences says what now, a plan of the present, would do that p does not allow, and what of p is no longer to be done.
func (p Plan) Differences(now Plan) []string {
	var out []string
	for urn, steps := range now {
		if planned, ok := p[urn]; !ok || !slices.Equal(planned, steps) {
			out = append(out, fmt.Sprintf("%s: planned %s, now %s", Name(string(urn)), words(planned), words(steps)))
		}
	}
	for urn, steps := range p {
		if _, ok := now[urn]; !ok {
			out = append(out, fmt.Sprintf("%s: planned %s, now nothing", Name(string(urn)), words(steps)))
		}
	}
	slices.Sort(out)
	return out
}

func words(steps []apitype.OpType) string {
	if len(steps) == 0 {
		return "nothing"
	}
	text := ""
	for i, s := range steps {
		if i > 0 {
			text += " and "
		}
		text += string(s)
	}
	return text
}
