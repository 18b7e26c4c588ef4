/* How many rows a table has: SQLite reads all of its pages to count them. */
#include "connectors/sqlite/source.h"
#include <string.h>

/* Below GUESSED_ROWS counting takes no time that anybody notices. */
enum { GUESSED_ROWS = 1 << 20, LOOKS = 64, ROWS_A_LOOK = 128 };

static enum status failed(struct sqlite_database *self, int result, const char *object,
                          struct error *error)
{
    return sqlite_error(self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ, object,
                        "its rows can't be counted", error);
}

enum status source_ask_number(struct sqlite_database *self, const char *sql, const char *object,
                              int64_t *number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite_prepare(self, self->control, sql, &statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(statement);
    *number = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? STATUS_OK : failed(self, result, object, error);
}

/* ---------------------------------------------------------------- guessing */

/* "SELECT rowid FROM main.t", from ?1 on or from its beginning, and what is behind it. */
static enum status prepare(struct sqlite_database *self, const struct schema_table *table,
                           bool from, const char *behind, sqlite3_stmt **statement,
                           struct error *error)
{
    struct buffer sql = {0};
    buffer_format(&sql, "SELECT %s FROM main.", table->row_key);
    sqlite_append_name(&sql, table->name);
    if (from) {
        buffer_format(&sql, " WHERE %s >= ?1", table->row_key);
    }
    buffer_append_string(&sql, behind);
    enum status status = sqlite_prepare(self, self->control, buffer_string(&sql), statement, error);
    buffer_free(&sql);
    return status;
}

/* Sets `*found` if there is a row, and `*rowid` to what it gives. */
static enum status step(struct sqlite_database *self, const struct schema_table *table,
                        sqlite3_stmt *statement, int64_t *rowid, bool *found, struct error *error)
{
    int result = sqlite3_step(statement);
    *found = result == SQLITE_ROW;
    *rowid = *found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return *found || result == SQLITE_DONE ? STATUS_OK : failed(self, result, table->name, error);
}

static enum status find_end(struct sqlite_database *self, const struct schema_table *table,
                            const char *behind, int64_t *rowid, bool *found, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (prepare(self, table, false, behind, &statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = step(self, table, statement, rowid, found, error);
    sqlite3_finalize(statement);
    return status;
}

/* Looks at some rows in a row in places that are evenly spread: `*dense` if none of them has a
 * gap. `last` is far behind `first`. */
static enum status look_for_gaps(struct sqlite_database *self, const struct schema_table *table,
                                 int64_t first, int64_t last, bool *dense, struct error *error)
{
    uint64_t step_rows = ((uint64_t)last - (uint64_t)first - ROWS_A_LOOK) / (LOOKS - 1);
    sqlite3_stmt *statement = NULL;
    if (prepare(self, table, true, " ORDER BY 1 LIMIT 1 OFFSET ?2", &statement, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    *dense = true;
    for (uint64_t i = 0; i < LOOKS && *dense && status == STATUS_OK; i++) {
        int64_t from = (int64_t)((uint64_t)first + i * step_rows);
        int64_t rowid = 0;
        bool found = false;
        sqlite3_bind_int64(statement, 1, from);
        sqlite3_bind_int64(statement, 2, ROWS_A_LOOK - 1);
        status = step(self, table, statement, &rowid, &found, error);
        *dense = found && rowid == from + (ROWS_A_LOOK - 1);
    }
    sqlite3_finalize(statement);
    return status;
}

/* `*rows` stays -1 where only counting tells. */
static enum status guess(struct sqlite_database *self, const struct schema_table *table,
                         int64_t *rows, struct error *error)
{
    int64_t first = 0;
    int64_t last = 0;
    bool found = false;
    bool dense = false;

    *rows = -1;
    if (table->row_key == NULL) {
        return STATUS_OK;
    }
    if (find_end(self, table, " ORDER BY 1 LIMIT 1", &first, &found, error) != STATUS_OK ||
        find_end(self, table, " ORDER BY 1 DESC LIMIT 1", &last, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t apart = found && last > first ? (uint64_t)last - (uint64_t)first : 0;
    if (apart < GUESSED_ROWS || apart >= INT64_MAX) {
        return STATUS_OK;
    }
    enum status status = look_for_gaps(self, table, first, last, &dense, error);
    *rows = dense ? (int64_t)apart + 1 : -1;
    return status;
}

/* ---------------------------------------------------------------- counting */

static enum status count_rows(struct sqlite_database *self, const struct schema_table *table,
                              int64_t *rows, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT count(*) FROM main.");
    sqlite_append_name(&sql, table->name);
    enum status status = source_ask_number(self, buffer_string(&sql), table->name, rows, error);
    buffer_free(&sql);
    return status;
}

static struct row_count *find_count(struct sqlite_source *source, const char *table)
{
    struct row_count *count = source->counts;
    while (count != NULL && strcmp(count->table, table) != 0) {
        count = count->next;
    }
    return count;
}

/* `may_guess`: a guess is good enough. */
static enum status rows_of(struct sqlite_database *self, const struct schema_table *table,
                           bool may_guess, int64_t *rows, struct error *error)
{
    static const char version_sql[] = "PRAGMA main.data_version";
    struct sqlite_source *source = self->source;
    struct row_count *count = find_count(source, table->name);
    int64_t version = 0;
    int64_t version_after = 0;
    int64_t guessed = -1;

    if (source_ask_number(self, version_sql, self->shown, &version, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count != NULL && count->data_version == version && (may_guess || !count->guessed)) {
        *rows = count->rows;
        return STATUS_OK;
    }
    if (may_guess && guess(self, table, &guessed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *rows = guessed;
    if ((guessed < 0 && count_rows(self, table, rows, error) != STATUS_OK) ||
        source_ask_number(self, version_sql, self->shown, &version_after, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count == NULL && (count = arena_allocate_zeroed(self->arena, 1, sizeof *count)) != NULL) {
        count->table = table->name;
        count->next = source->counts;
        source->counts = count;
    }
    if (count != NULL) {
        count->data_version = version == version_after ? version : -1;
        count->rows = *rows;
        count->guessed = guessed >= 0;
    }
    return STATUS_OK;
}

enum status source_guess_rows(struct sqlite_database *self, const struct catalog_table *table,
                              int64_t *rows, struct error *error)
{
    return rows_of(self, table->schema, true, rows, error);
}

enum status source_count(struct database *database, const struct read_request *request,
                         int64_t *rows, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct catalog_table *table = NULL;

    *rows = -1;
    if (request_root(self, request, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return table != NULL && table->schema->kind == SCHEMA_TABLE
               ? rows_of(self, table->schema, false, rows, error)
               : STATUS_OK;
}
