/* The tables of the schema as the new version will have them. */
#include "connectors/postgres/change/change.h"
#include "connectors/sql/undo.h"
#include "postgres_sql.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- errors */

enum { MESSAGE_BYTES = 600, OBJECT_BYTES = 200 };

static enum status change_model_fail(const struct compiler *compiler, const struct change_value *at,
                                     enum error_code code, const char *message, struct error *error)
{
    char object[OBJECT_BYTES];
    const struct change_value *place = at != NULL ? at : &compiler->operation->value;
    snprintf(object, sizeof object, "%s_%s.change.yaml:%" PRIu32 ":%" PRIu32,
             compiler->change->version, compiler->change->name, place->line, place->column);
    return error_set(error, code, object, "%s: %s", compiler->operation->kind, message);
}

enum status change_invalid(const struct compiler *compiler, const struct change_value *at,
                           struct error *error, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return change_model_fail(compiler, at, ERROR_CHANGE_INVALID, message, error);
}

enum status change_refused(const struct compiler *compiler, struct error *error, const char *format,
                           ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return change_model_fail(compiler, NULL, ERROR_CHANGE_REFUSED, message, error);
}

/* ---------------------------------------------------------------- what goes */

void change_note_gone(struct compiler *compiler, const char *name)
{
    compiler->gone = arena_make_room(compiler->arena, compiler->gone, compiler->gone_count,
                                     &compiler->gone_capacity, sizeof(*compiler->gone));
    compiler->gone[compiler->gone_count++] = name;
}

