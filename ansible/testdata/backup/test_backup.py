"""Tests of calldata-backup: the program itself, on a system that is a directory, with real tar, zstd, age and PostgreSQL."""

import fcntl
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from machine import FILES, Machine, until

INITDB = "/usr/lib/postgresql/15/bin"

CONFIG = {"name": "config", "kind": "files", "paths": ["/etc/kamailio", "/etc/single", "/etc/absent"], "exclude": ["/etc/kamailio/own"],
          "services": ["kamailio"]}


@unittest.skipUnless(all(map(shutil.which, ("age", "zstd", "rsync", "tar"))), "age, zstd and rsync are not all on PATH")
class FilesTest(unittest.TestCase):
    def setUp(self):
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = top.name
        self.machine = self.fill(Machine(self.top))

    def fill(self, machine):
        machine.parts(CONFIG)
        machine.put("etc/kamailio/router.cfg", "route {}\n", 0o640)
        machine.put("etc/kamailio/deep/list", "1\n")
        machine.put("etc/kamailio/own", "this machine's\n")
        machine.put("etc/single", "one\n", 0o600)
        (machine.root / "etc/kamailio/link").symlink_to("deep/list")
        return machine

    def wipe(self, machine):
        shutil.rmtree(machine.root / "etc/kamailio")
        (machine.root / "etc/single").unlink()
        machine.put("etc/kamailio/new", "not in the backup\n")
        machine.put("etc/kamailio/own", "another machine's\n")

    def one(self):
        self.machine.run("now")
        return self.machine.ids()[-1]

    def refused(self, text, *words, machine=None):
        """A restore that must be refused, and must have changed nothing."""
        machine = machine or self.machine
        watched = ("etc", "active", "var/lib/calldata")
        before = machine.snapshot(*watched)
        out = machine.run("restore", *words, "--identity", str(machine.key), "--yes", code=3)
        self.assertIn(text, out)
        self.assertEqual(machine.snapshot(*watched), before)
        return out

    def test_comes_back_equal_on_another_machine(self):
        backup = self.one()
        want = self.machine.snapshot("etc/kamailio", "etc/single")
        other = self.fill(Machine(self.top, "router-2"))
        self.wipe(other)
        before = other.snapshot("etc/kamailio", "etc/single")
        out = other.run("restore", backup, "--identity", str(other.key))
        self.assertIn("is restored", out)
        got = other.snapshot("etc/kamailio", "etc/single")
        for found in (want, got):
            self.assertIn("this machine's" if found is want else "another machine's", found.pop("etc/kamailio/own")[3].decode())
        self.assertEqual(got, want)
        self.assertIn("is back", other.run("rollback"))
        self.assertEqual(other.snapshot("etc/kamailio", "etc/single"), before)
        self.assertIn("there is no restore", other.run("rollback", code=3))

    def test_what_it_stores_and_tells(self):
        before = int(time.time())
        backup = self.one()
        after = time.time()
        manifest = json.loads((self.machine.store / backup / "manifest.json").read_text())["manifest"]
        part = manifest["parts"][0]
        self.assertEqual((manifest["role"], manifest["stack"], manifest["host"], manifest["format"]), ("c4-router", "stage", "router-1", 1))
        self.assertEqual((part["paths"], part["absent"]), (["/etc/kamailio", "/etc/single"], ["/etc/absent"]))
        stored = self.machine.object(backup, "config")
        self.assertEqual(part["bytes"], stored.stat().st_size)
        self.assertEqual(part["sha256"], subprocess.run(["sha256sum", stored], capture_output=True, text=True, check=True).stdout.split()[0])
        self.assertTrue(stored.read_bytes().startswith(b"age-encryption.org/"))
        last = self.machine.last()["config"]
        self.assertEqual((last["id"], last["failed"]), (backup, 0))
        metrics = (self.machine.root / "var/lib/prometheus/node-exporter/calldata_backup.prom").read_text()
        self.assertIn(f'calldata_backup_last_success_seconds{{part="config"}} {last["last_success"]}\n', metrics)
        self.assertTrue(before <= last["last_success"] <= after, last)

    def test_two_in_the_same_second(self):
        self.machine.run("now")
        self.machine.run("now")
        self.assertEqual(len(set(self.machine.ids())), 2)
        self.assertIn(self.machine.ids()[-1], self.machine.run("verify", "router-1/latest"))

    def test_verify_and_fetch(self):
        backup = self.one()
        self.assertIn("only what is stored was compared", self.machine.run("verify", backup))
        self.assertIn("config is whole", self.machine.run("verify", backup, "--identity", str(self.machine.key)))
        out = self.machine.root / "out"
        self.machine.run("fetch", backup, str(out), "--identity", str(self.machine.key))
        listed = subprocess.run(["tar", "-tf", out / "config.tar"], capture_output=True, text=True, check=True).stdout
        self.assertIn("etc/kamailio/router.cfg\n", listed)
        self.assertNotIn("own", listed)
        self.assertIn("is not empty", self.machine.run("fetch", backup, str(out), "--identity", str(self.machine.key), code=3))

    def test_damage_is_refused(self):
        backup = self.one()
        stored, manifest = self.machine.object(backup, "config"), self.machine.store / backup / "manifest.json"
        good, told = stored.read_bytes(), manifest.read_text()
        for change, text in ((good[:-1], "truncated"), (good[:200] + bytes([good[200] ^ 1]) + good[201:], "damaged"), (b"", "truncated")):
            stored.write_bytes(change)
            self.refused(text, backup)
            self.assertIn(text, self.machine.run("verify", backup, code=3))
        stored.unlink()
        self.refused("is not in", backup)
        stored.write_bytes(good)
        for change in (told.replace("stage", "prods"), told[:100], "", told.replace('"format": 1', '"format": 2')):
            manifest.write_text(change)
            self.refused("damaged", backup)
        manifest.unlink()
        self.refused("there is no backup", backup)

    def test_a_changed_format_is_refused(self):
        backup = self.one()
        script = ("import sys; sys.path.insert(0, sys.argv[1])\nfrom calldata_backup import manifest, store\ns = store.Directory(sys.argv[2])\n"
                  "m = manifest.read(s, sys.argv[3]); m['format'] = 2; manifest.write(s, m)")
        subprocess.run([sys.executable, "-B", "-c", script, FILES, self.machine.store, backup], check=True, env={"PATH": os.environ["PATH"]})
        self.refused("has format 2", backup)

    def test_the_wrong_key_is_refused(self):
        backup = self.one()
        wrong = pathlib.Path(self.top) / "wrong"
        subprocess.run(["age-keygen", "-o", wrong], check=True, capture_output=True)
        before = self.machine.snapshot("etc")
        self.assertIn("is this the key", self.machine.run("restore", backup, "--identity", str(wrong), "--yes", code=3))
        wrong.chmod(0o644)
        self.assertIn("others can read", self.machine.run("restore", backup, "--identity", str(wrong), "--yes", code=3))
        wrong.write_text("nothing")
        wrong.chmod(0o600)
        self.assertIn("no line AGE-SECRET-KEY", self.machine.run("restore", backup, "--identity", str(wrong), "--yes", code=3))
        self.assertIn("is encrypted", self.machine.run("restore", backup, "--yes", code=3))
        self.assertEqual(self.machine.snapshot("etc"), before)

    def test_all_reasons_at_once_and_allowed_one_by_one(self):
        backup = self.one()
        self.machine.write_settings(role="c4-sbc", stack="prod")
        self.machine.put("active/kamailio", "")
        out = self.machine.run("restore", backup, code=3)
        for text in ("of role c4-router", "of stack stage", "kamailio is running", "is encrypted", "--allow role"):
            self.assertIn(text, out)
        self.refused("of stack stage", backup, "--allow", "role")
        self.machine.run("restore", backup, "--identity", str(self.machine.key), "--yes", "--allow", "role", "--allow", "stack")
        self.machine.parts({**CONFIG, "name": "other"})
        self.refused("this machine has the parts other", backup, "--allow", "role", "--allow", "stack")

    def test_services_stop_and_start(self):
        backup = self.one()
        self.machine.put("active/kamailio", "")
        self.machine.run("restore", backup, "--identity", str(self.machine.key), "--yes")
        calls = [line for line in (self.machine.root / "systemctl").read_text().splitlines() if not line.startswith("is-active")]
        self.assertEqual(calls, ["stop kamailio", "start kamailio"])

    def test_check_touches_nothing(self):
        backup = self.one()
        self.wipe(self.machine)
        before = self.machine.snapshot("etc", "var/lib/calldata")
        self.assertIn("can be restored", self.machine.run("restore", backup, "--check", "--identity", str(self.machine.key)))
        self.assertEqual(self.machine.snapshot("etc", "var/lib/calldata"), before)

    def test_a_restore_that_breaks_off_goes_on_or_back(self):
        backup = self.one()
        want = self.machine.snapshot("etc/kamailio", "etc/single")
        self.wipe(self.machine)
        before = self.machine.snapshot("etc/kamailio", "etc/single")
        for again in (("rollback", before), ("restore", want)):
            self.machine.put("active/kamailio", "")
            self.machine.put("broken", "")
            out = self.machine.run("restore", backup, "--identity", str(self.machine.key), "--yes", code=1)
            self.assertIn("start: systemctl start kamailio: unit kamailio is broken", out)
            self.assertIn("half done", self.machine.run("restore", "router-1/20200101T000000Z-00000000", code=3))
            (self.machine.root / "broken").unlink()
            if again[0] == "rollback":
                self.machine.run("rollback")
            else:
                self.assertIn("goes on", self.machine.run("restore", backup))
            found = self.machine.snapshot("etc/kamailio", "etc/single")
            if again[0] == "restore":
                found.pop("etc/kamailio/own"), again[1].pop("etc/kamailio/own")
            self.assertEqual(found, again[1])

    def test_a_killed_restore_goes_on(self):
        backup = self.one()
        want = self.machine.snapshot("etc/single")
        self.wipe(self.machine)
        # rsync is the first program of the half that replaces: it waits until it is killed with the restore.
        self.machine.put("tools/rsync", '#!/bin/sh\n: >"$CALLDATA_ROOT/reached"\nexec sleep 60\n', 0o755)
        started = subprocess.Popen(self.machine.command("restore", backup, "--identity", str(self.machine.key)), env=self.machine.environment(),
                                   stdout=subprocess.DEVNULL, start_new_session=True)
        until((self.machine.root / "reached").exists)
        os.killpg(started.pid, 9)
        started.wait()
        (self.machine.root / "tools/rsync").unlink()
        self.assertIn("goes on", self.machine.run("restore", backup))
        self.assertEqual(self.machine.snapshot("etc/single"), want)

    def test_one_at_a_time(self):
        (self.machine.root / "run").mkdir()
        with open(self.machine.root / "run/calldata-backup.lock", "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertIn("another calldata-backup", self.machine.run("now", code=75))
            self.assertIn("another calldata-backup", self.machine.run("restore", "router-1/latest", code=75))
        self.machine.run("now")

    def test_a_part_that_fails_is_told_and_the_others_are_kept(self):
        bad = {"name": "bad", "kind": "wazo", "archive": "data"}
        self.machine.parts(bad, CONFIG)
        out = self.machine.run("now", code=1)
        self.assertIn("part bad: wazo-backup", out)
        self.assertEqual(self.machine.last()["bad"]["failed"], 1)
        self.assertNotIn("last_success", self.machine.last()["bad"])
        self.assertIn("without bad", self.machine.run("list"))
        self.machine.parts(CONFIG)
        self.machine.run("now")
        self.assertEqual(list(self.machine.last()), ["config"])
        self.machine.parts(bad)
        count = len(self.machine.ids())
        self.machine.run("now", code=1)
        self.assertEqual(len(self.machine.ids()), count, "a backup of nothing does not exist")

    def test_a_program_that_fails_leaves_no_backup(self):
        self.machine.put("tools/age", "#!/bin/sh\nhead -c 10\necho no room >&2\nexit 1\n", 0o755)
        self.assertIn("age: no room", self.machine.run("now", code=1))
        self.assertEqual(self.machine.ids(), [])

    def test_retention(self):
        def old(backup, days):
            source, stamp = backup.split("/")
            made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - days * 86400)) + stamp[16:]
            script = ("import sys, os; sys.path.insert(0, sys.argv[1])\nfrom calldata_backup import manifest, store\ns = store.Directory(sys.argv[2])\n"
                      "m = manifest.read(s, sys.argv[3]); m['id'] = sys.argv[4]\n"
                      "os.rename(os.path.join(sys.argv[2], sys.argv[3]), os.path.join(sys.argv[2], sys.argv[4])); manifest.write(s, m)")
            subprocess.run([sys.executable, "-B", "-c", script, FILES, self.machine.store, backup, f"{source}/{made}"], check=True)
            return f"{source}/{made}"

        expired = old(self.one(), 15)
        kept = old(self.one(), 13)
        loose = self.machine.store / "router-1/20200101T000000Z-00000000"
        loose.mkdir()
        (loose / "config.tar.zst.age").write_text("cut off")
        newest = self.one()
        self.assertEqual(self.machine.ids(), [kept, newest])
        self.assertFalse((self.machine.store / expired).exists())
        self.assertFalse(loose.exists())
        # All are too old, and nothing new is made: the newest of each part stays.
        last = old(newest, 20)
        old(kept, 30)
        self.machine.parts({"name": "other", "kind": "files", "paths": ["/etc/single"]}, CONFIG)
        self.machine.run("now", "--part", "other")
        self.assertEqual(self.machine.ids()[0], last, "it has the newest config")
        old(self.machine.ids()[1], 15)
        self.assertIn(last, self.machine.run("restore", "router-1/latest", "--check", "--part", "config", "--identity", str(self.machine.key)))
        self.assertEqual(len(self.machine.ids()), 2)
        shutil.rmtree(self.machine.store / self.machine.ids()[1])
        self.machine.parts({"name": "config", "kind": "wazo", "archive": "data"})
        self.machine.run("now", code=1)
        self.assertEqual(self.machine.ids(), [last])

    def test_no_secret_is_left(self):
        backup = self.one()
        self.machine.run("restore", backup, "--identity", str(self.machine.key))
        secret = [line for line in self.machine.key.read_text().splitlines() if line.startswith("AGE-SECRET-KEY")][0].encode()
        for path in pathlib.Path(self.top).rglob("*"):
            if path.is_file() and path != self.machine.key:
                self.assertNotIn(secret, path.read_bytes(), path)

    def test_without_encryption_of_its_own(self):
        self.machine.write_settings(encryption="kms")
        backup = self.one()
        self.assertTrue((self.machine.store / backup / "config.tar.zst").exists())
        self.machine.run("restore", backup)


