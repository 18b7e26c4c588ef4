-- Indexes of tables, one row for each key part; an expression has no name. $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}';
-- $2: one table or NULL for all.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
)
SELECT i.indrelid, x.relname, i.indisunique, i.indpred IS NOT NULL,
       k.contype IS NOT NULL,
       -- a key's index is made as the key, with a partitioned table itself; an index of that on its partitions, too
       CASE WHEN k.contype = 'p' AND c.relkind = 'p' THEN NULL
            WHEN k.contype IN ('p', 'u') AND x.reloptions IS NOT NULL -- which pg_get_constraintdef does not tell; they stand before DEFERRABLE
                 THEN pg_catalog.format('ALTER TABLE %s%I ADD CONSTRAINT %I %s', n.place, c.relname, k.conname,
                        pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid, true), '( DEFERRABLE)?( INITIALLY DEFERRED)?$', o.options || '\1\2'))
            WHEN k.contype IS NOT NULL THEN pg_catalog.format('ALTER TABLE %s%I ADD CONSTRAINT %I %s', n.place, c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid, true))
            WHEN x.relkind = 'I' THEN o.words || ' ON ' || pg_catalog.substr(pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.length(o.words || ' ON ONLY ') + 1)
            ELSE pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) END, coalesce(a.attname, ''), m.amname, i.indexrelid, d.words,
       coalesce(k.condeferrable, false), i.indisreplident
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN space n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT pg_catalog.format('CREATE %sINDEX %I', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname) AS words,
                            (SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.quote_ident(p.option_name) || '=' || pg_catalog.quote_literal(p.option_value), ', ') || ')'
                               FROM pg_catalog.pg_options_to_table(x.reloptions) p) AS options) o
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
 CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) p(place)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.place] AND a.attnum <> 0
 CROSS JOIN LATERAL (
         SELECT NULLIF(pg_catalog.concat_ws(', ',
           (SELECT pg_catalog.string_agg(pg_catalog.concat(coalesce(pg_catalog.quote_ident(ka.attname), 'an expression'),
                     CASE WHEN NOT oc.opcdefault THEN ' ' || pg_catalog.quote_ident(oc.opcname) END,
                     CASE WHEN q.way & 1 = 1 THEN ' DESC' END, CASE q.way WHEN 1 THEN ' NULLS LAST' WHEN 2 THEN ' NULLS FIRST' END), ', ' ORDER BY q.place)
              FROM (SELECT g.place, i.indkey[g.place] AS number, i.indoption[g.place] AS way, i.indclass[g.place] AS class FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) g(place)) q
              JOIN pg_catalog.pg_opclass oc ON oc.oid = q.class LEFT JOIN pg_catalog.pg_attribute ka ON ka.attrelid = i.indrelid AND ka.attnum = q.number AND q.number <> 0
             WHERE q.way <> 0 OR NOT oc.opcdefault),
           (SELECT 'INCLUDE (' || pg_catalog.string_agg(pg_catalog.quote_ident(ia.attname), ', ' ORDER BY g.place) || ')'
              FROM pg_catalog.generate_series(i.indnkeyatts, i.indnatts - 1) g(place) JOIN pg_catalog.pg_attribute ia ON ia.attrelid = i.indrelid AND ia.attnum = i.indkey[g.place]),
           CASE WHEN pg_catalog.strpos(pg_catalog.pg_get_indexdef(i.indexrelid), ' NULLS NOT DISTINCT') > 0 THEN 'NULLS NOT DISTINCT' END,
           CASE WHEN k.condeferrable THEN CASE WHEN k.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE 'DEFERRABLE' END END), '') AS words) d
 WHERE NOT c.relispartition AND ($2::text IS NULL OR c.relname = $2)
   AND i.indisvalid AND i.indislive
 ORDER BY i.indrelid, x.relname COLLATE "C", p.place
