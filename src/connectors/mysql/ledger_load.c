/* Reading the ledger back, and looking one chunk up. */
#include "connectors/ledger_checksum.h"
#include "connectors/mysql/target.h"
#include <stdio.h>
#include <string.h>

struct loader {
    struct maria_database *self;
    MYSQL *connection;
    struct arena *arena;
    struct ledger_run *run;
    bool out_of_memory;
    struct error *error;
};

static const char *text(struct loader *loader, const char *value)
{
    const char *copy = value != NULL ? arena_copy_string(loader->arena, value) : NULL;
    loader->out_of_memory |= value != NULL && copy == NULL;
    return copy;
}

/* -1: there is none. */
static int64_t number(const char *digits)
{
    int64_t value = -1;
    return digits != NULL && text_to_int64(digits, strlen(digits), &value) == STATUS_OK ? value
                                                                                        : -1;
}

static enum status ask(struct loader *loader, const char *before, const char *table,
                       struct buffer *after, MYSQL_RES **result)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, before);
    maria_append_table(&sql, loader->self, table);
    buffer_append_buffer(&sql, after);
    buffer_free(after);
    return maria_query_buffer(loader->self, loader->connection, &sql, MARIA_LONG,
                              ERROR_LEDGER_INVALID, result, loader->error);
}

static enum status ask_of_run(struct loader *loader, const char *before, const char *table,
                              const char *order, MYSQL_RES **result)
{
    struct buffer after = {0};
    buffer_append_string(&after, " WHERE run = ");
    maria_append_string(&after, loader->run->id);
    buffer_append_string(&after, order);
    return ask(loader, before, table, &after, result);
}

static enum status no_memory(struct loader *loader)
{
    return error_set(loader->error, ERROR_MEMORY, loader->self->shown, "no memory for the ledger");
}

static enum status invalid(struct loader *loader, const char *what)
{
    return maria_ledger_invalid(loader->self, what, loader->error);
}

static enum status load_run(struct loader *loader, const char *run_id, const char **checksum)
{
    struct ledger_run *run = loader->run;
    struct buffer after = {0};
    MYSQL_RES *result = NULL;
    if (run_id != NULL) {
        buffer_append_string(&after, " WHERE id = ");
        maria_append_string(&after, run_id);
    }
    buffer_append_string(&after, " ORDER BY number DESC LIMIT 1");
    enum status status =
        ask(loader, "SELECT id, epoch, header, status, chunk_count, checksum FROM ",
            "_transhume_run", &after, &result);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (status == STATUS_OK && row == NULL) {
        status = STATUS_END;
    }
    if (status == STATUS_OK) {
        int64_t epoch = number(row[1]);
        int64_t count = number(row[4]);
        run->id = text(loader, row[0]);
        run->header = text(loader, row[2]);
        run->status = text(loader, row[3]);
        *checksum = text(loader, row[5]);
        run->epoch = (uint64_t)epoch;
        run->chunk_count = (uint64_t)count;
        status = loader->out_of_memory ? no_memory(loader)
                 : epoch < 0 || count < 0 || count > INT32_MAX
                     ? invalid(loader, "the run's own row is not as it was written")
                     : STATUS_OK;
    }
    mysql_free_result(result);
    return status;
}

static enum status load_chunk(struct loader *loader, MYSQL_RES *result, MYSQL_ROW row,
                              struct ledger_chunk *chunk)
{
    const unsigned long *lengths = mysql_fetch_lengths(result);
    struct span *span = &chunk->span;
    int64_t stream = number(row[1]);
    chunk->number = (uint64_t)number(row[0]);
    chunk->stream = (uint32_t)stream;
    span->printable = text(loader, row[2]);
    span->row_estimate = number(row[4]);
    span->last_id = text(loader, row[5]);
    if (row[3] != NULL) {
        span->bounds = (const uint8_t *)arena_copy(loader->arena, row[3], lengths[3]);
        span->bounds_length = (uint32_t)lengths[3];
        loader->out_of_memory |= span->bounds == NULL;
    }
    return stream < 0 ? invalid(loader, "a chunk is missing") : STATUS_OK;
}

