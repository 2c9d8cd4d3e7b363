"""Parts that are databases: {"kind": "postgresql", "databases": ["c4"], "host": "", ...}, or "except": [...] for all others.

A restored database is loaded under another name and takes its place by renaming, so that its users see the old or the new one.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

from .files import tar_of
from .system import Busy, Failure, Refusal, aws, path, run

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Source: PostgreSQL 15, 23.3 "Template Databases"; rdsadmin is Amazon's own.
SYSTEM = ("postgres", "template0", "template1", "rdsadmin")
# RENAME waits 5 s for those who are told to go. A server that has much to do needs longer for that.
RENAME_ATTEMPTS = 12
# A server that AWS has just made answers before its name is known everywhere.
READY_SECONDS = 300


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Server:
    """A PostgreSQL server: the one of this machine as its owner, or another with a login, which a secret of AWS has where the part has none."""

    def __init__(self, part, settings):
        self.host, self.port = part.get("host", ""), str(part.get("port", 5432))
        self.secret, self.login, self.settings = part.get("secret_arn", ""), part.get("login"), settings
        self.environment, self.before, self._pass = {**os.environ, "PGCONNECT_TIMEOUT": "10", "PGPORT": self.port}, [], None
        if not self.host:
            self.before = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def _login(self):
        """RDS changes the password now and then: it is asked for each time the program runs."""
        if not self.host or self._pass:
            return
        login = self.login or self._ask()
        self._pass = tempfile.NamedTemporaryFile("w")  # noqa: SIM115 - mode 0600, gone with this object
        # Source: PostgreSQL 15, 34.16 "The Password File": backslashes and colons are escaped.
        escaped = login["password"].replace("\\", "\\\\").replace(":", "\\:")
        self._pass.write(f"*:*:*:*:{escaped}\n")
        self._pass.flush()
        self.environment |= {"PGHOST": self.host, "PGUSER": login["username"], "PGSSLMODE": "require", "PGPASSFILE": self._pass.name}

    def _ask(self):
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = aws("secretsmanager", self.settings).get_secret_value(SecretId=self.secret)
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"login of {self.host}: {error}") from error
        return json.loads(answer["SecretString"])

    def wait(self):
        """Wait until it answers. Source: PostgreSQL 15, pg_isready: 0 takes connections, 1 is starting, 2 does not answer, 3 was not tried."""
        deadline = time.monotonic() + READY_SECONDS
        while (code := subprocess.run(self.command("pg_isready", "--quiet"), env=self.environment, cwd="/", check=False).returncode) != 0:
            if code > 2:
                raise Failure(f"pg_isready ends with code {code} and asks nobody: the host {self.host!r} or the port {self.port!r} cannot be one")
            if time.monotonic() > deadline:
                raise Failure(f"{self.host} takes no connections on port {self.port}, after {READY_SECONDS} s")
            time.sleep(1)

    def command(self, *arguments):
        self._login()
        return [*self.before, *arguments]

    def run(self, *arguments, **options):
        return run(self.command(*arguments), " ".join(arguments[:2]), env=self.environment, cwd="/", **options)

    def sql(self, text, database="postgres"):
        """Run SQL, which comes by standard input and is in no argument, and answer its lines."""
        return run(self.command("psql", "-qXAt", "--set", "ON_ERROR_STOP=1", "--dbname", database), f"psql {database}", env=self.environment,
                   cwd="/", input=text.encode()).split("\n")[:-1]

    def major(self):
        return int(self.sql("SHOW server_version_num")[0]) // 10000

    def names(self):
        return self.sql("SELECT datname FROM pg_database ORDER BY datname")

    def exists(self, name):
        return name in self.names()

    def drop(self, name):
        self.run("dropdb", "--if-exists", "--force", name)

    def rename(self, *pairs):
        """Rename databases in one step. Nobody can connect to them meanwhile."""
        old = [a for a, _ in pairs]
        try:
            for name in old:
                self.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            for attempt in range(RENAME_ATTEMPTS):
                try:
                    for name in old:
                        # RENAME itself ends what PostgreSQL does in the background, which a login that is no superuser must not end.
                        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(name)} AND backend_type = 'client backend'")
                    self.sql("BEGIN;\n" + "\n".join(f'ALTER DATABASE "{a}" RENAME TO "{b}";' for a, b in pairs) + "\nCOMMIT;")
                    break
                except Failure:
                    if attempt + 1 == RENAME_ATTEMPTS:
                        raise
        finally:
            now = self.names()
            for name in {n for pair in pairs for n in pair} & set(now):
                self.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    def dump(self, name, file, *options):
        with open(file, "wb") as out, tempfile.TemporaryFile() as errors:
            command = self.command("pg_dump", "--format=custom", "--compress=1", *options, name)
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=self.environment, cwd="/", check=False)
            if done.returncode:
                errors.seek(0)
                raise Failure(f"pg_dump {name}: {' '.join(errors.read().decode(errors='replace').split())}")

    def restore(self, file, *options):
        with open(file, "rb") as dump:
            return self.run("pg_restore", "--exit-on-error", *options, stdin=dump)

    @contextlib.contextmanager
    def only_one(self, name):
        """Hold a lock that the server knows, so that of all machines that share a database one saves it."""
        program = subprocess.Popen(self.command("psql", "-qXAt", "--dbname", "postgres"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment, cwd="/", text=True)
        try:
            with contextlib.suppress(BrokenPipeError):  # a program that has ended says why
                program.stdin.write(f"SELECT pg_try_advisory_lock(hashtext({literal('calldata backup ' + name)}));\n")
                program.stdin.flush()
            answer = program.stdout.readline().strip()
            if not answer:
                raise Failure(f"psql: {' '.join(program.stderr.read().split())}")
            if answer != "t":
                raise Busy(f"another machine is saving {name}")
            yield
        finally:
            with contextlib.suppress(OSError):
                program.stdin.close()
            program.stdout.close()
            program.stderr.close()
            program.wait()


class PostgreSQL:
    def __init__(self, part, settings):
        self.part, self.settings, self.server = part, settings, Server(part, settings)

    def only_one(self, source):
        """Keep other machines from saving the same databases meanwhile."""
        return self.server.only_one(source)

    def databases(self):
        if "databases" in self.part:
            return self.part["databases"]
        wanted = [n for n in self.server.names() if n not in SYSTEM and n not in self.part["except"] and not re.search(r"_(new|before)_\d+$", n)]
        if strange := [n for n in wanted if not NAME.fullmatch(n)]:
            raise Failure(f"databases {', '.join(strange)}: names like c4 are all that can be restored")
        return wanted

    def save(self, work):
        names, sizes, schema = self.databases(), {}, []
        for name in names:
            sizes[name] = int(self.server.sql(f"SELECT pg_database_size({literal(name)})")[0])
            if shutil.disk_usage(work).free < sizes[name] // 2:
                raise Failure(f"database {name} has {sizes[name]} bytes, the disk has no room for its dump: less than half of that is free")
            self.server.dump(name, os.path.join(work, name + ".dump"))
            if self.part.get("schema_directory"):
                schema = self.server.sql("SELECT name FROM schema_migration ORDER BY name", name)
        info = {"databases": sizes, "versions": {"postgresql": self.server.major(), "schema": schema}}
        if not names:
            return ["tar", "--create", "--files-from=/dev/null"], info
        return tar_of(work, [name + ".dump" for name in names]), info

    def objections(self, saved, versions):
        """What speaks against restoring, with the words that --allow takes."""
        out, here = [], self.server.major()
        if versions["postgresql"] != here:
            out.append(("postgresql-version", f"the backup is of PostgreSQL {versions['postgresql']}, this server is {here}"))
        if "databases" in self.part and (missing := set(self.part["databases"]) - set(saved["databases"])):
            raise Refusal(f"the backup lacks the databases {', '.join(sorted(missing))}")
        if strange := [n for n in saved["databases"] if not NAME.fullmatch(n)]:
            raise Refusal(f"the backup has databases with strange names: {strange!r}")
        if folder := self.part.get("schema_directory"):
            known = {n[:-4] for n in os.listdir(path(folder)) if n.endswith(".sql")}
            if newer := sorted(set(versions["schema"]) - known):
                out.append(("schema", f"the backup's schema has {', '.join(newer)}, which this machine does not know: configure it with the newer release first"))
        return out

    def local_bytes(self, saved):
        """Bytes that the restored databases take on this machine."""
        return 0 if self.server.host else sum(saved["databases"].values())

    def dumps(self, tree):
        return sorted(n[:-5] for n in os.listdir(tree) if n.endswith(".dump"))

    def keep(self, tree, kept, run_id):
        """The old databases keep themselves, under another name."""

    def load(self, tree, run_id):
        for role in self.part.get("roles", ()):
            self.server.sql(f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) THEN CREATE ROLE \"{role}\" NOLOGIN; "
                            "END IF; END $$")
        for name in self.dumps(tree):
            new = f"{name}_new_{run_id}"
            self.server.drop(new)
            self.server.run("createdb", "--template=template0", "--encoding=UTF8", new)
            owner = ["--no-owner"] if self.server.host or self.part.get("roles") else []
            self.server.restore(os.path.join(tree, name + ".dump"), *owner, "--dbname", new)

    def swap(self, tree, run_id):
        for name in self.dumps(tree):
            new, before = f"{name}_new_{run_id}", f"{name}_before_{run_id}"
            if not self.server.exists(new):
                continue  # an earlier run that was cut off has come this far
            if self.server.exists(name):
                self.server.rename((name, before), (new, name))
            else:
                self.server.rename((new, name))
            if self.part.get("after_sql"):
                self.server.sql(self.part["after_sql"], name)

    def undo(self, kept, saved, run_id):
        for name in saved["databases"]:
            new, before = f"{name}_new_{run_id}", f"{name}_before_{run_id}"
            if self.server.exists(before):
                if self.server.exists(name):
                    self.server.rename((name, new), (before, name))
                else:
                    self.server.rename((before, name))
                if self.part.get("after_sql"):
                    self.server.sql(self.part["after_sql"], name)
            self.server.drop(new)

    def forget(self, run_id):
        """Drop what earlier restores have kept."""
        for name in self.server.names():
            found = re.fullmatch(r"(.+)_(new|before)_(\d+)", name)
            if found and found[3] != run_id and found[1] in self.part.get("databases", [found[1]]):
                self.server.drop(name)
