-- What the Routers know, and what they report. Applied once, in a transaction, by the owner of the database.

-- Tables that Kamailio 5.6 loads by itself, in its own formats: it refuses to start when a version is another.
CREATE TABLE version (
    id serial PRIMARY KEY,
    table_name varchar(32) NOT NULL UNIQUE,
    table_version integer NOT NULL DEFAULT 0
);

-- Where calls may come from: grp 1 are trunks of carriers, grp 2 engines; tag is the name.
CREATE TABLE address (
    id serial PRIMARY KEY,
    grp integer NOT NULL DEFAULT 1,
    ip_addr varchar(50) NOT NULL,
    mask integer NOT NULL DEFAULT 32,
    port smallint NOT NULL DEFAULT 0,
    tag varchar(64),
    UNIQUE (grp, ip_addr, mask, port)
);
INSERT INTO version (table_name, table_version) VALUES ('address', 6);

-- Domains of tenants; did is the tenant.
CREATE TABLE domain (
    id serial PRIMARY KEY,
    domain varchar(64) NOT NULL UNIQUE,
    did varchar(64),
    last_modified timestamp NOT NULL DEFAULT '2000-01-01 00:00:01'
);
INSERT INTO version (table_name, table_version) VALUES ('domain', 2);

-- Rules that bring numbers into another form; dpid is the ruleset.
CREATE TABLE dialplan (
    id serial PRIMARY KEY,
    dpid integer NOT NULL,
    pr integer NOT NULL,
    match_op integer NOT NULL,
    match_exp varchar(64) NOT NULL,
    match_len integer NOT NULL,
    subst_exp varchar(64) NOT NULL,
    repl_exp varchar(256) NOT NULL,
    attrs varchar(64) NOT NULL,
    UNIQUE (dpid, pr)
);
INSERT INTO version (table_name, table_version) VALUES ('dialplan', 2);

-- Sets of destinations: engines with their backups, and carriers' trunks by weight.
CREATE TABLE dispatcher (
    id serial PRIMARY KEY,
    setid integer NOT NULL DEFAULT 0,
    destination varchar(192) NOT NULL DEFAULT '',
    flags integer NOT NULL DEFAULT 0,
    priority integer NOT NULL DEFAULT 0,
    attrs varchar(128) NOT NULL DEFAULT '',
    description varchar(64) NOT NULL DEFAULT ''
);
INSERT INTO version (table_name, table_version) VALUES ('dispatcher', 4);

-- Registrations with carriers.
CREATE TABLE uacreg (
    id serial PRIMARY KEY,
    l_uuid varchar(64) NOT NULL UNIQUE,
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
INSERT INTO version (table_name, table_version) VALUES ('uacreg', 5);

-- Longest match: numbers of tenants, and prefixes of routes.
CREATE TABLE did (
    id serial PRIMARY KEY,
    tprefix varchar(32) NOT NULL UNIQUE,
    tvalue varchar(128) NOT NULL DEFAULT ''
);
CREATE TABLE prefix (
    id serial PRIMARY KEY,
    tprefix varchar(32) NOT NULL UNIQUE,
    tvalue varchar(128) NOT NULL DEFAULT ''
);
INSERT INTO version (table_name, table_version) VALUES ('did', 1), ('prefix', 1);

-- Facts by name.
CREATE TABLE ht_tenant (
    id serial PRIMARY KEY,
    key_name varchar(64) NOT NULL UNIQUE,
    key_type integer NOT NULL DEFAULT 0,
    value_type integer NOT NULL DEFAULT 0,
    key_value varchar(256) NOT NULL DEFAULT '',
    expires integer NOT NULL DEFAULT 0
);
CREATE TABLE ht_domain (LIKE ht_tenant INCLUDING ALL);
CREATE TABLE ht_ipbx (LIKE ht_tenant INCLUDING ALL);
CREATE TABLE ht_trunk (LIKE ht_tenant INCLUDING ALL);
INSERT INTO version (table_name, table_version) VALUES ('ht_tenant', 2), ('ht_domain', 2), ('ht_ipbx', 2), ('ht_trunk', 2);

-- Numbers of things that have names in the document: they stay when others come and go.
CREATE TABLE routing_number (
    kind text NOT NULL,
    name text NOT NULL,
    number integer NOT NULL,
    PRIMARY KEY (kind, name),
    UNIQUE (kind, number)
);

-- Every document that was applied. The newest is what the tables above hold.
CREATE TABLE routing_revision (
    id serial PRIMARY KEY,
    sha256 text NOT NULL,
    -- Hash of the rows that were written, which tells changes by hand.
    tables_sha256 text NOT NULL,
    document text NOT NULL,
    author text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- What each Router has loaded; it writes its row every few seconds.
CREATE TABLE routing_loaded (
    router text PRIMARY KEY,
    revision integer NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- One row for every call that a Router took on, answered or not.
CREATE TABLE cdr (
    id bigserial PRIMARY KEY,
    call_id text NOT NULL,
    from_tag text NOT NULL,
    router text NOT NULL,
    tenant text NOT NULL DEFAULT '',
    direction text NOT NULL CHECK (direction IN ('in', 'out', 'internal')),
    ingress text NOT NULL DEFAULT '',
    egress text NOT NULL DEFAULT '',
    caller text NOT NULL DEFAULT '',
    called text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at timestamptz,
    duration_ms bigint NOT NULL DEFAULT 0,
    code integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    ended_by text CHECK (ended_by IN ('caller', 'callee', 'timeout')),
    UNIQUE (call_id, from_tag, started_at)
);
CREATE INDEX cdr_started_at ON cdr (started_at);
CREATE INDEX cdr_tenant_started_at ON cdr (tenant, started_at);
