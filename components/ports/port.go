package ports

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Protocol is an IP protocol, by the name that EC2 and nftables both use.
type Protocol string

// The protocols of the table.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	ICMP Protocol = "icmp"
)

// Exposure says who may reach a port.
type Exposure string

const (
	// Public ports are for everybody.
	Public Exposure = "public"
	// Users ports are for people with a browser: the web ranges, which may be the whole internet.
	Users Exposure = "users"
	// Phones ports are for registered phones: the SIP ranges, which may be the whole internet.
	Phones Exposure = "phones"
	// Media ports are for voice packets, which come from wherever a phone or a carrier's media server is.
	Media Exposure = "media"
	// Carriers ports are for carriers, which are known by their addresses: never the whole internet.
	Carriers Exposure = "carriers"
	// VPC ports are for the other machines of the same network.
	VPC Exposure = "vpc"
	// Admin ports are for operators: the admin ranges, never the whole internet.
	Admin Exposure = "admin"
	// Internal ports are for the peers that the row names, and for no range of addresses.
	Internal Exposure = "internal"
	// Nobody reaches these from outside the machine, although something listens on all addresses or could be made to.
	Nobody Exposure = "nobody"
)

// AllExposures lists every exposure, the most open first.
func AllExposures() []Exposure {
	return []Exposure{Public, Users, Phones, Media, Carriers, VPC, Admin, Internal, Nobody}
}

// open exposures may be given to the whole internet.
func (e Exposure) open() bool { return slices.Contains([]Exposure{Public, Users, Phones, Media}, e) }

// closed exposures are never given to a range of addresses.
func (e Exposure) closed() bool { return e == Internal || e == Nobody }

// EchoRequest is the ICMP type of a ping (RFC 792). For ICMP, From is the type and To the code, as in EC2; AnyCode
// stands for every code.
const (
	EchoRequest = 8
	AnyCode     = -1
)

// Port is a port, a range of ports or an ICMP type that a service listens on.
type Port struct {
	// Name identifies the row, for example "sip-udp". Resource names contain it, so it never changes.
	Name string
	// Protocol is tcp, udp or icmp.
	Protocol Protocol
	// From and To are the first and the last port; for ICMP, the type and the code.
	From, To int
	// Exposure is who may reach it.
	Exposure Exposure
	// Peers are the groups that reach it besides, from inside the network.
	Peers []Group
	// Default says whether it is open without anybody asking for it.
	Default bool
	// Description says what listens there. It becomes the description of security group rules.
	Description string
	// Source is where the facts come from.
	Source string
}

// String is the port as people write it, for example "udp 10000-20000".
func (p Port) String() string {
	switch {
	case p.Protocol == ICMP:
		return fmt.Sprintf("icmp type %d", p.From)
	case p.From == p.To:
		return fmt.Sprintf("%s %d", p.Protocol, p.From)
	}
	return fmt.Sprintf("%s %d-%d", p.Protocol, p.From, p.To)
}

// Overlaps reports whether some packet matches both p and other.
func (p Port) Overlaps(other Port) bool {
	if p.Protocol != other.Protocol {
		return false
	}
	if p.Protocol == ICMP {
		return p.From == other.From && (p.To == other.To || p.To == AnyCode || other.To == AnyCode)
	}
	return p.From <= other.To && other.From <= p.To
}

var (
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	// EC2 accepts only these characters in the description of a rule, at most 255 of them.
	// Source: Amazon EC2 API Reference, IpRange, Description.
	descriptionForm = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)
)

// Validate reports everything about p that EC2 or the table's readers could not work with.
func (p Port) Validate() error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("port %q: "+format, append([]any{p.Name}, args...)...))
	}
	if !nameForm.MatchString(p.Name) {
		fail("the name must be lower case words joined by hyphens")
	}
	switch p.Protocol {
	case TCP, UDP:
		if p.From < 1 || p.To > 65535 || p.From > p.To {
			fail("the range %d-%d is not within 1-65535", p.From, p.To)
		}
	case ICMP:
		if p.From < 0 || p.From > 255 || p.To < AnyCode || p.To > 255 {
			fail("the ICMP type %d or code %d is out of range", p.From, p.To)
		}
	default:
		fail("the protocol is %q, want tcp, udp or icmp", p.Protocol)
	}
	if !p.Exposure.valid() {
		fail("the exposure is %q, want one of %v", p.Exposure, AllExposures())
	}
	if p.Exposure == Nobody && (p.Default || len(p.Peers) > 0) {
		fail("nobody may reach it, so it cannot be open by default or have peers")
	}
	for _, g := range p.Peers {
		if !g.valid() {
			fail("the peer is %q, want one of %v", g, Groups())
		}
	}
	if !descriptionForm.MatchString(p.Description) {
		fail("the description %q is empty, longer than 255 characters, or has a character that EC2 refuses", p.Description)
	}
	return errors.Join(errs...)
}

func (e Exposure) valid() bool { return slices.Contains(AllExposures(), e) }
