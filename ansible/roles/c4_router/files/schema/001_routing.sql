-- The C4 Router's database: what `calldata routing apply` writes and Kamailio 5.6 loads, which Router has loaded it, and CDRs.
--
--   psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname c4 --file 001_routing.sql
--
-- Running it again changes nothing, and two Routers may run it at the same time. It is one transaction. Who runs it owns the
-- tables and must be allowed to create a role.
--
-- Names, types and versions of Kamailio's tables are those that its modules ask for.
-- Source: Kamailio 5.6 modules permissions, domain, dialplan, dispatcher, uac, mtree and htable. Texts are varchar and never
-- text, which db_postgres takes for a blob; some are longer than Kamailio's own, and only versions are compared.
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('calldata schema'));
SET LOCAL client_min_messages = warning;

CREATE TABLE IF NOT EXISTS schema_migration (
    name varchar(64) PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS version (
    id serial PRIMARY KEY,
    table_name varchar(32) NOT NULL UNIQUE,
    table_version integer NOT NULL DEFAULT 0
);

-- grp 1: addresses of trunks, tag is the trunk. grp 2: addresses of IPBXes, tag is the IPBX. Port 0 is any.
-- Kamailio's own port is a smallint, into which the upper half of the ports does not fit.
CREATE TABLE IF NOT EXISTS address (
    id serial PRIMARY KEY,
    grp integer NOT NULL DEFAULT 1,
    ip_addr varchar(50) NOT NULL,
    mask integer NOT NULL DEFAULT 32,
    port integer NOT NULL DEFAULT 0,
    tag varchar(64)
);

CREATE TABLE IF NOT EXISTS domain (
    id serial PRIMARY KEY,
    domain varchar(64) NOT NULL UNIQUE,
    did varchar(64),
    last_modified timestamp NOT NULL DEFAULT '2000-01-01 00:00:01'
);

CREATE TABLE IF NOT EXISTS domain_attrs (
    id serial PRIMARY KEY,
    did varchar(64) NOT NULL,
    name varchar(32) NOT NULL,
    type integer NOT NULL,
    value varchar(255) NOT NULL,
    last_modified timestamp NOT NULL DEFAULT '2000-01-01 00:00:01'
);
CREATE INDEX IF NOT EXISTS domain_attrs_did_name ON domain_attrs (did, name);

-- One dpid a ruleset. The first match in order of pr ends the search.
CREATE TABLE IF NOT EXISTS dialplan (
    id serial PRIMARY KEY,
    dpid integer NOT NULL,
    pr integer NOT NULL,
    match_op integer NOT NULL,
    match_exp varchar(255) NOT NULL,
    match_len integer NOT NULL DEFAULT 0,
    subst_exp varchar(255) NOT NULL,
    repl_exp varchar(256) NOT NULL,
    attrs varchar(64) NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS dispatcher (
    id serial PRIMARY KEY,
    setid integer NOT NULL DEFAULT 0,
    destination varchar(192) NOT NULL DEFAULT '',
    flags integer NOT NULL DEFAULT 0,
    priority integer NOT NULL DEFAULT 0,
    attrs varchar(256) NOT NULL DEFAULT '',
    description varchar(64) NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS uacreg (
    id serial PRIMARY KEY,
    l_uuid varchar(64) NOT NULL DEFAULT '' UNIQUE,
    l_username varchar(64) NOT NULL DEFAULT '',
    l_domain varchar(64) NOT NULL DEFAULT '',
    r_username varchar(64) NOT NULL DEFAULT '',
    r_domain varchar(64) NOT NULL DEFAULT '',
    realm varchar(64) NOT NULL DEFAULT '',
    auth_username varchar(64) NOT NULL DEFAULT '',
    auth_password varchar(64) NOT NULL DEFAULT '',
    auth_ha1 varchar(128) NOT NULL DEFAULT '',
    auth_proxy varchar(255) NOT NULL DEFAULT '',
    expires integer NOT NULL DEFAULT 0,
    flags integer NOT NULL DEFAULT 0,
    reg_delay integer NOT NULL DEFAULT 0,
    contact_addr varchar(255) NOT NULL DEFAULT '',
    socket varchar(128) NOT NULL DEFAULT ''
);

-- E.164 digits without + -> "tenant=..;ipbx=..;min=..;max=.."
CREATE TABLE IF NOT EXISTS did (
    id serial PRIMARY KEY,
    tprefix varchar(32) NOT NULL UNIQUE,
    tvalue varchar(255) NOT NULL DEFAULT ''
);

-- number of the tenant, '*', E.164 prefix -> "route=..;sets=../.."
CREATE TABLE IF NOT EXISTS prefix (
    id serial PRIMARY KEY,
    tprefix varchar(32) NOT NULL UNIQUE,
    tvalue varchar(255) NOT NULL DEFAULT ''
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ht_tenant', 'ht_ipbx', 'ht_trunk', 'ht_domain'] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I (
            id serial PRIMARY KEY,
            key_name varchar(64) NOT NULL DEFAULT '''' UNIQUE,
            key_type integer NOT NULL DEFAULT 0,
            value_type integer NOT NULL DEFAULT 0,
            key_value varchar(1024) NOT NULL DEFAULT '''',
            expires integer NOT NULL DEFAULT 0
        )', name);
    END LOOP;
END
$$;

INSERT INTO version (table_name, table_version) VALUES
    ('version', 1), ('address', 6), ('domain', 2), ('domain_attrs', 1), ('dialplan', 2), ('dispatcher', 4), ('uacreg', 5),
    ('did', 1), ('prefix', 1), ('ht_tenant', 2), ('ht_ipbx', 2), ('ht_trunk', 2), ('ht_domain', 2)
ON CONFLICT (table_name) DO UPDATE SET table_version = excluded.table_version
    WHERE version.table_version <> excluded.table_version;

-- What was applied, newest last. The document names secrets and never has their values.
CREATE TABLE IF NOT EXISTS routing_revision (
    id serial PRIMARY KEY,
    sha256 char(64) NOT NULL,
    document text NOT NULL,
    author varchar(128) NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The numbers that names have in Kamailio: dialplan ids, dispatcher sets, tenants. A number is never given to another name.
CREATE TABLE IF NOT EXISTS routing_number (
    kind varchar(16) NOT NULL,
    name varchar(128) NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    PRIMARY KEY (kind, name),
    UNIQUE (kind, number)
);

-- Each Router's row: the revision it works with since loaded_at. seen_at is its sign of life, written at every look.
CREATE TABLE IF NOT EXISTS routing_loaded (
    router varchar(64) PRIMARY KEY,
    revision integer NOT NULL DEFAULT 0,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- What one Router does for all: the holder renews it, and another takes it when it has run out.
CREATE TABLE IF NOT EXISTS router_lease (
    name varchar(16) PRIMARY KEY,
    router varchar(64) NOT NULL,
    until timestamptz NOT NULL
);

-- One row for each call attempt, answered or not. A call that is up has one without an end.
CREATE TABLE IF NOT EXISTS cdr (
    id bigserial PRIMARY KEY,
    call_id varchar(255) NOT NULL,
    from_tag varchar(128) NOT NULL,
    router varchar(64) NOT NULL,
    tenant varchar(64) NOT NULL DEFAULT '',
    direction varchar(8) NOT NULL CHECK (direction IN ('in', 'out', 'internal')),
    ingress varchar(64) NOT NULL DEFAULT '',
    egress varchar(64) NOT NULL DEFAULT '',
    caller varchar(128) NOT NULL DEFAULT '',
    called varchar(128) NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz,
    duration_ms bigint NOT NULL DEFAULT 0 CHECK (duration_ms >= 0),
    code integer NOT NULL,
    reason varchar(128) NOT NULL DEFAULT '',
    ended_by varchar(8) CHECK (ended_by IN ('caller', 'callee', 'timeout')),
    UNIQUE (call_id, from_tag, started_at)
);
CREATE INDEX IF NOT EXISTS cdr_started_at ON cdr (started_at);
CREATE INDEX IF NOT EXISTS cdr_tenant_started_at ON cdr (tenant, started_at);
CREATE INDEX IF NOT EXISTS cdr_up ON cdr (started_at) WHERE ended_at IS NULL;

-- Writes a call's row, or completes it. Times are seconds since 1970, '' is none; what is too long is cut, so that no caller
-- can make a record that is refused. In PL/pgSQL a connection plans it once, and not for each record.
CREATE OR REPLACE FUNCTION cdr_put(call_id text, from_tag text, router text, tenant text, direction text, ingress text,
    egress text, caller text, called text, started text, answered text, ended text, code integer, reason text, ended_by text)
RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE done integer;
BEGIN
    INSERT INTO cdr AS c (call_id, from_tag, router, tenant, direction, ingress, egress, caller, called, started_at, answered_at,
        ended_at, duration_ms, code, reason, ended_by)
    VALUES (left($1, 255), left($2, 128), left($3, 64), left($4, 64), $5, left($6, 64), left($7, 64), left($8, 128), left($9, 128),
        to_timestamp($10::float8), to_timestamp(nullif($11, '')::float8), to_timestamp(nullif($12, '')::float8),
        coalesce(greatest(0, round((nullif($12, '')::numeric - nullif($11, '')::numeric) * 1000)), 0), $13, left($14, 128), nullif($15, ''))
    ON CONFLICT (call_id, from_tag, started_at) DO UPDATE SET egress = excluded.egress, answered_at = excluded.answered_at,
        ended_at = excluded.ended_at, duration_ms = excluded.duration_ms, code = excluded.code, reason = excluded.reason,
        ended_by = excluded.ended_by
    WHERE c.ended_at IS NULL AND excluded.ended_at IS NOT NULL
    RETURNING 1 INTO done;
    RETURN done;
END
$$;

-- Completes the row of a call that another Router has begun. tag is the sender's of the BYE.
CREATE OR REPLACE FUNCTION cdr_close(call_id text, tag text, other_tag text, ended text)
RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE done integer;
BEGIN
    UPDATE cdr SET ended_at = to_timestamp($4::float8),
        duration_ms = greatest(0, extract(epoch FROM to_timestamp($4::float8) - coalesce(answered_at, started_at)) * 1000),
        ended_by = CASE from_tag WHEN $2 THEN 'caller' ELSE 'callee' END
    WHERE cdr.call_id = $1 AND from_tag IN ($2, $3) AND ended_at IS NULL
    RETURNING 1 INTO done;
    RETURN done;
END
$$;

-- The Router's role. It cannot log in until it is given a way to.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kamailio') THEN
        CREATE ROLE kamailio NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- roles belong to the server: another database's schema made it meanwhile
END
$$;
GRANT USAGE ON SCHEMA public TO kamailio;
GRANT SELECT ON version, address, domain, domain_attrs, dialplan, dispatcher, uacreg, did, prefix,
    ht_tenant, ht_ipbx, ht_trunk, ht_domain TO kamailio;
GRANT SELECT (id, sha256, applied_at) ON routing_revision TO kamailio;
GRANT SELECT, INSERT, UPDATE ON routing_loaded, router_lease TO kamailio;
GRANT SELECT, INSERT, UPDATE ON cdr TO kamailio;
GRANT USAGE ON SEQUENCE cdr_id_seq TO kamailio;

INSERT INTO schema_migration (name) VALUES ('001_routing') ON CONFLICT DO NOTHING;
COMMIT;
