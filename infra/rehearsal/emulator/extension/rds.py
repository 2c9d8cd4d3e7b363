"""RDS: monitoring settings, read replicas, snapshots, restored instances, parameters and the master user's name, which moto forgets or invents."""

import json
import secrets
from datetime import datetime, timezone

import moto.rds.models as models
from moto.moto_api._internal import mock_random
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue

from .hooks import around

_KEPT = (
    "performance_insights_kms_key_id",
    "performance_insights_retention_period",
    "monitoring_interval",
    "monitoring_role_arn",
)


def _resource_id():
    return "db-" + mock_random.get_random_hex(26).upper()


def _keep(instance, settings):
    """moto drops performance insights and enhanced monitoring."""
    for name in _KEPT:
        if settings.get(name) is not None:
            setattr(instance, name, settings[name])
    insights = settings.get("enable_performance_insights")
    if insights is not None:
        instance.performance_insights_enabled = str(insights).lower() == "true"


@around(models.DBInstance, "__init__")
def instance_init(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    self.dbi_resource_id = _resource_id()  # moto's is the same for all, and the provider asks for databases by it
    _keep(self, kwargs)


@around(models.DBInstance, "update")
def instance_update(original, self, db_kwargs=None, **kwargs):
    settings = {**(db_kwargs or {}), **kwargs}
    result = original(self, **settings)
    _keep(self, settings)
    return result


@around(models.RDSBackend, "create_db_instance_read_replica")
def create_replica(original, self, db_kwargs):
    """moto copies from the source what a replica does not inherit, down to its own list of replicas."""
    replica = original(self, db_kwargs)
    replica.replicas = []
    replica.multi_az = False
    replica._max_allocated_storage = replica.allocated_storage
    replica.enabled_cloudwatch_logs_exports = []
    replica.enable_iam_database_authentication = False
    replica.monitoring_interval = 0
    replica.performance_insights_enabled = False
    replica.backup_retention_period = 0
    replica.dbi_resource_id = _resource_id()
    _keep(replica, db_kwargs)
    return replica


# What a restored instance has of its source where the request does not say. Source: RDS API reference, RestoreDBInstanceToPointInTime.
_INHERITED = (
    "db_instance_class",
    "engine",
    "engine_version",
    "port",
    "allocated_storage",
    "backup_retention_period",
    "auto_minor_version_upgrade",
    "db_name",
    "copy_tags_to_snapshot",
    "iops",
    "master_username",
    "license_model",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "publicly_accessible",
    "storage_type",
    "storage_encrypted",
    "kms_key_id",
    "storage_throughput",
)


def _began(tags, source, when=""):
    """By one more tag the stand-in of a restored instance finds its data. RDS tells it nowhere. Pulumi takes its prefix for AWS's own."""
    return [*(tags or []), {"Key": "aws:rehearsal:origin", "Value": f"{source} {when}".strip()}]


@around(models.RDSBackend, "restore_db_instance_to_point_in_time")
def restore_to_point_in_time(original, self, source_db_identifier, target_db_identifier, overrides):
    """moto copies all of the source, down to its secret and its API, and forgets the time."""
    source = self.describe_db_instances(db_instance_identifier=source_db_identifier)[0]
    wanted = overrides.get("restore_time")
    if bool(wanted) == bool(overrides.get("use_latest_restorable_time")):
        raise InvalidParameterCombination("Give either RestoreTime or UseLatestRestorableTime.")
    if wanted and not source.instance_create_time <= _time(wanted) <= source.latest_restorable_time:
        raise InvalidParameterValue(f"The specified time, {wanted}, is not restorable.")
    settings = {name: getattr(source, name, None) for name in _INHERITED}
    settings |= {name: value for name, value in overrides.items() if value not in (None, "", [])}
    settings["db_instance_identifier"] = target_db_identifier
    settings.pop("source_db_instance_identifier", None)  # moto takes what has one for a replica
    settings["tags"] = _began(overrides.get("tags"), source_db_identifier, wanted or "")
    if not settings.get("manage_master_user_password"):
        settings["master_user_password"] = getattr(source, "master_user_password", None)
    return self.create_db_instance(settings)


def _time(text):
    """A time of the API, as moto keeps times: in UTC, without saying so."""
    if isinstance(text, str):
        text = datetime.fromisoformat(text)
    return text.astimezone(timezone.utc).replace(tzinfo=None) if text.tzinfo else text


@around(models.MasterUserSecret, "_generate_secret_string")
def secret_string(original, self):
    """moto's user is always admin, and the password the same everywhere."""
    return json.dumps({"username": self.resource.master_username, "password": secrets.token_urlsafe(24)})


@around(models.DBParameterGroup, "update_parameters")
def update_parameters(original, self, new_parameters):
    """A parameter that was set is the user's; the provider shows only those."""
    new = list(new_parameters)
    original(self, new)
    for parameter in new:
        self.parameters[parameter["ParameterName"]]["Source"] = "user"


@around(models.RDSBackend, "modify_db_subnet_group")
def modify_subnet_group(original, self, subnet_name, description, subnets):
    """moto takes the group out of its list to change it, and does not put it back."""
    self.describe_db_subnet_groups(subnet_name)  # or its error
    changed = original(self, subnet_name, description, subnets)
    self.subnet_groups[subnet_name] = changed
    return changed


@around(models.RDSBackend, "get_snapshot")
def get_snapshot(original, self, identifier, *args, **kwargs):
    """moto takes the last part of an ARN for the name, and the names of AWS Backup's snapshots have a colon."""
    if identifier.startswith("arn:"):
        parts = identifier.split(":", 6)
        self, identifier = self.get_backend("rds", region=parts[3]), parts[6]
    return original(self, identifier, *args, **kwargs)


@around(models.RDSBackend, "extract_snapshot_name_from_arn")
def snapshot_name(original, self, snapshot_arn):
    """As above."""
    original(self, snapshot_arn)
    return snapshot_arn.split(":", 6)[6]


# What RDS keeps in a snapshot; all else of a restored database is what the call says, or RDS's default.
_IN_SNAPSHOT = (
    "allocated_storage",
    "db_name",
    "engine",
    "engine_version",
    "iops",
    "master_username",
    "storage_type",
)


@around(models.RDSBackend, "restore_db_instance_from_db_snapshot")
def restore_from_snapshot(original, self, from_snapshot_id, overrides):
    """moto hands on everything that the old database was, down to its secret and its network."""
    snapshot = self.get_db_snapshot(from_snapshot_id)
    kept = {name: getattr(snapshot.database, name, None) for name in _IN_SNAPSHOT}
    # A copy's data is as old as the original's. PostgreSQL takes no Z here: its settings know no abbreviations of zones.
    taken = _time(snapshot.original_snapshot_create_time).isoformat() + "+00:00"
    return self.create_db_instance(
        {
            **{name: value for name, value in kept.items() if value is not None},
            "master_user_password": secrets.token_urlsafe(24),
            "ca_certificate_identifier": "rds-ca-rsa2048-g1",  # AWS's default; the provider names none in this call
            "kms_key_id": snapshot.kms_key_id,
            "storage_encrypted": snapshot.encrypted,
            **{name: value for name, value in overrides.items() if value is not None},
            "tags": _began(overrides.get("tags"), snapshot.db_instance_identifier, taken),
        }
    )
