-- Foreign keys that take or change a row with the one it refers to, a row for each of their columns; last: of the table itself?
-- $1: the table that is referred to.
SELECT k.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname, fa.attname, k.conrelid = k.confrelid
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) WITH ORDINALITY p(own, other, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
  JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = p.other
 WHERE k.contype = 'f' AND k.confrelid = $1::pg_catalog.oid AND k.conparentid = 0
   AND k.confdeltype IN ('c', 'n', 'd')
 ORDER BY k.oid, p.place
