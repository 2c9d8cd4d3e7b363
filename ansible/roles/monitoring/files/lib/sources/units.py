"""Services under systemd: whether they run, and what they use."""

import os

from command import output
from samples import sample

PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,MainPID,MemoryCurrent,CPUUsageNSec,NRestarts,Type"


def collect(settings):
    shown = output("systemctl", "show", "--all", "--property=" + PROPERTIES, *settings["units"])
    for block in shown.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if not unit or unit.get("LoadState") != "loaded" or unit["UnitFileState"] == "disabled":
            continue
        name = unit["Id"].removesuffix(".service")
        # One that does its work and ends is well unless it failed.
        good = unit["ActiveState"] != "failed" if unit["Type"] == "oneshot" else unit["ActiveState"] in ("active", "reloading")
        yield sample("calldata_unit_up", good, unit=name)
        yield sample("calldata_unit_restarts_total", unit["NRestarts"], unit=name)
        if unit["MemoryCurrent"].isdigit():
            yield sample("calldata_unit_memory_bytes", unit["MemoryCurrent"], unit=name)
        if unit["CPUUsageNSec"].isdigit():
            yield sample("calldata_unit_cpu_seconds_total", int(unit["CPUUsageNSec"]) / 1e9, unit=name)
        if unit["MainPID"] != "0":
            yield from files(name, unit["MainPID"])


def files(name, pid):
    try:
        count = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            most = next(line.split()[3] for line in limits if line.startswith("Max open files"))
    except (OSError, StopIteration):
        # It has ended meanwhile.
        return
    yield sample("calldata_unit_open_files", count, unit=name)
    yield sample("calldata_unit_open_files_max", most, unit=name)
