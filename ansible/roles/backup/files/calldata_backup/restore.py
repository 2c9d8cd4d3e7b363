"""calldata-backup restore and rollback.

A restore has two halves. The first fetches and checks everything and touches nothing: whatever is wrong ends it there, with
every reason at once. The second goes step by step and writes down each, so that the same command goes on where it was cut
off. What was there before is kept until the next restore, and `rollback` puts it back.
"""

import json
import os
import shutil
import subprocess
import time

from . import fetch, manifest
from .kinds import kind_of
from .store import open_store
from .stream import Identity
from .system import STATE, Failure, Refusal, locked, parts, read, replace, run, say, settings

JOURNAL = STATE + "/restore.json"
# Room that stays free on the disk whatever is restored.
SPARE = 64 << 20
CHECK_SECONDS = 60
REASONS = ("role", "stack", "wazo-version", "postgresql-version", "schema", "disk-space")


def active(unit):
    return subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0


def gather(chosen, field):
    """The values of a field of parts, each once, in order."""
    out = []
    for part in chosen:
        out += [v for v in part.get(field, ()) if v not in out]
    return out


def in_use(chosen):
    """Units that run, of those that a restore of the parts would stop."""
    return [u for u in dict.fromkeys(u for part in chosen for u in part.get("in_use", part.get("services", ()))) if active(u)]


class Journal:
    """The steps of a restore that are done, on disk before the next begins."""

    def __init__(self, data):
        self.data = data

    @classmethod
    def load(cls):
        text = read(JOURNAL)
        return cls(json.loads(text)) if text else None

    def save(self):
        replace(JOURNAL, json.dumps(self.data, indent=1) + "\n", 0o600)

    def step(self, name, action, *arguments):
        if name in self.data["done"]:
            return
        say(f"restore: {name}")
        try:
            action(*arguments)
        except Failure as failure:
            raise Failure(f"{name}: {failure}\nThe restore of {self.data['id']} is half done. The same command goes on from here once the reason is "
                          "gone; calldata-backup rollback puts back what was there before.") from failure
        self.data["done"].append(name)
        self.save()

    @property
    def directory(self):
        return os.path.join(STATE, f"restore-{self.data['run']}")

    @property
    def unfinished(self):
        return "finish" not in self.data["done"]


def restore(options):
    config, known = settings(), parts()
    store = open_store(config, options.handed)
    with locked():
        earlier = Journal.load()
        backup = manifest.resolve(store, options.backup, known, options.part)
        if earlier and earlier.unfinished:
            names = sorted(p["name"] for p in earlier.data["saved"])
            if options.check:
                raise Refusal(f"a restore of {earlier.data['id']} is half done")
            if earlier.data["id"] != backup or (options.part and sorted(options.part) != names):
                raise Refusal(f"a restore of {earlier.data['id']} ({', '.join(names)}) is half done: finish it with the same command, or "
                              "calldata-backup rollback")
            say(f"restore: goes on with {backup}, after {(earlier.data['done'] or ['the checks'])[-1]}")
            return second_half(config, known, earlier)
        return first_half(options, config, known, store, backup)


