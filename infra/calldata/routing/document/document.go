// Package document is routing.yml: who calls whom by which way, in the words of a voice engineer.
package document

import (
	"bytes"
	"net/netip"

	"go.yaml.in/yaml/v3"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/yamldoc"
)

// Document is one stack's routing.
type Document struct {
	Tenants  []Tenant  `yaml:"tenants"`
	Carriers []Carrier `yaml:"carriers,omitempty"`
	Rulesets []Ruleset `yaml:"rulesets,omitempty"`
	Tests    []Test    `yaml:"tests,omitempty"`
}

// Tenant is a customer with engines and numbers of its own.
type Tenant struct {
	Name string `yaml:"name"`
	// Domains are those that its phones register with.
	Domains []string `yaml:"domains,omitempty"`
	Ipbxes  []Ipbx   `yaml:"ipbxes,omitempty"`
	Dids    []Did    `yaml:"dids,omitempty"`
	// Routes lead out, by the beginning of the called number: the longest that fits wins.
	Routes []Route `yaml:"routes,omitempty"`
}

// Ipbx is an engine, or a pair of which the second takes over.
type Ipbx struct {
	Name string `yaml:"name"`
	// Addresses are the engine's and its backup's, private IPv4. Calls from them are the tenant's.
	Addresses []netip.Addr `yaml:"addresses"`
	// Port is that of SIP over UDP, default 5060.
	Port int `yaml:"port,omitempty"`
	// Ring is how many seconds it may ring, default 120.
	Ring int `yaml:"ring,omitempty"`
	// RulesIn bring numbers that the engine dials to E.164 digits, RulesOut numbers to the form that the engine wants.
	RulesIn  string `yaml:"rules_in,omitempty"`
	RulesOut string `yaml:"rules_out,omitempty"`
}

// Did are numbers that lead to an engine: one (Number), a range (First and Last), or all with a Prefix and Length digits.
// Numbers are E.164, with or without the plus.
type Did struct {
	Number string `yaml:"number,omitempty"`
	First  string `yaml:"first,omitempty"`
	Last   string `yaml:"last,omitempty"`
	Prefix string `yaml:"prefix,omitempty"`
	Length int    `yaml:"length,omitempty"`
	Ipbx   string `yaml:"ipbx"`
}

// Route leads out for numbers that begin with Prefix, E.164 digits; the empty prefix is every number.
type Route struct {
	Name    string   `yaml:"name"`
	Prefix  string   `yaml:"prefix"`
	Targets []Target `yaml:"targets"`
}

// Target is one way of a route. Those of the lowest Priority (default 1) share calls by Weight (1 to 100, default 100); the
// next priority is tried when all of them have failed.
type Target struct {
	Trunk    string `yaml:"trunk"`
	Priority int    `yaml:"priority,omitempty"`
	Weight   int    `yaml:"weight,omitempty"`
}

// Carrier is a company that takes and brings calls.
type Carrier struct {
	Name   string  `yaml:"name"`
	Trunks []Trunk `yaml:"trunks"`
}

// Trunk is one way to a carrier.
type Trunk struct {
	Name string `yaml:"name"`
	// Host is where calls go, an IPv4 address or a name; Port default 5060; Transport udp (default), tcp or tls.
	Host      string `yaml:"host"`
	Port      int    `yaml:"port,omitempty"`
	Transport string `yaml:"transport,omitempty"`
	// Sources are the addresses that its calls come from. A call from elsewhere is nobody's.
	Sources  []netip.Prefix `yaml:"sources,omitempty"`
	RulesIn  string         `yaml:"rules_in,omitempty"`
	RulesOut string         `yaml:"rules_out,omitempty"`
	// FromDomain is the domain that calls to the carrier come from; default: the SBC's address.
	FromDomain string `yaml:"from_domain,omitempty"`
	// Failover are the replies after which the next way is tried; default DefaultFailover. Ring as of an Ipbx.
	Failover []int `yaml:"failover,omitempty"`
	Ring     int   `yaml:"ring,omitempty"`
	// Auth answers the carrier's challenges, Register keeps a registration with it.
	Auth     *Auth     `yaml:"auth,omitempty"`
	Register *Register `yaml:"register,omitempty"`
}

// Auth is a digest login (RFC 7616).
type Auth struct {
	Username string `yaml:"username"`
	Realm    string `yaml:"realm"`
	Password Secret `yaml:"password"`
}

