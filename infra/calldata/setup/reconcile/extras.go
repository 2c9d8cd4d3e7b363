package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

// extras finds what the document does not name, in the order in which it can go: what refers to others first.
func (s *site) extras() {
	for _, name := range slices.Sorted(maps.Keys(s.outcalls)) {
		s.extraOutbound(s.outcalls[name])
	}
	for _, have := range s.incalls {
		s.extraInbound(have)
	}
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		if !slices.ContainsFunc(s.want.Users, func(u document.User) bool { return u.SIP.Username == name }) {
			have := s.users[name]
			s.extra("user", name, func(ctx context.Context) error { return s.dropUser(ctx, have) })
		}
	}
	wanted := map[string]bool{}
	for _, t := range s.want.Trunks {
		for _, name := range endpointNames(s.want, t) {
			wanted[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.trunks)) {
		if have := s.trunks[name]; !wanted[name] {
			s.extra("trunk", name, func(ctx context.Context) error {
				return s.engine.Delete(ctx, fmt.Sprintf("%s/trunks/%d", wazo.Confd, have.ID))
			})
		}
	}
	for _, label := range slices.Sorted(maps.Keys(s.contexts)) {
		if have := s.contexts[label]; !s.names(label) {
			s.extra("context", label, func(ctx context.Context) error {
				return s.engine.Delete(ctx, fmt.Sprintf("%s/contexts/%d", wazo.Confd, have.ID))
			})
		}
	}
}

func (s *site) extraOutbound(have *outcallItem) {
	i := slices.IndexFunc(s.want.Outbound, func(o document.Outbound) bool { return o.Name == have.Name })
	for _, e := range have.Extensions {
		if i >= 0 && s.label(e.Context) == s.want.Outbound[i].Context &&
			slices.ContainsFunc(s.want.Outbound[i].Patterns, func(p document.Pattern) bool { return p.Match == e.Exten }) {
			continue
		}
		s.extra("pattern", have.Name+" "+e.Exten, func(ctx context.Context) error {
			return s.drop(ctx, fmt.Sprintf("outcalls/%d", have.ID), e.ID)
		})
	}
	if i < 0 {
		s.extra("outbound", have.Name, func(ctx context.Context) error {
			return s.engine.Delete(ctx, fmt.Sprintf("%s/outcalls/%d", wazo.Confd, have.ID))
		})
	}
}

func (s *site) extraInbound(have *incallItem) {
	kept := 0
	for _, e := range have.Extensions {
		if slices.ContainsFunc(s.want.Inbound, func(in document.Inbound) bool { return in.Number == e.Exten && in.Context == s.label(e.Context) }) {
			kept++
			continue
		}
		s.extra("inbound", e.Exten, func(ctx context.Context) error {
			if err := s.drop(ctx, fmt.Sprintf("incalls/%d", have.ID), e.ID); err != nil || len(have.Extensions) > 1 {
				return err
			}
			return s.engine.Delete(ctx, fmt.Sprintf("%s/incalls/%d", wazo.Confd, have.ID))
		})
	}
	if kept == 0 && len(have.Extensions) == 0 {
		s.extra("inbound", fmt.Sprintf("without a number (%d)", have.ID), func(ctx context.Context) error {
			return s.engine.Delete(ctx, fmt.Sprintf("%s/incalls/%d", wazo.Confd, have.ID))
		})
	}
}

// dropUser takes a user apart: confd deletes nothing that is in use.
func (s *site) dropUser(ctx context.Context, u *userItem) error {
	var paths []string
	for _, line := range u.Lines {
		at := fmt.Sprintf("lines/%d", line.ID)
		paths = append(paths, "users/"+u.UUID+"/"+at)
		for _, e := range line.Extensions {
			paths = append(paths, fmt.Sprintf("%s/extensions/%d", at, e.ID), fmt.Sprintf("extensions/%d", e.ID))
		}
		if line.Endpoint != nil {
			paths = append(paths, at+"/endpoints/sip/"+line.Endpoint.UUID, "endpoints/sip/"+line.Endpoint.UUID)
		}
		paths = append(paths, at)
	}
	for _, path := range append(paths, "users/"+u.UUID) {
		// A try that broke off has left less.
		if err := s.engine.Delete(ctx, wazo.Confd+"/"+path); err != nil && !wazo.NotFound(err) {
			return err
		}
	}
	return nil
}

// drop takes a number from what has it, and deletes it.
func (s *site) drop(ctx context.Context, owner string, extension int) error {
	if err := s.engine.Delete(ctx, fmt.Sprintf("%s/%s/extensions/%d", wazo.Confd, owner, extension)); err != nil {
		return err
	}
	return s.engine.Delete(ctx, fmt.Sprintf("%s/extensions/%d", wazo.Confd, extension))
}
