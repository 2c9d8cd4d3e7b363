package stacks

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/components/tags"
)

// hostForm is the form of one label of a host name (RFC 1123), in lower case.
var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate reports everything that does not fit together.
func (t Topology) Validate() error {
	v := validator{}
	v.check(stackForm.MatchString(t.Stack), "the stack's name is %q", t.Stack)
	v.check(regionForm.MatchString(t.Region), "the region is %q", t.Region)
	v.add("owner", tags.CheckValue(t.Owner))
	v.add("cost center", tags.CheckValue(t.CostCenter))
	v.check(slices.Contains(logRetentions, t.LogRetentionDays), "logs are kept for %d days, CloudWatch knows %v", t.LogRetentionDays, logRetentions)
	if t.Account != nil {
		v.check(t.Network == nil && len(t.Nodes) == 0 && len(t.Fleets) == 0, "an account's baseline has no machines and no network")
		return errors.Join(v.errs...)
	}
	v.platform(t)
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok {
		v.errs = append(v.errs, fmt.Errorf(format, args...))
	}
}

func (v *validator) add(what string, err error) {
	if err != nil {
		v.errs = append(v.errs, fmt.Errorf("%s: %w", what, err))
	}
}

func (v *validator) platform(t Topology) {
	if t.Network == nil {
		v.check(false, "there is no network")
		return
	}
	v.network(*t.Network, t.Region)
	v.firewall(t)
	v.check(len(t.Nodes) > 0, "there is no machine")
	v.check(t.Engine() >= 0, "no machine has the role %s", RoleUCEngine)
	for i, n := range t.Nodes {
		v.node(n, *t.Network)
		for _, earlier := range t.Nodes[:i] {
			v.check(earlier.Name != n.Name, "two machines are called %s", n.Name)
		}
	}
	for _, f := range t.Fleets {
		v.fleet(f, t)
	}
	intra := len(t.Network.Of(TierIntra))
	v.check(t.Database == nil || intra >= 2, "the database needs subnets in two zones, and the network has %d of the tier %s", intra, TierIntra)
	public := len(t.Network.Of(TierPublic))
	v.check(t.Web == nil || public >= 2, "the web load balancer needs public subnets in two zones, and the network has %d", public)
	if e := t.SIPEdge; e != nil {
		v.check(e.Carriers || e.Phones, "the SIP edge is for nobody")
		v.check(!e.Phones || e.Pool > 0 || slices.ContainsFunc(t.Nodes, NodeSpec.edge), "phones have no SBC with an address")
	}
	if b := t.Backup; b != nil && b.CopyRegion != "" {
		problem := notElsewhere(b.CopyRegion, t.Region)
		v.check(problem == "", "backups are copied to the region %q: %s", b.CopyRegion, problem)
		v.check(slices.ContainsFunc(t.Buckets, func(b BucketSpec) bool { return b.Use == BucketBackups }), "there is no bucket of backups to copy")
	}
	v.check(!t.Configuration.Enabled || t.Configuration.Timeout > 0, "the configuration stage has the time limit %s", t.Configuration.Timeout)
}

// edge reports whether n is a public SBC.
func (n NodeSpec) edge() bool { return n.Public && slices.Contains(n.Roles, RoleC4SBC) }

func (v *validator) network(n Network, region string) {
	v.add("network "+n.Name, cidr.CheckNetwork(n.CIDR))
	v.check(len(n.Subnets) > 0, "network %s has no subnet", n.Name)
	named := make([]cidr.Named, len(n.Subnets))
	for i, s := range n.Subnets {
		named[i] = cidr.Named{Name: "subnet " + s.Name, Prefix: s.CIDR}
		v.check(zoneOf(s.Zone, region), "subnet %s is in %s, which is not an availability zone of %s", s.Name, s.Zone, region)
		v.check(slices.Contains([]string{TierPublic, TierPrivate, TierIntra}, s.Tier), "subnet %s is of the tier %q", s.Name, s.Tier)
		for _, earlier := range n.Subnets[:i] {
			v.check(earlier.Name != s.Name, "two subnets are called %s", s.Name)
		}
	}
	v.add("network "+n.Name, cidr.CheckSubnets(n.CIDR, named))
}

// firewall checks the rules themselves, and that every machine's role has its group.
func (v *validator) firewall(t Topology) {
	seen := map[ports.Group]bool{}
	for _, g := range t.Firewall {
		v.check(!seen[g.Name], "the firewall has two groups %s", g.Name)
		seen[g.Name] = true
		v.add(fmt.Sprintf("firewall group %s", g.Name), ports.CheckRules(ports.Table(g.Name), g.Ingress))
	}
	needed := func(g ports.Group, who string) { v.check(seen[g], "%s has no firewall group %s", who, g) }
	for _, n := range t.Nodes {
		for _, r := range n.Roles {
			if r.Valid() {
				needed(r.Group(), "machine "+n.Name)
			}
		}
	}
	for _, f := range t.Fleets {
		needed(f.Role.Group(), "fleet "+f.Name)
	}
	if t.Database != nil {
		needed(ports.GroupDatabase, "database "+t.Database.Name)
	}
	if t.Web != nil {
		needed(ports.GroupALB, "load balancer "+t.Web.Name)
	}
	if t.SIPEdge != nil && t.SIPEdge.Carriers {
		needed(ports.GroupNLB, "SIP edge "+t.SIPEdge.Name)
	}
	if t.Network.SSMEndpoints {
		needed(ports.GroupEndpoints, "network "+t.Network.Name)
	}
}

