-- Tables, partitioned tables, views and foreign tables of one schema. $1: schema, $2: one name or NULL for all.
-- A partition goes with its table; what an extension made goes with the extension.
SELECT c.oid, c.relname, c.relkind, c.reltuples::bigint,
       CASE WHEN c.relkind = 'p'
            THEN (SELECT sum(pg_catalog.pg_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
            WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END,
       CASE WHEN c.relkind = 'r' AND c.reltoastrelid <> 0 THEN pg_catalog.pg_relation_size(c.reltoastrelid) END,
       pg_catalog.obj_description(c.oid, 'pg_class'),
       NULLIF(pg_catalog.concat_ws(', ', CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid) END,
         CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END, 'WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
         CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END), ''),
       c.relhassubclass,
       c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
   AND (c.relname = $2 OR ($2::text IS NULL AND c.relname NOT LIKE '\_transhume\_%'))
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.oid
