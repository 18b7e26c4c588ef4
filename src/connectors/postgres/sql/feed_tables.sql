-- Can these tables be followed? Behind "WITH asked(place, schema, name, before) AS (VALUES …) ": the number of the table, what it is (NULL: it
-- is not there), unlogged or temporary, do others inherit it, the first of its partitions (or itself) whose rows cannot be told apart,
-- a unique index of that one that could do so, the first of its partitions (or itself) that does not tell one of the columns `before`
-- as it was, and that column.
, found AS (
  SELECT a.place, c.oid, c.relkind, c.relpersistence
    FROM asked a
    LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) ON n.nspname = a.schema AND c.relname = a.name
), leaf AS (
  SELECT f.place, f.oid FROM found f WHERE f.relkind = 'r'
   UNION ALL
  SELECT f.place, t.relid::pg_catalog.oid FROM found f CROSS JOIN LATERAL pg_catalog.pg_partition_tree(f.oid) t WHERE f.relkind = 'p' AND t.isleaf
), usable AS (
  SELECT i.indrelid, i.indexrelid, i.indisprimary, i.indisreplident
    FROM pg_catalog.pg_index i
   WHERE i.indrelid IN (SELECT oid FROM leaf) AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute n WHERE n.attrelid = i.indrelid AND NOT n.attnotnull
                        AND n.attnum = ANY (i.indkey::pg_catalog.int2[]))
), blind AS (
  SELECT DISTINCT ON (l.place) l.place, c.oid, c.relreplident
    FROM leaf l JOIN pg_catalog.pg_class c ON c.oid = l.oid
   WHERE CASE c.relreplident
         WHEN 'd' THEN NOT EXISTS (SELECT 1 FROM usable u WHERE u.indrelid = c.oid AND u.indisprimary)
         WHEN 'i' THEN NOT EXISTS (SELECT 1 FROM usable u WHERE u.indrelid = c.oid AND u.indisreplident)
                       OR EXISTS (SELECT 1 FROM pg_catalog.pg_index p JOIN pg_catalog.pg_index r ON r.indrelid = p.indrelid AND r.indisreplident
                                   WHERE p.indrelid = c.oid AND p.indisprimary
                                     AND NOT p.indkey::pg_catalog.int2[] <@ r.indkey::pg_catalog.int2[])
         ELSE c.relreplident = 'n' END
   ORDER BY l.place, c.oid
), silent AS (
  SELECT DISTINCT ON (l.place) l.place, c.oid, b.name
    FROM leaf l
    JOIN asked a ON a.place = l.place
    JOIN pg_catalog.pg_class c ON c.oid = l.oid
   CROSS JOIN LATERAL pg_catalog.unnest(a.before) b(name)
   WHERE c.relreplident <> 'f'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_index i ON i.indrelid = t.attrelid
                      WHERE t.attrelid = c.oid AND t.attname = b.name AND t.attnum = ANY (i.indkey::pg_catalog.int2[])
                        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END)
   ORDER BY l.place, c.oid, b.name
)
SELECT f.place, f.relkind, f.relpersistence,
       f.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent = f.oid),
       (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = b.oid),
       (SELECT CASE WHEN u.indisprimary THEN 'DEFAULT' ELSE 'USING INDEX ' || pg_catalog.quote_ident(x.relname) END
          FROM usable u JOIN pg_catalog.pg_class x ON x.oid = u.indexrelid WHERE u.indrelid = b.oid ORDER BY u.indisprimary DESC, u.indexrelid LIMIT 1),
       (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = s.oid),
       s.name
  FROM found f
  LEFT JOIN blind b ON b.place = f.place
  LEFT JOIN silent s ON s.place = f.place
 ORDER BY f.place
