/* Triggers of others on a table that has columns twice: which ones the change can't live with, and
 * how its own trigger fires behind all of them. */
#include "connectors/postgres/change/change.h"
#include "postgres_sql.h"
#include <ctype.h>
#include <string.h>

/* The row of sql_change_row_triggers. */
enum other { NAME, BEFORE, FUNCTION, WHOLE, USES };

/* A name in a regular expression. */
static const char *as_pattern(struct compiler *compiler, const char *name)
{
    struct buffer pattern = {0};
    for (const char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x80 && !isalnum(byte) && byte != '_') {
            buffer_append_byte(&pattern, '\\');
        }
        buffer_append_byte(&pattern, *at);
    }
    return change_text_of(compiler, &pattern);
}

static enum status read_triggers(struct compiler *compiler, const struct altered_table *table,
                                 const char *column, PGresult **result, struct error *error)
{
    const char *const values[] = {table->oid, as_pattern(compiler, column)};
    return change_query(compiler, sql_change_row_triggers, values, 2, result, error);
}

/* Does a statement of the file see to it? */
static bool is_seen_to(const struct compiler *compiler, PGresult *result, int row)
{
    for (uint32_t i = 0; i < compiler->change->count; i++) {
        const struct change_operation *operation = &compiler->change->operations[i];
        const char *up = change_text(&operation->value, "up");
        if (strcmp(operation->kind, "sql") == 0 && up != NULL &&
            (strstr(up, PQgetvalue(result, row, NAME)) != NULL ||
             strstr(up, PQgetvalue(result, row, FUNCTION)) != NULL)) {
            return true;
        }
    }
    return false;
}

static enum status refuse_stale(struct compiler *compiler, const struct altered_table *table,
                                const struct altered_column *column, PGresult *result, int row,
                                struct error *error)
{
    change_refused(compiler, error,
                   "the trigger %s with the function %s fires before each write of %s and uses %s, "
                   "of which it would see an old value where the new version writes",
                   PQgetvalue(result, row, NAME), PQgetvalue(result, row, FUNCTION), table->name,
                   PQgetvalue(result, row, USES)[0] == 't' ? column->old : "the whole row");
    return error_hint(error,
                      "Drop it by a `sql` operation of the same file, whose `down` makes it again, "
                      "and let `up` and `down` do what it did; or let it fire AFTER.");
}

static enum status refuse_broken(struct compiler *compiler, const struct altered_table *table,
                                 const struct altered_column *column, PGresult *result, int row,
                                 struct error *error)
{
    change_refused(compiler, error,
                   "the function %s of the trigger %s uses %s.%s, which the new version does not "
                   "have under this name: each write would fail behind `complete`",
                   PQgetvalue(result, row, FUNCTION), PQgetvalue(result, row, NAME), table->name,
                   column->old);
    return error_hint(error, "Replace the function or drop the trigger by a `sql` operation of the "
                             "same file, `on_complete: true`.");
}

static enum status check_column(struct compiler *compiler, const struct altered_table *table,
                                const struct altered_column *column, struct error *error)
{
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    bool goes = column->hidden || strcmp(column->name, column->old) != 0;
    if (read_triggers(compiler, table, column->old, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result) && status == STATUS_OK; row++) {
        bool before = PQgetvalue(result, row, BEFORE)[0] == 't';
        bool whole = PQgetvalue(result, row, WHOLE)[0] == 't';
        bool uses = PQgetvalue(result, row, USES)[0] == 't';
        if (is_seen_to(compiler, result, row)) {
            continue;
        }
        if (column->dual && before && (uses || whole)) {
            status = refuse_stale(compiler, table, column, result, row, error);
        } else if (goes && uses) {
            status = refuse_broken(compiler, table, column, result, row, error);
        }
    }
    PQclear(result);
    return status;
}

/* Triggers fire in the order of their names' bytes. */
static enum status choose_name(struct compiler *compiler, struct altered_table *table,
                               struct error *error)
{
    PGresult *result = NULL;
    const char *last = NULL;
    if (read_triggers(compiler, table, "", &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        last = PQgetvalue(result, row, BEFORE)[0] == 't' ? change_cell(compiler, result, row, NAME)
                                                         : last;
    }
    PQclear(result);
    table->trigger = POSTGRES_CHANGE_TRIGGER;
    if (last == NULL || strcmp(last, POSTGRES_CHANGE_TRIGGER) < 0) {
        return STATUS_OK;
    }
    table->trigger = arena_format(compiler->arena, "%s%s", last, POSTGRES_CHANGE_TRIGGER);
    if (strlen(table->trigger) <= POSTGRES_NAME_BYTES_MAX) {
        return STATUS_OK;
    }
    change_refused(compiler, error, "no trigger can fire behind %s of %s", last, table->name);
    return error_hint(error, "Give it a shorter name, or one that begins with a letter: ALTER "
                             "TRIGGER … RENAME TO …");
}

static enum status check_table(struct compiler *compiler, struct altered_table *table,
                               struct error *error)
{
    compiler->number = table->operation;
    compiler->operation = &compiler->change->operations[table->operation];
    for (uint32_t i = 0; i < table->count; i++) {
        const struct altered_column *column = &table->columns[i];
        bool changes = column->old != NULL &&
                       (column->dual || column->hidden || strcmp(column->name, column->old) != 0);
        if (changes && check_column(compiler, table, column, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return choose_name(compiler, table, error);
}

enum status change_check_others(struct compiler *compiler, struct error *error)
{
    for (uint32_t i = 0; i < compiler->table_count; i++) {
        struct altered_table *table = compiler->tables[i];
        table->trigger = POSTGRES_CHANGE_TRIGGER;
        if (table->oid != NULL && !table->dropped &&
            check_table(compiler, table, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
