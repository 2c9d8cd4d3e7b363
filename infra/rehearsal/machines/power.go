package machines

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Kill ends machines all at once, as a power failure does: nothing inside hears of it. Their disks and addresses stay; Start boots one
// again.
func (s *Set) Kill(ctx context.Context, ids ...string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids))) // one order, for whoever else locks several
	var victims []*machine
	var groups []string
	for _, id := range ids {
		m, err := s.get(id)
		if err != nil {
			return err
		}
		dirs, err := cgroups(s.o.Network.id, id)
		if err != nil {
			return err
		}
		m.life.Lock()
		defer m.life.Unlock()
		if r := m.run.Load(); r != nil {
			r.stopping.Store(true)
			victims, groups = append(victims, m), append(groups, dirs...)
		}
	}
	if _, err := killAll(func() []int { return cgroupPids(groups) }); err != nil {
		return fmt.Errorf("kill machines %s: %w", strings.Join(ids, ", "), err)
	}
	var errs []error
	for _, m := range victims {
		select {
		case <-m.run.Load().off:
		case <-ctx.Done():
			return ctx.Err()
		}
		errs = append(errs, forgetNspawn(m.spec.InstanceID, m.root), s.forgetLink(ctx, m.spec.InstanceID))
	}
	_, err := removeCgroups(groups)
	return errors.Join(append(errs, err)...)
}

// linkTimeout is how long the kernel may take to remove the network of a machine that was killed.
const linkTimeout = 10 * time.Second

// forgetLink waits until a machine's link to the bridge is gone, whose name the next start wants: the kernel takes it away with the network
// inside, some time after the last process. A long name of systemd-nspawn's is an alternative one.
func (s *Set) forgetLink(ctx context.Context, id string) error {
	link := "vb-" + id
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	for s.o.Network.Command(ctx, "ip", "link", "show", "dev", link).Run() == nil {
		_ = s.o.Network.Command(ctx, "ip", "link", "delete", "dev", link).Run()
		select {
		case <-ctx.Done():
			return fmt.Errorf("link %s is still there after %s", link, linkTimeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Start boots a machine that is off with the disk that it has. A valid private address is the one that it has from now on.
func (s *Set) Start(ctx context.Context, id string, private netip.Prefix) error {
	m, err := s.get(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	spec := m.spec
	spec.ElasticIP = m.elastic
	s.mu.Unlock()
	if private.IsValid() {
		spec.PrivateIP = private
	}
	return s.Launch(ctx, spec)
}

// cutTable is the table of nftables that holds what is cut off.
const cutTable = "cut_off"

// Cut drops every packet from and to these networks without a word to whoever sent it, as a zone that is lost does. It replaces what
// was cut before; none mends it.
func (n *Network) Cut(ctx context.Context, networks ...netip.Prefix) error {
	cmd := n.Command(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(cut(networks))
	if err := combined(cmd); err != nil {
		return fmt.Errorf("cut off %v: %w", networks, err)
	}
	return nil
}

// cut writes the rules. Behind the translation of Elastic IPs, addresses are private ones; what ends here at the router is not seen.
func cut(networks []netip.Prefix) string {
	text := fmt.Sprintf("table ip %[1]s {\n}\ndelete table ip %[1]s\n", cutTable)
	if len(networks) == 0 {
		return text
	}
	var all []string
	for _, p := range networks {
		all = append(all, p.Masked().String())
	}
	set := "{ " + strings.Join(all, ", ") + " }"
	return text + fmt.Sprintf(`table ip %s {
	chain forward {
		type filter hook forward priority 0
		ip saddr %[2]s drop
		ip daddr %[2]s drop
	}
	chain output {
		type filter hook output priority 0
		ip daddr %[2]s drop
	}
}
`, cutTable, set)
}
