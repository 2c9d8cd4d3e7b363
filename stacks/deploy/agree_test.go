package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/components/componenttest"
	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/stacks"
)

// cloud is the security groups of a stack as they are registered in AWS, and nothing of how they came about.
type cloud struct {
	rules []cloudRule
	// groups are those of each machine, by its name, or by its fleet's.
	groups map[string][]string
}

type cloudRule struct {
	group, peer string
	source      netip.Prefix
	port        ports.Port
}

func cloudOf(rec *componenttest.Recorder) cloud {
	c := cloud{groups: map[string][]string{}}
	number := func(v any) int { n, _ := v.(float64); return int(n) }
	for _, r := range rec.OfType("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
		rule := cloudRule{group: r.Inputs["securityGroupId"].(string), port: ports.Port{
			Protocol: ports.Protocol(r.Inputs["ipProtocol"].(string)), From: number(r.Inputs["fromPort"]), To: number(r.Inputs["toPort"]),
		}}
		rule.peer, _ = r.Inputs["referencedSecurityGroupId"].(string)
		if source, ok := r.Inputs["cidrIpv4"].(string); ok {
			rule.source = netip.MustParsePrefix(source)
		}
		c.rules = append(c.rules, rule)
	}
	list := func(v any) (ids []string) {
		for _, id := range v.([]any) {
			ids = append(ids, id.(string))
		}
		return ids
	}
	for name, r := range rec.OfType("aws:ec2/instance:Instance") {
		c.groups[name] = list(r.Inputs["vpcSecurityGroupIds"])
	}
	for name, r := range rec.OfType("aws:ec2/launchTemplate:LaunchTemplate") {
		c.groups[name] = list(r.Inputs["networkInterfaces"].([]any)[0].(map[string]any)["securityGroups"])
	}
	return c
}

// reaches is the verdict of AWS on one port for a packet from an address whose interface is in the group of.
// Source: Amazon VPC User Guide, "Security group rules".
func (c cloud) reaches(from netip.Addr, of string, to []string, protocol ports.Protocol, number int) bool {
	return slices.ContainsFunc(c.rules, func(r cloudRule) bool {
		here := slices.Contains(to, r.group) && r.port.Protocol == protocol &&
			(protocol == ports.ICMP && r.port.From == number || protocol != ports.ICMP && r.port.From <= number && number <= r.port.To)
		return here && (r.peer != "" && r.peer == of || r.source.IsValid() && r.source.Contains(from))
	})
}

// position is somebody who sends a packet.
type position struct {
	name  string
	addr  netip.Addr
	group ports.Group
}

// positions are one of each group of machines and balancers, somebody else in the network, and people outside.
func positions(vpc netip.Prefix) []position {
	at := func(n byte) netip.Addr { b := vpc.Addr().As4(); b[2], b[3] = 250, n; return netip.AddrFrom4(b) }
	list := []position{
		{"operator", netip.MustParseAddr("203.0.113.1"), ""}, {"carrier", netip.MustParseAddr("198.51.100.10"), ""},
		{"stranger", netip.MustParseAddr("192.0.2.10"), ""}, {"somebody in the network", at(9), ""},
	}
	for i, g := range []ports.Group{ports.GroupUCEngine, ports.GroupC4Router, ports.GroupC4SBC, ports.GroupALB, ports.GroupNLB, ports.GroupPrometheus} {
		list = append(list, position{string(g), at(byte(10 + i)), g})
	}
	return list
}

// edges are the ports of the table where a verdict can change, and their neighbours.
func edges() map[ports.Protocol][]int {
	found := map[ports.Protocol]map[int]bool{ports.TCP: {}, ports.UDP: {}, ports.ICMP: {}}
	for _, g := range ports.Groups() {
		for _, p := range ports.Table(g) {
			if p.Protocol == ports.ICMP {
				found[p.Protocol][p.From] = true
				continue
			}
			for _, n := range []int{p.From - 1, p.From, (p.From + p.To) / 2, p.To, p.To + 1} {
				found[p.Protocol][n] = true
			}
		}
	}
	all := map[ports.Protocol][]int{}
	for protocol, numbers := range found {
		all[protocol] = slices.Sorted(maps.Keys(numbers))
	}
	return all
}

