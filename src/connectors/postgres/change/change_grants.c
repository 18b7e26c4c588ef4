/*
 * Privileges of what a change makes in place of something else. They are read when the statement is
 * run; where the catalogue says NULL they are those that the owner has by default.
 */
#include "connectors/postgres/change/change.h"
#include <string.h>

/* A loop's query: who, what, whether it may be given on, by aclexplode of that list. */
static void append_rights(const char *list, const char *from, const char *where, struct buffer *sql)
{
    buffer_format(
        sql,
        "SELECT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC' ELSE "
        "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS who, "
        "a.privilege_type AS what, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' "
        "ELSE '' END AS further%s CROSS JOIN LATERAL pg_catalog.aclexplode(%s) a WHERE %s",
        from, list, where);
}

void change_append_grants(const char *from, const char *to, const char *columns, struct buffer *sql)
{
    struct buffer where = {0};
    buffer_append_string(sql, "DO $transhume$ DECLARE g record; BEGIN FOR g IN ");
    postgres_append(
        &where,
        "c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%q) AND pg_catalog.pg_get_userbyid(a.grantee) "
        "<> current_user AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', "
        "'DELETE')",
        from);
    append_rights("coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))",
                  " FROM pg_catalog.pg_class c", buffer_string(&where), sql);
    postgres_append(sql,
                    " LOOP EXECUTE pg_catalog.format('GRANT %%s ON %%s TO %%s%%s', g.what, %q, "
                    "g.who, g.further); END LOOP; FOR g IN ",
                    to);
    buffer_clear(&where);
    postgres_append(&where,
                    "t.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%q) AND t.attacl IS "
                    "NOT NULL%s",
                    from, columns != NULL ? " AND n.here IS NOT NULL" : "");
    struct buffer source = {0};
    if (columns != NULL) {
        buffer_format(&source,
                      ", n.here AS column FROM pg_catalog.pg_attribute t JOIN (VALUES %s) AS "
                      "n(there, here) ON n.there = t.attname::text",
                      columns);
    } else {
        buffer_append_string(&source, ", t.attname AS column FROM pg_catalog.pg_attribute t");
    }
    append_rights("t.attacl", buffer_string(&source), buffer_string(&where), sql);
    postgres_append(sql,
                    " LOOP EXECUTE pg_catalog.format('GRANT %%s (%%I) ON %%s TO %%s%%s', g.what, "
                    "g.column, %q, g.who, g.further); END LOOP; END $transhume$",
                    to);
    buffer_free(&where);
    buffer_free(&source);
}

void change_append_column_grants(const char *place, const char *from, const char *to,
                                 struct buffer *sql)
{
    struct buffer where = {0};
    postgres_append(
        &where, "t.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(%q) AND t.attname = %q",
        place, from);
    buffer_append_string(sql, "DO $transhume$ DECLARE g record; BEGIN FOR g IN ");
    append_rights("t.attacl", " FROM pg_catalog.pg_attribute t", buffer_string(&where), sql);
    postgres_append(sql,
                    " LOOP EXECUTE pg_catalog.format('GRANT %%s (%%I) ON %%s TO %%s%%s', g.what, "
                    "%q, %q, g.who, g.further); END LOOP; END $transhume$",
                    to, place);
    buffer_free(&where);
}

void change_append_usage(const char *from, const char *to, struct buffer *sql)
{
    struct buffer where = {0};
    postgres_append(&where,
                    "n.nspname = %q AND a.privilege_type = 'USAGE' AND "
                    "pg_catalog.pg_get_userbyid(a.grantee) <> current_user",
                    from);
    buffer_append_string(sql, "DO $transhume$ DECLARE g record; BEGIN FOR g IN ");
    append_rights("coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))",
                  " FROM pg_catalog.pg_namespace n", buffer_string(&where), sql);
    postgres_append(sql,
                    " LOOP EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %%I TO %%s%%s', %q, "
                    "g.who, g.further); END LOOP; END $transhume$",
                    to);
    buffer_free(&where);
}
