package document

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Forms of wazo-auth (slug) and wazo-confd (extensions, names of PJSIP sections), and what is safe in SIP without quoting.
var (
	slugForm    = regexp.MustCompile(`^[a-zA-Z0-9_]{1,10}$`)
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	nameForm    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,30}$`)
	loginForm   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{1,63}$`)
	numberForm  = regexp.MustCompile(`^[0-9]{1,40}$`)
	extenForm   = regexp.MustCompile(`^[0-9*#]{1,40}$`)
	patternForm = regexp.MustCompile(`^(_\+?[*#0-9XxZzNn\[\].!-]{1,38}|\+?[*#0-9]{1,39})$`)
	prefixForm  = regexp.MustCompile(`^\+?[0-9*#]*$`)
	phoneForm   = regexp.MustCompile(`^\+?[0-9]{1,15}$`)
	hostForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// maxRing is wazo-confd's limit for ring_seconds.
const maxRing = 10800

type checker struct {
	errs []error
	seen map[string]bool
}

func (c *checker) fail(at, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(at+" "+format, args...))
}

func (c *checker) form(at, value string, form *regexp.Regexp, want string) {
	if !form.MatchString(value) {
		c.fail(at, "is %q: want %s", value, want)
	}
}

// once checks that a value is the only one of its kind.
func (c *checker) once(at, kind, value string) {
	key := kind + " " + value
	if c.seen[key] {
		c.fail(at, "is %q, which another %s has too: choose one for each", value, kind)
	}
	c.seen[key] = true
}

func (d *Document) validate() error {
	c := &checker{seen: map[string]bool{}}
	if d.Language != "en_US" && d.Language != "fr_FR" {
		c.fail("language", "is %q: want en_US or fr_FR", d.Language)
	}
	if len(d.Tenants) == 0 {
		c.fail("tenants", "is empty: name at least one")
	}
	for i := range d.Tenants {
		c.tenant(fmt.Sprintf("tenants[%d]", i), &d.Tenants[i])
	}
	return errors.Join(c.errs...)
}

func (c *checker) tenant(at string, t *Tenant) {
	if t.Name == "" || len(t.Name) > 128 {
		c.fail(at+".name", "is %q: want 1 to 128 characters", t.Name)
	}
	c.form(at+".slug", t.Slug, slugForm, "1 to 10 letters, digits and underscores")
	c.once(at+".slug", "tenant", t.Slug)
	if t.Slug == "master" {
		c.fail(at+".slug", "is master: that tenant is Wazo's own")
	}
	c.form(at+".country", t.Country, countryForm, "two capital letters of ISO 3166-1, such as US")
	if t.Admin != nil {
		c.form(at+".admin.username", t.Admin.Username, loginForm, "2 to 64 letters, digits, - and _")
		c.once(at+".admin.username", "admin", t.Admin.Username)
		c.secret(at+".admin.password", t.Admin.Password)
		if t.Admin.Username == "root" {
			c.fail(at+".admin.username", "is root: that account is Wazo's own")
		}
	}
	for i, x := range t.Contexts {
		c.context(fmt.Sprintf("%s.contexts[%d]", at, i), t, x)
	}
	for i, x := range t.Users {
		c.user(fmt.Sprintf("%s.users[%d]", at, i), t, x)
	}
	for i, x := range t.Trunks {
		c.trunk(fmt.Sprintf("%s.trunks[%d]", at, i), t, x)
	}
	for i, x := range t.Inbound {
		c.inbound(fmt.Sprintf("%s.inbound[%d]", at, i), t, x)
	}
	for i, x := range t.Outbound {
		c.outbound(fmt.Sprintf("%s.outbound[%d]", at, i), t, x)
	}
}

func (c *checker) secret(at string, name Secret) {
	if name == "" {
		c.fail(at, "is missing: name an entry of the secrets file, `!secret name`")
	}
}

