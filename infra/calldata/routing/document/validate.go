package document

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	hostForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
	digitsForm = regexp.MustCompile(`^[0-9]*$`)
	// What ends a value in Kamailio's lists cannot be in one.
	realmForm = regexp.MustCompile(`^[!#-+\--:<-~]([ !#-+\--:<-~]{0,62}[!#-+\--:<-~])?$`)
	loginForm = regexp.MustCompile(`^[A-Za-z0-9._~!$&*+=-]{1,64}$`)
)

// Kamailio's columns (dialplan-create.sql of 5.6).
const maxMatch, maxReplace = 64, 256

// E.164, 6.1: at most 15 digits.
const maxDigits = 15

type checker struct {
	d    *Document
	errs []error
	// names that were seen, by kind.
	seen map[string]map[string]bool
}

func (c *checker) fail(at, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%s "+format, append([]any{at}, args...)...))
}

// name checks a name's form and that it is the only one of its kind.
func (c *checker) name(at, kind, name string) {
	if !nameForm.MatchString(name) {
		c.fail(at+".name", "is %q: want lower case letters, digits and dashes, at most 32", name)
	}
	c.once(at+".name", kind, name)
}

func (c *checker) once(at, kind, value string) {
	if c.seen[kind] == nil {
		c.seen[kind] = map[string]bool{}
	}
	if c.seen[kind][value] {
		c.fail(at, "is %q, which another %s has too: choose one for each", value, kind)
	}
	c.seen[kind][value] = true
}

func (c *checker) ranged(at string, value, low, high int) {
	if value < low || value > high {
		c.fail(at, "is %d: want %d to %d", value, low, high)
	}
}

func (c *checker) ruleset(at, name string) {
	if name != "" && c.d.Ruleset(name) == nil {
		c.fail(at, "is %q, but there is no such ruleset", name)
	}
}

// validate reports everything that a Router could not work with, or that cannot be meant.
func (d *Document) validate() error {
	c := &checker{d: d, seen: map[string]map[string]bool{}}
	for i, r := range d.Rulesets {
		c.rules(fmt.Sprintf("rulesets[%d]", i), r)
	}
	for i, carrier := range d.Carriers {
		at := fmt.Sprintf("carriers[%d]", i)
		c.name(at, "carrier", carrier.Name)
		for j, t := range carrier.Trunks {
			c.trunk(fmt.Sprintf("%s.trunks[%d]", at, j), t)
		}
	}
	if len(d.Tenants) == 0 {
		c.fail("tenants", "is empty: want at least one")
	}
	for i, t := range d.Tenants {
		c.tenant(fmt.Sprintf("tenants[%d]", i), t)
	}
	c.addresses()
	c.dids()
	for i, t := range d.Tests {
		c.test(fmt.Sprintf("tests[%d]", i), t)
	}
	return errors.Join(c.errs...)
}

func (c *checker) rules(at string, r Ruleset) {
	c.name(at, "ruleset", r.Name)
	if len(r.Rules) == 0 {
		c.fail(at+".rules", "is empty: it would refuse every number")
	}
	for i, rule := range r.Rules {
		at := fmt.Sprintf("%s.rules[%d]", at, i)
		expression, err := rule.compiled()
		switch {
		case err != nil:
			c.fail(at+".match", "is %q: %v", rule.Match, err)
			continue
		case len(rule.Match) > maxMatch:
			c.fail(at+".match", "has %d characters, Kamailio takes %d", len(rule.Match), maxMatch)
		case len(rule.Replace) > maxReplace:
			c.fail(at+".replace", "has %d characters, Kamailio takes %d", len(rule.Replace), maxReplace)
		case !strings.HasPrefix(rule.Match, "^") || !strings.HasSuffix(rule.Match, "$"):
			c.fail(at+".match", "is %q: begin with ^ and end with $, or it matches in the middle of numbers", rule.Match)
		}
		for j := 0; j+1 < len(rule.Replace); j++ {
			if rule.Replace[j] == '\\' {
				if group, err := strconv.Atoi(rule.Replace[j+1 : j+2]); err != nil || group < 1 || group > expression.NumSubexp() {
					c.fail(at+".replace", "is %q: \\%c is no group of the match", rule.Replace, rule.Replace[j+1])
				}
				j++
			}
		}
	}
}

