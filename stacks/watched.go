package stacks

import (
	"slices"
	"time"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
	"github.com/calldata/calldata-foundation/components/rds/connections"
)

// AlarmsSpec is what tells people of a stack.
type AlarmsSpec struct {
	// Level is how much is told.
	Level alarms.Level `json:"level"`
	// Emails hear of notices and pages.
	Emails []string `json:"emails,omitempty"`
	// PagerURL takes pages. It is a secret, and in no print of a topology.
	PagerURL string `json:"-"`
	// Slack hears of notices and pages; the zero value is none.
	Slack notices.Slack `json:"slack,omitzero"`
	// Hours are those in which business is done; nil is not known.
	Hours *alarms.Hours `json:"hours,omitempty"`
	// Dashboards says whether there are dashboards, too.
	Dashboards bool `json:"dashboards"`
	// Outside says that calls from outside are watched.
	Outside bool `json:"outside,omitempty"`
	// Runbook is the address of the runbook; empty where nobody has said which repository it is in.
	Runbook string `json:"runbook,omitempty"`
}

// Watched is everything in the stack that has alarms: its machines and what they log, fleets, load balancers, database and
// backups, and calls from outside.
func (t Topology) Watched() []alarms.Thing {
	var things []alarms.Thing
	master := t.master()
	for _, n := range t.Nodes {
		thing := alarms.Thing{Name: n.Name, Kind: alarms.Machine, Role: string(n.Roles[0])}
		if n.Name == master {
			thing.Capacity = map[alarms.Capacity]float64{alarms.CopyEvery: copyEvery.Seconds()}
		}
		things = append(things, thing)
	}
	for _, f := range t.Fleets {
		if f.Standing == StandingNew || f.Standing == StandingOld {
			continue // it takes no calls: a release looks at it, and nobody is woken for it
		}
		capacity := map[alarms.Capacity]float64{alarms.Least: float64(f.Size.Min), alarms.Calls: float64(f.Size.Calls)}
		if f.Size.Max > f.Size.Min {
			capacity[alarms.Most] = float64(f.Size.Max)
		}
		things = append(things, alarms.Thing{Name: f.Name, Kind: alarms.Fleet, Role: string(f.Role), Capacity: capacity})
	}
	if t.Database != nil {
		things = append(things, alarms.Thing{Name: t.Database.Name, Kind: alarms.Database, Role: "database", Capacity: map[alarms.Capacity]float64{
			alarms.Storage: float64(t.Database.GiB) * (1 << 30), alarms.Connections: float64(connections.Max(t.RoutersAtOnce())),
		}})
	}
	if t.Web != nil {
		for _, kind := range []alarms.Subject{alarms.Web, alarms.WebTargets, alarms.WebCertificate} {
			things = append(things, alarms.Thing{Name: t.Web.Name, Kind: kind, Role: "web"})
		}
	}
	if t.SIPEdge != nil && t.SIPEdge.Carriers {
		things = append(things, alarms.Thing{Name: t.SIPEdge.Name, Kind: alarms.CarrierTargets, Role: "sip-edge"})
	}
	if t.CountsLines() {
		things = append(things, t.logs())
	}
	if t.Backup != nil {
		things = append(things, alarms.Thing{Name: t.Backup.Name, Kind: alarms.Vault, Role: "backup"})
		if t.Backup.CopyRegion != "" {
			things = append(things, alarms.Thing{Name: t.Stack + "-copies", Kind: alarms.Copies, Role: "backup"}, t.arrivals())
		}
	}
	if t.Alarms != nil && t.Alarms.Outside {
		things = append(things, alarms.Thing{Name: t.Stack, Kind: alarms.Outside, Role: "outside"})
	}
	return things
}

// copyEvery is how often the first engine of a pair copies its data to the second.
// Source: wazo-platform/wazo-sysconfd, plugins/ha_config.
const copyEvery = time.Hour

// master is the engine of a pair that copies its data to the other one; empty without a pair. The inventory of prod
// (group_vars/uc_engine/pair.yml) makes a pair of two engines, the first by name the master.
func (t Topology) master() string {
	var engines []string
	for _, n := range t.Nodes {
		if slices.Contains(n.Roles, RoleUCEngine) {
			engines = append(engines, n.Name)
		}
	}
	if len(engines) != 2 {
		return ""
	}
	return slices.Min(engines)
}

func (t Topology) logs() alarms.Thing {
	return alarms.Thing{Name: t.Stack, Kind: alarms.Logs, Role: "logs"}
}

func (t Topology) arrivals() alarms.Thing {
	return alarms.Thing{Name: t.Stack + "-copies", Kind: alarms.Arrivals, Role: "backup", Region: t.Backup.CopyRegion}
}

// WatchesCopies reports whether an alarm in the second region watches what arrives there, which needs a topic and a key of its own.
func (t Topology) WatchesCopies() bool {
	return t.Backup != nil && t.Backup.CopyRegion != "" && t.Alarms != nil && len(t.Alarms.Level.Watched(t.arrivals(), false)) > 0
}

// CountsLines reports whether lines of the machines' logs are counted: where an alarm watches the counts, which cost.
func (t Topology) CountsLines() bool {
	return len(t.Nodes)+len(t.Fleets) > 0 && t.Alarms != nil && len(t.Alarms.Level.Watched(t.logs(), false)) > 0
}

// RoutersAtOnce is how many Routers may be connected to the database at one time: a rollout doubles a fleet for a while.
func (t Topology) RoutersAtOnce() int {
	n := 0
	for _, f := range t.Fleets {
		if f.Role == RoleC4Router {
			n = max(n, 2*f.Size.Max) // the other colour takes the place of those that it replaces
		}
	}
	for _, spec := range t.Nodes {
		if spec.Roles[0] == RoleC4Router {
			n += 2
		}
	}
	return max(n, 1)
}
