/*
 * The schema of views in which applications of the new version look: each table as it will be. A
 * session chooses it by its search_path. Views take part of the privileges of their tables, and
 * read and write as whoever asks (security_invoker, PostgreSQL 15 and later).
 */
#include "connectors/postgres/change/change.h"
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

/* Rows of VALUES: what a column is called in the table, or was, and in the view. */
static const char *column_names(struct compiler *compiler, const struct altered_table *table)
{
    struct buffer sql = {0};
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->hidden) {
            postgres_append(&sql, "%s(%q, %q)", sql.length > 0 ? ", " : "",
                            column->old != NULL ? column->old : column->carrier, column->name);
        }
    }
    return sql.length > 0 ? change_text_of(compiler, &sql) : NULL;
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
    change_append_grants(place, view, column_names(compiler, seen), &sql);
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
        "c.relowner, c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = %q AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT "
        "c.relispartition AND c.relname::pg_catalog.text NOT LIKE '\\_transhume\\_%%' AND NOT c.relname = ANY (%s) "
        "LOOP EXECUTE pg_catalog.format('CREATE VIEW %%I.%%I%s AS SELECT * FROM %%I.%%I', %q, "
        "t.relname, %q, t.relname); FOR g IN SELECT CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC' ELSE "
        "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS who, "
        "a.privilege_type || coalesce(a.columns, '') AS what, CASE WHEN a.is_grantable THEN "
        "' WITH GRANT OPTION' ELSE '' END AS further FROM (SELECT x.*, NULL::text AS columns FROM "
        "pg_catalog.aclexplode(coalesce(t.relacl, pg_catalog.acldefault('r', t.relowner))) x UNION "
        "ALL SELECT x.*, pg_catalog.format(' (%%I)', b.attname) FROM pg_catalog.pg_attribute b "
        "CROSS JOIN LATERAL pg_catalog.aclexplode(b.attacl) x WHERE b.attrelid = t.oid) a WHERE "
        "pg_catalog.pg_get_userbyid(a.grantee) <> current_user AND a.privilege_type IN ('SELECT', "
        "'INSERT', 'UPDATE', 'DELETE') LOOP EXECUTE pg_catalog.format('GRANT %%s ON %%I.%%I TO "
        "%%s%%s', g.what, %q, t.relname, g.who, g.further); END LOOP; END LOOP; END $transhume$",
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
    change_append_usage(compiler->schema, compiler->new_schema, &sql);
    change_statement(
        compiler, CHANGE_OPEN, ALTER_LOCK_NONE,
        arena_format(compiler->arena, "schema %s of the new version", compiler->new_schema),
        change_text_of(compiler, &sql),
        change_sql(compiler, "DROP SCHEMA IF EXISTS %n", compiler->new_schema));
}

/* A view reads all of its columns with the rights of who asks. */
static enum status warn_of_columns(struct compiler *compiler, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {compiler->schema};
    if (change_query(compiler,
                     "SELECT pg_catalog.string_agg(DISTINCT c.relname, ', ') FROM "
                     "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                     "c.relnamespace JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid CROSS "
                     "JOIN LATERAL pg_catalog.aclexplode(t.attacl) a WHERE n.nspname = $1 AND "
                     "a.privilege_type = 'SELECT'",
                     values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *tables = change_cell(compiler, result, 0, 0);
    PQclear(result);
    if (tables != NULL) {
        compiler->number = 0;
        change_way_add(compiler, arena_format(compiler->arena, "views of %s", tables),
                       "who may SELECT some of the columns only can't read the view");
    }
    return STATUS_OK;
}

enum status change_emit_views(struct compiler *compiler, struct error *error)
{
    if (warn_of_columns(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
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
    return STATUS_OK;
}
