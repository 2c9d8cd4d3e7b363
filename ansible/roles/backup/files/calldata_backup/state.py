"""What is known of the last backups, for people (last.json) and for Prometheus (the text format of node_exporter)."""

import json
import os

from .system import METRICS, STATE, read, replace

LAST = STATE + "/last.json"

# Source of the format: Prometheus, "Exposition formats".
SERIES = (
    ("last_success_seconds", "last_success", "When the newest good backup of the part was begun, in seconds since 1970."),
    ("last_attempt_seconds", "last_attempt", "When a backup of the part was last begun, in seconds since 1970."),
    ("failed", "failed", "1 if the last attempt failed, else 0."),
    ("size_bytes", "bytes", "Bytes that the newest good backup of the part takes in the store."),
    ("plain_size_bytes", "plain_bytes", "Bytes of the newest good backup of the part before compression."),
    ("duration_seconds", "seconds", "Seconds that the newest good backup of the part took."),
)


def load():
    try:
        return json.loads(read(LAST) or "{}").get("parts", {})
    except ValueError:
        return {}


def record(changes, known, host):
    """Write what a run found out about parts. Parts that this machine no longer has are forgotten."""
    parts = {name: {**old, **changes.get(name, {})} for name, old in {**{n: {} for n in changes}, **load()}.items() if name in known}
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    replace(LAST, json.dumps({"host": host, "parts": parts}, indent=1, sort_keys=True) + "\n", 0o600)
    lines = []
    for metric, field, text in SERIES:
        lines += [f"# HELP calldata_backup_{metric} {text}", f"# TYPE calldata_backup_{metric} gauge"]
        lines += [f'calldata_backup_{metric}{{part="{name}"}} {part[field]}' for name, part in sorted(parts.items()) if field in part]
    replace(METRICS, "\n".join(lines) + "\n", 0o644)