WAZO_BACKUP = r"""#!/bin/sh
set -e
case $1 in
data) tar czf "$2.tgz" -C "$CALLDATA_ROOT" etc/hostname etc/asterisk etc/systemd ;;
db) d=$(mktemp -d) && mkdir "$d/pg-backup" && pg_dump -Fc asterisk >"$d/pg-backup/asterisk-25.16.dump" && tar czf "$2.tgz" -C "$d" pg-backup && rm -r "$d" ;;
esac
"""


@unittest.skipUnless(os.path.exists(INITDB + "/initdb") and os.geteuid() == 0, "needs PostgreSQL 15 and root")
class DatabaseTest(unittest.TestCase):
    """Databases of a server made for the test, which listens on a socket in a directory of its own."""

    user = "postgres"
    # What the part has besides.
    where = {}

    @classmethod
    def setUpClass(cls):
        cls.initialise()
        cls.start("-c listen_addresses=")

    @classmethod
    def initialise(cls):
        cls.top = tempfile.mkdtemp(prefix="calldata-backup-")
        os.chmod(cls.top, 0o755)
        cls.data = cls.top + "/data"
        cls.socket = cls.top + "/socket"
        postgres = pwd.getpwnam("postgres")
        for folder in (cls.data, cls.socket):
            os.mkdir(folder)
            os.chown(folder, postgres.pw_uid, postgres.pw_gid)
        cls.before = {n: os.environ.get(n) for n in ("PGHOST", "PATH", "PGUSER", "PGPORT")}
        os.environ.update(PGHOST=cls.socket, PATH=f"{INITDB}:{os.environ['PATH']}", PGUSER=cls.user)
        os.environ.pop("PGPORT", None)
        cls.as_postgres("initdb", "-D", cls.data, "-U", "postgres", "-A", "trust", "--no-sync")

    @classmethod
    def start(cls, options):
        cls.as_postgres("pg_ctl", "-D", cls.data, "-w", "-t", "600", "-l", cls.socket + "/log", "-o", f"{options} -c unix_socket_directories={cls.socket} -c fsync=off", "start")

    @classmethod
    def tearDownClass(cls):
        cls.as_postgres("pg_ctl", "-D", cls.data, "-m", "immediate", "stop")
        for name, value in cls.before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        shutil.rmtree(cls.top)

    @classmethod
    def as_postgres(cls, *words):
        subprocess.run(["runuser", "-u", "postgres", "--", *words], check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sql(self, database, text):
        return subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", database], input=text, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]

    def setUp(self):
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        os.chmod(top.name, 0o755)
        self.machine = Machine(top.name)
        self.other = Machine(top.name, "router-2")
        for database in self.sql("postgres", "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template%' AND datname <> 'postgres'"):
            self.sql("postgres", f'DROP DATABASE "{database}" WITH (FORCE)')
        part = {"name": "database", "kind": "postgresql", "source": "database", "at_most_every": 3600, "databases": ["c4"],
                "schema_directory": "/schema", "roles": ["kamailio"], "services": ["kamailio"], **self.where,
                "after_sql": "DO $$ BEGIN EXECUTE format('ALTER ROLE kamailio LOGIN PASSWORD %L', (SELECT password FROM router_login)); END $$"}
        for machine in (self.machine, self.other):
            machine.parts(part)
            machine.put("schema/001_routing.sql", "")
        self.sql("postgres", "CREATE DATABASE c4")
        self.sql("c4", "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kamailio') THEN CREATE ROLE kamailio; END IF; END $$;"
                       "CREATE TABLE schema_migration (name text); INSERT INTO schema_migration VALUES ('001_routing');"
                       "CREATE TABLE router_login (password text); INSERT INTO router_login VALUES ('pw');"
                       "CREATE TABLE did (id serial PRIMARY KEY, tprefix text); INSERT INTO did (tprefix) SELECT i::text FROM generate_series(1, 1000) i;"
                       "GRANT SELECT ON did TO kamailio;")

    def sum(self):
        return self.sql("c4", "SELECT md5(string_agg(id || tprefix, ',' ORDER BY id)) FROM did")

    def test_comes_back_equal(self):
        self.machine.run("now")
        want = self.sum()
        self.sql("c4", "DELETE FROM did WHERE id % 2 = 0")
        damaged = self.sum()
        users = subprocess.Popen(["psql", "-qX", "-d", "c4", "-c", "SELECT pg_sleep(1000)"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(lambda: self.sql("postgres", "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"))
        self.machine.run("restore", "database/latest", "--identity", str(self.machine.key))
        self.assertNotEqual(users.wait(600), 0, "a connection to the old database has to end")
        self.assertEqual(self.sum(), want)
        self.assertEqual(self.sql("c4", "SELECT has_table_privilege('kamailio', 'did', 'SELECT'), (SELECT rolcanlogin FROM pg_roles WHERE rolname = 'kamailio')"), ["t|t"])
        self.machine.run("rollback")
        self.assertEqual(self.sum(), damaged)
        self.assertEqual(self.names(), ["c4"])
        # On a server without the database, and twice: what the first restore kept goes.
        self.sql("postgres", "DROP DATABASE c4 WITH (FORCE)")
        for _ in range(2):
            self.machine.run("restore", "database/latest", "--identity", str(self.machine.key))
            self.assertEqual(self.sum(), want)
        self.machine.run("restore", "database/latest", "--identity", str(self.machine.key))
        self.assertEqual(len(self.names()), 2)

    def names(self):
        return self.sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'c4%' ORDER BY 1")

    def test_one_machine_of_all_saves_it(self):
        self.machine.run("now", "--scheduled")
        out = self.other.run("now", "--scheduled")
        self.assertIn("router-1 has made", out)
        self.assertEqual(len(self.machine.ids("database")), 1)
        self.assertEqual(self.other.last()["database"]["last_success"], self.machine.last()["database"]["last_success"])
        self.other.run("now")
        self.assertEqual(len(self.machine.ids("database")), 2, "on demand it is made whoever made the last")
        holder = subprocess.Popen(["psql", "-qXAt", "-d", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write("SELECT pg_advisory_lock(hashtext('calldata backup database'));\n\\echo held\n")
        holder.stdin.flush()
        self.assertEqual([holder.stdout.readline().strip() for _ in range(2)], ["", "held"])
        self.assertIn("another machine is saving database", self.machine.run("now", code=75))
        self.assertIn("another machine is saving database", self.machine.run("now", "--scheduled"))
        holder.communicate()
        self.machine.run("now")

    def test_versions_are_compared(self):
        self.machine.run("now")
        self.sql("c4", "INSERT INTO schema_migration VALUES ('009_future')")
        self.machine.run("now")
        before = self.sum()
        self.assertIn("the backup's schema has 009_future", self.machine.run("restore", "database/latest", "--identity", str(self.machine.key), code=3))
        self.machine.put("tools/psql", f"#!/bin/sh\n{INITDB}/psql \"$@\" | sed 's/^15[0-9]*$/160001/'\n", 0o755)
        out = self.machine.run("restore", "database/latest", "--identity", str(self.machine.key), code=3)
        self.assertIn("the backup is of PostgreSQL 15, this server is 16", out)
        self.assertEqual((self.sum(), self.names()), (before, ["c4"]))

    def test_a_dump_that_does_not_load_touches_nothing(self):
        self.machine.run("now")
        self.machine.put("tools/pg_restore", "#!/bin/sh\necho out of memory >&2\nexit 1\n", 0o755)
        before = self.sum()
        self.assertIn("out of memory", self.machine.run("restore", "database/latest", "--identity", str(self.machine.key), code=1))
        self.assertEqual((self.sum(), self.names()), (before, ["c4"]))
        self.assertIn("there is no restore", self.machine.run("rollback", code=3))

    def test_a_server_that_is_away_fails_its_part_only(self):
        self.machine.put("etc/kamailio/router.cfg", "x")
        self.machine.put("etc/calldata/backup.d/50.json", json.dumps(CONFIG))
        self.machine.put("tools/psql", "#!/bin/sh\necho connection refused >&2\nexit 2\n", 0o755)
        self.assertIn("connection refused", self.machine.run("now", code=1))
        self.assertEqual((self.machine.last()["config"]["failed"], self.machine.last()["database"]["failed"]), (0, 1))

    def test_wazo(self):
        uuid = "6b6d1e5a-0c2f-4f3c-9d8e-1a2b3c4d5e6f"
        for machine, name in ((self.machine, "old"), (self.other, "new")):
            machine.write_settings(role="uc-engine")
            machine.parts({"name": "wazo-data", "kind": "wazo", "archive": "data", "stop": [["wazo-service", "stop"]], "start": [["wazo-service", "start"]]},
                          {"name": "wazo-db", "kind": "wazo", "archive": "db"},
                          {"name": "others", "kind": "postgresql", "except": ["asterisk", "c4"]})
            machine.put("tools/wazo-backup", WAZO_BACKUP, 0o755)
            for program in ("wazo-service", "xivo-update-config"):
                machine.put("tools/" + program, f'#!/bin/sh\necho {program} "$@" >>"$CALLDATA_ROOT/calls"\n', 0o755)
            machine.put("usr/share/wazo/WAZO-VERSION", "25.16\n")
            machine.put("etc/hostname", name)
            machine.put("etc/asterisk/pjsip.conf", name)
            machine.put("etc/systemd/system.conf", "[Manager]\n#LogLevel=info\n")
            machine.put("var/cache/wazo-confgend/cached", "stale")
        self.sql("postgres", "CREATE DATABASE asterisk; ")
        self.sql("postgres", "CREATE DATABASE wazo_chatd")
        self.sql("asterisk", f"CREATE TABLE infos (uuid text); INSERT INTO infos VALUES ('{uuid}'); CREATE TABLE users AS SELECT 7 AS id")
        self.machine.run("now")
        self.sql("asterisk", "UPDATE infos SET uuid = '00000000-0000-4000-8000-000000000000'; DROP TABLE users")
        self.sql("postgres", "DROP DATABASE wazo_chatd")
        words = ("restore", "router-1/latest", "--identity", str(self.machine.key))
        self.other.put("usr/share/wazo/WAZO-VERSION", "25.17\n")
        self.assertIn("the backup is of Wazo 25.16, this engine is 25.17", self.other.run(*words, code=3))
        self.other.put("usr/share/wazo/WAZO-VERSION", "25.16\n")
        self.other.run(*words)
        read = lambda name: (self.other.root / name).read_text()  # noqa: E731
        self.assertEqual((read("etc/hostname"), read("etc/asterisk/pjsip.conf")), ("new", "old"))
        self.assertEqual(self.sql("asterisk", "SELECT id, (SELECT uuid FROM infos) FROM users"), [f"7|{uuid}"])
        self.assertIn("wazo_chatd", self.sql("postgres", "SELECT datname FROM pg_database"))
        self.assertFalse((self.other.root / "var/cache/wazo-confgend/cached").exists())
        self.assertIn(f"DefaultEnvironment=XIVO_UUID={uuid}", read("etc/systemd/system.conf"))
        self.assertIn(uuid, read("etc/profile.d/xivo_uuid.sh"))
        self.assertEqual(read("calls").split("\n"), ["wazo-service stop", "xivo-update-config", "wazo-service start", ""])
        self.other.run("rollback")
        self.assertEqual(read("etc/asterisk/pjsip.conf"), "new")
        self.assertEqual(self.sql("asterisk", "SELECT uuid FROM infos"), ["00000000-0000-4000-8000-000000000000"])


if __name__ == "__main__":
    unittest.main()
