-- What is neither table nor a table's own index or key, but for what no copy makes (left_out.sql): what it is, its name, the
-- table it belongs to, why it is left out (NULL: a copy into another PostgreSQL makes it), when that is (b before the tables, w with them, i before their
-- indexes, a after all), the statement that makes it, and the one that drops it (NULL: it goes with its table). Names are
-- told as the session's search_path lets them be. $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
),
extended AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'),
tables AS (
  SELECT c.oid, space.lead, space.place, c.relname, c.relkind, c.relispartition, c.relispopulated, c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.reloftype, c.reltoastrelid,
         CASE WHEN c.relispartition THEN (SELECT coalesce(rs.lead, '') || r.relname FROM pg_catalog.pg_class r LEFT JOIN space rs ON rs.oid = r.relnamespace WHERE r.oid = pg_catalog.pg_partition_root(c.oid))
              ELSE space.lead || c.relname END AS top
    FROM pg_catalog.pg_class c, space
   WHERE c.relnamespace = space.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname NOT LIKE '\_transhume\_%'
     AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
), sequences AS (
  SELECT c.oid, space.lead, space.place, space.nspname, c.relname, c.relpersistence, s.*, d.deptype, t.relname AS owned, space.lead || t.relname AS owner, a.attname
    FROM pg_catalog.pg_class c JOIN space ON space.oid = c.relnamespace JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                                    AND d.refclassid = d.classid AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
   WHERE c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
), types AS (
  SELECT t.*, space.lead || pg_catalog.quote_ident(t.typname) AS name, space.place || pg_catalog.quote_ident(t.typname) AS called, space.place, c.relkind
    FROM pg_catalog.pg_type t JOIN space ON space.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE t.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
), functions AS (
  SELECT p.*, space.lead || c.called AS name, space.place || c.called AS called, space.place, space.nspname,
         CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function' ELSE 'function' END AS what
    FROM pg_catalog.pg_proc p JOIN space ON space.oid = p.pronamespace
   CROSS JOIN LATERAL (SELECT pg_catalog.format('%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS called) c
   WHERE p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AND p.proname NOT LIKE '\_transhume\_%'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                       AND d.objid = p.oid AND d.deptype = 'i')
)
-- types, in the order in which they were made
SELECT 'type' AS what, t.name AS name, NULL::text AS of, NULL::text AS why, 'b' AS stage, t.oid AS place,
       pg_catalog.format('CREATE TYPE %s AS ENUM (%s)', t.called,
         (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)) AS make,
       'DROP TYPE ' || t.called AS undo
  FROM types t WHERE t.typtype = 'e'
UNION ALL
SELECT 'type', t.name, NULL, NULL, 'b', t.oid,
       pg_catalog.format('CREATE DOMAIN %s AS %s%s%s%s%s', t.called, pg_catalog.format_type(t.typbasetype, t.typtypmod),
         CASE WHEN t.typcollation <> b.typcollation THEN (SELECT ' COLLATE ' || coalesce((SELECT sp.place FROM space sp WHERE sp.oid = n.oid), pg_catalog.quote_ident(n.nspname) || '.') || pg_catalog.quote_ident(l.collname)
                FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = t.typcollation) ELSE '' END,
         coalesce(' DEFAULT ' || t.typdefault, ''), CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END,
         coalesce((SELECT pg_catalog.string_agg(pg_catalog.format(' CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid, true)), '' ORDER BY k.conname)
                     FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated), '')),
       'DROP DOMAIN ' || t.called
  FROM types t JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd'
UNION ALL
SELECT 'type', t.name, NULL, NULL, 'b', t.oid,
       pg_catalog.format('CREATE TYPE %s AS (%s)', t.called,
         (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
                  || CASE WHEN a.attcollation <> ty.typcollation THEN pg_catalog.format(' COLLATE %I.%I', n.nspname, l.collname) ELSE '' END, ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)),
       'DROP TYPE ' || t.called
  FROM types t WHERE t.typtype = 'c' AND t.relkind = 'c'
UNION ALL
SELECT 'type', t.name, NULL, CASE WHEN r.rngcanonical <> 0 THEN 'a range with a canonical function is not made' END, 'b', t.oid,
       CASE WHEN r.rngcanonical = 0 THEN
       pg_catalog.format('CREATE TYPE %s AS RANGE (SUBTYPE = %s%s%s%s%s)', t.called, pg_catalog.format_type(r.rngsubtype, NULL),
         CASE WHEN NOT o.opcdefault THEN (SELECT ', SUBTYPE_OPCLASS = ' || coalesce((SELECT sp.place FROM space sp WHERE sp.oid = n.oid), pg_catalog.quote_ident(n.nspname) || '.') || pg_catalog.quote_ident(o.opcname)
                FROM pg_catalog.pg_namespace n WHERE n.oid = o.opcnamespace) ELSE '' END,
         CASE WHEN r.rngcollation <> b.typcollation THEN (SELECT ', COLLATION = ' || coalesce((SELECT sp.place FROM space sp WHERE sp.oid = n.oid), pg_catalog.quote_ident(n.nspname) || '.') || pg_catalog.quote_ident(l.collname)
                FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = r.rngcollation) ELSE '' END,
         CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::pg_catalog.regproc::text ELSE '' END,
         coalesce(', MULTIRANGE_TYPE_NAME = ' || (SELECT t.place || pg_catalog.quote_ident(m.typname) FROM pg_catalog.pg_type m
                    WHERE m.oid = (pg_catalog.to_jsonb(r)->>'rngmultitypid')::pg_catalog.oid), '')) END,
       'DROP TYPE ' || t.called
  FROM types t JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc JOIN pg_catalog.pg_type b ON b.oid = r.rngsubtype
 WHERE t.typtype = 'r'
UNION ALL
SELECT 'type', t.name, NULL, 'base types need their C functions: install them in the target', 'b', t.oid, NULL, NULL
  FROM types t WHERE t.typtype = 'b' AND t.typelem = 0 OR t.typtype = 'p' AND NOT t.typisdefined
UNION ALL
-- schemas: a source tells of none, and the target makes those that it lacks
SELECT 'schema', space.nspname, NULL, NULL, 'b', 0, pg_catalog.format('CREATE SCHEMA %I', space.nspname), pg_catalog.format('DROP SCHEMA %I', space.nspname)
  FROM space WHERE space.lead <> ''
UNION ALL
SELECT 'collation', space.lead || pg_catalog.quote_ident(l.collname), NULL, NULL, 'b', 0,
       pg_catalog.format('CREATE COLLATION %s%I (PROVIDER = %s%s%s)', space.place, l.collname, CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
         CASE WHEN l.collprovider = 'c' THEN pg_catalog.format(', LC_COLLATE = %L, LC_CTYPE = %L', l.collcollate, l.collctype)
              ELSE pg_catalog.format(', LOCALE = %L', coalesce(pg_catalog.to_jsonb(l)->>'colllocale', pg_catalog.to_jsonb(l)->>'colliculocale', l.collcollate)) END
         || coalesce(', RULES = ' || pg_catalog.quote_literal(pg_catalog.to_jsonb(l)->>'collicurules'), ''),
         CASE WHEN l.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END),
       pg_catalog.format('DROP COLLATION %s%I', space.place, l.collname)
  FROM pg_catalog.pg_collation l JOIN space ON space.oid = l.collnamespace
UNION ALL
-- sequences: made before the tables whose defaults name them
SELECT 'sequence', s.lead || pg_catalog.quote_ident(s.relname), s.owner, NULL, 'b', s.oid,
       pg_catalog.format('CREATE SEQUENCE %s%I AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s', s.place, s.relname,
         pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END),
       pg_catalog.format('DROP SEQUENCE %s%I', s.place, s.relname)
  FROM sequences s WHERE s.deptype IS DISTINCT FROM 'i'
UNION ALL
SELECT 'property', s.lead || pg_catalog.quote_ident(s.relname) || ' owned', s.owner, NULL, 'w', s.oid, pg_catalog.format('ALTER SEQUENCE %s%I OWNED BY %s%I.%I', s.place, s.relname, s.place, s.owned, s.attname), NULL
  FROM sequences s WHERE s.deptype = 'a'
UNION ALL
SELECT 'property', s.lead || pg_catalog.quote_ident(s.relname) || ' unlogged', s.owner, NULL, 'b', s.oid, pg_catalog.format('ALTER SEQUENCE %s%I SET UNLOGGED', s.place, s.relname), NULL
  FROM sequences s WHERE s.relpersistence = 'u' AND s.deptype IS DISTINCT FROM 'i'
UNION ALL
-- of a value the statement makes the statement: only the sequence itself tells where it was restarted. One that has moved since it was made never goes back.
SELECT 'value', s.lead || pg_catalog.quote_ident(s.relname), s.owner,
       CASE WHEN s.absent THEN 'it is unlogged, and the server is a standby, which has nothing of it'
            WHEN NOT s.readable THEN pg_catalog.format('the role may not read it: GRANT SELECT ON SEQUENCE %I.%I', s.nspname, s.relname) END, 'a', s.oid,
       CASE WHEN s.readable AND NOT s.absent THEN
            pg_catalog.format('SELECT CASE WHEN NOT is_called AND last_value = %s THEN ''SELECT'' ELSE pg_catalog.format(%L, last_value, is_called) END FROM %I.%I', s.seqstart,
              pg_catalog.format('SELECT pg_catalog.setval(%s, %%1$s, %%2$L) FROM %s AS q WHERE q.last_value %s %%1$s OR NOT q.is_called '
                                'AND (q.last_value = %%1$s AND %%2$L OR q.last_value = (SELECT seqstart FROM pg_catalog.pg_sequence WHERE seqrelid = q.tableoid))',
                                pg_catalog.replace(pg_catalog.quote_literal(s.place || pg_catalog.quote_ident(s.relname)), '%', '%%'), pg_catalog.replace(s.place || pg_catalog.quote_ident(s.relname), '%', '%%'),
                                CASE WHEN s.seqincrement > 0 THEN '<' ELSE '>' END),
              s.nspname, s.relname) END, NULL
  FROM (SELECT *, pg_catalog.has_sequence_privilege(oid, 'SELECT') AS readable, relpersistence = 'u' AND pg_catalog.pg_is_in_recovery() AS absent FROM sequences) s
UNION ALL
-- functions: before the tables if they can be, else after them
SELECT f.what, f.name, NULL, CASE WHEN f.prokind = 'a' THEN 'aggregates are not made' WHEN l.lanname IN ('c', 'internal') THEN 'functions in C need their library' END, 'b', f.oid,
       CASE WHEN f.prokind <> 'a' AND l.lanname NOT IN ('c', 'internal') THEN
            CASE WHEN f.prokind = 'p' THEN 'CREATE PROCEDURE ' ELSE 'CREATE FUNCTION ' END
            || pg_catalog.substr(pg_catalog.pg_get_functiondef(f.oid), pg_catalog.length(CASE WHEN f.prokind = 'p' THEN 'CREATE OR REPLACE PROCEDURE ' ELSE 'CREATE OR REPLACE FUNCTION ' END || CASE WHEN f.place = '' THEN pg_catalog.quote_ident(f.nspname) || '.' ELSE '' END) + 1) END,
       CASE WHEN f.prokind = 'p' THEN 'DROP PROCEDURE ' ELSE 'DROP FUNCTION ' END || f.called
  FROM functions f JOIN pg_catalog.pg_language l ON l.oid = f.prolang
UNION ALL
-- what a domain's values may break comes after them
SELECT 'property', t.name || ' check ' || k.conname, NULL, NULL, 'a', t.oid,
       pg_catalog.format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', t.called, k.conname, pg_catalog.pg_get_constraintdef(k.oid, true)), NULL
  FROM types t JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid WHERE k.contype = 'c' AND NOT k.convalidated
UNION ALL
SELECT 'comment', k.conname, NULL, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', k.conname, t.called, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_constraint k ON k.oid = d.objoid JOIN types t ON t.oid = k.contypid
 WHERE d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
UNION ALL
-- what a table has besides columns and keys
SELECT 'property', c.relname || '.' || c.attname || ' ' || w.what, c.own, NULL, c.stage, c.attnum::pg_catalog.oid,
       pg_catalog.format('ALTER TABLE ONLY %s%I ALTER %I SET %s', c.place, c.relname, c.attname, w.words), NULL
  FROM (SELECT t.relname, t.place, a.*, ty.typstorage, CASE WHEN t.relkind = 'm' THEN NULL ELSE t.top END AS own, CASE WHEN t.relkind = 'm' THEN 'a' ELSE 'w' END AS stage
          FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
         WHERE t.relkind IN ('r', 'p', 'm')) c
 CROSS JOIN LATERAL (VALUES
         ('storage', CASE WHEN c.attstorage <> c.typstorage THEN 'STORAGE ' || CASE c.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
         ('compression', CASE WHEN c.attlen = -1 THEN CASE pg_catalog.to_jsonb(c)->>'attcompression' WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END END),
         ('statistics', CASE WHEN c.attstattarget >= 0 THEN pg_catalog.format('STATISTICS %s', c.attstattarget) END),
         ('options', (SELECT '(' || pg_catalog.string_agg(pg_catalog.format('%I = %L', o.option_name, o.option_value), ', ') || ')' FROM pg_catalog.pg_options_to_table(c.attoptions) o)))
       w(what, words)
 WHERE w.words IS NOT NULL
UNION ALL
SELECT 'property', t.relname || ' typed', t.top, NULL, 'w', 1::pg_catalog.oid, pg_catalog.format('ALTER TABLE %s%I OF %s', t.place, t.relname, pg_catalog.format_type(t.reloftype, NULL)), NULL
  FROM tables t WHERE t.reloftype <> 0 AND t.relkind IN ('r', 'p')
UNION ALL
-- of indexes: once they are there
SELECT 'property', x.relname || ' statistics', CASE WHEN t.relkind <> 'm' THEN t.top END, NULL, 'a', a.attnum::pg_catalog.oid,
       pg_catalog.format('ALTER INDEX %s%I ALTER COLUMN %s SET STATISTICS %s', t.place, x.relname, a.attnum, a.attstattarget), NULL
  FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_attribute a ON a.attrelid = x.oid
 WHERE t.relkind IN ('r', 'p', 'm') AND i.indisvalid AND i.indislive AND a.attstattarget >= 0
UNION ALL
SELECT 'property', t.relname || ' clustered', CASE WHEN t.relkind <> 'm' THEN t.top END, NULL, 'a', t.oid, pg_catalog.format('ALTER TABLE ONLY %s%I CLUSTER ON %I', t.place, t.relname, x.relname), NULL
  FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 WHERE t.relkind IN ('r', 'p', 'm') AND i.indisclustered AND i.indisvalid AND i.indislive
UNION ALL
SELECT 'property', t.relname || ' replica identity', t.top, NULL, 'a', t.oid, pg_catalog.format('ALTER TABLE ONLY %s%I REPLICA IDENTITY USING INDEX %I', t.place, t.relname, x.relname), NULL
  FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 WHERE t.relkind IN ('r', 'p') AND t.relreplident = 'i' AND i.indisreplident AND i.indisvalid AND i.indislive
UNION ALL
SELECT 'property', k.conname, t.top, NULL, 'a', k.oid, pg_catalog.format('ALTER TABLE %s%I ADD CONSTRAINT %I %s', t.place, t.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid, true)), NULL
  FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid WHERE k.contype = 'c' AND NOT k.convalidated AND t.relkind IN ('r', 'p')
UNION ALL
-- foreign keys that a partition has of its own: validated by a second statement, where they can be made without
SELECT 'foreign key of a partition', k.conname, t.top, NULL, 'a', 1::pg_catalog.oid,
       pg_catalog.format('ALTER TABLE %s%I ADD CONSTRAINT %I %s', t.place, t.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid, true))
       || CASE WHEN t.relkind = 'r' AND k.convalidated THEN ' NOT VALID' ELSE '' END, NULL
  FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid WHERE t.relispartition AND k.contype = 'f' AND k.conparentid = 0
UNION ALL
SELECT 'property', k.conname || ' validated', t.top, NULL, 'a', 2::pg_catalog.oid, pg_catalog.format('ALTER TABLE %s%I VALIDATE CONSTRAINT %I', t.place, t.relname, k.conname), NULL
  FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
 WHERE t.relispartition AND t.relkind = 'r' AND k.contype = 'f' AND k.conparentid = 0 AND k.convalidated
UNION ALL
SELECT 'property', t.relname || ' replica identity', t.top, NULL, 'a', t.oid,
       pg_catalog.format('ALTER TABLE ONLY %s%I REPLICA IDENTITY %s', t.place, t.relname, CASE t.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END), NULL
  FROM tables t WHERE t.relreplident IN ('f', 'n') AND t.relkind IN ('r', 'p')
UNION ALL
-- with the table, so that whom the target gives it to sees no rows before its policies are there; what holds back the owner, too, comes after the load
SELECT 'property', t.relname || ' row security', t.top, NULL, 'w', 2::pg_catalog.oid, pg_catalog.format('ALTER TABLE %s%I ENABLE ROW LEVEL SECURITY', t.place, t.relname), NULL
  FROM tables t WHERE t.relrowsecurity
UNION ALL
SELECT 'property', t.relname || ' forced row security', t.top, NULL, 'a', t.oid, pg_catalog.format('ALTER TABLE %s%I FORCE ROW LEVEL SECURITY', t.place, t.relname), NULL
  FROM tables t WHERE t.relforcerowsecurity
UNION ALL
-- indexes of partitions, before those of their parents, which then take them in
SELECT 'index', x.relname, t.top, NULL, 'i', (1000000 - (SELECT count(*) FROM pg_catalog.pg_partition_ancestors(t.oid)))::pg_catalog.oid,
       CASE WHEN x.relkind = 'i' THEN pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)
            ELSE p.words || ' ON ' || pg_catalog.substr(pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.length(p.words || ' ON ONLY ') + 1) END, NULL
  FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
 CROSS JOIN LATERAL (SELECT pg_catalog.format('CREATE %sINDEX %I', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname) AS words) p
 WHERE t.relispartition AND i.indisvalid AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT CASE t.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, t.lead || pg_catalog.quote_ident(t.relname), NULL, NULL, 'a', t.oid,
       pg_catalog.format('CREATE %sVIEW %s%I%s AS %s%s', CASE t.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END, t.place, t.relname,
         coalesce((SELECT ' WITH (' || pg_catalog.string_agg(o.prefix || pg_catalog.quote_ident(o.option_name) || '=' || pg_catalog.quote_literal(o.option_value), ', ') || ')'
                     FROM (SELECT '' AS prefix, own.* FROM pg_catalog.pg_options_to_table(t.reloptions) own UNION ALL
                           SELECT 'toast.', toast.* FROM pg_catalog.pg_class tc CROSS JOIN LATERAL pg_catalog.pg_options_to_table(tc.reloptions) toast WHERE tc.oid = t.reltoastrelid) o
                    WHERE o.option_name <> 'check_option'), ''),
         pg_catalog.rtrim(pg_catalog.pg_get_viewdef(t.oid), E'; \n'),
         coalesce((SELECT ' WITH ' || pg_catalog.upper(o.option_value) || ' CHECK OPTION' FROM pg_catalog.pg_options_to_table(t.reloptions) o WHERE o.option_name = 'check_option'), '')
         || CASE WHEN t.relkind = 'm' AND NOT t.relispopulated THEN ' WITH NO DATA' ELSE '' END),
       pg_catalog.format('DROP %sVIEW %s%I', CASE t.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END, t.place, t.relname)
  FROM tables t WHERE t.relkind IN ('v', 'm')
UNION ALL
SELECT 'property', t.relname || '.' || a.attname || ' default', NULL, NULL, 'a', t.oid,
       pg_catalog.format('ALTER VIEW %s%I ALTER COLUMN %I SET DEFAULT %s', t.place, t.relname, a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), NULL
  FROM tables t JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.oid JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE t.relkind = 'v'
UNION ALL
SELECT 'index', x.relname, NULL, NULL, 'a', i.indexrelid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), NULL
  FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE t.relkind = 'm' AND i.indisvalid AND i.indislive
