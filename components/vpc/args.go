package vpc

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/tags"
)

// Tier says how a subnet is joined to the rest of the world.
type Tier string

const (
	// Public subnets have a route to the internet in both directions, for whatever has a public address of its own.
	Public Tier = "public"
	// Private subnets reach the internet through NAT, if there is any, and cannot be reached from it.
	Private Tier = "private"
	// Intra subnets know the network alone: databases.
	Intra Tier = "intra"
)

// Tiers lists every tier, the most open first.
func Tiers() []Tier { return []Tier{Public, Private, Intra} }

// NatStrategy says how private subnets reach the internet. Costs are of us-east-1, without data.
// Source: Amazon VPC pricing.
type NatStrategy string

const (
	// NatNone is no NAT: private machines reach what has an endpoint in the network, and nothing else. It costs nothing
	// and is the default.
	NatNone NatStrategy = "none"
	// NatSingle is one NAT gateway for all zones: 33 USD a month, and 0.01 USD for each GB from another zone. If its zone
	// fails, private machines everywhere lose the internet. Never for production.
	NatSingle NatStrategy = "single"
	// NatOnePerAz is a NAT gateway in each zone with private subnets: 33 USD a month each. A failing zone takes nothing
	// but its own with it.
	NatOnePerAz NatStrategy = "one-per-az"
)

// Args decide the shape of the network.
type Args struct {
	// CIDR is the network's range: private IPv4, /16 to /28.
	CIDR netip.Prefix
	// Subnets are its parts. At least one.
	Subnets []SubnetArgs
	// Nat is how private subnets reach the internet. Empty is NatNone.
	Nat NatStrategy
	// NatAllocationIDs are Elastic IPs that exist, one for each NAT gateway, in the order of NatIPs. Empty: they are made
	// here.
	NatAllocationIDs []string
	// ProtectAddresses keeps Pulumi from deleting the Elastic IPs that are made here, and leaves them in AWS if the stack
	// forgets them: carriers know these addresses.
	ProtectAddresses bool
	// AdminCIDRs may reach SSH in public subnets. Empty: nobody from outside the network.
	AdminCIDRs []netip.Prefix
	// FlowLogRetentionDays is how long the record of its traffic is kept, one of the values that CloudWatch Logs knows.
	FlowLogRetentionDays int
	// FlowLogKMSKeyARN is the key that encrypts the record. It must admit CloudWatch Logs. Nil is AWS's own key.
	FlowLogKMSKeyARN pulumi.StringInput
	// Tags are given to everything that takes tags; Role says what the network serves.
	Tags tags.Tags
}

// SubnetArgs describe a subnet.
type SubnetArgs struct {
	// Name identifies the subnet within the network, for example "public-us-east-1a".
	Name string
	// Zone is its availability zone.
	Zone string
	// Tier is how it is joined to the world.
	Tier Tier
	// CIDR is its range, inside the network's and apart from other subnets'.
	CIDR netip.Prefix
}

// retentions are the days that CloudWatch Logs can keep a log for.
// Source: Amazon CloudWatch Logs API Reference, PutRetentionPolicy.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

var allocationForm = regexp.MustCompile(`^eipalloc-([0-9a-f]{8}|[0-9a-f]{17})$`)

// Validate reports every field that AWS would refuse, or that would leave a subnet without the way that its tier promises.
func (a Args) Validate() error {
	var errs []error
	need := func(ok bool, format string, values ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, values...))
		}
	}
	if err := cidr.CheckNetwork(a.CIDR); err != nil {
		errs = append(errs, fmt.Errorf("CIDR: %w", err))
	}
	errs = append(errs, a.checkSubnets(), a.checkNat(), a.checkAdmins())
	need(slices.Contains(retentions, a.FlowLogRetentionDays), "flow log retention: %d days, want one of %v: logs are never kept without end", a.FlowLogRetentionDays, retentions)
	if err := a.Tags.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("tags: %w", err))
	}
	return errors.Join(errs...)
}