def first_half(options, config, known, store, backup):
    made = manifest.read(store, backup)
    identity = Identity.of(options, config)
    saved = fetch.chosen(made, options.part)
    reasons, notes = objections(options, config, known, made, saved, identity)
    if reasons:
        raise Refusal(*reasons)
    for note in notes:
        say(note)
    tidy()
    journal = Journal({"id": backup, "run": str(time.time_ns() // 1_000_000), "saved": saved, "services": [], "done": []})
    loaded, kept = [], False
    try:
        for part in saved:
            stage(store, made, part, identity, journal.directory)
            say(f"restore: {part['name']} is whole")
        if options.check:
            return say(f"restore: {backup} can be restored, nothing was touched")
        for part in saved:
            loaded.append(part)
            kind_of(known[part["name"]], config).load(tree_of(journal, part), journal.data["run"])
        kept = True
    except BaseException:
        for part in loaded:
            kind_of(known[part["name"]], config).undo(kept_of(journal, part), part, journal.data["run"])
        raise
    finally:
        if not kept:
            shutil.rmtree(journal.directory, ignore_errors=True)
    journal.data["services"] = [u for u in gather([known[p["name"]] for p in saved], "services") if active(u)]
    journal.save()
    tidy()
    return second_half(config, known, journal)


def objections(options, config, known, made, saved, identity):
    """Everything that speaks against the restore, but for damage, which shows when the parts are here."""
    reasons, notes, against = [], [], []
    for field in ("role", "stack"):
        if made[field] != config[field]:
            against.append((field, f"the backup is of {field} {made[field]}, this machine is of {field} {config[field]}"))
    needed = SPARE + max((p["bytes"] for p in saved), default=0)
    for part in saved:
        try:
            if part["name"] not in known:
                raise Refusal(f"this machine has the parts {', '.join(known)}; choose with --part")
            if part["kind"] != known[part["name"]]["kind"]:
                raise Refusal(f"it was saved as {part['kind']}, here it is {known[part['name']]['kind']}")
            kind = kind_of(known[part["name"]], config)
            against += [(reason, f"part {part['name']}: {text}") for reason, text in kind.objections(part, part.get("versions", {}))]
            # Once extracted, once as the copy of what was there.
            needed += 2 * part["plain_bytes"] + kind.local_bytes(part)
        except Failure as failure:
            reasons.append(f"part {part['name']}: {failure}")
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    free = shutil.disk_usage(STATE).free
    if free < needed:
        against.append(("disk-space", f"{needed} bytes are needed in {STATE}, {free} are free"))
    for reason, text in against:
        if reason in options.allow:
            notes.append(f"restore: {text}; allowed by --allow {reason}")
        else:
            reasons.append(f"{text}; --allow {reason} restores it nevertheless")
    try:
        fetch.need_identity(made, identity)
    except Refusal as refusal:
        reasons.append(str(refusal))
    here = [known[p["name"]] for p in saved if p["name"] in known]
    units = in_use(here)
    if units and not options.yes and not options.check:
        reasons.append(f"{', '.join(units)} is running and would be stopped, with the calls that it carries: take the machine out of service, "
                       "and say --yes")
    return reasons, notes


def stage(store, made, part, identity, directory):
    """Fetch, check and extract a part beside what it will replace."""
    tree = os.path.join(directory, "staged", part["name"])
    os.makedirs(tree, mode=0o700)
    os.chmod(directory, 0o700)
    with open(tree + ".stored", "w+b") as file:
        fetch.download(store, made, part, file)
        file.seek(0)
        fetch.unseal(made, part, file, identity, tree=tree)
    os.unlink(tree + ".stored")


def tree_of(journal, part):
    return os.path.join(journal.directory, "staged", part["name"])


def kept_of(journal, part):
    return os.path.join(journal.directory, "kept", part["name"])


def second_half(config, known, journal):
    saved = journal.data["saved"]
    here = [known[p["name"]] for p in saved]
    kinds = [(p, kind_of(known[p["name"]], config), known[p["name"]]) for p in saved]
    number = journal.data["run"]
    began = time.monotonic()
    journal.step("stop", stop, here, journal)
    for part, kind, _ in kinds:
        journal.step(f"keep {part['name']}", kind.keep, tree_of(journal, part), kept_of(journal, part), number)
    for part, kind, local in kinds:
        journal.step(f"replace {part['name']}", kind.swap, tree_of(journal, part), number)
        journal.step(f"settle {part['name']}", settle, local)
    journal.step("start", start, here, journal)
    journal.step("check", check, here, journal)
    for _, kind, _ in kinds:
        kind.forget(number)
    shutil.rmtree(os.path.join(journal.directory, "staged"), ignore_errors=True)
    journal.step("finish", lambda: None)
    say(f"restore: {journal.data['id']} is restored; services were away for {time.monotonic() - began:.1f} s; calldata-backup rollback puts back what "
        "was there before")


def stop(here, journal):
    for command in gather(here, "stop"):
        run(command)
    for unit in journal.data["services"]:
        run(["systemctl", "stop", unit])


def settle(local):
    """What has to hear of a part that was replaced, before others."""
    for unit in local.get("restart", ()):
        if active(unit):
            run(["systemctl", "restart", unit])
    for command in local.get("after", ()):
        run(command)


def start(here, journal):
    for command in gather(here, "start"):
        run(command)
    for unit in journal.data["services"]:
        run(["systemctl", "start", unit])


def check(here, journal):
    """Ask what was restored whether it works, until it does. What did not run before is not asked."""
    running = [p for p in here if not p.get("services") or set(p["services"]) & set(journal.data["services"])]
    for command in gather(running, "checks"):
        deadline = time.monotonic() + CHECK_SECONDS
        while True:
            try:
                run(command)
                break
            except Failure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


def rollback(options):
    config, known = settings(), parts()
    with locked():
        journal = Journal.load()
        if not journal:
            raise Refusal("there is no restore to roll back")
        saved = [p for p in journal.data["saved"] if p["name"] in known]
        here = [known[p["name"]] for p in saved]
        units = in_use(here)
        if units and not options.yes:
            raise Refusal(f"{', '.join(units)} is running and would be stopped, with the calls that it carries: say --yes")
        journal.data["services"] += [u for u in gather(here, "services") if u not in journal.data["services"] and active(u)]
        journal.save()
        stop(here, journal)
        for part in saved:
            kind_of(known[part["name"]], config).undo(kept_of(journal, part), part, journal.data["run"])
        for local in here:
            settle(local)
        start(here, journal)
        shutil.rmtree(journal.directory, ignore_errors=True)
        os.unlink(JOURNAL)
        check(here, journal)
        say(f"rollback: what was there before the restore of {journal.data['id']} is back")


def tidy():
    """Remove what restores that ended before they touched anything, or that newer ones followed, have left."""
    journal = Journal.load()
    for name in os.listdir(STATE):
        if name.startswith(("restore-", "work-")) and not (journal and os.path.join(STATE, name) == journal.directory):
            shutil.rmtree(os.path.join(STATE, name), ignore_errors=True)
