"""Where lines come from: files that are rotated, and the journal. Each gives lines and the position after them; the position is
only kept once the lines have been delivered."""

import glob
import os
import time

from shipping import stamp

CHUNK = 512 * 1024
# A line without an end for this long counts as one.
LINE_BYTES = 64 * 1024
# A program goes on writing to a file that was renamed until it is told.
SETTLED_SECONDS = 10


def identity(status):
    return f"{status.st_dev}:{status.st_ino}"


class File:
    """One log file. Its position is the file's identity and an offset, so that it survives rotation by renaming and by
    truncating."""

    def __init__(self, path, position, first):
        self.path = path
        self.position = position
        if position is None and first:
            # Seen when the shipper ran for the first time: what is in it is older than the shipper.
            self.position = self.begin(end=True)

    def begin(self, end=False):
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return {"id": identity(status), "offset": status.st_size if end else 0}

    def rotated(self):
        """The file that the position is in, when it has another name by now. Compressed files are lost."""
        for other in sorted(glob.glob(glob.escape(self.path) + "*")):
            try:
                if identity(os.stat(other)) == self.position["id"]:
                    return other
            except OSError:
                continue
        return None

    def read(self):
        """Answers events and the position after them."""
        position = self.position or self.begin()
        if position is None:
            return [], None
        self.position = position
        path = self.rotated()
        if path is None:
            position = self.begin()
            if position is None:
                return [], None
            path = self.path
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if identity(status) != position["id"]:
                return [], position
            if status.st_size < position["offset"]:
                position = {"id": position["id"], "offset": 0}
            file.seek(position["offset"])
            data = file.read(CHUNK)
        moved = path != self.path
        whole = data.rfind(b"\n") + 1
        if not whole and (moved or len(data) >= LINE_BYTES):
            whole = len(data)
        if not whole and moved and os.path.exists(self.path) and time.time() - status.st_mtime > SETTLED_SECONDS:
            # It is read to its end: on to its successor.
            return [], self.begin()
        now = int(time.time() * 1000)
        events = []
        for line in data[:whole].decode("utf-8", "replace").splitlines():
            # Lines that follow without a time of their own belong to the one before.
            now = stamp(line, now)
            events.append({"timestamp": now, "message": line})
        return events, {"id": position["id"], "offset": position["offset"] + whole}


class Journal:
    """The journal, of some units or of all others. Its position is a cursor."""

    ENTRIES = 2000
    # When the shipper runs for the first time, how the machine came up is of interest, what was long before is not.
    FIRST_SECONDS = 86_400

    def __init__(self, units, but, position, first):
        from systemd import journal

        self.reader = journal.Reader()
        self.but = set(but)
        for unit in units:
            self.reader.add_match(_SYSTEMD_UNIT=unit)
        self.position = position
        self.first = first

    def read(self):
        # Notice new and rotated journal files.
        self.reader.wait(0)
        if self.position:
            self.reader.seek_cursor(self.position)
            entry = self.reader.get_next()
            if entry and entry["__CURSOR"] != self.position:
                # That one is gone: this is the first after it.
                return self.take(entry)
        elif self.first:
            self.reader.seek_realtime(time.time() - self.FIRST_SECONDS)
        else:
            self.reader.seek_head()
        return self.take(self.reader.get_next())

    def take(self, entry):
        events, position = [], self.position
        for _ in range(self.ENTRIES):
            if not entry:
                break
            position = entry["__CURSOR"]
            if entry.get("_SYSTEMD_UNIT") not in self.but:
                message = entry.get("MESSAGE", "")
                message = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
                who = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "kernel"
                events.append({"timestamp": int(entry["__REALTIME_TIMESTAMP"].timestamp() * 1000), "message": f"{who}: {message}"})
            entry = self.reader.get_next()
        return events, position
