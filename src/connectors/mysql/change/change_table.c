/* A table that a change is about, as the catalogue has it. */
#include "connectors/mysql/change/change.h"
#include "connectors/mysql/statement.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- queries */

enum status mysql_change_query(struct alter_session *base, struct buffer *sql, struct arena *arena,
                               struct sql_shadow_rows *rows, struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    MYSQL_RES *result = NULL;
    *rows = (struct sql_shadow_rows){0};
    enum status status = mysql_run_buffer(session->database, session->connection, sql, SQL_LONG,
                                          ERROR_TARGET_SCHEMA, &result, error);
    if (status != STATUS_OK || result == NULL) {
        return mysql_alter_lost(session, status, error);
    }
    rows->columns = mysql_num_fields(result);
    rows->cells =
        arena_allocate_zeroed(arena, (size_t)mysql_num_rows(result) + 1, sizeof *rows->cells);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) != NULL;) {
        const char **cells = arena_allocate_zeroed(arena, rows->columns, sizeof *cells);
        unsigned long *lengths = mysql_fetch_lengths(result);
        for (uint32_t i = 0; i < rows->columns; i++) {
            cells[i] = row[i] != NULL ? arena_copy(arena, row[i], lengths[i]) : NULL;
        }
        rows->cells[rows->count++] = cells;
    }
    mysql_free_result(result);
    return STATUS_OK;
}

/* NOWAIT says it by another number than a wait that was too long. */
static enum status tell_lock(struct mysql_alter *session, enum status status, struct error *error)
{
    enum { NOWAIT = 3572 };
    if (status == STATUS_FAILED && error->native_code == NOWAIT) {
        error_set(error, ERROR_TARGET_LOCKED, session->base.shown,
                  "a row is locked by another transaction");
    }
    return status;
}

enum status mysql_change_run(struct alter_session *base, struct buffer *sql, uint64_t *changed,
                             struct error *error)
{
    struct mysql_alter *session = mysql_alter_of(base);
    enum status status = mysql_run_buffer(session->database, session->connection, sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, NULL, error);
    if (status == STATUS_OK) {
        *changed = mysql_affected_rows(session->connection);
    }
    return tell_lock(session, mysql_alter_lost(session, status, error), error);
}

static const char *change_table_lower(struct arena *arena, const char *text)
{
    char *copy = text != NULL ? arena_copy_string(arena, text) : NULL;
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
    }
    return copy;
}

/* ---------------------------------------------------------------- columns and keys */

