-- Schemas.
SELECT '2615:' || s.oid || ':0' AS id, 'schema' AS kind, NULL AS schema, NULL AS "table", s.nspname AS name, NULL AS owner
  FROM space s ORDER BY s.nspname
