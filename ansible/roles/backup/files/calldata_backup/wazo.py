"""Parts that are Wazo's own backups: {"kind": "wazo", "archive": "data" or "db"}.

Restoring follows Wazo's procedure. The address, the name and the units of this machine stay, because on AWS the machine that
is restored to is another one.
"""

import contextlib
import os
import re
import shutil

from .files import remove, tar_of
from .postgresql import Server, literal
from .system import ROOT, Failure, path, read, replace, run

VERSION = "/usr/share/wazo/WAZO-VERSION"
DATABASE = "asterisk"
# What names or addresses the machine. Source: the list of wazo-backup, and what belongs to another machine in it.
OF_THE_MACHINE = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/network", "etc/systemd", "etc/dhcp", "etc/ntp.conf", "usr/share/wazo",
                  "usr/local/sbin/calldata-*", "usr/local/bin/calldata-*")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PROGRAMS = ("wazo-backup", "wazo-service", "xivo-update-config")


def version():
    return read(path(VERSION)).strip() or "unknown"


class Wazo:
    def __init__(self, part, settings):
        self.part, self.settings = part, settings
        self.server = Server({"port": part.get("port", 5432)}, settings)

    def only_one(self, source):
        """Files belong to one machine."""
        return contextlib.nullcontext()

    def save(self, work):
        name = self.part["archive"]
        run(["wazo-backup", name, os.path.join(work, name)])
        made = os.path.join(work, name + ".tgz")
        # wazo-backup data does not look at what its tar said.
        run(["gzip", "--test", made], "the archive of wazo-backup")
        info = {"versions": {"wazo": version()}}
        if name == "db":
            info["versions"]["postgresql"] = self.server.major()
            info["databases"] = {DATABASE: int(self.server.sql(f"SELECT pg_database_size({literal(DATABASE)})")[0])}
        return tar_of(work, [name + ".tgz"]), info

    def objections(self, saved, versions):
        out = []
        if versions["wazo"] != version():
            out.append(("wazo-version", f"the backup is of Wazo {versions['wazo']}, this engine is {version()}: install that version first"))
        if missing := [p for p in PROGRAMS if not shutil.which(p)]:
            raise Failure(f"{', '.join(missing)}: not on this machine; install the engine, and let its wizard run, first")
        if self.part["archive"] == "db" and versions["postgresql"] != self.server.major():
            out.append(("postgresql-version", f"the backup is of PostgreSQL {versions['postgresql']}, this server is {self.server.major()}"))
        return out

    def local_bytes(self, saved):
        return sum(saved.get("databases", {}).values())

    def _members(self, tree):
        """The files of Wazo's archive that are restored, from the root without its slash."""
        listed = run(["tar", "--list", "--gzip", "--file", os.path.join(tree, "data.tgz"), *self._without()], "the archive of wazo-backup")
        return [n for n in listed.split("\n") if n]

    def _without(self):
        return [f"--exclude={p}" for p in (*OF_THE_MACHINE, *[k.lstrip("/") for k in self.part.get("keep_here", ())])]

    def keep(self, tree, kept, run_id):
        if self.part["archive"] == "db":
            return
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept, mode=0o700)
        present, new = [], []
        for name in self._members(tree):
            if not os.path.lexists(f"{ROOT}/{name}"):
                new.append(name)
            elif not name.endswith("/"):
                present.append(name)
        replace(kept + ".new-files", "\0".join(new), 0o600)
        replace(kept + ".files", "\0".join(present), 0o600)
        run(["tar", "--create", "--directory", ROOT or "/", "--xattrs", "--acls", "--null", "--no-recursion", "--verbatim-files-from",
             "--files-from", kept + ".files", "--file", os.path.join(kept, "data.tar")], "keep a copy of what Wazo's archive replaces")

    def load(self, tree, run_id):
        if self.part["archive"] == "db":
            run(["tar", "--extract", "--gzip", "--directory", tree, "--file", os.path.join(tree, "db.tgz")], "the archive of wazo-backup")
            self._dump(tree)

    def _dump(self, tree):
        folder = os.path.join(tree, "pg-backup")
        names = [n for n in (os.listdir(folder) if os.path.isdir(folder) else []) if n.startswith("asterisk-") and n.endswith(".dump")]
        if len(names) != 1:
            raise Failure(f"Wazo's archive has {len(names)} dumps of the database, not one")
        return os.path.join(folder, names[0])

    def swap(self, tree, run_id):
        if self.part["archive"] == "data":
            run(["tar", "--extract", "--gzip", "--preserve-permissions", "--directory", ROOT or "/", "--file", os.path.join(tree, "data.tgz"),
                 *self._without()], "restore Wazo's files")
            cache = path("/var/cache/wazo-confgend")
            for name in os.listdir(cache) if os.path.isdir(cache) else []:
                remove(os.path.join(cache, name))
            return
        before = f"{DATABASE}_before_{run_id}"
        if self.server.exists(before):
            self.server.drop(DATABASE)  # half restored by a run that was cut off
        elif self.server.exists(DATABASE):
            self.server.rename((DATABASE, before))
        self.server.restore(self._dump(tree), "--create", "--dbname", "postgres")
        self._settle()

    def _settle(self):
        """Make the machine the engine that the database belongs to."""
        if self.server.sql("SELECT to_regclass('infos') IS NOT NULL", DATABASE) == ["t"]:
            uuid = self.server.sql("SELECT uuid FROM infos LIMIT 1", DATABASE)[0]
            if not UUID.fullmatch(uuid):
                raise Failure(f"the table infos has {uuid!r}, which is not the uuid of an engine")
            replace(path("/etc/profile.d/xivo_uuid.sh"), f"export XIVO_UUID={uuid}\n", 0o644)
            settings = path("/etc/systemd/system.conf")
            replace(settings, with_uuid(read(settings), uuid), 0o644)
            run(["systemctl", "set-environment", f"XIVO_UUID={uuid}"])
            run(["systemctl", "daemon-reload"])
        run(["xivo-update-config"])

    def undo(self, kept, saved, run_id):
        if self.part["archive"] == "data":
            if os.path.exists(os.path.join(kept, "data.tar")):
                for name in read(kept + ".new-files").split("\0"):
                    if name and not name.endswith("/") and os.path.lexists(f"{ROOT}/{name}"):
                        os.unlink(f"{ROOT}/{name}")
                run(["tar", "--extract", "--preserve-permissions", "--xattrs", "--acls", "--directory", ROOT or "/", "--file",
                     os.path.join(kept, "data.tar")], "put Wazo's files back")
            return
        before = f"{DATABASE}_before_{run_id}"
        if self.server.exists(before):
            self.server.drop(DATABASE)
            self.server.rename((before, DATABASE))
            self._settle()

    def forget(self, run_id):
        if self.part["archive"] == "db":
            for name in self.server.names():
                if re.fullmatch(rf"{DATABASE}_before_\d+", name) and not name.endswith("_" + run_id):
                    self.server.drop(name)


def with_uuid(text, uuid):
    """systemd's settings with the engine's uuid in the environment of every unit, where Wazo's daemons look for it."""
    value = f"XIVO_UUID={uuid}"
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if re.match(r"DefaultEnvironment=", line):
            lines[i] = re.sub(r"XIVO_UUID=[^\s\"]*", value, line) if "XIVO_UUID=" in line else f"{line} {value}"
            return "\n".join(lines)
    for i, line in enumerate(lines):
        if line.strip() == "[Manager]":
            lines.insert(i + 1, f"DefaultEnvironment={value}")
            return "\n".join(lines)
    return f"[Manager]\nDefaultEnvironment={value}\n" + text
