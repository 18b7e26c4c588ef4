-- Foreign keys that refer to a table and that were checked: what is NOT ENFORCED never is. A row for each of their columns, and of those of the
-- referring table's primary key, NULL where the other has more: the key's number and name; the referring table and the one that is referred to,
-- each for people and as FROM has it; MATCH FULL; has it a PERIOD; its column, the one referred to, the operator and the collation by which the
-- server compares them; the primary key's column. $1, $2: schema
-- and name of the table that is referred to, $3: the schema of plain names.
WITH tables AS (
  SELECT c.oid, CASE WHEN n.nspname = $3 THEN c.relname::pg_catalog.text ELSE pg_catalog.concat(n.nspname, '.', c.relname) END AS shown,
         -- what inherits from a table is another one; a partition is a part of it
         pg_catalog.format(CASE WHEN c.relkind = 'p' THEN '%I.%I' ELSE 'ONLY %I.%I' END, n.nspname, c.relname) AS place,
         n.nspname, c.relname
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
)
SELECT k.oid, k.conname, t.shown, t.place, f.shown, f.place, k.confmatchtype = 'f',
       COALESCE((pg_catalog.to_jsonb(k) ->> 'conperiod')::pg_catalog.bool, false), -- from version 18 on
       a.attname, fa.attname, CASE WHEN o.oid IS NOT NULL THEN pg_catalog.format('OPERATOR(%I.%s)', os.nspname, o.oprname) END,
       CASE WHEN l.oid IS NOT NULL THEN pg_catalog.format('%I.%I', ls.nspname, l.collname) END, ka.attname
  FROM pg_catalog.pg_constraint k
  JOIN tables t ON t.oid = k.conrelid
  JOIN tables f ON f.oid = k.confrelid
  LEFT JOIN pg_catalog.pg_constraint pk ON pk.conrelid = k.conrelid AND pk.contype = 'p'
 CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop), pg_catalog.unnest(pk.conkey))
       WITH ORDINALITY p(own, other, operator, key, place)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
  LEFT JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = p.other
  LEFT JOIN pg_catalog.pg_attribute ka ON ka.attrelid = k.conrelid AND ka.attnum = p.key
  LEFT JOIN pg_catalog.pg_operator o ON o.oid = p.operator
  LEFT JOIN pg_catalog.pg_namespace os ON os.oid = o.oprnamespace
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = fa.attcollation
  LEFT JOIN pg_catalog.pg_namespace ls ON ls.oid = l.collnamespace
 WHERE f.nspname = $1 AND f.relname = $2 AND k.contype = 'f' AND k.convalidated
   -- of a key that refers to a partitioned table the server makes one more for each of the partitions
   AND k.conparentid = 0
 ORDER BY t.shown, k.conname, k.oid, p.place