func (c *checker) trunk(at string, t Trunk) {
	c.name(at, "trunk", t.Name)
	if !hostForm.MatchString(t.Host) {
		c.fail(at+".host", "is %q: want an IPv4 address or a host name", t.Host)
	}
	if a, err := netip.ParseAddr(t.Host); err == nil {
		for _, tenant := range c.d.Tenants {
			for _, p := range tenant.Ipbxes {
				if slices.Contains(p.Addresses, a) {
					c.fail(at+".host", "is %s, which is the engine %s: calls would go in a circle; numbers of tenants are connected without a trunk", a, p.Name)
				}
			}
		}
	}
	c.ranged(at+".port", t.Port, 1, 65535)
	c.ranged(at+".ring", t.Ring, 5, 600)
	if !slices.Contains([]string{"udp", "tcp", "tls"}, t.Transport) {
		c.fail(at+".transport", "is %q: want udp, tcp or tls", t.Transport)
	}
	if len(t.Sources) == 0 && t.Register == nil {
		c.fail(at+".sources", "is empty: name the addresses that its calls come from, or register with the carrier; a trunk without either would take calls from anybody")
	}
	for i, p := range t.Sources {
		at := fmt.Sprintf("%s.sources[%d]", at, i)
		switch {
		case !p.IsValid() || !p.Addr().Is4():
			c.fail(at, "is %s: want an IPv4 range such as 198.51.100.0/28", p)
		case p != p.Masked():
			c.fail(at, "is %s, which has host bits set: the range is %s", p, p.Masked())
		case p.Bits() < 16:
			c.fail(at, "is %s: more than 65536 addresses are no carrier", p)
		}
	}
	for i, code := range t.Failover {
		c.ranged(fmt.Sprintf("%s.failover[%d]", at, i), code, 400, 699)
		if code == 401 || code == 407 {
			c.fail(fmt.Sprintf("%s.failover[%d]", at, i), "is %d: a challenge is answered, not passed over", code)
		}
	}
	c.ruleset(at+".rules_in", t.RulesIn)
	c.ruleset(at+".rules_out", t.RulesOut)
	if t.FromDomain != "" && !hostForm.MatchString(t.FromDomain) {
		c.fail(at+".from_domain", "is %q: want a domain", t.FromDomain)
	}
	if t.Auth != nil {
		if !loginForm.MatchString(t.Auth.Username) {
			c.fail(at+".auth.username", "is %q: want 1 to 64 letters, digits and marks of a SIP user", t.Auth.Username)
		}
		if !realmForm.MatchString(t.Auth.Realm) {
			c.fail(at+".auth.realm", "is %q: want the realm of the carrier's challenge, up to 64 characters of ASCII without \" ; and ,", t.Auth.Realm)
		}
		if t.Auth.Password == "" {
			c.fail(at+".auth.password", "is missing: write `!secret name`")
		}
	}
	if t.Register != nil {
		if t.Auth == nil {
			c.fail(at+".auth", "is missing: a registration needs a login")
		}
		if !hostForm.MatchString(t.Register.Registrar) {
			c.fail(at+".register.registrar", "is %q: want a domain", t.Register.Registrar)
		}
		c.ranged(at+".register.expires", t.Register.Expires, 60, 86400)
	}
}

