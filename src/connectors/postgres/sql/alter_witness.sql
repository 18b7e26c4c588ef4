-- A digest of what the catalogue has under a name, which is another one once a statement on it was carried out, and how many
-- invalid indexes there are. $1: its schema, or NULL: where search_path finds it. $2: its name. $3: its kind.
WITH
  found AS (
    SELECT c.oid, c.relkind, c.relname, n.nspname, c.relpersistence, c.reloptions, c.relreplident, c.relrowsecurity, c.relforcerowsecurity,
           c.relowner, c.relacl, c.reltablespace, c.relispartition, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE $3::text NOT IN ('type', 'domain', 'routine', 'function', 'procedure', 'aggregate', 'schema', 'database', 'extension', 'role', 'user')
       AND c.relname = $2
       AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $1 END),
  facts AS (
    SELECT 'relation ' || f::text AS fact FROM found f
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'column', a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
           pg_catalog.to_jsonb(a)->>'attgenerated', a.attcollation, a.attoptions, a.attacl, a.attstattarget, a.attstorage,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid))
      FROM found f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'constraint', k.conname, k.convalidated, pg_catalog.pg_get_constraintdef(k.oid))
      FROM found f JOIN pg_catalog.pg_constraint k ON k.conrelid = f.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'index', i.indisvalid, i.indisclustered, i.indisreplident, pg_catalog.pg_get_indexdef(i.indexrelid))
      FROM found f JOIN pg_catalog.pg_index i ON f.oid IN (i.indrelid, i.indexrelid)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'trigger', g.tgenabled, pg_catalog.pg_get_triggerdef(g.oid))
      FROM found f JOIN pg_catalog.pg_trigger g ON g.tgrelid = f.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'rule', r.ev_enabled, pg_catalog.pg_get_ruledef(r.oid))
      FROM found f JOIN pg_catalog.pg_rewrite r ON r.ev_class = f.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'policy', p::text) FROM found f JOIN pg_catalog.pg_policy p ON p.polrelid = f.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'parent', h.inhparent, pg_catalog.to_jsonb(h)->>'inhdetachpending') FROM found f JOIN pg_catalog.pg_inherits h ON f.oid IN (h.inhrelid, h.inhparent)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'sequence', s::text) FROM found f JOIN pg_catalog.pg_sequence s ON s.seqrelid = f.oid
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'comment', c.objsubid, c.description) FROM found f JOIN pg_catalog.pg_description c ON c.objoid = f.oid AND c.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'trigger', g.tgenabled, pg_catalog.pg_get_triggerdef(g.oid)) FROM pg_catalog.pg_trigger g WHERE $3 = 'trigger' AND g.tgname = $2
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'type', y.typname, y.typowner, y.typacl, y.typnotnull, y.typdefault, y.typbasetype, y.typtypmod, e.label)
      FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
      LEFT JOIN LATERAL (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(l.enumlabel), ',' ORDER BY l.enumsortorder) AS label
                           FROM pg_catalog.pg_enum l WHERE l.enumtypid = y.oid) e ON true
     WHERE y.typname = $2 AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_type_is_visible(y.oid) ELSE n.nspname = $1 END
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'domain', pg_catalog.pg_get_constraintdef(k.oid), k.convalidated)
      FROM pg_catalog.pg_type y JOIN pg_catalog.pg_constraint k ON k.contypid = y.oid WHERE y.typname = $2
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'routine', r::text)
      FROM pg_catalog.pg_proc r JOIN pg_catalog.pg_namespace n ON n.oid = r.pronamespace
     WHERE r.proname = $2 AND ($1::text IS NULL OR n.nspname = $1) AND $3 IN ('routine', 'function', 'procedure', 'aggregate')
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'schema', n.nspowner, n.nspacl) FROM pg_catalog.pg_namespace n WHERE $3 = 'schema' AND n.nspname = $2
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'extension', x::text) FROM pg_catalog.pg_extension x WHERE $3 = 'extension' AND x.extname = $2
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'database', d.datdba, d.datacl, d.datconnlimit, d.datistemplate, d.datallowconn, d.dattablespace) FROM pg_catalog.pg_database d WHERE $3 = 'database' AND d.datname = $2
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'role', o::text) FROM pg_catalog.pg_roles o WHERE $3 IN ('role', 'user') AND o.rolname = $2)
SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(fact, E'\n' ORDER BY fact COLLATE "C"), '')),
       (SELECT count(*) FROM found f JOIN pg_catalog.pg_index i ON f.oid IN (i.indrelid, i.indexrelid) AND NOT i.indisvalid)
  FROM facts
