-- What a role lacks to stop the writers of these tables and to let them in again, and the statements that help. Behind
-- "WITH asked(place, schema, name, before) AS (VALUES …) ", behind which `$1` is the schema of the fence's function.
, tree AS (
  SELECT c.oid, c.relowner, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM asked a JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
)
SELECT pg_catalog.format('the role %s may not make triggers on %s: it does not own %s', current_user,
                         pg_catalog.string_agg(t.name, ', ' ORDER BY t.name), CASE pg_catalog.count(*) WHEN 1 THEN 'it' ELSE 'them' END),
       pg_catalog.string_agg(pg_catalog.format('GRANT %I TO %I', pg_catalog.pg_get_userbyid(t.relowner), current_user), '; ')
  FROM (SELECT DISTINCT ON (t.name) t.name, t.relowner FROM tree t WHERE NOT pg_catalog.pg_has_role(t.relowner, 'USAGE')) t
HAVING pg_catalog.count(*) > 0
 UNION ALL
SELECT pg_catalog.format('the role %s may not make the function of the triggers: it has no CREATE on the schema %s', current_user, n.nspname),
       pg_catalog.format('GRANT CREATE ON SCHEMA %I TO %I', n.nspname, current_user)
  FROM pg_catalog.pg_namespace n WHERE n.nspname = $1::pg_catalog.name AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
 UNION ALL
SELECT pg_catalog.format('the role %s may not use the language plpgsql', current_user),
       pg_catalog.format('GRANT USAGE ON LANGUAGE plpgsql TO %I', current_user)
  FROM pg_catalog.pg_language l WHERE l.lanname = 'plpgsql' AND NOT pg_catalog.has_language_privilege(l.oid, 'USAGE')
 UNION ALL
SELECT pg_catalog.format('sessions of %s are read-only there, so that nothing can be made that stops the writers', current_user),
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'it is a standby: name commands that do it, --fence COMMAND --unfence COMMAND'
            ELSE 'set default_transaction_read_only back, or name commands that do it, --fence COMMAND --unfence COMMAND' END
 WHERE pg_catalog.current_setting('transaction_read_only') = 'on'
