-- What an index or a constraint of a table has beside its definition, as the ends of statements: what is said of the constraint, what
-- is said of the index, is it the replica identity, is the table clustered by it, its tablespace where that is not the database's,
-- settings of its columns ("ALTER COLUMN 1 SET STATISTICS 500").
-- $1: the table's oid, $2: the name.
SELECT (SELECT pg_catalog.quote_literal((SELECT w.description FROM pg_catalog.pg_description w WHERE w.objoid = k.oid AND w.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND w.objsubid = 0)) FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = $1::pg_catalog.oid AND k.conname = $2),
       pg_catalog.quote_literal((SELECT w.description FROM pg_catalog.pg_description w WHERE w.objoid = c.oid AND w.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND w.objsubid = 0)), i.indisreplident, i.indisclustered, s.spcname,
       (SELECT pg_catalog.string_agg(pg_catalog.format('ALTER COLUMN %s SET STATISTICS %s', a.attnum, a.attstattarget), ', ')
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0 AND i.indkey[a.attnum - 1] = 0)
  FROM (SELECT 1) one
  LEFT JOIN (pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid)
       ON i.indrelid = $1::pg_catalog.oid AND c.relname = $2
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
