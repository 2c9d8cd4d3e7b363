package prometheus

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/components/metrics"
)

// Labels of every target: instance is the machine, thing what alarms are of, a fixed machine or a fleet, kind which of the two, and role what
// its machines do. A machine of a fleet that takes no calls has a kind that no rule asks for.
const identity = "instance, thing, kind, role"

// Job is the only one that scrapes machines, by node_exporter, which has calldata-metrics's samples, too.
const Job = "machine"

// Namespaces of AWS of which some metrics can be had from machines.
const (
	ec2         = "AWS/EC2"
	autoScaling = "AWS/AutoScaling"
)

// recording is a metric that CloudWatch has, as Prometheus computes it of samples.
type recording struct {
	namespace, metric, expr string
	// as is its name, which is the metric's otherwise.
	as string
	// rate is of events, which CloudWatch is told the number of since the last time: it is a second's.
	rate bool
}

func by(aggregate, samples string) string {
	return fmt.Sprintf("%s by (%s) (%s)", aggregate, identity, samples)
}

// own is a metric of ours; the functions below do what files/lib/cloudwatch.py of the role monitoring does.
func own(metric, expr string) recording {
	return recording{namespace: metrics.Namespace, metric: metric, expr: expr}
}
func largest(metric, samples string) recording { return own(metric, by("max", samples)) }
func total(metric, samples string) recording   { return own(metric, by("sum", samples)) }
func zeros(metric, samples string) recording   { return own(metric, by("sum", samples+" == bool 0")) }
func percent(metric, samples, of string) recording {
	return own(metric, "100 * "+by("sum", samples)+" / ("+by("sum", of)+" > 0)")
}
func increase(metric, samples string) recording {
	r := own(metric, perSecond(samples))
	r.rate = true
	return r
}
func perSecond(samples string) string { return by("sum", "rate("+samples+"[1m])") }

// recordings are computed for each machine, and those of fleets for each fleet.
var recordings = []recording{
	largest(metrics.ActiveCalls, "calldata_active_calls"),
	increase(metrics.Calls, "calldata_kamailio_dialogs_total"),
	increase(metrics.FailedCalls, "calldata_kamailio_dialogs_failed_total"),
	increase(metrics.ServerErrors, `calldata_kamailio_transactions_total{class="5xx"}`),
	total(metrics.TargetsDown, `calldata_kamailio_targets{state="down"}`),
	total(metrics.Registrations, `calldata_registrations{state="up"}`),
	total(metrics.RegistrationsDown, `calldata_registrations{state="down"}`),
	total(metrics.Bans, "calldata_bans"),
	percent(metrics.SharedMemoryUsed, "calldata_kamailio_shm_used_bytes", "calldata_kamailio_shm_bytes"),
	total(metrics.MediaSessions, "rtpengine_sessions"),
	total(metrics.MediaPortsFree, "rtpengine_ports_free"),
	increase(metrics.MediaErrors, "rtpengine_packet_errors_total"),
	increase(metrics.MediaOneWay, "rtpengine_one_way_sessions_total"),
	own(metrics.MediaQuality, perSecond("rtpengine_mos_total")+" / ("+perSecond("rtpengine_mos_samples_total")+" > 0)"),
	percent(metrics.DatabaseConnectionsUsed, "calldata_postgresql_connections", "calldata_postgresql_connections_max"),
	largest(metrics.DatabaseLag, "calldata_postgresql_replication_lag_seconds"),
	largest(metrics.MemoryUsed, "calldata_memory_used_percent"),
	largest(metrics.DiskUsed, "calldata_disk_used_percent"),
	largest(metrics.InodesUsed, "calldata_inodes_used_percent"),
	increase(metrics.AllowanceExceeded, "calldata_ena_allowance_exceeded_total"),
	zeros(metrics.UnitsDown, "calldata_unit_up"),
	zeros(metrics.SourcesDown, "calldata_up"),
	largest(metrics.BackupAge, "calldata_backup_age_seconds"),
	largest(metrics.CopyAge, "calldata_copy_age_seconds"),
	own(metrics.CertificateLeft, by("min", "calldata_certificate_end_seconds")+" - time()"),
	{namespace: ec2, metric: "CPUUtilization", as: "cpu_used", expr: "100 * (1 - " + by("avg", `rate(node_cpu_seconds_total{mode="idle"}[1m])`) + ")"},
	// A fleet without machines has no target: its capacity says that it is there.
	{namespace: autoScaling, metric: "GroupInServiceInstances", as: "machines_in_service", expr: `sum by (thing, kind, role) (up{job="` + Job + `",kind="fleet"}) or ` +
		`sum by (thing, kind, role) (0 * ` + Capacity + `{capacity="least",kind="fleet"})`},
}

// Capacity is the metric of what thresholds are shares of: the role prometheus records it of the inventory, with the labels thing, kind,
// role and capacity.
const Capacity = "calldata:capacity"

// BusinessHours has a value while business is done, where a stack knows when: the role prometheus records it.
const BusinessHours = "calldata:business_hours"

var word = regexp.MustCompile(`[A-Z]+[a-z]*`)

// name is what a recording is called, for example "calldata:targets_down".
func (r recording) name() string {
	name := "calldata:" + cmp.Or(r.as, strings.ToLower(strings.Join(word.FindAllString(r.metric, -1), "_")))
	if r.rate {
		name += "_per_second"
	}
	return name
}

func find(namespace, metric string) (recording, bool) {
	i := slices.IndexFunc(recordings, func(r recording) bool { return r.namespace == namespace && r.metric == metric })
	if i < 0 {
		return recording{}, false
	}
	return recordings[i], true
}
