-- What a role lacks to apply changes to these tables, and to set their sequences at the end, and the statements that help. Behind
-- "WITH asked(place, schema, name, before) AS (VALUES …) ".
, found AS (
  SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM asked a JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
), missing AS (
  SELECT f.name, pg_catalog.string_agg(p.p, ', ' ORDER BY p.place) AS rights
    FROM found f CROSS JOIN (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE')) p(place, p)
   WHERE NOT pg_catalog.has_table_privilege(f.oid, p.p) GROUP BY f.name
)
SELECT pg_catalog.format('the role %s has no %s on %s', current_user, m.rights, m.name),
       pg_catalog.format('GRANT %s ON %s TO %I', m.rights, m.name, current_user)
  FROM missing m
 UNION ALL
SELECT pg_catalog.format('the role %s may not set the sequence %I.%I behind what %s holds', current_user, n.nspname, s.relname, f.name),
       pg_catalog.format('GRANT SELECT, UPDATE ON SEQUENCE %I.%I TO %I', n.nspname, s.relname, current_user)
  FROM found f
  JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
   AND d.refobjid = f.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
 WHERE NOT pg_catalog.has_sequence_privilege(s.oid, 'UPDATE') OR NOT pg_catalog.has_sequence_privilege(s.oid, 'SELECT')
