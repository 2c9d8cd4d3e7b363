"""A pair of engines: how old the data is that the second one has, told by the first, which copies its own there every hour.

Wazo keeps no record of it. Its script dumps the database when the second engine answers; the two other files it removes when both have
the same data, and leaves behind when not. A dump that fails leaves half of one, and neither of the two.
Source: wazo-platform/xivo-config, sbin/xivo-master-slave-db-replication; wazo-platform/wazo-sysconfd, plugins/ha_config.
"""

import os
import time

from samples import sample

DUMP = "out_master_backup.sql"
LEFT = ("replication.sql", "out_slave_check.sql")
HOUR = 3600
# The script has Asterisk reload a module between the dump and the next file: seconds, in which nothing tells that it goes on.
SETTLED = 60
# The last comment of pg_dump. Only \unrestrict with its key, 63 characters at most, may come behind it.
# Source: PostgreSQL, src/bin/pg_dump/pg_backup_archiver.c, RestoreArchive.
END = b"-- PostgreSQL database dump complete"
TAIL = 512

# When the newest copy was begun that both have, as far as is known: while the next one is made, and after one that failed, no file says.
copied = None


def collect(settings):
    global copied
    # An engine that copies itself to none has no such file.
    if (made := changed(settings["cron"])) is None:
        copied = None
        return []
    dump = os.path.join(settings["directory"], DUMP)
    begun = changed(dump)
    if begun is not None and ended(begun, dump, settings["directory"]):
        copied = begun
    elif copied is None:
        # The one before is an hour older at least. With no file, there was none since the pair was made, or since the machine was started,
        # which empties the directory.
        copied = max(made, booted()) if begun is None else begun - HOUR
    return [sample("calldata_copy_age_seconds", time.time() - copied)]


def ended(begun, dump, directory):
    if time.time() - begun < SETTLED or any(os.path.exists(os.path.join(directory, name)) for name in LEFT):
        return False
    with open(dump, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        return END in file.read(TAIL).splitlines()


def changed(path):
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def booted():
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
