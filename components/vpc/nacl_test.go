package vpc

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/ports"
)

// line is one rule of a network ACL as it was registered.
type line struct {
	number, protocol, from, to int
	icmpType, icmpCode         int
	allow                      bool
	peer                       netip.Prefix
}

func lines(t *testing.T, rec *componenttest.Recorder, tier Tier, direction string) []line {
	t.Helper()
	var out []line
	for _, r := range rec.OfType("aws:ec2/networkAcl:NetworkAcl")["dev-vpc-"+string(tier)].Inputs[direction].([]any) {
		rule := r.(map[string]any)
		number := func(key string) int { return int(rule[key].(float64)) }
		protocol, err := strconv.Atoi(rule["protocol"].(string))
		require.NoError(t, err, "the provider knows protocols by number")
		out = append(out, line{
			number: number("ruleNo"), protocol: protocol, from: number("fromPort"), to: number("toPort"), allow: rule["action"] == "allow",
			peer: netip.MustParsePrefix(rule["cidrBlock"].(string)), icmpType: number("icmpType"), icmpCode: number("icmpCode"),
		})
	}
	return out
}

// allows judges a packet as AWS does: the first rule that matches, by number, decides; what none matches is denied.
func allows(rules []line, protocol, port int, peer string) bool {
	best := line{number: 1 << 20}
	for _, r := range rules {
		matches := r.peer.Contains(netip.MustParseAddr(peer)) &&
			(r.protocol == -1 || r.protocol == protocol && (protocol == 1 || r.from <= port && port <= r.to))
		if matches && r.number < best.number {
			best = r
		}
	}
	return best.allow
}

const (
	inside  = "10.20.99.7"
	outside = "198.51.100.7"
	admin   = "203.0.113.9"
)

func withACLs(t *testing.T) *componenttest.Recorder {
	t.Helper()
	a := args(NatSingle, "ab", Tiers()...)
	a.AdminCIDRs = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("203.0.113.0/24")}
	rec, _ := register(t, a)
	return rec
}

func TestACLsLetTelephonyThrough(t *testing.T) {
	t.Parallel()
	rec := withACLs(t)
	public, private := lines(t, rec, Public, "ingress"), lines(t, rec, Private, "ingress")
	for name, tt := range map[string]struct {
		protocol, port  int
		public, private bool
	}{
		"SIP over UDP":                         {17, 5060, true, true},
		"SIP over TCP":                         {6, 5060, true, true},
		"SIP over TLS":                         {6, 5061, true, true},
		"first RTP port":                       {17, 10000, true, true},
		"last RTP port":                        {17, 20000, true, true},
		"lowest port of a NAT gateway":         {6, 1024, true, true},
		"answer to Linux":                      {6, 32768, true, true},
		"answer to the resolver of a machine":  {17, 60999, true, true},
		"highest port":                         {17, 65535, true, true},
		"time":                                 {17, 123, true, true},
		"packet too big":                       {1, 0, true, true},
		"web":                                  {6, 443, true, false},
		"redirect to the web":                  {6, 80, true, false},
		"SSH":                                  {6, 22, false, false},
		"SSH over UDP":                         {17, 22, false, false},
		"RDP":                                  {6, 3389, false, false},
		"RDP over UDP":                         {17, 3389, false, false},
		"mail":                                 {6, 25, false, false},
		"below the answers":                    {6, 1023, false, false},
		"TFTP":                                 {17, 69, false, false},
		"GRE, and whatever else nobody speaks": {47, 0, false, false},
	} {
		assert.Equal(t, tt.public, allows(public, tt.protocol, tt.port, outside), "public: %s", name)
		assert.Equal(t, tt.private, allows(private, tt.protocol, tt.port, outside), "private: %s", name)
		for _, rules := range [][]line{public, private, lines(t, rec, Intra, "ingress")} {
			assert.True(t, allows(rules, tt.protocol, tt.port, inside), "inside the network: %s", name)
		}
	}
	assert.True(t, allows(public, 6, 22, admin), "admins reach SSH in public subnets")
	assert.False(t, allows(private, 6, 22, admin))
	assert.False(t, allows(public, 6, 3389, admin))
}

