package cidr

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	all := []string{"public", "private", "intra"}
	tests := map[string]struct {
		network      string
		tiers, zones []string
		want         []string
	}{
		"nothing":              {"10.20.0.0/16", []string{"public"}, nil, []string{}},
		"one zone of one tier": {"10.20.0.0/16", []string{"public"}, []string{"a"}, []string{"public a 10.20.0.0/20"}},
		"the dev stack":        {"10.20.0.0/16", []string{"public"}, []string{"a", "b"}, []string{"public a 10.20.0.0/20", "public b 10.20.16.0/20"}},
		"a small network":      {"192.168.7.128/26", []string{"public"}, []string{"a", "b"}, []string{"public a 192.168.7.128/28", "public b 192.168.7.144/28"}},
		"three of each": {"10.20.0.0/16", all, []string{"a", "b", "c"}, []string{
			"public a 10.20.0.0/20", "public b 10.20.16.0/20", "public c 10.20.32.0/20",
			"private a 10.20.64.0/20", "private b 10.20.80.0/20", "private c 10.20.96.0/20",
			"intra a 10.20.128.0/20", "intra b 10.20.144.0/20", "intra c 10.20.160.0/20",
		}},
		"the narrowest network": {"192.168.7.0/24", all, []string{"a", "b", "c", "d"}, []string{
			"public a 192.168.7.0/28", "public b 192.168.7.16/28", "public c 192.168.7.32/28", "public d 192.168.7.48/28",
			"private a 192.168.7.64/28", "private b 192.168.7.80/28", "private c 192.168.7.96/28", "private d 192.168.7.112/28",
			"intra a 192.168.7.128/28", "intra b 192.168.7.144/28", "intra c 192.168.7.160/28", "intra d 192.168.7.176/28",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			planned, err := Plan(netip.MustParsePrefix(tt.network), tt.tiers, tt.zones)
			require.NoError(t, err)
			got := make([]string, len(planned))
			for i, p := range planned {
				got[i] = fmt.Sprintf("%s %s %s", p.Tier, p.Zone, p.CIDR)
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestPlanNamesEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := Plan(netip.MustParsePrefix("203.0.113.0/24"), []string{"a", "b", "c", "d"}, []string{"1", "2", "3", "4", "5"})
	require.Error(t, err)
	assert.Equal(t, "203.0.113.0/24 is not private, take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)\n"+
		"tiers: 4 of them, a network has room for 3\nzones: 5 of them, a network has room for 4", err.Error())
	_, err = Plan(netip.MustParsePrefix("192.168.7.128/25"), []string{"a", "b", "c"}, []string{"1"})
	assert.ErrorContains(t, err, "192.168.7.128/25 has room for 8 subnets of size /28, not for 9")

	for network, want := range map[string]string{
		"10.20.0.1/16": "the network is 10.20.0.0/16", "10.0.0.0/8": "AWS allows /16 to /28", "fd00::/64": "is not IPv4",
	} {
		_, err := Plan(netip.MustParsePrefix(network), []string{"public"}, []string{"a"})
		assert.ErrorContains(t, err, want, network)
	}
	_, err = Plan(netip.Prefix{}, []string{"public"}, []string{"a"})
	assert.ErrorContains(t, err, "the range is empty")
}

func FuzzPlan(f *testing.F) {
	f.Add(uint32(0x0a140000), 16, 1, 2)
	f.Add(uint32(0xc0a80700), 24, 3, 4)
	f.Add(uint32(0xac1fff00), 24, 2, 3)
	f.Add(uint32(0x0a140001), 28, 0, 5)
	f.Add(uint32(0xffffffff), -1, -1, 99)
	f.Fuzz(func(t *testing.T, address uint32, bits, tiers, zones int) {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, address))), bits)
		names := func(what string, n int) []string {
			out := make([]string, min(max(n, 0), 40))
			for i := range out {
				out[i] = fmt.Sprint(what, i)
			}
			return out
		}
		planned, err := Plan(network, names("t", tiers), names("z", zones))
		if err != nil {
			require.Empty(t, planned)
			return
		}
		require.Len(t, planned, max(tiers, 0)*max(zones, 0))
		named := make([]Named, len(planned))
		for i, p := range planned {
			named[i] = Named{Name: p.Tier + " " + p.Zone, Prefix: p.CIDR}
			require.Equal(t, min(network.Bits()+4, NarrowestBits), p.CIDR.Bits(), "every subnet is a sixteenth, or the smallest that there is")
		}
		require.NoError(t, CheckSubnets(network, named), "inside the network, and apart from each other")

		where := map[string]netip.Prefix{}
		for _, n := range named {
			where[n.Name] = n.Prefix
		}
		if len(planned) == 0 {
			return
		}
		for _, more := range [][2]int{{tiers, zones + 1}, {tiers + 1, zones}} {
			grown, err := Plan(network, names("t", more[0]), names("z", more[1]))
			if err != nil {
				require.True(t, more[0] > MaxTiers || more[1] > MaxZones || network.Bits() > 24, "%v of %s: %v", more, network, err)
				continue
			}
			kept := 0
			for _, p := range grown {
				if before, ok := where[p.Tier+" "+p.Zone]; ok {
					require.Equal(t, before, p.CIDR, "another zone or tier moved %s %s", p.Tier, p.Zone)
					kept++
				}
			}
			require.Equal(t, len(planned), kept)
		}
	})
}

func FuzzCheckSubnets(f *testing.F) {
	f.Add("10.20.0.0/16", "10.20.0.0/20", "10.20.16.0/20")
	f.Add("10.20.0.0/16", "10.20.0.0/20", "10.20.8.0/24")
	f.Add("10.20.0.0/16", "10.21.0.0/20", "fd00::/64")
	f.Fuzz(func(t *testing.T, network, first, second string) {
		n, _ := netip.ParsePrefix(network)
		a, _ := netip.ParsePrefix(first)
		b, _ := netip.ParsePrefix(second)
		if CheckSubnets(n, []Named{{"first", a}, {"second", b}}) != nil {
			return
		}
		require.True(t, n.Contains(a.Addr()) && n.Contains(b.Addr()), "%s and %s in %s", a, b, n)
		require.False(t, a.Contains(b.Addr()) || b.Contains(a.Addr()), "%s and %s share addresses", a, b)
	})
}
