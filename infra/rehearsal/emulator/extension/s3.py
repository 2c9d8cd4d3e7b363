"""S3: parts of lifecycle and replication rules that moto drops, copies by these rules, and locks on buckets that moto refuses; objects packed."""

import copy
import io
import json
import types
import zlib

from moto.s3 import models
from moto.s3.models import FakeBucket, FakeKey, S3Backend
from moto.s3.responses import S3Response

from .hooks import around


class Packed:
    """What an object holds, as moto uses a temporary file for it, but packed.

    Pulumi writes a stack's whole state after each step, and the bucket keeps every version: gigabytes of prod's.
    """

    def __init__(self, _limit=0, **_):
        self.packed, self.reader = zlib.compress(b""), None

    def seek(self, _start):
        self.reader = None

    def truncate(self):
        self.packed = zlib.compress(b"")

    def write(self, data):
        """All of it: moto writes objects whole."""
        self.packed = zlib.compress(data, 1)

    def read(self, size=-1):
        if self.reader is None:
            self.reader = io.BytesIO(zlib.decompress(self.packed))
        data = self.reader.read(size)
        if size < 0 or not data:
            self.reader = io.BytesIO()
        return data

    def close(self):
        pass  # copies of an object share it


def _share(self, _known):
    """A copy for a list of versions, which moto makes of the whole bucket for every page of it."""
    twin = object.__new__(type(self))
    twin.__dict__.update(self.__dict__, multipart=None, disposed=True)
    return twin


models.tempfile = types.SimpleNamespace(SpooledTemporaryFile=Packed)
FakeKey.__deepcopy__ = _share


def _edit_answer(self, original, edit):
    """Call original, and change what it answers before that becomes XML."""
    serialize = self.serialized

    def serialized(action_result):
        edit(action_result.result)
        return serialize(action_result)

    self.serialized = serialized
    try:
        return original(self)
    finally:
        del self.serialized


@around(S3Backend, "put_object_lock_configuration")
def put_object_lock_configuration(original, self, bucket_name, *arguments):
    """Take it for a bucket that has objects already, as S3 does.

    Source: Amazon S3 User Guide, "Object Lock considerations".
    """
    bucket = self.get_bucket(bucket_name)
    objects, bucket.keys = bucket.keys, type(bucket.keys)()
    try:
        original(self, bucket_name, *arguments)
    finally:
        bucket.keys = objects


@around(FakeBucket, "set_lifecycle")
def set_lifecycle(original, self, rules):
    """Keep NewerNoncurrentVersions."""
    raw = copy.deepcopy(rules)
    original(self, rules)
    for rule, given in zip(self.rules, raw if isinstance(raw, list) else [raw]):
        rule.newer_versions = (given.get("NoncurrentVersionExpiration") or {}).get("NewerNoncurrentVersions")


@around(S3Response, "get_bucket_lifecycle")
def get_bucket_lifecycle(original, self):
    def edit(result):
        rules = self.backend.get_bucket_lifecycle(self.bucket_name)
        for rule, answer in zip(rules, result.get("Rules", [])):
            if getattr(rule, "newer_versions", None):
                expiration = answer.setdefault("NoncurrentVersionExpiration", {})
                expiration["NewerNoncurrentVersions"] = rule.newer_versions

    return _edit_answer(self, original, edit)


@around(S3Response, "get_bucket_replication")
def get_bucket_replication(original, self):
    """Answer the priority, the delete markers, what is chosen and the prefix as they were given."""
    stored = (self.backend.get_bucket_replication(self.bucket_name) or {}).get("Rule", [])
    for rule in stored:
        rule.setdefault("Priority", 0)

    def edit(result):
        for rule, answer in zip(stored, result["ReplicationConfiguration"]["Rules"]):
            for given in ("DeleteMarkerReplication", "SourceSelectionCriteria"):
                if rule.get(given):
                    answer[given] = rule[given]
            selection = rule.get("Filter")
            if isinstance(selection, dict) and selection.get("Prefix"):
                answer["Filter"] = {"Prefix": selection["Prefix"]}

    return _edit_answer(self, original, edit)


def _copies(backend, bucket_name, key_name, deletion=False):
    """The buckets that the rules of a bucket copy an object to, or the marker of its deletion."""
    for rule in (backend.get_bucket_replication(bucket_name) or {}).get("Rule", []):
        selection = rule.get("Filter")
        prefix = (selection.get("Prefix") if isinstance(selection, dict) else None) or ""
        markers = (rule.get("DeleteMarkerReplication") or {}).get("Status") == "Enabled"
        if rule["Status"] == "Enabled" and key_name.startswith(prefix) and (markers or not deletion):
            yield rule["Destination"]["Bucket"].rpartition(":")[2]


@around(S3Backend, "put_object")
def put_object(original, self, bucket_name, key_name, value, *arguments, **named):
    """Copy it by the bucket's rules, at once. The copy's encryption is that of its own bucket. Uploads in parts come here too."""
    made = original(self, bucket_name, key_name, value, *arguments, **named)
    for copy in _copies(self, bucket_name, key_name):
        original(self, copy, key_name, value, etag=named.get("etag"), multipart=named.get("multipart"))
    return made


@around(S3Backend, "delete_object")
def delete_object(original, self, bucket_name, key_name, version_id=None, bypass=False):
    """Copy the marker that it leaves, where a rule says so. The deletion of a version is never copied."""
    answer = original(self, bucket_name, key_name, version_id, bypass)
    if version_id is None and self.get_bucket(bucket_name).is_versioned:
        for copy in _copies(self, bucket_name, key_name, deletion=True):
            original(self, copy, key_name, None, bypass)
    return answer


def _as_list(value):
    return value if isinstance(value, list) else [value]


def _logging_allowed(target_bucket, target_prefix):
    """Read policies as IAM does: where one value may stand, a list of values may. moto knows the single value alone."""
    arn = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}"
    enough = {f"{arn}/{target_prefix or ''}*", f"{arn}/*"}
    for statement in json.loads(target_bucket.policy.decode())["Statement"] if target_bucket.policy else []:
        principal = statement.get("Principal")
        services = _as_list(principal.get("Service")) if isinstance(principal, dict) else []
        if (
            statement.get("Effect") == "Allow"
            and "logging.s3.amazonaws.com" in services
            and "s3:PutObject" in _as_list(statement.get("Action"))
            and enough & set(_as_list(statement.get("Resource")))
        ):
            return True
    return False


FakeBucket._log_permissions_enabled_policy = staticmethod(_logging_allowed)


@around(FakeBucket, "get_permission")
def get_permission(original, self, action, resource):
    """moto reads no conditions, and would take "deny what is not encrypted on its way" for "deny"."""
    whole = self.policy
    if not whole:
        return original(self, action, resource)
    document = json.loads(whole.decode())
    document["Statement"] = [s for s in document["Statement"] if not s.get("Condition")]
    self.policy = json.dumps(document).encode() if document["Statement"] else None
    try:
        return original(self, action, resource)
    finally:
        self.policy = whole