bool change_is_gone(const struct compiler *compiler, const char *name)
{
    for (uint32_t i = 0; i < compiler->gone_count; i++) {
        if (strcmp(compiler->gone[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- asking */

enum { VALUES_MAX = 4 };

enum status change_query(struct compiler *compiler, const char *sql, const char *const *values,
                         int count, PGresult **result, struct error *error)
{
    struct postgres_parameter parameters[VALUES_MAX];
    for (int i = 0; i < count; i++) {
        parameters[i] = (struct postgres_parameter){.text = values[i]};
    }
    return postgres_catalog_query(compiler->session->database, compiler->session->connection, sql,
                                  parameters, count, SQL_LONG, ERROR_TARGET_SCHEMA, result, error);
}

enum status change_execute(struct compiler *compiler, const char *sql, struct error *error)
{
    return postgres_execute(compiler->session->database, compiler->session->connection, sql,
                            SQL_SHORT, ERROR_TARGET_SCHEMA, error);
}

const char *change_cell(struct compiler *compiler, PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column)
               ? NULL
               : arena_copy_string(compiler->arena, PQgetvalue(result, row, column));
}

static bool cell_is_true(PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

const char *change_short_name(struct compiler *compiler, const char *prefix, const char *name)
{
    enum { HASH_DIGITS = 8 };
    if (strlen(prefix) + strlen(name) <= POSTGRES_NAME_BYTES_MAX) {
        return arena_format(compiler->arena, "%s%s", prefix, name);
    }
    size_t room = POSTGRES_NAME_BYTES_MAX - strlen(prefix) - HASH_DIGITS - 1;
    while (room > 0 && ((unsigned char)name[room] & 0xc0) == 0x80) {
        room--;
    }
    return arena_format(compiler->arena, "%s%.*s_%08x", prefix, (int)room, name,
                        (unsigned)(sql_name_hash(name) & 0xffffffffu));
}

/* ---------------------------------------------------------------- tables */

struct altered_table *change_add_table(struct compiler *compiler)
{
    compiler->tables = arena_make_room(compiler->arena, compiler->tables, compiler->table_count,
                                       &compiler->table_capacity, sizeof(struct altered_table *));
    struct altered_table *table = arena_allocate_zeroed(compiler->arena, 1, sizeof *table);
    compiler->tables[compiler->table_count++] = table;
    table->operation = compiler->number;
    table->group = compiler->table_count;
    return table;
}

struct altered_column *change_add_column(struct compiler *compiler, struct altered_table *table)
{
    table->columns = arena_make_room(compiler->arena, table->columns, table->count,
                                     &table->capacity, sizeof(*table->columns));
    struct altered_column *column = &table->columns[table->count++];
    *column = (struct altered_column){.operation = compiler->number};
    return column;
}

static void read_column(struct compiler *compiler, struct altered_table *table, PGresult *result,
                        int row)
{
    struct altered_column *column = change_add_column(compiler, table);
    column->name = column->old = column->carrier = change_cell(compiler, result, row, 0);
    column->type = column->old_type = change_cell(compiler, result, row, 1);
    column->not_null = column->old_not_null = cell_is_true(result, row, 2);
    column->default_sql = column->old_default = change_cell(compiler, result, row, 3);
    column->generated = cell_is_true(result, row, 4);
    column->identity = PQgetvalue(result, row, 5)[0] != '\0';
    column->comment = change_cell(compiler, result, row, 6);
    column->number = (int)strtol(PQgetvalue(result, row, 7), NULL, 10);
    column->space = change_cell(compiler, result, row, 8);
    column->constant = cell_is_true(result, row, 9);
    column->sequences = change_cell(compiler, result, row, 10);
    column->collation = change_cell(compiler, result, row, 11);
    column->equality = cell_is_true(result, row, 12);
    column->assigned = column->old_assigned = change_cell(compiler, result, row, 13);
}

static enum status read_columns(struct compiler *compiler, struct altered_table *table,
                                struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid};
    if (change_query(compiler, sql_change_columns, values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        read_column(compiler, table, result, row);
    }
    PQclear(result);
    return STATUS_OK;
}

static enum status read_keys(struct compiler *compiler, struct altered_table *table,
                             struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {table->oid};
    if (change_query(compiler, sql_change_keys, values, 1, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = (uint32_t)PQntuples(result);
    const char **keys = arena_allocate_zeroed(compiler->arena, count + 1, sizeof(*keys));
    const char **types = arena_allocate_zeroed(compiler->arena, count + 1, sizeof(*types));
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = change_cell(compiler, result, (int)i, 0);
        types[i] = change_cell(compiler, result, (int)i, 1);
    }
    table->keys = keys;
    table->key_types = types;
    table->key_count = count;
    PQclear(result);
    return STATUS_OK;
}

/* Tables whose rows the triggers or views of a change would not see as they are. */
static enum status check_kind(const struct compiler *compiler, PGresult *result, const char *name,
                              struct error *error)
{
    enum { VERSION_INVOKER = 150000 };
    if (cell_is_true(result, 0, 2)) {
        return change_refused(compiler, error,
                              "%s is a partition: change the partitioned table instead", name);
    }
    if (cell_is_true(result, 0, 3)) {
        return change_refused(compiler, error,
                              "%s has tables that inherit from it, or inherits: rows of those "
                              "would not go through its trigger",
                              name);
    }
    if (cell_is_true(result, 0, 5)) {
        change_refused(compiler, error,
                       "row security hides rows of %s from the role that makes the change", name);
        return error_hint(error, "Make it as the table's owner, or as a role with BYPASSRLS.");
    }
    if (cell_is_true(result, 0, 4) &&
        compiler->session->database->server_version < VERSION_INVOKER) {
        return change_refused(compiler, error,
                              "%s has row security, which views before PostgreSQL 15 pass by: the "
                              "new version would see all rows",
                              name);
    }
    return STATUS_OK;
}

/* A table of the schema that the change has not named so far. */
static enum status load_table(struct compiler *compiler, const char *name,
                              struct altered_table **table, struct error *error)
{
    PGresult *result = NULL;
    const char *const values[] = {compiler->schema, name};
    if (change_query(
            compiler,
            "SELECT c.oid, c.relkind = 'p', c.relispartition, NOT c.relispartition AND "
            "EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i LEFT JOIN pg_catalog.pg_class "
            "d ON d.oid = i.inhrelid WHERE i.inhrelid = c.oid OR (i.inhparent = c.oid AND "
            "NOT d.relispartition)), c.relrowsecurity, pg_catalog.row_security_active(c.oid) FROM pg_catalog.pg_class c JOIN "
            "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND "
            "c.relname = $2 AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE "
            "'\\_transhume\\_%'",
            values, 2, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (PQntuples(result) == 0) {
        PQclear(result);
        *table = NULL;
        return STATUS_OK;
    }
    struct altered_table *made = change_add_table(compiler);
    made->name = made->old = arena_copy_string(compiler->arena, name);
    made->oid = change_cell(compiler, result, 0, 0);
    made->partitioned = cell_is_true(result, 0, 1);
    enum status status = check_kind(compiler, result, name, error);
    PQclear(result);
    *table = made;
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    return read_columns(compiler, made, error) == STATUS_OK ? read_keys(compiler, made, error)
                                                            : STATUS_FAILED;
}

enum status change_find_table(struct compiler *compiler, const struct change_value *at,
                              const char *name, struct altered_table **table, struct error *error)
{
    bool taken = false; /* what is called so in the old version has another name, or is gone */
    *table = NULL;
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        struct altered_table *known = compiler->tables[i];
        if (strcmp(known->name, name) == 0 && !known->dropped) {
            *table = known;
        }
        taken = taken || strcmp(known->old, name) == 0;
    }
    if (*table == NULL && !taken && load_table(compiler, name, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return *table != NULL ? STATUS_OK
                          : change_invalid(compiler, at, error, "there is no table %s in %s", name,
                                           compiler->schema);
}

/* ---------------------------------------------------------------- columns */

struct altered_column *change_column_named(const struct altered_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (!table->columns[i].hidden && strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

enum status change_find_column(struct compiler *compiler, struct altered_table *table,
                               const struct change_value *at, const char *name,
                               struct altered_column **column, struct error *error)
{
    *column = change_column_named(table, name);
    return *column != NULL
               ? STATUS_OK
               : change_invalid(compiler, at, error, "%s has no column %s", table->name, name);
}
