package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/sig"
)

// unknownText stands in a state for a property that was not known. Source: pulumi/sdk, resource/plugin/rpc.go.
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

// FromState reads what `pulumi stack export` prints, secrets encrypted or not: their values are left where they are. It
// answers the stack's name and its resources, without those that are about to be deleted and those that the stack only
// reads. Properties are what the provider answered last, so that a refresh shows what was changed by hand.
func FromState(data []byte) (stack string, resources []Resource, err error) {
	var export apitype.UntypedDeployment
	if err := json.Unmarshal(data, &export); err != nil {
		return "", nil, fmt.Errorf("read the state: %w", err)
	}
	if export.Version < apitype.DeploymentSchemaVersionCurrent || export.Version > apitype.DeploymentSchemaVersionLatest || len(export.Deployment) == 0 {
		return "", nil, fmt.Errorf("read the state: its version is %d, want %d or %d: give what `pulumi stack export` prints",
			export.Version, apitype.DeploymentSchemaVersionCurrent, apitype.DeploymentSchemaVersionLatest)
	}
	var deployment apitype.DeploymentV3
	if err := json.Unmarshal(export.Deployment, &deployment); err != nil {
		return "", nil, fmt.Errorf("read the state: %w", err)
	}
	for _, r := range deployment.Resources {
		if !r.URN.IsValid() {
			return "", nil, fmt.Errorf("read the state: %q is no name of a resource", r.URN)
		}
		stack = string(r.URN.Stack())
		if !r.Delete && !r.External {
			resources = append(resources, fromState(r))
		}
	}
	if len(resources) == 0 {
		return "", nil, errors.New("read the state: the stack has no resources, so there is nothing to judge: deploy it first")
	}
	return stack, resources, nil
}

func fromState(r apitype.ResourceV3) Resource {
	props := map[string]any{}
	maps.Copy(props, r.Inputs)
	maps.Copy(props, r.Outputs)
	out := Resource{
		Type: string(r.Type), Name: r.URN.Name(), URN: string(r.URN), ID: string(r.ID), Props: NormalizeProps(props), Inputs: NormalizeProps(r.Inputs),
		Protect: r.Protect, RetainOnDelete: r.RetainOnDelete, Dependencies: names(r.Dependencies), PropertyDependencies: map[string][]string{},
	}
	if r.Parent.IsValid() && r.Parent.Type() != resource.RootStackType {
		out.Parent = string(r.Parent)
	}
	for key, urns := range r.PropertyDependencies {
		out.PropertyDependencies[string(key)] = names(urns)
	}
	return out
}

func names(urns []resource.URN) []string {
	list := make([]string, len(urns))
	for i, urn := range urns {
		list[i] = string(urn)
	}
	return list
}

// signed answers what an object of a state with a signature stands for, and whether it has one.
func signed(object map[string]any) (any, bool) {
	switch object[sig.Key] {
	case nil:
		return nil, false
	case sig.Secret:
		return Secret{}, true
	}
	return Unknown{}, true
}
