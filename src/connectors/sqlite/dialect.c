/* SQLite's own way in the things that SQL databases do alike. */
#include "connectors/sql/rollback.h"
#include "connectors/sqlite/ledger_internal.h"
#include "model/canonical.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct sqlite_database *file_of(struct sql_database *self)
{
    return sqlite_database_of(&self->base);
}

/* ---------------------------------------------------------------- statements */

static enum status sqlite_dialect_begin(struct sql_database *self, enum sql_access access,
                                        struct error *error)
{
    return sqlite_control_begin(file_of(self), access != SQL_LOOKS, error);
}

static enum status sqlite_dialect_end(struct sql_database *self, enum status status,
                                      struct error *error)
{
    return sqlite_control_end(file_of(self), status, error);
}

static enum status sqlite_dialect_run(struct sql_database *self, struct buffer *sql,
                                      uint64_t *changed, struct error *error)
{
    sqlite3 *connection = file_of(self)->control;
    enum status status = sqlite_target_execute(file_of(self), connection, buffer_string(sql),
                                               ERROR_TARGET_WRITE, error);
    if (changed != NULL) {
        *changed = (uint64_t)sqlite3_changes64(connection);
    }
    buffer_free(sql);
    return status;
}

static enum status sqlite_dialect_ask(struct sql_database *self, struct buffer *sql,
                                      struct arena *arena, const char **text, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_target_prepare_buffer(file_of(self), file_of(self)->control, sql, &statement, error);
    *text = NULL;
    status = status == STATUS_OK ? sqlite_step(file_of(self), statement, error) : status;
    if (status == STATUS_OK) {
        sqlite_copy_text(statement, 0, arena, text);
    }
    sqlite3_finalize(statement);
    buffer_free(sql);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status sqlite_dialect_list(struct sql_database *self, struct buffer *sql,
                                       struct arena *arena, struct column_list *texts,
                                       struct error *error)
{
    sqlite3_stmt *statement = NULL;
    const char **found = NULL;
    uint32_t count = 0;
    enum status status =
        sqlite_target_prepare_buffer(file_of(self), file_of(self)->control, sql, &statement, error);
    while (status == STATUS_OK &&
           (status = sqlite_step(file_of(self), statement, error)) == STATUS_OK) {
        found = memory_resize(found, count + 1u, sizeof *found);
        sqlite_copy_text(statement, 0, arena, &found[count++]);
    }
    const char **copies = arena_allocate_zeroed(arena, count + 1u, sizeof *copies);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = found[i];
    }
    free(found);
    sqlite3_finalize(statement);
    buffer_free(sql);
    *texts = (struct column_list){copies, count};
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

static enum status sqlite_dialect_describe(struct sql_database *self, const char *name,
                                           struct arena *arena, struct sql_table *table,
                                           struct error *error)
{
    struct sqlite_target_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    enum status status =
        sqlite_target_describe(file_of(self), file_of(self)->control, name, arena, facts, error);
    if (status == STATUS_OK) {
        *table = sqlite_table_of(facts, arena);
    }
    return status;
}

/* ---------------------------------------------------------------- runs */

static enum status check_claim(struct sql_database *self, struct error *error)
{
    return sqlite_claim_check(file_of(self), error);
}

static enum status silence(struct sql_database *self, bool off, struct error *error)
{
    (void)error;
    sqlite_triggers_set(file_of(self)->control, !off);
    return STATUS_OK;
}

static enum status is_made(struct sql_database *self, const char *table, bool *made,
                           struct error *error)
{
    return sqlite_ledger_was_made(file_of(self), table, made, error);
}

static enum status forget_made(struct sql_database *self, const char *table, struct error *error)
{
    return sqlite_ledger_forget_made(file_of(self), table, error);
}

/* ---------------------------------------------------------------- columns */

static bool keeps(const struct sql_table *undo, const struct sql_table *table, uint32_t column)
{
    const char *name = table->schema->columns[column].name;
    for (uint32_t i = 0; i < undo->schema->column_count; i++) {
        const char *kept = undo->schema->columns[i].name;
        if (kept[0] == '=' && sqlite_same_name(kept + 1, name)) {
            return true;
        }
    }
    return false;
}

/* Texts of other case may be equal by its collation. */
static void append_held(struct buffer *sql, const struct sql_table *table, uint32_t column,
                        const char *alias)
{
    const struct schema_column *schema = &table->schema->columns[column];
    sqlite_append(sql, "(%s.%n IS NOT NULL", alias, schema->name);
    if (sql_column_gives(schema) == SQL_GIVES_DEFAULT) {
        sqlite_append(sql, " AND %s.%n COLLATE BINARY IS NOT (%s)", alias, schema->name,
                      schema->default_text);
    }
    buffer_append_byte(sql, ')');
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

static enum status sum(struct sql_database *self, const struct sql_table *table,
                       const uint32_t *columns, uint32_t count, struct arena *arena,
                       const char **told, struct error *error)
{
    struct sqlite_target_table facts = *sqlite_facts_of(table);
    struct buffer sql = {0};
    struct canonical_hash total = {0};
    uint64_t records = 0;
    facts.columns = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *facts.columns);
    facts.column_count = count;
    for (uint32_t i = 0; i < count; i++) {
        facts.columns[i] = sqlite_facts_of(table)->columns[columns[i]];
    }
    if (sqlite_undo_register(file_of(self), file_of(self)->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "SELECT ");
    sqlite_undo_append_hash(&facts, "t", false, &sql);
    buffer_append_string(&sql, " FROM ");
    sqlite_quoting.append_table(&sql, self, facts.name);
    buffer_append_string(&sql, " AS t");
    enum status status = add_all(file_of(self), &sql, &total, &records, error);
    buffer_free(&sql);
    *told = arena_format(arena, "%llu %016llx%016llx", (unsigned long long)records,
                         (unsigned long long)total.high, (unsigned long long)total.low);
    return status;
}

static enum status make_place(struct sql_database *self, struct error *error)
{
    struct sqlite_database *sqlite = sqlite_database_of(&self->base);
    return sqlite_place_make(sqlite, sqlite->control, error);
}

static void append_names_query(struct buffer *sql, struct sql_database *self)
{
    (void)self;
    buffer_append_string(sql,
                         "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view')");
}

const struct sql_dialect sqlite_dialect = {
    .make_place = make_place,
    .name = "sqlite",
    .compare_names = strcasecmp,
    .quoting = &sqlite_quoting,
    .begin = sqlite_dialect_begin,
    .end = sqlite_dialect_end,
    .run = sqlite_dialect_run,
    .ask = sqlite_dialect_ask,
    .list = sqlite_dialect_list,
    .append_names_query = append_names_query,
    .describe = sqlite_dialect_describe,
    .null_words = SQL_NULL_FAILED,
    .imagine = sqlite_imagine,
    .try_value = sqlite_try_value,
    .find_checks = sqlite_find_checks,
    .try_checks = sqlite_try_checks,
    .check_claim = check_claim,
    .silence = silence,
    .delete_all = sqlite_delete_all,
    .fetch_all = sqlite_fetch_all,
    .read_records = sqlite_read_records,
    .is_made = is_made,
    .forget_made = forget_made,
    .remove = sqlite_remove,
    .keeps = keeps,
    .append_held = append_held,
    .sum = sum,
    .undo = &sqlite_undo,
};
