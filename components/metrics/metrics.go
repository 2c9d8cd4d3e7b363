package metrics

import "slices"

const (
	// Namespace holds every metric of ours.
	Namespace = "CallData"
	// AgentNamespace holds what AWS's own agent measures of a machine.
	// Source: Amazon CloudWatch User Guide, "Metrics collected by the CloudWatch agent".
	AgentNamespace = "CWAgent"
	// DimGroup is the dimension with the name of the machine's Auto Scaling group. It is called as in AWS's own metrics.
	// Source: Amazon EC2 Auto Scaling User Guide, "Dimensions for Auto Scaling group metrics".
	DimGroup = "AutoScalingGroupName"
	// DimInstance is the dimension of every metric that a machine writes about itself: its EC2 instance id.
	DimInstance = "InstanceId"
	// DimRole comes with DimInstance: the machine's first role.
	DimRole = "Role"
)

// What `calldata smoke --metric` tells of a call from outside, 1 where it worked and 0 where it did not. It has a namespace of its own, so
// that who places calls can tell nothing else.
const (
	OutsideNamespace = "CallData/Outside"
	CallWorked       = "CallWorked"
	// DimStack is its only dimension: the name of the stack that was called.
	DimStack = "Stack"
)

// The metrics that the machines' service calldata-metrics writes once a minute, machines of a fleet with DimGroup, too. A metric whose source does not answer is not
// written. Counts of events are those since the last time.
const (
	// ActiveCalls is how many calls a machine carries. The average over a fleet is what its scaling goes by.
	ActiveCalls = "ActiveCalls"
	// Calls is how many calls began.
	Calls = "Calls"
	// FailedCalls is how many calls ended without an answer, busy and unanswered ones included.
	FailedCalls = "FailedCalls"
	// ServerErrors is how many SIP transactions ended with a reply 5xx.
	ServerErrors = "ServerErrors"
	// TargetsDown is how many targets of Kamailio's dispatcher do not answer.
	TargetsDown = "TargetsDown"
	// Registrations and RegistrationsDown are phones on an engine, registrations with carriers on a Router.
	Registrations     = "Registrations"
	RegistrationsDown = "RegistrationsDown"
	// Bans is how many addresses Kamailio refuses.
	Bans = "Bans"
	// SharedMemoryUsed is how much of its shared memory Kamailio uses, in percent.
	SharedMemoryUsed = "SharedMemoryUsed"
	// MediaSessions, MediaPortsFree, MediaErrors and MediaOneWay are rtpengine's sessions, free ports, packets with errors,
	// and sessions that ended with media one way only.
	MediaSessions  = "MediaSessions"
	MediaPortsFree = "MediaPortsFree"
	MediaErrors    = "MediaErrors"
	MediaOneWay    = "MediaOneWay"
	// MediaQuality is the mean opinion score that rtpengine computes from loss, delay and jitter, 1 to 5. It is written
	// while there are RTCP reports. Source: ITU-T P.800 and G.107.
	MediaQuality = "MediaQuality"
	// DatabaseConnectionsUsed is how many of PostgreSQL's connections are in use, in percent. DatabaseLag is how many
	// seconds its slowest replica is behind.
	DatabaseConnectionsUsed = "DatabaseConnectionsUsed"
	DatabaseLag             = "DatabaseLag"
	// MemoryUsed, DiskUsed and InodesUsed are percent; of disks, the fullest one.
	MemoryUsed = "MemoryUsed"
	DiskUsed   = "DiskUsed"
	InodesUsed = "InodesUsed"
	// AllowanceExceeded is how many packets EC2 delayed or dropped because the instance type allows no more.
	// Source: Amazon EC2 User Guide, "Monitor network performance for ENA settings".
	AllowanceExceeded = "AllowanceExceeded"
	// UnitsDown is how many enabled services do not run.
	UnitsDown = "UnitsDown"
	// SourcesDown is how many sources of metrics do not answer.
	SourcesDown = "SourcesDown"
	// BackupAge is how many seconds ago the oldest of the newest good backups was made.
	BackupAge = "BackupAge"
	// CopyAge is how many seconds ago the newest good copy to the other engine of a pair was begun. The engine that makes it has it.
	CopyAge = "CopyAge"
	// CertificateLeft is how many seconds the certificate lasts that ends first.
	CertificateLeft = "CertificateLeft"
)

// units are CloudWatch's. Source: Amazon CloudWatch API Reference, MetricDatum.
var units = map[string]string{
	ActiveCalls: "Count", Calls: "Count", FailedCalls: "Count", ServerErrors: "Count", TargetsDown: "Count", Registrations: "Count", RegistrationsDown: "Count",
	Bans: "Count", SharedMemoryUsed: "Percent", MediaSessions: "Count", MediaPortsFree: "Count", MediaErrors: "Count", MediaOneWay: "Count",
	MediaQuality: "None", DatabaseConnectionsUsed: "Percent", DatabaseLag: "Seconds", MemoryUsed: "Percent", DiskUsed: "Percent",
	InodesUsed: "Percent", AllowanceExceeded: "Count", UnitsDown: "Count", SourcesDown: "Count", BackupAge: "Seconds", CopyAge: "Seconds", CertificateLeft: "Seconds",
}

// All are the names of the metrics above, sorted.
func All() []string {
	names := make([]string, 0, len(units))
	for name := range units {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Unit is the unit that a metric of ours is written with, empty for a name that is none of ours.
func Unit(name string) string { return units[name] }