func (c *checker) tenant(at string, t Tenant) {
	c.name(at, "tenant", t.Name)
	for i, domain := range t.Domains {
		at := fmt.Sprintf("%s.domains[%d]", at, i)
		if !hostForm.MatchString(domain) {
			c.fail(at, "is %q: want a domain in lower case", domain)
		}
		c.once(at, "domain", domain)
	}
	if len(t.Domains) > 0 && len(t.Ipbxes) == 0 {
		c.fail(at+".ipbxes", "is empty, but its domains %v need an engine", t.Domains)
	}
	for i, p := range t.Ipbxes {
		at := fmt.Sprintf("%s.ipbxes[%d]", at, i)
		c.name(at, "ipbx", p.Name)
		if len(p.Addresses) == 0 || len(p.Addresses) > 2 {
			c.fail(at+".addresses", "has %d: want the engine's, and its backup's where there is one", len(p.Addresses))
		}
		for j, a := range p.Addresses {
			if !a.Is4() || !a.IsPrivate() {
				c.fail(fmt.Sprintf("%s.addresses[%d]", at, j), "is %s: want a private IPv4 address", a)
			}
		}
		c.ranged(at+".port", p.Port, 1, 65535)
		c.ranged(at+".ring", p.Ring, 5, 600)
		c.ruleset(at+".rules_in", p.RulesIn)
		c.ruleset(at+".rules_out", p.RulesOut)
	}
	prefixes := map[string]string{}
	for i, r := range t.Routes {
		at := fmt.Sprintf("%s.routes[%d]", at, i)
		c.name(at, "route of "+t.Name, r.Name)
		if !digitsForm.MatchString(r.Prefix) || len(r.Prefix) > maxDigits {
			c.fail(at+".prefix", "is %q: want up to %d digits", r.Prefix, maxDigits)
		}
		if other, ok := prefixes[r.Prefix]; ok {
			c.fail(at+".prefix", "is %q, as of route %s: give one route both targets", r.Prefix, other)
		}
		prefixes[r.Prefix] = r.Name
		if len(r.Targets) == 0 {
			c.fail(at+".targets", "is empty: want at least one trunk")
		}
		seen := map[string]bool{}
		for j, target := range r.Targets {
			at := fmt.Sprintf("%s.targets[%d]", at, j)
			if trunk, _ := c.d.Trunk(target.Trunk); trunk == nil {
				c.fail(at+".trunk", "is %q, but there is no such trunk", target.Trunk)
			}
			if seen[target.Trunk] {
				c.fail(at+".trunk", "is %q, which this route has already", target.Trunk)
			}
			seen[target.Trunk] = true
			c.ranged(at+".priority", target.Priority, 1, 9)
			c.ranged(at+".weight", target.Weight, 1, 100)
		}
	}
}

// addresses finds senders that are not told apart: who a call is from would be chance.
func (c *checker) addresses() {
	type owner struct {
		what   string
		prefix netip.Prefix
	}
	var owners []owner
	for _, t := range c.d.Tenants {
		for _, p := range t.Ipbxes {
			for _, a := range p.Addresses {
				if a.Is4() {
					owners = append(owners, owner{"ipbx " + p.Name, netip.PrefixFrom(a, 32)})
				}
			}
		}
	}
	for _, carrier := range c.d.Carriers {
		for _, t := range carrier.Trunks {
			for _, p := range t.Sources {
				if p.IsValid() {
					owners = append(owners, owner{"trunk " + t.Name, p})
				}
			}
		}
	}
	for i, a := range owners {
		for _, b := range owners[:i] {
			if a.what != b.what && a.prefix.Overlaps(b.prefix) {
				c.fail(a.what, "and %s both have %s: whose a call from there is cannot be told", b.what, a.prefix)
			}
		}
	}
}

// dids checks every number, that no other tenant has it, and that a call from some trunk can reach it.
func (c *checker) dids() {
	type taken struct {
		at, ipbx string
		span     Span
	}
	var all []taken
	for i, t := range c.d.Tenants {
		for j, did := range t.Dids {
			at := fmt.Sprintf("tenants[%d].dids[%d]", i, j)
			if !c.did(at, t, did) {
				continue
			}
			spans := did.Spans()
			for _, s := range spans {
				for _, other := range all {
					// Within a tenant, a longer prefix is an exception to a shorter one.
					if s == other.span || s.Overlaps(other.span) && !within(c.d, other.ipbx, t.Name) {
						c.fail(at, "is %s, of which %s has numbers already", did, other.at)
						break
					}
					if s.Length != other.span.Length && s.nested(other.span) {
						c.fail(at, "is %s, and %s has numbers of another length that begin alike: the Router takes the longest match, and one of them would hide the other", did, other.at)
						break
					}
				}
			}
			for _, s := range spans {
				all = append(all, taken{at, did.Ipbx, s})
			}
			c.reachable(at, did, spans)
		}
	}
}