UNION ALL
SELECT 'trigger', g.tgname, CASE WHEN t.relkind IN ('r', 'p') THEN t.top END, CASE WHEN t.relkind = 'f' THEN 'its foreign table is not made' END, 'a', g.oid,
       CASE WHEN t.relkind <> 'f' THEN pg_catalog.pg_get_triggerdef(g.oid, true) END, pg_catalog.format('DROP TRIGGER %I ON %s%I', g.tgname, t.place, t.relname)
  FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal AND g.tgname NOT LIKE '\_transhume\_%' AND coalesce((pg_catalog.to_jsonb(g)->>'tgparentid')::pg_catalog.oid, 0) = 0
UNION ALL
SELECT 'property', g.tgname || ' of ' || t.relname, t.top, NULL, 'a', g.oid,
       pg_catalog.format('ALTER TABLE ONLY %s%I %s TRIGGER %I', t.place, t.relname, CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, g.tgname), NULL
  FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal AND g.tgname NOT LIKE '\_transhume\_%' AND g.tgenabled <> 'O' AND t.relkind IN ('r', 'p')
UNION ALL
SELECT 'property', r.rulename || ' of ' || t.relname, CASE WHEN t.relkind IN ('r', 'p') THEN t.top END, NULL, 'a', r.oid,
       pg_catalog.format('ALTER TABLE %s%I %s RULE %I', t.place, t.relname, CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, r.rulename), NULL
  FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'O'
