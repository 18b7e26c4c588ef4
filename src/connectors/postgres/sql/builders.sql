-- Tables of a schema that statements of other sessions are building on right now, and their numbers. $1: schema.
SELECT DISTINCT c.relname, a.pid
  FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_locks l ON l.pid = a.pid AND l.locktype = 'relation'
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
 WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.state = 'active'
   AND a.query ~ '^(CREATE (UNIQUE )?INDEX|ALTER TABLE) '
