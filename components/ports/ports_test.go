package ports

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTablesAreSound(t *testing.T) {
	t.Parallel()
	for _, g := range Groups() {
		seen := map[string]bool{}
		table := Table(g)
		require.NotEmpty(t, table, g)
		for i, p := range table {
			assert.NoError(t, p.Validate(), "%s %s", g, p.Name)
			assert.NotEmpty(t, p.Source, "%s %s must say where its facts come from", g, p.Name)
			assert.False(t, seen[p.Name], "%s %s is there twice", g, p.Name)
			seen[p.Name] = true
			for _, other := range table[:i] {
				assert.False(t, p.Overlaps(other), "%s: %s and %s overlap", g, p, other)
			}
		}
	}
	assert.Nil(t, Table("pbx"))
}

func TestPeersListenOnEachOther(t *testing.T) {
	t.Parallel()
	var got []string
	for _, g := range Groups() {
		for _, r := range Rules(Table(g), nil, Groups()...) {
			require.NotEmpty(t, r.Peer, "without ranges, only peers get in")
			got = append(got, fmt.Sprintf("%s -> %s %s", r.Peer, g, r.Port))
		}
	}
	assert.Equal(t, []string{
		"uc-engine -> uc-engine tcp 22", "alb -> uc-engine tcp 443", "c4-router -> uc-engine udp 5060", "c4-sbc -> uc-engine udp 10000-20000",
		"uc-engine -> uc-engine icmp type 8", "prometheus -> uc-engine tcp 9100", "uc-engine -> uc-engine tcp 5432",
		"c4-sbc -> c4-router udp 5060", "uc-engine -> c4-router udp 5060", "prometheus -> c4-router tcp 9100",
		"nlb -> c4-sbc udp 5060", "nlb -> c4-sbc tcp 5060", "nlb -> c4-sbc tcp 5061", "c4-router -> c4-sbc udp 5070",
		"uc-engine -> c4-sbc udp 23000-32768", "nlb -> c4-sbc tcp 9600", "prometheus -> c4-sbc tcp 9100",
		"c4-router -> database tcp 5432", "uc-engine -> prometheus icmp type 8", "c4-router -> prometheus icmp type 8", "c4-sbc -> prometheus icmp type 8",
	}, got)
}

func TestOnlySIPAndMediaAreForPhonesByDefault(t *testing.T) {
	t.Parallel()
	var open []string
	for _, p := range UCEngine() {
		if p.Default && (p.Exposure == Phones || p.Exposure == Public) {
			open = append(open, p.String())
		}
	}
	assert.Equal(t, []string{"udp 5060", "udp 10000-20000"}, open)
}

func TestRules(t *testing.T) {
	t.Parallel()
	admin := []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("198.51.100.0/24")}
	phones := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	rules := Rules(UCEngine(), map[Exposure][]netip.Prefix{Admin: admin, Phones: phones})
	require.NoError(t, CheckRules(UCEngine(), rules))
	var names []string
	for _, r := range rules {
		names = append(names, r.Name())
	}
	assert.Equal(t, []string{
		"ssh-from-203-0-113-7-32", "ssh-from-198-51-100-0-24",
		"http-from-203-0-113-7-32", "http-from-198-51-100-0-24",
		"https-from-203-0-113-7-32", "https-from-198-51-100-0-24",
		"sip-udp-from-0-0-0-0-0",
		"rtp-from-0-0-0-0-0",
		"icmp-echo-from-203-0-113-7-32", "icmp-echo-from-198-51-100-0-24",
	}, names)
	assert.Equal(t, []Rule{{Port: Port{Name: "open", Exposure: Public, Default: true}, Source: phones[0]}},
		Rules([]Port{{Name: "open", Exposure: Public, Default: true}}, nil), "a public port is open to all without ranges")
}

func TestCheckRules(t *testing.T) {
	t.Parallel()
	ssh, _ := Find(UCEngine(), SSH)
	sip, _ := Find(UCEngine(), SIP)
	database, _ := Find(UCEngine(), PostgreSQL)
	wide := Port{Name: "wide", Protocol: TCP, From: 5000, To: 6000, Exposure: Phones, Description: "too wide"}
	one := netip.MustParsePrefix("203.0.113.7/32")
	err := CheckRules(UCEngine(), []Rule{
		{Port: ssh, Source: anywhere},
		{Port: sip, Source: anywhere},
		{Port: sip, Source: anywhere},
		{Port: ssh, Source: netip.MustParsePrefix("203.0.113.7/24")},
		{Port: ssh, Source: netip.MustParsePrefix("::/0")},
		{Port: wide, Source: one},
		{Port: Port{Name: "Bad", Protocol: "sctp", From: 5, To: 4, Exposure: "world", Description: "it's", Peers: []Group{"pbx"}}, Source: one},
		{Port: sip, Peer: GroupALB},
		{Port: sip, Peer: GroupC4Router, Source: one},
		{Port: database, Source: one},
	})
	require.Error(t, err)
	for _, want := range []string{
		"rule ssh-from-0-0-0-0-0: tcp 22 is for admin, not for the whole internet",
		"rule sip-udp-from-0-0-0-0-0: it is there twice",
		"rule ssh-from-203-0-113-7-24: the source 203.0.113.7/24 has host bits set, the network is 203.0.113.0/24",
		"the source ::/0 is not an IPv4 range",
		"rule wide-from-203-0-113-7-32: tcp 5000-6000 covers tcp 5038-5039 (Asterisk manager and ARI), which nobody else may reach from outside",
		"covers tcp 5432 (PostgreSQL: replication to the backup engine)",
		"covers tcp 5672 (RabbitMQ)",
		`port "Bad": the name must be lower case words joined by hyphens`,
		`the protocol is "sctp", want tcp, udp or icmp`,
		`the exposure is "world"`,
		`the peer is "pbx"`,
		`rule sip-udp-from-alb: udp 5060 is not for "alb", its peers are [c4-router]`,
		"it has both the peer c4-router and the source 203.0.113.7/32",
		"rule postgresql-from-203-0-113-7-32: tcp 5432 covers tcp 5432 (PostgreSQL",
		`the description "it's" is empty, longer than 255 characters, or has a character that EC2 refuses`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "rule sip-udp-from-0-0-0-0-0: udp 5060")
}

