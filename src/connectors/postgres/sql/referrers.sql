-- Foreign keys that take or change a row with the one it refers to, a row for each of their columns; last: of the table itself? And the operator by
-- which the server finds it, the referred column on its left.
-- $1: the table that is referred to.
SELECT k.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname, fa.attname, k.conrelid = k.confrelid, pg_catalog.format('OPERATOR(%I.%s)', os.nspname, o.oprname)
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop)) WITH ORDINALITY p(own, other, operator, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
  JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = p.other
  JOIN pg_catalog.pg_operator o ON o.oid = p.operator
  JOIN pg_catalog.pg_namespace os ON os.oid = o.oprnamespace
 WHERE k.contype = 'f' AND k.confrelid = $1::pg_catalog.oid AND k.conparentid = 0
   AND k.confdeltype IN ('c', 'n', 'd')
 ORDER BY k.oid, p.place