// Register is a registration (RFC 3261, 10). Registrar is a domain; Expires is in seconds, default 600.
type Register struct {
	Registrar string `yaml:"registrar"`
	Expires   int    `yaml:"expires,omitempty"`
}

// Secret is the name of an entry of the secrets file.
type Secret = private.Reference

// Ruleset is a list of rules; the first that matches rewrites, and a number that none matches is refused.
type Ruleset struct {
	Name  string `yaml:"name"`
	Rules []Rule `yaml:"rules"`
}

// Rule rewrites numbers that match a regular expression; \1 to \9 in Replace are the groups.
type Rule struct {
	Match   string `yaml:"match"`
	Replace string `yaml:"replace"`
}

// Test is a call and where it has to go. From is trunk:NAME or ipbx:NAME; Expect is ipbx:NAME, trunk:NAME for the first
// choice, or nowhere.
type Test struct {
	From   string `yaml:"from"`
	To     string `yaml:"to"`
	Expect string `yaml:"expect"`
	// Number, where given, is what the called side has to see.
	Number string `yaml:"number,omitempty"`
}

// Defaults of the document. 5060: RFC 3261, 19.1.2.
const (
	DefaultPort    = 5060
	DefaultRing    = 120
	DefaultExpires = 600
	DefaultWeight  = 100
)

// DefaultFailover are the replies that say "this way does not work now": time-out, server errors, and no circuit.
func DefaultFailover() []int { return []int{408, 500, 502, 503, 504} }

// Parse reads a document, completes it with the defaults and checks it. It answers every mistake at once.
func Parse(data []byte) (*Document, error) {
	var d Document
	if err := yamldoc.Decode(data, &d); err != nil {
		return nil, err
	}
	d.complete()
	return &d, d.validate()
}

// YAML is the document in its one canonical form, with every default written out.
func (d *Document) YAML() ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(d)
	return out.Bytes(), err
}

func orElse[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (d *Document) complete() {
	for i := range d.Tenants {
		t := &d.Tenants[i]
		for j := range t.Ipbxes {
			orElse(&t.Ipbxes[j].Port, DefaultPort)
			orElse(&t.Ipbxes[j].Ring, DefaultRing)
		}
		for j := range t.Dids {
			n := &t.Dids[j]
			n.Number, n.First, n.Last, n.Prefix = Digits(n.Number), Digits(n.First), Digits(n.Last), Digits(n.Prefix)
		}
		for j := range t.Routes {
			r := &t.Routes[j]
			r.Prefix = Digits(r.Prefix)
			for k := range r.Targets {
				orElse(&r.Targets[k].Priority, 1)
				orElse(&r.Targets[k].Weight, DefaultWeight)
			}
		}
	}
	for i := range d.Carriers {
		for j := range d.Carriers[i].Trunks {
			t := &d.Carriers[i].Trunks[j]
			orElse(&t.Port, DefaultPort)
			orElse(&t.Transport, "udp")
			orElse(&t.Ring, DefaultRing)
			if t.Failover == nil {
				t.Failover = DefaultFailover()
			}
			if t.Register != nil {
				orElse(&t.Register.Expires, DefaultExpires)
			}
		}
	}
}

// Digits is a number without the plus that E.164 numbers may be written with.
func Digits(number string) string {
	if len(number) > 0 && number[0] == '+' {
		return number[1:]
	}
	return number
}

// Ipbx answers an engine and its tenant by name.
func (d *Document) Ipbx(name string) (*Ipbx, *Tenant) {
	for i := range d.Tenants {
		for j := range d.Tenants[i].Ipbxes {
			if d.Tenants[i].Ipbxes[j].Name == name {
				return &d.Tenants[i].Ipbxes[j], &d.Tenants[i]
			}
		}
	}
	return nil, nil
}

// Trunk answers a trunk and its carrier by name.
func (d *Document) Trunk(name string) (*Trunk, *Carrier) {
	for i := range d.Carriers {
		for j := range d.Carriers[i].Trunks {
			if d.Carriers[i].Trunks[j].Name == name {
				return &d.Carriers[i].Trunks[j], &d.Carriers[i]
			}
		}
	}
	return nil, nil
}

// Ruleset answers a ruleset by name.
func (d *Document) Ruleset(name string) *Ruleset {
	for i := range d.Rulesets {
		if d.Rulesets[i].Name == name {
			return &d.Rulesets[i]
		}
	}
	return nil
}
