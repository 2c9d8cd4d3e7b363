package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// AccountOutputs is what the account's stack tells of the roles that workflows take on.
type AccountOutputs struct {
	// Stack is the stack's name, Region the AWS region.
	Stack  string `json:"stack"`
	Region string `json:"region"`
	// PreviewRoles, DeployRoles and CallsRoles are the ARNs of roles, by the name of the stack that they are for.
	PreviewRoles map[string]string `json:"previewRoles"`
	DeployRoles  map[string]string `json:"deployRoles"`
	CallsRoles   map[string]string `json:"callsRoles"`
}

var roleForm = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/`)

// ParseAccountOutputs reads the JSON of `pulumi stack output --json`. It answers everything that is missing or malformed at once.
func ParseAccountOutputs(data []byte) (AccountOutputs, error) {
	var o AccountOutputs
	if err := json.Unmarshal(data, &o); err != nil {
		return AccountOutputs{}, fmt.Errorf("stack outputs are not the JSON of `pulumi stack output --json`: %w", err)
	}
	var errs []error
	for _, field := range []struct{ name, value string }{{"stack", o.Stack}, {"region", o.Region}} {
		if field.value == "" {
			errs = append(errs, fmt.Errorf("stack output %s is empty: deploy the account's stack first", field.name))
		}
	}
	if len(o.PreviewRoles) == 0 {
		errs = append(errs, errors.New("stack output previewRoles is empty: deploy the account's stack with its part github first"))
	}
	for name, roles := range map[string]map[string]string{"previewRoles": o.PreviewRoles, "deployRoles": o.DeployRoles, "callsRoles": o.CallsRoles} {
		for _, stack := range slices.Sorted(maps.Keys(roles)) {
			if !roleForm.MatchString(roles[stack]) {
				errs = append(errs, fmt.Errorf("stack output %s.%s is %q, want the ARN of a role", name, stack, roles[stack]))
			}
		}
	}
	if len(errs) == 0 && len(o.accounts()) > 1 {
		errs = append(errs, fmt.Errorf("the roles in the outputs are of the accounts %v, want one", o.accounts()))
	}
	return o, errors.Join(errs...)
}

// Account is the number of the account that the roles are of.
func (o AccountOutputs) Account() string { return o.accounts()[0] }

func (o AccountOutputs) accounts() []string {
	numbers := map[string]bool{}
	for _, roles := range []map[string]string{o.PreviewRoles, o.DeployRoles, o.CallsRoles} {
		for _, arn := range roles {
			numbers[roleForm.FindStringSubmatch(arn)[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(numbers))
}
