"""A machine for tests of calldata-backup: a system that is a directory, and a store beside it."""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import time

FILES = pathlib.Path(__file__).resolve().parents[2] / "roles" / "backup" / "files"

SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$CALLDATA_ROOT/systemctl"
case $1 in
is-active) for unit; do :; done; [ -e "$CALLDATA_ROOT/active/$unit" ] ;;
stop) rm -f "$CALLDATA_ROOT/active/$2" ;;
start | restart) [ ! -e "$CALLDATA_ROOT/broken" ] || { echo "unit $2 is broken" >&2; exit 1; }
  mkdir -p "$CALLDATA_ROOT/active"; : >"$CALLDATA_ROOT/active/$2" ;;
esac
"""


class Machine:
    """A system in a directory, and a store beside it that other machines may use too."""

    def __init__(self, top, name="router-1"):
        self.root = pathlib.Path(top) / name
        self.store = pathlib.Path(top) / "store"
        self.key = pathlib.Path(top) / "key"
        if not self.key.exists():
            subprocess.run(["age-keygen", "-o", self.key], check=True, capture_output=True)
            self.key.chmod(0o600)
        public = [line.split()[-1] for line in self.key.read_text().splitlines() if "public key" in line][0]
        self.settings = {  # the store is outside of the system, and its path is given from the system's root
            "destination": "file:///../store", "region": "us-east-1", "encryption": "age", "role": "c4-router", "stack": "stage", "host": name,
            "retention_days": 14, "recipients_file": str(self.root / "etc/calldata/backup-recipients")}
        self.put("etc/calldata/backup-recipients", public + "\n")
        self.write_settings()
        self.put("tools/systemctl", SYSTEMCTL, 0o755)
        self.put("etc/debian_version", "12.9\n")
        self.variables = {}

    def write_settings(self, **changes):
        self.settings |= changes
        self.put("etc/calldata/backup.json", json.dumps(self.settings))

    def put(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def parts(self, *parts):
        folder = self.root / "etc/calldata/backup.d"
        shutil.rmtree(folder, ignore_errors=True)
        for i, part in enumerate(parts):
            self.put(f"etc/calldata/backup.d/{i:02d}.json", json.dumps(part))

    def command(self, *words):
        return [sys.executable, "-B", str(FILES / "calldata-backup"), *words]

    def environment(self):
        return {**os.environ, "CALLDATA_ROOT": str(self.root), "CALLDATA_BACKUP_LIBRARY": str(FILES), "PATH": f"{self.root}/tools:{os.environ['PATH']}", **self.variables}

    def run(self, *words, code=0):
        done = subprocess.run(self.command(*words), env=self.environment(), capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == code, f"code {done.returncode}, not {code}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def snapshot(self, *names):
        """Names, kinds, modes, times and content below the paths."""
        found = {}
        for name in names:
            for path in [self.root / name, *sorted((self.root / name).rglob("*"))]:
                if not os.path.lexists(path):
                    continue
                about = path.lstat()
                content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
                found[str(path.relative_to(self.root))] = (stat.filemode(about.st_mode), about.st_uid, int(about.st_mtime) if path.is_file() else 0, content)
        return found

    def last(self):
        return json.loads((self.root / "var/lib/calldata/backup/last.json").read_text())["parts"]

    def ids(self, source=None):
        return [m["id"] for m in json.loads(self.run("list", "--json")) if source in (None, m["id"].split("/")[0])]

    def object(self, backup, part):
        return self.store / backup / f"{part}.tar.zst.age"


def until(done, seconds=600):
    """Wait until something is so; it is an error if it never is."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not after {seconds} s"
        time.sleep(0.05)
