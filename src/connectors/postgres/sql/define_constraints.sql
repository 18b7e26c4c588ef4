-- Constraints of tables, but for those that are not their own.
SELECT '2606:' || k.oid || ':0' AS id, CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END AS kind, c.nspname AS schema, c.relname AS "table", k.conname AS name, c.id AS owner,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition,
       CASE WHEN x.indisclustered THEN 'yes' END AS clustered,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = i.reltablespace AND k.contype IN ('p', 'u', 'x')) AS tablespace,
       (SELECT pg_catalog.string_agg(o, ', ' ORDER BY o) FROM pg_catalog.unnest(i.reloptions) o WHERE k.contype IN ('p', 'u', 'x')) AS options,
       k.contype AS _type, CASE WHEN c.relkind = 'p' THEN 'yes' END AS _partitioned,
       CASE WHEN k.contype IN ('p', 'u') THEN pg_catalog.pg_get_indexdef(k.conindid) END AS _index,
       CASE WHEN k.convalidated THEN NULL ELSE 'yes' END AS _unchecked
  FROM relation c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x') LEFT JOIN pg_catalog.pg_class i ON i.oid = k.conindid
 WHERE k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conparentid = 0 AND k.conislocal AND (k.contype <> 'c' OR k.coninhcount = 0)
 ORDER BY c.nspname, c.relname, k.conname
