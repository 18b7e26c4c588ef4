-- Extensions, of the whole database.
SELECT '3079:' || e.oid || ':0' AS id, 'extension' AS kind, NULL AS schema, NULL AS "table", e.extname AS name, NULL AS owner,
       n.nspname AS "in", e.extversion AS version
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname <> 'plpgsql' AND $1::text[] IS NULL ORDER BY e.extname