func within(d *Document, ipbx, tenant string) bool {
	_, t := d.Ipbx(ipbx)
	return t != nil && t.Name == tenant
}

func (c *checker) did(at string, t Tenant, did Did) bool {
	before := len(c.errs)
	forms := 0
	for _, given := range []bool{did.Number != "", did.First != "" || did.Last != "", did.Prefix != "" || did.Length != 0} {
		if given {
			forms++
		}
	}
	if forms != 1 {
		c.fail(at, "has %d forms: want one of number, first and last, or prefix and length", forms)
		return false
	}
	for _, n := range []struct{ field, value string }{{"number", did.Number}, {"first", did.First}, {"last", did.Last}, {"prefix", did.Prefix}} {
		if n.value != "" && (!digitsForm.MatchString(n.value) || len(n.value) > maxDigits) {
			c.fail(at+"."+n.field, "is %q: want E.164, up to %d digits", n.value, maxDigits)
		}
	}
	switch {
	case did.First != "" || did.Last != "":
		if len(did.First) != len(did.Last) || did.First > did.Last {
			c.fail(at+".last", "is %q after first %q: want as many digits, and no smaller number", did.Last, did.First)
		}
	case did.Prefix != "" || did.Length != 0:
		if did.Length <= len(did.Prefix) || did.Length > maxDigits || did.Prefix == "" {
			c.fail(at+".length", "is %d: want more digits than the prefix %q has, and at most %d", did.Length, did.Prefix, maxDigits)
		}
	}
	if p, owner := c.d.Ipbx(did.Ipbx); p == nil || owner.Name != t.Name {
		c.fail(at+".ipbx", "is %q, which is no engine of %s", did.Ipbx, t.Name)
	}
	return len(c.errs) == before
}

// reachable fails for numbers that no trunk's rules ever make: carriers send +1..., 001..., or national forms, of which the
// rules must bring one to the number.
func (c *checker) reachable(at string, did Did, spans []Span) {
	var trunks []Trunk
	for _, carrier := range c.d.Carriers {
		trunks = append(trunks, carrier.Trunks...)
	}
	if len(trunks) == 0 {
		return
	}
	for _, s := range spans {
		number := s.Prefix + strings.Repeat("0", s.Length-len(s.Prefix))
		if !slices.ContainsFunc(trunks, func(t Trunk) bool { return c.makes(t.RulesIn, number) }) {
			c.fail(at, "is %s, but no trunk's rules_in make +%s of a number that a carrier sends: no call could reach it", did, number)
			return
		}
	}
}

// makes reports whether a ruleset brings some usual form of a number to it: with plus, with 00, plain, or national.
func (c *checker) makes(rules, number string) bool {
	forms := []string{number, "+" + number, "00" + number, "011" + number}
	for cut := 1; cut <= 3 && cut < len(number); cut++ {
		forms = append(forms, number[cut:], "0"+number[cut:], "1"+number[cut:])
	}
	return slices.ContainsFunc(forms, func(form string) bool {
		got, err := c.d.Rewrite(rules, form)
		return err == nil && Digits(got) == number
	})
}

func (c *checker) test(at string, t Test) {
	if _, err := c.d.Source(t.From); err != nil {
		c.fail(at+".from", "is %q: %v", t.From, err)
	}
	if t.To == "" {
		c.fail(at+".to", "is missing: want the number that is dialled")
	}
	if _, err := c.d.Source(t.Expect); err != nil && t.Expect != Nowhere {
		c.fail(at+".expect", "is %q: want ipbx:NAME, trunk:NAME or %s", t.Expect, Nowhere)
	}
}
