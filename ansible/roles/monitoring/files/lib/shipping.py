"""Batches of CloudWatch Logs.

Source of all limits: Amazon CloudWatch Logs API Reference, PutLogEvents.
"""

import datetime
import re
import time

BATCH_BYTES = 1_048_576
BATCH_EVENTS = 10_000
EVENT_OVERHEAD = 26
EVENT_BYTES = 256 * 1024 - EVENT_OVERHEAD
PAST_MS = 14 * 86_400_000 - 3_600_000
FUTURE_MS = 2 * 3_600_000 - 60_000
SPAN_MS = 86_400_000 - 1

# How our programs and Wazo's begin a line: the local time, to the second or finer.
STAMP = re.compile(r"\[?(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z|[+-]\d\d:?\d\d)?")


def stamp(line, otherwise):
    """The time of a line in milliseconds since 1970, by its beginning if that tells."""
    match = STAMP.match(line)
    if not match:
        return otherwise
    zone = match.group(4) or ""
    try:
        when = datetime.datetime.fromisoformat(f"{match.group(1)}T{match.group(2)}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return otherwise
    return int(when.timestamp() * 1000) + int((match.group(3) or "0").ljust(3, "0")[:3])


def clip(line):
    """At most what one event may hold, in UTF-8."""
    data = line.encode("utf-8", "replace")
    return line if len(data) <= EVENT_BYTES else data[:EVENT_BYTES].decode("utf-8", "ignore")


def size(event):
    return len(event["message"].encode("utf-8", "replace")) + EVENT_OVERHEAD


def batches(events, now=None):
    """Events of one stream as CloudWatch takes them: in the order of time, cut where a limit is reached. What is too old
    is left out, as CloudWatch would; what claims to come from the future comes from now."""
    now = int(time.time() * 1000) if now is None else now
    for event in events:
        if event["timestamp"] > now + FUTURE_MS:
            event["timestamp"] = now
    batch, held = [], 0
    for event in sorted((e for e in events if e["message"] and e["timestamp"] >= now - PAST_MS), key=lambda e: e["timestamp"]):
        weight = size(event)
        if batch and (held + weight > BATCH_BYTES or len(batch) == BATCH_EVENTS or event["timestamp"] - batch[0]["timestamp"] > SPAN_MS):
            yield batch
            batch, held = [], 0
        batch.append(event)
        held += weight
    if batch:
        yield batch
