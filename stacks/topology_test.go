package stacks

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
)

func devTopology(t *testing.T, pairs ...string) Topology {
	t.Helper()
	return topologyOf(t, KindDev, pairs...)
}

func topologyOf(t *testing.T, kind Kind, pairs ...string) Topology {
	t.Helper()
	c, err := ReadConfig(string(kind), of(kind, pairs...))
	require.NoError(t, err)
	topology, err := New(string(kind), c)
	require.NoError(t, err)
	return topology
}

// reach lists who reaches what, in a form that a person can check.
func reach(top Topology) []string {
	var all []string
	for _, g := range top.Firewall {
		for _, r := range g.Ingress {
			from := string(r.Peer)
			if from == "" {
				from = r.Source.String()
			}
			all = append(all, from+" -> "+string(g.Name)+" "+r.Port.String())
		}
	}
	return all
}

func TestDev(t *testing.T) {
	t.Parallel()
	top := devTopology(t, "zones", `["us-east-1b","us-east-1a"]`)
	assert.Equal(t, []Subnet{
		{"public-us-east-1b", TierPublic, "us-east-1b", netip.MustParsePrefix("10.20.0.0/20")},
		{"public-us-east-1a", TierPublic, "us-east-1a", netip.MustParsePrefix("10.20.16.0/20")},
	}, top.Network.Subnets)
	require.Len(t, top.Nodes, 1)
	node := top.Nodes[0]
	assert.Equal(t, "dev-uc-1", node.Name)
	assert.Equal(t, "public-us-east-1b", node.Subnet)
	assert.Equal(t, "us-east-1b", top.Zone(node.Subnet))
	assert.Equal(t, "admin", node.User)
	assert.Equal(t, AccessSSH, node.Access)
	assert.True(t, node.Public)
	assert.False(t, node.Protect)
	assert.Equal(t, []string{
		"203.0.113.7/32 -> uc-engine tcp 22", "203.0.113.7/32 -> uc-engine tcp 80", "203.0.113.7/32 -> uc-engine tcp 443",
		"0.0.0.0/0 -> uc-engine udp 5060", "0.0.0.0/0 -> uc-engine udp 10000-20000", "203.0.113.7/32 -> uc-engine icmp type 8",
	}, reach(top))
	assert.Equal(t, []BucketSpec{{Use: BucketAccessLogs, ExpireDays: 90}, {Use: BucketBackups, ExpireDays: 7}}, top.Buckets)
	assert.Equal(t, 30, devTopology(t, "backupRetentionDays", "30").Buckets[1].ExpireDays)
	assert.Contains(t, top.Keys, KeyStorage)
	assert.Nil(t, top.Backup, "AWS Backup copies no disks of it")
	assert.Equal(t, 0, top.Engine())
	assert.Equal(t, Endpoints{Web: "https://203.0.113.10", SIP: "sip:203.0.113.10:5060;transport=udp"}, top.Endpoints("203.0.113.10", ""))
}

func TestDevWithC4(t *testing.T) {
	t.Parallel()
	top := devTopology(t, "c4", "true")
	require.Len(t, top.Nodes, 3)
	for i, want := range []struct {
		name string
		role Role
	}{{"dev-uc-1", RoleUCEngine}, {"dev-router-1", RoleC4Router}, {"dev-sbc-1", RoleC4SBC}} {
		n := top.Nodes[i]
		assert.Equal(t, want.name, n.Name)
		assert.Equal(t, []Role{want.role}, n.Roles, "each listens on the port of SIP")
		assert.True(t, n.Public, "there is no NAT")
		assert.Equal(t, AccessSSH, n.Access)
	}
	assert.Equal(t, "t3.small", top.Nodes[1].Type.Name)
	assert.Equal(t, "sip:203.0.113.10:5060;transport=udp", top.Endpoints("203.0.113.10", "").SIP, "phones keep the engine")
	got := reach(top)
	assert.Contains(t, got, "0.0.0.0/0 -> uc-engine udp 5060")
	assert.Contains(t, got, "c4-router -> uc-engine udp 5060")
	assert.Contains(t, got, "0.0.0.0/0 -> c4-sbc tcp 5061")
	assert.Contains(t, got, "203.0.113.7/32 -> c4-router tcp 22")
	assert.NotContains(t, got, "0.0.0.0/0 -> c4-router udp 5060", "nobody from outside reaches a router")
}

