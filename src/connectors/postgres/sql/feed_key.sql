-- The columns by which a followed table's rows are known, in the key's order: of the index that its replica identity names; else of
-- the primary key; else of a unique index whose columns are never NULL. $1: the table's number.
SELECT a.attname
  FROM (
    SELECT i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts
      FROM pg_catalog.pg_index i
     WHERE i.indrelid = $1::pg_catalog.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
       AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute n WHERE n.attrelid = i.indrelid AND NOT n.attnotnull
                          AND n.attnum = ANY (i.indkey::pg_catalog.int2[]))
     ORDER BY i.indisreplident AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = i.indrelid AND c.relreplident = 'i') DESC,
              i.indisprimary DESC, i.indexrelid
     LIMIT 1
  ) k
 CROSS JOIN LATERAL pg_catalog.generate_series(0, k.indnkeyatts - 1) place
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.indkey[place]
 ORDER BY place
