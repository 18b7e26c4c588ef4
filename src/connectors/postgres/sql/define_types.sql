-- Enums, domains, ranges and composite types; the attributes of these are definitions of their own.
SELECT t.id, CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'composite' END AS kind,
       t.nspname AS schema, NULL AS "table", t.typname AS name, NULL AS owner,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) AS labels,
       CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END AS base,
       CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation THEN (SELECT pg_catalog.format('%I.%I', ln.nspname, l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = t.typcollation) END AS "collation",
       CASE WHEN t.typtype = 'd' THEN t.typdefault END AS "default",
       CASE WHEN t.typtype = 'd' AND t.typnotnull THEN 'yes' END AS "not null",
       CASE WHEN t.typtype = 'r' THEN (SELECT pg_catalog.format('SUBTYPE = %s', pg_catalog.format_type(r.rngsubtype, NULL))
              || coalesce((SELECT pg_catalog.format(', SUBTYPE_OPCLASS = %I.%I', cn.nspname, oc.opcname) FROM pg_catalog.pg_opclass oc JOIN pg_catalog.pg_namespace cn ON cn.oid = oc.opcnamespace WHERE oc.oid = r.rngsubopc AND NOT oc.opcdefault), '')
              || CASE WHEN r.rngsubdiff::oid <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::text ELSE '' END
              || CASE WHEN r.rngcollation <> 0 AND r.rngcollation <> st.typcollation THEN (SELECT pg_catalog.format(', COLLATION = %I.%I', ln.nspname, l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = r.rngcollation) ELSE '' END
           FROM pg_catalog.pg_range r JOIN pg_catalog.pg_type st ON st.oid = r.rngsubtype WHERE r.rngtypid = t.oid) END AS options
  FROM named_type t LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype ORDER BY t.nspname, t.typname
