-- Indexes that no constraint and no index of a parent stands for.
SELECT '1259:' || i.oid || ':0' AS id, 'index' AS kind, c.nspname AS schema, c.relname AS "table", i.relname AS name, c.id AS owner,
       pg_catalog.pg_get_indexdef(i.oid) AS definition,
       CASE WHEN x.indisvalid THEN NULL ELSE 'yes' END AS invalid, CASE WHEN x.indisclustered THEN 'yes' END AS clustered,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = i.reltablespace) AS tablespace,
       (SELECT pg_catalog.string_agg(pg_catalog.format('%s = %s', a.attnum, a.attstattarget), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.oid AND coalesce(a.attstattarget, -1) >= 0) AS statistics,
       CASE WHEN c.relkind = 'p' THEN 'yes' END AS _partitioned
  FROM relation c JOIN pg_catalog.pg_index x ON x.indrelid = c.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
 WHERE c.relkind IN ('r', 'p', 'm') AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = c.oid)
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.oid)
 ORDER BY c.nspname, c.relname, i.relname
