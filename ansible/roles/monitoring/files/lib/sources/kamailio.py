"""Kamailio: calls, replies, memory, targets, tables."""

import collections
import re

from command import output
from samples import sample

# Which statistics of Kamailio's modules are kept, and what they are called here.
COUNTERS = {
    "core:rcv_requests": "requests_total",
    "core:fwd_requests": "forwarded_requests_total",
    "core:drop_requests": "dropped_requests_total",
    "core:rcv_replies": "replies_received_total",
    "core:bad_msg_hdr": "malformed_total",
    "dialog:processed_dialogs": "dialogs_total",
    "dialog:failed_dialogs": "dialogs_failed_total",
    "dialog:expired_dialogs": "dialogs_expired_total",
}
GAUGES = {
    "dialog:active_dialogs": "dialogs_active",
    "dialog:early_dialogs": "dialogs_early",
    "shmem:total_size": "shm_bytes",
    "shmem:real_used_size": "shm_used_bytes",
    "shmem:max_used_size": "shm_used_max_bytes",
    "tmx:active_transactions": "transactions_active",
}
# sl counts some codes by themselves, and the rest of their class beside them.
CLASSES = {"replies": re.compile(r"sl:([1-6])(?:xx|\d\d)_replies"), "transactions": re.compile(r"tmx:([2-6])xx_transactions")}
# The letters of a target's state: active, inactive, disabled, trying. Source: Kamailio, module dispatcher, dispatcher.list.
STATES = {"A": "up", "T": "up", "I": "down", "D": "disabled"}
# Bit of a registration that holds. Source: Kamailio, src/modules/uac/uac_reg.h.
ONLINE = 4


def collect(settings):
    def rpc(*words):
        return output("kamcmd", "-s", settings["socket"], *words)

    known = rpc("system.listMethods").split()

    def ask(method, *words):
        return rpc(method, *words) if method in known else ""

    yield sample("calldata_kamailio_uptime_seconds", re.search(r"uptime: (\d+)", rpc("core.uptime")).group(1))
    yield from statistics(ask("stats.get_statistics", "all"))
    yield from targets(ask("dispatcher.list"))
    yield from tables(ask("htable.stats"), settings["ban_tables"], settings["down_tables"])
    yield from registrations(ask("uac.reg_dump"))
    calls = output(settings["active_calls"]).strip()
    yield sample("calldata_active_calls", calls, server="kamailio")


def statistics(text):
    classes = collections.Counter()
    for line in text.splitlines():
        name, _, value = line.partition(" = ")
        if name in COUNTERS or name in GAUGES:
            yield sample("calldata_kamailio_" + (COUNTERS.get(name) or GAUGES[name]), value)
        for kind, pattern in CLASSES.items():
            if match := pattern.fullmatch(name):
                classes[kind, match.group(1) + "xx"] += int(value)
    for (kind, of), number in classes.items():
        yield sample(f"calldata_kamailio_{kind}_total", number, **{"class": of})


def targets(text):
    """Each target of the dispatcher, and how many are in each state."""
    if not text:
        return
    count = {"up": 0, "down": 0, "disabled": 0}
    group = uri = ""
    for line in text.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "ID":
            group = value
        elif key == "URI":
            uri = value
        elif key == "FLAGS":
            state = STATES.get(value[:1], "down")
            count[state] += 1
            yield sample("calldata_kamailio_target_up", state == "up", set=group, uri=uri)
    for state, number in count.items():
        yield sample("calldata_kamailio_targets", number, state=state, of="dispatcher")


def tables(text, bans, downs):
    name, banned = "", 0
    for line in text.splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "name":
            name = value
        elif key == "all":
            yield sample("calldata_kamailio_table_entries", value, table=name)
            banned += int(value) if name in bans else 0
            if name in downs:
                yield sample("calldata_kamailio_targets", value, state="down", of=name)
    if text and bans:
        yield sample("calldata_bans", banned)


def registrations(text):
    """Our registrations with carriers."""
    if not text:
        return
    flags = [int(number) for number in re.findall(r"^\s*flags: (\d+)", text, re.M)]
    online = sum(1 for flag in flags if flag & ONLINE)
    yield sample("calldata_registrations", online, server="kamailio", state="up")
    yield sample("calldata_registrations", len(flags) - online, server="kamailio", state="down")
