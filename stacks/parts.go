package stacks

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/calldata/calldata-foundation/components/cidr"
	"github.com/calldata/calldata-foundation/components/ports"
)

// The functions of this file make the parts that several topologies have.

// base is what every topology begins with.
func base(stack string, c Config) Topology {
	return Topology{
		Stack: stack, Kind: c.Topology, Region: c.Region, Owner: c.Owner, CostCenter: c.CostCenter, Protect: c.Protect,
		LogRetentionDays: c.Retention.LogDays, WorkloadBoundary: c.WorkloadBoundary, Carriers: append([]netip.Prefix{}, c.Access.CarrierCIDRs...),
		Silent:        !c.Access.Registrations,
		Configuration: Configuration{Enabled: c.Provisioner.Enabled, Timeout: c.Provisioner.Timeout},
	}
}

// network deals the range out to tiers and zones.
func network(stack string, c Config, tiers ...string) (*Network, error) {
	if len(c.Network.Zones) == 0 {
		return nil, errors.New("it has no availability zone")
	}
	planned, err := cidr.Plan(c.Network.CIDR, tiers, c.Network.Zones)
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	n := &Network{
		Name: stack + "-vpc", CIDR: c.Network.CIDR, Zones: c.Network.Zones, Nat: c.Network.Nat, NatAllocationIDs: c.Network.NatAllocationIDs,
		SSMEndpoints: c.Network.SSMEndpoints, Subnets: make([]Subnet, len(planned)),
	}
	for i, p := range planned {
		n.Subnets[i] = Subnet{Name: p.Tier + "-" + p.Zone, Tier: p.Tier, Zone: p.Zone, CIDR: p.CIDR}
	}
	return n, nil
}

// firewall makes the groups that the topology's parts need. Ranges say who the exposures of each group are.
func firewall(t Topology, ranges map[ports.Group]map[ports.Exposure][]netip.Prefix) []FirewallGroup {
	members := map[ports.Group]int{}
	for _, n := range t.Nodes {
		for _, r := range n.Roles {
			members[r.Group()]++
		}
	}
	for _, f := range t.Fleets {
		members[f.Role.Group()] += f.Size.Max
	}
	if t.Web != nil {
		members[ports.GroupALB] = 1
	}
	if t.SIPEdge != nil && t.SIPEdge.Carriers {
		members[ports.GroupNLB] = 1
	}
	if t.Database != nil {
		members[ports.GroupDatabase] = 1
	}
	if t.Network.SSMEndpoints {
		members[ports.GroupEndpoints] = 1
	}
	var groups []FirewallGroup
	for _, g := range ports.Groups() {
		if members[g] == 0 {
			continue
		}
		var present []ports.Group
		for _, peer := range ports.Groups() {
			// A machine alone in its group has no peer there.
			if members[peer] > 1 || members[peer] == 1 && peer != g {
				present = append(present, peer)
			}
		}
		groups = append(groups, FirewallGroup{Name: g, Ingress: ports.Rules(ports.Table(g), ranges[g], present...)})
	}
	return groups
}

// edgeRanges are who reaches a platform whose machines are behind its edges.
func edgeRanges(c Config) map[ports.Group]map[ports.Exposure][]netip.Prefix {
	sbc := map[ports.Exposure][]netip.Prefix{ports.Media: c.Access.MediaCIDRs}
	if slices.Contains(c.Access.Edges, EdgePhones) {
		sbc[ports.Phones] = c.Access.SIPCIDRs
	}
	return map[ports.Group]map[ports.Exposure][]netip.Prefix{
		ports.GroupC4SBC:     sbc,
		ports.GroupALB:       {ports.Users: c.Access.WebCIDRs},
		ports.GroupNLB:       {ports.Carriers: c.Access.CarrierCIDRs},
		ports.GroupEndpoints: {ports.VPC: {c.Network.CIDR}},
	}
}

// node is a machine that operators reach through Systems Manager.
func node(stack string, c Config, label string, role Role, t InstanceType, subnet string) NodeSpec {
	return NodeSpec{
		Name: stack + "-" + label, Domain: Domain, Roles: []Role{role}, Type: t, Subnet: subnet, VolumeGiB: c.Machines.RootVolumeGiB, AMIID: c.Machines.AMIID,
		Access: AccessSSM, DetailedMonitoring: c.Machines.DetailedMonitoring, Protect: c.Protect, User: DebianUser, SSHPublicKey: c.Access.SSHPublicKey,
	}
}

// engine is the n-th UC Engine, private, with its database on a volume of its own.
func engine(stack string, c Config, n int, subnet string) NodeSpec {
	e := node(stack, c, fmt.Sprintf("uc-%d", n), RoleUCEngine, c.Machines.InstanceType, subnet)
	e.DataVolumeGiB = c.Machines.DataVolumeGiB
	return e
}

func web(stack string, c Config) *WebSpec {
	return &WebSpec{
		Name: stack + "-web", Domain: c.Web.Domain, HostedZone: c.Web.HostedZone, CertificateARN: c.Web.CertificateARN, WAF: c.Web.WAF,
		Blue: c.Web.BlueWeight, Green: c.Web.GreenWeight, Protect: c.Protect,
	}
}

func sipEdge(stack string, c Config, pool int) *SIPEdgeSpec {
	if len(c.Access.Edges) == 0 {
		return nil
	}
	phones := slices.Contains(c.Access.Edges, EdgePhones)
	return &SIPEdgeSpec{
		Name: stack + "-sip", Carriers: slices.Contains(c.Access.Edges, EdgeCarriers), Phones: phones, Pool: pick(phones, pool, 0),
		Domain: "sip." + c.Web.Domain, HostedZone: c.Web.HostedZone,
		// Route 53 asks from addresses all over the world, which a narrow range would keep out.
		HealthChecks: phones && slices.Contains(c.Access.SIPCIDRs, netip.MustParsePrefix(anyAddress)), Protect: c.Protect,
	}
}

func database(stack string, c Config) *DatabaseSpec {
	return &DatabaseSpec{
		Name: stack + "-router", Version: c.Database.Version, Class: c.Database.Class, GiB: c.Database.GiB, MaxGiB: c.Database.MaxGiB,
		MultiAZ: c.Database.MultiAZ, BackupDays: c.Retention.BackupDays, Snapshot: c.Database.Snapshot, Protect: c.Protect,
	}
}

func backups(stack string, c Config) *BackupSpec {
	return &BackupSpec{
		Name: stack + "-backup", Days: c.Retention.BackupDays, Lock: c.Retention.LockBackups, CopyRegion: c.Retention.CopyRegion, Protect: c.Protect,
	}
}

// accessLogDays is how long access logs are of use: the roadmap keeps logs 90 days.
const accessLogDays = 90

// backupBuckets are the one that machines save to, and the one that says who asked for what in it: policy CD-20 wants that of
// every bucket.
func backupBuckets(c Config) []BucketSpec {
	return []BucketSpec{
		{Use: BucketAccessLogs, ExpireDays: accessLogDays},
		{Use: BucketBackups, ExpireDays: c.Retention.BackupDays, LockDays: pick(c.Retention.LockBackups, c.Retention.BackupDays, 0), Protect: c.Protect},
	}
}

// stackBuckets are those, and one for the artifacts of fleets.
func stackBuckets(c Config) []BucketSpec {
	return slices.Insert(backupBuckets(c), 1, BucketSpec{Use: BucketArtifacts})
}
