-- Tables: ordinary, partitioned, foreign; what they inherit, and of what they are partitions.
SELECT c.id, CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind, c.nspname AS schema, NULL AS "table", c.relname AS name, NULL AS owner,
       CASE WHEN c.relpersistence = 'u' THEN 'yes' END AS unlogged,
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS "partitioned by",
       CASE WHEN c.relispartition THEN (SELECT pg_catalog.format('%I.%I', pn.nspname, p.relname) FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid LIMIT 1) END AS "partition of",
       pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound,
       CASE WHEN NOT c.relispartition THEN (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', pn.nspname, p.relname), ', ' ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid) END AS inherits,
       (SELECT pg_catalog.string_agg(o, ', ' ORDER BY o) FROM pg_catalog.unnest(c.reloptions) o) AS options,
       CASE WHEN c.relrowsecurity THEN 'yes' END AS "row security", CASE WHEN c.relforcerowsecurity THEN 'yes' END AS "force row security",
       CASE WHEN c.relkind = 'r' AND m.amname <> 'heap' THEN m.amname END AS method,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace,
       CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END AS "of",
       (SELECT v.srvname FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_foreign_server v ON v.oid = f.ftserver WHERE f.ftrelid = c.oid) AS server,
       (SELECT pg_catalog.string_agg(pg_catalog.format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name) FROM pg_catalog.pg_foreign_table f CROSS JOIN LATERAL pg_catalog.pg_options_to_table(f.ftoptions) o WHERE f.ftrelid = c.oid) AS "server options"
  FROM relation c LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam WHERE c.relkind IN ('r', 'p', 'f') ORDER BY c.nspname, c.relname
