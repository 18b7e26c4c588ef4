/*
 * Expressions of a change. The server parses each over an empty table that has the columns of the
 * version that it is written in: so faults are seen before anything is made, and what it reads is
 * known from the server's own notes (pg_depend), not from its text.
 */
#include "connectors/postgres/change/change.h"
#include "sql/rename.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SCRATCH "_transhume_scratch"

/* ---------------------------------------------------------------- names in texts */

const char *change_replace_name(struct compiler *compiler, const char *text, const char *from,
                                const char *to)
{
    return sql_rename_column(SQL_POSTGRES, text, from, change_sql(compiler, "%n", to),
                             compiler->arena);
}

const char *change_carried(struct compiler *compiler, const struct altered_table *table,
                           const char *text)
{
    /* By way of names that nothing has: one column may be called what another one was. */
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < table->count; i++) {
            const struct altered_column *column = &table->columns[i];
            const char *between = arena_format(compiler->arena, SCRATCH "_%" PRIu32, i);
            if (!column->hidden && strcmp(column->name, column->carrier) != 0) {
                text = change_replace_name(compiler, text, pass == 0 ? column->name : between,
                                           pass == 0 ? between : column->carrier);
            }
        }
    }
    return text;
}

/* ---------------------------------------------------------------- the scratch table */

/* The columns that an expression of that version may name; a name that is in both is the version's
 * own. */
static void append_columns(const struct altered_table *table, bool up, struct buffer *sql)
{
    const char *comma = "";
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        const char *name = up ? column->old : column->hidden ? NULL : column->name;
        const char *type = up ? column->old_type : column->type;
        if (up && name == NULL) { /* what was added before it */
            name = column->name;
            type = column->type;
        }
        if (name != NULL) {
            const char *collation = up || !column->dual ? column->collation : NULL;
            postgres_append(sql, "%s%n %s%s%s", comma, name, type,
                            collation != NULL ? " COLLATE " : "",
                            collation != NULL ? collation : "");
            comma = ", ";
        }
    }
}

static enum status change_expression_execute(struct compiler *compiler, struct buffer *sql,
                                             struct error *error)
{
    return postgres_execute_buffer(compiler->session->database, compiler->session->connection, sql,
                                   SQL_LONG, ERROR_TARGET_SCHEMA, error);
}

/* On its own: a text that does not parse is not run at all, and there would be no savepoint. */
static enum status set_savepoint(struct compiler *compiler, struct error *error)
{
    return change_expression_execute(compiler, postgres_sql("SAVEPOINT transhume_scratch"), error);
}

static enum status make_scratch(struct compiler *compiler, const struct altered_table *table,
                                const char *text, const char *type, bool up, struct error *error)
{
    struct buffer sql = {0};
    if (set_savepoint(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "CREATE TEMP TABLE " SCRATCH " (");
    append_columns(table, up, &sql);
    postgres_append(&sql,
                    "); CREATE TEMP VIEW " SCRATCH "_view AS SELECT CAST((%s\n) AS %s) AS value "
                    "FROM " SCRATCH " AS %n",
                    text, type, up ? table->old : table->name);
    return change_expression_execute(compiler, &sql, error);
}

static enum status drop_scratch(struct compiler *compiler, struct error *error)
{
    return change_expression_execute(
        compiler, postgres_sql("ROLLBACK TO SAVEPOINT transhume_scratch"), error);
}

enum status change_try(struct compiler *compiler, const struct altered_table *table,
                       const char *statement, const char **problem, struct error *error)
{
    struct error inner = {0};
    struct buffer sql = {0};
    const char *comma = "";
    *problem = NULL;
    if (set_savepoint(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "CREATE TEMP TABLE " SCRATCH " (");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        if (!column->hidden) {
            postgres_append(&sql, "%s%n %s", comma, column->carrier, column->type);
            comma = ", ";
        }
    }
    buffer_format(&sql, "); %s", statement);
    if (change_expression_execute(compiler, &sql, &inner) != STATUS_OK) {
        *problem = arena_copy_string(compiler->arena, inner.message);
    }
    return drop_scratch(compiler, error);
}

/* ---------------------------------------------------------------- what it is */

static const struct altered_column *scratch_column(const struct altered_table *table, bool up,
                                                   const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        const char *own = up ? column->old : column->hidden ? NULL : column->name;
        own = up && own == NULL ? column->name : own;
        if (own != NULL && strcmp(own, name) == 0) {
            return column;
        }
    }
    return NULL;
}

