"""Security Hub: standards, and settings that moto forgets."""

import json

import moto.securityhub.urls as urls
from moto.securityhub.responses import SecurityHubResponse

from .hooks import add, around, store

for _path in ("standards/register", "standards/deregister", "standards/get", "standards"):
    urls.url_paths["{0}/" + _path + "$"] = SecurityHubResponse.dispatch


def _settings(self):
    return store("securityhub", self.current_account, self.region)


def _standards(self):
    return store("securityhub-standards", self.current_account, self.region)


@add(SecurityHubResponse)
def update_security_hub_configuration(self):
    """Missing in moto."""
    _settings(self).update(json.loads(self.body))
    return "{}"


@around(SecurityHubResponse, "describe_hub")
def describe_hub(original, self):
    """What was updated shows."""
    return json.dumps({**json.loads(original(self)), **_settings(self)})


@add(SecurityHubResponse)
def batch_enable_standards(self):
    """Missing in moto, as are the next two."""
    enabled = []
    for request in json.loads(self.body)["StandardsSubscriptionRequests"]:
        name = request["StandardsArn"].split(":standards/")[-1].split("ruleset/")[-1]
        arn = f"arn:aws:securityhub:{self.region}:{self.current_account}:subscription/{name}"
        _standards(self)[arn] = {
            "StandardsArn": request["StandardsArn"],
            "StandardsSubscriptionArn": arn,
            "StandardsInput": {},
            "StandardsStatus": "READY",
        }
        enabled.append(_standards(self)[arn])
    return json.dumps({"StandardsSubscriptions": enabled})


@add(SecurityHubResponse)
def get_enabled_standards(self):
    arns = (json.loads(self.body) if self.body else {}).get("StandardsSubscriptionArns")
    found = [v for k, v in _standards(self).items() if not arns or k in arns]
    return json.dumps({"StandardsSubscriptions": found})


@add(SecurityHubResponse)
def batch_disable_standards(self):
    removed = [_standards(self).pop(arn, None) for arn in json.loads(self.body)["StandardsSubscriptionArns"]]
    return json.dumps({"StandardsSubscriptions": [{**s, "StandardsStatus": "DELETING"} for s in removed if s]})
