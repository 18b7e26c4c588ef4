"""Traps of a role that may make things in a PostgreSQL database's schemas: operators and functions whose arguments fit
better than those of
pg_catalog, which the server takes where it finds them on the search_path (CVE-2018-1058). Each answers as the server's
own would, and notes in
the server's log that somebody else ran it.

    traps.plant(server, DATABASE, ("public", "sales"))
    traps.fired(server)     what ran since the last look, sorted: "public.=(oid,regclass) by postgres"
"""
import os
import re

ROLE = "lowly"

TYPES = ("oid", "regclass", "regtype", "regproc", "regnamespace", "name", "text", "varchar", "bpchar", '"char"', "int2",
         "int4", "int8", "numeric", "float8", "bool", "xid", "interval", "timestamptz", "bytea",
         "oidvector", "int2vector", "int2[]", "int4[]", "oid[]", "text[]", "name[]", "varchar[]")

# Those whose mixtures the catalogue's statements are the likeliest to have.
FEW_TYPES = ("oid", "regclass", "name", "text", "varchar", '"char"', "int2", "int4", "int8", "bool", "int2vector",
             "oid[]", "text[]")

SECOND_TYPES = ("oid", "name", "text", "int4")

OPERATORS = ("=", "<>", "<", ">", "<=", ">=", "||", "+", "-", "*", "/", "%", "&", "~", "!~", "~~", "!~~", "@>", "<@",
             "&&", "->", "->>")

# What a statement of ours may call.
FUNCTIONS = ("abs", "array_agg", "array_to_string", "concat", "concat_ws", "count", "current_setting", "encode",
             "format", "has_any_column_privilege", "has_database_privilege",
             "has_schema_privilege", "has_sequence_privilege", "has_table_privilege", "left", "length", "lower", "max",
             "md5", "min", "mod", "octet_length", "pg_has_role",
             "quote_ident", "quote_literal", "replace", "right", "round", "starts_with", "string_agg", "strpos",
             "substr", "sum", "to_regclass", "trunc", "upper")

_ROLE = ("DO $role$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'lowly') THEN CREATE ROLE lowly LOGIN; "
         "END IF; END $role$;")

# What makes a trap, which notes who else ran it, and answers as the server's own would.
_PLANT = r"""
CREATE OR REPLACE FUNCTION pg_temp.of_operator(space text, operator text, l text, r text) RETURNS void LANGUAGE plpgsql AS $plant$
DECLARE result text; name text := '_trap_' || pg_catalog.md5(operator || l || ',' || r);
BEGIN
  IF EXISTS (SELECT 1 FROM pg_operator WHERE oprname = operator AND oprnamespace = 'pg_catalog'::regnamespace
                AND oprleft = l::regtype AND oprright = r::regtype) THEN RETURN; END IF;
  BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.pg_typeof(NULL::%s OPERATOR(pg_catalog.%s) NULL::%s)', l, operator, r) INTO result;
  EXCEPTION WHEN OTHERS THEN RETURN; END;
  EXECUTE pg_catalog.format($f$CREATE FUNCTION %I.%I(a %s, b %s) RETURNS %s LANGUAGE plpgsql AS $body$
    DECLARE r %s; BEGIN IF current_user OPERATOR(pg_catalog.<>) 'lowly'::pg_catalog.name THEN RAISE LOG 'TRAP %s.%s(%s,%s) by %%', current_user; END IF;
    EXECUTE 'SELECT $1 OPERATOR(pg_catalog.%s) $2' INTO r USING a, b; RETURN r; END $body$$f$, space, name, l, r, result, result, space, pg_catalog.replace(operator, '%', '%%'), l, r, operator);
  EXECUTE pg_catalog.format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I.%I)', space, operator, l, r, space, name);
END $plant$;
CREATE OR REPLACE FUNCTION pg_temp.of_function(space text, name text, arguments text[]) RETURNS void LANGUAGE plpgsql AS $plant$
DECLARE result text; call text; list text := pg_catalog.array_to_string(arguments, ',');
BEGIN
  IF EXISTS (SELECT 1 FROM pg_proc WHERE proname = name AND pronamespace = 'pg_catalog'::regnamespace AND proargtypes::oid[] = arguments::regtype[]::oid[]) THEN RETURN; END IF;
  call := (SELECT pg_catalog.string_agg('$' || n, ', ' ORDER BY n) FROM pg_catalog.generate_subscripts(arguments, 1) n);
  BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.pg_typeof(pg_catalog.%I(%s))', name, (SELECT pg_catalog.string_agg('NULL::' || t, ', ') FROM pg_catalog.unnest(arguments) t)) INTO result;
  EXCEPTION WHEN OTHERS THEN RETURN; END;
  EXECUTE pg_catalog.format($f$CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS $body$
    DECLARE r %s; BEGIN IF current_user OPERATOR(pg_catalog.<>) 'lowly'::pg_catalog.name THEN RAISE LOG 'TRAP %s.%s(%s) by %%', current_user; END IF;
    EXECUTE 'SELECT pg_catalog.%I(%s)' INTO r USING %s; RETURN r; END $body$$f$, space, name, list, result, result, space, name, list, name, call, call);
END $plant$;
"""

