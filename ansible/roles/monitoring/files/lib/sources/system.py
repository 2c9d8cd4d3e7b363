"""The machine: memory and disks in use, in percent."""

import os

from samples import sample

KINDS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat")


def collect(_):
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = {line.split(":")[0]: int(line.split()[1]) for line in file}
    yield sample("calldata_memory_used_percent", 100 * (1 - memory["MemAvailable"] / memory["MemTotal"]))
    with open("/proc/1/mounts", encoding="utf-8") as file:
        mounts = [line.split()[1] for line in file if line.split()[2] in KINDS]
    seen = set()
    for path in ["/"] + sorted(mounts, key=len):
        try:
            device, disk = os.stat(path).st_dev, os.statvfs(path)
        except OSError:
            continue
        if device in seen or not disk.f_blocks:
            continue
        seen.add(device)
        # As df counts: what only root may use is neither free nor used.
        used = disk.f_blocks - disk.f_bfree
        yield sample("calldata_disk_used_percent", 100 * used / (used + disk.f_bavail), path=path)
        if disk.f_files:
            yield sample("calldata_inodes_used_percent", 100 * (1 - disk.f_favail / disk.f_files), path=path)
