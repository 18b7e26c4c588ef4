-- Two numbers that change with the tables, and their columns, of the schemas in which a feed has tables. Behind
-- "WITH asked(place, schema, name, before) AS (VALUES …) ".
, told AS (
  SELECT c.oid, c.relname
    FROM pg_catalog.pg_class c
   WHERE c.relnamespace IN (SELECT n.oid FROM pg_catalog.pg_namespace n JOIN asked a ON a.schema = n.nspname)
     AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE '\_transhume\_%'
)
SELECT (SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(t.oid, ':', t.relname))::pg_catalog.int8) FROM told t),
       (SELECT coalesce((
                SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(b.oid, '=', b.enumlabel))::pg_catalog.int8) FROM pg_catalog.pg_enum b
                 WHERE b.enumtypid IN (SELECT a.atttypid FROM pg_catalog.pg_attribute a JOIN told t ON t.oid = a.attrelid WHERE a.attnum > 0)), 0) +
               pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(a.attrelid, ':', a.attnum, ':', a.attname, ':', a.xmin))::pg_catalog.int8)
          FROM pg_catalog.pg_attribute a JOIN told t ON t.oid = a.attrelid WHERE a.attnum > 0)
