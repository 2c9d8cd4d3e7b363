package stacks

import (
	"slices"

	"github.com/calldata/calldata-foundation/components/ports"
)

// Role is what a machine does in the platform. Ansible groups, security groups and tags are named after it.
type Role string

const (
	// RoleUCEngine is Wazo's UC Engine: Asterisk, its APIs, their PostgreSQL and the web server.
	RoleUCEngine Role = "uc-engine"
	// RoleC4Router is the Class-4 Router: Kamailio, which sends each call to its engine or carrier.
	RoleC4Router Role = "c4-router"
	// RoleC4SBC is the Class-4 SBC: Kamailio and rtpengine at the edge of the network.
	RoleC4SBC Role = "c4-sbc"
	// RolePrometheus is the monitoring node: Prometheus, Alertmanager and Grafana.
	RolePrometheus Role = "prometheus"
)

// AllRoles lists every role in a fixed order.
func AllRoles() []Role { return []Role{RoleUCEngine, RoleC4Router, RoleC4SBC, RolePrometheus} }

// Valid reports whether r is a role that this program knows.
func (r Role) Valid() bool { return slices.Contains(AllRoles(), r) }

// Group is the firewall group of machines with the role.
func (r Role) Group() ports.Group { return ports.Group(r) }

// BackedUp reports whether machines of the role save backups of their own. A monitoring node's measurements are not worth one, and the
// rest of it is made from the stack.
func (r Role) BackedUp() bool { return r != RolePrometheus }
