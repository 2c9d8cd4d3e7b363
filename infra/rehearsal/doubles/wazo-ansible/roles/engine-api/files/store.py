"""What the rehearsal's double of a Wazo engine remembers, and the tables that Kamailio reads of it.

The state is one JSON file, mode 0600. Kamailio gets HA1 digests (RFC 2617, section 3.2.2.2), not passwords; the state
keeps the passwords of lines because confd, too, answers them in plain text to those who may read endpoints.
"""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import pathlib
import secrets
import socket
import tempfile
import threading
import time
import uuid

from dialplan import Dialplan, answered_extensions

STATE = pathlib.Path("/var/lib/wazo-double/state.json")
TABLES = pathlib.Path("/var/lib/wazo-double/dbtext")
DIALPLAN = pathlib.Path("/etc/asterisk/extensions_extra.d")
RPC = pathlib.Path("/run/kamailio/rpc.sock")
# The table subscriber is read anew whenever its file has changed; Kamailio keeps the others in memory.
RELOADS = {"dialplan": ("dialplan.reload", []), "address": ("permissions.addressReload", []),
           "endpoint": ("htable.reload", ["endpoint"])}
RPC_TIMEOUT = 5.0  # seconds

EMPTY = {
    "configured": False, "uuid": "", "users": [], "policies": [], "tenants": [], "contexts": [], "endpoints": [],
    "templates": [], "confd_users": [], "lines": [], "extensions": [], "trunks": [], "incalls": [], "outcalls": [],
    "transports": [], "settings": {}, "localization": {}, "next_id": 1,
}

log = logging.getLogger("store")


def hash_password(password):
    salt = secrets.token_bytes(16)
    return salt.hex() + ":" + hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()


def check_password(password, stored):
    salt, _, digest = stored.partition(":")
    got = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
    return hmac.compare_digest(got, digest)


def write_atomically(path, text, mode):
    """Replace a file in one step, so that no reader ever sees half of it.

    Its time is at least a second later than that of the file before: Kamailio's db_text looks at whole seconds to see
    whether a file has changed.
    """
    before = path.stat().st_mtime if path.exists() else 0
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            file.write(text)
        later = max(time.time(), before + 1)
        os.utime(name, (later, later))
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


class Kamailio:
    """Tells a running Kamailio, over its JSON-RPC socket, to read tables anew. Calls that are up go on."""

    def __init__(self, path=RPC):
        self.path = path

    def reload(self, tables):
        if not (wanted := [RELOADS[table] for table in tables if table in RELOADS]) or not self.path.exists():
            return  # it reads everything when it starts
        with tempfile.TemporaryDirectory(dir=STATE.parent if STATE.parent.exists() else None) as directory, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as rpc:
            os.chmod(directory, 0o711)
            rpc.bind(f"{directory}/reply")
            os.chmod(f"{directory}/reply", 0o722)
            rpc.settimeout(RPC_TIMEOUT)
            for number, (method, params) in enumerate(wanted, 1):
                try:
                    rpc.sendto(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode(),
                               str(self.path))
                    answer = json.loads(rpc.recv(65536))
                except OSError as error:
                    log.warning("Kamailio does not answer %s: %s", method, error)
                    return
                if "error" in answer:
                    log.error("Kamailio refuses %s: %s", method, answer["error"])


class Store:
    """The state. Use it as a context manager to change it: leaving writes the files that have changed."""

    def __init__(self, state=STATE, tables=TABLES, dialplan=DIALPLAN, kamailio=None):
        self.paths = (state, tables, dialplan)
        self.kamailio = kamailio or Kamailio()
        self.lock = threading.RLock()
        self.written = {}
        self.data = json.loads(json.dumps(EMPTY))
        if state.exists():
            self.data.update(json.loads(state.read_text(encoding="utf-8")))
        if not self.data["uuid"]:
            self.data["uuid"] = str(uuid.uuid4())
        self.save()

    def __enter__(self):
        self.lock.acquire()
        return self.data

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.save()
            elif self.written:  # a refused call leaves nothing behind
                self.data.clear()
                self.data.update(json.loads(self.written[self.paths[0]]))
        finally:
            self.lock.release()

    def save(self):
        state, tables, dialplan = self.paths
        with self.lock:
            self.write(state, json.dumps(self.data, indent=1), 0o600)
            texts = Dialplan(self.data, answered_extensions(dialplan)).tables()
            self.kamailio.reload([name for name, text in texts.items() if self.write(tables / name, text, 0o640)])

    def write(self, path, text, mode):
        if self.written.get(path) == text:
            return False
        write_atomically(path, text, mode)
        self.written[path] = text
        return True

    def next_id(self):
        number = self.data["next_id"]
        self.data["next_id"] = number + 1
        return number
