/* The express lane: the target pulls a span out of another SQLite file itself, values untouched. */
#include "base/signals.h"
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include "connectors/sqlite/writer_internal.h"
#include <string.h>

#define SOURCE_SCHEMA "transhume_source"

enum { OPERATIONS_A_NOTE = 100000 };

bool sqlite_express_accepts(struct database *database, struct database *source)
{
    if (source->connector != database->connector) {
        return false;
    }
    const struct sqlite_database *from = sqlite_database_of(source);
    return from->mode == OPEN_SOURCE && from->source != NULL && !from->source->immutable;
}

/* Read-only, and never immutable: another program's commit has to be seen, or not be possible. The
 * path may lead to another file than the readers hold. */
static enum status attach(struct writer *writer, struct sqlite_database *source)
{
    struct buffer uri = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_AGAIN;

    sqlite_append_file_uri(&uri, source->path);
    buffer_append_string(&uri, "?mode=ro");
    if (sqlite3_prepare_v2(writer->connection, "ATTACH ?1 AS " SOURCE_SCHEMA, -1, &statement,
                           NULL) == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, buffer_string(&uri), -1, SQLITE_STATIC);
        bool attached = sqlite3_step(statement) == SQLITE_DONE;
        bool same = attached && sqlite_source_is_in(source, writer->connection, SOURCE_SCHEMA);
        if (same &&
            sqlite3_exec(writer->connection, "PRAGMA " SOURCE_SCHEMA ".cache_size=-2048", NULL,
                         NULL, NULL) == SQLITE_OK &&
            sqlite3_db_readonly(writer->connection, SOURCE_SCHEMA) == 1) {
            writer->attached = &source->sql.base;
            status = STATUS_OK;
        } else if (attached) {
            sqlite3_reset(statement);
            sqlite3_exec(writer->connection, "DETACH " SOURCE_SCHEMA, NULL, NULL, NULL);
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&uri);
    return status;
}

/* A table that was there may have other types, and SQLite would convert to them, or number a row
 * itself, without a word. */
