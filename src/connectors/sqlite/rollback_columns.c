/* Taking a run back: what stands in columns that it does not fill. */
#include "connectors/sql/default_text.h"
#include "connectors/sql/unfilled.h"
#include "connectors/sqlite/ledger_internal.h"
#include "model/canonical.h"
#include <string.h>

static enum sql_given find_given(const struct sqlite_target_column *column, struct arena *arena)
{
    struct schema_column read = {
        .name = column->name, .not_null = column->not_null, .default_text = column->default_text};
    sql_default_read(&read, SQL_BARE_TEXTS | SQL_CLOCK_TEXTS, arena);
    return sql_column_gives(&read);
}

/* Texts of other case may be equal by its collation. */
static void append_column(struct buffer *sql, const struct sqlite_target_column *column,
                          enum sql_given gives, const char *alias)
{
    buffer_format(sql, "%s(%s.", sql->length > 0 ? " OR " : "", alias);
    sqlite_append_name(sql, column->name);
    buffer_append_string(sql, " IS NOT NULL");
    if (gives == SQL_GIVES_DEFAULT) {
        buffer_format(sql, " AND %s.", alias);
        sqlite_append_name(sql, column->name);
        buffer_format(sql, " COLLATE BINARY IS NOT (%s)", column->default_text);
    }
    buffer_append_byte(sql, ')');
}

/* Is there a record of which the condition is true? Frees it. */
static enum status ask(struct sqlite_database *self, const char *table, struct buffer *condition,
                       bool *found, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    buffer_append_string(&sql, "SELECT 1 FROM main.");
    sqlite_append_name(&sql, table);
    buffer_append_string(&sql, " AS t WHERE ");
    buffer_append_buffer(&sql, condition);
    buffer_append_string(&sql, " LIMIT 1");
    buffer_free(condition);
    enum status status = sqlite_target_prepare_buffer(self, self->control, &sql, &statement, error);
    status = status == STATUS_OK ? sqlite_step(self, statement, error) : status;
    *found = status == STATUS_OK;
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status == STATUS_END ? STATUS_OK : status;
}

static bool is_kept(const struct sqlite_target_table *undo, const char *name)
{
    for (uint32_t i = 0; i < undo->column_count; i++) {
        if (undo->columns[i].name[0] == '=' && sqlite_same_name(undo->columns[i].name + 1, name)) {
            return true;
        }
    }
    return false;
}

enum status sqlite_rollback_append_foreign(struct sqlite_database *self,
                                           const struct sqlite_target_table *facts,
                                           const struct sqlite_target_table *undo,
                                           const char *alias, struct arena *arena,
                                           struct buffer *sql, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < facts->column_count; i++) {
        const struct sqlite_target_column *column = &facts->columns[i];
        struct buffer condition = {0};
        bool found = false;
        if (column->generated || is_kept(undo, column->name)) {
            continue;
        }
        enum sql_given gives = find_given(column, arena);
        if (gives != SQL_GIVES_ANY) {
            append_column(sql, column, gives, alias);
            continue;
        }
        append_column(&condition, column, gives, "t");
        status = ask(self, facts->name, &condition, &found, error);
        if (found) {
            status = sql_refuse_untold(facts->name, column->name, error);
        }
        buffer_free(&condition);
    }
    return status;
}

/* ---------------------------------------------------------------- what the engine asks */

static bool is_listed(struct column_list columns, const char *name)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (sqlite_same_name(columns.names[i], name)) {
            return true;
        }
    }
    return false;
}

static enum status describe(struct sqlite_database *self, const char *name, struct arena *arena,
                            struct sqlite_target_table *facts, struct error *error)
{
    enum status status = sqlite_target_describe(self, self->control, name, arena, facts, error);
    return status == STATUS_END ? error_set(error, ERROR_TARGET_SCHEMA, name, "the table is gone")
                                : status;
}

static enum status add_all(struct sqlite_database *self, struct buffer *sql,
                           struct canonical_hash *sum, uint64_t *count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare_buffer(self, self->control, sql, &statement, error);
    while (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        struct canonical_hash one = {0};
        const void *bytes = sqlite3_column_blob(statement, 0);
        if (bytes == NULL || sqlite3_column_bytes(statement, 0) != sizeof one) {
            memory_exhausted(0);
        }
        memcpy(&one, bytes, sizeof one);
        canonical_sum_add(sum, &one);
        (*count)++;
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status sum_within(struct sqlite_database *self, const struct target_table *table,
                              struct column_list columns, struct arena *arena, const char **sum,
                              struct error *error)
{
    struct sqlite_target_table facts;
    struct buffer sql = {0};
    struct canonical_hash total = {0};
    uint64_t records = 0;
    uint32_t count = 0;
    if (describe(self, table->name, arena, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < facts.column_count; i++) {
        const char *name = facts.columns[i].name;
        if (is_listed(columns, name) || is_listed(table->key, name)) {
            facts.columns[count++] = facts.columns[i];
        }
    }
    facts.column_count = count;
    if (sqlite_undo_register(self, self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "SELECT ");
    sqlite_undo_append_hash(&facts, "t", false, &sql);
    buffer_append_string(&sql, " FROM main.");
    sqlite_append_name(&sql, facts.name);
    buffer_append_string(&sql, " AS t");
    enum status status = add_all(self, &sql, &total, &records, error);
    buffer_free(&sql);
    *sum = arena_format(arena, "%llu %016llx%016llx", (unsigned long long)records,
                        (unsigned long long)total.high, (unsigned long long)total.low);
    return status;
}

enum status sqlite_sum_columns(struct database *database, const struct target_table *table,
                               struct column_list columns, struct arena *arena, const char **sum,
                               struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    return sqlite_control_begin(self, false, error) == STATUS_OK
               ? sqlite_control_end(self, sum_within(self, table, columns, arena, sum, error),
                                    error)
               : STATUS_FAILED;
}

static enum status find_within(struct sqlite_database *self, const struct target_table *table,
                               struct column_list columns, bool trusts, struct arena *arena,
                               const char **column, struct error *error)
{
    struct sqlite_target_table facts;
    enum status status = describe(self, table->name, arena, &facts, error);
    for (uint32_t i = 0; status == STATUS_OK && *column == NULL && i < facts.column_count; i++) {
        struct buffer condition = {0};
        bool found = false;
        if (!is_listed(columns, facts.columns[i].name)) {
            continue;
        }
        enum sql_given gives = find_given(&facts.columns[i], arena);
        if (!trusts || gives != SQL_GIVES_ANY) {
            append_column(&condition, &facts.columns[i], gives, "t");
            status = ask(self, facts.name, &condition, &found, error);
        }
        *column = found ? facts.columns[i].name : NULL;
    }
    return status;
}

enum status sqlite_find_foreign(struct database *database, const struct target_table *table,
                                struct column_list columns, bool trusts, struct arena *arena,
                                const char **column, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    *column = NULL;
    return sqlite_control_begin(self, false, error) == STATUS_OK
               ? sqlite_control_end(
                     self, find_within(self, table, columns, trusts, arena, column, error), error)
               : STATUS_FAILED;
}
