package automation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Change is a resource that something happens to.
type Change struct {
	// Op is what happens: create, update, replace, delete, import or another of the engine's words.
	Op string `json:"op"`
	// Type and Name are as the program says, URN is unique in the stack.
	Type string `json:"type"`
	Name string `json:"name"`
	URN  string `json:"urn"`
	// Component means that it is a group of resources, and nothing in AWS.
	Component bool `json:"component,omitempty"`
	// Properties are the paths of what changes; of a replacement, those that force it. Values are never told.
	Properties []string `json:"properties,omitempty"`
}

// Destroys tells whether something that is there now goes away.
func (c Change) Destroys() bool {
	return c.Op == string(apitype.OpReplace) || c.Op == string(apitype.OpDelete)
}

// silent are the steps that change nothing, and those that the engine breaks a replacement into beside OpReplace.
var silent = []apitype.OpType{
	apitype.OpSame, apitype.OpRead, apitype.OpReadReplacement, apitype.OpReadDiscard, apitype.OpRefresh, apitype.OpCreateReplacement,
	apitype.OpDeleteReplaced, apitype.OpDiscardReplaced, apitype.OpRemovePendingReplace,
}

// changeOf reads a step of the engine. Ok is false if it is none of the changes that people are told.
func changeOf(m apitype.StepEventMetadata) (c Change, ok bool) {
	if slices.Contains(silent, m.Op) {
		return Change{}, false
	}
	c = Change{Op: string(m.Op), Type: m.Type, Name: Name(m.URN), URN: m.URN}
	if state := m.New; state != nil {
		c.Component = !state.Custom
	} else if m.Old != nil {
		c.Component = !m.Old.Custom
	}
	switch m.Op {
	case apitype.OpReplace:
		c.Properties = slices.Clone(m.Keys)
	case apitype.OpUpdate:
		c.Properties = slices.Sorted(maps.Keys(m.DetailedDiff))
		if len(c.Properties) == 0 {
			c.Properties = slices.Clone(m.Diffs)
		}
	}
	slices.Sort(c.Properties)
	return c, true
}

// Name is the last part of a URN: the name that the program gave.
func Name(urn string) string {
	parts := strings.Split(urn, "::")
	return parts[len(parts)-1]
}

// Describe is counts in words, as "1 create, 30 same"; the commonest kinds come in a fixed order.
func Describe(counts map[string]int) string {
	order := []string{"create", "import", "update", "replace", "delete"}
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		if !slices.Contains(order, op) && op != "same" {
			order = append(order, op)
		}
	}
	var parts []string
	for _, op := range append(order, "same") {
		if n := counts[op]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, op))
		}
	}
	return strings.Join(parts, ", ")
}