func (c *checker) context(at string, t *Tenant, x Context) {
	c.form(at+".name", x.Name, nameForm, "up to 31 letters, digits, - and _")
	c.once(at+".name", "context of "+t.Slug, x.Name)
	switch x.Type {
	case Internal, Incall:
		if len(x.Ranges) == 0 {
			c.fail(at+".ranges", "is empty: a context of type %s needs the numbers that it may have", x.Type)
		}
	case Outcall:
		if len(x.Ranges) > 0 {
			c.fail(at+".ranges", "has no meaning in a context of type outcall: its numbers are the patterns of outbound")
		}
	default:
		c.fail(at+".type", "is %q: want internal, incall or outcall", x.Type)
	}
	for i, r := range x.Ranges {
		if !numberForm.MatchString(r.First) || !numberForm.MatchString(r.Last) || len(r.First) != len(r.Last) || r.First > r.Last {
			c.fail(fmt.Sprintf("%s.ranges[%d]", at, i), "is %q to %q: want two numbers of the same length, the smaller one first", r.First, r.Last)
		}
	}
	for i, name := range x.Includes {
		if _, there := t.Context(name); !there || name == x.Name {
			c.fail(fmt.Sprintf("%s.includes[%d]", at, i), "is %q: want the name of another context", name)
		}
	}
}

// in checks that a context is there and of a type.
func (c *checker) in(at string, t *Tenant, name, kind string) (Context, bool) {
	x, there := t.Context(name)
	if !there || x.Type != kind {
		c.fail(at, "is %q: want the name of a context of type %s", name, kind)
		return x, false
	}
	return x, true
}

func (c *checker) user(at string, t *Tenant, u User) {
	if u.FirstName == "" || len(u.FirstName) > 128 || strings.ContainsAny(u.FirstName+u.LastName, "\"\n") {
		c.fail(at+".firstname", "is %q: want 1 to 128 characters without quotes", u.FirstName)
	}
	if u.Email != "" {
		if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email {
			c.fail(at+".email", "is %q: want an address like ada@acme.example", u.Email)
		}
		c.once(at+".email", "user", u.Email)
	}
	c.form(at+".sip.username", u.SIP.Username, loginForm, "2 to 64 letters, digits, - and _")
	c.once(at+".sip.username", "SIP endpoint", u.SIP.Username)
	c.secret(at+".sip.password", u.SIP.Password)
	if u.Ring < 0 || u.Ring > maxRing {
		c.fail(at+".ring", "is %d: want 1 to %d seconds, or -1 for no limit", u.Ring, maxRing)
	}
	if u.CallerID != "" {
		c.form(at+".caller_id", u.CallerID, phoneForm, "a number of up to 15 digits")
	}
	if x, good := c.in(at+".context", t, u.Context, Internal); good && !x.has(u.Extension) {
		c.fail(at+".extension", "is %q: want a number within the ranges of context %s", u.Extension, x.Name)
	}
	c.once(at+".extension", "extension of "+t.Slug+" "+u.Context, u.Extension)
}

func (c *checker) trunk(at string, t *Tenant, x Trunk) {
	c.form(at+".name", x.Name, nameForm, "up to 31 letters, digits, - and _")
	c.once(at+".name", "trunk of "+t.Slug, x.Name)
	c.in(at+".context", t, x.Context, Incall)
	if len(x.Hosts) == 0 {
		c.fail(at+".hosts", "is empty, and the stack's outputs name no Router: name where calls go")
	}
	for i, host := range x.Hosts {
		c.form(fmt.Sprintf("%s.hosts[%d]", at, i), host, hostForm, "an IPv4 address or a host name")
		if _, err := netip.ParseAddr(host); err != nil && len(x.Sources) == 0 {
			c.fail(at+".sources", "is empty, but host %s is no address: name where the trunk's calls come from", host)
		}
	}
	for i, source := range x.Sources {
		if !source.Addr().Is4() || source.Masked() != source {
			c.fail(fmt.Sprintf("%s.sources[%d]", at, i), "is %s: want an IPv4 network like 10.0.1.0/24", source)
		}
	}
	if x.Port < 1 || x.Port > 65535 {
		c.fail(at+".port", "is %d: want 1 to 65535", x.Port)
	}
	for i := range x.Hosts {
		c.once(at+".name", "SIP endpoint", x.Endpoint(t, i))
	}
}

