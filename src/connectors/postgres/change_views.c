/*
 * The schema of views in which applications of the new version look: each table as it will be. A
 * session chooses it by its search_path. Views take part of the privileges of their tables, and
 * read and write as whoever asks (security_invoker, PostgreSQL 15 and later).
 */
#include "connectors/postgres/change.h"
#include <string.h>

enum { VERSION_INVOKER = 150000 };

static const char *view_options(const struct compiler *compiler)
{
    return compiler->session->database->server_version >= VERSION_INVOKER
               ? " WITH (security_invoker = true)"
               : "";
}

static void append_columns(const struct altered_table *table, struct buffer *sql)
{
    const char *comma = "";
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (column->hidden) {
            continue;
        }
        postgres_append(sql, "%s%n", comma, column->carrier);
        if (strcmp(column->carrier, column->name) != 0) {
            postgres_append(sql, " AS %n", column->name);
        }
        comma = ", ";
    }
}

/* A default of the new version that the table gets at the end only. NULL as such would not be kept.
 */
static void append_defaults(const struct altered_table *table, const char *view, struct buffer *sql)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->view_default || column->hidden) {
            continue;
        }
        if (column->default_sql != NULL) {
            postgres_append(sql, "; ALTER VIEW %s ALTER COLUMN %n SET DEFAULT %s", view,
                            column->name, column->default_sql);
        } else {
            postgres_append(sql,
                            "; ALTER VIEW %s ALTER COLUMN %n SET DEFAULT CAST(nullif('', '') AS "
                            "%s)",
                            view, column->name, column->type);
        }
    }
}

/* As a block of PL/pgSQL: the table's privileges, for its view. */
static void append_grants(const char *table, const char *view, struct buffer *sql)
{
    postgres_append(
        sql,
        "DO $transhume$ DECLARE g record; BEGIN FOR g IN SELECT CASE WHEN a.grantee = 0 THEN "
        "'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS who, "
        "a.privilege_type AS what FROM pg_catalog.pg_class c CROSS JOIN LATERAL "
        "pg_catalog.aclexplode(c.relacl) a WHERE c.oid = pg_catalog.to_regclass(%q) AND a.grantee "
        "<> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP "
        "EXECUTE pg_catalog.format('GRANT %%s ON %%s TO %%s', g.what, %q, g.who); END LOOP; END "
        "$transhume$",
        table, view);
}

static void add_view(struct compiler *compiler, const struct altered_table *table)
{
    const char *view = change_sql(compiler, "%n.%n", compiler->new_schema, table->name);
    const struct altered_table *seen = table->replacement != NULL ? table->replacement : table;
    const char *place = change_sql(compiler, "%n.%n", compiler->schema, seen->old);
    struct buffer sql = {0};
    postgres_append(&sql, "CREATE VIEW %s%s AS SELECT ", view, view_options(compiler));
    append_columns(seen, &sql);
    postgres_append(&sql, " FROM %s", place);
    append_defaults(seen, view, &sql);
    struct change_step *step = change_statement(
        compiler, CHANGE_OPEN, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "view of %s", table->name), change_text_of(compiler, &sql),
        change_sql(compiler, "DROP VIEW IF EXISTS %s", view));
    step->joined = true;
    append_grants(place, view, &sql);
    step = change_statement(compiler, CHANGE_OPEN, ALTER_LOCK_NONE,
                            arena_format(compiler->arena, "privileges of %s", table->name),
                            change_text_of(compiler, &sql), NULL);
    step->joined = true;
}

/* All tables that the change does not touch, those that others made meanwhile included. */
static void add_other_views(struct compiler *compiler)
{
    struct buffer known = {0};
    struct buffer sql = {0};
    buffer_append_string(&known, "ARRAY[''");
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        postgres_append(&known, ", %q", compiler->tables[i]->old);
    }
    buffer_append_string(&known, "]::name[]");
    postgres_append(
        &sql,
        "DO $transhume$ DECLARE t record; g record; BEGIN FOR t IN SELECT c.relname, c.relacl, "
        "c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = %q AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT "
        "c.relispartition AND c.relname NOT LIKE '\\_transhume\\_%%' AND NOT c.relname = ANY (%s) "
        "LOOP EXECUTE pg_catalog.format('CREATE VIEW %%I.%%I%s AS SELECT * FROM %%I.%%I', %q, "
        "t.relname, %q, t.relname); FOR g IN SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE "
        "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS who, "
        "a.privilege_type AS what FROM pg_catalog.aclexplode(t.relacl) a WHERE a.grantee <> "
        "t.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP EXECUTE "
        "pg_catalog.format('GRANT %%s ON %%I.%%I TO %%s', g.what, %q, t.relname, g.who); END LOOP; "
        "END LOOP; END $transhume$",
        compiler->schema, buffer_string(&known), view_options(compiler), compiler->new_schema,
        compiler->schema, compiler->new_schema);
    buffer_free(&known);
    struct change_step *step = change_statement(
        compiler, CHANGE_OPEN, ALTER_LOCK_NONE, "views of all other tables",
        change_text_of(compiler, &sql), change_drop_views(compiler, compiler->new_schema));
    step->joined = true;
}

const char *change_drop_views(struct compiler *compiler, const char *schema)
{
    return change_sql(
        compiler,
        "DO $transhume$ DECLARE v record; BEGIN FOR v IN SELECT c.relname FROM pg_catalog.pg_class "
        "c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %q AND "
        "c.relkind = 'v' LOOP EXECUTE pg_catalog.format('DROP VIEW %%I.%%I', %q, v.relname); END "
        "LOOP; END $transhume$",
        schema, schema);
}

static void add_schema(struct compiler *compiler)
{
    struct buffer sql = {0};
    postgres_append(&sql, "CREATE SCHEMA %n; COMMENT ON SCHEMA %n IS ", compiler->new_schema,
                    compiler->new_schema);
    const char *comment = change_sql(compiler, POSTGRES_CHANGE_COMMENT "%s, version %s",
                                     compiler->schema, compiler->change->version);
    postgres_append(&sql, "%q; ", comment);
    postgres_append(
        &sql,
        "DO $transhume$ DECLARE g record; BEGIN FOR g IN SELECT CASE WHEN a.grantee = 0 THEN "
        "'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS who "
        "FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a WHERE "
        "n.nspname = %q AND a.privilege_type = 'USAGE' AND a.grantee <> (SELECT s.nspowner FROM "
        "pg_catalog.pg_namespace s WHERE s.nspname = %q) LOOP EXECUTE pg_catalog.format('GRANT "
        "USAGE ON SCHEMA %%I TO %%s', %q, g.who); END LOOP; END $transhume$",
        compiler->schema, compiler->new_schema, compiler->new_schema);
    change_statement(
        compiler, CHANGE_OPEN, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "schema %s of the new version", compiler->new_schema),
        change_text_of(compiler, &sql),
        change_sql(compiler, "DROP SCHEMA IF EXISTS %n", compiler->new_schema));
}

void change_emit_views(struct compiler *compiler)
{
    compiler->number = UINT32_MAX;
    add_schema(compiler);
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        const struct altered_table *table = compiler->tables[i];
        compiler->number = table->operation;
        if (!table->dropped) {
            add_view(compiler, table);
        }
    }
    compiler->number = UINT32_MAX;
    add_other_views(compiler);
}
