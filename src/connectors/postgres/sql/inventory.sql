-- How many objects of each kind the catalogue has of a schema: the catalogue, the kind in the words of objects.sql, the
-- number, and does it go along with a table into whatever target that has it? What an extension made is the
-- extension's. $1: schema.
WITH space AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1),
extended AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'),
relations AS (
  SELECT c.*, EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid AND NOT (i.indisvalid AND i.indislive)) AS invalid FROM pg_catalog.pg_class c, space
   WHERE c.relnamespace = space.oid AND c.relname NOT LIKE '\_transhume\_%'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class t ON t.oid = i.indrelid WHERE i.indexrelid = c.oid AND t.relname LIKE '\_transhume\_%')
     AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
)
SELECT 'pg_class', CASE WHEN relispartition AND relkind IN ('r', 'p') THEN 'partition' WHEN relkind IN ('r', 'p') THEN 'table' WHEN relkind = 'v' THEN 'view'
         WHEN relkind = 'm' THEN 'materialized view' WHEN invalid THEN 'invalid index' WHEN relkind IN ('i', 'I') THEN 'index' WHEN relkind = 'S' THEN 'sequence' WHEN relkind = 'f' THEN 'foreign table'
         ELSE 'composite type' END AS what, count(*), pg_catalog.bool_and(relkind IN ('r', 'p', 'i', 'I') AND NOT invalid) FROM relations GROUP BY 2
UNION ALL
SELECT 'pg_constraint', CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique key' WHEN 'f' THEN CASE WHEN k.conparentid = 0 AND k.conrelid IN (SELECT oid FROM relations WHERE relispartition) THEN 'foreign key of a partition' ELSE 'foreign key' END WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclusion'
         WHEN 'n' THEN 'not null' ELSE 'constraint trigger' END, count(*),
       pg_catalog.bool_and(k.contype IN ('p', 'u', 'f', 'n') AND (k.contype <> 'f' OR k.conparentid <> 0 OR k.conrelid NOT IN (SELECT oid FROM relations WHERE relispartition)))
  FROM pg_catalog.pg_constraint k JOIN space ON space.oid = k.connamespace
 WHERE (k.conrelid = 0 OR k.conrelid IN (SELECT oid FROM relations)) GROUP BY 2
UNION ALL
SELECT 'pg_proc', CASE WHEN d.objid IS NOT NULL THEN 'constructor of a type' ELSE CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function' ELSE 'function' END END,
       count(*), false
  FROM pg_catalog.pg_proc p JOIN space ON space.oid = p.pronamespace
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i'
 WHERE p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) GROUP BY 2
UNION ALL
SELECT 'pg_trigger', CASE WHEN g.tgisinternal THEN 'trigger of a foreign key' WHEN coalesce((pg_catalog.to_jsonb(g)->>'tgparentid')::pg_catalog.oid, 0) <> 0 THEN 'trigger of a partition' ELSE 'trigger' END,
       count(*), pg_catalog.bool_and(g.tgisinternal)
  FROM pg_catalog.pg_trigger g JOIN relations c ON c.oid = g.tgrelid GROUP BY 2
 ORDER BY 1, 2
