package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/setup/document"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

// Root is Wazo's user that may do everything.
const Root = "root"

// Input is what a plan is made from.
type Input struct {
	Engine   *wazo.Client
	Document *document.Document
	// RootPassword is that of Wazo's user root, which the wizard sets where it has not passed. Secrets are the passwords that
	// the document names.
	RootPassword string
	Secrets      map[string]string
	// Prune removes what the document does not name.
	Prune bool
}

// Compare reads the engine and makes the plan. It changes nothing. An engine that has something of another type than the
// document says is an error: that has to be moved by hand.
func Compare(ctx context.Context, in Input) (*Plan, error) {
	p := &Plan{}
	configured, err := in.Engine.Configured(ctx)
	if err != nil {
		return nil, err
	}
	login := func(ctx context.Context) error { return in.Engine.Login(ctx, Root, in.RootPassword) }
	if configured {
		if err := login(ctx); err != nil {
			return nil, fmt.Errorf("log in as %s: %w", Root, err)
		}
	} else {
		p.Changes = append(p.Changes, Change{Change: change.Change{Op: change.Create, Kind: "engine", Name: "first setup"}, do: func(ctx context.Context) error {
			return errors.Join(in.Engine.Wizard(ctx, in.Document.Language, in.RootPassword), login(ctx))
		}})
	}
	var errs []error
	for i := range in.Document.Tenants {
		errs = append(errs, compareTenant(ctx, in, &in.Document.Tenants[i], configured, p))
	}
	return p, errors.Join(errs...)
}

// site is one tenant: what the document says, and what the engine has. Changes that make something put it here, where
// later changes find it.
type site struct {
	in   Input
	plan *Plan
	want *document.Tenant

	tenant   tenantItem
	engine   *wazo.Client // works on the tenant
	template string

	contexts  map[string]*contextItem // by label
	users     map[string]*userItem    // by name of the SIP endpoint
	endpoints map[string]*endpointItem
	trunks    map[string]*trunkItem // by name of the SIP endpoint
	incalls   []*incallItem
	outcalls  map[string]*outcallItem
	errs      []error
}

func compareTenant(ctx context.Context, in Input, want *document.Tenant, configured bool, p *Plan) error {
	s := &site{
		in: in, plan: p, want: want, contexts: map[string]*contextItem{}, users: map[string]*userItem{}, endpoints: map[string]*endpointItem{},
		trunks: map[string]*trunkItem{}, outcalls: map[string]*outcallItem{},
	}
	there := false
	if configured {
		var err error
		if there, err = s.find(ctx); err != nil {
			return err
		}
	}
	country := ""
	if there {
		if err := s.load(ctx, &country); err != nil {
			return err
		}
	} else {
		s.add(change.Create, "tenant", want.Slug, nil, s.makeTenant)
	}
	if country != want.Country {
		s.add(change.Update, "country", want.Slug, []change.Field{{Name: "country", Before: country, After: want.Country}}, func(ctx context.Context) error {
			return s.engine.Put(ctx, wazo.Confd+"/localization", map[string]string{"country": want.Country})
		})
	}
	if err := s.admin(ctx, configured); err != nil {
		return err
	}
	s.compareContexts()
	s.compareUsers()
	s.compareTrunks()
	s.compareInbound()
	s.compareOutbound()
	s.extras()
	return errors.Join(s.errs...)
}

func (s *site) add(op change.Op, kind, name string, fields []change.Field, do func(context.Context) error) {
	s.plan.Changes = append(s.plan.Changes, Change{Change: change.Change{Op: op, Kind: kind, Name: name, Fields: fields}, Tenant: s.want.Slug, do: do})
}

// update adds a change if fields differ.
func (s *site) update(kind, name string, fields []change.Field, do func(context.Context) error) {
	if len(fields) > 0 {
		s.add(change.Update, kind, name, fields, do)
	}
}

// extra is something that the document does not name.
func (s *site) extra(kind, name string, do func(context.Context) error) {
	c := Change{Change: change.Change{Op: change.Delete, Kind: kind, Name: name}, Tenant: s.want.Slug, do: do}
	if s.in.Prune {
		s.plan.Changes = append(s.plan.Changes, c)
	} else {
		s.plan.Extra = append(s.plan.Extra, c)
	}
}

// differ appends a field if its values differ.
func differ(fields []change.Field, name, before, after string) []change.Field {
	if before == after {
		return fields
	}
	return append(fields, change.Field{Name: name, Before: before, After: after})
}

// find looks for the tenant by its slug, which is unique and never changes.
func (s *site) find(ctx context.Context) (bool, error) {
	tenants, err := wazo.List[tenantItem](ctx, s.in.Engine, wazo.Auth+"/tenants", nil)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(tenants, func(t tenantItem) bool { return t.Slug == s.want.Slug })
	if i < 0 {
		return false, nil
	}
	s.tenant = tenants[i]
	return true, s.enter(ctx)
}

func (s *site) makeTenant(ctx context.Context) error {
	body := map[string]string{"name": s.want.Name, "slug": s.want.Slug}
	if err := s.in.Engine.Post(ctx, wazo.Auth+"/tenants", body, &s.tenant); err != nil {
		return err
	}
	return s.enter(ctx)
}

// enter waits until confd has heard of the tenant and made its templates.
func (s *site) enter(ctx context.Context) error {
	s.engine = s.in.Engine.In(s.tenant.UUID)
	return wazo.Until(ctx, func() (bool, error) {
		var out struct {
			Template string `json:"global_sip_template_uuid"`
		}
		err := s.in.Engine.Get(ctx, wazo.Confd+"/tenants/"+s.tenant.UUID, &out)
		if wazo.NotFound(err) {
			return false, nil
		}
		s.template = out.Template
		return s.template != "", err
	})
}

// load reads what the tenant has.
func (s *site) load(ctx context.Context, country *string) error {
	var localization struct {
		Country string `json:"country"`
	}
	if err := s.engine.Get(ctx, wazo.Confd+"/localization", &localization); err != nil {
		return err
	}
	*country = localization.Country
	contexts, err1 := wazo.List[*contextItem](ctx, s.engine, wazo.Confd+"/contexts", nil)
	endpoints, err2 := wazo.List[*endpointItem](ctx, s.engine, wazo.Confd+"/endpoints/sip", nil)
	users, err3 := wazo.List[*userItem](ctx, s.engine, wazo.Confd+"/users", nil)
	trunks, err4 := wazo.List[*trunkItem](ctx, s.engine, wazo.Confd+"/trunks", nil)
	outcalls, err5 := wazo.List[*outcallItem](ctx, s.engine, wazo.Confd+"/outcalls", nil)
	var err6 error
	s.incalls, err6 = wazo.List[*incallItem](ctx, s.engine, wazo.Confd+"/incalls", nil)
	for _, c := range contexts {
		s.contexts[c.Label] = c
	}
	for _, e := range endpoints {
		s.endpoints[e.Name] = e
	}
	for _, u := range users {
		if name := u.endpoint(); name != "" {
			s.users[name] = u
		}
	}
	for _, t := range trunks {
		if t.Endpoint != nil {
			s.trunks[t.Endpoint.Name] = t
		}
	}
	for _, o := range outcalls {
		s.outcalls[o.Name] = o
	}
	return errors.Join(err1, err2, err3, err4, err5, err6)
}

// endpoint is the name of the user's first SIP endpoint.
func (u *userItem) endpoint() string {
	for _, line := range u.Lines {
		if line.Endpoint != nil {
			return line.Endpoint.Name
		}
	}
	return ""
}
