package rehearsal

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/infra/rehearsal/calls"
	"github.com/calldata/calldata-foundation/infra/rehearsal/machines"
	"github.com/calldata/calldata-foundation/infra/rehearsal/portscan"
	"github.com/calldata/calldata-foundation/stacks"
	"github.com/calldata/calldata-foundation/stacks/stackfile"
)

// stranger is somebody whom no setting of the scene names.
var stranger = netip.MustParseAddr("192.0.2.100")

// ports looks at every machine from outside, from the network and from all other machines: each reaches what the table of
// ports lets it reach, and nothing else.
func (w *world) ports(ctx context.Context, o Options, outputs stacks.Outputs, step progress.Step) Check {
	c := Check{Name: "ports"}
	s := step.Step(c.Name)
	result, scene, err := w.scanPorts(ctx, o, outputs)
	if err == nil {
		c.OK = len(result.Findings) == 0
		c.Detail = fmt.Sprintf("%d ports tried on %d machines from %d positions, %d reached, %d not as the table has it",
			result.Probes, len(scene.machines), len(scene.positions), result.Reached, len(result.Findings))
		for _, f := range result.Findings {
			c.Detail += "; " + f.String()
		}
	} else {
		c.Detail = err.Error()
	}
	s.Done(failures([]Check{c}))
	return c
}

func (w *world) scanPorts(ctx context.Context, o Options, outputs stacks.Outputs) (portscan.Result, portScene, error) {
	topology, err := w.topology(o)
	if err != nil {
		return portscan.Result{}, portScene{}, err
	}
	roles, err := w.machinesByRole(ctx)
	if err != nil {
		return portscan.Result{}, portScene{}, err
	}
	scene, err := newPortScene(topology, outputs, roles, w.network.Name(), w.watcher.Machines.Namespace)
	if err != nil {
		return portscan.Result{}, portScene{}, err
	}
	result, err := portscan.Scan(ctx, scene.positions, scene.machines, scene.table)
	return result, scene, err
}

// topology is what the rehearsed stack consists of, by the settings that Pulumi got.
func (w *world) topology(o Options) (stacks.Topology, error) {
	file, err := stackfile.Read(filepath.Join(w.dir, "work"), o.Stack)
	if err != nil {
		return stacks.Topology{}, err
	}
	config, err := stacks.ReadConfig(o.Stack, file)
	if err != nil {
		return stacks.Topology{}, err
	}
	return stacks.New(o.Stack, config)
}

// portScene is who looks at whom in a scan of ports.
type portScene struct {
	positions []portscan.Position
	machines  []portscan.Machine
	table     portscan.Table
}

// newPortScene makes the scene of a stack's machines. Outside is the namespace of everybody else, inside answers that of a
// machine.
func newPortScene(t stacks.Topology, outputs stacks.Outputs, roles map[string][]calls.Machine, outside string, inside func(id string) (string, error)) (portScene, error) {
	scene := portScene{table: portscan.Table{Firewall: t.Rules(), Members: ports.Members{}}}
	for _, balancer := range []ports.Group{ports.GroupALB, ports.GroupNLB} {
		scene.table.Members[balancer] = []netip.Prefix{t.Network.CIDR}
	}
	for _, p := range []portscan.Position{{Name: "operator", Address: operator}, {Name: "carrier", Address: carrierOne}, {Name: "stranger", Address: stranger}} {
		p.Namespace = outside
		scene.positions = append(scene.positions, p)
	}
	gateways := map[netip.Addr]bool{}
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		group := stacks.Role(role).Group()
		for _, m := range roles[role] {
			namespace, err := inside(m.Name)
			if err != nil {
				return portScene{}, err
			}
			gateway, err := gatewayOf(*t.Network, m.Private)
			if err != nil {
				return portScene{}, err
			}
			gateways[gateway] = true
			name := fmt.Sprintf("%s %s", role, m.Private)
			scene.positions = append(scene.positions, portscan.Position{Name: name, Namespace: namespace, Address: m.Private})
			scene.machines = append(scene.machines, portscan.Machine{Name: name, Address: m.Private, Groups: []ports.Group{group},
				Also: wayOfAnsible(outputs, m, gateway)})
			scene.table.Members[group] = append(scene.table.Members[group], netip.PrefixFrom(m.Private, m.Private.BitLen()))
		}
	}
	// The first address of a subnet stands for whatever in the network is none of the machines.
	for _, g := range slices.SortedFunc(maps.Keys(gateways), netip.Addr.Compare) {
		scene.positions = append(scene.positions, portscan.Position{Name: "network " + g.String(), Namespace: outside, Address: g})
	}
	return scene, nil
}

// wayOfAnsible is the way in that a machine keeps open for whoever configures it over SSH, which a fleet's machine does itself.
func wayOfAnsible(outputs stacks.Outputs, m calls.Machine, gateway netip.Addr) []ports.Rule {
	i := slices.IndexFunc(outputs.Nodes, func(n stacks.Node) bool { return n.InstanceID == m.Name })
	if i < 0 || outputs.Nodes[i].Access != stacks.AccessSSM {
		return nil
	}
	ssh, _ := ports.Find(ports.UCEngine(), ports.SSH)
	return []ports.Rule{{Port: ssh, Source: netip.PrefixFrom(gateway, gateway.BitLen())}}
}

// gatewayOf is the gateway that an address of the network has.
func gatewayOf(n stacks.Network, address netip.Addr) (netip.Addr, error) {
	for _, s := range n.Subnets {
		if s.CIDR.Contains(address) {
			return machines.Gateway(s.CIDR), nil
		}
	}
	var known []string
	for _, s := range n.Subnets {
		known = append(known, s.CIDR.String())
	}
	return netip.Addr{}, fmt.Errorf("the address %s is in none of the subnets %s", address, strings.Join(known, ", "))
}
