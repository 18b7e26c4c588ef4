-- Triggers, rules, policies, and how changes name the row that they are of.
SELECT '2620:' || t.oid || ':0' AS id, 'trigger' AS kind, c.nspname AS schema, c.relname AS "table", t.tgname AS name, c.id AS owner,
       pg_catalog.pg_get_triggerdef(t.oid) AS definition,
       CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END AS state
  FROM relation c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
 WHERE NOT t.tgisinternal AND t.tgname NOT LIKE '\_transhume\_%' AND coalesce(pg_catalog.to_jsonb(t) ->> 'tgparentid', '0') = '0'
UNION ALL
SELECT '2618:' || r.oid || ':0', 'rule', c.nspname, c.relname, r.rulename, c.id, pg_catalog.pg_get_ruledef(r.oid),
       CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END
  FROM relation c JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT '3256:' || p.oid || ':0', 'policy', c.nspname, c.relname, p.polname, c.id,
       pg_catalog.format('AS %s FOR %s TO %s', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
         CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
         (SELECT pg_catalog.string_agg(CASE WHEN o = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o)) END, ', ' ORDER BY o) FROM pg_catalog.unnest(p.polroles) o))
       || coalesce(' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '') || coalesce(' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''), NULL
  FROM relation c JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT 'identity:' || c.oid, 'replica identity', c.nspname, c.relname, c.relname, c.id,
       CASE c.relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL'
            ELSE (SELECT pg_catalog.format('USING INDEX %I', x.relname) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident) END, NULL
  FROM relation c WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'd'
UNION ALL
SELECT '3456:' || l.oid || ':0', 'collation', s.nspname, NULL, l.collname, NULL,
       pg_catalog.format('CREATE COLLATION %I.%I (%s)', s.nspname, l.collname,
         CASE l.collprovider WHEN 'c' THEN pg_catalog.format('PROVIDER = libc, LC_COLLATE = %L, LC_CTYPE = %L', l.collcollate, l.collctype)
              ELSE pg_catalog.format('PROVIDER = %s, LOCALE = %L, DETERMINISTIC = %s', CASE l.collprovider WHEN 'i' THEN 'icu' ELSE 'builtin' END,
                     coalesce(pg_catalog.to_jsonb(l) ->> 'colllocale', pg_catalog.to_jsonb(l) ->> 'colliculocale', l.collcollate), l.collisdeterministic) END), NULL
  FROM pg_catalog.pg_collation l JOIN space s ON s.oid = l.collnamespace WHERE l.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_collation'::pg_catalog.regclass)
UNION ALL
SELECT '3381:' || e.oid || ':0', 'statistics', s.nspname, NULL, e.stxname, NULL, pg_catalog.pg_get_statisticsobjdef(e.oid), NULL
  FROM pg_catalog.pg_statistic_ext e JOIN space s ON s.oid = e.stxnamespace
UNION ALL
SELECT '3466:' || e.oid || ':0', 'event trigger', NULL, NULL, e.evtname, NULL,
       pg_catalog.format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()', e.evtname, e.evtevent,
         coalesce(' WHEN TAG IN (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(g), ', ') FROM pg_catalog.unnest(e.evttags) g) || ')', ''), e.evtfoid::pg_catalog.regproc),
       CASE e.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END
  FROM pg_catalog.pg_event_trigger e WHERE $1::text[] IS NULL AND e.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass)
 ORDER BY 3, 4, 5
