package stacks

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/ports"
)

func devTopology(t *testing.T, pairs ...string) Topology {
	t.Helper()
	c, err := ReadConfig("dev", settings(pairs...))
	require.NoError(t, err)
	topology, err := New("dev", c)
	require.NoError(t, err)
	return topology
}

func TestDev(t *testing.T) {
	t.Parallel()
	top := devTopology(t, "zones", `["us-east-1b","us-east-1a"]`)
	assert.Equal(t, []Subnet{
		{"public-us-east-1b", "us-east-1b", netip.MustParsePrefix("10.20.0.0/20")},
		{"public-us-east-1a", "us-east-1a", netip.MustParsePrefix("10.20.16.0/20")},
	}, top.Network.Subnets)
	require.Len(t, top.Nodes, 1)
	node := top.Nodes[0]
	assert.Equal(t, "dev-uc-1", node.Name)
	assert.Equal(t, "public-us-east-1b", node.Subnet)
	assert.Equal(t, "admin", node.User)
	assert.True(t, node.Public)
	assert.False(t, node.Protect)
	assert.Len(t, node.Ingress, 6)
	for _, r := range node.Ingress {
		if r.Source.Bits() == 0 {
			assert.Contains(t, []string{ports.SIP, ports.RTP}, r.Port.Name, "only SIP and media are for the internet")
		}
	}
	assert.Equal(t, 0, top.Engine())
	assert.Equal(t, "sip:203.0.113.10:5060;transport=udp", top.SIPAddress("203.0.113.10"))
	assert.Equal(t, "https://203.0.113.10", top.WebAddress("203.0.113.10"))
}

func TestNewRefusesUnknownTopologies(t *testing.T) {
	t.Parallel()
	_, err := New("alice", Config{Topology: "huge"})
	require.Error(t, err)
	assert.Equal(t, `stack alice: no topology is called "huge", this project knows dev; fix it with: pulumi config set calldata-foundation:topology dev -s alice`, err.Error())
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
			top.Network.Subnets = append(top.Network.Subnets, Subnet{"more", "us-east-1b", netip.MustParsePrefix("10.20.8.0/24")})
		}, []string{"subnet more (10.20.8.0/24) overlaps subnet public-us-east-1a (10.20.0.0/20)"}},
		"subnet outside": {func(top *Topology) { top.Network.Subnets[0].CIDR = netip.MustParsePrefix("10.30.0.0/20") },
			[]string{"subnet public-us-east-1a (10.30.0.0/20) is outside the network 10.20.0.0/16"}},
		"zone elsewhere": {func(top *Topology) { top.Network.Subnets[0].Zone = "eu-west-1a" },
			[]string{"subnet public-us-east-1a is in eu-west-1a, which is not an availability zone of us-east-1"}},
		"subnets of one name": {func(top *Topology) {
			top.Network.Subnets = append(top.Network.Subnets, Subnet{"public-us-east-1a", "us-east-1b", netip.MustParsePrefix("10.20.16.0/20")})
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
		"machine too small":    {func(top *Topology) { top.Nodes[0].Type.Name = "t3.micro" }, []string{"t3.micro has 1 GiB of memory, the engine needs 4"}},
		"SSH for the internet": {func(top *Topology) {
			top.Nodes[0].Ingress = append(top.Nodes[0].Ingress, ports.Rule{Port: ssh, Source: netip.MustParsePrefix("0.0.0.0/0")})
		}, []string{"tcp 22 is for admin, not for the whole internet"}},
		"names, tags and times": {func(top *Topology) {
			top.Stack, top.Region, top.Owner, top.CostCenter, top.Network.FlowLogRetentionDays, top.Configuration.Timeout = "", "", "", "<>", 2, 0
		}, []string{`the stack's name is ""`, `the region is ""`, "owner: the value is empty", "cost center:", "keeps its flow logs for 2 days", "the time limit 0s"}},
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
