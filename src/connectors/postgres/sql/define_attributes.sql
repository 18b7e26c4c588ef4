-- Attributes of composite types.
SELECT '1247:' || t.oid || ':' || a.attnum AS id, 'attribute' AS kind, t.nspname AS schema, t.typname AS "table", a.attname AS name, t.id AS owner,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       CASE WHEN a.attcollation <> ty.typcollation THEN (SELECT pg_catalog.format('%I.%I', ln.nspname, l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation) END AS "collation"
  FROM named_type t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
 WHERE t.typtype = 'c' ORDER BY t.nspname, t.typname, a.attnum
