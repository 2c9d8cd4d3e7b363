// Package compile makes the rows of the Routers' tables out of a routing document. Equal documents, numbers and secrets
// give equal rows.
package compile

import (
	"cmp"
	"crypto/md5" //nolint:gosec // digest authentication of SIP is made of it (RFC 7616, 3.4.2)
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
)

// Table is the whole content of one table but its ids.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]any
}

// Kinds of names that have a number in Kamailio.
const (
	KindRuleset = "ruleset" // dialplan id
	KindSet     = "set"     // dispatcher set
	KindTenant  = "tenant"  // first part of a key in prefix
)

// Groups of the table address.
const (
	GroupTrunks = 1
	GroupIpbxes = 2
)

// Flags of dispatcher destinations: probing, which is on for engines. Carriers are not asked by Routers, which they do not
// know. Source: Kamailio 5.6, module dispatcher, "list file".
const (
	flagProbing = 8
	flagNone    = 0
)

// Numbers are the numbers of names, by kind. They never change: Kamailio knows a set by its number while calls are in it.
type Numbers map[string]map[string]int

// firstSet leaves room for the sets of peers, which are not in the database.
const firstSet = 100

// of answers the number of a name and gives it the next free one when it has none.
func (n Numbers) of(kind, name string) int {
	if n[kind] == nil {
		n[kind] = map[string]int{}
	}
	if number, ok := n[kind][name]; ok {
		return number
	}
	next := 1
	if kind == KindSet {
		next = firstSet
	}
	for _, taken := range n[kind] {
		next = max(next, taken+1)
	}
	n[kind][name] = next
	return next
}

// Clone is a copy that can be changed.
func (n Numbers) Clone() Numbers {
	out := Numbers{}
	for kind, names := range n {
		out[kind] = maps.Clone(names)
	}
	return out
}

// Compile answers the tables in a fixed order, their rows sorted. It gives numbers to names that have none. Secrets holds
// the value of every secret that the document names; one that is missing is an error, all of them at once.
func Compile(d *document.Document, numbers Numbers, secrets map[string]string) ([]Table, error) {
	c := &compiler{d: d, numbers: numbers, secrets: secrets, rows: map[string][][]any{}}
	c.rulesets()
	for _, carrier := range d.Carriers {
		for _, t := range carrier.Trunks {
			c.trunk(t)
		}
	}
	for _, t := range d.Tenants {
		c.tenant(t)
	}
	tables := make([]Table, 0, len(layout))
	for _, l := range layout {
		rows := c.rows[l.Name]
		Sort(rows)
		tables = append(tables, Table{Name: l.Name, Columns: l.Columns, Rows: rows})
	}
	return tables, errors.Join(c.errs...)
}

// listMark is between the items of a list: Kamailio ends parameters at a comma.
const listMark = "/"

var facts = []string{"key_name", "key_type", "value_type", "key_value", "expires"}

// layout is every table with the columns that rows have.
var layout = []Table{
	{Name: "address", Columns: []string{"grp", "ip_addr", "mask", "port", "tag"}},
	{Name: "domain", Columns: []string{"domain", "did"}},
	{Name: "dialplan", Columns: []string{"dpid", "pr", "match_op", "match_exp", "match_len", "subst_exp", "repl_exp", "attrs"}},
	{Name: "dispatcher", Columns: []string{"setid", "destination", "flags", "priority", "attrs", "description"}},
	{Name: "uacreg", Columns: []string{"l_uuid", "l_username", "l_domain", "r_username", "r_domain", "realm", "auth_username", "auth_ha1", "auth_proxy", "expires"}},
	{Name: "did", Columns: []string{"tprefix", "tvalue"}},
	{Name: "prefix", Columns: []string{"tprefix", "tvalue"}},
	{Name: "ht_tenant", Columns: facts},
	{Name: "ht_domain", Columns: facts},
	{Name: "ht_ipbx", Columns: facts},
	{Name: "ht_trunk", Columns: facts},
}

// Layout is every table with its columns, without rows.
func Layout() []Table { return slices.Clone(layout) }

func compare(a, b []any) int {
	for i := range a {
		if x, isNumber := a[i].(int); isNumber {
			if order := cmp.Compare(x, b[i].(int)); order != 0 { //nolint:errcheck // a column has one type
				return order
			}
		} else if order := cmp.Compare(a[i].(string), b[i].(string)); order != 0 { //nolint:errcheck // as above
			return order
		}
	}
	return 0
}

type compiler struct {
	d       *document.Document
	numbers Numbers
	secrets map[string]string
	rows    map[string][][]any
	errs    []error
}

func (c *compiler) add(table string, values ...any) { c.rows[table] = append(c.rows[table], values) }

// fact writes a value of the form a=1;b=2, which Kamailio takes apart with {param.value}.
func (c *compiler) fact(table, key string, pairs ...string) {
	var fields []string
	for pair := range slices.Chunk(pairs, 2) {
		if name, value := pair[0], pair[len(pair)-1]; value != "" {
			fields = append(fields, name+"="+value)
		}
	}
	c.add(table, key, 0, 0, strings.Join(fields, ";"), 0)
}

// rules is the number of a ruleset as text; empty for none.
func (c *compiler) rules(name string) string {
	if name == "" {
		return ""
	}
	return strconv.Itoa(c.numbers.of(KindRuleset, name))
}