UNION ALL
SELECT 'rule', r.rulename, CASE WHEN t.relkind IN ('r', 'p') THEN t.top END, NULL, 'a', r.oid, pg_catalog.rtrim(pg_catalog.pg_get_ruledef(r.oid, true), ';'), pg_catalog.format('DROP RULE %I ON %s%I', r.rulename, t.place, t.relname)
  FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', p.polname, t.top, NULL, 'a', p.oid,
       pg_catalog.format('CREATE POLICY %I ON %s%I AS %s FOR %s TO %s%s%s', p.polname, t.place, t.relname, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
         CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
         (SELECT pg_catalog.string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) END, ', ') FROM pg_catalog.unnest(p.polroles) role),
         coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', ''), coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')),
       pg_catalog.format('DROP POLICY %I ON %s%I', p.polname, t.place, t.relname)
  FROM tables t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT 'statistics', space.lead || s.stxname, CASE WHEN t.relkind <> 'm' THEN t.top END, NULL, 'a', s.oid,
       'CREATE STATISTICS ' || pg_catalog.substr(pg_catalog.pg_get_statisticsobjdef(s.oid), pg_catalog.length('CREATE STATISTICS ' || CASE WHEN space.place = '' THEN pg_catalog.quote_ident(space.nspname) || '.' ELSE '' END) + 1),
       pg_catalog.format('DROP STATISTICS %s%I', space.place, s.stxname)
  FROM tables t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid JOIN space ON space.oid = s.stxnamespace
