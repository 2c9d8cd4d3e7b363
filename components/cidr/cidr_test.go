package cidr

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		network string
		n       int
		want    []string
		wantErr string
	}{
		{network: "10.20.0.0/16", n: 3, want: []string{"10.20.0.0/20", "10.20.16.0/20", "10.20.32.0/20"}},
		{network: "10.20.0.0/16", n: 16},
		{network: "10.20.0.0/16", n: 17, wantErr: "has room for 16 subnets of size /20, not for 17"},
		{network: "192.168.7.0/24", n: 2, want: []string{"192.168.7.0/28", "192.168.7.16/28"}},
		{network: "192.168.7.128/27", n: 2, want: []string{"192.168.7.128/28", "192.168.7.144/28"}},
		{network: "192.168.7.128/28", n: 1, want: []string{"192.168.7.128/28"}},
		{network: "192.168.7.128/28", n: 2, wantErr: "has room for 1 subnets of size /28, not for 2"},
		{network: "10.0.0.0/8", n: 1, wantErr: "AWS allows /16 to /28"},
		{network: "10.20.0.1/16", n: 1, wantErr: "the network is 10.20.0.0/16"},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			t.Parallel()
			network := netip.MustParsePrefix(tt.network)
			got, err := Split(network, tt.n)
			if tt.wantErr != "" {
				require.ErrorContains(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, tt.n)
			named := make([]Named, len(got))
			for i, p := range got {
				named[i] = Named{Name: p.String(), Prefix: p}
				if tt.want != nil {
					assert.Equal(t, tt.want[i], p.String())
				}
			}
			assert.NoError(t, CheckSubnets(network, named), "what Split gives must pass its own check")
		})
	}
}

func TestCheckNetwork(t *testing.T) {
	t.Parallel()
	for network, wantErr := range map[string]string{
		"10.20.0.0/16":   "",
		"172.31.0.0/20":  "",
		"10.20.0.0/29":   "AWS allows /16 to /28",
		"10.20.3.0/16":   "the network is 10.20.0.0/16",
		"203.0.113.0/24": "is not private",
		"fd00::/64":      "is not IPv4",
	} {
		err := CheckNetwork(netip.MustParsePrefix(network))
		if wantErr == "" {
			assert.NoError(t, err, network)
		} else {
			assert.ErrorContains(t, err, wantErr, network)
		}
	}
	assert.ErrorContains(t, CheckNetwork(netip.Prefix{}), "the range is empty")
}

func TestCheckSubnetsNamesBothRanges(t *testing.T) {
	t.Parallel()
	err := CheckSubnets(netip.MustParsePrefix("10.20.0.0/16"), []Named{
		{"subnet a", netip.MustParsePrefix("10.20.0.0/20")},
		{"subnet b", netip.MustParsePrefix("10.20.8.0/24")},
		{"subnet c", netip.MustParsePrefix("10.21.0.0/24")},
		{"subnet d", netip.Prefix{}},
	})
	require.Error(t, err)
	assert.Equal(t, "subnet b (10.20.8.0/24) overlaps subnet a (10.20.0.0/20)\n"+
		"subnet c (10.21.0.0/24) is outside the network 10.20.0.0/16\n"+
		"subnet d: the range is empty, want one like 10.20.0.0/16", err.Error())
}
