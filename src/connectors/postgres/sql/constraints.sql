-- Constraints of a schema's tables, one row for each of their columns. $1: schema, $2: one table or NULL for all.
SELECT k.conrelid, k.conname, k.contype, k.condeferrable, pg_catalog.pg_get_constraintdef(k.oid, true),
       a.attname, f.relname, fn.nspname, fa.attname, k.confdeltype, k.confupdtype, k.oid
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) WITH ORDINALITY p(own, other, place) ON true
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
  LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
  LEFT JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = p.other
 WHERE n.nspname = $1 AND NOT c.relispartition AND ($2::text IS NULL OR c.relname = $2)
   AND k.contype IN ('p', 'u', 'f', 'c', 'x')
   -- of a key that refers to a partitioned table the server makes one more for each of the partitions
   AND (k.contype <> 'f' OR k.conparentid = 0)
 ORDER BY k.conrelid, k.contype <> 'p', k.conname COLLATE "C", k.oid, p.place
