-- What all queries of definitions begin with. $1: the schemas that are meant, {{name,lead},…} as elsewhere; NULL: all of users.
WITH extended AS (
  SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), space AS (
  SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND ($1::text[] IS NULL OR n.nspname = ANY ($1::text[]))
     AND n.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass)
), relation AS (
  SELECT c.*, s.nspname, '1259:' || c.oid || ':0' AS id
    FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
   WHERE c.relname NOT LIKE '\_transhume\_%'
     AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
), named_type AS (
  SELECT t.*, s.nspname, '1247:' || t.oid || ':0' AS id
    FROM pg_catalog.pg_type t JOIN space s ON s.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
     AND t.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
), routine AS (
  SELECT p.*, s.nspname, '1255:' || p.oid || ':0' AS id
    FROM pg_catalog.pg_proc p JOIN space s ON s.oid = p.pronamespace
   WHERE p.proname NOT LIKE '\_transhume\_%'
     AND p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                       AND d.objid = p.oid AND d.deptype = 'i')
)