func (c *compiler) rulesets() {
	const regularExpression = 1 // match_op. Source: Kamailio 5.6, module dialplan
	for _, set := range c.d.Rulesets {
		for i, rule := range set.Rules {
			c.add("dialplan", c.numbers.of(KindRuleset, set.Name), i+1, regularExpression, rule.Match, 0, rule.Match, rule.Replace, set.Name)
		}
	}
}

func uri(host string, port int, transport string) string {
	return fmt.Sprintf("sip:%s:%d;transport=%s", host, port, transport)
}

func (c *compiler) trunk(t document.Trunk) {
	for _, p := range t.Sources {
		c.add("address", GroupTrunks, p.Addr().String(), p.Bits(), 0, t.Name)
	}
	var codes []string
	for _, code := range t.Failover {
		codes = append(codes, strconv.Itoa(code))
	}
	user, realm, hash := c.login(t)
	contact := ""
	if t.Register != nil {
		contact = contactUser(t.Name, hash)
		c.add("uacreg", contact, t.Name, t.Register.Registrar, user, t.Register.Registrar, realm, user, hash, registrations, t.Register.Expires)
	}
	c.fact("ht_trunk", t.Name, "in_rules", c.rules(t.RulesIn), "out_rules", c.rules(t.RulesOut), "from_domain", t.FromDomain,
		"failover", strings.Join(codes, listMark), "ring", strconv.Itoa(t.Ring),
		"host", t.Host, "port", strconv.Itoa(t.Port), "transport", t.Transport,
		"contact", contact, "user", user, "realm", realm, "ha1", hash)
}

// registrations is where a Router sends its own registrations first: to itself, which finds an SBC that answers.
const registrations = "sip:127.0.0.1:5060"

// contactUser is the user of the contact that a trunk registers. Who calls it is the carrier, because nobody else can know it:
// it is made of the password. It is the same for every Router, so that one can renew what another has registered.
func contactUser(trunk, hash string) string {
	sum := sha256.Sum256([]byte("contact " + trunk + " " + hash))
	return trunk + "-" + hex.EncodeToString(sum[:12])
}

// login answers user, realm and hash of a trunk's login.
func (c *compiler) login(t document.Trunk) (user, realm, hash string) {
	if t.Auth == nil {
		return "", "", ""
	}
	password, ok := c.secrets[string(t.Auth.Password)]
	if !ok || password == "" {
		c.errs = append(c.errs, fmt.Errorf("trunk %s: the secrets file has no %s", t.Name, t.Auth.Password))
	}
	sum := md5.Sum([]byte(t.Auth.Username + ":" + t.Auth.Realm + ":" + password)) //nolint:gosec // see the import
	return t.Auth.Username, t.Auth.Realm, hex.EncodeToString(sum[:])
}

func (c *compiler) tenant(t document.Tenant) {
	number := c.numbers.of(KindTenant, t.Name)
	c.fact("ht_tenant", t.Name, "number", strconv.Itoa(number))
	for _, domain := range t.Domains {
		c.add("domain", domain, t.Name)
		c.fact("ht_domain", domain, "tenant", t.Name, "ipbx", t.Ipbxes[0].Name)
	}
	for _, p := range t.Ipbxes {
		set := c.numbers.of(KindSet, "ipbx "+p.Name)
		for i, a := range p.Addresses {
			c.add("address", GroupIpbxes, a.String(), 32, 0, p.Name)
			// The highest priority is the engine, the next its backup.
			c.add("dispatcher", set, uri(a.String(), p.Port, "udp"), flagProbing, len(p.Addresses)-i, "ipbx="+p.Name, "ipbx "+p.Name)
		}
		c.fact("ht_ipbx", p.Name, "tenant", t.Name, "number", strconv.Itoa(number), "set", strconv.Itoa(set),
			"in_rules", c.rules(p.RulesIn), "out_rules", c.rules(p.RulesOut), "ring", strconv.Itoa(p.Ring))
	}
	for _, did := range t.Dids {
		for _, s := range did.Spans() {
			c.add("did", s.Prefix, fmt.Sprintf("tenant=%s;ipbx=%s;min=%[3]d;max=%[3]d", t.Name, did.Ipbx, s.Length))
		}
	}
	for _, r := range t.Routes {
		c.route(t, number, r)
	}
}

// route makes one set for each priority, in which weights decide.
func (c *compiler) route(t document.Tenant, number int, r document.Route) {
	priorities := map[int]bool{}
	for _, target := range r.Targets {
		priorities[target.Priority] = true
	}
	var sets []string
	for _, priority := range slices.Sorted(maps.Keys(priorities)) {
		name := fmt.Sprintf("%s/%s/%d", t.Name, r.Name, priority)
		set := c.numbers.of(KindSet, name)
		sets = append(sets, strconv.Itoa(set))
		for _, target := range r.Targets {
			trunk, _ := c.d.Trunk(target.Trunk)
			if target.Priority == priority && trunk != nil {
				c.add("dispatcher", set, uri(trunk.Host, trunk.Port, trunk.Transport), flagNone, 0,
					fmt.Sprintf("rweight=%d;trunk=%s", target.Weight, trunk.Name), name)
			}
		}
	}
	c.add("prefix", fmt.Sprintf("%d*%s", number, r.Prefix), fmt.Sprintf("route=%s;sets=%s", r.Name, strings.Join(sets, listMark)))
}

// Sort brings rows into the order that Compile gives them.
func Sort(rows [][]any) { slices.SortFunc(rows, compare) }
