"""AWS Backup: selections, tags by ARN, and jobs that save and copy databases, done at once."""

import json
from urllib.parse import unquote

import moto.backup.models as models
import moto.backup.urls as urls
from moto.backup.responses import BackupResponse
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random
from moto.rds.models import DBSnapshot, rds_backends

from .hooks import add, store


def _selections(self):
    return store("backup-selections", self.current_account, self.region)


def _path(self):
    """Plan and selection in /backup/plans/PLAN/selections/SELECTION."""
    parts = self.path.rstrip("/").split("/")
    return parts[3], parts[5] if len(parts) > 5 else None


@add(BackupResponse)
def list_tags(self):
    """moto cuts the ARN at its first slash, and answers no tags."""
    path = unquote(self.path.rstrip("/"))
    return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=path[path.index("arn:") :])})


@add(BackupResponse)
def create_backup_selection(self):
    """Missing in moto, as are the next three."""
    plan, _ = _path(self)
    answer = {
        "BackupPlanId": plan,
        "SelectionId": str(mock_random.uuid4()),
        "CreationDate": utcnow().timestamp(),
    }
    selection = json.loads(self.body)["BackupSelection"]
    _selections(self)[(plan, answer["SelectionId"])] = {**answer, "BackupSelection": selection}
    return json.dumps(answer)


@add(BackupResponse)
def get_backup_selection(self):
    key = _path(self)
    if key not in _selections(self):
        raise models.ResourceNotFoundException(f"Cannot find Backup selection {key[1]}")
    return json.dumps(_selections(self)[key])


@add(BackupResponse)
def delete_backup_selection(self):
    _selections(self).pop(_path(self), None)
    return "{}"


@add(BackupResponse)
def list_backup_selections(self):
    plan, _ = _path(self)
    found = [
        {"BackupPlanId": plan, "SelectionId": key[1], "SelectionName": value["BackupSelection"].get("SelectionName")}
        for key, value in _selections(self).items()
        if key[0] == plan
    ]
    return json.dumps({"BackupSelectionsList": found})


@add(BackupResponse)
def update_backup_plan(self):
    """Missing in moto: the plan keeps its id and gets a new version."""
    plan_id, _ = _path(self)
    plan = self.backup_backend.plans.get(plan_id)
    if plan is None:
        raise models.ResourceNotFoundException(f"Failed reading Backup plan with provided planId {plan_id}")
    again = models.Plan(json.loads(self.body)["BackupPlan"], plan.creator_request_id, self.backup_backend)
    plan.backup_plan, plan.version_id = again.backup_plan, again.version_id
    plan.advanced_backup_settings = again.advanced_backup_settings
    return json.dumps(plan.to_dict())


for _route in ("backup-jobs", "copy-jobs", "backup-vaults/(?P<name>[^/]+)/recovery-points/"):
    urls.url_paths["{0}/" + _route + "$"] = BackupResponse.dispatch


def _points(self, region):
    return store("backup-recovery-points", self.current_account, region)


def _save(self, region, vault, name, database, kms_key_id, made, resource, source=None):
    """A recovery point of a database, and the snapshot of RDS that it is."""
    backend = rds_backends[self.current_account][region]
    snapshot = DBSnapshot(
        backend, database, name, snapshot_type="awsbackup", original_created_at=made, kms_key_id=kms_key_id
    )
    backend.database_snapshots[name] = snapshot
    _points(self, region)[snapshot.db_snapshot_arn] = {
        "RecoveryPointArn": snapshot.db_snapshot_arn,
        "BackupVaultName": vault.backup_vault_name,
        "BackupVaultArn": vault.backup_vault_arn,
        "SourceBackupVaultArn": source,
        "ResourceArn": resource,
        "ResourceType": "RDS",
        "Status": "COMPLETED",
        "CreationDate": utcnow().timestamp(),
        "CompletionDate": utcnow().timestamp(),
        "EncryptionKeyArn": snapshot.kms_key_id,
        "IsEncrypted": snapshot.encrypted,
    }
    return snapshot.db_snapshot_arn


@add(BackupResponse)
def start_backup_job(self):
    """Missing in moto, as are the next two."""
    request = json.loads(self.body)
    vault = self.backup_backend.describe_backup_vault(request["BackupVaultName"])
    database = rds_backends[self.current_account][self.region].describe_db_instances(
        request["ResourceArn"].split(":", 6)[6]
    )[0]
    job = str(mock_random.uuid4())
    point = _save(
        self, self.region, vault, f"awsbackup:job-{job}", database, database.kms_key_id, None, request["ResourceArn"]
    )
    return json.dumps({"BackupJobId": job, "RecoveryPointArn": point, "CreationDate": utcnow().timestamp()})


@add(BackupResponse)
def start_copy_job(self):
    request = json.loads(self.body)
    point = _points(self, self.region)[request["RecoveryPointArn"]]
    snapshot = rds_backends[self.current_account][self.region].get_db_snapshot(request["RecoveryPointArn"])
    *_, region, _, _, vault_name = request["DestinationBackupVaultArn"].split(":")
    vault = models.backup_backends[self.current_account][region].describe_backup_vault(vault_name)
    job = str(mock_random.uuid4())
    _save(
        self,
        region,
        vault,
        f"awsbackup:copyjob-{job}",
        snapshot.database,
        vault.encryption_key_arn,
        snapshot.original_snapshot_create_time,
        point["ResourceArn"],
        point["BackupVaultArn"],
    )
    return json.dumps({"CopyJobId": job, "CreationDate": utcnow().timestamp()})


@add(BackupResponse)
def list_recovery_points_by_backup_vault(self):
    name = self.path.split("/")[2]
    found = [p for p in _points(self, self.region).values() if p["BackupVaultName"] == name]
    return json.dumps({"RecoveryPoints": found})
