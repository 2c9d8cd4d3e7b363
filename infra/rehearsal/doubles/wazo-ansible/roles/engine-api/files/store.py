"""What the rehearsal's double of a Wazo engine remembers, and the SIP accounts that follow from it.

The state is one JSON file, mode 0600. Kamailio gets HA1 digests (RFC 2617, section 3.2.2.2), not passwords; the state
keeps the passwords of lines because confd, too, answers them in plain text to those who may read endpoints.
"""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import secrets
import tempfile
import threading
import uuid

STATE = pathlib.Path("/var/lib/wazo-double/state.json")
ACCOUNTS = pathlib.Path("/var/lib/wazo-double/dbtext/subscriber")
DIALPLAN = pathlib.Path("/etc/asterisk/extensions_extra.d")
REALM = "asterisk"

EMPTY = {
    "configured": False, "uuid": "", "users": [], "policies": [], "tenants": [], "contexts": [], "endpoints": [],
    "confd_users": [], "lines": [], "extensions": [], "next_id": 1,
}


def hash_password(password):
    salt = secrets.token_bytes(16)
    return salt.hex() + ":" + hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()


def check_password(password, stored):
    salt, _, digest = stored.partition(":")
    got = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
    return hmac.compare_digest(got, digest)


def write_atomically(path, text, mode):
    """Replace a file in one step, so that no reader ever sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            file.write(text)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def echo_extensions(directory):
    """Read the dialplan files: the extensions of each context that are answered with Echo()."""
    found = {}
    for path in sorted(directory.glob("*.conf")):
        context = exten = None
        for line in path.read_text(encoding="utf-8").splitlines():
            line = line.split(";", 1)[0].strip()
            if section := re.fullmatch(r"\[([^\]]+)\](\(\+\))?", line):
                context, exten = section[1], None
                continue
            step = re.fullmatch(r"(exten|same)\s*=>?\s*(.*)", line)
            if not step or context is None:
                continue
            parts = step[2].split(",", 2)
            if step[1] == "exten":
                exten, application = parts[0].strip(), parts[-1]
            else:
                application = step[2].split(",", 1)[-1]
            if exten and re.match(r"\s*Echo\(", application):
                found.setdefault(context, set()).add(exten)
    return found


class Store:
    """The state. Use it as a context manager to change it: leaving writes the files."""

    def __init__(self, state=STATE, accounts=ACCOUNTS, dialplan=DIALPLAN):
        self.paths = (state, accounts, dialplan)
        self.lock = threading.RLock()
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
        finally:
            self.lock.release()

    def save(self):
        state, accounts, dialplan = self.paths
        with self.lock:
            write_atomically(state, json.dumps(self.data, indent=1), 0o600)
            write_atomically(accounts, self.accounts(echo_extensions(dialplan)), 0o640)

    def accounts(self, echoes):
        """Kamailio's table of SIP accounts: one line per endpoint that belongs to a line."""
        rows = ["username(string) domain(string,null) ha1(string) echoes(string,null)"]
        contexts = {line["endpoint_sip"]["uuid"]: line["context"] for line in self.data["lines"]}
        for endpoint in self.data["endpoints"]:
            options = dict(endpoint["auth_section_options"])
            if endpoint["uuid"] not in contexts or not {"username", "password"} <= set(options):
                continue
            text = f"{options['username']}:{REALM}:{options['password']}"
            ha1 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            answered = ",".join(sorted(echoes.get(contexts[endpoint["uuid"]], ())))
            rows.append(f"{options['username']}::{ha1}:{answered}")
        return "\n".join(rows) + "\n"

    def next_id(self):
        number = self.data["next_id"]
        self.data["next_id"] = number + 1
        return number