UNION ALL
SELECT 'property', s.stxname || ' statistics', CASE WHEN t.relkind <> 'm' THEN t.top END, NULL, 'a', s.oid,
       pg_catalog.format('ALTER STATISTICS %s%I SET STATISTICS %s', space.place, s.stxname, pg_catalog.to_jsonb(s)->>'stxstattarget'), NULL
  FROM tables t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid JOIN space ON space.oid = s.stxnamespace WHERE (pg_catalog.to_jsonb(s)->>'stxstattarget')::integer >= 0
UNION ALL
-- comments
SELECT 'comment', space.lead || c.relname || coalesce('.' || a.attname, ''), coalesce(ix.top, tt.top), NULL, 'a', d.objoid,
       CASE WHEN d.objsubid > 0 THEN pg_catalog.format('COMMENT ON COLUMN %s%I.%I IS %L', space.place, c.relname, a.attname, d.description)
            ELSE pg_catalog.format('COMMENT ON %s %s%I IS %L', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX'
                                                        WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, space.place, c.relname, d.description) END, NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_class c ON c.oid = d.objoid JOIN space ON space.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid LEFT JOIN tables ix ON ix.oid = i.indrelid AND ix.relkind IN ('r', 'p')
  LEFT JOIN tables tt ON tt.oid = c.oid AND tt.relkind IN ('r', 'p')
 WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'c') AND c.relname NOT LIKE '\_transhume\_%'
