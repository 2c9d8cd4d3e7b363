package machines

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatIsCutOff(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "table ip cut_off {\n}\ndelete table ip cut_off\n", cut(nil))
	rules := cut([]netip.Prefix{netip.MustParsePrefix("10.20.1.7/20"), netip.MustParsePrefix("10.20.16.0/20")})
	assert.Contains(t, rules, "ip saddr { 10.20.0.0/20, 10.20.16.0/20 } drop\n")
	assert.Contains(t, rules, "chain output {\n\t\ttype filter hook output priority 0\n\t\tip daddr { 10.20.0.0/20, 10.20.16.0/20 } drop\n")
}

// TestPowerFailure has a machine that somebody would hear of if it were shut down, and that comes back at another address.
func TestPowerFailure(t *testing.T) {
	t.Parallel()
	w := rootWorld(t, "power")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	public, key := login(t)
	m := spec("i-0123456789abcdef2", "10.20.0.5/20", "203.0.113.12")
	m.PublicKeys = []string{public}
	require.NoError(t, w.set.Launch(ctx, m))
	require.NoError(t, w.set.WaitBooted(ctx, m.InstanceID))
	out, err := w.ssh(t, key, "203.0.113.12", "sudo sh -c 'echo kept >/var/lib/kept; printf \"[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\nExecStop=/bin/touch /var/lib/shut\\n\" >/etc/systemd/system/note.service; systemctl start note'")
	require.NoError(t, err, out)

	require.NoError(t, w.network.Cut(ctx, netip.MustParsePrefix("10.20.0.0/20")))
	_, err = w.dial(t, "203.0.113.12:22")
	require.Error(t, err, "the network is gone, by the Elastic IP as well")
	require.NoError(t, w.network.Cut(ctx))
	out, err = w.ssh(t, key, "10.20.0.5", "cat /var/lib/kept")
	require.NoError(t, err, out)

	link := func() error { return w.network.Command(ctx, "ip", "link", "show", "dev", "vb-"+m.InstanceID).Run() }
	require.NoError(t, link(), "the name that is waited for")
	require.NoError(t, w.set.Kill(ctx, m.InstanceID))
	require.Error(t, link())
	assert.False(t, w.set.Running(m.InstanceID))
	require.NoError(t, w.set.Kill(ctx, m.InstanceID), "what is off stays off")
	require.NoError(t, w.set.Start(ctx, m.InstanceID, netip.MustParsePrefix("10.20.16.5/20")))
	require.NoError(t, w.set.WaitBooted(ctx, m.InstanceID))
	for _, address := range []string{"10.20.16.5", "203.0.113.12"} {
		out, err = w.ssh(t, key, address, "cat /var/lib/kept; ls /var/lib/shut")
		require.Error(t, err, "nothing was shut down")
		assert.Contains(t, out, "kept\n", "%s: the disk is the same", address)
		assert.Contains(t, out, "No such file", address)
	}
	_, err = w.dial(t, "10.20.0.5:22")
	require.Error(t, err)
	require.Error(t, w.set.Kill(ctx, "i-none"))
	require.Error(t, w.set.Start(ctx, "i-none", netip.Prefix{}))
}
