-- Columns of tables, and what is put in where nothing is given.
SELECT '1259:' || c.oid || ':' || a.attnum AS id, 'column' AS kind, c.nspname AS schema, c.relname AS "table", a.attname AS name, c.id AS owner,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       CASE WHEN a.attcollation <> t.typcollation THEN (SELECT pg_catalog.format('%I.%I', ln.nspname, l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation) END AS "collation",
       CASE WHEN a.attnotnull THEN 'yes' END AS "not null",
       CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END AS generated,
       CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END AS identity,
       CASE WHEN a.attidentity <> '' THEN (SELECT pg_catalog.format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s', q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END)
           FROM pg_catalog.pg_depend y JOIN pg_catalog.pg_sequence q ON q.seqrelid = y.objid WHERE y.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND y.refclassid = y.classid AND y.refobjid = c.oid AND y.refobjsubid = a.attnum AND y.deptype = 'i') END AS counts,
       CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END AS storage,
       CASE pg_catalog.to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       CASE WHEN coalesce(a.attstattarget, -1) >= 0 THEN a.attstattarget END AS statistics,
       (SELECT pg_catalog.string_agg(o, ', ' ORDER BY o) FROM pg_catalog.unnest(a.attoptions) o) AS options,
       (SELECT pg_catalog.string_agg(pg_catalog.format('%I %L', o.option_name, o.option_value), ', ' ORDER BY o.option_name) FROM pg_catalog.pg_options_to_table(a.attfdwoptions) o) AS "server options",
       CASE WHEN d.adbin IS NOT NULL AND a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS _default,
       CASE WHEN a.attinhcount > 0 THEN 'yes' END AS _inherited, CASE WHEN a.attislocal THEN 'yes' END AS _local
  FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'f') AND c.reloftype = 0 ORDER BY c.nspname, c.relname, a.attnum
