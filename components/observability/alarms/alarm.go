package alarms

import (
	"slices"

	"github.com/calldata/calldata-foundation/components/metrics"
)

// Subject is a kind of thing that has metrics. It decides a metric's dimensions.
type Subject string

// The subjects.
const (
	// Machine is a fixed machine, Fleet a group of machines that come and go.
	Machine Subject = "machine"
	Fleet   Subject = "fleet"
	// Web is the load balancer for HTTPS, WebTargets its engines, WebCertificate what it shows to browsers.
	Web            Subject = "web"
	WebTargets     Subject = "web-targets"
	WebCertificate Subject = "web-certificate"
	// CarrierTargets are the SBCs behind the carriers' load balancer.
	CarrierTargets Subject = "carrier-targets"
	// Database is PostgreSQL of RDS.
	Database Subject = "database"
	// Logs are the lines that a stack's machines log, as far as they are counted. Such a thing is called like its stack.
	Logs Subject = "logs"
	// Vault is where AWS Backup keeps a stack's backups, Copies are what S3 copies of them to another region.
	Vault  Subject = "vault"
	Copies Subject = "copies"
	// Arrivals are the copies as the other region sees them.
	Arrivals Subject = "arrivals"
	// Outside are calls that somebody places from outside to try the stack.
	Outside Subject = "outside"
)

// Roles of machines that an alarm can be limited to.
const (
	Engine = "uc-engine"
	Router = "c4-router"
	SBC    = "c4-sbc"
)

// Severity is who is to hear of an alarm, and when.
type Severity string

const (
	// Page is for what callers notice, now or within hours: somebody is called.
	Page Severity = "page"
	// Notice is for what can wait for the next working day.
	Notice Severity = "notice"
)

// Missing is what CloudWatch makes of data points that are not there.
// Source: Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data".
type Missing string

// The treatments.
const (
	// MissingIsMissing is the state INSUFFICIENT_DATA, where all are missing.
	MissingIsMissing Missing = "missing"
	// MissingIsGood and MissingIsBad count them as within and beyond the threshold.
	MissingIsGood Missing = "notBreaching"
	MissingIsBad  Missing = "breaching"
	// MissingChangesNothing keeps the state.
	MissingChangesNothing Missing = "ignore"
)

// Comparison is how values are compared with the threshold.
type Comparison string

// The comparisons, by CloudWatch's names.
const (
	Above   Comparison = "GreaterThanThreshold"
	AtLeast Comparison = "GreaterThanOrEqualToThreshold"
	Below   Comparison = "LessThanThreshold"
)

// Breaching reports whether a value is on the wrong side of a threshold.
func (c Comparison) Breaching(value, threshold float64) bool {
	switch c {
	case Above:
		return value > threshold
	case AtLeast:
		return value >= threshold
	case Below:
		return value < threshold
	}
	return false
}

// The statistics, by CloudWatch's names.
const (
	Average     = "Average"
	Maximum     = "Maximum"
	Minimum     = "Minimum"
	Sum         = "Sum"
	SampleCount = "SampleCount"
)

// Capacity is a property of a subject that a threshold is a share of.
type Capacity string

// The capacities.
const (
	// Storage is a database's, in bytes, Connections how many it takes.
	Storage     Capacity = "storage"
	Connections Capacity = "connections"
	// Least and Most bound a fleet, in machines. Calls is how many active ones each of its machines is kept at.
	Least Capacity = "least"
	Most  Capacity = "most"
	Calls Capacity = "calls"
	// CopyEvery is how many seconds pass between two copies that an engine makes of itself to another.
	CopyEvery Capacity = "copy-every"
)

