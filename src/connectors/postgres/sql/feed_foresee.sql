-- What a feed would meet: the role's rights to make the publication (of each table its owner's, of the database CREATE), slots and senders
-- that are left, what a slot may keep, the oldest transaction that a slot would wait for, the role, the database, and what makes the role an
-- owner. Behind
-- "WITH asked(place, schema, name) AS (VALUES …) ".
SELECT (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', a.schema, a.name), ', ' ORDER BY a.place) FROM asked a
          JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
         WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
       pg_catalog.current_setting('max_replication_slots')::pg_catalog.int8 - (SELECT count(*) FROM pg_catalog.pg_replication_slots),
       pg_catalog.current_setting('max_wal_senders')::pg_catalog.int8 - (SELECT count(*) FROM pg_catalog.pg_stat_replication),
       pg_catalog.current_setting('max_slot_wal_keep_size', true),
       (SELECT pg_catalog.to_char(pg_catalog.min(s.xact_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
          FROM pg_catalog.pg_stat_activity s
         WHERE s.backend_xid IS NOT NULL AND s.pid <> pg_catalog.pg_backend_pid() AND s.xact_start < pg_catalog.now() - interval '10 seconds'),
       (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', a.schema, a.name), ', ' ORDER BY a.place) FROM asked a
          JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
         WHERE c.relreplident = 'f'),
       pg_catalog.quote_ident(current_user::pg_catalog.text),
       pg_catalog.quote_ident(pg_catalog.current_database()::pg_catalog.text),
       (SELECT pg_catalog.string_agg(pg_catalog.format('GRANT %I TO %I', o.name, current_user), '; ' ORDER BY o.name)
          FROM (SELECT DISTINCT pg_catalog.pg_get_userbyid(c.relowner) AS name FROM asked a
                  JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
                 WHERE NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')) o)
