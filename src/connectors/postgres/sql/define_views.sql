-- Views and materialized views.
SELECT c.id, CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, c.nspname AS schema, NULL AS "table", c.relname AS name, NULL AS owner,
       pg_catalog.pg_get_viewdef(c.oid) AS definition,
       (SELECT pg_catalog.string_agg(o, ', ' ORDER BY o) FROM pg_catalog.unnest(c.reloptions) o) AS options,
       (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS _columns,
       CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'yes' END AS _empty,
       (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace
  FROM relation c WHERE c.relkind IN ('v', 'm') ORDER BY c.nspname, c.relname
