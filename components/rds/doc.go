// Package rds is the PostgreSQL that the C4 Routers share: routing tables, carriers and call records, encrypted, backed
// up, reachable over TLS alone, and with a standby in another zone if asked for.
package rds
