// Package promise is what a loss may cost: the figures that docs/dr.md publishes, that calldata dr plan compares a stack with,
// and that stand beside the times which rehearsals measure.
package promise

import (
	"fmt"
	"strings"
	"time"
)

// Loss is a kind of loss.
type Loss string

// What can be lost, the small first.
const (
	// Member is a machine of a fleet.
	Member Loss = "a machine of a fleet"
	// Node is a Router or SBC that is a machine of its own. What it knows is in a database of RDS and in the repository.
	Node Loss = "a fixed Router or SBC"
	// OwnDatabase is a Router that has the Routers' database on its own disk.
	OwnDatabase Loss = "a Router with the database on it"
	// EngineOfTwo is an engine that another one copies.
	EngineOfTwo Loss = "one of two engines"
	// Engine is the only engine.
	Engine Loss = "the only engine"
	// Database is the Routers' database, its data being whole.
	Database Loss = "the Routers' database, with a standby"
	// SingleDatabase is one without a standby in another zone.
	SingleDatabase Loss = "the Routers' database, without a standby"
	// Data is wrong data in the Routers' database: a standby has it too.
	Data Loss = "data in the Routers' database"
	// State is Pulumi's state of the stack.
	State Loss = "Pulumi's state"
	// Zone is everything in one availability zone, of a stack with fleets and two engines.
	Zone Loss = "a zone, with fleets and two engines"
	// Region is everything in the stack's region, of a stack that keeps copies of its backups in a second one.
	Region Loss = "the region, with copies in a second one"
)

// Nightly is the age that the newest nightly backup may have: a day, and two hours for the backup itself and its random delay.
const Nightly = 26 * time.Hour

// copied is the time that AWS Backup may take besides, for the copy in the second region. Its plan begins a backup within an hour.
const copied = 4 * time.Hour

// Promise is what a loss may cost.
type Promise struct {
	Loss Loss
	// RPO is how old what comes back may be. RTO is how long it takes until calls succeed again, or until the data is back where
	// calls do not need it.
	RPO, RTO time.Duration
	// By is what brings it back.
	By string
}

// All are the promises, in the order of the losses.
//
// Sources: measured in rehearsals (docs/dr.md), for Multi-AZ and restores of RDS the Amazon RDS User Guide, "Multi-AZ DB instance
// deployments" and "Restoring a DB instance to a specified time"; an engine's includes the installation of Wazo's packages; a region's is
// an engine's, and two hours for the network, the certificate and RDS, which copies a snapshot under another key before it restores.
func All() []Promise {
	return []Promise{
		{Member, 0, time.Minute, "the others, then Auto Scaling"},
		{Node, 0, time.Hour, "the machine made anew and configured"},
		{OwnDatabase, Nightly, time.Hour, "the machine made anew, the database's last backup"},
		{EngineOfTwo, time.Hour, 5 * time.Minute, "the second engine, which copies the first every hour"},
		{Engine, Nightly, 2 * time.Hour, "the machine made anew, its last backup"},
		{Database, 0, 2 * time.Minute, "the standby; calls go on"},
		{SingleDatabase, 5 * time.Minute, time.Hour, "RDS, to any second until five minutes ago; calls go on"},
		{Data, 5 * time.Minute, time.Hour, "RDS as above, or a backup of ours; calls go on"},
		{State, 0, 15 * time.Minute, "its history, or the bucket's versions; calls go on"},
		{Zone, time.Hour, 5 * time.Minute, "fleets, standby and second engine in the other zones"},
		{Region, Nightly + copied, 4 * time.Hour, "the stack made afresh there, from the copies"},
	}
}

// Of is the promise for a loss. A loss that none is for has nothing in it.
func Of(loss Loss) Promise {
	for _, p := range All() {
		if p.Loss == loss {
			return p
		}
	}
	return Promise{Loss: loss}
}

// Span writes what a promise allows: "nothing", "5 min", "26 h".
func Span(d time.Duration) string {
	switch {
	case d == 0:
		return "nothing"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

// Table is the promises in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| lost | RPO | RTO | by |\n|---|---|---|---|\n")
	for _, p := range All() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.Loss, Span(p.RPO), Span(p.RTO), p.By)
	}
	return b.String()
}
