"""What CloudWatch is told once a minute: a short list of names, in the namespace CallData.

The Go package components/metrics has the same list, for alarms and scaling policies; a test compares the two. Each metric has
the dimensions InstanceId and Role, and on machines of a fleet, once more, AutoScalingGroupName alone: machines come and go, and
alarms watch the group. A metric whose source is away is not written: a zero would make a fleet shrink.
"""

import threading
import time

import machine

NAMESPACE = "CallData"


def values(samples, name, **labels):
    return [value for known, has, value in samples if known == name and labels.items() <= has.items()]


def total(name, **labels):
    return lambda now, _: sum(found) if (found := values(now, name, **labels)) else None


def least(name, offset=None):
    """The smallest value, or how long from now it is."""
    return lambda now, _: min(found) - (offset() if offset else 0) if (found := values(now, name)) else None


def largest(name):
    return lambda now, _: max(values(now, name), default=None)


def zeros(name):
    return lambda now, _: sum(1 for value in found if not value) if (found := values(now, name)) else None


def percent(name, of):
    def compute(now, _):
        used, most = values(now, name), values(now, of)
        return 100 * used[0] / most[0] if used and most and most[0] else None

    return compute


def increase(name, **labels):
    """How much counters have grown since the last time. One that has begun anew counts from zero."""

    def compute(now, before):
        if before is None or not values(now, name, **labels):
            return None
        old = {key(has): value for known, has, value in before if known == name}
        grown = 0
        for known, has, value in now:
            if known == name and labels.items() <= has.items() and key(has) in old:
                grown += value - old[key(has)] if value >= old[key(has)] else value
        return grown

    return compute


def average(of, by):
    """What was added to a sum since the last time, by how many."""

    def compute(now, before):
        grown, count = increase(of)(now, before), increase(by)(now, before)
        return grown / count if grown is not None and count else None

    return compute


def key(labels):
    return tuple(sorted(labels.items()))


METRICS = {
    "ActiveCalls": ("Count", largest("calldata_active_calls")),
    "Calls": ("Count", increase("calldata_kamailio_dialogs_total")),
    "FailedCalls": ("Count", increase("calldata_kamailio_dialogs_failed_total")),
    "ServerErrors": ("Count", increase("calldata_kamailio_transactions_total", **{"class": "5xx"})),
    "TargetsDown": ("Count", total("calldata_kamailio_targets", state="down")),
    "Registrations": ("Count", total("calldata_registrations", state="up")),
    "RegistrationsDown": ("Count", total("calldata_registrations", state="down")),
    "Bans": ("Count", total("calldata_bans")),
    "SharedMemoryUsed": ("Percent", percent("calldata_kamailio_shm_used_bytes", "calldata_kamailio_shm_bytes")),
    "MediaSessions": ("Count", total("rtpengine_sessions")),
    "MediaPortsFree": ("Count", total("rtpengine_ports_free")),
    "MediaErrors": ("Count", increase("rtpengine_packet_errors_total")),
    "MediaOneWay": ("Count", increase("rtpengine_one_way_sessions_total")),
    # The mean opinion score that rtpengine computes from loss, delay and jitter: 1 to 5. Source: ITU-T P.800 and G.107.
    "MediaQuality": ("None", average("rtpengine_mos_total", "rtpengine_mos_samples_total")),
    "DatabaseConnectionsUsed": ("Percent", percent("calldata_postgresql_connections", "calldata_postgresql_connections_max")),
    "DatabaseLag": ("Seconds", largest("calldata_postgresql_replication_lag_seconds")),
    "MemoryUsed": ("Percent", largest("calldata_memory_used_percent")),
    "DiskUsed": ("Percent", largest("calldata_disk_used_percent")),
    "InodesUsed": ("Percent", largest("calldata_inodes_used_percent")),
    "AllowanceExceeded": ("Count", increase("calldata_ena_allowance_exceeded_total")),
    "UnitsDown": ("Count", zeros("calldata_unit_up")),
    "SourcesDown": ("Count", zeros("calldata_up")),
    "BackupAge": ("Seconds", largest("calldata_backup_age_seconds")),
    "CopyAge": ("Seconds", largest("calldata_copy_age_seconds")),
    "CertificateLeft": ("Seconds", least("calldata_certificate_end_seconds", time.time)),
}


def data(samples, before, settings):
    """The entries of PutMetricData."""
    of = [[{"Name": "InstanceId", "Value": settings["instance"]}, {"Name": "Role", "Value": settings["role"]}]]
    if settings["group"]:
        of.append([{"Name": "AutoScalingGroupName", "Value": settings["group"]}])
    entries = []
    for name, (unit, compute) in METRICS.items():
        value = compute(samples, before)
        if value is None:
            continue
        entries += [{"MetricName": name, "Unit": unit, "Value": value, "Dimensions": dimensions} for dimensions in of]
    return entries


class Publisher(threading.Thread):
    """Tells CloudWatch the newest samples once a minute, in a thread of its own: nothing waits for CloudWatch."""

    def __init__(self, settings, latest, say):
        super().__init__(daemon=True)
        self.settings, self.latest, self.say = settings, latest, say
        self.client = self.before = self.succeeded = None
        self.silent = False

    def connect(self):
        from botocore.config import Config

        config = Config(region_name=self.settings["region"], retries={"mode": "standard", "max_attempts": 2}, connect_timeout=5, read_timeout=10)
        return machine.session().client("cloudwatch", config=config, verify=self.settings["authorities"], endpoint_url=self.settings["endpoint"] or None)

    def run(self):
        while True:
            began = time.monotonic()
            if samples := self.latest():
                self.publish(samples)
            time.sleep(max(1, self.settings["seconds"] - (time.monotonic() - began)))

    def publish(self, samples):
        try:
            self.client = self.client or self.connect()
            self.client.put_metric_data(Namespace=NAMESPACE, MetricData=data(samples, self.before, self.settings))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next minute is another try
            if not self.silent:
                self.say(f"CloudWatch does not take the metrics, trying on without a word: {error}")
            self.silent = True
            return
        if self.silent:
            self.say("CloudWatch takes the metrics again")
        # Counters are told as growth since the last time that was heard.
        self.silent, self.before, self.succeeded = False, samples, time.time()
