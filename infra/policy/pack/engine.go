package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"

	"github.com/calldata/calldata-foundation/infra/policy"
)

// fromEngine is a resource as the engine shows it. A preview also shows the properties that the provider will fill in,
// as unknown; those that depend on no other resource were not set by the program, and are left out.
func fromEngine(r policyx.AnalyzerResource) policy.Resource {
	out := policy.Resource{
		Type: r.Type, Name: r.Name, URN: r.URN, Protect: r.Options.Protect, Dependencies: r.Dependencies, PropertyDependencies: r.PropertyDependencies, Props: map[string]any{},
	}
	if parent := resource.URN(r.Parent); parent != "" && parent.Type() != resource.RootStackType {
		out.Parent = r.Parent
	}
	if out.PropertyDependencies == nil {
		out.PropertyDependencies = map[string][]string{}
	}
	for key, v := range r.Properties.All {
		if v.IsComputed() && len(r.PropertyDependencies[key]) == 0 {
			continue
		}
		out.Props[key] = plain(v)
	}
	if id := r.Properties.Get("id"); id.IsString() {
		out.ID = id.AsString()
	}
	return out
}

// plain is a property in the form that rules read.
func plain(v property.Value) any {
	switch {
	case v.Secret():
		return policy.Secret{}
	case v.IsBool():
		return v.AsBool()
	case v.IsNumber():
		return v.AsNumber()
	case v.IsString():
		return v.AsString()
	case v.IsNull():
		return nil
	case v.IsArray():
		list := make([]any, 0, v.AsArray().Len())
		for _, item := range v.AsArray().All {
			list = append(list, plain(item))
		}
		return list
	case v.IsMap():
		object := map[string]any{}
		for key, item := range v.AsMap().All {
			object[key] = plain(item)
		}
		return object
	}
	return policy.Unknown{}
}
