-- What outlives a restart of Kamailio 5.6: its modules dialog and mqueue write it when they stop and read it when they start.
-- Names, types and versions are those that the modules ask for.
BEGIN;
CREATE TABLE version (table_name VARCHAR(32) PRIMARY KEY, table_version INTEGER NOT NULL);
CREATE TABLE cdr (id INTEGER PRIMARY KEY, key VARCHAR(255), val VARCHAR(8192));
CREATE TABLE dialog (
    id INTEGER PRIMARY KEY,
    hash_entry INTEGER NOT NULL,
    hash_id INTEGER NOT NULL,
    callid VARCHAR(255) NOT NULL,
    from_uri VARCHAR(255) NOT NULL,
    from_tag VARCHAR(128) NOT NULL,
    to_uri VARCHAR(255) NOT NULL,
    to_tag VARCHAR(128) NOT NULL,
    caller_cseq VARCHAR(20) NOT NULL,
    callee_cseq VARCHAR(20) NOT NULL,
    caller_route_set VARCHAR(512),
    callee_route_set VARCHAR(512),
    caller_contact VARCHAR(255) NOT NULL,
    callee_contact VARCHAR(255) NOT NULL,
    caller_sock VARCHAR(64) NOT NULL,
    callee_sock VARCHAR(64) NOT NULL,
    state INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    timeout INTEGER NOT NULL DEFAULT 0,
    sflags INTEGER NOT NULL DEFAULT 0,
    iflags INTEGER NOT NULL DEFAULT 0,
    toroute_name VARCHAR(32),
    req_uri VARCHAR(255) NOT NULL,
    xdata VARCHAR(512)
);
CREATE TABLE dialog_vars (
    id INTEGER PRIMARY KEY,
    hash_entry INTEGER NOT NULL,
    hash_id INTEGER NOT NULL,
    dialog_key VARCHAR(128) NOT NULL,
    dialog_value VARCHAR(512) NOT NULL
);
INSERT INTO version VALUES ('dialog', 7), ('dialog_vars', 1);
COMMIT;