func (v *validator) node(n NodeSpec, network Network) {
	at := "machine " + n.Name
	v.check(hostForm.MatchString(n.Name), "%s: the name must be lower case letters, digits and hyphens, at most 63", at)
	v.check(len(n.Roles) > 0, "%s has no role", at)
	for _, r := range n.Roles {
		v.check(r.Valid(), "%s has the role %q, want one of %v", at, r, AllRoles())
	}
	v.roles(at, n.Roles)
	v.machine(at, n.Type, pick(slices.Contains(n.Roles, RoleUCEngine), float64(minMemoryGiB), minC4MemoryGiB), n.VolumeGiB, n.AMIID)
	v.check(slices.ContainsFunc(network.Subnets, func(s Subnet) bool { return s.Name == n.Subnet }), "%s is in the subnet %q, which the network does not have", at, n.Subnet)
	v.check(n.DataVolumeGiB == 0 || n.DataVolumeGiB >= minRootVolumeGiB && n.DataVolumeGiB <= maxVolumeGiB, "%s has a data volume of %d GiB, want %d to %d", at, n.DataVolumeGiB, minRootVolumeGiB, maxVolumeGiB)
	v.check(n.Access == AccessSSH || n.Access == AccessSSM, "%s is reached by %q, want %s or %s", at, n.Access, AccessSSH, AccessSSM)
	v.check(n.User != "", "%s has no login", at)
	if _, err := parsePublicKey(n.SSHPublicKey); err != nil {
		v.errs = append(v.errs, fmt.Errorf("%s: the SSH key %w", at, err))
	}
}

// roles checks that those of one machine do not want the same port. They may share what the system itself answers.
func (v *validator) roles(at string, roles []Role) {
	for i, r := range roles {
		for _, p := range ports.Table(r.Group()) {
			if !p.Default || slices.Contains([]string{ports.SSH, ports.ICMPEcho, ports.NodeExporter}, p.Name) {
				continue
			}
			for _, earlier := range roles[:i] {
				for _, other := range ports.Table(earlier.Group()) {
					v.check(!other.Default || !other.Overlaps(p), "%s has the roles %s and %s, and both listen on %s: give each a machine of its own", at, earlier, r, p)
				}
			}
		}
	}
}

func (v *validator) machine(at string, t InstanceType, memory float64, volume int, ami string) {
	if known, err := FindInstanceType(t.Name); err != nil {
		v.add(fmt.Sprintf("%s: type %q", at, t.Name), err)
	} else {
		v.check(known.MemoryGiB >= memory, "%s: %s has %g GiB of memory, such a machine needs %g", at, known.Name, known.MemoryGiB, memory)
	}
	v.check(volume >= minRootVolumeGiB && volume <= maxVolumeGiB, "%s has a root volume of %d GiB, want %d to %d", at, volume, minRootVolumeGiB, maxVolumeGiB)
	v.check(ami == "" || amiForm.MatchString(ami), "%s has the image %q", at, ami)
}

func (v *validator) fleet(f FleetSpec, t Topology) {
	at := "fleet " + f.Name
	v.check(hostForm.MatchString(f.Name), "%s: the name must be lower case letters, digits and hyphens, at most 63", at)
	v.check(f.Role == RoleC4SBC || f.Role == RoleC4Router, "%s has the role %q, and only %s and %s keep no state of their own", at, f.Role, RoleC4SBC, RoleC4Router)
	v.machine(at, f.Type, minC4MemoryGiB, f.VolumeGiB, f.AMIID)
	v.check(f.Size.Min >= 1 && f.Size.Min <= f.Size.Max && f.Size.Max <= maxFleet, "%s has %d to %d machines, want 1 to %d", at, f.Size.Min, f.Size.Max, maxFleet)
	v.check(len(t.Network.Of(f.Tier)) > 0, "%s is in the tier %q, which the network does not have", at, f.Tier)
	v.check(!f.AddressPool || t.SIPEdge != nil && t.SIPEdge.Pool > f.Size.Max, "%s may have %d machines and one that comes before another goes, and the pool has fewer addresses", at, f.Size.Max)
	v.check(!f.Balanced || t.SIPEdge != nil && t.SIPEdge.Carriers, "%s has no load balancer that sends it calls", at)
}
