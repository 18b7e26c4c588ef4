-- The tables of a feed as they are now. Behind "WITH asked(place, schema, name, before) AS (VALUES …) ": the number of the table, which one
-- has its name (NULL: none), does the publication tell of it. $1: the publication.
SELECT a.place, c.oid,
       EXISTS (SELECT 1 FROM pg_catalog.pg_publication_tables t WHERE t.pubname = $1::pg_catalog.name AND t.schemaname = a.schema AND t.tablename = a.name)
  FROM asked a
  LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) ON n.nspname = a.schema AND c.relname = a.name AND c.relkind IN ('r', 'p')
 ORDER BY a.place
