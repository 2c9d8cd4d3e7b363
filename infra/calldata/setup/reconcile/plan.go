package reconcile

import (
	"context"
	"fmt"
	"io"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
)

// Change is one object that is made, changed or removed.
type Change struct {
	change.Change
	// Tenant is empty for what belongs to the engine as a whole.
	Tenant string `json:"tenant,omitempty"`

	// do makes the change. What it makes may be what later changes need.
	do func(ctx context.Context) error
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
			text += "      " + f.String() + "\n"
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
	return fmt.Sprintf("  %s%s\n", c, where)
}

// Apply makes the changes in order and tells of each before it begins. It ends at the first that fails: doing it again goes on
// from there.
func (p *Plan) Apply(ctx context.Context, tell func(done, total int, what string)) error {
	for i, c := range p.Changes {
		tell(i, len(p.Changes), c.String())
		if err := c.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	tell(len(p.Changes), len(p.Changes), "done")
	return nil
}
