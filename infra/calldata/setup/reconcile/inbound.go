package reconcile

import (
	"context"
	"fmt"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

func (s *site) compareInbound() {
	for _, want := range s.want.Inbound {
		have := s.incall(want)
		if have == nil {
			s.add(change.Create, "inbound", want.Number, nil, func(ctx context.Context) error { return s.makeInbound(ctx, want) })
			continue
		}
		before := s.destinationText(have.Destination)
		s.update("inbound", want.Number, differ(nil, "to", before, want.To), func(ctx context.Context) error {
			return s.engine.Put(ctx, fmt.Sprintf("%s/incalls/%d", wazo.Confd, have.ID), map[string]any{"destination": s.destination(want.To)})
		})
	}
}

// incall answers the engine's route of a number.
func (s *site) incall(want document.Inbound) *incallItem {
	for _, have := range s.incalls {
		for _, e := range have.Extensions {
			if e.Exten == want.Number && s.label(e.Context) == want.Context {
				return have
			}
		}
	}
	return nil
}

func (s *site) makeInbound(ctx context.Context, want document.Inbound) error {
	var incall idItem
	if err := s.engine.Post(ctx, wazo.Confd+"/incalls", map[string]any{"destination": s.destination(want.To)}, &incall); err != nil {
		return err
	}
	extension, err := s.extension(ctx, want.Number, want.Context)
	if err != nil {
		return err
	}
	return s.engine.Put(ctx, fmt.Sprintf("%s/incalls/%d/extensions/%d", wazo.Confd, incall.ID, extension), nil)
}

// destination is where a call goes, in confd's words. Everything that it names is there when it is asked for.
func (s *site) destination(to string) map[string]any {
	kind, rest, _ := strings.Cut(to, ":")
	switch kind {
	case "user":
		return map[string]any{"type": "user", "user_id": s.users[rest].ID}
	case "extension":
		exten, label, _ := strings.Cut(rest, "@")
		name := s.contexts[label].Name
		if strings.ContainsAny(exten, "*#") {
			// confd takes nothing but letters and digits for an extension as a destination.
			return map[string]any{"type": "custom", "command": fmt.Sprintf("Goto(%s,%s,1)", name, exten)}
		}
		return map[string]any{"type": "extension", "exten": exten, "context": name}
	}
	return map[string]any{"type": "hangup", "cause": rest}
}

// destinationText is a destination of the engine in the document's words, or in its own where the document has none.
func (s *site) destinationText(d map[string]any) string {
	text := func(name string) string { v, _ := d[name].(string); return v }
	switch text("type") {
	case "user":
		id, _ := d["user_id"].(float64)
		for name, u := range s.users {
			if u.ID == int(id) {
				return "user:" + name
			}
		}
	case "extension":
		return "extension:" + text("exten") + "@" + s.label(text("context"))
	case "custom":
		parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text("command"), "Goto("), ",1)"), ",")
		if len(parts) == 2 {
			return "extension:" + parts[1] + "@" + s.label(parts[0])
		}
	case "hangup":
		return "hangup:" + text("cause")
	}
	return text("type")
}

// extension makes a number in a context, or answers the one that an earlier try has left.
func (s *site) extension(ctx context.Context, exten, label string) (int, error) {
	name := s.contexts[label].Name
	all, err := wazo.List[extensionItem](ctx, s.engine, wazo.Confd+"/extensions", map[string][]string{"search": {exten}})
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		if e.Exten == exten && e.Context == name {
			return e.ID, nil
		}
	}
	var made idItem
	err = s.engine.Post(ctx, wazo.Confd+"/extensions", map[string]string{"exten": exten, "context": name}, &made)
	return made.ID, err
}
