"""Cost Explorer: anomaly monitors and subscriptions, cost allocation tags. All missing in moto."""

import json

from moto.ce.responses import CostExplorerResponse
from moto.moto_api._internal import mock_random

from .hooks import add, store


def _kept(self, kind):
    return store("ce-" + kind, self.current_account)


def _operations(kind, name):
    """Create, get, update and delete for one kind; the API names them all alike."""
    arn_key = name.removeprefix("Anomaly") + "Arn"

    def create(self):
        item = dict(json.loads(self.body)[name])
        item[arn_key] = f"arn:aws:ce::{self.current_account}:anomaly{kind}/{mock_random.uuid4()}"
        if kind == "subscription":
            item["AccountId"] = self.current_account
            for subscriber in item.get("Subscribers", []):
                subscriber.setdefault("Status", "CONFIRMED")
        _kept(self, kind)[item[arn_key]] = item
        return json.dumps({arn_key: item[arn_key]})

    def get(self):
        arns = json.loads(self.body).get(arn_key + "List")
        return json.dumps({name + "s": [v for k, v in _kept(self, kind).items() if not arns or k in arns]})

    def update(self):
        body = json.loads(self.body)
        arn = body.pop(arn_key)
        _kept(self, kind)[arn].update(body)
        return json.dumps({arn_key: arn})

    def delete(self):
        _kept(self, kind).pop(json.loads(self.body)[arn_key], None)
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
