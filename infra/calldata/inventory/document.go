package inventory

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// document is an inventory in the structure of its YAML, whose names are Ansible's.
type document struct {
	All struct {
		Hosts    map[string]map[string]any   `json:"hosts"`
		Children map[string]map[string]group `json:"children"`
	} `json:"all"`
}

// group are the hosts of a group, each without variables.
type group map[string]struct{}

func parse(text []byte) (document, error) {
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		return document{}, fmt.Errorf("read the inventory: %w", err)
	}
	return d, nil
}

// list is what a program answers to --list. With _meta, Ansible does not ask again for each host.
// Source: Ansible Developer Guide, "Developing dynamic inventory", "Inventory script conventions".
func (d document) list() map[string]any {
	answer := map[string]any{
		"_meta": map[string]any{"hostvars": d.All.Hosts},
		"all":   map[string]any{"children": append([]string{"ungrouped"}, slices.Sorted(maps.Keys(d.All.Children))...)},
	}
	for name, g := range d.All.Children {
		answer[name] = map[string]any{"hosts": slices.Sorted(maps.Keys(g["hosts"]))}
	}
	return answer
}
