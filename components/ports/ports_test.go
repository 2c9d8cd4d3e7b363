package ports

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTablesAreSound(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	table := UCEngine()
	for i, p := range table {
		assert.NoError(t, p.Validate(), p.Name)
		assert.NotEmpty(t, p.Source, "%s must say where its facts come from", p.Name)
		assert.False(t, seen[p.Name], "%s is there twice", p.Name)
		seen[p.Name] = true
		for _, other := range table[:i] {
			assert.False(t, p.Overlaps(other), "%s and %s overlap", p, other)
		}
	}
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
	wide := Port{Name: "wide", Protocol: TCP, From: 5000, To: 6000, Exposure: Phones, Description: "too wide"}
	one := netip.MustParsePrefix("203.0.113.7/32")
	err := CheckRules(UCEngine(), []Rule{
		{ssh, anywhere},
		{sip, anywhere},
		{sip, anywhere},
		{ssh, netip.MustParsePrefix("203.0.113.7/24")},
		{ssh, netip.MustParsePrefix("::/0")},
		{wide, one},
		{Port{Name: "Bad", Protocol: "sctp", From: 5, To: 4, Exposure: "world", Description: "it's"}, one},
	})
	require.Error(t, err)
	for _, want := range []string{
		"rule ssh-from-0-0-0-0-0: tcp 22 is for admin, not for the whole internet",
		"rule sip-udp-from-0-0-0-0-0: it is there twice",
		"rule ssh-from-203-0-113-7-24: the source 203.0.113.7/24 has host bits set, the network is 203.0.113.0/24",
		"the source ::/0 is not an IPv4 range",
		"rule wide-from-203-0-113-7-32: tcp 5000-6000 covers tcp 5038-5039 (Asterisk manager and ARI), which nobody may reach from outside",
		"covers tcp 5432 (PostgreSQL)",
		"covers tcp 5672 (RabbitMQ)",
		`port "Bad": the name must be lower case words joined by hyphens`,
		`the protocol is "sctp", want tcp, udp or icmp`,
		`the exposure is "world"`,
		`the description "it's" is empty, longer than 255 characters, or has a character that EC2 refuses`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "rule sip-udp-from-0-0-0-0-0: udp 5060")
}
