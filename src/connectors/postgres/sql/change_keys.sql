-- The columns by which a table's rows are told apart, of the best key: name, type. $1: the table's oid.
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM (SELECT i.indexrelid, i.indkey, i.indnkeyatts FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
         WHERE i.indrelid = $1::pg_catalog.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           AND i.indimmediate
           AND NOT EXISTS (SELECT 1 FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
                             JOIN pg_catalog.pg_attribute n ON n.attrelid = i.indrelid AND n.attnum = k.attnum
                            WHERE k.place <= i.indnkeyatts AND NOT n.attnotnull)
         ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) key
  CROSS JOIN LATERAL pg_catalog.unnest(key.indkey::int2[]) WITH ORDINALITY k(attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::pg_catalog.oid AND a.attnum = k.attnum
 WHERE k.place <= key.indnkeyatts
 ORDER BY k.place