// TestFirewallsAgree compares, for every machine of every stack, every position and every port where it matters, the verdict
// of the security groups that are registered with that of the openings that the machine is told.
func TestFirewallsAgree(t *testing.T) {
	t.Parallel()
	for name, top := range map[string]stacks.Topology{
		"dev":                  topologyOf(t, stacks.KindDev),
		"dev with C4":          topologyOf(t, stacks.KindDev, "c4", "true"),
		"dev, narrow":          topologyOf(t, stacks.KindDev, "sipCidrs", `["192.0.2.0/24"]`),
		"stage":                topologyOf(t, stacks.KindStage),
		"stage, with carriers": topologyOf(t, stacks.KindStage, "sipEdges", `["phones","carriers"]`, "carrierCidrs", `["198.51.100.0/24"]`),
		"stage, carriers only": topologyOf(t, stacks.KindStage, "sipEdges", `["carriers"]`, "carrierCidrs", `["198.51.100.0/24"]`),
		"stage, Prometheus":    topologyOf(t, stacks.KindStage, "prometheus", "true"),
		"prod":                 topologyOf(t, stacks.KindProd),
		"prod, Prometheus":     topologyOf(t, stacks.KindProd, "prometheus", "true"),
		"prod, narrow":         topologyOf(t, stacks.KindProd, "sipCidrs", `["192.0.2.0/24"]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := cloudOf(graph(t, top))
			hosts, fleets := told(t, top)
			maps.Copy(hosts, fleets)
			require.Len(t, hosts, len(aws.groups), "every machine has both firewalls")
			for machine, facts := range hosts {
				agree(t, machine, openings(t, facts), aws, top)
			}
		})
	}
}

func openings(t *testing.T, facts map[string]any) (list []ports.Opening) {
	t.Helper()
	text, err := json.Marshal(facts["calldata_firewall"])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &list))
	require.NotEmpty(t, list)
	return list
}

func agree(t *testing.T, machine string, openings []ports.Opening, aws cloud, top stacks.Topology) {
	t.Helper()
	vpc := top.Network.CIDR
	members := ports.Members{ports.GroupALB: {vpc}, ports.GroupNLB: {vpc}}
	for _, p := range positions(vpc) {
		if p.group.Machines() {
			members[p.group] = []netip.Prefix{netip.PrefixFrom(p.addr, 32)}
		}
	}
	group := func(g ports.Group) string { return fmt.Sprintf("%s-%s-id", top.Stack, g) }
	compared, open := 0, 0
	for _, p := range positions(vpc) {
		for protocol, numbers := range edges() {
			for _, n := range numbers {
				of := ""
				if p.group != "" {
					of = group(p.group)
				}
				cloud := aws.reaches(p.addr, of, aws.groups[machine], protocol, n)
				if nlb := group(ports.GroupNLB); aws.reaches(p.addr, "", []string{nlb}, protocol, n) {
					// What the load balancer takes it passes on, with the address that it came from.
					cloud = cloud || aws.reaches(p.addr, nlb, aws.groups[machine], protocol, n)
				}
				port := ports.Port{Protocol: protocol, From: n, To: n}
				if protocol == ports.ICMP {
					port.To = ports.AnyCode
				}
				host := ports.Admitted(openings, p.addr, members, port)
				compared++
				if cloud {
					open++
				}
				if vpc.Contains(p.addr) && balanced(openings, port) {
					// The balancers' addresses are any of the network: here the host's is the wider one.
					assert.True(t, host, "%s, from %s, %s", machine, p.name, port)
					continue
				}
				assert.Equal(t, cloud, host, "%s, from %s (%s), %s: security groups, and the machine's own firewall", machine, p.name, p.addr, port)
			}
		}
	}
	assert.Greater(t, compared, 500, machine)
	assert.Positive(t, open, "%s: somebody reaches something", machine)
}

// balanced reports whether a load balancer sends to the port.
func balanced(openings []ports.Opening, p ports.Port) bool {
	return slices.ContainsFunc(openings, func(o ports.Opening) bool {
		return o.Protocol == p.Protocol && o.From <= p.From && p.To <= o.To && (slices.Contains(o.Peers, ports.GroupALB) || slices.Contains(o.Peers, ports.GroupNLB))
	})
}

// A disagreement is found: the test above can fail.
func TestDisagreementIsFound(t *testing.T) {
	t.Parallel()
	top := topologyOf(t, stacks.KindStage)
	hosts, _ := told(t, top)
	list := openings(t, hosts["stage-router-1"])
	aws := cloudOf(graph(t, top))
	router := aws.groups["stage-router-1"]
	sbc := netip.MustParseAddr("10.30.250.12")
	members := ports.Members{ports.GroupC4SBC: {netip.PrefixFrom(sbc, 32)}}
	sip := ports.Port{Protocol: ports.UDP, From: 5060, To: 5060}
	assert.True(t, aws.reaches(sbc, "stage-c4-sbc-id", router, ports.UDP, 5060))
	assert.True(t, ports.Admitted(list, sbc, members, sip))
	assert.False(t, aws.reaches(sbc, "stage-c4-sbc-id", router, ports.TCP, 5060))
	assert.False(t, ports.Admitted(list, sbc, ports.Members{}, sip), "an empty set admits nobody")
	assert.True(t, strings.HasPrefix(router[0], "stage-c4-router"))
}
