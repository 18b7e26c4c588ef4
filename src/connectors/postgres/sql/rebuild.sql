-- Indexes (but of the primary key), unique constraints and triggers of a table, with what drops or disables each, what
-- puts it back, what else has to be said of it afterwards, and why it has to stay. $1: the table.
SELECT CASE WHEN k.oid IS NULL THEN 'index' ELSE 'constraint' END, x.relname,
       CASE WHEN k.oid IS NULL THEN pg_catalog.pg_get_indexdef(x.oid)
            ELSE pg_catalog.format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid)) END,
       CASE WHEN k.oid IS NULL THEN pg_catalog.format('DROP INDEX %I.%I', n.nspname, x.relname)
            ELSE pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname) END,
       pg_catalog.concat(
           (SELECT pg_catalog.format('COMMENT ON INDEX %I.%I IS %L; ', n.nspname, x.relname, d.description) FROM pg_catalog.pg_description d
             WHERE d.objoid = x.oid AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0),
           (SELECT pg_catalog.format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L; ', k.conname, n.nspname, c.relname, d.description) FROM pg_catalog.pg_description d
             WHERE d.objoid = k.oid AND d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass),
           CASE WHEN i.indisclustered THEN pg_catalog.format('ALTER TABLE %I.%I CLUSTER ON %I; ', n.nspname, c.relname, x.relname) END,
           -- which pg_get_constraintdef does not tell
           CASE WHEN k.oid IS NOT NULL THEN (SELECT pg_catalog.format('ALTER INDEX %I.%I SET (%s); ', n.nspname, x.relname, pg_catalog.string_agg(pg_catalog.format('%I = %L', o.option_name, o.option_value), ', '))
              FROM pg_catalog.pg_options_to_table(x.reloptions) o HAVING count(*) > 0) END,
           (SELECT pg_catalog.string_agg(pg_catalog.format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s; ', n.nspname, x.relname, a.attnum, a.attstattarget), '')
              FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attstattarget >= 0)),
       i.indisunique,
       CASE WHEN i.indisunique THEN
           (SELECT pg_catalog.array_agg(a.attname::text ORDER BY p.place) FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) p(place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[p.place]) END,
       CASE WHEN c.relkind <> 'r' OR c.relispartition THEN 'it is of a partitioned table'
            WHEN i.indisexclusion THEN 'an exclusion constraint works by it'
            WHEN i.indisreplident THEN 'it is the table''s replica identity'
            WHEN x.reltablespace <> 0 THEN 'it lies in a tablespace of its own'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = x.oid AND d.deptype IN ('e', 'x'))
                 THEN 'it belongs to an extension'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.deptype = 'n' AND
                         ((d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = x.oid) OR
                          (d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.refobjid = k.oid)))
                 THEN 'a foreign key or something else stands on it'
            WHEN NOT i.indisunique THEN NULL
            WHEN i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR pg_catalog.strpos(pg_catalog.pg_get_indexdef(x.oid), ' NULLS NOT DISTINCT') > 0
                 THEN 'it is unique over expressions, a part of the records, or NULL'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f')
                 THEN 'it is unique, and other records refer to those of the table'
            WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 8 <> 0)
                 THEN 'it is unique, and triggers watch what is deleted' END
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = c.oid AND k.contype IN ('u', 'x')
 WHERE c.oid = $1::pg_catalog.oid AND NOT i.indisprimary AND i.indisvalid AND i.indislive
 UNION ALL
SELECT 'trigger', t.tgname,
       pg_catalog.format('ALTER TABLE ONLY %I.%I ENABLE %sTRIGGER %I', n.nspname, c.relname, CASE WHEN t.tgenabled = 'A' THEN 'ALWAYS ' END, t.tgname),
       pg_catalog.format('ALTER TABLE ONLY %I.%I DISABLE TRIGGER %I', n.nspname, c.relname, t.tgname),
       '', false, NULL, NULL
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.oid = $1::pg_catalog.oid OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.oid::pg_catalog.regclass)))
   AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
 ORDER BY 1 DESC, 2
