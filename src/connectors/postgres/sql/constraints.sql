-- Constraints of tables, one row for each of their columns. $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}';
-- $2: one table or NULL for all.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
)
SELECT k.conrelid, k.conname, k.contype, k.condeferrable, pg_catalog.pg_get_constraintdef(k.oid, true),
       a.attname, f.relname, fn.nspname, fa.attname, k.confdeltype, k.confupdtype, k.oid,
       CASE WHEN k.contype = 'f' THEN NULLIF(pg_catalog.concat_ws(', ', CASE WHEN k.confmatchtype = 'f' THEN 'MATCH FULL' END,
         -- some of the columns alone: from version 15 on
         (SELECT pg_catalog.format('%s (%s)', CASE k.confdeltype WHEN 'd' THEN 'SET DEFAULT' ELSE 'SET NULL' END, pg_catalog.string_agg(pg_catalog.quote_ident(sa.attname), ', '))
            FROM pg_catalog.jsonb_array_elements_text(NULLIF(pg_catalog.to_jsonb(k)->'confdelsetcols', 'null')) s(number)
            JOIN pg_catalog.pg_attribute sa ON sa.attrelid = k.conrelid AND sa.attnum = s.number::smallint HAVING count(*) > 0),
         CASE WHEN k.condeferrable THEN CASE WHEN k.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE 'DEFERRABLE' END END,
         CASE WHEN NOT k.convalidated THEN 'NOT VALID' END), '') END
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN space n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) WITH ORDINALITY p(own, other, place) ON true
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
  LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
  LEFT JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = p.other
 WHERE NOT c.relispartition AND ($2::text IS NULL OR c.relname = $2)
   AND k.contype IN ('p', 'u', 'f', 'c', 'x')
   -- of a key that refers to a partitioned table the server makes one more for each of the partitions
   AND (k.contype <> 'f' OR k.conparentid = 0)
 ORDER BY k.conrelid, k.contype <> 'p', k.conname COLLATE "C", k.oid, p.place
