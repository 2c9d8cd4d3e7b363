// Package plan tells what a routing document would change, in the words of the document.
package plan

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/compile"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
)

// Plan is everything that applying a document would do.
type Plan struct {
	// Revision is the one that the plan was made against.
	Revision int             `json:"revision"`
	Changes  []change.Change `json:"changes"`
	// Foreign names the tables that somebody changed by hand. Applying writes them anew.
	Foreign []string `json:"foreign,omitempty"`
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Foreign) == 0 }

// key is an object's kind and name.
type key struct{ kind, name string }

// Diff lists what changes from one document to another. A nil document is an empty one.
func Diff(from, to *document.Document) []change.Change {
	before, after := objects(from), objects(to)
	var changes []change.Change
	for k, fields := range after {
		old, there := before[k]
		if !there {
			changes = append(changes, change.Change{Op: change.Create, Kind: k.kind, Name: k.name})
			continue
		}
		if differing := differ(old, fields); len(differing) > 0 {
			changes = append(changes, change.Change{Op: change.Update, Kind: k.kind, Name: k.name, Fields: differing})
		}
	}
	for k := range before {
		if _, there := after[k]; !there {
			changes = append(changes, change.Change{Op: change.Delete, Kind: k.kind, Name: k.name})
		}
	}
	slices.SortFunc(changes, func(a, b change.Change) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return changes
}

func differ(before, after map[string]string) []change.Field {
	names := maps.Clone(before)
	maps.Copy(names, after)
	var fields []change.Field
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			fields = append(fields, change.Field{Name: name, Before: before[name], After: after[name]})
		}
	}
	return fields
}

// objects are the things of a document that people speak of, each with its fields as text.
func objects(d *document.Document) map[key]map[string]string {
	out := map[key]map[string]string{}
	if d == nil {
		return out
	}
	for _, t := range d.Tenants {
		out[key{"tenant", t.Name}] = map[string]string{"domains": strings.Join(t.Domains, ", ")}
		for _, p := range t.Ipbxes {
			out[key{"ipbx", p.Name}] = fields(p)
			out[key{"ipbx", p.Name}]["tenant"] = t.Name
		}
		for _, n := range t.Dids {
			out[key{"did", n.String()}] = map[string]string{"ipbx": n.Ipbx}
		}
		for _, r := range t.Routes {
			out[key{"route", t.Name + "/" + r.Name}] = fields(r)
		}
	}
	for _, carrier := range d.Carriers {
		for _, t := range carrier.Trunks {
			out[key{"trunk", t.Name}] = fields(t)
			out[key{"trunk", t.Name}]["carrier"] = carrier.Name
		}
	}
	for _, r := range d.Rulesets {
		out[key{"ruleset", r.Name}] = fields(r)
	}
	return out
}

// fields are the top fields of a value in their YAML form, on one line each.
func fields(value any) map[string]string {
	out := map[string]string{}
	var node yaml.Node
	if err := node.Encode(value); err != nil {
		return map[string]string{"": fmt.Sprint(value)}
	}
	for pair := range slices.Chunk(node.Content, 2) {
		if pair[0].Value != "name" {
			pair[1].Style = yaml.FlowStyle
			text, _ := yaml.Marshal(pair[1])
			out[pair[0].Value] = strings.Join(strings.Fields(string(text)), " ")
		}
	}
	return out
}

// Foreign names the tables whose rows are not those that the applied document makes.
func Foreign(applied, found []compile.Table) []string {
	var names []string
	for i, t := range found {
		if len(t.Rows)+len(applied[i].Rows) > 0 && !reflect.DeepEqual(t.Rows, applied[i].Rows) {
			names = append(names, t.Name)
		}
	}
	return names
}

// Write prints the plan for a person.
func (p *Plan) Write(w io.Writer) error {
	var out strings.Builder
	count := map[change.Op]int{}
	for _, c := range p.Changes {
		count[c.Op]++
		fmt.Fprintln(&out, c)
		for _, f := range c.Fields {
			fmt.Fprintln(&out, "    "+f.String())
		}
	}
	for _, name := range p.Foreign {
		fmt.Fprintf(&out, "! table %s was changed by hand; applying writes it anew\n", name)
	}
	switch {
	case p.Empty():
		fmt.Fprintf(&out, "no changes: revision %d is what the document says\n", p.Revision)
	default:
		fmt.Fprintf(&out, "%d to create, %d to change, %d to remove, against revision %d\n", count[change.Create], count[change.Update], count[change.Delete], p.Revision)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
