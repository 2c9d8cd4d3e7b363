"""Systems Manager: patch baselines, associations, maintenance window filters and tasks."""

import json

import moto.ssm.models as models
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random
from moto.ssm.responses import SimpleSystemManagerResponse as Response

from .hooks import add, around, store


def _matches(filters, item):
    """moto fails on the filters that the provider sends for window targets and tasks."""
    ids = {
        "WindowTargetId": getattr(item, "window_target_id", None),
        "WindowTaskId": getattr(item, "window_task_id", None),
    }
    return all(ids.get(f["Key"]) is None or ids[f["Key"]] in f["Values"] for f in filters or [])


models._maintenance_window_target_filter_match = _matches
models._maintenance_window_task_filter_match = _matches


@around(models.SimpleSystemManagerBackend, "_validate_resource_type_and_id")
def validate_resource(original, self, resource_type, resource_id):
    """moto refuses tags on what it does not store itself."""
    if resource_type in ("PatchBaseline", "MaintenanceWindow", "Association"):
        return resource_id
    return original(self, resource_type, resource_id)


def _not_found(kind):
    return 400, {}, json.dumps({"__type": kind, "message": "not found"})


def _baselines(self):
    return store("ssm-baselines", self.current_account, self.region)


@around(Response, "create_patch_baseline")
def create_patch_baseline(original, self):
    """moto keeps a part of the settings; the rest would be a change on every run."""
    result = original(self)
    settings = {
        "ApprovedPatchesComplianceLevel": "UNSPECIFIED",
        "RejectedPatchesAction": "ALLOW_AS_DEPENDENCY",
        "GlobalFilters": {"PatchFilters": []},
        "ApprovalRules": {"PatchRules": []},
        **json.loads(self.body),
    }
    for key in ("Tags", "ClientToken"):
        settings.pop(key, None)
    _baselines(self)[list(self.ssm_backend.baselines)[-1]] = settings
    return result


@add(Response)
def get_patch_baseline(self):
    """Missing in moto."""
    baseline = self.ssm_backend.baselines.get(self._get_param("BaselineId"))
    if baseline is None:
        return _not_found("DoesNotExistException")
    dates = {"CreatedDate": utcnow(), "ModifiedDate": utcnow()}
    return ActionResult({**_baselines(self).get(baseline.id, {}), "BaselineId": baseline.id, **dates})


@add(Response)
def update_patch_baseline(self):
    """Missing in moto."""
    body = json.loads(self.body)
    _baselines(self).setdefault(body["BaselineId"], {}).update(body)
    return ActionResult(body)


def _associations(self):
    return store("ssm-associations", self.current_account, self.region)


@add(Response)
def create_association(self):
    """Missing in moto, as are the next three."""
    body = json.loads(self.body)
    tags = body.pop("Tags", [])
    association = {
        "DocumentVersion": "$DEFAULT",
        **body,
        "AssociationId": str(mock_random.uuid4()),
        "AssociationVersion": "1",
        "Overview": {"Status": "Success", "DetailedStatus": "Success"},
    }
    name = association["AssociationId"]
    _associations(self)[name] = association
    if tags:
        self.ssm_backend.add_tags_to_resource("Association", name, {t["Key"]: t["Value"] for t in tags})
    return ActionResult({"AssociationDescription": association})


@add(Response)
def describe_association(self):
    association = _associations(self).get(self._get_param("AssociationId"))
    if association is None:
        return _not_found("AssociationDoesNotExist")
    return ActionResult({"AssociationDescription": association})


@add(Response)
def update_association(self):
    body = json.loads(self.body)
    association = _associations(self).get(body["AssociationId"])
    if association is None:
        return _not_found("AssociationDoesNotExist")
    association.update(body)
    return ActionResult({"AssociationDescription": association})


@add(Response)
def delete_association(self):
    _associations(self).pop(self._get_param("AssociationId"), None)
    return ActionResult({})


@add(Response)
def get_maintenance_window_task(self):
    """Missing in moto."""
    window = self.ssm_backend.windows.get(self._get_param("WindowId"))
    task = window and window.tasks.get(self._get_param("WindowTaskId"))
    if not task:
        return _not_found("DoesNotExistException")
    answer = task.to_json()
    answer["TaskType"] = answer.pop("Type", answer.get("TaskType"))
    return ActionResult(answer)
