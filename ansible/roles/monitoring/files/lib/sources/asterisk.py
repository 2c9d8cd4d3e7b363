"""Asterisk: calls, channels, endpoints, registrations, time since its start."""

import collections
import re

from command import output
from samples import sample

CHANNELS = {"active channel": "channels", "call processed": "calls_total", "calls processed": "calls_total"}
CONTACT = re.compile(r"^\s*Contact:\s+\S+\s+\S+\s+(Avail|Unavail|NonQual|Unknown|Created|Removed)\b", re.M)
ENDPOINT = re.compile(r"^\s*Endpoint:\s+.*?\s{2,}(\S.*?)\s+\d+ of \S+\s*$", re.M)
REGISTRATION = re.compile(r"^\s+\S+/sips?:\S+\s+\S+\s+(\w+)", re.M)


def collect(_):
    def ask(command):
        return output("asterisk", "-rx", command)

    uptime = re.search(r"System uptime: (\d+)", ask("core show uptime seconds"))
    if uptime:
        yield sample("calldata_asterisk_uptime_seconds", uptime.group(1))
    yield from channels(ask("core show channels count"))
    yield from peers(ask("pjsip list endpoints"), ask("pjsip list contacts"), ask("pjsip list registrations"))


def channels(text):
    found = re.findall(r"^(\d+) (active channel|active call|call processed|calls processed)", text, re.M)
    for number, what in found:
        if what == "active call":
            yield sample("calldata_active_calls", number, server="asterisk")
        else:
            yield sample("calldata_asterisk_" + CHANNELS[what], number)
    if not found:
        raise RuntimeError("asterisk does not tell how many channels there are")


def peers(endpoints, contacts, registrations):
    for state, number in collections.Counter(ENDPOINT.findall(endpoints)).items():
        yield sample("calldata_asterisk_endpoints", number, state=state.lower())
    # A contact that is not asked whether it is there counts as there.
    known = collections.Counter(CONTACT.findall(contacts))
    away = known["Unavail"] + known["Removed"]
    yield sample("calldata_registrations", known.total() - away, server="asterisk", state="up")
    yield sample("calldata_registrations", away, server="asterisk", state="down")
    ours = REGISTRATION.findall(registrations)
    up = ours.count("Registered")
    yield sample("calldata_asterisk_trunk_registrations", up, state="up")
    yield sample("calldata_asterisk_trunk_registrations", len(ours) - up, state="down")
