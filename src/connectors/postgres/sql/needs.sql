-- What tables and types stand on that a copy of their schemas does not make, since it is another schema's or an
-- extension's: is it a type that stands on it, its name (of a partition the topmost table's), and what it is, its schema,
-- name and extension; and the roles that policies name, where the schema's place has the policy's name. Foreign keys are
-- left out. $1: the schemas, each with what names of its tables begin with: '{{public,""},{sales,sales.}}'.
WITH space AS (
  SELECT n.oid, n.nspname, s.list[i][2] AS lead, CASE WHEN s.list[i][2] = '' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS place
    FROM (SELECT $1::text[] AS list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]
),
extended AS (
  SELECT d.classid, d.objid, e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
), tables AS (
  SELECT c.oid, c.relkind = 'c' AS is_type, CASE WHEN c.relispartition THEN (SELECT coalesce(rs.lead, '') || r.relname FROM pg_catalog.pg_class r LEFT JOIN space rs ON rs.oid = r.relnamespace WHERE r.oid = pg_catalog.pg_partition_root(c.oid)) ELSE space.lead || c.relname END AS name
    FROM pg_catalog.pg_class c, space
   WHERE c.relnamespace = space.oid AND c.relkind IN ('r', 'p', 'c') AND c.relname NOT LIKE '\_transhume\_%'
     AND NOT EXISTS (SELECT 1 FROM extended x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid)
), types AS (
  SELECT t.oid, true, space.lead || t.typname AS typname FROM pg_catalog.pg_type t, space
   WHERE t.typnamespace = space.oid AND t.typtype IN ('d', 'r')
     AND NOT EXISTS (SELECT 1 FROM extended x WHERE x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.objid = t.oid)
), users AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS class, t.oid, t.is_type, t.name FROM tables t
   UNION ALL
  SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, d.oid, t.is_type, t.name FROM tables t JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.oid
   UNION ALL
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, t.is_type, t.name FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'
   UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.* FROM types t
   UNION ALL
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, true, t.typname FROM types t JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid
), things AS (
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass AS class, t.oid AS listed, e.oid, e.typnamespace AS space, e.typname AS name, 'type' AS what
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
   UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.oid, p.pronamespace, p.proname, 'function' FROM pg_catalog.pg_proc p
   UNION ALL
  SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, l.oid, l.oid, l.collnamespace, l.collname, 'collation' FROM pg_catalog.pg_collation l
   UNION ALL
  SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oid, o.oprnamespace, o.oprname, 'operator' FROM pg_catalog.pg_operator o
   UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.oid, c.relnamespace, c.relname, 'sequence' FROM pg_catalog.pg_class c WHERE c.relkind = 'S'
)
SELECT DISTINCT u.is_type, u.name, t.what, n.nspname, t.name, x.extname
  FROM users u
  JOIN pg_catalog.pg_depend d ON d.classid = u.class AND d.objid = u.oid AND d.deptype IN ('n', 'a')
  JOIN things t ON t.class = d.refclassid AND t.listed = d.refobjid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.space
  LEFT JOIN extended x ON x.classid = t.class AND x.objid = t.oid
 WHERE t.oid >= 16384 -- the first number of what is not built in
   AND (n.oid NOT IN (SELECT oid FROM space) OR x.extname IS NOT NULL)
 UNION
SELECT t.is_type, t.name, 'role', p.polname, pg_catalog.pg_get_userbyid(role), NULL
  FROM tables t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid, pg_catalog.unnest(p.polroles) role WHERE role <> 0
 ORDER BY 4, 5, 3, 1, 2