func TestRolesOfOneMachineHavePortsOfTheirOwn(t *testing.T) {
	t.Parallel()
	top := devTopology(t, "c4", "true")
	top.Nodes[0].Roles = AllRoles()
	err := top.Validate()
	for _, want := range []string{
		"machine dev-uc-1 has the roles uc-engine and c4-router, and both listen on udp 5060", "c4-router and c4-sbc, and both listen on udp 5060: give each a machine",
	} {
		require.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "tcp 22", "all share the system's")
}

func TestStage(t *testing.T) {
	t.Parallel()
	top := topologyOf(t, KindStage)
	var names []string
	for _, s := range top.Network.Subnets {
		names = append(names, s.Name+" "+s.CIDR.String())
	}
	assert.Equal(t, []string{
		"public-us-east-1a 10.20.0.0/20", "public-us-east-1b 10.20.16.0/20", "private-us-east-1a 10.20.64.0/20", "private-us-east-1b 10.20.80.0/20",
		"intra-us-east-1a 10.20.128.0/20", "intra-us-east-1b 10.20.144.0/20",
	}, names)
	for _, n := range top.Nodes {
		assert.Equal(t, AccessSSM, n.Access, n.Name)
		assert.Equal(t, n.Roles[0] == RoleC4SBC, n.Public, "%s: only an SBC is public", n.Name)
	}
	assert.Equal(t, []string{
		"alb -> uc-engine tcp 443", "c4-router -> uc-engine udp 5060", "c4-sbc -> uc-engine udp 10000-20000",
		"c4-sbc -> c4-router udp 5060", "uc-engine -> c4-router udp 5060",
		"0.0.0.0/0 -> c4-sbc udp 5060", "0.0.0.0/0 -> c4-sbc tcp 5060", "0.0.0.0/0 -> c4-sbc tcp 5061", "c4-router -> c4-sbc udp 5070",
		"0.0.0.0/0 -> c4-sbc udp 23000-32768", "uc-engine -> c4-sbc udp 23000-32768",
		"0.0.0.0/0 -> alb tcp 80", "0.0.0.0/0 -> alb tcp 443", "c4-router -> database tcp 5432",
	}, reach(top))
	assert.Equal(t, Endpoints{Web: "https://stage.voice.example.com", SIP: "sip:sip.stage.voice.example.com:5060;transport=udp"}, top.Endpoints("10.20.64.4", ""))
	assert.Empty(t, top.Fleets)
	assert.Zero(t, top.SIPEdge.Pool)
	assert.True(t, top.SIPEdge.HealthChecks)
}

func TestProd(t *testing.T) {
	t.Parallel()
	top := topologyOf(t, KindProd, "sipCidrs", `["198.51.100.0/24"]`)
	assert.Len(t, top.Network.Subnets, 9)
	require.Len(t, top.Nodes, 2)
	assert.NotEqual(t, top.Zone(top.Nodes[0].Subnet), top.Zone(top.Nodes[1].Subnet), "the pair must not share a zone")
	require.Len(t, top.Fleets, 2)
	assert.True(t, top.Fleets[0].AddressPool && top.Fleets[0].Balanced)
	assert.Greater(t, top.SIPEdge.Pool, top.Fleets[0].Size.Max, "every machine that may be has an address, and the one that replaces another")
	assert.False(t, top.SIPEdge.HealthChecks, "Route 53 could not get in")
	got := reach(top)
	for _, want := range []string{
		"uc-engine -> uc-engine tcp 22", "uc-engine -> uc-engine icmp type 8", "uc-engine -> uc-engine tcp 5432", "nlb -> c4-sbc tcp 9600",
		"198.51.100.0/24 -> nlb tcp 5061", "10.20.0.0/16 -> endpoints tcp 443", "198.51.100.0/24 -> c4-sbc udp 5060",
	} {
		assert.Contains(t, got, want)
	}
	for _, line := range got {
		if strings.HasPrefix(line, "0.0.0.0/0 ") {
			assert.Contains(t, []string{"0.0.0.0/0 -> alb tcp 80", "0.0.0.0/0 -> alb tcp 443", "0.0.0.0/0 -> c4-sbc udp 23000-32768"}, line)
		}
	}
	assert.True(t, top.Database.MultiAZ && top.Database.Protect && top.Backup.Lock)
	released := topologyOf(t, KindProd, "protect", "false")
	assert.True(t, released.Backup.Lock && !released.Backup.Protect)
	assert.Equal(t, top.Buckets[2].LockDays, released.Buckets[2].LockDays, "a bucket is made with its lock: letting go of protection must not replace it")
	carriersOnly := topologyOf(t, KindProd, "sipEdges", `["carriers"]`)
	assert.Zero(t, carriersOnly.SIPEdge.Pool)
	assert.Equal(t, "sip:nlb.example:5060;transport=udp", carriersOnly.Endpoints("", "nlb.example").Carriers)
	assert.Empty(t, carriersOnly.Endpoints("", "nlb.example").SIP)
}

