package stacks

import (
	"maps"
	"slices"
)

// Project is the name of the Pulumi project and the namespace of its settings.
const Project = "calldata-foundation"

// regionKey is the one setting that belongs to the AWS provider: program and provider must agree on it.
const regionKey = "aws:region"

// Secret stands for the value of an encrypted setting where only Pulumi could read it: a program is given the value itself.
const Secret = "[secret]"

// Settings answers the values of a stack's configuration by full key, for example "aws:region". Lists are JSON, as
// Pulumi hands them to programs.
type Settings interface {
	// Get answers the value of key, and whether it is set.
	Get(key string) (string, bool)
	// Keys lists every key that is set, in a fixed order.
	Keys() []string
}

// MapSettings are settings kept in a map.
type MapSettings map[string]string

// Get answers the value of key, and whether it is set.
func (m MapSettings) Get(key string) (string, bool) {
	v, ok := m[key]
	return v, ok
}

// Keys lists every key in alphabetical order.
func (m MapSettings) Keys() []string { return slices.Sorted(maps.Keys(m)) }
