"""EC2: what holds for a whole account and region. moto knows of this only that volumes are encrypted by default."""

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from .hooks import add, store

# What AWS uses where nobody chose a key.
AWS_KEY = "alias/aws/ebs"


def _settings(self):
    return store("ec2-account", self.current_account, self.region)


def _default_key(self):
    return {"KmsKeyId": _settings(self).get("key", AWS_KEY)}


@add(EC2Response)
def get_ebs_default_kms_key_id(self):
    return ActionResult(_default_key(self))


@add(EC2Response)
def modify_ebs_default_kms_key_id(self):
    _settings(self)["key"] = self._get_param("KmsKeyId")
    return ActionResult(_default_key(self))


@add(EC2Response)
def reset_ebs_default_kms_key_id(self):
    _settings(self).pop("key", None)
    return ActionResult(_default_key(self))


def _sharing(self, kind):
    return ActionResult({"State": _settings(self).get(kind, "unblocked")})


@add(EC2Response)
def enable_snapshot_block_public_access(self):
    _settings(self)["snapshots"] = self._get_param("State")
    return _sharing(self, "snapshots")


@add(EC2Response)
def disable_snapshot_block_public_access(self):
    _settings(self).pop("snapshots", None)
    return _sharing(self, "snapshots")


@add(EC2Response)
def get_snapshot_block_public_access_state(self):
    return _sharing(self, "snapshots")


_METADATA = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")


@add(EC2Response)
def modify_instance_metadata_defaults(self):
    """no-preference, and a hop limit of -1, take a default back."""
    defaults = _settings(self).setdefault("metadata", {})
    for name in _METADATA:
        value = self._get_param(name)
        if str(value) in ("no-preference", "-1"):
            defaults.pop(name, None)
        elif value is not None:
            defaults[name] = value
    return ActionResult({"Return": True})


@add(EC2Response)
def get_instance_metadata_defaults(self):
    return ActionResult({"AccountLevel": _settings(self).get("metadata", {})})