static enum status load_chunks(struct loader *loader)
{
    struct ledger_run *run = loader->run;
    MYSQL_RES *result = NULL;
    enum status status =
        ask_of_run(loader, "SELECT number, stream, printable, bounds, row_estimate, last_id FROM ",
                   "_transhume_chunk", " ORDER BY number", &result);
    if (status == STATUS_OK && mysql_num_rows(result) != run->chunk_count) {
        status = invalid(loader, "chunks are missing");
    }
    if (status == STATUS_OK) { /* as many as there are, whatever the run's own row says */
        run->chunks =
            arena_allocate_zeroed(loader->arena, run->chunk_count + 1, sizeof *run->chunks);
        status = run->chunks == NULL ? no_memory(loader) : STATUS_OK;
    }
    for (uint64_t i = 0; status == STATUS_OK && i < run->chunk_count; i++) {
        status = load_chunk(loader, result, mysql_fetch_row(result), &run->chunks[i]);
        if (status == STATUS_OK && run->chunks[i].number != i + 1) {
            status = invalid(loader, "a chunk is missing");
        }
    }
    mysql_free_result(result);
    return status == STATUS_OK && loader->out_of_memory ? no_memory(loader) : status;
}

static enum status load_done(struct loader *loader)
{
    struct ledger_run *run = loader->run;
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    enum status status = ask_of_run(loader, "SELECT chunk, epoch, mark FROM ", "_transhume_done",
                                    " ORDER BY chunk", &result);
    run->done = arena_allocate_zeroed(loader->arena, run->chunk_count + 1, sizeof *run->done);
    status = status == STATUS_OK && run->done == NULL ? no_memory(loader) : status;
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        int64_t chunk = number(row[0]);
        int64_t epoch = number(row[1]);
        if (chunk < 1 || (uint64_t)chunk > run->chunk_count || epoch < 1 ||
            (uint64_t)epoch > run->epoch || run->done_count >= run->chunk_count) {
            status = invalid(loader, "there is a done mark of a chunk or attempt that never was");
            break;
        }
        run->done[run->done_count++] = (struct done_mark){
            .chunk = (uint64_t)chunk, .epoch = (uint64_t)epoch, .text = text(loader, row[2])};
    }
    mysql_free_result(result);
    return status == STATUS_OK && loader->out_of_memory ? no_memory(loader) : status;
}

static enum status load_all(struct loader *loader, const char *run_id)
{
    const char *checksum = NULL;
    char hex[33];
    enum status status = maria_ledger_check(loader->self, loader->connection, loader->error);
    status = status == STATUS_OK ? load_run(loader, run_id, &checksum) : status;
    status = status == STATUS_OK ? load_chunks(loader) : status;
    status = status == STATUS_OK ? load_done(loader) : status;
    status = status == STATUS_OK ? ledger_checksum(loader->run->header, loader->run->chunks,
                                                   loader->run->chunk_count, hex, loader->error)
                                 : status;
    if (status == STATUS_OK && (checksum == NULL || strcmp(hex, checksum) != 0)) {
        status = invalid(loader, "the header or a chunk was changed after it was written");
    }
    return status;
}

enum status maria_ledger_load(struct database *database, const char *run_id, struct arena *arena,
                              struct ledger_run **run, struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    struct loader loader = {.self = self, .arena = arena, .error = error};

    *run = NULL;
    loader.run = arena_allocate_zeroed(arena, 1, sizeof *loader.run);
    if (loader.run == NULL) {
        return no_memory(&loader);
    }
    if (maria_begin(self, &loader.connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = maria_end(self, loader.connection, load_all(&loader, run_id), error);
    *run = status == STATUS_OK ? loader.run : NULL;
    return status;
}

/*
 * A session whose connection broke may still be in its COMMIT: a read that locks waits for the mark
 * that it wrote, and so for its end, whichever it is.
 */
enum status maria_ledger_done(struct database *database, const char *run_id, uint64_t chunk,
                              struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct loader loader = {.self = maria_database_of(database), .arena = arena, .error = error};
    struct buffer after = {0};
    MYSQL_RES *result = NULL;

    if (maria_begin(loader.self, &loader.connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&after, " WHERE run = ");
    maria_append_string(&after, run_id);
    buffer_format(&after, " AND chunk = %llu LOCK IN SHARE MODE", (unsigned long long)chunk);
    enum status status =
        ask(&loader, "SELECT epoch, mark FROM ", "_transhume_done", &after, &result);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL) {
        *mark = (struct done_mark){
            .chunk = chunk, .epoch = (uint64_t)number(row[0]), .text = text(&loader, row[1])};
        status = loader.out_of_memory ? no_memory(&loader) : STATUS_OK;
    }
    bool found = row != NULL;
    mysql_free_result(result);
    status = maria_end(loader.self, loader.connection, status, error);
    return status == STATUS_OK && !found ? STATUS_END : status;
}