static enum status read_columns(struct mysql_alter *session, struct arena *arena,
                                struct mysql_change_table *table, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(&sql,
                 "SELECT column_name, column_type, data_type, character_set_name, collation_name, "
                 "is_nullable, coalesce(generation_expression, '') <> '' FROM "
                 "information_schema.columns WHERE table_schema = %q AND table_name = %q ORDER BY "
                 "ordinal_position",
                 session->database->sql.schema, table->name);
    if (mysql_change_query(&session->base, &sql, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->columns = arena_allocate_zeroed(arena, rows.count + 1, sizeof *table->columns);
    for (uint32_t i = 0; i < rows.count; i++) {
        const char **cell = rows.cells[i];
        table->columns[table->column_count++] =
            (struct mysql_change_column){.name = cell[0],
                                         .type = cell[1],
                                         .data_type = change_table_lower(arena, cell[2]),
                                         .charset = cell[3],
                                         .collation = cell[4],
                                         .nullable = strcasecmp(cell[5], "YES") == 0,
                                         .generated = strcmp(cell[6], "1") == 0};
    }
    return STATUS_OK;
}

const struct mysql_change_column *mysql_change_column_of(const struct mysql_change_table *table,
                                                         const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcasecmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

/* The primary key first, then unique ones. */
static enum status read_keys(struct mysql_alter *session, struct arena *arena,
                             struct mysql_change_table *table, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(&sql,
                 "SELECT index_name, non_unique, column_name, sub_part, nullable FROM "
                 "information_schema.statistics WHERE table_schema = %q AND table_name = %q ORDER "
                 "BY index_name <> 'PRIMARY', non_unique, index_name, seq_in_index",
                 session->database->sql.schema, table->name);
    if (mysql_change_query(&session->base, &sql, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    table->keys = arena_allocate_zeroed(arena, rows.count + 1, sizeof *table->keys);
    struct mysql_change_key *key = NULL;
    for (uint32_t i = 0; i < rows.count; i++) {
        const char **cell = rows.cells[i];
        if (key == NULL || strcmp(key->name, cell[0]) != 0) {
            key = &table->keys[table->key_count++];
            *key = (struct mysql_change_key){.name = cell[0], .unique = strcmp(cell[1], "0") == 0};
        }
        bool fits = cell[2] != NULL && key->count < SQL_SHADOW_KEY_MAX;
        if (fits) {
            key->columns[key->count++] = cell[2];
        }
        key->unique = key->unique && fits && cell[3] == NULL &&
                      (cell[4] == NULL || strcasecmp(cell[4], "YES") != 0);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- foreign keys and triggers */

static enum status change_table_show(struct mysql_alter *session, const char *name,
                                     struct arena *arena, const char **statement,
                                     struct error *error)
{
    struct sql_shadow_rows rows;
    if (mysql_change_query(&session->base, mysql_sql("SHOW CREATE TABLE %n", name), arena, &rows,
                           error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *statement = rows.count > 0 ? rows.cells[0][1] : NULL;
    return *statement != NULL ? STATUS_OK : STATUS_END;
}

/* The line of SHOW CREATE TABLE that has the constraint, without its comma. */
static const char *reference_clause(const char *statement, const char *name, struct arena *arena)
{
    struct buffer lead = {0};
    const char *clause = NULL;
    mysql_append(&lead, "\n  CONSTRAINT %n FOREIGN KEY ", name);
    const char *found = strstr(statement, buffer_string(&lead));
    if (found != NULL) {
        const char *begin = found + strlen("\n  ");
        size_t length = strcspn(begin, "\n");
        length -= length > 0 && begin[length - 1] == ',' ? 1 : 0;
        clause = arena_copy(arena, begin, length);
    }
    buffer_free(&lead);
    return clause;
}

/* `inward`: those of other tables that refer to this one. */
static enum status read_references(struct mysql_alter *session, bool inward, struct arena *arena,
                                   struct mysql_change_table *table, struct error *error)
{
    const char *schema = session->database->sql.schema;
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(
        &sql,
        "SELECT constraint_name, table_name, referenced_table_name, constraint_schema FROM "
        "information_schema.referential_constraints WHERE %s = %q AND %s = %q ORDER BY "
        "table_name, constraint_name",
        inward ? "unique_constraint_schema" : "constraint_schema", schema,
        inward ? "referenced_table_name" : "table_name", table->name);
    if (mysql_change_query(&session->base, &sql, arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct mysql_change_reference *list =
        arena_allocate_zeroed(arena, rows.count + 1, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows.count; i++) {
        const char *statement = table->statement;
        const char **cell = rows.cells[i];
        bool other = inward && strcasecmp(cell[1], table->name) != 0;
        if (inward && !other) {
            continue; /* of itself: among the outward ones */
        }
        if (other && (strcmp(cell[3], schema) != 0 ||
                      change_table_show(session, cell[1], arena, &statement, error) != STATUS_OK)) {
            statement = "";
        }
        list[count++] =
            (struct mysql_change_reference){.name = cell[0],
                                            .table = cell[1],
                                            .parent = cell[2],
                                            .clause = reference_clause(statement, cell[0], arena)};
    }
    *(inward ? &table->inward : &table->outward) = list;
    *(inward ? &table->inward_count : &table->outward_count) = count;
    return STATUS_OK;
}

static enum status read_triggers(struct mysql_alter *session, struct arena *arena,
                                 struct mysql_change_table *table, struct error *error)
{
    struct sql_shadow_rows rows;
    if (mysql_change_query(
            &session->base,
            mysql_sql("SELECT trigger_name FROM information_schema.triggers WHERE "
                      "event_object_schema = %q AND event_object_table = %q ORDER BY trigger_name",
                      session->database->sql.schema, table->name),
            arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **names = arena_allocate_zeroed(arena, rows.count + 1, sizeof *names);
    for (uint32_t i = 0; i < rows.count; i++) {
        names[i] = rows.cells[i][0];
    }
    table->triggers = names;
    table->trigger_count = rows.count;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of it */

const char *mysql_change_counter(const char *statement, struct arena *arena)
{
    const char *options = strrchr(statement, '\n');
    const char *found = options != NULL ? strstr(options, " AUTO_INCREMENT=") : NULL;
    if (found == NULL) {
        /* the options stand ahead of partitions */
        options = strstr(statement, "\n) ENGINE=");
        found = options != NULL ? strstr(options, " AUTO_INCREMENT=") : NULL;
    }
    if (found == NULL) {
        return NULL;
    }
    found += strlen(" AUTO_INCREMENT=");
    return arena_copy(arena, found, strspn(found, "0123456789"));
}

enum status mysql_change_read(struct mysql_alter *session, const char *name, struct arena *arena,
                              struct mysql_change_table *table, struct error *error)
{
    struct sql_shadow_rows rows;
    *table = (struct mysql_change_table){0};
    if (mysql_change_query(
            &session->base,
            mysql_sql("SELECT table_name, table_type, engine FROM information_schema.tables WHERE "
                      "table_schema = %q AND table_name = %q",
                      session->database->sql.schema, name),
            arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rows.count == 0) {
        return STATUS_END;
    }
    table->name = rows.cells[0][0];
    table->kind = rows.cells[0][1];
    table->engine = rows.cells[0][2] != NULL ? rows.cells[0][2] : "";
    enum status status = change_table_show(session, table->name, arena, &table->statement, error);
    status = status == STATUS_OK ? read_columns(session, arena, table, error) : status;
    status = status == STATUS_OK ? read_keys(session, arena, table, error) : status;
    status = status == STATUS_OK ? read_references(session, false, arena, table, error) : status;
    status = status == STATUS_OK ? read_references(session, true, arena, table, error) : status;
    return status == STATUS_OK ? read_triggers(session, arena, table, error) : status;
}
