"""Where things are on this machine, and how programs are run. CALLDATA_ROOT goes before the paths of the system; for tests."""

import contextlib
import fcntl
import json
import os
import subprocess
import tempfile

ROOT = os.environ.get("CALLDATA_ROOT", "")
SETTINGS = ROOT + "/etc/calldata/backup.json"
PARTS = ROOT + "/etc/calldata/backup.d"
STATE = ROOT + "/var/lib/calldata/backup"
METRICS = ROOT + "/var/lib/prometheus/node-exporter/calldata_backup.prom"
LOCK = ROOT + "/run/calldata-backup.lock"

# What a program said when it failed, at most: the end tells why.
LAST_WORDS = 600


class Failure(Exception):
    """What was to be done could not be done."""


class Refusal(Failure):
    """Nothing was touched. Each reason is a text of its own."""

    def __init__(self, *reasons):
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class Busy(Failure):
    """Somebody else is at it."""


def say(text):
    print(text, flush=True)


def path(name):
    """A path of the system, given from its root."""
    return ROOT + name


def replace(name, data, mode):
    """Write a file so that a reader finds the old or the new one, whole."""
    os.makedirs(os.path.dirname(name), exist_ok=True)
    new = name + ".new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(new, mode)
    os.replace(new, name)


def read(name, default=""):
    try:
        with open(name, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return default


def run(arguments, what=None, **options):
    """Run a program and answer its output. Arguments never have secrets, so that an error may show them."""
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=errors, check=False, **options)
        except OSError as error:
            raise Failure(f"{what or arguments[0]}: {error}") from error
        if done.returncode:
            raise Failure(f"{what or ' '.join(arguments)}: {last_words(errors)} (code {done.returncode})")
    return done.stdout.decode(errors="replace")


def last_words(errors):
    errors.seek(0)
    text = " ".join(errors.read().decode(errors="replace").split())
    return text[-LAST_WORDS:] or "it did not say why"


@contextlib.contextmanager
def locked():
    """One run at a time on this machine."""
    os.makedirs(os.path.dirname(LOCK), exist_ok=True)
    with open(LOCK, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy("another calldata-backup works on this machine, wait until it has ended") from error
        yield


def settings():
    try:
        with open(SETTINGS, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise Failure(f"settings of backups: {error}; the role backup writes them") from error


def parts():
    """The parts of this machine, in the order of their files' names."""
    found = {}
    try:
        names = sorted(name for name in os.listdir(PARTS) if name.endswith(".json"))
    except FileNotFoundError:
        names = []
    for name in names:
        try:
            with open(os.path.join(PARTS, name), encoding="utf-8") as file:
                part = json.load(file)
            found[part["name"]] = part
        except (OSError, ValueError, KeyError) as error:
            raise Failure(f"{PARTS}/{name}: {error!r}; the role backup writes it") from error
    if not found:
        raise Failure(f"{PARTS} has no parts, so there is nothing to save; the role backup writes them")
    return found


@contextlib.contextmanager
def workspace():
    """A directory that only root reads and that goes away."""
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATE, prefix="work-") as name:
        yield name


def aws(service, config, endpoint=None):
    """A client of AWS with the machine's own credentials, or of what is like it elsewhere."""
    import boto3
    from botocore.config import Config

    # Debian 12's SDK does not know the variable yet. Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL")
    plain = (endpoint or "").startswith("http://")
    return boto3.client(
        service, endpoint_url=endpoint or None, verify=None if plain else "/etc/ssl/certs/ca-certificates.crt",
        config=Config(region_name=config["region"], connect_timeout=10, read_timeout=60, retries={"mode": "standard", "max_attempts": 5},
                      s3={"addressing_style": "path" if plain else "auto"}))
