// Package document is tenant.yml: who works with an engine, and how calls reach them, in the words of an administrator.
package document

import (
	"net/netip"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/yamldoc"
)

// Document is what an engine shall have.
type Document struct {
	// Language is that of a new engine, en_US (default) or fr_FR.
	Language string   `yaml:"language,omitempty"`
	Tenants  []Tenant `yaml:"tenants"`
}

// Tenant is one organisation.
type Tenant struct {
	// Name is what people read, Slug its short form in names: 1 to 10 letters, digits and underscores, never changed.
	Name string `yaml:"name"`
	Slug string `yaml:"slug"`
	// Country is an ISO 3166-1 code such as US; numbers are read by its rules.
	Country  string     `yaml:"country"`
	Admin    *Admin     `yaml:"admin,omitempty"`
	Contexts []Context  `yaml:"contexts,omitempty"`
	Users    []User     `yaml:"users,omitempty"`
	Trunks   []Trunk    `yaml:"trunks,omitempty"`
	Inbound  []Inbound  `yaml:"inbound,omitempty"`
	Outbound []Outbound `yaml:"outbound,omitempty"`
}

// Admin may do everything in the tenant. The password is set when the account is made, and not compared later.
type Admin struct {
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
}

// Context is a set of numbers that may call each other. Type is internal, incall (numbers that are called from outside)
// or outcall (ways out).
type Context struct {
	Name string `yaml:"name"`
	Type string `yaml:"type"`
	// Ranges are the numbers that the context may have, of the same length on both sides.
	Ranges []Range `yaml:"ranges,omitempty"`
	// Includes names contexts whose numbers may be dialled from here.
	Includes []string `yaml:"includes,omitempty"`
}

// Range is from First to Last, both within.
type Range struct {
	First string `yaml:"first"`
	Last  string `yaml:"last"`
}

// User is a person, or a phone in a hall, with one line.
type User struct {
	FirstName string `yaml:"firstname"`
	LastName  string `yaml:"lastname,omitempty"`
	Email     string `yaml:"email,omitempty"`
	// Context is that of the line, Extension its number.
	Context   string `yaml:"context"`
	Extension string `yaml:"extension"`
	// Ring is how many seconds it rings, default 30; 0 is the default, and -1 no limit.
	Ring int `yaml:"ring,omitempty"`
	// CallerID is the number that others see outside; default: what the outbound route says.
	CallerID string `yaml:"caller_id,omitempty"`
	SIP      SIP    `yaml:"sip"`
}

// SIP is the login of a line, unique in the engine. The user name also tells users of the document from each other.
type SIP struct {
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
}

// Trunk leads to the C4 Router, or to another peer that is known by its addresses.
type Trunk struct {
	Name string `yaml:"name"`
	// Context is where its calls arrive, one of type incall.
	Context string `yaml:"context"`
	// Hosts are where calls go, in order: addresses or names. Default: the stack's Routers.
	Hosts []string `yaml:"hosts,omitempty"`
	// Port is that of SIP over UDP, default 5060.
	Port int `yaml:"port,omitempty"`
	// Sources are where its calls come from. Default: Hosts.
	Sources []netip.Prefix `yaml:"sources,omitempty"`
}

// Inbound is where a number leads to: user:SIP-NAME, extension:NUMBER@CONTEXT, or hangup:busy, hangup:congestion, hangup:normal.
type Inbound struct {
	Number  string `yaml:"number"`
	Context string `yaml:"context"`
	To      string `yaml:"to"`
}

// Outbound is a way out: numbers that match one of Patterns, dialled from contexts that include Context, go to the first of
// Trunks that takes them.
type Outbound struct {
	Name     string    `yaml:"name"`
	Context  string    `yaml:"context"`
	Trunks   []string  `yaml:"trunks"`
	Patterns []Pattern `yaml:"patterns"`
}

// Pattern is a number, or a pattern of Asterisk's that begins with an underscore. Strip digits go, then Prefix comes before.
type Pattern struct {
	Match    string `yaml:"match"`
	Strip    int    `yaml:"strip,omitempty"`
	Prefix   string `yaml:"prefix,omitempty"`
	CallerID string `yaml:"caller_id,omitempty"`
}

// Secret is the name of an entry of the secrets file.
type Secret = private.Reference

// Defaults of the document. 5060: RFC 3261, 19.1.2; 30 s: wazo-confd's own.
const (
	DefaultPort     = 5060
	DefaultRing     = 30
	DefaultLanguage = "en_US"
)

// The types of contexts.
const (
	Internal = "internal"
	Incall   = "incall"
	Outcall  = "outcall"
)

// Parse reads a document, completes it with the defaults and checks it. Routers are the addresses of trunks without hosts. It
// answers every mistake at once.
func Parse(data []byte, routers []string) (*Document, error) {
	var d Document
	if err := yamldoc.Decode(data, &d); err != nil {
		return nil, err
	}
	d.complete(routers)
	return &d, d.validate()
}

func (d *Document) complete(routers []string) {
	if d.Language == "" {
		d.Language = DefaultLanguage
	}
	for i := range d.Tenants {
		t := &d.Tenants[i]
		for j := range t.Users {
			switch t.Users[j].Ring {
			case 0:
				t.Users[j].Ring = DefaultRing
			case -1:
				t.Users[j].Ring = 0 // Wazo's word for no limit
			}
		}
		for j := range t.Trunks {
			trunk := &t.Trunks[j]
			if len(trunk.Hosts) == 0 {
				trunk.Hosts = routers
			}
			if trunk.Port == 0 {
				trunk.Port = DefaultPort
			}
		}
		for j := range t.Inbound {
			t.Inbound[j].Number = digits(t.Inbound[j].Number)
		}
		for j := range t.Contexts {
			for k := range t.Contexts[j].Ranges {
				r := &t.Contexts[j].Ranges[k]
				r.First, r.Last = digits(r.First), digits(r.Last)
			}
		}
	}
}

// digits is a number without the plus that E.164 numbers may be written with. Wazo drops it from the numbers that are called.
func digits(number string) string {
	if len(number) > 0 && number[0] == '+' {
		return number[1:]
	}
	return number
}

// Secrets are the names of all secrets that the document needs.
func (d *Document) Secrets() []string {
	var names []string
	for _, t := range d.Tenants {
		if t.Admin != nil {
			names = append(names, string(t.Admin.Password))
		}
		for _, u := range t.Users {
			names = append(names, string(u.SIP.Password))
		}
	}
	return names
}
