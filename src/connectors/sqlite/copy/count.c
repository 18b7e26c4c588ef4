/* How many rows a table has: SQLite goes through all of it, or of an index, to count them. */
#include "connectors/sqlite/source.h"
#include <string.h>

/* Files below GUESSED_BYTES are counted in no time that anybody notices. No row takes less than
 * ROW_BYTES_MIN of its page: its place in it, its length, its rowid, its header. */
enum { GUESSED_BYTES = 16 << 20, ROW_BYTES_MIN = 5, LOOKS = 64, ROWS_A_LOOK = 16 };

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

enum status source_file_bytes(struct sqlite_database *self, int64_t *bytes, struct error *error)
{
    return source_ask_number(self,
                             "SELECT page_count * page_size FROM pragma_page_count('main'), "
                             "pragma_page_size('main')",
                             self->sql.shown, bytes, error);
}

/* ---------------------------------------------------------------- guessing */

/* `what` of the rowid, and what is behind the table's name. SQLite answers all that is asked so by
 * one search, whatever its statistics tell: those of a time when the table had one or two rows make
 * it go through the whole table for a range of rowids. */
static enum status count_prepare(struct sqlite_database *self, const struct schema_table *table,
                                 const char *what, const char *behind, sqlite3_stmt **statement,
                                 struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "SELECT %s(%s) FROM main.%n", what, table->row_key, table->name);
    if (behind != NULL) {
        buffer_format(&sql, " WHERE %s %s", table->row_key, behind);
    }
    enum status status = sqlite_prepare(self, self->control, buffer_string(&sql), statement, error);
    buffer_free(&sql);
    return status;
}

/* The first rowid ("min") or the last one ("max"); `*found` false: there is none. */
static enum status find_end(struct sqlite_database *self, const struct schema_table *table,
                            const char *which, int64_t *rowid, bool *found, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (count_prepare(self, table, which, NULL, &statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(statement);
    *found = result == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER;
    *rowid = *found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? STATUS_OK : failed(self, result, table->name, error);
}

/* Looks at some rowids in a row in places that are evenly spread: `*dense` if all are there.
 * `last` is far behind `first`. */
static enum status look_for_gaps(struct sqlite_database *self, const struct schema_table *table,
                                 int64_t first, int64_t last, bool *dense, struct error *error)
{
    uint64_t apart = ((uint64_t)last - (uint64_t)first - ROWS_A_LOOK) / (LOOKS - 1);
    sqlite3_stmt *statement = NULL;
    int result = SQLITE_ROW;
    if (count_prepare(self, table, "", "= ?1", &statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t i = 0; i < LOOKS * ROWS_A_LOOK && result == SQLITE_ROW; i++) {
        uint64_t ahead = i / ROWS_A_LOOK * apart + i % ROWS_A_LOOK;
        sqlite3_bind_int64(statement, 1, (int64_t)((uint64_t)first + ahead));
        result = sqlite3_step(statement);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    *dense = result == SQLITE_ROW;
    return *dense || result == SQLITE_DONE ? STATUS_OK : failed(self, result, table->name, error);
}

/* `*rows` stays -1 where only counting tells. */
static enum status guess(struct sqlite_database *self, const struct schema_table *table,
                         int64_t *rows, struct error *error)
{
    int64_t bytes = 0;
    int64_t first = 0;
    int64_t last = 0;
    bool found = false;
    bool dense = false;

    *rows = -1;
    if (table->row_key == NULL) {
        return STATUS_OK;
    }
    if (source_file_bytes(self, &bytes, error) != STATUS_OK ||
        find_end(self, table, "min", &first, &found, error) != STATUS_OK ||
        find_end(self, table, "max", &last, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t apart = found && last > first ? (uint64_t)last - (uint64_t)first : 0;
    if (bytes < GUESSED_BYTES || apart <= LOOKS * ROWS_A_LOOK ||
        apart >= (uint64_t)bytes / ROW_BYTES_MIN) {
        return STATUS_OK;
    }
    enum status status = look_for_gaps(self, table, first, last, &dense, error);
    *rows = dense ? (int64_t)apart + 1 : -1;
    return status;
}

/* ---------------------------------------------------------------- counting */

static enum status count_by(struct sqlite_database *self, const struct schema_table *table,
                            bool index, int64_t *rows, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "SELECT count(*) FROM main.%n%s", table->name, index ? "" : " NOT INDEXED");
    enum status status = source_ask_number(self, buffer_string(&sql), table->name, rows, error);
    buffer_free(&sql);
    return status;
}

/* SQLite may want to count in an index whose collation only an application knows. Of a table
 * without a row key readers rely on the number: not what a damaged index says. */
static enum status count_rows(struct sqlite_database *self, const struct schema_table *table,
                              int64_t *rows, struct error *error)
{
    enum status status = count_by(self, table, table->row_key != NULL, rows, error);
    if (status == STATUS_FAILED && error->native_code == SQLITE_ERROR_MISSING_COLLSEQ) {
        error_clear(error);
        status = count_by(self, table, false, rows, error);
    }
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

static void keep_count(struct sqlite_database *self, const char *table,
                       const struct row_count *found)
{
    struct sqlite_source *source = self->source;
    struct row_count *count = find_count(source, table);
    if (count == NULL) {
        count = arena_allocate_zeroed(self->arena, 1, sizeof *count);
        count->table = table;
        count->next = source->counts;
        source->counts = count;
    }
    count->data_version = found->data_version;
    count->rows = found->rows;
    count->guessed = found->guessed;
}

/* Within one transaction, so that the version is that of the rows. */
static enum status look_for_rows(struct sqlite_database *self, const struct schema_table *table,
                                 bool may_guess, int64_t *rows, struct error *error)
{
    const struct row_count *kept = find_count(self->source, table->name);
    struct row_count found = {.rows = -1};

    if (source_ask_number(self, "PRAGMA main.data_version", self->sql.shown, &found.data_version,
                          error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (kept != NULL && kept->data_version == found.data_version && (may_guess || !kept->guessed)) {
        *rows = kept->rows;
        return STATUS_OK;
    }
    if (may_guess && guess(self, table, &found.rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    found.guessed = found.rows >= 0;
    if (!found.guessed && count_rows(self, table, &found.rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *rows = found.rows;
    keep_count(self, table->name, &found);
    return STATUS_OK;
}

/* `may_guess`: a guess is good enough. */
static enum status rows_of(struct sqlite_database *self, const struct schema_table *table,
                           bool may_guess, int64_t *rows, struct error *error)
{
    bool begun = false;
    if (sqlite_begin_looks(self, self->control, &begun, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = look_for_rows(self, table, may_guess, rows, error);
    sqlite_end_looks(self->control, begun);
    return status;
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
    if (table == NULL || table->schema->kind != SCHEMA_TABLE) {
        return STATUS_OK;
    }
    sqlite_connection_heed_stop(self->control, true);
    enum status status = rows_of(self, table->schema, false, rows, error);
    sqlite_connection_heed_stop(self->control, false);
    return status;
}
