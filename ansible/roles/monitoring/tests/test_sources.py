"""The sources of metrics, with programs that say what the real ones say."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import types
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "files" / "lib"))

import command  # noqa: E402
import samples  # noqa: E402
from sources import asterisk, backup, certificates, kamailio, pair, units  # noqa: E402

ASTERISK = {
    "core show uptime seconds": "System uptime: 5025\nLast reload: 11\n",
    "core show channels count": "4 active channels\n2 active calls\n17 calls processed\n",
    "pjsip list endpoints": """
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
==========================================================================================

 Endpoint:  100/100                                              Not in use    0 of inf
 Endpoint:  101/Anna Maria                                       In use        1 of inf
 Endpoint:  102                                                  Unavailable   0 of 2

Objects found: 3

""",
    "pjsip list contacts": """
  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

  Contact:  100/sip:100@192.0.2.7:5060                     d7b6a2f1d0 Avail         7.042
  Contact:  101/sip:101@192.0.2.8:5060                     d7b6a2f1d1 NonQual         nan
  Contact:  102/sip:102@192.0.2.9:5060                     d7b6a2f1d2 Unavail         nan

Objects found: 3

""",
    "pjsip list registrations": """
 <Registration/ServerURI..............................>  <Auth....................>  <Status.......>
==========================================================================================

 trunk-a/sip:carrier.example:5060                        trunk-a                     Registered        (exp. 3321s)
 trunk-b/sips:other.example                              n/a                         Rejected          (exp. 12s)

Objects found: 2