// What the port tables open to the internet must not end at the sieve behind them.
func TestACLsAgreeWithThePortTables(t *testing.T) {
	t.Parallel()
	rec := withACLs(t)
	numbers := map[ports.Protocol]int{ports.TCP: 6, ports.UDP: 17, ports.ICMP: 1}
	seen := 0
	for _, g := range ports.Groups() {
		for _, p := range ports.Table(g) {
			if p.Exposure == ports.Nobody || p.Exposure == ports.VPC || p.Exposure == ports.Internal || p.Name == ports.SSH {
				continue
			}
			for _, port := range []int{p.From, p.To} {
				assert.True(t, allows(lines(t, rec, Public, "ingress"), numbers[p.Protocol], port, outside), "%s: %s", g, p)
			}
			seen++
		}
	}
	assert.Greater(t, seen, 10)
}

func TestACLsLetAnswersOut(t *testing.T) {
	t.Parallel()
	rec := withACLs(t)
	for _, tier := range Tiers() {
		out := lines(t, rec, tier, "egress")
		for _, packet := range [][2]int{{17, 5060}, {17, 10000}, {6, 443}, {6, 1024}, {6, 22}, {1, 0}} {
			assert.True(t, allows(out, packet[0], packet[1], inside), "%s inside: %v", tier, packet)
			assert.Equal(t, tier != Intra, allows(out, packet[0], packet[1], outside), "%s outside: %v", tier, packet)
		}
	}
	assert.False(t, allows(lines(t, rec, Intra, "ingress"), 6, 40000, outside), "an intra subnet knows the network alone")
}

// Auditors look at rules one by one, without the order that AWS keeps: no rule may open administration to the internet.
// Source: CIS AWS Foundations Benchmark 5.2; AWS Security Hub EC2.21.
func TestNoRuleOpensAdministrationToTheInternet(t *testing.T) {
	t.Parallel()
	rec := withACLs(t)
	for _, tier := range Tiers() {
		for _, direction := range []string{"ingress", "egress"} {
			rules, numbers := lines(t, rec, tier, direction), map[int]bool{}
			assert.LessOrEqual(t, len(rules), 19, "AWS allows 20 with its own")
			for _, r := range rules {
				assert.False(t, numbers[r.number], "%s %s: rule %d is there twice", tier, direction, r.number)
				numbers[r.number] = true
				assert.True(t, r.number > 0 && r.number < 32767)
				if r.protocol == -1 || r.protocol == 1 {
					assert.Zero(t, r.from+r.to, "the provider wants ports of 0 with protocols that have none")
				}
				icmp := map[bool]int{true: -1}[r.protocol == 1]
				assert.Equal(t, []int{icmp, icmp}, []int{r.icmpType, r.icmpCode}, "rule %d: every ICMP message, and a value also where there is none", r.number)
				if direction == "egress" || r.peer.Bits() > 0 {
					continue
				}
				for _, port := range []int{22, 3389} {
					assert.False(t, r.protocol == -1 || r.protocol != 1 && r.from <= port && port <= r.to, "%s: rule %d opens port %d", tier, r.number, port)
				}
			}
		}
	}
}

func TestEverySubnetHasTheACLOfItsTier(t *testing.T) {
	t.Parallel()
	rec := withACLs(t)
	acls := rec.OfType("aws:ec2/networkAcl:NetworkAcl")
	require.Len(t, acls, 3)
	for _, tier := range Tiers() {
		acl := acls["dev-vpc-"+string(tier)]
		assert.Equal(t, "dev-vpc-id", acl.Inputs["vpcId"])
		assert.Equal(t, []any{"dev-vpc-" + string(tier) + "-us-east-1a-id", "dev-vpc-" + string(tier) + "-us-east-1b-id"}, acl.Inputs["subnetIds"])
	}
	closed := rec.One(t, "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl")
	assert.NotContains(t, closed.Inputs, "ingress")
	assert.NotContains(t, closed.Inputs, "egress")
	assert.NotContains(t, closed.Inputs, "subnetIds")
	for _, tier := range Tiers() {
		assert.Contains(t, closed.Dependencies, "aws:ec2/networkAcl:NetworkAcl dev-vpc-"+string(tier), "it is closed when nothing is left in it")
	}
	assert.Contains(t, closed.Dependencies, "aws:ec2/vpc:Vpc dev-vpc")

	small, _ := register(t, args(NatNone, "a", Public))
	assert.Len(t, small.OfType("aws:ec2/networkAcl:NetworkAcl"), 1)
}
