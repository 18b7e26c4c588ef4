-- Sequences but those of identity columns, and whose they are.
SELECT c.id, 'sequence' AS kind, c.nspname AS schema, NULL AS "table", c.relname AS name, NULL AS owner,
       pg_catalog.format_type(q.seqtypid, NULL) AS type, q.seqstart AS start, q.seqincrement AS increment, q.seqmin AS minimum, q.seqmax AS maximum, q.seqcache AS cache,
       CASE WHEN q.seqcycle THEN 'yes' END AS cycle, CASE WHEN c.relpersistence = 'u' THEN 'yes' END AS unlogged, NULL AS column
  FROM relation c JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'i')
UNION ALL
SELECT 'owner:' || c.oid, 'ownership', c.nspname, NULL, c.relname, c.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       pg_catalog.format('%I.%I.%I', tn.nspname, t.relname, a.attname)
  FROM relation c JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'a' AND d.refclassid = d.classid AND d.refobjsubid > 0
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE c.relkind = 'S' ORDER BY 3, 5, 2 DESC
