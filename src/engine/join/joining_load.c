/* Reads one table of the source into the file of joins. */
#include "base/failpoint.h"
#include "base/retry.h"
#include "base/signals.h"
#include "engine/join/joining_parts.h"
#include "model/cell_bytes.h"
#include "model/order_bytes.h"
#include <stdio.h>
#include <string.h>

enum {
    BATCH_ROWS = 4096,
    BATCH_BYTES = 1 << 20,
    PROGRESS_ROWS = 1000000,
    SORTING_SAID_ROWS = 100000
};

/* A table while it is read. */
struct loading {
    struct joining *joining;
    const struct joining_table *table;
    struct column_list row_key; /* declared; empty: rows go by their order */
    struct read_request request;
    /* which cell of a record each column, part of the row key, and part of each key is; of
     * documents they are looked up by name */
    uint32_t *columns;
    uint32_t *row_key_parts;
    uint32_t **key_parts;
    sqlite3 *output;
    sqlite3_stmt *insert;
    struct buffer bytes;
    uint64_t rows;
    void (*progress)(const char *what);
};

/* ---- what is asked of the source */

static uint32_t ask_for(struct read_column *columns, uint32_t *count, const char *name)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(columns[i].name, name) == 0) {
            return i;
        }
    }
    columns[*count] = (struct read_column){.join = -1, .name = name};
    return (*count)++;
}

static void ask_for_list(struct loading *loading, struct read_column *columns, uint32_t *count,
                         struct column_list list, uint32_t **positions)
{
    *positions =
        arena_allocate_zeroed(loading->joining->arena, list.count + (size_t)1, sizeof **positions);
    for (uint32_t i = 0; i < list.count; i++) {
        (*positions)[i] = ask_for(columns, count, list.names[i]);
    }
}

static void make_request(struct loading *loading)
{
    const struct joining_table *table = loading->table;
    struct arena *arena = loading->joining->arena;
    size_t most = (size_t)table->column_count + loading->row_key.count + 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->key_count; i++) {
        most += table->keys[i].columns.count;
    }
    struct read_column *columns = arena_allocate_zeroed(arena, most, sizeof *columns);
    loading->key_parts =
        arena_allocate_zeroed(arena, table->key_count + (size_t)1, sizeof(uint32_t *));
    ask_for_list(loading, columns, &count,
                 (struct column_list){table->columns, table->column_count}, &loading->columns);
    ask_for_list(loading, columns, &count, loading->row_key, &loading->row_key_parts);
    for (uint32_t i = 0; i < table->key_count; i++) {
        ask_for_list(loading, columns, &count, table->keys[i].columns, &loading->key_parts[i]);
    }
    loading->request = (struct read_request){.name = table->name, .table = table->name};
    if (!loading->joining->documents) {
        loading->request.columns = columns;
        loading->request.column_count = count;
    }
}

/* ---- one record */

static const struct cell *value_of(const struct loading *loading, const struct cell *row,
                                   uint32_t position, const char *name)
{
    static const struct cell missing = {.kind = VALUE_MISSING};
    if (!loading->joining->documents) {
        return &row[position];
    }
    if (name[0] == '\0') {
        return row;
    }
    const struct cell *found = value_field(row, name);
    return found != NULL ? found : &missing;
}

static enum status append_key(struct loading *loading, const struct cell *row,
                              struct column_list columns, const uint32_t *parts,
                              struct error *error)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct cell *cell = value_of(loading, row, parts[i], columns.names[i]);
        if (order_bytes_append(cell, &loading->bytes, error) != STATUS_OK) {
            return error_context(error, "%s.%s: ", loading->table->name, columns.names[i]);
        }
    }
    return STATUS_OK;
}

static bool matches_nothing(const struct loading *loading, const struct cell *row,
                            const struct joining_key *key, const uint32_t *parts)
{
    for (uint32_t i = 0; !key->is_order && i < key->columns.count; i++) {
        if (order_bytes_matches_nothing(value_of(loading, row, parts[i], key->columns.names[i]))) {
            return true;
        }
    }
    return false;
}

