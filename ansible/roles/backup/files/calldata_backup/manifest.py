"""What a backup is: its name, its manifest, and which backups a store has.

A backup is what one source saved at one time, under SOURCE/TIME-XXXX/. A source is a machine, or something that machines
share. The manifest is stored last: without it, there is no backup. It carries its own SHA-256, so that damage is noticed.
"""

import hashlib
import io
import json
import re
import secrets
import time

from .store import Missing
from .system import Refusal

FORMAT = 1
FILE = "manifest.json"
SOURCE = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
STAMP = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
ID = re.compile(rf"({SOURCE.pattern})/({STAMP.pattern})")


def new_id(source, now=None):
    """A name of its own also for two in the same second: it goes on with the microsecond, so that names sort by time, and chance."""
    now = time.time() if now is None else now
    return f"{source}/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{int(now % 1 * 1e6):05x}{secrets.randbelow(1 << 12):03x}"


def made_at(backup):
    """Seconds since 1970 at which a backup was begun, from its name."""
    import calendar

    return calendar.timegm(time.strptime(STAMP.search(backup)[1], "%Y%m%dT%H%M%SZ"))


def _canonical(manifest):
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def write(store, manifest):
    envelope = {"sha256": hashlib.sha256(_canonical(manifest)).hexdigest(), "manifest": manifest}
    store.put(f"{manifest['id']}/{FILE}", io.BytesIO(json.dumps(envelope, indent=1, sort_keys=True).encode() + b"\n"))


def read(store, backup):
    """The manifest of a backup. Refuses one that is damaged, or of a format that this program does not know."""
    if not ID.fullmatch(backup):
        raise Refusal(f"{backup} is not the name of a backup, like router-1/20260102T030405Z-0a1b2c3d; see calldata-backup list")
    try:
        with store.get(f"{backup}/{FILE}") as stream:
            text = b"".join(iter(lambda: stream.read(1 << 20), b""))
    except Missing as error:
        raise Refusal(f"there is no backup {backup}: {error}; see calldata-backup list") from error
    try:
        envelope = json.loads(text)
        manifest = envelope["manifest"]
        good = envelope["sha256"] == hashlib.sha256(_canonical(manifest)).hexdigest()
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise Refusal(f"the manifest of {backup} is damaged, nothing in it can be believed: take another backup")
    if manifest["format"] != FORMAT:
        raise Refusal(f"{backup} has format {manifest['format']}, this program knows {FORMAT}: use the calldata-backup that made it")
    if manifest["id"] != backup:
        raise Refusal(f"the manifest of {backup} belongs to {manifest['id']}")
    return manifest


def complete(store, source=""):
    """The names of all backups that have a manifest, oldest first, and the keys of those that have none."""
    found, loose = {}, {}
    for key in store.list(f"{source}/" if source else ""):
        backup, _, name = key.rpartition("/")
        if ID.fullmatch(backup):
            found.setdefault(backup, []).append(key)
            loose.setdefault(backup, True)
            if name == FILE:
                loose[backup] = False
    whole = sorted((b for b in found if not loose[b]), key=lambda b: (made_at(b), b))
    return whole, {b: found[b] for b in found if loose[b]}


def parts_of(store, backup):
    """Names of the parts that can be restored from a backup. None, if its manifest is damaged."""
    try:
        return {p["name"] for p in read(store, backup)["parts"]}
    except Refusal:
        return set()


def resolve(store, name, known, names=()):
    """SOURCE/latest is the newest backup that has all the parts that were asked for, or that this machine knows of the source.

    If none has all of them, it is the newest.
    """
    source, _, stamp = name.rpartition("/")
    if stamp != "latest":
        return name
    if not SOURCE.fullmatch(source):
        raise Refusal(f"{source} is not the name of a source, like router-1")
    whole, _ = complete(store, source)
    if not whole:
        raise Refusal(f"there is no backup of {source} at all; calldata-backup list shows whose there are")
    shared = {p["name"] for p in known.values() if p.get("source") == source}
    wanted = set(names or ()) or shared or {p["name"] for p in known.values() if not p.get("source")}
    return next((b for b in reversed(whole) if wanted <= parts_of(store, b)), whole[-1])
