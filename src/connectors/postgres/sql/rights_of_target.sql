-- What an account ($1) needs to make and fill these tables, in the schema $2, with the ledger there or in $5, with $6 objects beside them; with $3 to apply changes to
-- them, with $4 to drop and make indexes and triggers of those that are there: the use, as enum rights_use, and the statement. Behind
-- "WITH asked(place, schema, name, overwritten, referred) AS (VALUES …) ".
, found AS (
  SELECT a.place, a.overwritten, a.referred, c.oid, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
         pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
         EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid) AS answers
    FROM asked a JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
   WHERE pg_catalog.pg_get_userbyid(c.relowner) <> $1::pg_catalog.name
), spaces AS (
  SELECT a.schema AS name FROM asked a UNION SELECT $2::pg_catalog.name UNION SELECT $5::pg_catalog.name WHERE $5 IS NOT NULL
), places AS (
  SELECT s.name, n.oid IS NOT NULL AS there FROM spaces s LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.name
)
SELECT s.use, s.text FROM (
  SELECT 0 AS use, -1 AS place, pg_catalog.format('CREATE ROLE %I LOGIN; -- it is not there', $1::pg_catalog.text) AS text
   WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = $1::pg_catalog.name)
   UNION ALL
  SELECT 0 AS use, 0 AS place, pg_catalog.format('GRANT CONNECT, TEMPORARY%s ON DATABASE %I TO %I;',
                                                 CASE WHEN EXISTS (SELECT 1 FROM places p WHERE NOT p.there AND p.name IS DISTINCT FROM $5::pg_catalog.name) THEN ', CREATE' ELSE '' END,
                                                 pg_catalog.current_database(), $1::pg_catalog.text) AS text
   UNION ALL
  SELECT 0, 1, pg_catalog.format('GRANT USAGE%s ON SCHEMA %I TO %I;',
                                 CASE WHEN $5 IS NULL OR p.name = $5 OR $6::pg_catalog.bool OR EXISTS (
                                   SELECT 1 FROM asked a WHERE a.schema = p.name AND NOT EXISTS (
                                     SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                                      WHERE n.nspname = a.schema AND c.relname = a.name)) THEN ', CREATE' ELSE '' END, p.name, $1) FROM places p WHERE p.there
   UNION ALL
  SELECT 0, 1, pg_catalog.format('CREATE SCHEMA %I AUTHORIZATION %I;', p.name, $1) FROM places p WHERE NOT p.there AND p.name = $5::pg_catalog.name
   UNION ALL
  SELECT 0, 2, pg_catalog.format('GRANT SELECT, INSERT%s%s ON %s TO %I;', CASE WHEN f.overwritten THEN ', UPDATE' ELSE '' END,
                                 CASE WHEN f.referred THEN ', REFERENCES' ELSE '' END, f.name, $1) FROM found f
   UNION ALL
  SELECT 0, 3, pg_catalog.format('GRANT %I TO %I;', f.owner, $1) FROM found f WHERE $4::pg_catalog.bool
   UNION ALL
  SELECT 1, 0, pg_catalog.format('GRANT DELETE ON %s TO %I;', f.name, $1) FROM found f
   UNION ALL
  SELECT 2, 0, pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I;', f.name, $1) FROM found f WHERE $3::pg_catalog.bool
   UNION ALL
  SELECT 2, 1, CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000
                    THEN pg_catalog.format('GRANT SET ON PARAMETER session_replication_role TO %I;', $1)
                    ELSE pg_catalog.format('GRANT %I TO %I;', f.owner, $1) END
    FROM found f WHERE $3::pg_catalog.bool AND f.answers
   UNION ALL
  SELECT 3, 0, pg_catalog.format('GRANT SELECT, UPDATE ON SEQUENCE %I.%I TO %I;', n.nspname, s.relname, $1)
    FROM found f
    JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
     AND d.refobjid = f.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
   WHERE $3::pg_catalog.bool
) s ORDER BY s.use, s.place, s.text