func TestAccount(t *testing.T) {
	t.Parallel()
	top := topologyOf(t, KindAccount, "accountPartsOff", `["guardduty"]`)
	assert.Nil(t, top.Network)
	assert.Len(t, top.Account.Parts, len(AccountParts())-1)
	assert.NotContains(t, top.Account.Parts, PartGuardDuty)
	assert.NotContains(t, top.Account.Parts, PartCostTags, "AWS refuses them in a new account")
	assert.Contains(t, topologyOf(t, KindAccount, "costTags", "true").Account.Parts, PartCostTags)
	assert.False(t, top.Configuration.Enabled)
}

func TestAddingAZoneMovesNothing(t *testing.T) {
	t.Parallel()
	two := topologyOf(t, KindStage)
	three := topologyOf(t, KindStage, "zones", `["us-east-1a","us-east-1b","us-east-1c"]`)
	for _, s := range two.Network.Subnets {
		assert.Contains(t, three.Network.Subnets, s)
	}
	assert.Equal(t, two.Nodes, three.Nodes)
}

func TestNewRefusesUnknownTopologies(t *testing.T) {
	t.Parallel()
	_, err := New("alice", Config{Topology: "huge"})
	require.Error(t, err)
	assert.Equal(t, `stack alice: no topology is called "huge", this project knows account, dev, prod, stage; fix it with: pulumi config set calldata-foundation:topology dev -s alice`, err.Error())
	_, err = New("dev", Config{Topology: "dev"})
	assert.ErrorContains(t, err, "topology of stack dev: it has no availability zone")
}

