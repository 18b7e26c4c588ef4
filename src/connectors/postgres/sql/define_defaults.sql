-- Defaults of columns.
SELECT '2604:' || d.oid || ':0' AS id, 'default' AS kind, c.nspname AS schema, c.relname AS "table", a.attname AS name, '1259:' || c.oid || ':' || a.attnum AS owner,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS definition
  FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'f', 'v') AND (a.attinhcount = 0 OR NOT EXISTS (
       SELECT 1 FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attname = a.attname JOIN pg_catalog.pg_attrdef pd ON pd.adrelid = pa.attrelid AND pd.adnum = pa.attnum
        WHERE i.inhrelid = c.oid AND pg_catalog.pg_get_expr(pd.adbin, pd.adrelid) = pg_catalog.pg_get_expr(d.adbin, d.adrelid)))
 ORDER BY c.nspname, c.relname, a.attnum
