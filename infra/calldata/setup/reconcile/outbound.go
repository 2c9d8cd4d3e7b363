package reconcile

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

func (s *site) compareOutbound() {
	for _, want := range s.want.Outbound {
		have, there := s.outcalls[want.Name]
		if !there {
			have = &outcallItem{Name: want.Name}
			s.add(change.Create, "outbound", want.Name, nil, func(ctx context.Context) error {
				return s.engine.Post(ctx, wazo.Confd+"/outcalls", map[string]string{"name": want.Name}, have)
			})
		}
		names := s.trunkNames(want.Trunks)
		fields := differ(nil, "trunks", s.trunksText(have.Trunks), strings.Join(names, ", "))
		s.update("outbound", want.Name, fields, func(ctx context.Context) error {
			ids := []idItem{}
			for _, name := range names {
				ids = append(ids, idItem{s.trunks[name].ID})
			}
			return s.engine.Put(ctx, fmt.Sprintf("%s/outcalls/%d/trunks", wazo.Confd, have.ID), map[string]any{"trunks": ids})
		})
		for _, p := range want.Patterns {
			s.comparePattern(want, have, p)
		}
	}
}

func (s *site) comparePattern(want document.Outbound, have *outcallItem, p document.Pattern) {
	op, fields := change.Create, []change.Field(nil)
	for _, e := range have.Extensions {
		if e.Exten == p.Match && s.label(e.Context) == want.Context {
			op = change.Update
			fields = differ(fields, "strip", strconv.Itoa(e.Strip), strconv.Itoa(p.Strip))
			fields = differ(fields, "prefix", e.Prefix, p.Prefix)
			fields = differ(fields, "caller_id", e.CallerID, p.CallerID)
		}
	}
	if op == change.Update && len(fields) == 0 {
		return
	}
	s.add(op, "pattern", want.Name+" "+p.Match, fields, func(ctx context.Context) error {
		id, err := s.extension(ctx, p.Match, want.Context)
		if err != nil {
			return err
		}
		return s.engine.Put(ctx, fmt.Sprintf("%s/outcalls/%d/extensions/%d", wazo.Confd, have.ID, id),
			map[string]any{"strip_digits": p.Strip, "prefix": p.Prefix, "caller_id": p.CallerID})
	})
}

func (s *site) trunksText(ids []idItem) string {
	var out []string
	for _, id := range ids {
		for name, t := range s.trunks {
			if t.ID == id.ID {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, ", ")
}
