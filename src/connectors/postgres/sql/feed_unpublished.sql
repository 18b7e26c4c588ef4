-- The first of these tables that a publication leaves out, or of which it tells some rows or columns only. Behind
-- "WITH asked(place, schema, name) AS (VALUES …) ". $1: its name. Columns that only newer servers have are read through JSON.
SELECT pg_catalog.format('%I.%I', a.schema, a.name), t.row IS NOT NULL
  FROM asked a
  LEFT JOIN LATERAL (SELECT pg_catalog.to_jsonb(p) AS row FROM pg_catalog.pg_publication_tables p
                      WHERE p.pubname = $1::pg_catalog.name AND p.schemaname = a.schema AND p.tablename = a.name) t ON true
 WHERE t.row IS NULL OR (t.row ->> 'rowfilter') IS NOT NULL
    OR pg_catalog.jsonb_array_length(COALESCE(NULLIF(t.row -> 'attnames', 'null'), '[]')) <
       CASE WHEN NULLIF(t.row -> 'attnames', 'null') IS NULL THEN 0 ELSE
       (SELECT count(*) FROM pg_catalog.pg_attribute c JOIN pg_catalog.pg_class r ON r.oid = c.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
         WHERE n.nspname = a.schema AND r.relname = a.name AND c.attnum > 0 AND NOT c.attisdropped AND c.attgenerated = '') END
 ORDER BY a.place
 LIMIT 1
