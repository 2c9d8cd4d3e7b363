# Makes this machine a PostgreSQL 15 as RDS offers it. Runs as root; reads from the lines before it: NAME, USER_NAME,
# PASSWORD, PORT, CERTIFICATE, KEY, PARAMETERS; and where it begins as another one was, RESTORED and RESTORE_TIME.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mkdir -p /etc/postgresql-common
printf "create_main_cluster = false\nadd_include_dir = 'conf.d'\n" >/etc/postgresql-common/createcluster.conf
apt-get -qq update
apt-get -qq -y --no-install-recommends install postgresql-15 postgresql-contrib >/dev/null
[ -d /etc/postgresql/15/main ] || pg_createcluster --locale C.UTF-8 --port "$PORT" 15 main >/dev/null
directory=/etc/postgresql/15/main data=/var/lib/postgresql/15/main restored=/var/lib/restored
umask 077
printf '%s\n' "$CERTIFICATE" >"$directory/server.crt"
printf '%s\n' "$KEY" >"$directory/server.key"
# As on RDS with rds.force_ssl: TLS for all who come by network.
cat >"$directory/pg_hba.conf" <<'HBA'
local   all all     peer
local   replication postgres peer
hostssl all all all scram-sha-256
HBA
cat >"$directory/conf.d/rehearsal.conf" <<CONF
listen_addresses = '*'
port = $PORT
ssl = on
ssl_cert_file = '$directory/server.crt'
ssl_key_file = '$directory/server.key'
password_encryption = 'scram-sha-256'
# RDS keeps the log every five minutes.
archive_mode = on
archive_command = 'cp %p /var/lib/postgresql/archive/%f.part && mv /var/lib/postgresql/archive/%f.part /var/lib/postgresql/archive/%f'
archive_timeout = 300
$PARAMETERS
CONF
install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/archive
if [ -n "${RESTORED:-}" ] && [ -d "$restored" ]; then
  rm -rf "$data"
  mv "$restored/base" "$data"
  touch "$data/recovery.signal"
  {
    echo "restore_command = 'cp $restored/archive/%f %p'"
    [ -z "$RESTORE_TIME" ] || echo "recovery_target_time = '$RESTORE_TIME'"
    echo "recovery_target_action = 'promote'"
  } >"$directory/conf.d/restored.conf"
  chown -R postgres:postgres "$data" "$restored"
fi
chown -R postgres:postgres "$directory"
systemctl restart postgresql@15-main || {
  tail --lines 20 /var/log/postgresql/postgresql-15-main.log >&2
  exit 1
}
cd /
if [ -f "$directory/conf.d/restored.conf" ]; then
  until [ "$(runuser -u postgres -- psql -qXAt --command 'SELECT pg_is_in_recovery()')" = f ]; do sleep 0.5; done
  rm -rf "$restored" "$directory/conf.d/restored.conf"
fi
# The password goes by standard input: arguments can be read by others. The two roles are those of rds_superuser that
# PostgreSQL has.
printf "SET log_statement = 'none';\nSELECT format('CREATE ROLE %%I LOGIN CREATEDB CREATEROLE', :'user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \\\\gexec\nALTER ROLE :\"user\" PASSWORD '%s';\nGRANT pg_monitor, pg_signal_backend TO :\"user\";\n" "$PASSWORD" |
  runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 -v user="$USER_NAME" >/dev/null
printf "SELECT format('CREATE DATABASE %%I OWNER %%I', :'name', :'user') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\\\gexec\n" |
  runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 -v user="$USER_NAME" -v name="$NAME" >/dev/null
systemctl enable -q postgresql
# What a restore to a time begins with.
[ -d /var/lib/postgresql/base ] || runuser -u postgres -- pg_basebackup --pgdata /var/lib/postgresql/base --wal-method fetch --checkpoint fast
