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

// defaultCallerID is confd's word for a user who shows no number of their own.
const defaultCallerID = "default"

func (s *site) compareUsers() {
	for _, want := range s.want.Users {
		have, there := s.users[want.SIP.Username]
		if !there {
			if _, taken := s.endpoints[want.SIP.Username]; taken {
				s.errs = append(s.errs, fmt.Errorf("tenant %s: user %s: the engine has a SIP endpoint of this name that is no user's: delete it, or choose another sip.username", s.want.Slug, want.SIP.Username))
				continue
			}
			s.add(change.Create, "user", want.SIP.Username, nil, func(ctx context.Context) error { return s.makeUser(ctx, want) })
			continue
		}
		s.compareUser(want, have)
	}
}

func callerID(want document.User) string {
	if want.CallerID == "" {
		return defaultCallerID
	}
	return want.CallerID
}

func (s *site) userBody(want document.User) map[string]any {
	body := map[string]any{"firstname": want.FirstName, "ring_seconds": want.Ring, "outgoing_caller_id": callerID(want), "lastname": nil, "email": nil}
	if want.LastName != "" {
		body["lastname"] = want.LastName
	}
	if want.Email != "" {
		body["email"] = want.Email
	}
	return body
}

func (s *site) login(want document.User) [][2]string {
	return [][2]string{{"username", want.SIP.Username}, {"password", s.in.Secrets[string(want.SIP.Password)]}}
}

// makeUser makes user, line, number and SIP account in one call: all of it, or nothing.
func (s *site) makeUser(ctx context.Context, want document.User) error {
	name := s.contexts[want.Context].Name
	body := s.userBody(want)
	body["lines"] = []any{map[string]any{
		"context": name, "extensions": []any{map[string]string{"exten": want.Extension}},
		"endpoint_sip": map[string]any{
			"name": want.SIP.Username, "label": want.SIP.Username, "auth_section_options": s.login(want),
			"templates": []any{map[string]string{"uuid": s.template}},
		},
	}}
	made := &userItem{}
	err := s.engine.Post(ctx, wazo.Confd+"/users", body, made)
	s.users[want.SIP.Username] = made
	return err
}

func (s *site) compareUser(want document.User, have *userItem) {
	before := callerID(document.User{CallerID: have.OutgoingCallerID})
	fields := differ(nil, "firstname", have.FirstName, want.FirstName)
	fields = differ(fields, "lastname", have.LastName, want.LastName)
	fields = differ(fields, "email", have.Email, want.Email)
	fields = differ(fields, "ring", strconv.Itoa(have.RingSeconds), strconv.Itoa(want.Ring))
	fields = differ(fields, "caller_id", before, callerID(want))
	s.update("user", want.SIP.Username, fields, func(ctx context.Context) error {
		return s.engine.Put(ctx, wazo.Confd+"/users/"+have.UUID, s.userBody(want))
	})

	endpoint := s.endpoints[want.SIP.Username]
	if old := option(endpoint.Auth, "password"); len(old) != 1 || old[0] != s.in.Secrets[string(want.SIP.Password)] {
		s.update("user", want.SIP.Username, []change.Field{{Name: "password", Before: "********", After: "********"}}, func(ctx context.Context) error {
			return s.engine.Put(ctx, wazo.Confd+"/endpoints/sip/"+endpoint.UUID, map[string]any{"auth_section_options": s.login(want)})
		})
	}
	s.compareNumber(want, have.Lines[0])
}

func (s *site) compareNumber(want document.User, line lineItem) {
	if label := s.label(line.Context); label != want.Context {
		s.errs = append(s.errs, fmt.Errorf("tenant %s: user %s has a line in context %s on the engine, and in %s in the document: a line cannot be moved, give the user another sip.username and prune", s.want.Slug, want.SIP.Username, label, want.Context))
		return
	}
	var numbers []string
	for _, e := range line.Extensions {
		numbers = append(numbers, e.Exten)
		if e.Exten == want.Extension {
			return
		}
	}
	fields := []change.Field{{Name: "extension", Before: strings.Join(numbers, ", "), After: want.Extension}}
	s.update("user", want.SIP.Username, fields, func(ctx context.Context) error {
		if len(line.Extensions) > 0 {
			return s.engine.Put(ctx, fmt.Sprintf("%s/extensions/%d", wazo.Confd, line.Extensions[0].ID), map[string]string{"exten": want.Extension, "context": line.Context})
		}
		var made idItem
		if err := s.engine.Post(ctx, wazo.Confd+"/extensions", map[string]string{"exten": want.Extension, "context": line.Context}, &made); err != nil {
			return err
		}
		return s.engine.Put(ctx, fmt.Sprintf("%s/lines/%d/extensions/%d", wazo.Confd, line.ID, made.ID), nil)
	})
}
