package automation

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// State is the deployment as the backend holds it, secrets encrypted.
type State struct {
	// Raw is its JSON.
	Raw []byte
	// Resources are in an order in which each follows what it depends on.
	Resources []apitype.ResourceV3
	// Pending is what was under way when the last operation was cut off. Nobody knows how it ended.
	Pending []apitype.OperationV2
}

// State reads the stack's state.
func (s *Stack) State(ctx context.Context) (State, error) {
	d, err := s.stack.Export(ctx)
	if err != nil {
		return State{}, firstDiagnostic(err)
	}
	return ParseState(d.Deployment)
}

// ParseState reads the JSON of a deployment. An empty one, of a stack that was never deployed, is an empty state.
func ParseState(raw []byte) (State, error) {
	var deployment apitype.DeploymentV3
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &deployment); err != nil {
			return State{}, err
		}
	}
	return State{Raw: raw, Resources: deployment.Resources, Pending: deployment.PendingOperations}, nil
}

// Protected are the resources that Pulumi refuses to delete.
func (s State) Protected() []apitype.ResourceV3 {
	return slices.DeleteFunc(slices.Clone(s.Resources), func(r apitype.ResourceV3) bool { return !r.Protect })
}