func TestTopologyValidate(t *testing.T) {
	t.Parallel()
	ssh, _ := ports.Find(ports.UCEngine(), ports.SSH)
	tests := map[string]struct {
		change func(*Topology)
		want   []string
	}{
		"overlapping subnets": {func(top *Topology) {
			top.Network.Subnets = append(top.Network.Subnets, Subnet{"more", TierPublic, "us-east-1b", netip.MustParsePrefix("10.20.8.0/24")})
		}, []string{"subnet more (10.20.8.0/24) overlaps subnet public-us-east-1a (10.20.0.0/20)"}},
		"subnet outside": {func(top *Topology) { top.Network.Subnets[0].CIDR = netip.MustParsePrefix("10.30.0.0/20") },
			[]string{"subnet public-us-east-1a (10.30.0.0/20) is outside the network 10.20.0.0/16"}},
		"zone elsewhere": {func(top *Topology) { top.Network.Subnets[0].Zone = "eu-west-1a" },
			[]string{"subnet public-us-east-1a is in eu-west-1a, which is not an availability zone of us-east-1"}},
		"subnets of one name": {func(top *Topology) {
			top.Network.Subnets = append(top.Network.Subnets, Subnet{"public-us-east-1a", TierPublic, "us-east-1b", netip.MustParsePrefix("10.20.16.0/20")})
		}, []string{"two subnets are called public-us-east-1a"}},
		"no subnet":          {func(top *Topology) { top.Network.Subnets = nil }, []string{"network dev-vpc has no subnet", `machine dev-uc-1 is in the subnet "public-us-east-1a", which the network does not have`}},
		"network too narrow": {func(top *Topology) { top.Network.CIDR = netip.MustParsePrefix("10.20.0.0/30") }, []string{"AWS allows /16 to /28"}},
		"no machine":         {func(top *Topology) { top.Nodes = nil }, []string{"there is no machine", "no machine has the role uc-engine"}},
		"machines of one name": {func(top *Topology) { top.Nodes = append(top.Nodes, top.Nodes[0]) },
			[]string{"two machines are called dev-uc-1"}},
		"everything about a machine": {func(top *Topology) {
			n := &top.Nodes[0]
			n.Name, n.Roles, n.Type.Name, n.VolumeGiB, n.AMIID, n.User, n.SSHPublicKey = "Dev_1", []Role{"pbx"}, "t4g.large", 5, "x", "", "x"
		}, []string{"the name must be lower case", `has the role "pbx"`, "arm64", "root volume of 5 GiB", `has the image "x"`, "has no login", "the SSH key is not an OpenSSH public key"}},
		"machine without role": {func(top *Topology) { top.Nodes[0].Roles = nil }, []string{"machine dev-uc-1 has no role"}},
		"machine too small":    {func(top *Topology) { top.Nodes[0].Type.Name = "t3.micro" }, []string{"t3.micro has 1 GiB of memory, such a machine needs 4"}},
		"SSH for the internet": {func(top *Topology) {
			top.Firewall[0].Ingress = append(top.Firewall[0].Ingress, ports.Rule{Port: ssh, Source: netip.MustParsePrefix("0.0.0.0/0")})
		}, []string{"tcp 22 is for admin, not for the whole internet"}},
		"machine of no group": {func(top *Topology) { top.Firewall = nil }, []string{"machine dev-uc-1 has no firewall group uc-engine"}},
		"machine out of reach": {func(top *Topology) { top.Nodes[0].Access, top.Nodes[0].DataVolumeGiB = "telnet", 1 },
			[]string{`is reached by "telnet", want ssh or ssm`, "has a data volume of 1 GiB"}},
		"no network":   {func(top *Topology) { top.Network = nil }, []string{"there is no network"}},
		"tier unknown": {func(top *Topology) { top.Network.Subnets[0].Tier = "dmz" }, []string{`subnet public-us-east-1a is of the tier "dmz"`}},
		"edges in one zone": {func(top *Topology) {
			top.Database, top.Web, top.SIPEdge = &DatabaseSpec{Name: "db"}, &WebSpec{Name: "web"}, &SIPEdgeSpec{Name: "sip"}
		}, []string{"the database needs subnets in two zones", "the web load balancer needs public subnets in two zones", "the SIP edge is for nobody",
			"database db has no firewall group database", "load balancer web has no firewall group alb"}},
		"copies beside nothing": {func(top *Topology) { top.Backup, top.Buckets = &BackupSpec{CopyRegion: top.Region}, nil },
			[]string{`backups are copied to the region "us-east-1": that is the stack's own region`, "there is no bucket of backups to copy"}},
		"phones without an SBC": {func(top *Topology) { top.SIPEdge = &SIPEdgeSpec{Phones: true} }, []string{"phones have no SBC with an address"}},
		"a fleet of engines": {func(top *Topology) {
			top.Fleets = []FleetSpec{{Name: "F", Role: RoleUCEngine, Type: InstanceType{Name: "t3.micro"}, Tier: TierIntra, Size: FleetSize{Min: 3, Max: 2}, AddressPool: true, Balanced: true}}
		}, []string{"fleet F: the name must be lower case", `has the role "uc-engine", and only`, "t3.micro has 1 GiB", "has 3 to 2 machines", `is in the tier "intra"`,
			"the pool has fewer addresses", "has no load balancer that sends it calls"}},
		"names, tags and times": {func(top *Topology) {
			top.Stack, top.Region, top.Owner, top.CostCenter, top.LogRetentionDays, top.Configuration.Timeout = "", "", "", "<>", 2, 0
		}, []string{`the stack's name is ""`, `the region is ""`, "owner: the value is empty", "cost center:", "logs are kept for 2 days", "the time limit 0s"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := devTopology(t)
			tt.change(&top)
			err := top.Validate()
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	top := devTopology(t)
	top.Configuration = Configuration{}
	assert.NoError(t, top.Validate(), "no time limit is needed where nothing is configured")
	assert.Equal(t, 45*time.Minute, devTopology(t).Configuration.Timeout)
}

func TestInstanceTypes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, known := range InstanceTypes() {
		assert.False(t, seen[known.Name], known.Name)
		seen[known.Name] = true
		assert.False(t, armForm.MatchString(known.Name), "%s must be amd64", known.Name)
		assert.Positive(t, known.VCPU)
		assert.Positive(t, known.MemoryGiB)
	}
	for _, arm := range []string{"a1.large", "t4g.small", "m6gd.xlarge", "c7gn.large", "x2gd.large", "g5g.xlarge", "m8g.large"} {
		_, err := FindInstanceType(arm)
		assert.ErrorContains(t, err, "arm64", arm)
	}
	for _, amd := range []string{"g4dn.xlarge", "i4i.large", "", "."} {
		_, err := FindInstanceType(amd)
		assert.ErrorContains(t, err, "does not know that type", amd)
	}
}

// Openings of several roles are those of each, a port that they share once.
func TestOpeningsOfRoles(t *testing.T) {
	t.Parallel()
	top := devTopology(t, "c4", "true")
	names := func(roles ...Role) (all []string) {
		for _, o := range top.Openings(roles...) {
			all = append(all, o.Name)
		}
		return all
	}
	both := names(RoleC4Router, RoleC4SBC)
	assert.Subset(t, both, names(RoleC4Router))
	assert.Subset(t, both, names(RoleC4SBC))
	assert.ElementsMatch(t, slices.Compact(slices.Sorted(slices.Values(both))), both)
}