// Alarm is something to watch at every subject of some kinds.
type Alarm struct {
	// Name completes the subject's, for example "memory". The runbook has an entry of this name.
	Name string
	// What is wrong, for whoever reads the alarm.
	What string
	// Of are the kinds of things that have the metric; Roles limits machines and fleets, none means all.
	Of    []Subject
	Roles []string
	// Namespace and Metric are CloudWatch's names, Statistic what is made of the values of a period.
	Namespace, Metric, Statistic string
	// Math makes one series of the metric and others. Nil is the metric itself.
	Math Math
	// Seconds is the period.
	Seconds int
	// Comparison is with Threshold, or with so much of the subject's capacity. Without that capacity there is no alarm.
	Comparison Comparison
	Threshold  float64
	Share      Capacity
	// Periods are looked at, and the alarm fires when Breaches of them are breaching: M of N is Breaches of Periods.
	Periods, Breaches int
	// Missing is what absent values mean.
	Missing Missing
	// Severity is who is to hear of it.
	Severity Severity
	// BusinessHours watches only while business is done; without such hours there is no alarm.
	BusinessHours bool
}

// Runbook is where the entry of every alarm is.
const Runbook = "docs/runbook.md#alarms-of-a-stack"

// All are the alarms, by concern.
func All() []Alarm {
	return slices.Concat(machine(), fleet(), web(), database(), sip(), certificate(), backup(), logs(), outside())
}

// Thing is a subject of a stack.
type Thing struct {
	// Name is what it is called in the stack, for example "prod-c4-sbc".
	Name string
	// Region is where its metrics are, which is where its alarms have to be; empty is the stack's own.
	Region string
	// Kind is what it is; Role is what its machines do, and names the alarm that pages for it.
	Kind Subject
	Role string
	// Capacity is what thresholds are shares of; what is absent or 0 it does not have.
	Capacity map[Capacity]float64
}

// Applies reports whether the thing has the metric, and what the threshold is a share of.
func (a Alarm) Applies(t Thing) bool {
	return slices.Contains(a.Of, t.Kind) && (len(a.Roles) == 0 || slices.Contains(a.Roles, t.Role)) && (a.Share == "" || t.Capacity[a.Share] != 0)
}

// Watched are the alarms of a thing, with thresholds in the metric's unit. Hours says whether business hours are known.
func (l Level) Watched(t Thing, hours bool) []Alarm {
	var found []Alarm
	for _, a := range All() {
		if !a.Applies(t) || a.BusinessHours && !hours || l == Few && a.Severity != Page {
			continue
		}
		if a.Share != "" {
			a.Threshold *= t.Capacity[a.Share]
		}
		found = append(found, a)
	}
	return found
}

// machines are all machines, fixed or in fleets.
var machines = []Subject{Machine, Fleet}

// ours is an alarm on a metric of ours.
func ours(name, metric, statistic string) Alarm {
	return Alarm{Name: name, Of: machines, Namespace: metrics.Namespace, Metric: metric, Statistic: statistic, Seconds: 60, Missing: MissingIsMissing}
}

// line completes an alarm: it fires when breaches of periods are beyond the threshold.
func (a Alarm) line(c Comparison, threshold float64, breaches, periods int) Alarm {
	a.Comparison, a.Threshold, a.Breaches, a.Periods = c, threshold, breaches, periods
	return a
}

func (a Alarm) every(seconds int) Alarm      { a.Seconds = seconds; return a }
func (a Alarm) on(roles ...string) Alarm     { a.Roles = roles; return a }
func (a Alarm) of(subjects ...Subject) Alarm { a.Of = subjects; return a }
func (a Alarm) shareOf(c Capacity) Alarm     { a.Share = c; return a }
func (a Alarm) missing(m Missing) Alarm      { a.Missing = m; return a }
func (a Alarm) page(what string) Alarm       { a.Severity, a.What = Page, what; return a }
func (a Alarm) notice(what string) Alarm     { a.Severity, a.What = Notice, what; return a }
func (a Alarm) by(math Math) Alarm           { a.Math = math; return a }
func (a Alarm) inBusinessHours() Alarm       { a.BusinessHours = true; return a }
func (a Alarm) from(namespace string) Alarm  { a.Namespace = namespace; return a }
