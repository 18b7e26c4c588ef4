-- Tables, partitioned tables, views and foreign tables. $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}';
-- $2: one name, without that, or NULL for all.
-- A partition goes with its table; what an extension made goes with the extension.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
)
SELECT c.oid, n.lead || c.relname, c.relkind, c.reltuples::bigint,
       CASE WHEN c.relkind = 'p'
            THEN (SELECT sum(pg_catalog.pg_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf)
            WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END,
       CASE WHEN c.relkind = 'r' AND c.reltoastrelid <> 0 THEN pg_catalog.pg_relation_size(c.reltoastrelid) END,
       (SELECT w.description FROM pg_catalog.pg_description w WHERE w.objoid = c.oid AND w.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND w.objsubid = 0),
       NULLIF(pg_catalog.concat_ws(', ', CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid) END,
         CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END, 'WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
         CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END), ''),
       c.relhassubclass,
       c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid),
       n.lead,
       -- another file once all rows were written anew
       CASE WHEN c.relkind = 'p' THEN (SELECT pg_catalog.max(f.relfilenode)::pg_catalog.text FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class f ON f.oid = t.relid)
            WHEN c.relkind IN ('r', 'm') THEN c.relfilenode::pg_catalog.text END
  FROM pg_catalog.pg_class c
  JOIN space n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
   AND (c.relname = $2 OR ($2::text IS NULL AND c.relname NOT LIKE '\_transhume\_%'))
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.oid
