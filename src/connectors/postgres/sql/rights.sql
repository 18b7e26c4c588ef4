-- Who owns what a copy makes, who may do what with it, and what of it runs or reads with its owner's rights: the kind of the row, what the
-- object is and what it is called (as objects.sql has both; a table: as the catalogue has it; the session's own schema: ''), the table that
-- it belongs to, a role (NULL: everybody), words of the kind, a statement (of default alone), and the object as a statement about its rights names it.
--   owner    role owns it
--   grant    role may do what words say, a line each, with a * behind it where it may be granted on
--   lacks    its owner, role, who is no superuser, may not do what words say, as the owner of such a thing may by default
--   closed   everybody may not do what everybody may by default
--   runs     a function runs as its owner, role, who is no superuser; words: trigger, if one fires it
--   reads    a view's owner, or that of what it reads through, role, is held back by words, where who copies may not be
--   rewrites a table's rules do what its owner may, likewise
--   shut     everybody lacks, in a schema or language or the database itself, words, which everybody has by default
--   default  what is granted of new objects of role; words: closed, where it is taken from everybody
--   member   of a role that a RESTRICTIVE policy names: role is held back by it, too
-- $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH RECURSIVE space AS (
  SELECT n.oid, n.nspname, n.nspowner, n.nspacl, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
),
extended AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'),
relations AS (
  SELECT c.oid, space.lead, space.place, c.relname, c.relkind, c.relowner, c.relacl, c.reloptions, d.refobjid AS owned,
         CASE WHEN c.relispartition THEN (SELECT coalesce(rs.lead, '') || r.relname FROM pg_catalog.pg_class r LEFT JOIN space rs ON rs.oid = r.relnamespace WHERE r.oid = pg_catalog.pg_partition_root(c.oid))
              WHEN c.relkind IN ('r', 'p') THEN space.lead || c.relname
              WHEN c.relkind = 'S' THEN (SELECT coalesce(rs.lead, '') || r.relname FROM pg_catalog.pg_class r LEFT JOIN space rs ON rs.oid = r.relnamespace WHERE r.oid = d.refobjid) END AS top
    FROM pg_catalog.pg_class c JOIN space ON space.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_depend d ON c.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.refclassid = d.classid AND d.deptype IN ('a', 'i')
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname NOT LIKE '\_transhume\_%'
     AND c.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
), functions AS (
  SELECT p.oid, p.proowner, p.proacl, p.prosecdef, p.prokind, space.lead || c.called AS name, space.place || c.called AS called,
         CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function' ELSE 'function' END AS what
    FROM pg_catalog.pg_proc p JOIN space ON space.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   CROSS JOIN LATERAL (SELECT pg_catalog.format('%I(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS called) c
   WHERE p.prokind <> 'a' AND l.lanname NOT IN ('c', 'internal') AND p.proname NOT LIKE '\_transhume\_%'
     AND p.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i')
), things AS (
  SELECT CASE r.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS what,
         r.lead || CASE WHEN r.relkind IN ('r', 'p') THEN r.relname::text ELSE pg_catalog.quote_ident(r.relname) END AS name, r.top,
         CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS alters,
         CASE r.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS grants, r.place || pg_catalog.quote_ident(r.relname) AS called,
         r.relowner AS owner, r.relacl AS acl, r.owned IS NOT NULL AS follows, r.oid AS relation, NULL::pg_catalog.aclitem[] AS usual
    FROM relations r
   UNION ALL
  SELECT f.what, f.name, NULL, CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, f.called,
         f.proowner, f.proacl, false, NULL, pg_catalog.acldefault('f', f.proowner) FROM functions f
   UNION ALL
  SELECT 'type', space.lead || pg_catalog.quote_ident(t.typname), NULL, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, 'TYPE', space.place || pg_catalog.quote_ident(t.typname),
         t.typowner, t.typacl, false, NULL, pg_catalog.acldefault('T', t.typowner)
    FROM pg_catalog.pg_type t JOIN space ON space.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND t.oid NOT IN (SELECT objid FROM extended WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
   UNION ALL
  SELECT 'collation', space.lead || pg_catalog.quote_ident(l.collname), NULL, 'COLLATION', NULL, space.place || pg_catalog.quote_ident(l.collname), l.collowner, NULL, false, NULL, NULL
    FROM pg_catalog.pg_collation l JOIN space ON space.oid = l.collnamespace
   UNION ALL
  SELECT 'schema', CASE WHEN space.lead = '' THEN '' ELSE space.nspname::text END, NULL, CASE WHEN space.lead <> '' THEN 'SCHEMA' END, 'SCHEMA', pg_catalog.quote_ident(space.nspname),
         space.nspowner, space.nspacl, space.lead = '', NULL, NULL FROM space
), columns AS (
  SELECT t.what, t.name, t.top, t.grants, t.called, t.owner, a.attacl AS acl, ' (' || pg_catalog.quote_ident(a.attname) || ')' AS behind
    FROM things t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relation AND a.attacl IS NOT NULL AND NOT a.attisdropped
), given AS (
  SELECT t.what, t.name, t.top, t.grants, t.called, g.grantee, g.is_grantable, g.privilege_type || t.behind AS privilege
    FROM (SELECT t.what, t.name, t.top, t.grants, t.called, t.owner, '' AS behind,
                 CASE WHEN t.usual IS NOT NULL AND t.name IN (SELECT f.name FROM functions f WHERE f.prosecdef) THEN coalesce(t.acl, t.usual) ELSE t.acl END AS acl, t.usual FROM things t
           UNION ALL SELECT c.what, c.name, c.top, c.grants, c.called, c.owner, c.behind, c.acl, NULL FROM columns c) t
   CROSS JOIN LATERAL pg_catalog.aclexplode(t.acl) g
   WHERE g.grantee <> t.owner
     -- what everybody has by default comes by itself, but for functions that run as their owner
     AND NOT (g.grantee = 0 AND (t.what = 'schema' OR t.usual IS NOT NULL AND NOT (t.grants <> 'TYPE' AND t.name IN (SELECT f.name FROM functions f WHERE f.prosecdef))))
), named AS (
  -- what the rules of views and tables name
  SELECT DISTINCT w.ev_class AS oid, d.refobjid AS base
    FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> w.ev_class
   WHERE w.ev_class >= 16384::pg_catalog.oid
), invoking AS (
  SELECT c.oid FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.pg_options_to_table(c.reloptions) p WHERE c.relkind = 'v' AND p.option_name = 'security_invoker' AND p.option_value::pg_catalog.bool
), reach AS (
  -- a view that reads as who asks: its reader reads what it names
  SELECT n.oid, n.base FROM named n
   UNION
  SELECT r.oid, n.base FROM reach r JOIN invoking i ON i.oid = r.base JOIN named n ON n.oid = i.oid
), below AS (
  -- a materialized view, and the views that it reads through
  SELECT c.oid, c.relowner, c.oid AS base FROM pg_catalog.pg_class c WHERE c.relkind = 'm' AND c.oid >= 16384::pg_catalog.oid
   UNION
  SELECT b.oid, b.relowner, n.base FROM below b JOIN named n ON n.oid = b.base JOIN pg_catalog.pg_class c ON c.oid = n.base AND c.relkind = 'v' AND c.oid >= 16384::pg_catalog.oid
), reading AS (
  -- whether the owner is held back there, directly
  SELECT r.oid, o.rolname, 0 AS depth,
         CASE WHEN b.relrowsecurity AND NOT o.rolbypassrls AND (b.relforcerowsecurity OR NOT pg_catalog.pg_has_role(o.oid, b.relowner, 'USAGE')) THEN 'row security of ' || b.relname
              WHEN NOT pg_catalog.has_table_privilege(o.oid, b.oid, 'SELECT') THEN 'no right to read ' || b.relname
              WHEN EXISTS (SELECT 1 FROM (SELECT r.relacl AS acl UNION ALL SELECT a.attacl FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.oid AND a.attacl IS NOT NULL) l CROSS JOIN LATERAL pg_catalog.aclexplode(l.acl) g
                            WHERE g.grantee <> r.relowner AND g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE') AND NOT pg_catalog.has_table_privilege(o.oid, b.oid, g.privilege_type))
              THEN 'no right to write ' || b.relname END AS held
    FROM pg_catalog.pg_class r JOIN pg_catalog.pg_roles o ON o.oid = r.relowner AND NOT o.rolsuper
    JOIN reach d ON d.oid = r.oid
    JOIN pg_catalog.pg_class b ON b.oid = d.base AND b.relkind IN ('r', 'p', 'v', 'm', 'f')
   WHERE r.oid NOT IN (SELECT oid FROM invoking)
   UNION ALL
  -- what a materialized view's records may tell of who reads: functions that are not the server's own, and who that is
  SELECT r.oid, o.rolname, 0, 'what ' || c.calls || ' does'
    FROM below r JOIN pg_catalog.pg_roles o ON o.oid = r.relowner JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.base
   CROSS JOIN LATERAL (
     SELECT p.proname::text AS calls FROM pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_operator x ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND x.oid = d.refobjid
       JOIN pg_catalog.pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass THEN d.refobjid ELSE x.oprcode::pg_catalog.oid END JOIN pg_catalog.pg_language l ON l.oid = p.prolang
      WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid AND p.oid >= 16384::pg_catalog.oid AND NOT (l.lanname IN ('c', 'internal') AND p.provolatile = 'i' AND p.prokind <> 'a')
      UNION ALL
     SELECT 'the domain ' || t.typname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.refobjid AND t.typtype = 'd' AND t.oid >= 16384::pg_catalog.oid
      WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
      UNION ALL
     SELECT p.proname::text FROM (SELECT DISTINCT m.part[1]::pg_catalog.oid AS oid FROM pg_catalog.regexp_matches(w.ev_action::pg_catalog.text, ':funcid (\d+)', 'g') m(part)) f JOIN pg_catalog.pg_proc p ON p.oid = f.oid
      WHERE p.oid < 16384::pg_catalog.oid AND (p.provolatile = 'v' AND p.proname NOT IN ('random', 'clock_timestamp', 'timeofday', 'gen_random_uuid', 'setseed')
            OR p.proname ~ '^(has_.*_privilege|pg_has_role|row_security_active|current_user|getpgusername|session_user|current_setting|current_schemas?|.*_to_xml.*)$')
      UNION ALL
     SELECT 'current_user' WHERE w.ev_action::pg_catalog.text ~ '\{SQLVALUEFUNCTION :op (9|1[0-4]) ') c
), through AS (
  -- and whatever reads through what is held back
  SELECT oid, rolname, held, depth FROM reading WHERE held IS NOT NULL
   UNION
  SELECT n.oid, t.rolname, t.held, 1 FROM through t JOIN named n ON n.base = t.oid JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind IN ('v', 'm')
), held AS (
  SELECT DISTINCT ON (t.oid) t.oid, t.rolname, t.held FROM through t WHERE t.oid NOT IN (SELECT oid FROM invoking) ORDER BY t.oid, t.depth, t.held COLLATE pg_catalog."C", t.rolname
), restrictive AS (
  SELECT p.polname, r.top, role FROM relations r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid AND NOT p.polpermissive CROSS JOIN LATERAL pg_catalog.unnest(p.polroles) role WHERE role <> 0
), belonging AS (
  SELECT x.polname, x.top, m.member FROM restrictive x JOIN pg_catalog.pg_auth_members m ON m.roleid = x.role
   UNION
  SELECT b.polname, b.top, m.member FROM belonging b JOIN pg_catalog.pg_auth_members m ON m.roleid = b.member
), defaults AS (
  SELECT d.defaclrole, d.defaclnamespace, d.defaclacl, n.nspname,
         CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END AS objects,
         CASE d.defaclobjtype WHEN 'f' THEN 'EXECUTE' WHEN 'T' THEN 'USAGE' END AS usual
    FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
   WHERE d.defaclnamespace = 0::pg_catalog.oid OR d.defaclnamespace IN (SELECT oid FROM space)
)
SELECT r.kind, r.what, r.name, r.top, r.role, r.words, r.make, r.called FROM (
SELECT 'owner' AS kind, t.what, t.name, t.top, pg_catalog.pg_get_userbyid(t.owner)::text AS role, NULL::text AS words,
       NULL::text AS make, t.alters || ' ' || t.called AS called
  FROM things t WHERE NOT t.follows AND t.alters IS NOT NULL
UNION ALL
SELECT 'grant', g.what, g.name, g.top, CASE WHEN g.grantee <> 0::pg_catalog.oid THEN pg_catalog.pg_get_userbyid(g.grantee)::text END,
       pg_catalog.string_agg(g.privilege || CASE WHEN g.is_grantable THEN '*' ELSE '' END, E'\n' ORDER BY g.privilege),
       NULL, g.grants || ' ' || g.called
  FROM given g GROUP BY g.what, g.name, g.top, g.grants, g.called, g.grantee, g.is_grantable
UNION ALL
SELECT 'lacks', t.what, t.name, t.top, o.rolname::text, pg_catalog.string_agg(u.privilege_type, E'\n' ORDER BY u.privilege_type), NULL, t.grants || ' ' || t.called
  FROM things t JOIN pg_catalog.pg_roles o ON o.oid = t.owner AND NOT o.rolsuper
 CROSS JOIN LATERAL pg_catalog.aclexplode(pg_catalog.acldefault(CASE t.grants WHEN 'TABLE' THEN 'r' WHEN 'SEQUENCE' THEN 's' WHEN 'TYPE' THEN 'T' WHEN 'SCHEMA' THEN 'n' ELSE 'f' END::"char", t.owner)) u
 WHERE t.acl IS NOT NULL AND t.alters IS NOT NULL AND t.grants IS NOT NULL AND u.grantee = t.owner
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(t.acl) g WHERE g.grantee = t.owner AND g.privilege_type = u.privilege_type)
 GROUP BY t.what, t.name, t.top, o.rolname, t.grants, t.called
UNION ALL
SELECT 'closed', t.what, t.name, t.top, NULL, NULL, NULL, t.grants || ' ' || t.called
  FROM things t WHERE t.usual IS NOT NULL AND t.acl IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(t.acl) g WHERE g.grantee = 0::pg_catalog.oid)
UNION ALL
SELECT 'runs', f.what, f.name, NULL, o.rolname::text, CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgfoid = f.oid) THEN 'trigger' END,
       NULL, CASE f.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || f.called
  FROM functions f JOIN pg_catalog.pg_roles o ON o.oid = f.proowner WHERE f.prosecdef AND NOT o.rolsuper
UNION ALL
SELECT CASE WHEN r.relkind IN ('v', 'm') THEN 'reads' ELSE 'rewrites' END, t.what, t.name, t.top, h.rolname::text, h.held, NULL, t.alters || ' ' || t.called
  FROM held h JOIN relations r ON r.oid = h.oid JOIN things t ON t.relation = r.oid WHERE r.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT 'shut', 'schema', CASE WHEN space.lead = '' THEN '' ELSE space.nspname::text END, NULL, NULL, v.privilege, NULL, NULL
  FROM space CROSS JOIN (VALUES ('CREATE'), ('USAGE')) v(privilege)
 WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(space.nspacl) g WHERE g.grantee = 0::pg_catalog.oid AND g.privilege_type = v.privilege)
UNION ALL
SELECT 'shut', 'language', l.lanname::text, NULL, NULL, 'USAGE', NULL, NULL
  FROM pg_catalog.pg_language l WHERE l.lanpltrusted AND l.lanacl IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(l.lanacl) g WHERE g.grantee = 0::pg_catalog.oid)
UNION ALL
SELECT 'shut', 'database', d.datname::text, NULL, NULL, v.privilege, NULL, NULL
  FROM pg_catalog.pg_database d CROSS JOIN (VALUES ('CONNECT'), ('TEMPORARY')) v(privilege)
 WHERE d.datname = pg_catalog.current_database() AND d.datacl IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(d.datacl) g WHERE g.grantee = 0::pg_catalog.oid AND g.privilege_type = v.privilege)
