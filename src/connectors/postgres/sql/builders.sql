-- Tables that statements of other sessions are building on right now, and their numbers.
-- $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
)
SELECT DISTINCT n.lead || c.relname, a.pid
  FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_locks l ON l.pid = a.pid AND l.locktype = 'relation'
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
  JOIN space n ON n.oid = c.relnamespace
 WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.state = 'active'
   AND a.query ~ '^(CREATE (UNIQUE )?INDEX|ALTER TABLE) '