func (a Args) checkSubnets() error {
	var errs []error
	if len(a.Subnets) == 0 {
		errs = append(errs, errors.New("subnets: at least one is needed"))
	}
	named := make([]cidr.Named, len(a.Subnets))
	seen := map[string]bool{}
	for i, s := range a.Subnets {
		named[i] = cidr.Named{Name: s.Name, Prefix: s.CIDR}
		if s.Name == "" || s.Zone == "" {
			errs = append(errs, fmt.Errorf("subnets[%d]: the name %q and the zone %q must both be set", i, s.Name, s.Zone))
		}
		if !slices.Contains(Tiers(), s.Tier) {
			errs = append(errs, fmt.Errorf("subnets[%d]: the tier %q is none of %v", i, s.Tier, Tiers()))
		}
		if seen[s.Name] {
			errs = append(errs, fmt.Errorf("subnets[%d]: an earlier one is called %q too", i, s.Name))
		}
		seen[s.Name] = true
	}
	if err := cidr.CheckSubnets(a.CIDR, named); err != nil {
		errs = append(errs, fmt.Errorf("subnets: %w", err))
	}
	return errors.Join(errs...)
}

func (a Args) checkNat() error {
	var errs []error
	fail := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	private := a.zones(Private)
	switch a.Nat {
	case "", NatNone:
	case NatSingle, NatOnePerAz:
		if len(private) == 0 {
			fail("NAT: %q without a private subnet costs money for nobody, take %q", a.Nat, NatNone)
		}
		if len(a.zones(Public)) == 0 {
			fail("NAT: %q needs a public subnet for its gateway, there is none", a.Nat)
		}
	default:
		fail("NAT: %q is none of %v", a.Nat, []NatStrategy{NatNone, NatSingle, NatOnePerAz})
	}
	if a.Nat == NatOnePerAz {
		for _, zone := range private {
			if _, found := a.subnet(Public, zone); !found {
				fail("NAT: %q needs a public subnet in each zone with a private one, %s has none", a.Nat, zone)
			}
		}
	}
	if given, want := len(a.NatAllocationIDs), len(a.natZones()); given != 0 && given != want {
		fail("NAT allocation ids: %d of them, the network has %d NAT gateways and each takes one; leave them out to have addresses made", given, want)
	}
	for i, id := range a.NatAllocationIDs {
		if !allocationForm.MatchString(id) {
			fail("NAT allocation ids[%d]: %q is not eipalloc- and 8 or 17 hexadecimal digits", i, id)
		}
		if slices.Contains(a.NatAllocationIDs[:i], id) {
			fail("NAT allocation ids[%d]: %s is there twice, an address serves one gateway", i, id)
		}
	}
	return errors.Join(errs...)
}

func (a Args) checkAdmins() error {
	var errs []error
	fail := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	for i, p := range a.AdminCIDRs {
		switch {
		case !p.IsValid() || !p.Addr().Is4():
			fail("admin CIDRs[%d]: %s is not an IPv4 range", i, p)
		case p.Masked() != p:
			fail("admin CIDRs[%d]: %s has host bits set, the network is %s", i, p, p.Masked())
		case p.Bits() == 0:
			fail("admin CIDRs[%d]: %s is the whole internet, which never reaches SSH", i, p)
		case slices.Contains(a.AdminCIDRs[:i], p):
			fail("admin CIDRs[%d]: %s is there twice", i, p)
		}
	}
	if n, most := len(a.AdminCIDRs), maxAdminCIDRs(); n > most {
		fail("admin CIDRs: %d of them, a network ACL has room for %d, join some to wider ranges", n, most)
	}
	return errors.Join(errs...)
}

// of are the subnets of a tier, in their order.
func (a Args) of(tier Tier) []SubnetArgs {
	var subnets []SubnetArgs
	for _, s := range a.Subnets {
		if s.Tier == tier {
			subnets = append(subnets, s)
		}
	}
	return subnets
}

// zones are the zones of a tier, in the order in which its subnets name them.
func (a Args) zones(tier Tier) []string {
	var zones []string
	for _, s := range a.of(tier) {
		if !slices.Contains(zones, s.Zone) {
			zones = append(zones, s.Zone)
		}
	}
	return zones
}

// subnet is the first subnet of a tier in a zone.
func (a Args) subnet(tier Tier, zone string) (SubnetArgs, bool) {
	subnets := a.of(tier)
	if i := slices.IndexFunc(subnets, func(s SubnetArgs) bool { return s.Zone == zone }); i >= 0 {
		return subnets[i], true
	}
	return SubnetArgs{}, false
}
