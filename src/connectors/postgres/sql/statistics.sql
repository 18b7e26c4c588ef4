-- Tables of a schema: may the role analyse it, and is it larger by a tenth than its statistics know, or was as much of it
-- changed? $1: schema.
SELECT c.relname,
       pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR (SELECT pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
       OR CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000 THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN') ELSE false END,
       (SELECT sum(pg_catalog.pg_relation_size(l.oid)) > sum(l.relpages::bigint) * pg_catalog.current_setting('block_size')::bigint * 1.1
               OR sum(pg_catalog.pg_stat_get_mod_since_analyze(l.oid)) * 10 > sum(greatest(l.reltuples, 0))
          FROM pg_catalog.pg_class l
         WHERE l.relkind = 'r' AND (l.oid = c.oid OR (c.relkind = 'p' AND l.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)))))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE '\_transhume\_%'
 ORDER BY c.relname COLLATE "C"