""",
}


def index(found):
    return {(name, *sorted(labels.items())): value for name, labels, value in found}


class Sources(unittest.TestCase):
    def test_asterisk(self):
        with mock.patch.object(asterisk, "output", lambda _, __, command: ASTERISK[command]):
            found = index(asterisk.collect({}))
        self.assertEqual(found, {
            ("calldata_asterisk_uptime_seconds",): 5025,
            ("calldata_asterisk_channels",): 4,
            ("calldata_active_calls", ("server", "asterisk")): 2,
            ("calldata_asterisk_calls_total",): 17,
            ("calldata_asterisk_endpoints", ("state", "not in use")): 1,
            ("calldata_asterisk_endpoints", ("state", "in use")): 1,
            ("calldata_asterisk_endpoints", ("state", "unavailable")): 1,
            ("calldata_registrations", ("server", "asterisk"), ("state", "up")): 2,
            ("calldata_registrations", ("server", "asterisk"), ("state", "down")): 1,
            ("calldata_asterisk_trunk_registrations", ("state", "up")): 1,
            ("calldata_asterisk_trunk_registrations", ("state", "down")): 1,
        })

    def test_asterisk_without_calls(self):
        text = "1 active channel\n1 active call\n1 call processed\n"
        self.assertEqual(index(asterisk.channels(text))["calldata_active_calls", ("server", "asterisk")], 1)
        with self.assertRaises(RuntimeError):
            list(asterisk.channels("No such command"))

    def test_statistics_of_kamailio(self):
        text = "core:rcv_requests = 9\nsl:200_replies = 3\nsl:2xx_replies = 1\nsl:500_replies = 2\nsl:sent_replies = 6\ntmx:2xx_transactions = 4\nusrloc:x = 1\n"
        self.assertEqual(index(kamailio.statistics(text)), {
            ("calldata_kamailio_requests_total",): 9,
            ("calldata_kamailio_replies_total", ("class", "2xx")): 4,
            ("calldata_kamailio_replies_total", ("class", "5xx")): 2,
            ("calldata_kamailio_transactions_total", ("class", "2xx")): 4,
        })

    def test_tables_of_kamailio(self):
        text = "{\n\tname: ban\n\tslots: 16\n\tall: 4\n}\n{\n\tname: down\n\tall: 1\n}\n{\n\tname: peer\n\tall: 3\n}\n"
        found = index(kamailio.tables(text, ["ban"], ["down"]))
        self.assertEqual(found["calldata_bans",], 4)
        self.assertEqual(found["calldata_kamailio_targets", ("of", "down"), ("state", "down")], 1)
        self.assertEqual(found["calldata_kamailio_table_entries", ("table", "peer")], 3)
        self.assertEqual(list(kamailio.tables("", ["ban"], ["down"])), [], "Kamailio without tables has no bans to tell of")

    def test_registrations_of_kamailio(self):
        text = "{\n\tl_uuid: a\n\tflags: 20\n}\n{\n\tl_uuid: b\n\tflags: 16\n}\n"
        found = index(kamailio.registrations(text))
        self.assertEqual(found["calldata_registrations", ("server", "kamailio"), ("state", "up")], 1)
        self.assertEqual(found["calldata_registrations", ("server", "kamailio"), ("state", "down")], 1)

    def test_backup(self):
        with tempfile.TemporaryDirectory() as directory:
            with self.assertRaises(RuntimeError):
                backup.collect({"directory": directory})
            now = time.time()
            pathlib.Path(directory, "backup.prom").write_text(
                f'# HELP calldata_backup_last_success_seconds x\ncalldata_backup_last_success_seconds{{kind="engine"}} {now - 7200}\nother 1\n')
            (name, labels, value), = backup.collect({"directory": directory})
            self.assertEqual((name, labels), ("calldata_backup_age_seconds", {"kind": "engine"}))
            self.assertAlmostEqual(value, 7200, delta=5)

    def test_pair(self):
        now = 1_800_000_000
        with tempfile.TemporaryDirectory() as directory, mock.patch.object(pair, "copied", None), mock.patch.object(pair, "booted", lambda: now - 86400), \
                mock.patch.object(pair.time, "time", lambda: now):
            cron, dump, left = (pathlib.Path(directory, name) for name in ("cron", pair.DUMP, pair.LEFT[0]))

            def age(restarted=False):
                if restarted:
                    pair.copied = None
                found = list(pair.collect({"cron": str(cron), "directory": directory}))
                self.assertEqual([name for name, _, _ in found], ["calldata_copy_age_seconds"] * len(found))
                return found[0][2] if found else None

            whole = "--\n-- PostgreSQL database dump\n--\n" + "1\tada\n" * 1000 + "--\n-- PostgreSQL database dump complete\n--\n\n"

            def write(path, ago, text=whole):
                path.write_text(text)
                os.utime(path, (now - ago, now - ago))

            self.assertIsNone(age(), "the engine copies itself to none")
            write(cron, 900)
            self.assertEqual(age(), 900, "no copy was made since the pair was")
            write(cron, 200_000)
            self.assertEqual(age(restarted=True), 86400, "no copy was made since the machine was started")
            write(dump, 600)
            self.assertEqual(age(), 600)
            write(dump, 5)
            write(left, 1)
            self.assertEqual(age(), 600, "the next copy is being made, or has failed")
            self.assertEqual(age(restarted=True), 3605, "nobody remembers the one before, which is an hour older at least")
            write(dump, 1)
            self.assertEqual(age(), 3605, "that one has failed, too")
            left.unlink()
            self.assertEqual(age(), 3605, "the dump is whole, and its import may be about to begin")
            write(dump, 60)
            self.assertEqual(age(), 60)
            write(dump, 60, "-- PostgreSQL database dump complete\n")
            self.assertEqual(age(restarted=True), 60)
            write(dump, 60, whole + "\\unrestrict " + "k" * 63 + "\n\n")
            self.assertEqual(age(restarted=True), 60)
            cron.unlink()
            self.assertIsNone(age())
            write(cron, 50)
            dump.unlink()
            self.assertEqual(age(), 50, "another pair has nothing of the one before")

    def test_pair_whose_dump_ends_half_way(self):
        now = 1_800_000_000
        with tempfile.TemporaryDirectory() as directory, mock.patch.object(pair, "copied", now - 3600), mock.patch.object(pair.time, "time", lambda: now):
            cron, dump = (pathlib.Path(directory, name) for name in ("cron", pair.DUMP))
            cron.touch()
            for after, ago, text in (
                (0, 1, ""),  # it has just begun
                (100, 90, "COPY public.extensions (id) FROM stdin;\n"),  # one table takes long
                (3600, 3500, "COPY public.extensions (id) FROM stdin;\n1\n"),  # it has failed
                (7200, 3500, "COPY public.extensions (id) FROM stdin;\n1\n"),  # and an hour later again
                (7200, 600, "1\t-- PostgreSQL database dump complete\n"),  # what a table has
            ):
                dump.write_text(text)
                os.utime(dump, (now + after - ago, now + after - ago))
                with mock.patch.object(pair.time, "time", lambda after=after: now + after):
                    (_, _, age), = pair.collect({"cron": str(cron), "directory": directory})
                self.assertEqual(age, 3600 + after, text)

    def test_certificates(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "good.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-days", "10",
                            "-keyout", os.path.join(directory, "key"), "-out", path], check=True, capture_output=True)
            pathlib.Path(directory, "bad.pem").write_text("no certificate")
            found = index(certificates.collect({"paths": [directory + "/*.pem", directory + "/absent"]}))
        self.assertEqual(found["calldata_certificate_end_seconds", ("path", directory + "/bad.pem")], 0)
        self.assertAlmostEqual(found["calldata_certificate_end_seconds", ("path", path)], time.time() + 10 * 86400, delta=60)
        self.assertEqual(len(found), 2)

    def test_units(self):
        shown = "\n\n".join("\n".join(f"{key}={value}" for key, value in unit.items()) for unit in (
            {"Id": "a.service", "Type": "notify", "LoadState": "loaded", "ActiveState": "failed", "UnitFileState": "enabled", "MainPID": "0", "MemoryCurrent": "[not set]", "CPUUsageNSec": "5000000000", "NRestarts": "3"},
            {"Id": "b.service", "Type": "oneshot", "LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "static", "MainPID": "0", "MemoryCurrent": "[not set]", "CPUUsageNSec": "[not set]", "NRestarts": "0"},
            {"Id": "c.service", "Type": "simple", "LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled", "MainPID": "0", "MemoryCurrent": "[not set]", "CPUUsageNSec": "[not set]", "NRestarts": "0"},
            {"Id": "d.service", "LoadState": "not-found"},
        ))
        with mock.patch.object(units, "output", lambda *_: shown):
            found = index(units.collect({"units": []}))
        self.assertEqual(found, {
            ("calldata_unit_up", ("unit", "a")): 0, ("calldata_unit_restarts_total", ("unit", "a")): 3, ("calldata_unit_cpu_seconds_total", ("unit", "a")): 5,
            ("calldata_unit_up", ("unit", "b")): 1, ("calldata_unit_restarts_total", ("unit", "b")): 0,
        })


class Bounds(unittest.TestCase):
    def test_a_program_that_hangs_is_ended(self):
        began = time.monotonic()
        with self.assertRaises(command.TooLong), command.within(0.3):
            command.output("sleep", "30")
        self.assertLess(time.monotonic() - began, 5)

    def test_a_source_that_hangs_costs_its_own_metrics_alone(self):
        path = pathlib.Path(command.__file__).with_name("calldata-metrics")
        program = types.ModuleType("metrics")
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), program.__dict__)  # noqa: S102 - the file has no suffix to be imported by
        collector = program.Collector({"limit_seconds": 0.3, "sources": {"certificates": {"paths": []}, "kamailio": {"socket": "x", "active_calls": "x"}, "units": {"units": []}}})
        began = time.monotonic()
        with mock.patch.object(kamailio, "output", lambda *_: command.output("sleep", "30")), mock.patch.object(units, "output", lambda *_: ""), \
                mock.patch.object(program, "say") as say:
            found = index(collector.collect())
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual([found["calldata_up", ("source", name)] for name in ("certificates", "kamailio", "units")], [1, 0, 1])
        say.assert_called_once_with("kamailio is away: no answer within 0.3 s")

    def test_an_error_says_why(self):
        with self.assertRaisesRegex(RuntimeError, "sh ended with code 3: no way"):
            command.output("sh", "-c", "echo no way >&2; exit 3")


class Text(unittest.TestCase):
    def test_what_is_written_can_be_read(self):
        written = [samples.sample("a_total", 3), samples.sample("b", 0.25, x="y", path="/a b"), samples.sample("b", 1, x="z", path='with "quotes"')]
        text = samples.text(written)
        self.assertIn("# TYPE a_total counter\na_total 3\n# TYPE b gauge\n", text)
        self.assertIn(r'path="with \"quotes\""', text)
        import re

        self.assertEqual(samples.parse(text.splitlines(), re.compile("a_total|b")), written[:2])


if __name__ == "__main__":
    unittest.main()
