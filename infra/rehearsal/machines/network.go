package machines

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/calldata/calldata-foundation/infra/rehearsal/machines/netns"
)

// bridge is the switch inside the namespace that every machine is plugged into.
const bridge = "br0"

// bridgeAddress is its hardware address, a locally administered one.
const bridgeAddress = "02:00:00:00:00:01"

// validID keeps ids harmless as file names, namespace names and cgroup names.
var validID = regexp.MustCompile(`^cd-[a-z0-9][a-z0-9-]{0,40}$`)

// NetworkOptions says what a network looks like before the first machine is in it.
type NetworkOptions struct {
	// Addresses are those of the outside world on the bridge, with the size of the network around them: the operator's
	// 203.0.113.1/24, for example. Elastic IPs come from these networks.
	Addresses []netip.Prefix
	// Populated are networks of the outside world of which every address is this namespace's: whoever plays many there
	// binds any of them.
	Populated []netip.Prefix
}

// Network is a network namespace without a way out: a bridge with the machines on it, the gateways of their subnets, and
// a piece of outside world from which the operator reaches them.
//
// Elastic IPs are network address translation in the gateway, one to one, as AWS does it: a machine knows its private
// address only, and services have to announce the public one themselves, in the rehearsal as in AWS.
type Network struct {
	id      string
	outside []netip.Prefix

	mu       sync.Mutex
	gateways map[netip.Prefix]bool
	elastic  map[netip.Addr]netip.Addr // private to Elastic IP
}

// NewNetwork makes the namespace called id with its bridge. It fails when the namespace exists: run Teardown first.
func NewNetwork(ctx context.Context, id string, o NetworkOptions) (*Network, error) {
	if !validID.MatchString(id) {
		return nil, fmt.Errorf("rehearsal id is %q: want cd- and lower case letters, digits or dashes", id)
	}
	if err := raiseLimits(); err != nil {
		return nil, err
	}
	n := &Network{id: id, gateways: map[netip.Prefix]bool{}, elastic: map[netip.Addr]netip.Addr{}}
	for _, a := range o.Addresses {
		n.outside = append(n.outside, a.Masked())
	}
	steps := [][]string{
		{"netns", "add", id},
		{"-n", id, "link", "set", "lo", "up"},
		// With an address of its own. Else a bridge takes the lowest one of its ports: when a machine came or went that changed, and others
		// sent to the gateway that they knew, for as long as a neighbour stays reachable.
		{"-n", id, "link", "add", bridge, "address", bridgeAddress, "type", "bridge"},
		{"-n", id, "link", "set", bridge, "up"},
	}
	for _, a := range o.Addresses {
		steps = append(steps, []string{"-n", id, "addr", "add", a.String(), "dev", bridge})
	}
	for _, p := range o.Populated {
		n.outside = append(n.outside, p.Masked())
		// A local route makes all of a network the host's own.
		steps = append(steps, []string{"-n", id, "route", "add", "local", p.Masked().String(), "dev", "lo"})
	}
	for _, args := range steps {
		if err := combined(exec.CommandContext(ctx, "ip", args...)); err != nil {
			return nil, fmt.Errorf("make network %s: %w", id, err)
		}
	}
	// The namespace routes between subnets. Redirects would make machines bypass the translation.
	sysctls := "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects; echo 0 >/proc/sys/net/ipv4/conf/" + bridge + "/send_redirects"
	if err := combined(n.Command(ctx, "sh", "-euc", sysctls)); err != nil {
		return nil, fmt.Errorf("make network %s route: %w", id, err)
	}
	return n, n.translate(ctx)
}

// Name is the namespace's name, as in `ip netns exec NAME`.
func (n *Network) Name() string { return n.id }

// Command is a command that will run inside the namespace. Of the host it sees everything but the network.
func (n *Network) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + netns.Path(n.id), "--", name}, args...)...)
}

// DialContext connects to an IP address from inside the namespace.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return netns.DialContext(ctx, n.id, network, address)
}

// Listen serves the machines at an IP address inside the namespace.
func (n *Network) Listen(network, address string) (net.Listener, error) {
	return netns.Listen(n.id, network, address)
}

