package alarms

import "github.com/calldata/calldata-foundation/components/metrics"

// rds has what RDS says of databases. Source: Amazon RDS User Guide, "Amazon CloudWatch instance-level metrics for Amazon RDS".
// No topology has a replica, so that nothing watches ReplicaLag.
const rds = "AWS/RDS"

// freeMemory is where PostgreSQL begins to swap on the smallest class that stacks use, in bytes.
const freeMemory = 128 << 20

func database() []Alarm {
	return []Alarm{
		ours("database-cpu", "CPUUtilization", Average).from(rds).of(Database).every(300).line(Above, 85, 3, 3).
			notice("the database's CPU is busy for more than 85 % for a quarter of an hour"),
		// RDS grows the storage by itself below a tenth, once in six hours. Source: Amazon RDS User Guide, "Managing capacity
		// automatically with Amazon RDS storage autoscaling".
		ours("database-storage", "FreeStorageSpace", Minimum).from(rds).of(Database).every(300).line(Below, 0.05, 3, 3).shareOf(Storage).
			page("less than a twentieth of the database's storage is free, and it has not grown"),
		ours("database-connections", "DatabaseConnections", Maximum).from(rds).of(Database).line(Above, 0.8, 5, 5).shareOf(Connections).
			notice("more than 80 % of the database's connections are in use"),
		ours("database-memory", "FreeableMemory", Minimum).from(rds).of(Database).every(300).line(Below, freeMemory, 3, 3).
			notice("the database has less than 128 MiB of memory to give"),
		// An engine's own PostgreSQL.
		ours("postgresql-connections", metrics.DatabaseConnectionsUsed, Maximum).of(Machine).on(Engine).line(Above, 80, 5, 5).
			notice("more than 80 % of the connections of the engine's PostgreSQL are in use"),
	}
}
