-- What is granted beyond the default, and what of the default is not.
, holder AS (
  SELECT c.id, pg_catalog.format('%s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.nspname, c.relname) AS object, c.relowner AS owner, c.relacl AS acl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner) AS usual, c.nspname, NULL::name AS attribute
    FROM relation c WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relacl IS NOT NULL
  UNION ALL
  SELECT '1259:' || c.oid || ':' || a.attnum, pg_catalog.format('TABLE %I.%I', c.nspname, c.relname), c.relowner, a.attacl, NULL::pg_catalog.aclitem[], c.nspname, a.attname
    FROM relation c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped WHERE a.attacl IS NOT NULL
  UNION ALL
  SELECT p.id, pg_catalog.format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), p.proowner, p.proacl, pg_catalog.acldefault('f', p.proowner), p.nspname, NULL
    FROM routine p WHERE p.proacl IS NOT NULL
  UNION ALL
  SELECT t.id, pg_catalog.format('TYPE %I.%I', t.nspname, t.typname), t.typowner, t.typacl, pg_catalog.acldefault('T', t.typowner), t.nspname, NULL FROM named_type t WHERE t.typacl IS NOT NULL
  UNION ALL
  SELECT '2615:' || n.oid || ':0', pg_catalog.format('SCHEMA %I', n.nspname), n.nspowner, n.nspacl,
         CASE WHEN n.nspname = 'public' THEN pg_catalog.acldefault('n', n.nspowner) || pg_catalog.makeaclitem(0, n.nspowner, 'USAGE', false) ELSE pg_catalog.acldefault('n', n.nspowner) END, n.nspname, NULL
    FROM space s JOIN pg_catalog.pg_namespace n ON n.oid = s.oid WHERE n.nspacl IS NOT NULL
), given AS (
  SELECT h.id, h.object, h.nspname, h.attribute, g.grantee, g.privilege_type, g.is_grantable FROM holder h CROSS JOIN LATERAL pg_catalog.aclexplode(h.acl) g WHERE g.grantee <> h.owner
), usual AS (
  SELECT h.id, h.object, h.nspname, h.attribute, g.grantee, g.privilege_type, g.is_grantable FROM holder h CROSS JOIN LATERAL pg_catalog.aclexplode(h.usual) g WHERE g.grantee <> h.owner
), told AS (
  SELECT 'grant' AS kind, * FROM (SELECT * FROM given EXCEPT SELECT * FROM usual) g
  UNION ALL
  SELECT 'revocation', * FROM (SELECT * FROM usual EXCEPT SELECT * FROM given) g
)
SELECT NULL AS id, t.kind, t.nspname AS schema, NULL AS "table",
       t.privilege_type || CASE WHEN t.attribute IS NOT NULL THEN pg_catalog.format(' (%I)', t.attribute) ELSE '' END || ' ON ' || t.object || ' TO ' || CASE WHEN t.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(t.grantee)) END AS name,
       t.id AS owner, CASE WHEN t.is_grantable THEN 'yes' END AS grantable
  FROM told t ORDER BY 2, 3, 5
