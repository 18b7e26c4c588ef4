-- What no copy into another PostgreSQL makes: what it is, its name, the table that it belongs to (NULL: none), why, and the
-- catalogue that holds it, where it is counted nowhere else (inventory.sql). Casts, publications, event triggers and their
-- like belong to no schema, and are told always.
-- $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, n.nspowner, n.nspacl, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
),
extended AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'),
relations AS (
  SELECT c.oid, space.lead, space.lead || c.relname AS relname, c.relkind, c.relowner, c.relacl, c.reltablespace, c.relam, c.relispartition,
         CASE WHEN c.relispartition THEN (SELECT coalesce(rs.lead, '') || r.relname FROM pg_catalog.pg_class r LEFT JOIN space rs ON rs.oid = r.relnamespace WHERE r.oid = pg_catalog.pg_partition_root(c.oid))
              WHEN c.relkind IN ('r', 'p') THEN space.lead || c.relname END AS top
    FROM pg_catalog.pg_class c, space
   WHERE c.relnamespace = space.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname NOT LIKE '\_transhume\_%'
     AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
), types AS (
  SELECT t.oid, space.lead || t.typname AS typname, t.typowner, t.typacl FROM pg_catalog.pg_type t JOIN space ON space.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typelem = 0 OR c.relkind = 'c')
     AND t.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
), functions AS (
  SELECT p.oid, p.proowner, p.proacl, space.lead || pg_catalog.format('%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS name
    FROM pg_catalog.pg_proc p JOIN space ON space.oid = p.pronamespace
   WHERE p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AND p.proname NOT LIKE '\_transhume\_%'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')
), owners AS (
  SELECT relowner AS owner FROM relations UNION ALL SELECT typowner FROM types UNION ALL SELECT proowner FROM functions
), found AS (
  -- of the schema
  SELECT 'pg_operator' AS catalog, 'operator' AS what, o.oid, space.lead || o.oprname AS name, NULL::text AS of, 'operators are not made' AS why
    FROM pg_catalog.pg_operator o JOIN space ON space.oid = o.oprnamespace
  UNION ALL
  SELECT 'pg_opclass', 'operator class', o.oid, space.lead || o.opcname, NULL, 'operator classes are not made' FROM pg_catalog.pg_opclass o JOIN space ON space.oid = o.opcnamespace
  UNION ALL
  SELECT 'pg_opfamily', 'operator family', o.oid, space.lead || o.opfname, NULL, 'operator families are not made' FROM pg_catalog.pg_opfamily o JOIN space ON space.oid = o.opfnamespace
  UNION ALL
  SELECT 'pg_conversion', 'conversion', c.oid, space.lead || c.conname, NULL, 'conversions are not made' FROM pg_catalog.pg_conversion c JOIN space ON space.oid = c.connamespace
  UNION ALL
  SELECT 'pg_ts_config', 'text search configuration', c.oid, space.lead || c.cfgname, NULL, 'text search configurations are not made' FROM pg_catalog.pg_ts_config c JOIN space ON space.oid = c.cfgnamespace
  UNION ALL
  SELECT 'pg_ts_dict', 'text search dictionary', d.oid, space.lead || d.dictname, NULL, 'text search dictionaries are not made' FROM pg_catalog.pg_ts_dict d JOIN space ON space.oid = d.dictnamespace
  UNION ALL
  SELECT 'pg_ts_parser', 'text search parser', p.oid, space.lead || p.prsname, NULL, 'text search parsers are not made' FROM pg_catalog.pg_ts_parser p JOIN space ON space.oid = p.prsnamespace
  UNION ALL
  SELECT 'pg_ts_template', 'text search template', t.oid, space.lead || t.tmplname, NULL, 'text search templates are not made' FROM pg_catalog.pg_ts_template t JOIN space ON space.oid = t.tmplnamespace
  UNION ALL
  SELECT NULL, 'statistics', s.oid, s.stxname, NULL, 'it is in another schema than its table' FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid
   WHERE s.stxnamespace <> c.relnamespace AND (s.stxnamespace IN (SELECT oid FROM space)) <> (c.relnamespace IN (SELECT oid FROM space))
  UNION ALL
  SELECT NULL, 'foreign table', r.oid, r.relname, NULL, 'foreign tables are not made, and their rows not read' FROM relations r WHERE r.relkind = 'f'
  UNION ALL
  SELECT NULL, 'check', NULL, k.conname, NULL, 'its foreign table is not made' FROM relations r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid WHERE r.relkind = 'f' AND k.contype = 'c'
  UNION ALL
  SELECT NULL, 'invalid index', NULL, x.relname, r.top, 'the source could not make it, or not yet of all partitions'
    FROM relations r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
   WHERE r.relkind IN ('r', 'p', 'm') AND NOT (i.indisvalid AND i.indislive)
  UNION ALL
  SELECT NULL, 'inheritance', NULL, c.relname, c.relname, 'the table becomes one of its own; the table that it inherits from holds its rows, too'
    FROM pg_catalog.pg_inherits i JOIN relations c ON c.oid = i.inhrelid WHERE NOT c.relispartition AND c.relkind = 'r'
  UNION ALL
  SELECT NULL, 'partition of another schema', NULL, pg_catalog.format('%I.%I', n.nspname, c.relname), r.top, 'it is not made, so that records of it find no place; make it once the table is there, then load the rejects'
    FROM relations r JOIN pg_catalog.pg_inherits i ON i.inhparent = r.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relispartition AND n.oid NOT IN (SELECT oid FROM space)
  UNION ALL
  SELECT NULL, 'partition', NULL, r.relname, NULL, 'the table that it is a part of is in another schema: its rows are read with that'
    FROM relations r JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.pg_partition_root(r.oid)
   WHERE r.relispartition AND r.relkind IN ('r', 'p') AND c.relnamespace NOT IN (SELECT oid FROM space)
  UNION ALL
  SELECT NULL, 'table access method', NULL, r.relname, r.top, pg_catalog.format('it is %s; the table is made with what is default there', m.amname)
    FROM relations r JOIN pg_catalog.pg_am m ON m.oid = r.relam WHERE r.relkind IN ('r', 'p', 'm') AND m.amname <> 'heap'
  UNION ALL
  SELECT DISTINCT NULL, 'disabled trigger of a foreign key', NULL::pg_catalog.oid, k.conname, r.top, 'in the target it is enabled'
    FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint AND k.contype = 'f' JOIN relations r ON r.oid = k.conrelid WHERE g.tgisinternal AND g.tgenabled <> 'O'
  UNION ALL
  -- of the database
  SELECT 'pg_cast', 'cast', c.oid, pg_catalog.format('%s AS %s', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL)), NULL, 'casts are not made'
    FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 -- the first number of what is not built in
     AND (EXISTS (SELECT 1 FROM types t WHERE t.oid IN (c.castsource, c.casttarget)) OR c.castfunc IN (SELECT oid FROM functions)
          OR NOT EXISTS (SELECT 1 FROM (VALUES (c.castsource), (c.casttarget), (c.castfunc)) v(o) WHERE v.o >= 16384))
  UNION ALL
  SELECT 'pg_transform', 'transform', f.oid, pg_catalog.format('FOR %s LANGUAGE %I', pg_catalog.format_type(f.trftype, NULL), l.lanname), NULL, 'transforms are not made'
    FROM pg_catalog.pg_transform f JOIN pg_catalog.pg_language l ON l.oid = f.trflang
   WHERE f.trftype IN (SELECT oid FROM types) OR f.trffromsql IN (SELECT oid FROM functions) OR f.trftosql IN (SELECT oid FROM functions)
      OR NOT EXISTS (SELECT 1 FROM (VALUES (f.trftype), (f.trffromsql::pg_catalog.oid), (f.trftosql::pg_catalog.oid)) v(o) WHERE v.o >= 16384)
  UNION ALL
  SELECT 'pg_extension', 'extension', e.oid, e.extname, NULL, 'extensions are not made: CREATE EXTENSION in the target first' FROM pg_catalog.pg_extension e WHERE e.extname <> 'plpgsql'
  UNION ALL
  SELECT 'pg_language', 'language', l.oid, l.lanname, NULL, 'languages are not made' FROM pg_catalog.pg_language l WHERE l.oid >= 16384
  UNION ALL
  SELECT 'pg_am', 'access method', m.oid, m.amname, NULL, 'access methods are not made' FROM pg_catalog.pg_am m WHERE m.oid >= 16384
  UNION ALL
  SELECT 'pg_event_trigger', 'event trigger', e.oid, e.evtname, NULL, 'event triggers are not made' FROM pg_catalog.pg_event_trigger e
  UNION ALL
  SELECT 'pg_publication', 'publication', p.oid, p.pubname, NULL, 'publications are not made' FROM pg_catalog.pg_publication p
   WHERE p.pubname NOT LIKE 'transhume\_%'
  UNION ALL
  SELECT 'pg_subscription', 'subscription', NULL, s.subname, NULL, 'subscriptions are not made' FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'pg_foreign_data_wrapper', 'foreign-data wrapper', w.oid, w.fdwname, NULL, 'foreign-data wrappers are not made' FROM pg_catalog.pg_foreign_data_wrapper w
  UNION ALL
  SELECT 'pg_foreign_server', 'foreign server', s.oid, s.srvname, NULL, 'foreign servers are not made' FROM pg_catalog.pg_foreign_server s
  UNION ALL
  SELECT 'pg_user_mapping', 'user mapping', NULL, pg_catalog.format('%s for %s', m.srvname, m.usename), NULL, 'user mappings are not made' FROM pg_catalog.pg_user_mappings m
  UNION ALL
  SELECT NULL, 'store of large objects', NULL, 'pg_largeobject', NULL, pg_catalog.format('%s large objects are not copied, only the numbers of them that tables hold', count(*))
    FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0
  UNION ALL
  SELECT NULL, 'tablespace', NULL, s.spcname, NULL, pg_catalog.format('tables and indexes of the schema lie in it (%s); in the target they lie where its database does', count(*))
    FROM pg_catalog.pg_class c JOIN space ON space.oid = c.relnamespace JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace WHERE c.relname NOT LIKE '\_transhume\_%' GROUP BY s.spcname
  UNION ALL
  -- the schema itself is the target's own, and who may do what its own, too
  SELECT NULL, 'comment', NULL, space.nspname, NULL, 'the schema itself is the target''s own'
    FROM pg_catalog.pg_description d JOIN space ON space.oid = d.objoid WHERE d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.description <> 'standard public schema'
  UNION ALL
  SELECT NULL, 'grant', NULL, r.relname, CASE WHEN r.relkind <> 'f' THEN r.top END, 'who may do what is not carried' FROM relations r
   WHERE r.relacl::text <> pg_catalog.acldefault(CASE r.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, r.relowner)::text
      OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.oid AND a.attacl IS NOT NULL)
  UNION ALL
  SELECT NULL, 'grant', NULL, f.name, NULL, 'who may do what is not carried' FROM functions f WHERE f.proacl::text <> pg_catalog.acldefault('f', f.proowner)::text
  UNION ALL
  SELECT NULL, 'grant', NULL, t.typname, NULL, 'who may do what is not carried' FROM types t WHERE t.typacl::text <> pg_catalog.acldefault('T', t.typowner)::text
  UNION ALL
  SELECT NULL, 'grant', NULL, space.nspname, NULL, 'who may do what in the schema is not carried' FROM space
   WHERE space.nspacl::text <> pg_catalog.acldefault('n', space.nspowner)::text
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_init_privs i WHERE i.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND i.objoid = space.oid AND i.initprivs::text = space.nspacl::text)
  UNION ALL
  SELECT DISTINCT NULL, 'default grant', NULL::pg_catalog.oid, pg_catalog.pg_get_userbyid(d.defaclrole)::text, NULL, 'who may do what with new objects is not carried'
    FROM pg_catalog.pg_default_acl d, space WHERE d.defaclnamespace IN (0, space.oid)
  UNION ALL
  SELECT NULL, 'owner', NULL, pg_catalog.pg_get_userbyid(o.owner), NULL, pg_catalog.format('tables, views, sequences, types and functions of it (%s) belong to who copies', count(*))
    FROM owners o WHERE pg_catalog.pg_get_userbyid(o.owner) <> CURRENT_USER GROUP BY o.owner
  UNION ALL
  SELECT NULL, 'security label', NULL, i.identity, NULL, pg_catalog.format('labels (of %s) are not carried', l.provider)
    FROM pg_catalog.pg_seclabel l CROSS JOIN LATERAL pg_catalog.pg_identify_object(l.classoid, l.objoid, l.objsubid) i
   WHERE CASE i.type WHEN 'schema' THEN i.name ELSE i.schema END IN (SELECT pg_catalog.quote_ident(nspname) FROM space)
)
SELECT f.what, f.name, f.of, f.why, f.catalog
  FROM found f
 WHERE f.catalog IS NULL OR f.oid IS NULL -- an extension's goes with that, and a range's casts with the range
    OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = ('pg_catalog.' || f.catalog)::pg_catalog.regclass AND d.objid = f.oid AND d.deptype IN ('e', 'i'))
 ORDER BY f.catalog, f.what, f.name, f.of
