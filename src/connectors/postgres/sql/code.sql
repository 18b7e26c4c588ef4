-- What of the schemas calls functions that are not the server's own, and of those the ones that do more than calculate: what it is, its name, the
-- table that it goes with, its column, the functions, when a copy has them called (c: while it makes and fills tables, l: later), the number by which
-- definitions.sql leaves it out; and, as 'make', of domains and of policies the statement that makes them without it. Functions are found in the trees of expressions,
-- whatever pg_depend says: of what is built in it says nothing. Names are told as in objects.sql. $1: the schemas, each with what names of its tables
-- begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
), tables AS (
  SELECT c.oid, c.relname, c.relkind, c.relispopulated, space.lead,
         CASE WHEN c.relispartition THEN (SELECT coalesce(rs.lead, '') || r.relname FROM pg_catalog.pg_class r LEFT JOIN space rs ON rs.oid = r.relnamespace WHERE r.oid = pg_catalog.pg_partition_root(c.oid))
              ELSE space.lead || c.relname END AS top
    FROM pg_catalog.pg_class c JOIN space ON space.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relname NOT LIKE '\_transhume\_%'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
), types AS (
  SELECT t.*, space.lead || pg_catalog.quote_ident(t.typname) AS name, space.place || pg_catalog.quote_ident(t.typname) AS called, space.place
    FROM pg_catalog.pg_type t JOIN space ON space.oid = t.typnamespace
   WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')
), trees AS (
  SELECT 'index' AS what, x.relname::text AS name, t.top AS of, NULL::text AS attribute, pg_catalog.concat(i.indexprs::text, i.indpred::text) AS tree, 'c' AS moment, 'i' || i.indexrelid::text AS number
    FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
   UNION ALL
  SELECT 'check', k.conname, t.top, NULL, k.conbin::text, 'c', 'k' || k.oid::text FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'
   UNION ALL
  SELECT CASE WHEN a.attgenerated <> '' THEN 'generated column' WHEN t.relkind = 'v' THEN 'default of a view' ELSE 'default' END, a.attname, t.top, a.attname, d.adbin::text, CASE WHEN t.relkind = 'v' OR a.attgenerated = '' THEN 'l' ELSE 'c' END, 'd' || d.oid::text
    FROM tables t JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.oid JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
   UNION ALL
  SELECT 'domain', t.name, NULL, NULL, k.conbin::text, 'c', 'k' || k.oid::text FROM types t JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid AND k.contype = 'c'
   UNION ALL
  SELECT 'domain', t.name, NULL, NULL, t.typdefaultbin::text, 'l', 't' || t.oid::text FROM types t WHERE t.typtype = 'd' AND t.typdefaultbin IS NOT NULL
   UNION ALL
  SELECT CASE t.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, t.lead || pg_catalog.quote_ident(t.relname), NULL, NULL, r.ev_action::text, CASE WHEN t.relkind = 'm' AND t.relispopulated THEN 'c' ELSE 'l' END, NULL
    FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE t.relkind IN ('v', 'm') AND r.rulename = '_RETURN'
   UNION ALL
  SELECT 'rule', r.rulename, t.top, NULL, pg_catalog.concat(r.ev_qual::text, r.ev_action::text), 'l', NULL FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.rulename <> '_RETURN'
   UNION ALL
  SELECT 'trigger', g.tgname, t.top, NULL, pg_catalog.concat(':funcid ', g.tgfoid, ' ', g.tgqual::text), 'l', NULL FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
   WHERE NOT g.tgisinternal AND g.tgname NOT LIKE '\_transhume\_%' AND coalesce((pg_catalog.to_jsonb(g)->>'tgparentid')::pg_catalog.oid, 0) = 0
   UNION ALL
  SELECT 'policy', p.polname, t.top, NULL, pg_catalog.concat(p.polqual::text, p.polwithcheck::text), 'l', NULL FROM tables t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
   UNION ALL
  SELECT 'statistics', s.stxname, CASE WHEN t.relkind <> 'm' THEN t.top END, NULL, pg_catalog.to_jsonb(s)->>'stxexprs', 'c', NULL FROM tables t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
   UNION ALL
  SELECT 'partition key', t.relname, t.top, NULL, p.partexprs::text, 'c', NULL FROM tables t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.oid
   UNION ALL
  SELECT 'range', t.name, NULL, NULL, ':funcid ' || r.rngsubdiff::pg_catalog.oid::text, 'c', NULL FROM types t JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid WHERE r.rngsubdiff <> 0
), calls AS (
  SELECT t.what, t.name, t.of, t.attribute, t.moment, t.number,
         pg_catalog.string_agg(DISTINCT pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), ', ') AS functions
    FROM trees t CROSS JOIN LATERAL pg_catalog.regexp_matches(t.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') m
    JOIN pg_catalog.pg_proc p ON p.oid = m[1]::pg_catalog.oid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE p.oid >= 16384 -- the first number of what is not built in
      OR p.proname ~ '_to_xml' -- reads what it is told to
      OR (p.provolatile = 'v' AND p.prokind = 'f' AND p.proname NOT IN ('clock_timestamp', 'currval', 'gen_random_uuid', 'lastval', 'nextval', 'random', 'random_normal', 'setseed', 'timeofday', 'uuidv4', 'uuidv7'))
   GROUP BY t.what, t.name, t.of, t.attribute, t.moment, t.number
)
SELECT what, name, of, attribute, functions, moment, number FROM calls
UNION ALL
SELECT 'make', t.name, NULL, NULL,
       pg_catalog.format('CREATE DOMAIN %s AS %s%s%s%s%s', t.called, pg_catalog.format_type(t.typbasetype, t.typtypmod),
         CASE WHEN t.typcollation <> b.typcollation THEN (SELECT ' COLLATE ' || coalesce((SELECT sp.place FROM space sp WHERE sp.oid = n.oid), pg_catalog.quote_ident(n.nspname) || '.') || pg_catalog.quote_ident(l.collname)
                FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = t.typcollation) ELSE '' END,
         CASE WHEN NOT EXISTS (SELECT 1 FROM calls c WHERE c.number = 't' || t.oid::text) THEN coalesce(' DEFAULT ' || t.typdefault, '') ELSE '' END, CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END,
         coalesce((SELECT pg_catalog.string_agg(pg_catalog.format(' CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid, true)), '' ORDER BY k.conname)
                     FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.number = 'k' || k.oid::text)), '')), NULL, NULL
  FROM types t JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd' AND EXISTS (SELECT 1 FROM calls c WHERE c.what = 'domain' AND c.name = t.name)
UNION ALL
-- a policy that only takes away can't be left out: it takes all
SELECT 'make', p.polname, t.top, NULL,
       pg_catalog.format('CREATE POLICY %I ON %s%I AS RESTRICTIVE FOR %s TO %s%s%s', p.polname, space.place, t.relname,
         CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
         (SELECT pg_catalog.string_agg(CASE WHEN role = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) END, ', ') FROM pg_catalog.unnest(p.polroles) role),
         CASE WHEN p.polqual IS NOT NULL THEN ' USING (false)' ELSE '' END, CASE WHEN p.polwithcheck IS NOT NULL THEN ' WITH CHECK (false)' ELSE '' END), NULL, NULL
  FROM tables t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN space ON space.oid = c.relnamespace
 WHERE NOT p.polpermissive AND EXISTS (SELECT 1 FROM calls c WHERE c.what = 'policy' AND c.name = p.polname AND c.of = t.top)
 ORDER BY 6, 1, 3, 2