UNION ALL
SELECT 'default', d.objects, coalesce(d.nspname::text, ''), NULL, pg_catalog.pg_get_userbyid(d.defaclrole)::text, 'closed',
       pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE %s ON %s FROM PUBLIC', pg_catalog.pg_get_userbyid(d.defaclrole), d.usual, d.objects), NULL
  FROM defaults d WHERE d.usual IS NOT NULL AND d.defaclnamespace = 0::pg_catalog.oid AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(d.defaclacl) g WHERE g.grantee = 0::pg_catalog.oid)
UNION ALL
SELECT 'default', d.objects, coalesce(d.nspname::text, ''), NULL, pg_catalog.pg_get_userbyid(d.defaclrole)::text, NULL,
       pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s GRANT %s ON %s TO %s%s', pg_catalog.pg_get_userbyid(d.defaclrole), coalesce(' IN SCHEMA ' || pg_catalog.quote_ident(d.nspname), ''),
         pg_catalog.string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type), d.objects, CASE WHEN g.grantee = 0::pg_catalog.oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
         CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), NULL
  FROM defaults d CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) g
 WHERE g.grantee <> d.defaclrole AND NOT (g.grantee = 0::pg_catalog.oid AND d.defaclnamespace = 0::pg_catalog.oid AND d.usual IS NOT NULL)
 GROUP BY d.objects, d.nspname, d.defaclrole, g.grantee, g.is_grantable
UNION ALL
SELECT 'member', 'policy', b.polname::text, b.top, pg_catalog.pg_get_userbyid(b.member)::text, NULL, NULL, NULL FROM belonging b
) r
 ORDER BY r.kind COLLATE pg_catalog."C", r.what COLLATE pg_catalog."C", r.name COLLATE pg_catalog."C", r.top COLLATE pg_catalog."C", r.role COLLATE pg_catalog."C", r.words COLLATE pg_catalog."C", r.make COLLATE pg_catalog."C"