// ListenPacket is Listen for packets.
func (n *Network) ListenPacket(network, address string) (net.PacketConn, error) {
	return netns.ListenPacket(n.id, network, address)
}

// AddAddress gives the router one more address. Machines reach it as they reach anything outside their subnet.
func (n *Network) AddAddress(ctx context.Context, address netip.Addr) error {
	prefix := netip.PrefixFrom(address, address.BitLen())
	if err := combined(exec.CommandContext(ctx, "ip", "-n", n.id, "addr", "add", prefix.String(), "dev", bridge)); err != nil {
		return fmt.Errorf("add address %s: %w", address, err)
	}
	return nil
}

// Gateway is the router's address in a subnet: the first one, as in every VPC
// (https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html).
func Gateway(subnet netip.Prefix) netip.Addr { return subnet.Masked().Addr().Next() }

// addGateway gives the bridge the gateway address of subnet.
func (n *Network) addGateway(ctx context.Context, subnet netip.Prefix) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	subnet = subnet.Masked()
	if n.gateways[subnet] {
		return nil
	}
	address := netip.PrefixFrom(Gateway(subnet), subnet.Bits())
	if err := combined(exec.CommandContext(ctx, "ip", "-n", n.id, "addr", "add", address.String(), "dev", bridge)); err != nil {
		return fmt.Errorf("add gateway %s: %w", address, err)
	}
	n.gateways[subnet] = true
	return nil
}

// setElasticIP makes elastic lead to the private address, and nothing else. The zero elastic address takes it away.
func (n *Network) setElasticIP(ctx context.Context, private, elastic netip.Addr) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.elastic[private] == elastic {
		return nil
	}
	before := maps.Clone(n.elastic)
	maps.DeleteFunc(n.elastic, func(p, e netip.Addr) bool { return p == private || e == elastic })
	cut := len(n.elastic) < len(before)
	if elastic.IsValid() {
		n.elastic[private] = elastic
	}
	if err := n.translate(ctx); err != nil {
		n.elastic = before
		return fmt.Errorf("point Elastic IP %s at %s: %w", elastic, private, err)
	}
	if cut {
		// Flows that began before keep their translation until they are forgotten.
		return netns.Do(n.id, forgetFlows)
	}
	return nil
}

// translate loads the rules that follow from n.elastic, all at once.
func (n *Network) translate(ctx context.Context) error {
	cmd := n.Command(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(translation(n.outside, n.elastic))
	return combined(cmd)
}

// translation writes the nftables rules for a set of Elastic IPs. What comes from outside to an Elastic IP goes on to
// the private address; what a machine sends outside, or to another Elastic IP, leaves under its own Elastic IP. Inside
// the VPC private addresses stay.
func translation(outside []netip.Prefix, elastic map[netip.Addr]netip.Addr) string {
	var in, out []string
	for _, private := range slices.SortedFunc(maps.Keys(elastic), netip.Addr.Compare) {
		in = append(in, fmt.Sprintf("%s : %s", elastic[private], private))
		out = append(out, fmt.Sprintf("%s : %s", private, elastic[private]))
	}
	elements := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return "elements = { " + strings.Join(list, ", ") + " }"
	}
	var nets []string
	for _, p := range outside {
		nets = append(nets, p.String())
	}
	leave := ""
	if len(nets) > 0 {
		leave = "ct original ip daddr { " + strings.Join(nets, ", ") + " } snat to ip saddr map @outward"
	}
	// Adding the table first makes deleting it work the first time, too.
	return fmt.Sprintf(`table ip elastic_ips {
}
delete table ip elastic_ips
table ip elastic_ips {
	map inward {
		type ipv4_addr : ipv4_addr
		%s
	}
	map outward {
		type ipv4_addr : ipv4_addr
		%s
	}
	chain prerouting {
		type nat hook prerouting priority -100
		dnat to ip daddr map @inward
	}
	chain output {
		type nat hook output priority -100
		dnat to ip daddr map @inward
	}
	chain input {
		type nat hook input priority 100
		%[3]s
	}
	chain postrouting {
		type nat hook postrouting priority 100
		%[3]s
	}
}
`, elements(in), elements(out), leave)
}

// combined runs cmd and puts what it said into the error.
func combined(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if text := strings.TrimSpace(string(out)); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
}
