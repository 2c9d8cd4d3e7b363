"""GuardDuty: a detector's features one by one, its data sources, and tags by ARN.

Sources: Amazon GuardDuty API Reference, CreateDetector, UpdateDetector, GetDetector, TagResource.
"""

import json
from urllib.parse import unquote

import moto.guardduty.urls as urls
from moto.core.utils import utcnow
from moto.guardduty.exceptions import DetectorNotFoundException, GuardDutyException
from moto.guardduty.models import Detector, GuardDutyBackend
from moto.guardduty.responses import GuardDutyResponse

from .hooks import add, around

urls.url_paths["{0}/tags/(?P<resource_arn>.+)$"] = GuardDutyResponse.dispatch

# These nobody turns off, and no request names them.
FOUNDATION = ("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS")
# What a new detector has turned on unless the request says otherwise.
ON = ("S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION", "RDS_LOGIN_EVENTS", "LAMBDA_NETWORK_LOGS")
# Monitoring of what machines run, by its two names, with what manages the agents. A new detector has it turned off.
RUNTIME = {
    "EKS_RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT",),
    "RUNTIME_MONITORING": ("EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT"),
}


class BadRequest(GuardDutyException):
    """GuardDuty has one error for all that a caller does wrong."""

    code = 400

    def __init__(self, message):
        super().__init__("InvalidInputException", "The request is rejected because " + message)

    def get_headers(self, *args, **kwargs):
        return [("X-Amzn-ErrorType", "BadRequestException")]


def _of(settings, *path):
    """The value below path in nested settings, None where one is missing."""
    for name in path:
        settings = (settings or {}).get(name)
    return settings


def _as_features(sources):
    """Data sources are an older way to name three of the features."""
    asked = {
        "S3_DATA_EVENTS": _of(sources, "s3Logs", "enable"),
        "EKS_AUDIT_LOGS": _of(sources, "kubernetes", "auditLogs", "enable"),
        "EBS_MALWARE_PROTECTION": _of(sources, "malwareProtection", "scanEc2InstanceWithFindings", "ebsVolumes"),
    }
    return [{"name": n, "status": "ENABLED" if on else "DISABLED"} for n, on in asked.items() if on is not None]


def _check(features):
    names = [f["name"] for f in features or []]
    for name in names:
        if name in FOUNDATION:
            raise BadRequest("an invalid or out-of-range value is specified as an input parameter.")
    if set(RUNTIME) <= set(names):
        raise BadRequest("EKS_RUNTIME_MONITORING and RUNTIME_MONITORING are specified together.")


def _set(kept, name, status):
    """Change a status; its time changes with it alone."""
    item = kept.setdefault(name, {"name": name})
    if item.get("status") != status:
        item.update(status=status, updatedAt=utcnow().timestamp())
    return item


def _turn(self, features):
    """Change the features that are named, and leave the others."""
    for feature in features or []:
        item = _set(self.kept, feature["name"], feature["status"])
        more = {c["name"]: c for c in item.get("additionalConfiguration", [])}
        for configuration in feature.get("additionalConfiguration") or []:
            _set(more, configuration["name"], configuration["status"])
        if more:
            item["additionalConfiguration"] = list(more.values())
    self.features = list(self.kept.values())


@around(Detector, "__init__")
def detector_init(original, self, *args, **kwargs):
    asked = _as_features(kwargs["datasources"]) + (kwargs["features"] or [])
    original(self, *args, **kwargs)
    self.kept = {}
    _turn(self, [{"name": n, "status": "ENABLED"} for n in (*FOUNDATION, *ON)])
    for name, agents in RUNTIME.items():
        off = [{"name": agent, "status": "DISABLED"} for agent in agents]
        _turn(self, [{"name": name, "status": "DISABLED", "additionalConfiguration": off}])
    _turn(self, asked)


@around(Detector, "update")
def update(original, self, enable, finding_publishing_frequency, data_sources, features):
    """moto forgets the features that a request does not name."""
    original(self, enable, finding_publishing_frequency, None, None)
    _turn(self, _as_features(data_sources) + (features or []))
    self.updated_at = utcnow()


@around(Detector, "to_json")
def to_json(original, self):
    """moto's data sources are those of the first request."""
    status = {name: {"status": item["status"]} for name, item in self.kept.items()}
    sources = {
        "cloudTrail": status["CLOUD_TRAIL"],
        "dnsLogs": status["DNS_LOGS"],
        "flowLogs": status["FLOW_LOGS"],
        "s3Logs": status["S3_DATA_EVENTS"],
        "kubernetes": {"auditLogs": status["EKS_AUDIT_LOGS"]},
        "malwareProtection": {"scanEc2InstanceWithFindings": {"ebsVolumes": status["EBS_MALWARE_PROTECTION"]}},
    }
    return {**original(self), "dataSources": sources}


@around(GuardDutyBackend, "create_detector")
def create_detector(original, self, enable, finding_publishing_frequency, data_sources, tags, features):
    """An account has one detector in a region."""
    _check(features)
    if self.detectors:
        raise BadRequest("a detector already exists for the current account.")
    return original(self, enable, finding_publishing_frequency, data_sources, tags, features)


@around(GuardDutyBackend, "update_detector")
def update_detector(original, self, detector_id, enable, finding_publishing_frequency, data_sources, features):
    _check(features)
    return original(self, detector_id, enable, finding_publishing_frequency, data_sources, features)


@around(GuardDutyBackend, "delete_detector")
def delete_detector(original, self, detector_id):
    """moto deletes what is not there."""
    self.get_detector(detector_id)
    return original(self, detector_id)


def _tagged(self):
    """The tags of the detector whose ARN is in the path. Filters, which have tags too, moto keeps without."""
    kind, _, name = unquote(self.path).rsplit(":", 1)[-1].partition("/")
    if kind != "detector" or "/" in name:
        raise DetectorNotFoundException
    return self.guardduty_backend.get_detector(name).tags


@add(GuardDutyResponse)
def list_tags_for_resource(self):
    """Missing in moto, as are the next two."""
    return json.dumps({"tags": _tagged(self)})


@add(GuardDutyResponse)
def tag_resource(self):
    _tagged(self).update(self._get_param("tags"))
    return 204, {}, ""


@add(GuardDutyResponse)
def untag_resource(self):
    tags = _tagged(self)
    for key in self.querystring.get("tagKeys", []):
        tags.pop(key, None)
    return 204, {}, ""
