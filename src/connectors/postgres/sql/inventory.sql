-- How many objects of each kind the catalogue has of some schemas: the catalogue, the kind in the words of objects.sql, the
-- number, and as what it goes along with a table into whatever target has the like (schema_count_objects). What an
-- extension made is the extension's.
-- $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
),
extended AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'),
relations AS (
  SELECT c.*, EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid AND NOT (i.indisvalid AND i.indislive)) AS invalid FROM pg_catalog.pg_class c, space
   WHERE c.relnamespace = space.oid AND c.relname NOT LIKE '\_transhume\_%'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class t ON t.oid = i.indrelid WHERE i.indexrelid = c.oid AND t.relname LIKE '\_transhume\_%')
     AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
)
SELECT 'pg_class', CASE WHEN relispartition AND relkind IN ('r', 'p') THEN 'partition' WHEN relkind IN ('r', 'p') THEN 'table' WHEN relkind = 'v' THEN 'view'
         WHEN relkind = 'm' THEN 'materialized view' WHEN invalid THEN 'invalid index' WHEN relkind IN ('i', 'I') AND relispartition THEN 'index of a partition' WHEN relkind IN ('i', 'I') THEN 'index' WHEN relkind = 'S' THEN 'sequence' WHEN relkind = 'f' THEN 'foreign table'
         ELSE 'composite type' END AS what, count(*),
       pg_catalog.max(CASE WHEN invalid THEN '' WHEN relkind IN ('r', 'p') OR relispartition THEN 'always' WHEN relkind IN ('i', 'I') THEN 'index' ELSE '' END) FROM relations GROUP BY 2
UNION ALL
-- of a foreign key of or to a partitioned table the server makes one more for each partition
SELECT 'pg_constraint', k.kind || CASE WHEN k.kind IN ('primary key', 'unique key', 'foreign key') AND k.of_partition THEN ' of a partition' ELSE '' END, count(*),
       pg_catalog.max(CASE WHEN k.kind IN ('not null', 'server''s part of a foreign key') OR k.kind IN ('primary key', 'unique key') AND k.of_partition THEN 'always'
         WHEN k.kind = 'unique key' THEN 'unique constraint' WHEN k.kind IN ('primary key', 'foreign key') AND NOT k.of_partition THEN k.kind ELSE '' END)
  FROM (SELECT CASE c.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique key' WHEN 'f' THEN CASE WHEN c.conparentid = 0 THEN 'foreign key' ELSE 'server''s part of a foreign key' END WHEN 'c' THEN 'check'
                 WHEN 'x' THEN 'exclusion' WHEN 'n' THEN 'not null' ELSE 'constraint trigger' END AS kind,
               CASE WHEN c.contype = 'f' THEN c.conrelid IN (SELECT oid FROM relations WHERE relispartition) ELSE c.conparentid <> 0 END AS of_partition
          FROM pg_catalog.pg_constraint c JOIN space ON space.oid = c.connamespace
         WHERE c.conrelid = 0 OR c.conrelid IN (SELECT oid FROM relations)) k GROUP BY 2
UNION ALL
SELECT 'pg_proc', CASE WHEN d.objid IS NOT NULL THEN 'constructor of a type' ELSE CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function' ELSE 'function' END END,
       count(*), ''
  FROM pg_catalog.pg_proc p JOIN space ON space.oid = p.pronamespace
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i'
 WHERE p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AND p.proname NOT LIKE '\_transhume\_%' GROUP BY 2
UNION ALL
SELECT 'pg_trigger', kind || CASE WHEN of_partition THEN ' of a partition' ELSE '' END,
       count(*), pg_catalog.max(CASE WHEN kind <> 'trigger of a foreign key' THEN '' WHEN of_partition THEN 'always' ELSE 'foreign key trigger' END)
  FROM (SELECT CASE WHEN NOT g.tgisinternal THEN 'trigger' WHEN k.contype = 'f' THEN 'trigger of a foreign key' ELSE 'trigger of a deferrable key' END AS kind,
               coalesce((pg_catalog.to_jsonb(g)->>'tgparentid')::pg_catalog.oid, 0) <> 0 AS of_partition
          FROM pg_catalog.pg_trigger g JOIN relations c ON c.oid = g.tgrelid LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint WHERE g.tgname NOT LIKE '\_transhume\_%') g GROUP BY 2
UNION ALL
SELECT 'pg_type', 'type', count(*), ''
  FROM pg_catalog.pg_type t JOIN space ON space.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
 WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typelem = 0 OR t.typtype = 'p' AND NOT t.typisdefined OR c.relkind = 'c')
   AND t.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass) HAVING count(*) > 0
UNION ALL
SELECT 'pg_collation', 'collation', count(*), '' FROM pg_catalog.pg_collation l JOIN space ON space.oid = l.collnamespace HAVING count(*) > 0
UNION ALL
SELECT 'pg_rewrite', 'rule', count(*), '' FROM pg_catalog.pg_rewrite r JOIN relations c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN' HAVING count(*) > 0
UNION ALL
SELECT 'pg_policy', 'policy', count(*), '' FROM pg_catalog.pg_policy p JOIN relations c ON c.oid = p.polrelid HAVING count(*) > 0
UNION ALL
SELECT 'pg_statistic_ext', 'statistics', count(DISTINCT s.oid), '' FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid, space
 WHERE space.oid IN (s.stxnamespace, c.relnamespace) AND c.relkind <> 'f' HAVING count(*) > 0
 ORDER BY 1, 2