func (c *checker) inbound(at string, t *Tenant, x Inbound) {
	if context, good := c.in(at+".context", t, x.Context, Incall); good && !context.has(x.Number) {
		c.fail(at+".number", "is %q: want a number within the ranges of context %s", x.Number, context.Name)
	}
	c.once(at+".number", "number of "+t.Slug+" "+x.Context, x.Number)
	kind, rest, _ := strings.Cut(x.To, ":")
	switch kind {
	case "user":
		if !slices.ContainsFunc(t.Users, func(u User) bool { return u.SIP.Username == rest }) {
			c.fail(at+".to", "is %q: no user of the tenant has this SIP user name", x.To)
		}
	case "extension":
		exten, name, _ := strings.Cut(rest, "@")
		if target, there := t.Context(name); !extenForm.MatchString(exten) || !there || target.Type != Internal {
			c.fail(at+".to", "is %q: want extension:NUMBER@CONTEXT, with a context of type internal", x.To)
		}
	case "hangup":
		if rest != "busy" && rest != "congestion" && rest != "normal" {
			c.fail(at+".to", "is %q: want hangup:busy, hangup:congestion or hangup:normal", x.To)
		}
	default:
		c.fail(at+".to", "is %q: want user:SIP-NAME, extension:NUMBER@CONTEXT or hangup:busy", x.To)
	}
}

func (c *checker) outbound(at string, t *Tenant, x Outbound) {
	c.form(at+".name", x.Name, nameForm, "up to 31 letters, digits, - and _")
	c.once(at+".name", "outbound route of "+t.Slug, x.Name)
	c.in(at+".context", t, x.Context, Outcall)
	if len(x.Trunks) == 0 {
		c.fail(at+".trunks", "is empty: name at least one")
	}
	for i, name := range x.Trunks {
		if !slices.ContainsFunc(t.Trunks, func(trunk Trunk) bool { return trunk.Name == name }) {
			c.fail(fmt.Sprintf("%s.trunks[%d]", at, i), "is %q: want the name of a trunk", name)
		}
	}
	if len(x.Patterns) == 0 {
		c.fail(at+".patterns", "is empty: name at least one")
	}
	for i, p := range x.Patterns {
		at := fmt.Sprintf("%s.patterns[%d]", at, i)
		c.form(at+".match", p.Match, patternForm, "a number, or a pattern like _9NXXXXXX")
		c.once(at+".match", "pattern of "+t.Slug+" "+x.Context, p.Match)
		if p.Strip < 0 || p.Strip > 20 {
			c.fail(at+".strip", "is %d: want 0 to 20 digits", p.Strip)
		}
		c.form(at+".prefix", p.Prefix, prefixForm, "digits, with a plus before them or not")
		if p.CallerID != "" {
			c.form(at+".caller_id", p.CallerID, phoneForm, "a number of up to 15 digits")
		}
	}
}

// Context answers the context of a name.
func (t *Tenant) Context(name string) (Context, bool) {
	for _, x := range t.Contexts {
		if x.Name == name {
			return x, true
		}
	}
	return Context{}, false
}

func (x Context) has(number string) bool {
	return slices.ContainsFunc(x.Ranges, func(r Range) bool {
		return len(number) == len(r.First) && r.First <= number && number <= r.Last
	})
}

// Endpoint is the name of the SIP endpoint of the trunk's i-th host. Names are unique in the engine, so that the tenant's slug
// is part of them.
func (x Trunk) Endpoint(t *Tenant, i int) string {
	return fmt.Sprintf("%s-%s-%d", t.Slug, x.Name, i+1)
}

// Match lists where the calls of the trunk's i-th host come from, as PJSIP's identify section wants it.
func (x Trunk) Match(i int) []string {
	if len(x.Sources) == 0 {
		return []string{x.Hosts[i]}
	}
	if i > 0 {
		return nil // the first endpoint takes the calls of all hosts
	}
	var out []string
	for _, s := range x.Sources {
		out = append(out, s.String())
	}
	return out
}