func TestOpenings(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []Opening{}, Openings(nil), "an empty list, which JSON does not write as null")
	one, two := netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	sip, _ := Find(C4SBC(), SIP)
	inside, _ := Find(C4Router(), SIP)
	ssh, _ := Find(C4SBC(), SSH)
	got := Openings([]Rule{
		{Port: sip, Source: one}, {Port: sip, Peer: GroupC4Router}, {Port: ssh, Source: one},
		{Port: inside, Peer: GroupUCEngine}, {Port: inside, Peer: GroupC4Router}, {Port: sip, Source: two}, {Port: sip, Source: one},
	})
	assert.Equal(t, []Opening{
		{Name: SIP, Protocol: UDP, From: 5060, To: 5060, Sources: []netip.Prefix{one, two}, Peers: []Group{GroupC4Router, GroupUCEngine}},
		{Name: SSH, Protocol: TCP, From: 22, To: 22, Sources: []netip.Prefix{one}, Peers: []Group{}},
	}, got)
	for _, o := range got {
		require.NoError(t, o.Validate())
	}
}

// A machine's own firewall must let in what its security groups let in, and nothing else.
func TestOpeningsAreTheRules(t *testing.T) {
	t.Parallel()
	for _, g := range Groups() {
		ranges := map[Exposure][]netip.Prefix{}
		for i, e := range AllExposures() {
			ranges[e] = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 32)}
		}
		rules := Rules(Table(g), ranges, Groups()...)
		var want, got []string
		for _, r := range rules {
			want = append(want, r.Port.String()+" from "+r.from())
		}
		for _, o := range Openings(rules) {
			p := Port{Protocol: o.Protocol, From: o.From, To: o.To}
			for _, s := range o.Sources {
				got = append(got, p.String()+" from "+Rule{Source: s}.from())
			}
			for _, peer := range o.Peers {
				got = append(got, p.String()+" from "+string(peer))
			}
		}
		assert.ElementsMatch(t, want, got, g)
	}
}

func TestOpeningErrors(t *testing.T) {
	t.Parallel()
	err := Opening{Name: "{{ x }}", Protocol: "sctp", From: 0, To: 99999, Sources: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8"), {}}, Peers: []Group{"pbx"}}.Validate()
	for _, want := range []string{"the name must be", `the protocol is "sctp"`, "the source 10.0.0.1/8", "the source invalid Prefix", `the peer is "pbx"`} {
		require.ErrorContains(t, err, want)
	}
	assert.ErrorContains(t, Opening{Name: SSH, Protocol: TCP, From: 22, To: 22}.Validate(), "it is for nobody")
}

func TestReaches(t *testing.T) {
	t.Parallel()
	carriers, everybody := netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("0.0.0.0/0")
	sip, _ := Find(C4SBC(), SIP)
	status, _ := Find(C4SBC(), Status)
	rtp, _ := Find(C4SBC(), RTP)
	outer, _ := Find(NLB(), SIP)
	f := Firewall{
		GroupC4SBC: {{Port: sip, Peer: GroupNLB}, {Port: sip, Peer: GroupC4Router}, {Port: status, Peer: GroupNLB}, {Port: rtp, Source: everybody}},
		GroupNLB:   {{Port: outer, Source: carriers}},
	}
	router, balancer, carrier, stranger := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6"), netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("192.0.2.9")
	members := Members{GroupC4Router: {netip.PrefixFrom(router, 32)}, GroupNLB: {netip.PrefixFrom(balancer, 32)}}
	openings := Openings(f.ThroughBalancer(f[GroupC4SBC]))
	one := func(p Protocol, n int) Port { return Port{Protocol: p, From: n, To: n} }
	for _, c := range []struct {
		from netip.Addr
		to   Port
		want bool
	}{
		{router, one(UDP, 5060), true}, {router, one(TCP, 9600), false}, {router, one(UDP, 5061), false},
		{balancer, one(TCP, 9600), true}, {balancer, one(UDP, 9600), false},
		{carrier, one(UDP, 5060), true}, {carrier, one(TCP, 9600), false},
		{stranger, one(UDP, 5060), false}, {stranger, one(UDP, 23000), true}, {stranger, one(UDP, 32768), true}, {stranger, one(UDP, 32769), false},
		{stranger, Port{Protocol: UDP, From: 32768, To: 32769}, false},
	} {
		assert.Equal(t, c.want, f.Reaches(c.from, members, []Group{GroupC4SBC}, c.to), "security groups: %s to %s", c.from, c.to)
		assert.Equal(t, c.want, Admitted(openings, c.from, members, c.to), "the machine: %s to %s", c.from, c.to)
	}
	assert.Equal(t, f[GroupC4SBC][3:], Firewall{}.ThroughBalancer(f[GroupC4SBC][3:]), "without a load balancer nothing changes")
	ping := Port{Protocol: ICMP, From: EchoRequest, To: AnyCode}
	assert.True(t, ping.covers(Port{Protocol: ICMP, From: EchoRequest, To: 0}))
	assert.False(t, Port{Protocol: ICMP, From: EchoRequest, To: 0}.covers(ping))
}
