-- What an account ($1) needs to read these tables, with their sequences ($2), and with $3 to follow them and to stop their writers ($4 is
-- the schema of the fence's function): the use, as enum rights_use, and the statement. Behind
-- "WITH asked(place, schema, name, overwritten, referred) AS (VALUES …) ".
, found AS (
  SELECT a.place, n.nspname, n.oid AS space, c.oid, c.relrowsecurity, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
         pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM asked a JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
), spaces AS (
  SELECT f.nspname, f.space, pg_catalog.string_agg(f.name, ', ' ORDER BY f.place) AS names, pg_catalog.count(*) AS asked,
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
           WHERE c.relnamespace = f.space AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition) AS there
    FROM found f GROUP BY f.nspname, f.space
), owners AS (
  SELECT DISTINCT f.owner, r.rolsuper FROM found f JOIN pg_catalog.pg_roles r ON r.rolname = f.owner WHERE f.owner <> $1::pg_catalog.name
)
SELECT s.use, s.text FROM (
  SELECT 0 AS use, -1 AS place, pg_catalog.format('CREATE ROLE %I LOGIN; -- it is not there', $1::pg_catalog.text) AS text
   WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = $1::pg_catalog.name)
   UNION ALL
  SELECT 0 AS use, 0 AS place, pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I;', pg_catalog.current_database(), $1::pg_catalog.text) AS text
   UNION ALL
  SELECT 0, 1, pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I;', s.nspname, $1) FROM spaces s
   UNION ALL
  SELECT 0, 2, CASE WHEN s.asked = s.there THEN pg_catalog.format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I;', s.nspname, $1)
                    ELSE pg_catalog.format('GRANT SELECT ON %s TO %I;', s.names, $1) END FROM spaces s
   UNION ALL
  SELECT 0, 3, pg_catalog.format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I;', s.nspname, $1) FROM spaces s
   WHERE $2::pg_catalog.bool AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = s.space AND c.relkind = 'S')
   UNION ALL
  SELECT 0, 4, pg_catalog.format('ALTER ROLE %I BYPASSRLS;', $1) WHERE EXISTS (SELECT 1 FROM found f WHERE f.relrowsecurity)
   UNION ALL
  SELECT 2, 0, pg_catalog.format('ALTER ROLE %I REPLICATION;', $1) WHERE $3::pg_catalog.bool
   UNION ALL
  SELECT 2, 1, pg_catalog.format('GRANT CREATE ON DATABASE %I TO %I;', pg_catalog.current_database(), $1) WHERE $3::pg_catalog.bool
   UNION ALL
  SELECT 2, 2, pg_catalog.format('GRANT %I TO %I;%s', o.owner, $1,
                                 CASE WHEN o.rolsuper THEN ' -- a superuser: rather give the tables to another owner first' ELSE '' END)
    FROM owners o WHERE $3::pg_catalog.bool
   UNION ALL
  SELECT 3, 0, pg_catalog.format('GRANT CREATE ON SCHEMA %I TO %I;', n.nspname, $1) FROM pg_catalog.pg_namespace n
   WHERE $3::pg_catalog.bool AND n.nspname = $4::pg_catalog.name
) s ORDER BY s.use, s.place, s.text