UNION ALL
SELECT 'comment', k.conname, t.top, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s%I IS %L', k.conname, t.place, t.relname, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_constraint k ON k.oid = d.objoid JOIN tables t ON t.oid = k.conrelid
 WHERE d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
UNION ALL
SELECT 'comment', g.tgname, CASE WHEN t.relkind IN ('r', 'p') THEN t.top END, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON TRIGGER %I ON %s%I IS %L', g.tgname, t.place, t.relname, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_trigger g ON g.oid = d.objoid JOIN tables t ON t.oid = g.tgrelid WHERE d.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.relkind <> 'f'
UNION ALL
SELECT 'comment', r.rulename, CASE WHEN t.relkind IN ('r', 'p') THEN t.top END, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON RULE %I ON %s%I IS %L', r.rulename, t.place, t.relname, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objoid JOIN tables t ON t.oid = r.ev_class WHERE d.classoid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
UNION ALL
SELECT 'comment', p.polname, t.top, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON POLICY %I ON %s%I IS %L', p.polname, t.place, t.relname, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_policy p ON p.oid = d.objoid JOIN tables t ON t.oid = p.polrelid WHERE d.classoid = 'pg_catalog.pg_policy'::pg_catalog.regclass
UNION ALL
SELECT 'comment', s.stxname, CASE WHEN t.relkind <> 'm' THEN t.top END, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON STATISTICS %s%I IS %L', space.place, s.stxname, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_statistic_ext s ON s.oid = d.objoid JOIN space ON space.oid = s.stxnamespace JOIN tables t ON t.oid = s.stxrelid
 WHERE d.classoid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass
UNION ALL
SELECT 'comment', l.collname, NULL, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON COLLATION %s%I IS %L', space.place, l.collname, d.description), NULL
  FROM pg_catalog.pg_description d JOIN pg_catalog.pg_collation l ON l.oid = d.objoid JOIN space ON space.oid = l.collnamespace WHERE d.classoid = 'pg_catalog.pg_collation'::pg_catalog.regclass
UNION ALL
SELECT 'comment', f.name, NULL, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON %s %s IS %L', CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, f.called, d.description), NULL
  FROM pg_catalog.pg_description d JOIN functions f ON f.oid = d.objoid WHERE d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND f.prokind <> 'a'
UNION ALL
SELECT 'comment', t.name, NULL, NULL, 'a', d.objoid, pg_catalog.format('COMMENT ON %s %s IS %L', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.called, d.description), NULL
  FROM pg_catalog.pg_description d JOIN types t ON t.oid = d.objoid WHERE d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.typtype IN ('e', 'd', 'c', 'r')
 ORDER BY stage, place, what, name
