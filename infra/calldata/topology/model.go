package topology

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/ports"
	"github.com/calldata/calldata-foundation/stacks"
)

// picture is a topology as something to draw: who is outside on top, zones as columns, tiers as rows, and in each row the
// firewall's groups one below the other.
type picture struct {
	title, subtitle string
	actors          []actor
	frame           string
	columns         []string
	rows            []row
	links           []Link
	// caption is the legend's title, notes what it says besides.
	caption string
	notes   []string
}

// actor is somebody outside.
type actor struct {
	id, name string
	lines    []string
}

// row is a tier with a cell in each column.
type row struct {
	name  string
	cells []string
	lanes []lane
}

// lane is a group of the firewall, or something else that lies in a tier.
type lane struct {
	id, name string
	boxes    []box
}

// box is a machine, or what else a lane holds. Column -1 spans all columns.
type box struct {
	column int
	title  string
	lines  []string
}

// Link is traffic that the firewall lets through.
type Link struct {
	// From is somebody outside, a group, or "network" for everything inside of it. To is a group.
	From string `json:"from"`
	To   string `json:"to"`
	// Ranges are the addresses that it may come from, where From is no group.
	Ranges []string `json:"ranges,omitempty"`
	// Ports are what it may reach, for example "udp 5060".
	Ports []string `json:"ports"`
}

// inside is the source of rules for the whole network.
const inside = "network"

// outsiders are the exposures that people and machines outside have, in the order from left to right: whoever reaches
// deepest into the network stands leftmost, so that few lines cross.
var outsiders = []struct {
	exposure ports.Exposure
	name     string
}{
	{ports.Admin, "Operators"}, {ports.Media, "Voice packets"}, {ports.Phones, "Phones"}, {ports.Carriers, "Carriers"}, {ports.Users, "Browsers"},
	{ports.Public, "Everybody"},
}

// Links are the traffic that the stack's firewall lets through, by group and in the order of the port tables.
func Links(t stacks.Topology) []Link {
	var links []Link
	for _, g := range t.Firewall {
		for _, r := range g.Ingress {
			from := string(r.Port.Exposure)
			switch {
			case r.Peer != "":
				from = string(r.Peer)
			case r.Port.Exposure == ports.VPC:
				from = inside
			}
			at := slices.IndexFunc(links, func(l Link) bool { return l.From == from && l.To == string(g.Name) })
			if at < 0 {
				links = append(links, Link{From: from, To: string(g.Name)})
				at = len(links) - 1
			}
			if r.Peer == "" {
				links[at].Ranges = insert(links[at].Ranges, r.Source.String())
			}
			links[at].Ports = insert(links[at].Ports, r.Port.String())
		}
	}
	return links
}

