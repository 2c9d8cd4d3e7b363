// Package connections says how many connections the Routers' database takes, for its settings and for the alarm on them.
package connections

// RDS's own limit follows from memory alone (LEAST(DBInstanceClassMemory/9531392,
// 5000), about 400 for 4 GiB; AWS Prescriptive Guidance, "Tuning PostgreSQL parameters", max_connections), and a
// connection that is refused is a call that is lost. So the number follows from who connects:
const (
	// Every process of a Kamailio holds a connection of its own: 8 UDP and 8 TCP workers (its default of `children`), and
	// half as many again for timers, RPC and the TCP dispatcher; the rest is room for a second interface.
	// Source: Kamailio Wiki, "Core Cookbook", children and tcp_children.
	connectionsPerRouter = 32
	// Operators, `calldata`, Ansible, exporters and dumps.
	connectionsOfOperators = 20
	// What PostgreSQL and RDS keep for superusers (superuser_reserved_connections, rds.rds_superuser_reserved_connections),
	// replication, and sessions that have died without the server's noticing yet.
	connectionsInReserve = 20
)

// Max is max_connections for so many Routers at one time.
func Max(routers int) int {
	return routers*connectionsPerRouter + connectionsOfOperators + connectionsInReserve
}
