-- Settings of a column for another one of a new type, as clauses of ALTER TABLE; NULL: all are the type's. Servers before 14 have no
-- compression of a column.
-- $1: the table's oid, $2: the column's number, $3: the other column, $4: its type.
SELECT nullif(pg_catalog.concat_ws(', ',
         CASE WHEN a.attstattarget >= 0 THEN pg_catalog.format('ALTER COLUMN %I SET STATISTICS %s', $3::text, a.attstattarget) END,
         CASE WHEN n.typstorage <> 'p' AND a.attstorage <> t.typstorage THEN pg_catalog.format('ALTER COLUMN %I SET STORAGE %s', $3::text,
           CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END) END,
         CASE WHEN n.typstorage <> 'p' AND pg_catalog.to_jsonb(a) ->> 'attcompression' IN ('p', 'l') THEN
           pg_catalog.format('ALTER COLUMN %I SET COMPRESSION %s', $3::text,
             CASE pg_catalog.to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' ELSE 'lz4' END) END,
         CASE WHEN a.attoptions IS NOT NULL THEN
           pg_catalog.format('ALTER COLUMN %I SET (%s)', $3::text, pg_catalog.array_to_string(a.attoptions, ', ')) END), '')
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type n ON n.oid = pg_catalog.to_regtype($4)
 WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum = $2::int2
