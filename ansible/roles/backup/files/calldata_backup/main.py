"""The command line. Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 refused and nothing touched, 75 somebody else is at it."""

import argparse
import contextlib
import json
import os
import signal
import sys

from . import fetch, manifest, restore, save
from .store import open_store
from .stream import Identity
from .system import Busy, Failure, Refusal, parts, say, settings, workspace

FAILED, REFUSED, BUSY = 1, 3, 75


def arguments():
    parser = argparse.ArgumentParser(prog="calldata-backup", description="Save what this machine cannot be rebuilt from, and bring it back.")
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name, run, text):
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    def backup(made, help_text="SOURCE/TIME-XXXX as list prints it, or SOURCE/latest"):
        made.add_argument("backup", help=help_text)
        made.add_argument("--part", action="append", help="only this part; may be repeated")
        made.add_argument("--identity", metavar="FILE", help="file of the private key, as age-keygen writes it, mode 0600")
        made.add_argument("--identity-secret", metavar="ARN", help="secret of AWS Secrets Manager that has the private key")
        made.add_argument("--from", dest="handed", metavar="FILE", help="take it from what `calldata backup restore --from` hands over, mode 0600")
        return made

    made = verb("now", save.now, "Save the parts of this machine.")
    made.add_argument("--part", action="append", help="only this part; may be repeated")
    made.add_argument("--scheduled", action="store_true", help="leave out what another machine has just saved; for the timer")
    made.add_argument("--server", metavar="FILE", help="save the databases of the part that --part names from another server, which this file of "
                      "mode 0600 names as JSON: host, port, username, password; the source has -then after its name, and the machine's own state stays")
    made = verb("list", list_backups, "List the backups of this machine's role.")
    made.add_argument("--source", default="", help="only of this source")
    made.add_argument("--json", action="store_true", help="print the manifests")
    backup(verb("verify", verify, "Compare what is stored with its manifest; with a key, also what is in it."))
    made = backup(verb("fetch", fetch_parts, "Bring the parts of a backup to a directory, decrypted, as tar archives."))
    made.add_argument("directory", help="an empty or new directory")
    made = backup(verb("restore", restore.restore, "Put a backup in place, after everything about it was checked."))
    made.add_argument("--yes", action="store_true", help="stop services that are running")
    made.add_argument("--check", action="store_true", help="only check; touch nothing")
    made.add_argument("--allow", action="append", default=[], choices=restore.REASONS, help="restore in spite of this reason; may be repeated")
    made = verb("rollback", restore.rollback, "Put back what was there before the last restore.")
    made.add_argument("--yes", action="store_true", help="stop services that are running")
    return parser


def list_backups(options):
    store = open_store(settings())
    whole, loose = manifest.complete(store, options.source)
    found = []
    for backup in whole:
        try:
            found.append(manifest.read(store, backup))
        except Refusal as refusal:
            found.append({"id": backup, "damaged": str(refusal), "parts": [], "failed": {}})
    if options.json:
        return say(json.dumps(found, indent=1, sort_keys=True))
    for made in found:
        size = sum(p["bytes"] for p in made["parts"])
        note = "damaged manifest" if "damaged" in made else "without " + ", ".join(made["failed"]) if made["failed"] else "complete"
        say(f"{made['id']}  {size:>14,}  {note}  {' '.join(p['name'] for p in made['parts'])}")
    for backup in sorted(loose):
        say(f"{backup}  {'':>14}  no manifest: cut off, or not ended yet")
    return None


def verify(options):
    config = settings()
    store = open_store(config, options.handed)
    made = manifest.read(store, manifest.resolve(store, options.backup, parts(), options.part))
    identity, wrong = Identity.of(options, config), []
    with workspace() as work:
        for part in fetch.chosen(made, options.part):
            try:
                fetch.verify(store, made, part, identity, work)
                say(f"{made['id']}: {part['name']} is whole")
            except Refusal as refusal:
                wrong.append(str(refusal))
    if wrong:
        raise Refusal(*wrong)
    if identity is None and made["encryption"] == "age":
        say("without the private key, only what is stored was compared")


def fetch_parts(options):
    config = settings()
    store = open_store(config, options.handed)
    made = manifest.read(store, manifest.resolve(store, options.backup, parts(), options.part))
    identity = Identity.of(options, config)
    fetch.need_identity(made, identity)
    os.makedirs(options.directory, mode=0o700, exist_ok=True)
    if os.listdir(options.directory):
        raise Refusal(f"{options.directory} is not empty")
    with workspace() as work:
        for part in fetch.chosen(made, options.part):
            target = os.path.join(options.directory, part["name"] + ".tar")
            try:
                with open(os.path.join(work, "stored"), "w+b") as file, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    fetch.download(store, made, part, file)
                    file.seek(0)
                    fetch.unseal(made, part, file, identity, tar_file=out)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(target)
                raise
            say(target)


def main(words):
    options = arguments().parse_args(words)
    os.umask(0o022)
    # systemd and people end a run so; what is open is closed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        options.run(options)
        return 0
    except Refusal as refusal:
        for reason in refusal.reasons:
            print(f"refused: {reason}", file=sys.stderr)
        return REFUSED
    except Busy as busy:
        print(f"busy: {busy}", file=sys.stderr)
        return BUSY
    except Failure as failure:
        for line in str(failure).split("\n"):
            print(f"failed: {line}", file=sys.stderr)
        return FAILED
