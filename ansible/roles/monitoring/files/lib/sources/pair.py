"""A pair of engines: how old the data is that the second one has, told by the first, which copies its own there every hour.

Wazo keeps no record of it. Its script dumps the database when the second engine answers; the two other files it removes when both have
the same data, and leaves behind when not.
Source: wazo-platform/xivo-config, sbin/xivo-master-slave-db-replication; wazo-platform/wazo-sysconfd, plugins/ha_config.
"""

import os
import time

from samples import sample

DUMP = "out_master_backup.sql"
LEFT = ("replication.sql", "out_slave_check.sql")
HOUR = 3600

# When the newest copy was begun that both have, as far as is known: while the next one is made, and after one that failed, no file says.
copied = None


def collect(settings):
    global copied
    # An engine that copies itself to none has no such file.
    if (made := changed(settings["cron"])) is None:
        copied = None
        return []
    begun = changed(os.path.join(settings["directory"], DUMP))
    if begun is not None and not any(os.path.exists(os.path.join(settings["directory"], name)) for name in LEFT):
        copied = begun
    elif copied is None:
        # The one before is an hour older at least. With no file, there was none since the pair was made, or since the machine was started,
        # which empties the directory.
        copied = max(made, booted()) if begun is None else begun - HOUR
    return [sample("calldata_copy_age_seconds", time.time() - copied)]


def changed(path):
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def booted():
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