func insert(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// draw makes the picture of a topology.
func draw(t stacks.Topology) picture {
	p := picture{title: t.Stack, subtitle: subtitle(t)}
	if t.Account != nil {
		p.account(t)
	}
	if t.Network == nil {
		return p
	}
	n := t.Network
	p.frame = fmt.Sprintf("%s %s", n.Name, n.CIDR)
	p.columns = n.Zones
	for _, tier := range []string{stacks.TierPublic, stacks.TierPrivate, stacks.TierIntra} {
		if subnets := n.Of(tier); len(subnets) > 0 {
			r := row{name: tier, cells: make([]string, len(n.Zones)), lanes: lanes(t, tier)}
			for _, s := range subnets {
				if at := slices.Index(n.Zones, s.Zone); at >= 0 {
					r.cells[at] = fmt.Sprintf("%s %s", s.Name, s.CIDR)
				}
			}
			p.rows = append(p.rows, r)
		}
	}
	p.links = hosted(t, Links(t))
	p.outside(t)
	p.caption, p.notes = "What the firewall lets in", wayOut(t)
	return p
}

// wayOut says what the firewall lets out: machines talk to anybody, everything else answers alone.
func wayOut(t stacks.Topology) []string {
	var names []string
	for _, g := range t.Firewall {
		if g.Name.Machines() {
			names = append(names, string(g.Name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	through := ""
	if t.Network.Nat != stacks.NatNone && len(t.Network.Of(stacks.TierPrivate)) > 0 {
		through = ", private ones through NAT"
	}
	return []string{fmt.Sprintf("%s to anywhere outside%s", strings.Join(names, ", "), through)}
}

func subtitle(t stacks.Topology) string {
	words := []string{fmt.Sprintf("%s stack in %s", t.Kind, t.Region)}
	if t.Protect {
		words = append(words, "protected")
	}
	if slices.ContainsFunc(t.Nodes, func(n stacks.NodeSpec) bool { return n.Access == stacks.AccessSSM }) {
		words = append(words, "operators come through AWS Systems Manager")
	}
	if i := slices.IndexFunc(t.Buckets, func(b stacks.BucketSpec) bool { return b.Use == stacks.BucketBackups }); i >= 0 {
		words = append(words, fmt.Sprintf("backups kept %d days", t.Buckets[i].ExpireDays))
	}
	return strings.Join(words, ", ")
}

// hosted gives links of groups that share a machine to the group that the machine is drawn in, and leaves out what would
// then stay on one machine.
func hosted(t stacks.Topology, links []Link) []Link {
	at := map[string]string{}
	for _, n := range t.Nodes {
		for _, role := range n.Roles[1:] {
			at[string(role)] = string(n.Roles[0])
		}
	}
	var out []Link
	for _, l := range links {
		l.From, l.To = cmp.Or(at[l.From], l.From), cmp.Or(at[l.To], l.To)
		known := slices.IndexFunc(out, func(o Link) bool { return o.From == l.From && o.To == l.To })
		switch {
		case l.From == l.To && len(at) > 0:
		case known < 0:
			out = append(out, l)
		default:
			for _, port := range l.Ports {
				out[known].Ports = insert(slices.Clone(out[known].Ports), port)
			}
		}
	}
	return out
}

// outside collects whoever the links come from.
func (p *picture) outside(t stacks.Topology) {
	for _, o := range outsiders {
		var ranges []string
		found := false
		for _, l := range p.links {
			if l.From == string(o.exposure) {
				found = true
				for _, r := range l.Ranges {
					ranges = insert(ranges, r)
				}
			}
		}
		if found {
			p.actors = append(p.actors, actor{id: string(o.exposure), name: o.name, lines: []string{few(ranges)}})
		}
	}
	if t.Web != nil {
		p.name(string(ports.Users), t.Web.Domain)
	}
	if t.SIPEdge != nil && t.SIPEdge.Phones {
		p.name(string(ports.Phones), t.SIPEdge.Domain)
	}
}

// name adds the domain that an actor asks for.
func (p *picture) name(id, domain string) {
	for i := range p.actors {
		if p.actors[i].id == id {
			p.actors[i].lines = append(p.actors[i].lines, domain)
		}
	}
}

// few is a list that stays short.
func few(ranges []string) string {
	for i, r := range ranges {
		if p, err := netip.ParsePrefix(r); err == nil && p.Bits() == 0 {
			ranges[i] = "the internet"
		}
	}
	if len(ranges) > 2 {
		return fmt.Sprintf("%s and %d more ranges", ranges[0], len(ranges)-1)
	}
	return strings.Join(ranges, ", ")
}

// lanes are what lies in one tier, whoever is nearest to the outside first.
func lanes(t stacks.Topology, tier string) []lane {
	var out []lane
	add := func(group ports.Group, boxes ...box) {
		if len(boxes) > 0 {
			out = append(out, lane{id: string(group), name: string(group), boxes: boxes})
		}
	}
	if tier == stacks.TierPublic {
		if web := t.Web; web != nil {
			lines := []string{fmt.Sprintf("blue %d, green %d", web.Blue, web.Green)}
			if web.WAF {
				lines = append(lines, "web application firewall")
			}
			add(ports.GroupALB, box{-1, web.Name + ": application load balancer", lines})
		}
		if edge := t.SIPEdge; edge != nil && edge.Carriers {
			add(ports.GroupNLB, box{-1, edge.Name + ": network load balancer", []string{"one Elastic IP in each zone"}})
		}
	}
	for _, role := range []stacks.Role{stacks.RoleC4SBC, stacks.RoleC4Router, stacks.RoleUCEngine, stacks.RolePrometheus} {
		add(role.Group(), machines(t, role, tier)...)
	}
	if tier == endpointTier(t) && t.Network.SSMEndpoints {
		add(ports.GroupEndpoints, box{-1, "endpoints of Systems Manager", nil})
	}
	if tier == stacks.TierIntra && t.Database != nil {
		d := t.Database
		where := "one zone"
		if d.MultiAZ {
			where = "a standby in another zone"
		}
		add(ports.GroupDatabase, box{-1, fmt.Sprintf("%s: PostgreSQL %d, %s", d.Name, d.Version, d.Class),
			[]string{fmt.Sprintf("%d GiB, at most %d; %s; backups %d days", d.GiB, d.MaxGiB, where, d.BackupDays)}})
	}
	if tier == stacks.TierPublic {
		if gateways := natBoxes(t.Network); len(gateways) > 0 {
			out = append(out, lane{id: "nat", name: "way out", boxes: gateways})
		}
	}
	return out
}

func endpointTier(t stacks.Topology) string {
	if len(t.Network.Of(stacks.TierPrivate)) > 0 {
		return stacks.TierPrivate
	}
	return stacks.TierPublic
}

func natBoxes(n *stacks.Network) []box {
	zones := map[stacks.Nat]int{stacks.NatSingle: 1, stacks.NatOnePerAz: len(n.Zones)}[n.Nat]
	boxes := make([]box, min(zones, len(n.Zones)))
	for i := range boxes {
		boxes[i] = box{i, "NAT gateway", nil}
	}
	return boxes
}

// machines are the nodes and fleets whose first role is role.
func machines(t stacks.Topology, role stacks.Role, tier string) []box {
	var boxes []box
	for _, n := range t.Nodes {
		at := slices.IndexFunc(t.Network.Subnets, func(s stacks.Subnet) bool { return s.Name == n.Subnet })
		if n.Roles[0] != role || at < 0 || t.Network.Subnets[at].Tier != tier {
			continue
		}
		lines := []string{fmt.Sprintf("%s, %d vCPU, %g GiB", n.Type.Name, n.Type.VCPU, n.Type.MemoryGiB), disks(n)}
		if len(n.Roles) > 1 {
			lines = append(lines, "also "+words(n.Roles[1:]))
		}
		if n.Public {
			lines = append(lines, "Elastic IP")
		}
		boxes = append(boxes, box{slices.Index(t.Network.Zones, t.Network.Subnets[at].Zone), n.Name, lines})
	}
	for _, f := range t.Fleets {
		if f.Role != role || f.Tier != tier {
			continue
		}
		lines := []string{fmt.Sprintf("%d to %d x %s, %d vCPU, %g GiB, %d GiB disk", f.Size.Min, f.Size.Max, f.Type.Name, f.Type.VCPU, f.Type.MemoryGiB, f.VolumeGiB),
			fmt.Sprintf("%d calls or %d %% CPU each", f.Size.Calls, f.CPUTarget)}
		if f.AddressPool {
			lines = append(lines, fmt.Sprintf("Elastic IPs from a pool of %d", t.SIPEdge.Pool))
		}
		boxes = append(boxes, box{-1, f.Name + ": fleet over all zones", lines})
	}
	return boxes
}

func disks(n stacks.NodeSpec) string {
	if n.DataVolumeGiB > 0 {
		return fmt.Sprintf("%d GiB disk, %d GiB data", n.VolumeGiB, n.DataVolumeGiB)
	}
	return fmt.Sprintf("%d GiB disk", n.VolumeGiB)
}

func words(roles []stacks.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// perRow is how many parts of an account stand side by side.
const perRow = 4

// account draws the baseline of an account: who deploys and who is told above, what there is below.
func (p *picture) account(t stacks.Topology) {
	a := t.Account
	p.frame = "AWS account"
	p.columns = make([]string, perRow)
	stacksLane := lane{id: "deploy", name: "roles of workflows"}
	for i, e := range a.Environments {
		stacksLane.boxes = append(stacksLane.boxes, box{i % perRow, e.Name, []string{fmt.Sprintf("budget %d USD a month", e.BudgetUSD)}})
	}
	baseline := lane{id: "baseline", name: "baseline"}
	for i, part := range a.Parts {
		baseline.boxes = append(baseline.boxes, box{i % perRow, string(part), nil})
	}
	p.rows = []row{{name: "account", cells: make([]string, perRow), lanes: []lane{stacksLane, baseline}}}
	p.actors = []actor{
		{"alerts", "Told of budgets", []string{few(slices.Clone(a.AlertEmails))}},
		{"github", "GitHub Actions", []string{a.Repository}},
	}
	p.caption = "Who deploys"
	p.links = []Link{{From: "github", To: "deploy", Ports: []string{"OpenID Connect"}}}
}
