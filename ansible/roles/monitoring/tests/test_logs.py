"""Where lines come from, how they are cut into batches, and what is masked."""

import os
import pathlib
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "files" / "lib"))

import shipping  # noqa: E402
import tails  # noqa: E402

NOW = 1_800_000_000_000


def event(message, at=NOW):
    return {"timestamp": at, "message": message}


class Batches(unittest.TestCase):
    def cut(self, events):
        return list(shipping.batches(events, NOW))

    def test_by_number(self):
        self.assertEqual([len(batch) for batch in self.cut([event("x")] * 10_001)], [10_000, 1])

    def test_by_bytes(self):
        # 26 bytes are counted for each event, and bytes of UTF-8 at that.
        events = [event("ü" * 499_987), event("a" * 48_550), event("b")]
        self.assertEqual([len(batch) for batch in self.cut(events)], [2, 1])
        self.assertEqual(sum(shipping.size(e) for e in self.cut(events)[0]), 1_048_576)

    def test_by_time(self):
        day = 86_400_000
        self.assertEqual([len(batch) for batch in self.cut([event("a", NOW - day), event("b", NOW - 1), event("c")])], [2, 1])
        self.assertEqual(self.cut([event("too old", NOW - 15 * day), event("old", NOW - 13 * day)])[0], [event("old", NOW - 13 * day)])
        self.assertEqual(self.cut([event("future", NOW + 3 * 3_600_000)])[0], [event("future", NOW)])

    def test_in_order(self):
        self.assertEqual([e["message"] for e in self.cut([event("b", NOW), event("a", NOW - 5), event("c", NOW), event("", NOW)])[0]], ["a", "b", "c"])

    def test_a_long_line_is_clipped(self):
        self.assertEqual(len(shipping.clip("ü" * 200_000).encode()), 256 * 1024 - 26)
        self.assertEqual(shipping.clip("short"), "short")

    def test_stamps(self):
        self.assertEqual(shipping.stamp("2026-11-29T19:27:15.250Z x", 1), 1_795_980_435_250)
        self.assertEqual(shipping.stamp("[2026-11-29 20:27:15,25+01:00] x", 1), 1_795_980_435_250)
        local = int(time.mktime((2026, 11, 29, 19, 27, 15, 0, 0, -1)) * 1000)
        self.assertEqual(shipping.stamp("2026-11-29 19:27:15,123 [7] (INFO)", 1), local + 123)
        for line in ("no time", "2026-13-45 19:27:15 x", "at 2026-11-29 19:27:15"):
            self.assertEqual(shipping.stamp(line, 1), 1, line)


class Files(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "x.log")

    def write(self, text, mode="a"):
        with open(self.path, mode) as file:
            file.write(text)

    def read(self, source):
        events, source.position = source.read()
        return [e["message"] for e in events]

    def test_only_whole_lines(self):
        self.write("old\n")
        source = tails.File(self.path, None, first=True)
        self.assertEqual(self.read(source), [], "what was there before the shipper is left")
        self.write("a\nb")
        self.assertEqual(self.read(source), ["a"])
        self.write("c\n")
        self.assertEqual(self.read(source), ["bc"])
        self.assertEqual(self.read(source), [])

    def test_a_file_that_appears_is_read_from_its_beginning(self):
        source = tails.File(self.path, None, first=False)
        self.assertEqual(self.read(source), [])
        self.write("a\n")
        self.assertEqual(self.read(source), ["a"])

    def test_rotation_loses_nothing(self):
        self.write("a\n")
        source = tails.File(self.path, None, first=False)
        self.assertEqual(self.read(source), ["a"])
        self.write("b\n")
        os.rename(self.path, self.path + ".1")
        self.write("d\n")
        self.assertEqual(self.read(source), ["b"])
        with open(self.path + ".1", "a") as file:
            file.write("c\n")
        self.assertEqual(self.read(source), ["c"], "its program went on writing to the old file")
        self.assertEqual(self.read(source), [], "it may do so for a while")
        os.utime(self.path + ".1", (0, time.time() - 60))
        self.assertEqual(self.read(source), [])
        self.assertEqual(self.read(source), ["d"])

    def test_rotation_while_nobody_looked(self):
        self.write("a\n")
        source = tails.File(self.path, None, first=False)
        self.assertEqual(self.read(source), ["a"])
        kept = source.position
        self.write("b\n")
        os.rename(self.path, self.path + ".1")
        os.utime(self.path + ".1", (0, time.time() - 60))
        self.write("c\n")
        source = tails.File(self.path, kept, first=False)
        self.assertEqual([line for _ in range(3) for line in self.read(source)], ["b", "c"])

    def test_truncation(self):
        self.write("a\nb\n")
        source = tails.File(self.path, None, first=False)
        self.assertEqual(self.read(source), ["a", "b"])
        self.write("c\n", "w")
        self.assertEqual(self.read(source), ["c"])

    def test_it_takes_bites(self):
        self.write("0123456789\n" * 10)
        source = tails.File(self.path, None, first=False)
        with mock.patch.object(tails, "CHUNK", 25):
            self.assertEqual(len(self.read(source)), 2)
            self.assertEqual(len(self.read(source)), 2)

    def test_lines_without_a_time_belong_to_the_one_before(self):
        self.write("2026-11-29T19:27:15Z error\n  traceback\n")
        source = tails.File(self.path, None, first=False)
        events, _ = source.read()
        self.assertEqual({e["timestamp"] for e in events}, {1_795_980_435_000})


if __name__ == "__main__":
    unittest.main()
