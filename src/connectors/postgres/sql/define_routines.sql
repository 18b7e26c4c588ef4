-- Functions, procedures and aggregates.
SELECT p.id, CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, p.nspname AS schema, NULL AS "table",
       pg_catalog.format('%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS name, NULL AS owner,
       CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid)
            ELSE (SELECT pg_catalog.format('CREATE AGGREGATE %I.%I(%s) (SFUNC = %s, STYPE = %s%s%s%s%s%s)', p.nspname, p.proname, pg_catalog.pg_get_function_arguments(p.oid), g.aggtransfn::pg_catalog.regproc,
                    pg_catalog.format_type(g.aggtranstype, NULL), CASE WHEN g.agginitval IS NOT NULL THEN ', INITCOND = ' || pg_catalog.quote_literal(g.agginitval) ELSE '' END,
                    CASE WHEN g.aggfinalfn::oid <> 0 THEN ', FINALFUNC = ' || g.aggfinalfn::pg_catalog.regproc ELSE '' END,
                    CASE WHEN g.aggcombinefn::oid <> 0 THEN ', COMBINEFUNC = ' || g.aggcombinefn::pg_catalog.regproc ELSE '' END,
                    CASE WHEN g.aggsortop <> 0 THEN ', SORTOP = ' || g.aggsortop::pg_catalog.regoper ELSE '' END,
                    CASE p.proparallel WHEN 's' THEN ', PARALLEL = SAFE' WHEN 'r' THEN ', PARALLEL = RESTRICTED' ELSE '' END)
                    FROM pg_catalog.pg_aggregate g WHERE g.aggfnoid = p.oid) END AS definition,
       CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_function_result(p.oid) END AS _result,
       (SELECT pg_catalog.string_agg(coalesce(m.mode::text, 'i') || ' ' || coalesce(m.name, ''), ', ' ORDER BY m.at) FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY m(name, mode, at)) AS _names,
       p.pronargdefaults AS _defaults,
       (SELECT x.lanname FROM pg_catalog.pg_language x WHERE x.oid = p.prolang) AS _language
  FROM routine p ORDER BY p.nspname, p.proname, 5
