package dashboards

import (
	"slices"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// board is a dashboard of every stack that has what is on it.
type board struct {
	name, title string
	// has says which things are on it. Without any there is no such dashboard.
	has      func(alarms.Thing) bool
	sections []section
	// queries are tables from logs, by their names.
	queries []string
}

// section is a heading with graphs below it.
type section struct {
	title  string
	graphs []graph
}

// Overview is the name of the dashboard that every stack has.
const Overview = "overview"

// Namespaces of AWS's metrics that no alarm watches.
const (
	autoScaling    = "AWS/AutoScaling"
	applicationELB = "AWS/ApplicationELB"
	rds            = "AWS/RDS"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	mib    = 1 << 20
	gib    = 1 << 30
)

// Graphs that several dashboards have.
var (
	cpu          = graph{title: "CPU", unit: "percent", most: 100, alarms: []string{"cpu"}}
	memory       = graph{title: "Memory in use", unit: "percent", most: 100, alarms: []string{"memory"}}
	disk         = graph{title: "Fullest disk", unit: "percent", most: 100, alarms: []string{"disk", "disk-full"}}
	services     = graph{title: "Services and sources of metrics that are down", unit: "count", alarms: []string{"units-down", "sources-down"}}
	silent       = graph{title: "Messages with metrics, a minute", unit: "count", alarms: []string{"silent"}}
	calls        = graph{title: "Calls begun and failed, in five minutes", unit: "calls", alarms: []string{"no-calls"}, more: []line{own(metrics.Calls, alarms.Sum, 300, alarms.Router), own(metrics.FailedCalls, alarms.Sum, 300, alarms.Router)}}
	failing      = graph{title: "Calls without an answer, of a hundred", unit: "percent", most: 100, alarms: []string{"calls-fail"}}
	targets      = graph{title: "Targets of Kamailio that do not answer", unit: "count", alarms: []string{"targets-down"}}
	webErrors    = graph{title: "Web: errors 5xx, a minute", unit: "responses", alarms: []string{"web-errors", "web-engine-errors"}}
	databaseCPU  = graph{title: "Database: CPU", unit: "percent", most: 100, alarms: []string{"database-cpu"}}
	fleetSize    = graph{title: "Machines in service", unit: "machines", alarms: []string{"fleet-empty", "fleet-small", "fleet-grown"}, more: []line{of(alarms.Fleet, autoScaling, "GroupDesiredCapacity", alarms.Maximum)}}
	fleetCalls   = graph{title: "Calls in progress, a machine", unit: "calls", alarms: []string{"calls-many"}}
	outside      = graph{title: "Calls from outside: 1 worked, 0 failed", unit: "call", alarms: []string{"outside-call-fails"}}
	outsideMade  = graph{title: "Calls from outside, in a quarter of an hour", unit: "count", alarms: []string{"outside-call-missing"}}
	machineState = section{"Machines", []graph{
		cpu, memory, disk,
		{title: "Disk with the fewest free inodes, in use", unit: "percent", most: 100, alarms: []string{"inodes"}},
		{title: "Packets that EC2 delayed or dropped, a minute", unit: "packets", alarms: []string{"network-allowance"}},
		services, silent,
		{title: "EC2's status checks that fail", unit: "checks", alarms: []string{"status", "volume"}},
		{title: "Certificate that ends first", unit: "days", per: day, alarms: []string{"certificate", "certificate-ends"}, start: "-P7D"},
	}}
)

// boards are in the order in which they are listed.
var boards = []board{
	{
		name: Overview, title: "Overview", has: func(alarms.Thing) bool { return true },
		sections: []section{
			{"Now", []graph{
				{title: "Calls in progress", number: true, more: []line{own(metrics.ActiveCalls, alarms.Sum, 60, alarms.Router, alarms.Engine)}},
				{title: "Calls begun in five minutes", number: true, more: []line{own(metrics.Calls, alarms.Sum, 300, alarms.Router)}},
				{title: "Phones registered", number: true, more: []line{own(metrics.Registrations, alarms.Maximum, 300, alarms.Engine)}},
				{title: "Machines in service", number: true, more: []line{of(alarms.Fleet, autoScaling, "GroupInServiceInstances", alarms.Maximum)}},
			}},
			{"Callers", []graph{calls, failing, targets, webErrors, outside, outsideMade}},
			{"Machines and database", []graph{cpu, disk, services, silent, databaseCPU, fleetSize}},
			{"Counted in logs, in five minutes", []graph{
				{title: "Logins and sudo that were refused", unit: "lines", alarms: []string{"logins-refused", "sudo-refused"}},
				{title: "Memory, disks, databases that failed", unit: "lines", alarms: []string{"out-of-memory", "disk-errors", "database-stopped"}},
				{title: "Records, backups, renewals; changed files", unit: "lines", alarms: []string{"records-refused", "backups-failed", "renewals-failed", "files-changed"}},
			}},
			{"AWS Backup, and copies by S3", []graph{
				{title: "Jobs that failed or did not begin", unit: "jobs", alarms: []string{"backup-jobs-failed", "backup-jobs-missed"}, start: "-P7D"},
				{title: "Jobs that saved something, an hour", unit: "jobs", alarms: []string{"backup-jobs-none"}, start: "-P7D"},
				{title: "Copies to the other region that failed", unit: "objects", alarms: []string{"copies-failed"}, start: "-P7D"},
				{title: "How far S3 is behind with copies", unit: "seconds", alarms: []string{"copies-late"}, start: "-P7D"},
			}},
		},
		queries: []string{"logins"},
	},
	{
		name: "sip-edge", title: "SIP edge: SBCs, Routers, carriers",
		has: func(t alarms.Thing) bool {
			return t.Kind == alarms.CarrierTargets || slices.Contains([]string{alarms.SBC, alarms.Router}, t.Role)
		},
		sections: []section{
			{"Calls", []graph{
				{title: "Calls in progress, a machine", unit: "calls", alarms: []string{"calls-many"}, more: []line{own(metrics.ActiveCalls, alarms.Average, 60)}},
				calls, failing,
				{title: "SIP errors 5xx, a minute", unit: "replies", alarms: []string{"server-errors"}},
				targets,
				{title: "Registrations with carriers", unit: "count", alarms: []string{"carrier-registrations"}, more: []line{own(metrics.Registrations, alarms.Maximum, 60, alarms.Router)}},
				{title: "Addresses that are refused", unit: "addresses", alarms: []string{"bans"}},
				{title: "Kamailio's shared memory in use", unit: "percent", most: 100, alarms: []string{"shared-memory"}},
			}},
			{"Media", []graph{
				{title: "Media sessions", unit: "sessions", more: []line{own(metrics.MediaSessions, alarms.Maximum, 60, alarms.SBC)}},
				{title: "Free media ports", unit: "ports", alarms: []string{"media-ports"}},
				{title: "Calls with voice one way only, in five minutes", unit: "calls", alarms: []string{"media-one-way"}},
				{title: "Media packets with errors, a minute", unit: "packets", more: []line{own(metrics.MediaErrors, alarms.Sum, 60, alarms.SBC)}},
				{title: "Mean opinion score", unit: "1 to 5", least: 1, most: 5, alarms: []string{"media-quality"}},
			}},
			{"Carriers' load balancer", []graph{
				{title: "SBCs that are healthy", unit: "machines", alarms: []string{"carriers-down"}},
				{title: "SBCs that are not healthy", unit: "machines", alarms: []string{"carriers-unhealthy"}},
			}},
			machineState,
		},
		queries: []string{"failed-calls", "slow-ring", "refused-sources", "calls-in-trouble", "kamailio-errors"},
	},
	{
		name: "engine", title: "Engines and web",
		has: func(t alarms.Thing) bool {
			return t.Role == alarms.Engine || slices.Contains([]alarms.Subject{alarms.Web, alarms.WebTargets, alarms.WebCertificate}, t.Kind)
		},
		sections: []section{
			{"Calls and phones", []graph{
				{title: "Calls in progress", unit: "calls", more: []line{own(metrics.ActiveCalls, alarms.Maximum, 60, alarms.Engine)}},
				{title: "Phones registered and unreachable", unit: "phones", more: []line{
					own(metrics.Registrations, alarms.Maximum, 300, alarms.Engine), own(metrics.RegistrationsDown, alarms.Maximum, 300, alarms.Engine),
				}},
				{title: "Phones that went in five minutes, of a hundred", unit: "percent", alarms: []string{"registrations-fall"}},
			}},
			{"Web", []graph{
				{title: "Requests, a minute", unit: "requests", more: []line{of(alarms.Web, applicationELB, "RequestCount", alarms.Sum)}},
				{title: "Time to answer, of 95 in a hundred requests", unit: "seconds", more: []line{of(alarms.Web, applicationELB, "TargetResponseTime", "p95")}},
				webErrors,
				{title: "Engines that are healthy", unit: "machines", alarms: []string{"web-down"}},
				{title: "Engines that are not healthy", unit: "machines", alarms: []string{"web-unhealthy"}},
				{title: "Web certificate", unit: "days", alarms: []string{"web-certificate"}, start: "-P30D"},
			}},
			{"Data", []graph{
				{title: "PostgreSQL's connections in use", unit: "percent", most: 100, alarms: []string{"postgresql-connections"}},
				{title: "Age of the newest good backup", unit: "hours", per: hour, alarms: []string{"backup-age"}, start: "-P7D"},
				{title: "Age of what the second engine has", unit: "minutes", per: minute, alarms: []string{"copy-age"}, start: "-P1D"},
			}},
			machineState,
		},
		queries: []string{"asterisk-errors", "wazo-errors", "refused-registrations", "database-errors"},
	},
	{
		name: "database", title: "The Routers' database", has: func(t alarms.Thing) bool { return t.Kind == alarms.Database },
		sections: []section{{"PostgreSQL on RDS", []graph{
			databaseCPU,
			{title: "Connections", unit: "connections", alarms: []string{"database-connections"}},
			{title: "Free storage", unit: "GiB", per: gib, alarms: []string{"database-storage"}},
			{title: "Memory to give", unit: "MiB", per: mib, alarms: []string{"database-memory"}},
			{title: "Time that reads and writes take", unit: "seconds", more: []line{of(alarms.Database, rds, "ReadLatency", alarms.Average), of(alarms.Database, rds, "WriteLatency", alarms.Average)}},
			{title: "Reads and writes", unit: "a second", more: []line{of(alarms.Database, rds, "ReadIOPS", alarms.Average), of(alarms.Database, rds, "WriteIOPS", alarms.Average)}},
		}}},
	},
	{
		name: "fleet", title: "Fleets", has: func(t alarms.Thing) bool { return t.Kind == alarms.Fleet },
		sections: []section{
			{"Size", []graph{
				fleetSize,
				{title: "Machines that come and go", unit: "machines", more: []line{
					of(alarms.Fleet, autoScaling, "GroupPendingInstances", alarms.Maximum), of(alarms.Fleet, autoScaling, "GroupTerminatingInstances", alarms.Maximum),
				}},
				fleetCalls,
			}},
			{"Load", []graph{cpu, memory, services, silent}},
		},
	},
}
