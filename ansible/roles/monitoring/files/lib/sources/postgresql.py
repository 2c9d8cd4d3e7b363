"""PostgreSQL on this machine: connections, size, work, replication."""

from command import output
from samples import sample

QUERY = """
SELECT 'connections', '', count(*)::float8 FROM pg_stat_activity WHERE backend_type = 'client backend'
UNION ALL SELECT 'connections_max', '', setting::float8 FROM pg_settings WHERE name = 'max_connections'
UNION ALL SELECT 'transactions_total', '', sum(xact_commit + xact_rollback)::float8 FROM pg_stat_database
UNION ALL SELECT 'deadlocks_total', '', sum(deadlocks)::float8 FROM pg_stat_database
UNION ALL SELECT 'database_bytes', datname, pg_database_size(datname)::float8 FROM pg_database WHERE datallowconn AND NOT datistemplate
UNION ALL SELECT 'in_recovery', '', pg_is_in_recovery()::int::float8
UNION ALL SELECT 'replicas', '', count(*)::float8 FROM pg_stat_replication
UNION ALL SELECT 'replication_lag_seconds', '', coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 FROM pg_stat_replication HAVING count(*) > 0
UNION ALL SELECT 'replay_age_seconds', '', extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 WHERE pg_is_in_recovery()
"""


def collect(settings):
    rows = output(
        "psql", "-XAtq", "-F", "\t", "-d", "postgres", "-p", str(settings["port"]), "-c", QUERY,
        user="postgres", group="postgres", extra_groups=[], cwd="/", env={"PATH": "/usr/bin:/bin", "PGCONNECT_TIMEOUT": "3"},
    )
    for row in rows.splitlines():
        name, database, value = row.split("\t")
        yield sample("calldata_postgresql_" + name, value or 0, **({"database": database} if database else {}))
