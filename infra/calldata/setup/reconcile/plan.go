package reconcile

import (
	"context"
	"fmt"
	"io"
)

// Op is what happens to an object.
type Op string

// The operations, with the signs that `pulumi preview` has for them.
const (
	Create Op = "+"
	Delete Op = "-"
	Update Op = "~"
)

// Change is one object that is made, changed or removed.
type Change struct {
	Op Op `json:"op"`
	// Tenant is empty for what belongs to the engine as a whole.
	Tenant string `json:"tenant,omitempty"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	// Fields are those that differ, of an Update. A password shows no value.
	Fields []Field `json:"fields,omitempty"`

	// do makes the change. What it makes may be what later changes need.
	do func(ctx context.Context) error
}

// Field is a field with its value before and after; empty is none.
type Field struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Plan is everything that a document would change, in the order in which it can be done.
type Plan struct {
	Changes []Change `json:"changes"`
	// Extra is what the tenants have and the document does not name. It stays, unless pruning is asked for.
	Extra []Change `json:"extra,omitempty"`
}

// Write prints the plan for a person.
func (p *Plan) Write(w io.Writer) error {
	text := ""
	for _, c := range p.Changes {
		text += c.line()
		for _, f := range c.Fields {
			text += fmt.Sprintf("      %s: %s -> %s\n", f.Name, orNothing(f.Before), orNothing(f.After))
		}
	}
	if len(p.Changes) == 0 {
		text = "nothing to do\n"
	}
	if len(p.Extra) > 0 {
		text += "not in the document, and left alone (--prune removes them):\n"
		for _, c := range p.Extra {
			text += c.line()
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

func (c Change) line() string {
	where := ""
	if c.Tenant != "" {
		where = " of " + c.Tenant
	}
	return fmt.Sprintf("  %s %s %s%s\n", c.Op, c.Kind, c.Name, where)
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Apply makes the changes in order and tells of each before it begins. It ends at the first that fails: doing it again goes on
// from there.
func (p *Plan) Apply(ctx context.Context, tell func(done, total int, what string)) error {
	for i, c := range p.Changes {
		tell(i, len(p.Changes), fmt.Sprintf("%s %s %s", c.Op, c.Kind, c.Name))
		if err := c.do(ctx); err != nil {
			return fmt.Errorf("%s %s %s: %w", c.Op, c.Kind, c.Name, err)
		}
	}
	tell(len(p.Changes), len(p.Changes), "done")
	return nil
}
