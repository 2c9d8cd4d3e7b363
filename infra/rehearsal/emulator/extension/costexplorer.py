"""Cost Explorer: anomaly monitors and subscriptions with their tags, cost allocation tags. All missing in moto.

Source: AWS Billing and Cost Management API Reference, AWS Cost Explorer Service.
"""

import json

from moto.ce.models import CostExplorerBackend
from moto.ce.responses import CostExplorerResponse
from moto.core.exceptions import JsonRESTError
from moto.moto_api._internal import mock_random

from .hooks import add, around, store


def _kept(self, kind):
    return store("ce-" + kind, self.current_account)


def _known(self, kind, arn):
    """What was kept under the ARN; both kinds have an error of their own."""
    if arn not in _kept(self, kind):
        raise JsonRESTError(f"Unknown{kind.capitalize()}Exception", f"Unknown {kind}: {arn}")
    return _kept(self, kind)[arn]


def _check_monitors(self, subscription):
    for arn in subscription.get("MonitorArnList", []):
        _known(self, "monitor", arn)


def _operations(kind, name):
    """Create, get, update and delete for one kind; the API names them all alike."""
    arn_key = name.removeprefix("Anomaly") + "Arn"

    def create(self):
        body = json.loads(self.body)
        item = dict(body[name])
        if item.get("MonitorDimension") == "SERVICE" and any(
            m.get("MonitorDimension") == "SERVICE" for m in _kept(self, kind).values()
        ):
            raise JsonRESTError("LimitExceededException", "Limit exceeded on dimensional spend monitor creation")
        _check_monitors(self, item)
        arn = item[arn_key] = f"arn:aws:ce::{self.current_account}:anomaly{kind}/{mock_random.uuid4()}"
        if kind == "subscription":
            item["AccountId"] = self.current_account
            for subscriber in item.get("Subscribers", []):
                subscriber.setdefault("Status", "CONFIRMED")
        _kept(self, kind)[arn] = item
        self.ce_backend.tagger.tag_resource(arn, body.get("ResourceTags"))
        return json.dumps({arn_key: arn})

    def get(self):
        arns = json.loads(self.body).get(arn_key + "List")
        found = [_known(self, kind, arn) for arn in arns] if arns else list(_kept(self, kind).values())
        return json.dumps({name + "s": found})

    def update(self):
        body = json.loads(self.body)
        arn = body.pop(arn_key)
        _check_monitors(self, body)
        _known(self, kind, arn).update(body)
        return json.dumps({arn_key: arn})

    def delete(self):
        arn = json.loads(self.body)[arn_key]
        _known(self, kind, arn)
        del _kept(self, kind)[arn]
        self.ce_backend.tagger.delete_all_tags_for_resource(arn)
        return "{}"

    return {
        f"create_anomaly_{kind}": create,
        f"get_anomaly_{kind}s": get,
        f"update_anomaly_{kind}": update,
        f"delete_anomaly_{kind}": delete,
    }


for _kind, _name in (("monitor", "AnomalyMonitor"), ("subscription", "AnomalySubscription")):
    for _call, _function in _operations(_kind, _name).items():
        setattr(CostExplorerResponse, _call, _function)


def _of_something(original, self, resource_arn, *args):
    """moto keeps tags of what does not exist."""
    kept = [store("ce-" + kind, self.account_id) for kind in ("monitor", "subscription")]
    if not any(resource_arn in known for known in (self.cost_categories, *kept)):
        raise JsonRESTError("ResourceNotFoundException", f"Unknown resource: {resource_arn}")
    return original(self, resource_arn, *args)


for _call in ("list_tags_for_resource", "tag_resource", "untag_resource"):
    around(CostExplorerBackend, _call)(_of_something)


@add(CostExplorerResponse)
def update_cost_allocation_tags_status(self):
    for tag in json.loads(self.body)["CostAllocationTagsStatus"]:
        _kept(self, "tags")[tag["TagKey"]] = tag["Status"]
    return json.dumps({"Errors": []})


@add(CostExplorerResponse)
def list_cost_allocation_tags(self):
    keys = json.loads(self.body).get("TagKeys")
    found = [
        {"TagKey": key, "Status": status, "Type": "UserDefined"}
        for key, status in _kept(self, "tags").items()
        if not keys or key in keys
    ]
    return json.dumps({"CostAllocationTags": found})