/* Binds what was appended since `begin`, at its offset: the buffer may still move. */
struct bound {
    size_t begin;
    size_t end;
    bool is_null;
};

static enum status append_record(struct loading *loading, const struct cell *row,
                                 struct bound *bounds, struct error *error)
{
    const struct joining_table *table = loading->table;
    struct buffer *bytes = &loading->bytes;
    buffer_clear(bytes);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (cell_bytes_append(value_of(loading, row, loading->columns[i], table->columns[i]), bytes,
                              error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    bounds[0] = (struct bound){0, bytes->length, table->column_count == 0};
    if (append_key(loading, row, loading->row_key, loading->row_key_parts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bounds[1] = (struct bound){bounds[0].end, bytes->length, loading->row_key.count == 0};
    for (uint32_t i = 0; i < table->key_count; i++) {
        const struct joining_key *key = &table->keys[i];
        struct bound *bound = &bounds[2 + i];
        *bound = (struct bound){bytes->length, bytes->length,
                                matches_nothing(loading, row, key, loading->key_parts[i])};
        if (!bound->is_null &&
            append_key(loading, row, key->columns, loading->key_parts[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        bound->end = bytes->length;
    }
    return STATUS_OK;
}

static enum status insert_record(struct loading *loading, const struct cell *row,
                                 struct bound *bounds, struct error *error)
{
    uint32_t count = 2 + loading->table->key_count;
    if (append_record(loading, row, bounds, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t length = bounds[i].end - bounds[i].begin;
        int result = bounds[i].is_null ? sqlite3_bind_null(loading->insert, (int)i + 1)
                                       : sqlite3_bind_blob64(loading->insert, (int)i + 1,
                                                             loading->bytes.data + bounds[i].begin,
                                                             length, SQLITE_STATIC);
        if (result != SQLITE_OK) {
            return joining_error(loading->joining, loading->output, result,
                                 "a record can't be kept for joins", error);
        }
    }
    sqlite3_step(loading->insert);
    int result = sqlite3_reset(loading->insert);
    loading->rows++;
    return result == SQLITE_OK ? STATUS_OK
                               : joining_error(loading->joining, loading->output, result,
                                               "a record can't be kept for joins", error);
}

/* ---- all of them */

static enum status refuse_unreadable(const struct loading *loading, const char *reason,
                                     struct error *error)
{
    error_set(error, ERROR_SOURCE_READ, loading->table->name,
              "a record that is to be looked up or embedded can't be read: %s", reason);
    return error_hint(error, "fix or delete it: a list without it would look complete");
}

static enum status take_batch(struct loading *loading, const struct batch *batch,
                              struct bound *bounds, struct error *error)
{
    if (batch->refused != NULL) {
        return refuse_unreadable(loading, batch->refused->reason, error);
    }
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *cells = batch_row(batch, row);
        if (loading->joining->documents && cells->kind != VALUE_MAP) {
            return refuse_unreadable(loading, "it is no document", error);
        }
        if (insert_record(loading, cells, bounds, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (loading->progress != NULL && loading->rows % PROGRESS_ROWS == 0) {
            char what[256];
            (void)snprintf(what, sizeof what, "reading %.80s for joins: %llu records",
                           loading->table->name, (unsigned long long)loading->rows);
            loading->progress(what);
        }
    }
    return STATUS_OK;
}

static enum status read_all(struct loading *loading, struct error *error)
{
    struct database *self = loading->joining->options.source;
    const struct source_functions *source = self->connector->source;
    struct reader *reader = NULL;
    struct cursor *cursor = NULL;
    struct bound *bounds = arena_allocate_zeroed(
        loading->joining->arena, loading->table->key_count + (size_t)2, sizeof *bounds);
    enum status status = source->reader_open(self, &reader, error);
    if (status == STATUS_OK) {
        status = source->cursor_open(reader, &loading->request, NULL, &cursor, error);
    }
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = signals_stop_level() > 0
                     ? error_set(error, ERROR_INTERRUPTED, loading->table->name,
                                 "stopped while it was read for joins")
                     : source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        if (status == STATUS_OK) {
            status = take_batch(loading, batch, bounds, error);
            batch_destroy(batch);
        }
        status = status == STATUS_OK ? failpoint_hit("engine.joins_batch", error) : status;
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    if (reader != NULL) {
        source->reader_close(reader);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status joining_load_execute(struct loading *loading, const char *sql, const char *what,
                                        struct error *error)
{
    int result = sqlite3_exec(loading->output, sql, NULL, NULL, NULL);
    return result == SQLITE_OK
               ? STATUS_OK
               : joining_error(loading->joining, loading->output, result, what, error);
}

static enum status make_table(struct loading *loading, struct error *error)
{
    const struct joining_table *table = loading->table;
    struct buffer create = {0};
    struct buffer insert = {0};
    buffer_format(&create, "CREATE TABLE t%u(seq INTEGER PRIMARY KEY, p BLOB, r BLOB",
                  table->number);
    buffer_format(&insert, "INSERT INTO t%u VALUES(NULL, ?1, ?2", table->number);
    for (uint32_t i = 0; i < table->key_count; i++) {
        buffer_format(&create, ", k%u BLOB", i);
        buffer_format(&insert, ", ?%u", i + 3);
    }
    buffer_append_byte(&create, ')');
    buffer_append_byte(&insert, ')');
    enum status status =
        joining_load_execute(loading, buffer_string(&create), "a table for joins", error);
    if (status == STATUS_OK) {
        int result =
            sqlite3_prepare_v2(loading->output, buffer_string(&insert), -1, &loading->insert, NULL);
        status = result == SQLITE_OK ? STATUS_OK
                                     : joining_error(loading->joining, loading->output, result,
                                                     "a table for joins", error);
    }
    buffer_free(&create);
    buffer_free(&insert);
    return status;
}

/* Again from its first record, as long as it pays. */
static enum status read_with_retries(struct loading *loading, struct error *error)
{
    struct retry retry;
    char sql[48];
    retry_init(&retry, loading->joining->options.patience_ms);
    (void)snprintf(sql, sizeof sql, "DELETE FROM t%u", loading->table->number);
    for (;;) {
        enum status status = read_all(loading, error);
        if (status != STATUS_FAILED) {
            return status;
        }
        if (error->class != ERROR_CLASS_RETRY || !retry_wait(&retry, error)) {
            return error_context(error, "reading %s for joins: ", loading->table->name);
        }
        loading->rows = 0;
        if (joining_load_execute(loading, sql, "a table for joins can't be emptied", error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

static enum status make_indexes(struct loading *loading, struct error *error)
{
    const struct joining_table *table = loading->table;
    for (uint32_t i = 0; i < table->key_count; i++) {
        char sql[96];
        if (!table->keys[i].is_searched) {
            continue;
        }
        if (loading->progress != NULL && loading->rows >= SORTING_SAID_ROWS) {
            char what[256];
            (void)snprintf(what, sizeof what, "sorting %llu records of %.60s by %.60s",
                           (unsigned long long)loading->rows, table->name,
                           table->keys[i].columns.names[0]);
            loading->progress(what);
        }
        (void)snprintf(sql, sizeof sql, "CREATE INDEX x%u_%u ON t%u(k%u, r)", table->number, i,
                       table->number, i);
        if (joining_load_execute(loading, sql, "a sorted list can't be written", error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status joining_load(struct joining *joining, const struct joining_table *table,
                         sqlite3 *output, void (*progress)(const char *what), struct error *error)
{
    struct loading loading = {
        .joining = joining, .table = table, .output = output, .progress = progress};
    if (table->schema != NULL) {
        loading.row_key = table->schema->primary_key;
    }
    if (progress != NULL) {
        char what[256];
        (void)snprintf(what, sizeof what, "reading %.80s for look-ups and lists", table->name);
        progress(what);
    }
    make_request(&loading);
    enum status status = make_table(&loading, error);
    status = status == STATUS_OK ? read_with_retries(&loading, error) : status;
    status = status == STATUS_OK ? make_indexes(&loading, error) : status;
    status = status == STATUS_OK ? failpoint_hit("engine.joins_table_kept", error) : status;
    sqlite3_finalize(loading.insert);
    buffer_free(&loading.bytes);
    return status;
}