static enum status values_stay(const struct writer_table *table, struct sqlite_database *database,
                               bool *stay, struct error *error)
{
    const struct schema_table *source = table->plan->same_engine;
    const struct catalog *catalog = NULL;

    *stay = false;
    if (source == NULL || table->facts.has_triggers || table->facts.is_view ||
        table->facts.is_virtual ||
        (table->existing != EXISTING_REFUSE && table->existing != EXISTING_APPEND)) {
        return STATUS_OK;
    }
    if (catalog_get(database, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct catalog_table *read = catalog_find(catalog, source->name);
    *stay = read != NULL;
    for (uint32_t i = 0; *stay && i < source->column_count; i++) {
        const struct sqlite_target_column *to =
            sqlite_target_find_column(&table->facts, source->columns[i].name);
        int32_t from = catalog_find_column(read, source->columns[i].name);
        *stay = to != NULL && from >= 0 &&
                read->columns[from].read.affinity == sqlite_affinity_letter(to->affinity) &&
                (!to->row_key || from == read->rowid_column);
    }
    return STATUS_OK;
}

/* A plan asks for the rowid too where nothing else names a record in its reject. */
static bool is_hidden_row_key(const struct schema_table *source, const char *name)
{
    return source->row_key != NULL && !source->row_key_stable &&
           sqlite_same_name(source->row_key, name);
}

/* The request without generated columns, and with the rowid where that is all that names a row. */
static enum status adapt_request(struct writer *writer, const struct writer_table *table,
                                 const struct read_request *request, struct read_request *adapted)
{
    const struct schema_table *source = table->plan->same_engine;
    struct read_column *columns =
        arena_allocate_zeroed(writer->scratch, (size_t)request->column_count + 1, sizeof *columns);
    uint32_t count = 0;

    if (request->column_count == 0) {
        return STATUS_AGAIN;
    }
    if (table->plan->created && source->row_key != NULL && !source->row_key_stable &&
        !table->facts.without_rowid) {
        columns[count++] = (struct read_column){.join = -1, .name = source->row_key};
    }
    for (uint32_t i = 0; i < request->column_count; i++) {
        const struct read_column *column = &request->columns[i];
        if (column->join != -1 || column->presence) {
            return STATUS_AGAIN;
        }
        if (is_hidden_row_key(source, column->name)) {
            continue;
        }
        const struct sqlite_target_column *to =
            sqlite_target_find_column(&table->facts, column->name);
        if (to == NULL) {
            return STATUS_AGAIN;
        }
        if (!to->generated) {
            columns[count++] = *column;
        }
    }
    *adapted = *request;
    adapted->columns = columns;
    adapted->column_count = count;
    return STATUS_OK;
}

static bool span_is_whole(const struct span *span)
{
    struct span_bounds bounds;
    struct error error;
    return span_decode(span, &bounds, &error) == STATUS_OK && !bounds.has_low && !bounds.has_high;
}

/*
 * SQLite hands over the records of a whole table without taking them apart, in well under two
 * thirds of the time, if the statement says nothing but SELECT * and both tables have the same
 * columns.
 */
static bool may_pull_whole(const struct writer_table *table, const struct read_request *adapted,
                           const struct span *span)
{
    const struct schema_table *source = table->plan->same_engine;
    bool keeps_rowids = source->row_key == NULL || source->row_key_stable;

    if (!keeps_rowids || adapted->column_count != source->column_count ||
        table->facts.column_count != source->column_count || !span_is_whole(span)) {
        return false;
    }
    for (uint32_t i = 0; i < source->column_count; i++) {
        if (strcmp(adapted->columns[i].name, source->columns[i].name) != 0 ||
            strcmp(table->facts.columns[i].name, source->columns[i].name) != 0) {
            return false;
        }
    }
    return true;
}

static enum status write_sql(struct writer *writer, uint32_t number, struct sqlite_database *source,
                             const struct read_request *request, const struct span *span,
                             struct buffer *sql, struct error *error)
{
    const struct writer_table *table = &writer->tables[number];
    struct read_request adapted;

    if (adapt_request(writer, table, request, &adapted) != STATUS_OK) {
        return STATUS_AGAIN;
    }
    sqlite_append(sql, "INSERT OR ABORT INTO main.%n", table->facts.name);
    if (may_pull_whole(table, &adapted, span)) {
        sqlite_append(sql, "%s%n", " SELECT * FROM " SOURCE_SCHEMA ".", request->table);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < adapted.column_count; i++) {
        sqlite_append(sql, "%s%n", i == 0 ? " (" : ", ", adapted.columns[i].name);
    }
    buffer_append_string(sql, ") ");
    return sqlite_express_select(source, &adapted, span, SOURCE_SCHEMA, sql, error);
}

/* The operations of a row are those within the statement's loops: each ends with one of these,
 * whose p2 is where it begins. 0: not known. */
static uint64_t count_row_operations(sqlite3 *connection, const char *sql)
{
    struct buffer explain = {0};
    sqlite3_stmt *statement = NULL;
    uint64_t operations = 0;
    buffer_format(&explain, "EXPLAIN %s", sql);
    if (sqlite3_prepare_v2(connection, buffer_string(&explain), -1, &statement, NULL) ==
        SQLITE_OK) {
        while (sqlite3_step(statement) == SQLITE_ROW) {
            int64_t address = sqlite3_column_int64(statement, 0);
            const char *name = (const char *)sqlite3_column_text(statement, 1);
            int64_t target = sqlite3_column_int64(statement, 3);
            bool loops = name != NULL && (strcmp(name, "Next") == 0 || strcmp(name, "Prev") == 0 ||
                                          strcmp(name, "SorterNext") == 0);
            operations += loops && target < address ? (uint64_t)(address - target + 1) : 0;
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&explain);
    return operations;
}

static enum status get_statement(struct writer *writer, uint32_t table, struct buffer *sql,
                                 sqlite3_stmt **statement, uint64_t *row_operations)
{
    const char *text = buffer_string(sql);
    for (struct writer_express *known = writer->expresses; known != NULL; known = known->next) {
        if (known->table == table && strcmp(known->sql, text) == 0) {
            *statement = known->statement;
            *row_operations = known->row_operations;
            return STATUS_OK;
        }
    }
    struct writer_express *made = arena_allocate_zeroed(writer->arena, 1, sizeof *made);
    if (sqlite3_prepare_v3(writer->connection, text, -1, SQLITE_PREPARE_PERSISTENT,
                           &made->statement, NULL) != SQLITE_OK) {
        return STATUS_AGAIN;
    }
    made->table = table;
    made->row_operations = count_row_operations(writer->connection, text);
    made->sql = arena_copy(writer->arena, text, sql->length);
    made->next = writer->expresses;
    writer->expresses = made;
    *statement = made->statement;
    *row_operations = made->row_operations;
    return STATUS_OK;
}

/* A statement under way says nothing of its rows, but how many operations it has run. */
struct pulling {
    struct database_report *report;
    uint64_t row_operations; /* about, of one row; 0: not known */
    uint64_t operations;
    uint64_t rows;
};

/* Tells how far it is; and a second signal does not wait for the end of a large table. */
static int note_pulling(void *context)
{
    struct pulling *pulling = context;
    pulling->operations += OPERATIONS_A_NOTE;
    if (pulling->row_operations > 0) {
        uint64_t rows = pulling->operations / pulling->row_operations;
        atomic_fetch_add(&pulling->report->pulled_rows, rows - pulling->rows);
        pulling->rows = rows;
    }
    return signals_stop_level() >= 2;
}

/* Within a savepoint: all rows of the span, or none. */
static enum status express_pull(struct writer *writer, struct sqlite_database *source,
                                sqlite3_stmt *statement, uint64_t row_operations, uint64_t *rows,
                                struct error *error)
{
    struct sqlite_database *self = writer->database;
    int result = sqlite_target_step(writer->savepoint);

    if (result != SQLITE_DONE) {
        return sqlite_target_error(self, writer->connection, result, ERROR_TARGET_WRITE,
                                   "a savepoint can't be set", error);
    }
    struct pulling pulling = {.report = &self->sql.base.report, .row_operations = row_operations};
    sqlite3_progress_handler(writer->connection, OPERATIONS_A_NOTE, note_pulling, &pulling);
    int pulled = sqlite3_step(statement);
    sqlite3_progress_handler(writer->connection, 0, NULL, NULL);
    atomic_fetch_sub(&pulling.report->pulled_rows, pulling.rows);
    if (pulled == SQLITE_DONE) {
        *rows = (uint64_t)sqlite3_changes64(writer->connection);
    }
    bool same = pulled == SQLITE_DONE && sqlite_source_unchanged(source);
    enum status status = same ? STATUS_OK : STATUS_AGAIN;
    sqlite_check_memory(pulled);
    if ((pulled & 0xff) == SQLITE_FULL) {
        status = sqlite_target_error(self, writer->connection, pulled, ERROR_TARGET_WRITE,
                                     "a chunk can't be written", error);
    }
    sqlite3_reset(statement);
    if (status == STATUS_FAILED) {
        return status;
    }
    if (sqlite3_get_autocommit(writer->connection)) {
        return sqlite_target_error(self, writer->connection, pulled, ERROR_TARGET_WRITE,
                                   "the transaction was rolled back", error);
    }
    result = status == STATUS_OK ? SQLITE_DONE : sqlite_target_step(writer->undo);
    result = result == SQLITE_DONE ? sqlite_target_step(writer->release) : result;
    if (result != SQLITE_DONE) {
        return sqlite_target_error(self, writer->connection, result, ERROR_TARGET_WRITE,
                                   "a savepoint can't be left", error);
    }
    return status;
}

enum status sqlite_express_chunk(struct writer *writer, struct database *database, uint64_t chunk,
                                 const struct read_request *request, const struct span *span,
                                 uint32_t number, uint64_t *rows, struct error *error)
{
    struct sqlite_database *source = sqlite_database_of(database);
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    uint64_t row_operations = 0;
    enum status status = STATUS_AGAIN;

    *rows = 0;
    if (writer->chunk != chunk || number >= writer->table_count || writer->has_result) {
        return error_set(error, ERROR_INTERNAL, writer->database->sql.shown,
                         "chunk %llu is not open", (unsigned long long)chunk);
    }
    if (writer_describe(writer, number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct writer_table *table = &writer->tables[number];
    if (!table->express_ready) {
        if (values_stay(table, source, &table->express_allowed, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        table->express_ready = true;
    }
    if (!table->express_allowed || (writer->attached != NULL && writer->attached != database)) {
        goto out;
    }
    if (writer->attached == NULL && attach(writer, source) != STATUS_OK) {
        table->express_allowed = false;
        goto out;
    }
    status = write_sql(writer, number, source, request, span, &sql, error);
    status = status == STATUS_OK ? get_statement(writer, number, &sql, &statement, &row_operations)
                                 : status;
    status = status == STATUS_OK ? sqlite_span_bind(span, statement, error) : status;
    status = status == STATUS_OK
                 ? express_pull(writer, source, statement, row_operations, rows, error)
                 : status;
out:
    arena_reset(writer->scratch);
    buffer_free(&sql);
    return status;
}
