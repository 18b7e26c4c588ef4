-- Schemas but $1 that hold a ledger, and nothing but what is kept beside one.
SELECT n.nspname
  FROM pg_catalog.pg_class l JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace
 WHERE l.relname = '_transhume_ledger' AND l.relkind = 'r' AND n.nspname <> $1::pg_catalog.name
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname NOT LIKE '\_transhume\_%')
 ORDER BY 1