# In many transactions: what one has made is looked through again after each statement.
_LOOP = """
DO $plant$ DECLARE l text; BEGIN FOREACH l IN ARRAY {1} LOOP
  PERFORM pg_temp.of_operator('{0}', o, l, r) FROM pg_catalog.unnest({3}) o, pg_catalog.unnest({1}) r;
  COMMIT;
  PERFORM pg_temp.of_function('{0}', f, ARRAY[l]) FROM pg_catalog.unnest({4}) f WHERE EXISTS (SELECT 1 FROM pg_proc WHERE proname = f AND (pronargs = 1 OR provariadic <> 0));
  PERFORM pg_temp.of_function('{0}', f, ARRAY[l, r]) FROM pg_catalog.unnest({4}) f, pg_catalog.unnest({2}) r
    WHERE EXISTS (SELECT 1 FROM pg_proc WHERE proname = f AND (pronargs = 2 OR provariadic <> 0));
  COMMIT;
END LOOP; END $plant$;
"""


def plant(server, database, spaces=("public",), types=(), few=False):
    """
    `types`: those of the database itself, by their schemas: the operators of any enum, array or record are trapped for
    them as well. `few`: of the server's own types some, in a quarter of the time.
    """
    sql = ["SET client_min_messages = error; SET check_function_bodies = off; " + _ROLE,
           "GRANT TEMP ON DATABASE \"%s\" TO %s;" % (database, ROLE)]
    sql += ["GRANT USAGE, CREATE ON SCHEMA %s TO %s;" % (space, ROLE) for space in spaces]
    server.psql(database, "\n".join(sql))
    lists = ["ARRAY[%s]::text[]" % ", ".join("'%s'" % name for name in names)
             for names in ((FEW_TYPES if few else TYPES) + tuple(types), SECOND_TYPES, OPERATORS, FUNCTIONS)]
    for space in spaces:   # each in a session of its own, which has a time limit
        server.psql(database, "SET client_min_messages = error; SET check_function_bodies = off; SET ROLE %s; %s %s"
                    % (ROLE, _PLANT, _LOOP.format(space, *lists)))
        lists[2:] = ["ARRAY['=', '<>', '<', '||']", "ARRAY[]::text[]"]   # of further schemas


def count(server, database):
    return [int(server.psql(database, "SELECT count(*) FROM %s WHERE %s = 'lowly'::regrole" % pair)[0][0])
            for pair in (("pg_operator", "oprowner"), ("pg_proc", "proowner"))]


_seen = {}


def fired(server):
    """What ran since the last call for this server."""
    begin = _seen.get(server.folder, 0)
    with open(log_path(server), "rb") as file:
        file.seek(begin)
        text = file.read()
    _seen[server.folder] = begin + len(text)
    return sorted(set(re.findall(r"LOG:  TRAP (.* by \w+)$", text.decode(errors="replace"), re.MULTILINE)))


def log_path(server):
    for name in ("log", "server.log"):
        path = os.path.join(server.folder, name)
        if os.path.exists(path):
            return path
    raise AssertionError("the server's log: %r" % os.listdir(server.folder))
