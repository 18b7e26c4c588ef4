-- Columns of the tables that tables.sql lists, in their order; the last one is a built-in type without the limits (length,
-- digits, fields) that it has here or in a domain, NULL where it has none. $1: schema, $2: one table or NULL for all.
SELECT a.attrelid, a.attname,
       CASE WHEN t.typtype = 'd' THEN b.oid ELSE t.oid END,
       CASE WHEN t.typtype = 'd' THEN b.typtype ELSE t.typtype END,
       CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull OR (t.typtype = 'd' AND t.typnotnull),
       a.attidentity, a.attgenerated,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid),
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname END,
       t.typtype, a.attnum,
       -- do its bytes mean the same in every server? Not where they hold the numbers of objects or types, or nobody can send them;
       -- and xml is sent and received without a declaration that says just version 1.0
       s.oid <> 142 AND e.oid < 16384 AND e.typtype IN ('b', 'r', 'm') AND e.typname NOT LIKE 'reg%' AND e.typsend <> 0 AND e.typreceive <> 0,
       pg_catalog.col_description(a.attrelid, a.attnum),
       t.oid >= 16384, -- the first number of what is not built in
       CASE WHEN t.typtype <> 'd'
            THEN CASE WHEN a.atttypmod >= 0 AND a.atttypid < 16384 THEN pg_catalog.format_type(a.atttypid, -1) END
            ELSE (WITH RECURSIVE d AS (
                    SELECT t.typbasetype AS base, t.typtypmod AS modifier
                     UNION ALL
                    SELECT i.typbasetype, i.typtypmod FROM d JOIN pg_catalog.pg_type i ON i.oid = d.base AND i.typtype = 'd')
                  SELECT pg_catalog.format_type(base, -1) FROM d WHERE modifier >= 0 AND base < 16384) END
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
  JOIN pg_catalog.pg_type s ON s.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN s.typcategory = 'A' AND s.typelem <> 0 THEN s.typelem ELSE s.oid END
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND ($2::text IS NULL OR c.relname = $2)
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
