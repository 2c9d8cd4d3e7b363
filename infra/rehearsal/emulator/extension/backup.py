"""AWS Backup: selections, and tags by ARN."""

import json
from urllib.parse import unquote

import moto.backup.models as models
from moto.backup.responses import BackupResponse
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

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