static enum status read_uses(struct compiler *compiler, const struct altered_table *table, bool up,
                             struct altered_expression *expression, struct error *error)
{
    PGresult *result = NULL;
    bool *uses = arena_allocate_zeroed(compiler->arena, table->count + 1, sizeof(*uses));
    if (change_query(
            compiler,
            "SELECT a.attname FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON "
            "d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid AND "
            "d.refobjid = 'pg_temp." SCRATCH "'::pg_catalog.regclass AND d.refobjsubid > 0 JOIN "
            "pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid "
            "WHERE r.ev_class = 'pg_temp." SCRATCH "_view'::pg_catalog.regclass",
            NULL, 0, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct altered_column *generated = NULL;
    for (int row = 0; row < PQntuples(result); row++) {
        const struct altered_column *column = scratch_column(table, up, PQgetvalue(result, row, 0));
        if (column != NULL) {
            uses[column - table->columns] = true;
            generated = column->generated ? column : generated;
        }
    }
    PQclear(result);
    expression->uses = uses;
    return generated == NULL ? STATUS_OK
                             : change_refused(compiler, error,
                                              "%s is a generated column, which has no value yet "
                                              "when a trigger reads it: write its expression "
                                              "instead",
                                              generated->name);
}

/* Functions that give another value each time, and names that the search_path decided. */
static enum status read_nature(struct compiler *compiler, struct altered_expression *expression,
                               struct error *error)
{
    PGresult *result = NULL;
    if (change_query(
            compiler,
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.regexp_matches(r.ev_action::text, "
            "':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m(found) JOIN "
            "pg_catalog.pg_proc p ON p.oid = m.found[1]::pg_catalog.oid WHERE p.provolatile = 'v'),"
            " EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = "
            "'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid AND d.refclassid IN "
            "('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,"
            " 'pg_catalog.pg_operator'::pg_catalog.regclass) AND d.refobjid NOT IN ('pg_temp." SCRATCH
            "'::pg_catalog.regclass, 'pg_temp." SCRATCH "_view'::pg_catalog.regclass)), "
            "r.ev_action::text ~ ':varattno (0|-)' OR r.ev_action::text ~ "
            "'^\\(\\{QUERY [^{]*:has(Aggs|WindowFuncs|TargetSRFs) true' "
            "FROM pg_catalog.pg_rewrite r WHERE r.ev_class = 'pg_temp." SCRATCH
            "_view'::pg_catalog.regclass",
            NULL, 0, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    expression->is_volatile = PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    expression->looks_out = PQntuples(result) > 0 && PQgetvalue(result, 0, 1)[0] == 't';
    bool whole = PQntuples(result) > 0 && PQgetvalue(result, 0, 2)[0] == 't';
    PQclear(result);
    return whole ? change_refused(
                       compiler, error,
                       "it reads a whole row, a system column or more than one row, which a "
                       "trigger can't")
                 : STATUS_OK;
}

/* Asks the server by a generated column, which takes immutable expressions only. A failure leaves
 * the transaction to be rolled back to its savepoint: it is the last thing asked. */
static bool is_by_session(struct compiler *compiler, const char *text, const char *type)
{
    struct error ignored = {0};
    return change_expression_execute(
               compiler,
               postgres_sql("ALTER TABLE pg_temp." SCRATCH " ADD COLUMN " SCRATCH
                            "_value %s GENERATED ALWAYS AS (CAST((%s\n) AS %s)) STORED",
                            type, text, type),
               &ignored) != STATUS_OK;
}

enum status change_read_expression(struct compiler *compiler, struct altered_table *table,
                                   const struct change_value *at, const char *text,
                                   const char *type, bool up, struct altered_expression *expression,
                                   struct error *error)
{
    struct error inner = {0};
    *expression = (struct altered_expression){.text = text};
    enum status status = make_scratch(compiler, table, text, type, up, &inner);
    if (status == STATUS_OK) {
        status = read_uses(compiler, table, up, expression, &inner);
    }
    if (status == STATUS_OK) {
        status = read_nature(compiler, expression, &inner);
    }
    if (status == STATUS_OK) {
        expression->by_session = is_by_session(compiler, text, type);
    }
    if (drop_scratch(compiler, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (status != STATUS_OK && inner.code == ERROR_CHANGE_REFUSED) {
        *error = inner;
        return STATUS_FAILED;
    }
    return status == STATUS_OK
               ? STATUS_OK
               : change_invalid(compiler, at, error, "`%s` as %s over the %s version's columns: %s",
                                text, type, up ? "old" : "new", inner.message);
}
