"""Tests of calldata-backup with a database like RDS': by network, with TLS and a password from a secret, and no superuser."""

import contextlib
import json
import os
import pathlib
import pwd
import socket
import subprocess
import unittest

import test_backup
from machine import until

try:
    from cloud import Cloud
except ImportError:
    Cloud = None

# RDS draws such ones: anything but / @ " and space. The password file of libpq wants colons and backslashes escaped.
PASSWORD = "a:b\\c'd%s$HOME"
# As on RDS with rds.force_ssl: whoever gets in has used TLS and the password.
HBA = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@unittest.skipUnless(Cloud, "boto3 and moto are not here; the Go test TestBackup has them")
class RdsTest(test_backup.DatabaseTest):
    """Everything that holds for a database of the machine's own holds for this one."""

    user = "master"
    test_wazo = None  # an engine's database is on the engine

    @classmethod
    def setUpClass(cls):
        cls.initialise()
        cls.cloud = Cloud()
        files = pathlib.Path(cls.data)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", files / "server.key", "-out", files / "server.crt"],
                       check=True, capture_output=True)
        (files / "server.key").chmod(0o600)
        (files / "pg_hba.conf").write_text(HBA)
        postgres = pwd.getpwnam("postgres")
        for name in ("server.key", "server.crt", "pg_hba.conf"):
            os.chown(files / name, postgres.pw_uid, postgres.pw_gid)
        for last in (False, False, True):
            with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
                port = free.getsockname()[1]
            os.environ["PGPORT"] = str(port)
            try:
                cls.start(f"-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c autovacuum_naptime=1")
                break
            except subprocess.CalledProcessError:  # somebody else has taken the port meanwhile
                if last:
                    raise
        # The master of RDS is no superuser. The two roles are those of its role rds_superuser that PostgreSQL has.
        # Source: Amazon RDS User Guide, "Understanding the rds_superuser role".
        quoted = PASSWORD.replace("'", "''")
        subprocess.run(["psql", "-qX", "-U", "postgres", "-d", "postgres", "-v", "ON_ERROR_STOP=1"], text=True, check=True,
                       input=f"CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD '{quoted}'; GRANT pg_monitor, pg_signal_backend TO master;")
        arn = cls.cloud.client("secretsmanager").create_secret(Name="rds", SecretString=json.dumps({"username": "master", "password": PASSWORD}))["ARN"]
        cls.where = {"host": "127.0.0.1", "port": port, "secret_arn": arn}

    @classmethod
    def tearDownClass(cls):
        cls.cloud.close()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        for machine in (self.machine, self.other):
            machine.variables = self.cloud.variables

    def test_no_secret_is_left(self):
        spy = "#!/bin/sh\n{ tr '\\0' '\\n' </proc/$$/cmdline; env; stat -c '%%a' \"$PGPASSFILE\"; } >>\"$CALLDATA_ROOT/seen\"\nexec %s/%s \"$@\"\n"
        for program in ("psql", "pg_dump", "pg_restore", "createdb"):
            self.machine.put("tools/" + program, spy % (test_backup.INITDB, program), 0o755)
        out = self.machine.run("now") + self.machine.run("restore", "database/latest", "--identity", str(self.machine.key))
        seen = (self.machine.root / "seen").read_text()
        self.assertIn("PGSSLMODE=require\n", seen)
        self.assertIn("\n600\n", seen)
        for path in self.machine.root.parent.rglob("*"):
            if path.is_file():
                self.assertNotIn(PASSWORD.encode(), path.read_bytes(), path)
        self.assertNotIn(PASSWORD, out)
        for line in seen.splitlines():
            if line.startswith("PGPASSFILE="):
                self.assertFalse(os.path.exists(line.split("=", 1)[1]), line)

    def test_a_login_that_is_wrong(self):
        before = self.sum()
        self.machine.run("now")
        for secret, text in (({"SecretString": json.dumps({"username": "master", "password": "old"})}, "password authentication failed"), ({}, "login of 127.0.0.1")):
            arn = self.cloud.client("secretsmanager").create_secret(Name=text, **secret)["ARN"] if secret else self.where["secret_arn"] + "x"
            part = json.loads((self.machine.root / "etc/calldata/backup.d/00.json").read_text())
            self.machine.parts({**part, "secret_arn": arn})
            self.assertIn(text, self.machine.run("now", code=1))
            out = self.machine.run("restore", "database/latest", "--identity", str(self.machine.key), code=3)
            self.assertIn(text, out)
            self.assertNotIn("old", out)
        self.assertEqual(self.sum(), before)

    def test_another_server(self):
        """What a server has that RDS has restored to a time is saved with its login, and restored to the usual one."""
        want = self.sum()
        part = json.loads((self.machine.root / "etc/calldata/backup.d/00.json").read_text())
        self.machine.parts({**part, "host": "nowhere.invalid", "secret_arn": "arn:aws:secretsmanager:us-east-1:1:secret:none"})
        server = self.machine.root / "then.json"
        self.machine.put("then.json", json.dumps({"host": "127.0.0.1", "port": self.where["port"], "username": "master", "password": PASSWORD}), 0o600)
        self.assertIn("choose it with --part", self.machine.run("now", "--server", str(server), code=1))
        out = self.machine.run("now", "--server", str(server), "--part", "database")
        self.assertNotIn(PASSWORD, out)
        self.assertFalse((self.machine.root / "var/lib/calldata/backup/last.json").exists(), "the machine's own state has not changed")
        self.machine.parts(part)
        self.assertIn("there is no backup of database at all", self.machine.run("restore", "database/latest", "--identity", str(self.machine.key), code=3))
        self.sql("c4", "DELETE FROM did WHERE id % 2 = 0")
        self.assertNotEqual(self.sum(), want)
        self.machine.run("restore", "database-then/latest", "--identity", str(self.machine.key))
        self.assertEqual(self.sum(), want)
        server.chmod(0o644)
        self.assertIn("mode 0600", self.machine.run("now", "--server", str(server), "--part", "database", code=1))
        server.write_text(PASSWORD)
        server.chmod(0o600)
        out = self.machine.run("now", "--server", str(server), "--part", "database", code=1)
        self.assertIn("want JSON", out)
        self.assertNotIn(PASSWORD, out)
        server.write_text(json.dumps({"host": "127.0.0.1", "port": "1,2", "username": "master", "password": PASSWORD}))
        out = self.machine.run("now", "--server", str(server), "--part", "database", code=1)
        self.assertIn("the port '1,2' cannot be one", out)
        self.assertNotIn("after 300 s", out, "nothing was waited for")
        self.assertNotIn(PASSWORD, out)
        for unreadable, why in ((server.parent, "Is a directory"), (server.parent / "none.json", "No such file or directory")):
            self.assertIn(f"--server {unreadable}: {why}", self.machine.run("now", "--server", str(unreadable), "--part", "database", code=1))

    def working(self, pattern):
        """Whether PostgreSQL vacuums a database by itself just now."""
        return self.sql("postgres", f"SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname LIKE '{pattern}'")

    def test_others_are_at_it(self):
        """A login that is no superuser must not end what PostgreSQL does in the background, and still gets its way."""
        self.machine.run("now")
        want = self.sum()
        # One that takes minutes, and begins anew whenever it is ended.
        self.sql("c4", "CREATE TABLE busy (n int) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1);"
                       "INSERT INTO busy SELECT generate_series(1, 100000); DELETE FROM busy WHERE n % 2 = 0")
        self.sql("c4", "ALTER ROLE kamailio LOGIN; GRANT CONNECT ON DATABASE c4 TO kamailio")
        router = subprocess.Popen(["psql", "-qX", "-U", "kamailio", "-d", "c4", "-c", "SELECT pg_sleep(1000)"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(lambda: self.working("c4") and self.sql("postgres", "SELECT 1 FROM pg_stat_activity WHERE usename = 'kamailio'"))
        self.machine.run("restore", "database/latest", "--identity", str(self.machine.key))
        self.assertNotEqual(router.wait(600), 0)
        self.assertEqual(self.sum(), want)
        # The database that is kept is one to vacuum, too, when the next restore drops it.
        until(lambda: self.working("c4_before_%"))
        kept = self.names()
        self.machine.run("restore", "database/latest", "--identity", str(self.machine.key))
        self.assertEqual(self.sum(), want)
        self.assertEqual((len(self.names()), len(set(self.names()) & set(kept))), (2, 1))


if __name__ == "__main__":
    unittest.main()
