-- Tables: may the role analyse it, and is it larger by a tenth than its statistics know, or was as much of it
-- changed? $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
)
SELECT n.lead || c.relname,
       pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR (SELECT pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
       OR CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000 THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN') ELSE false END,
       (SELECT sum(pg_catalog.pg_relation_size(l.oid)) > sum(l.relpages::bigint) * pg_catalog.current_setting('block_size')::bigint * 1.1
               OR sum(pg_catalog.pg_stat_get_mod_since_analyze(l.oid)) * 10 > sum(greatest(l.reltuples, 0))
          FROM pg_catalog.pg_class l
         WHERE l.relkind = 'r' AND (l.oid = c.oid OR (c.relkind = 'p' AND l.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)))))
  FROM pg_catalog.pg_class c
  JOIN space n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE '\_transhume\_%'
 ORDER BY n.lead COLLATE "C", c.relname COLLATE "C"
