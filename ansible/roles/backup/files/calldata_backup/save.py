"""calldata-backup now: data first, the manifest last, then what is too old goes."""

import contextlib
import json
import os
import time

from . import manifest, state
from .kinds import kind_of
from .store import Forbidden, open_store
from .stream import sealed
from .system import Busy, Failure, locked, parts, read, say, settings, workspace

# An upload without a manifest is one that was cut off, or that is still going on.
LOOSE_SECONDS = 2 * 86400


def now(options):
    config, known = settings(), parts()
    wanted = [p for p in known.values() if not options.part or p["name"] in options.part]
    if unknown := set(options.part or ()) - set(known):
        raise Failure(f"{', '.join(sorted(unknown))}: this machine has the parts {', '.join(known)}")
    if options.server:
        return from_server(options, config, wanted)
    store, changes, groups, busy = open_store(config), {}, {}, []
    for part in wanted:
        groups.setdefault(part.get("source") or config["host"], []).append(part)
    with locked():
        try:
            for source, group in groups.items():
                try:
                    changes |= Run(store, config, source, group).go(options.scheduled)
                except Busy as another:
                    busy.append(f"{source}: {another}")
                except Failure as failure:  # the other sources have nothing to do with it
                    changes |= {p["name"]: {"failed": 1, "error": str(failure), "last_attempt": int(time.time())} for p in group}
        finally:
            state.record(changes, known, config["host"])
        for source in groups if config["retention_days"] else ():
            expire(store, source, config["retention_days"], [p["name"] for p in known.values() if (p.get("source") or config["host"]) == source])
    failed = {name: c["error"] for name, c in changes.items() if c.get("failed")}
    if busy and not failed:
        if not options.scheduled:
            raise Busy("\n".join(busy))
        say("\n".join(busy))
    if failed:
        raise Failure("\n".join(f"part {name}: {reason}" for name, reason in failed.items()))


# What a source is called whose databases another server has, usually as they were at an earlier time. A backup of it is never the
# latest of the source itself.
THEN = "-then"


def from_server(options, config, wanted):
    """Save one part's databases from another server."""
    if not options.part or len(wanted) != 1 or wanted[0]["kind"] != "postgresql" or "databases" not in wanted[0]:
        raise Failure("--server is for one part with named databases: choose it with --part")
    part = wanted[0]
    try:
        text, mode = read(options.server), os.stat(options.server).st_mode
    except OSError as error:
        raise Failure(f"--server {options.server}: {error.strerror}") from None
    if not text or mode & 0o077:
        raise Failure(f"--server {options.server}: want a file that nobody else may read, mode 0600")
    try:
        server = json.loads(text)
        part = {**part, "source": (part.get("source") or config["host"]) + THEN, "host": server["host"], "port": server["port"],
                "login": {"username": server["username"], "password": server["password"]}}
    except (ValueError, KeyError, TypeError):
        raise Failure(f"--server {options.server}: want JSON with host, port, username and password") from None
    with locked():
        kind_of(part, config).server.wait()
        changes = Run(open_store(config), config, part["source"], [part]).go(False)
    if error := changes[part["name"]].get("error"):
        raise Failure(f"part {part['name']}: {error}")


class Run:
    """One backup of one source."""

    def __init__(self, store, config, source, group):
        self.store, self.config, self.source, self.group = store, config, source, group
        self.began = time.time()

    def go(self, scheduled):
        with contextlib.ExitStack() as held:
            if self.source != self.config["host"]:
                for part in self.group:
                    held.enter_context(kind_of(part, self.config).only_one(self.source))
                if scheduled and (seen := self._made_by_another()):
                    return seen
            return self._make()

    def _made_by_another(self):
        """What another machine saved lately, as if it were our own: it is the same database."""
        whole, _ = manifest.complete(self.store, self.source)
        least = max(part.get("at_most_every", 0) for part in self.group)
        for backup in reversed(whole):
            if self.began - manifest.made_at(backup) >= least:
                return None
            made = manifest.read(self.store, backup)
            if not made["failed"] and {p["name"] for p in self.group} <= {p["name"] for p in made["parts"]}:
                say(f"{self.source}: {made['host']} has made {backup}, not again so soon")
                return {p["name"]: _success(p, made) for p in made["parts"]}
        return None

    def _make(self):
        backup = manifest.new_id(self.source, self.began)
        made = {
            "format": manifest.FORMAT, "id": backup, "source": self.source, "role": self.config["role"], "stack": self.config["stack"],
            "host": self.config["host"], "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began)),
            "debian": read("/etc/debian_version").strip(), "encryption": self.config["encryption"], "parts": [], "failed": {},
        }
        changes = {}
        for part in self.group:
            began = time.time()
            try:
                saved = self._save(backup, part)
                saved["seconds"] = round(time.time() - began, 3)
                made["parts"].append(saved)
                say(f"{backup}: {part['name']}, {saved['bytes']} bytes in {saved['seconds']:.1f} s")
            except Failure as failure:
                made["failed"][part["name"]] = str(failure)
                changes[part["name"]] = {"failed": 1, "error": str(failure), "last_attempt": int(self.began)}
        if made["parts"]:
            manifest.write(self.store, made)
            changes |= {p["name"]: _success(p, made) for p in made["parts"]}
            say(f"{backup}: {'complete' if not made['failed'] else 'without ' + ', '.join(made['failed'])}")
        return changes

    def _save(self, backup, part):
        key = f"{backup}/{part['name']}.tar.zst" + (".age" if self.config["encryption"] == "age" else "")
        recipients = self.config["recipients_file"] if self.config["encryption"] == "age" else None
        with workspace() as work:
            tar, info = kind_of(part, self.config).save(work)
            with sealed(tar, recipients) as stream:
                self.store.put(key, stream)
                return {
                    "name": part["name"], "kind": part["kind"], "object": os.path.basename(key), "bytes": stream.stored.bytes,
                    "sha256": stream.stored.sha256(), "plain_bytes": stream.plain.bytes, "plain_sha256": stream.plain.sha256(), **info,
                }


def _success(part, made):
    at = manifest.made_at(made["id"])
    return {"last_success": at, "last_attempt": at, "failed": 0, "error": "", "id": made["id"], "bytes": part["bytes"],
            "plain_bytes": part["plain_bytes"], "seconds": part["seconds"]}


def expire(store, source, days, names):
    """Delete backups older than so many days, and uploads that were cut off. The newest backup of each of the named parts
    stays, however old it is.

    Where the bucket keeps this machine from deleting, its own lifecycle does it.
    """
    now = time.time()
    whole, loose = manifest.complete(store, source)
    old, missing = [], set(names)
    for backup in reversed(whole):
        new = missing & manifest.parts_of(store, backup)
        missing -= new
        if now - manifest.made_at(backup) > days * 86400 and not new:
            old.append(backup)
    # The manifest goes first: what is left if this is cut off is no backup.
    keys = [k for b in old for k in sorted(store.list(b + "/"), key=lambda k: not k.endswith("/" + manifest.FILE))]
    keys += [k for b, stored in loose.items() if now - manifest.made_at(b) > LOOSE_SECONDS for k in stored]
    try:
        for key in keys:
            store.delete(key)
    except Forbidden:
        say(f"{source}: {len(old)} backups are older than {days} days; the bucket does not let this machine delete, its lifecycle does")
        return
    if old:
        say(f"{source}: {len(old)} backups older than {days} days deleted")
