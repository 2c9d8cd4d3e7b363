// Package database plays RDS in a rehearsal: every database instance of the emulated account becomes a Debian machine with
// PostgreSQL 15, found under the instance's own endpoint.
//
// Its log is archived, so that RestoreDBInstanceToPointInTime, and RestoreDBInstanceFromDBSnapshot with the time of the snapshot, make a
// machine whose data is of that time, while the source is there.
//
// What differs from RDS: one machine, also for Multi-AZ; the certificate is signed by the rehearsal's authority; the master
// user is no member of rds_superuser, but may make roles and databases, monitor, and end sessions as that may.
package database
