package ports

import "slices"

// Group is a set of machines, or of an AWS service's interfaces, that share a firewall.
type Group string

// The groups. Machines have the name of their role.
const (
	GroupUCEngine   Group = "uc-engine"
	GroupC4Router   Group = "c4-router"
	GroupC4SBC      Group = "c4-sbc"
	GroupALB        Group = "alb"
	GroupNLB        Group = "nlb"
	GroupDatabase   Group = "database"
	GroupEndpoints  Group = "endpoints"
	GroupPrometheus Group = "prometheus"
)

// tables are what each group listens on.
var tables = map[Group]func() []Port{
	GroupUCEngine: UCEngine, GroupC4Router: C4Router, GroupC4SBC: C4SBC,
	GroupALB: ALB, GroupNLB: NLB, GroupDatabase: Database, GroupEndpoints: Endpoints, GroupPrometheus: Prometheus,
}

// Groups lists every group in a fixed order.
func Groups() []Group {
	return []Group{GroupUCEngine, GroupC4Router, GroupC4SBC, GroupALB, GroupNLB, GroupDatabase, GroupEndpoints, GroupPrometheus}
}

// Table is what the members of g listen on; nil for a group that is not known.
func Table(g Group) []Port {
	if table, known := tables[g]; known {
		return table()
	}
	return nil
}

// Machines reports whether g is of machines, which talk to anybody: package archives, time, carriers, phones.
func (g Group) Machines() bool {
	return slices.Contains([]Group{GroupUCEngine, GroupC4Router, GroupC4SBC, GroupPrometheus}, g)
}

func (g Group) valid() bool { return slices.Contains(Groups(), g) }

// Names of rows that other code asks for by name.
const (
	SSH        = "ssh"
	HTTPS      = "https"
	SIP        = "sip-udp"
	SIPTCP     = "sip-tcp"
	SIPS       = "sips"
	RTP        = "rtp"
	Status     = "status"
	ICMPEcho   = "icmp-echo"
	PostgreSQL = "postgresql"
	// NodeExporter is on every machine that Prometheus asks.
	NodeExporter = "node-exporter"
)

// Find answers the row called name.
func Find(table []Port, name string) (Port, bool) {
	for _, p := range table {
		if p.Name == name {
			return p, true
		}
	}
	return Port{}, false
}
