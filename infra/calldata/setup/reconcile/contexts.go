package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

func (s *site) compareContexts() {
	for _, want := range s.want.Contexts {
		have, there := s.contexts[want.Name]
		if !there {
			s.add(change.Create, "context", want.Name, nil, func(ctx context.Context) error {
				made := &contextItem{}
				// The engine makes the context's name; what is chosen here is its label.
				err := s.engine.Post(ctx, wazo.Confd+"/contexts", contextBody(want, true), made)
				s.contexts[want.Name] = made
				return err
			})
			continue
		}
		if have.Type != want.Type {
			s.errs = append(s.errs, fmt.Errorf("tenant %s: context %s is of type %s on the engine, and of type %s in the document: a type cannot be changed, choose another name", s.want.Slug, want.Name, have.Type, want.Type))
			continue
		}
		ranges := have.UserRanges
		if want.Type == document.Incall {
			ranges = have.IncallRanges
		}
		fields := differ(nil, "ranges", rangesText(ranges), rangesText(wantRanges(want)))
		s.update("context", want.Name, fields, func(ctx context.Context) error {
			return s.engine.Put(ctx, fmt.Sprintf("%s/contexts/%d", wazo.Confd, have.ID), contextBody(want, false))
		})
	}
	// When all are there.
	for _, want := range s.want.Contexts {
		before := ""
		if have, there := s.contexts[want.Name]; there {
			before = s.includes(have)
		}
		fields := differ(nil, "includes", before, strings.Join(want.Includes, ", "))
		s.update("context", want.Name, fields, func(ctx context.Context) error {
			ids := []idItem{}
			for _, name := range want.Includes {
				ids = append(ids, idItem{s.contexts[name].ID})
			}
			return s.engine.Put(ctx, fmt.Sprintf("%s/contexts/%d/contexts", wazo.Confd, s.contexts[want.Name].ID), map[string]any{"contexts": ids})
		})
	}
}

func contextBody(want document.Context, fresh bool) map[string]any {
	body := map[string]any{"label": want.Name}
	if fresh {
		body["type"] = want.Type
	}
	switch want.Type {
	case document.Internal:
		body["user_ranges"] = wantRanges(want)
	case document.Incall:
		body["incall_ranges"] = wantRanges(want)
	}
	return body
}

func wantRanges(want document.Context) []rangeItem {
	out := []rangeItem{}
	for _, r := range want.Ranges {
		out = append(out, rangeItem{r.First, r.Last})
	}
	return out
}

func rangesText(ranges []rangeItem) string {
	var out []string
	for _, r := range ranges {
		out = append(out, r.Start+"-"+r.End)
	}
	return strings.Join(out, ", ")
}

// includes are the labels of the contexts that one includes, in order.
func (s *site) includes(have *contextItem) string {
	var out []string
	for _, id := range have.Contexts {
		for label, c := range s.contexts {
			if c.ID == id.ID {
				out = append(out, label)
			}
		}
	}
	return strings.Join(out, ", ")
}

// label is the label of a context by its name.
func (s *site) label(name string) string {
	for label, c := range s.contexts {
		if c.Name == name {
			return label
		}
	}
	return name
}

// names tells whether the document names a context.
func (s *site) names(label string) bool {
	return slices.ContainsFunc(s.want.Contexts, func(c document.Context) bool { return c.Name == label })
}
