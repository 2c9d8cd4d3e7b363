package reconcile

import (
	"context"
	"fmt"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

// compareTrunks makes one trunk of the engine for each host of a trunk of the document: PJSIP would not try a second contact.
func (s *site) compareTrunks() {
	for _, want := range s.want.Trunks {
		for i, host := range want.Hosts {
			contact := fmt.Sprintf("sip:%s:%d", host, want.Port)
			s.compareTrunk(want.Endpoint(s.want, i), want.Context, contact, want.Match(i))
		}
	}
}

func (s *site) compareTrunk(name, label, contact string, match []string) {
	have, there := s.trunks[name]
	if !there {
		s.add(change.Create, "trunk", name, nil, func(ctx context.Context) error { return s.makeTrunk(ctx, name, label, contact, match) })
		return
	}
	s.update("trunk", name, differ(nil, "context", s.label(have.Context), label), func(ctx context.Context) error {
		return s.engine.Put(ctx, fmt.Sprintf("%s/trunks/%d", wazo.Confd, have.ID), map[string]string{"context": s.contexts[label].Name})
	})
	endpoint := s.endpoints[name]
	fields := differ(nil, "contact", strings.Join(option(endpoint.AOR, "contact"), ", "), contact)
	fields = differ(fields, "match", strings.Join(option(endpoint.Identify, "match"), ", "), strings.Join(match, ", "))
	s.update("trunk", name, fields, func(ctx context.Context) error {
		return s.engine.Put(ctx, wazo.Confd+"/endpoints/sip/"+endpoint.UUID, map[string]any{
			"aor_section_options": with(endpoint.AOR, "contact", contact), "identify_section_options": with(endpoint.Identify, "match", match...),
		})
	})
}

// makeTrunk goes on where an earlier try ended: an endpoint without a trunk is taken.
func (s *site) makeTrunk(ctx context.Context, name, label, contact string, match []string) error {
	body := map[string]any{
		"name": name, "label": name, "templates": []any{map[string]string{"uuid": s.template}},
		"aor_section_options": with(nil, "contact", contact), "identify_section_options": with(nil, "match", match...),
	}
	endpoint, there := s.endpoints[name]
	var err error
	if there {
		err = s.engine.Put(ctx, wazo.Confd+"/endpoints/sip/"+endpoint.UUID, body)
	} else {
		endpoint = &endpointItem{}
		err = s.engine.Post(ctx, wazo.Confd+"/endpoints/sip", body, endpoint)
	}
	if err != nil {
		return err
	}
	made := &trunkItem{}
	if err := s.engine.Post(ctx, wazo.Confd+"/trunks", map[string]string{"context": s.contexts[label].Name}, made); err != nil {
		return err
	}
	s.trunks[name] = made
	return s.engine.Put(ctx, fmt.Sprintf("%s/trunks/%d/endpoints/sip/%s", wazo.Confd, made.ID, endpoint.UUID), nil)
}

// trunkNames are the trunks of the engine that the document's trunks of these names are.
func (s *site) trunkNames(names []string) []string {
	var out []string
	for _, name := range names {
		for _, t := range s.want.Trunks {
			if t.Name == name {
				out = append(out, endpointNames(s.want, t)...)
			}
		}
	}
	return out
}

func endpointNames(tenant *document.Tenant, t document.Trunk) []string {
	var out []string
	for i := range t.Hosts {
		out = append(out, t.Endpoint(tenant, i))
	}
	return out
}
