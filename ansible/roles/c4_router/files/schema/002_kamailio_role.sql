-- The Routers' own login: it reads the routing and writes what it did, and no more. Its password is set by the role.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kamailio') THEN
        CREATE ROLE kamailio LOGIN;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO kamailio;
GRANT SELECT ON version, address, domain, dialplan, dispatcher, uacreg, did, prefix, ht_tenant, ht_domain, ht_ipbx, ht_trunk,
    routing_revision, routing_loaded, cdr TO kamailio;
GRANT INSERT, UPDATE ON routing_loaded, cdr TO kamailio;
GRANT USAGE ON SEQUENCE cdr_id_seq TO kamailio;
