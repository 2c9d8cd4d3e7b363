package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// diff compares inputs property by property. Whether a value is secret is no difference: it does not change what the
// command does.
func diff(olds, news resource.PropertyMap, ignore []string) *pulumirpc.DiffResponse {
	olds, news = normal(olds), normal(news)
	response := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		DetailedDiff:    map[string]*pulumirpc.PropertyDiff{},
		HasDetailedDiff: true,
	}
	keys := slices.Sorted(maps.Keys(olds))
	keys = append(keys, slices.Collect(maps.Keys(news))...)
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		before, had := olds[key]
		after, has := news[key]
		if strings.HasPrefix(string(key), "__") || slices.Contains(ignore, string(key)) || had && has && before.DeepEquals(after) {
			continue
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, string(key))
		replace := key == propTriggers
		if replace {
			response.Replaces = append(response.Replaces, string(key))
		}
		response.DetailedDiff[string(key)] = &pulumirpc.PropertyDiff{Kind: diffKind(had, has, replace), InputDiff: true}
	}
	return response
}

func diffKind(had, has, replace bool) pulumirpc.PropertyDiff_Kind {
	kind := plugin.DiffUpdate
	switch {
	case !had:
		kind = plugin.DiffAdd
	case !has:
		kind = plugin.DiffDelete
	}
	if replace {
		kind = kind.AsReplace()
	}
	// The engine's kinds and those of the protocol have the same order.
	return pulumirpc.PropertyDiff_Kind(kind) //nolint:gosec // six values
}

// normal answers props without nulls and secret wrappers, and with defaults, so that a default written by an
// older state is no difference.
func normal(props resource.PropertyMap) resource.PropertyMap {
	out := resource.PropertyMap{}
	for key, v := range withDefaults(props) {
		if v = bare(v); !v.IsNull() {
			out[key] = v
		}
	}
	return out
}

// bare takes the secret wrappers off v and all inside it.
func bare(v resource.PropertyValue) resource.PropertyValue {
	v = plain(v)
	switch {
	case v.IsArray():
		elements := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			elements[i] = bare(element)
		}
		return resource.NewArrayProperty(elements)
	case v.IsObject():
		object := resource.PropertyMap{}
		for key, element := range v.ObjectValue() {
			object[key] = bare(element)
		}
		return resource.NewObjectProperty(object)
	}
	return v
}
