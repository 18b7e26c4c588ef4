-- Checks of domains.
SELECT '2606:' || k.oid || ':0' AS id, 'domain check' AS kind, t.nspname AS schema, t.typname AS "table", k.conname AS name, t.id AS owner,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition
  FROM named_type t JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid AND k.contype = 'c' ORDER BY t.nspname, t.typname, k.conname
