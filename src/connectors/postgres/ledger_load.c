/* Reading a run back from the ledger, every part of it checked. */
#include "base/text.h"
#include "connectors/ledger_checksum.h"
#include "connectors/postgres/locks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    struct postgres_database *self;
    PGconn *connection;
    struct arena *arena;
    struct ledger_run *run;
    struct error *error;
    bool out_of_memory;
};

static const char *text(struct loader *loader, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column) != 0) {
        return NULL;
    }
    const char *copy = arena_copy_string(loader->arena, PQgetvalue(result, row, column));
    loader->out_of_memory |= copy == NULL;
    return copy;
}

static int64_t number(const PGresult *result, int row, int column)
{
    int64_t value = -1;
    const char *digits = PQgetvalue(result, row, column);
    return text_to_int64(digits, strlen(digits), &value) == STATUS_OK ? value : -1;
}

static enum status ask(struct loader *loader, const char *before, const char *table,
                       const char *after, const struct postgres_parameter *parameters, int count,
                       PGresult **result)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, before);
    postgres_append_table(&sql, loader->self, table);
    buffer_append_string(&sql, after);
    return postgres_query_buffer(loader->self, loader->connection, &sql, parameters, count,
                                 POSTGRES_LONG, ERROR_LEDGER_INVALID, result, loader->error);
}

static enum status no_memory(struct loader *loader)
{
    return error_set(loader->error, ERROR_MEMORY, loader->self->shown, "no memory for the ledger");
}

static enum status invalid(struct loader *loader, const char *what)
{
    return postgres_ledger_invalid(loader->self, what, loader->error);
}

static enum status load_run(struct loader *loader, const char *run_id, const char **checksum)
{
    const struct postgres_parameter parameter = {.text = run_id};
    struct ledger_run *run = loader->run;
    PGresult *result = NULL;
    enum status status = ask(
        loader, "SELECT id, epoch, header, status, chunk_count, checksum FROM ", "_transhume_run",
        " WHERE $1::text IS NULL OR id = $1 ORDER BY number DESC LIMIT 1", &parameter, 1, &result);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        status = STATUS_END;
    }
    if (status == STATUS_OK) {
        int64_t epoch = number(result, 0, 1);
        int64_t count = number(result, 0, 4);
        run->id = text(loader, result, 0, 0);
        run->header = text(loader, result, 0, 2);
        run->status = text(loader, result, 0, 3);
        *checksum = text(loader, result, 0, 5);
        run->epoch = (uint64_t)epoch;
        run->chunk_count = (uint64_t)count;
        status = loader->out_of_memory ? no_memory(loader)
                 : epoch < 0 || count < 0 || count > INT32_MAX
                     ? invalid(loader, "the run's own row is not as it was written")
                     : STATUS_OK;
    }
    PQclear(result);
    return status;
}

static enum status load_bounds(struct loader *loader, const PGresult *result, int row,
                               struct span *span)
{
    size_t length = 0;
    if (PQgetisnull(result, row, 3) != 0) {
        return STATUS_OK;
    }
    unsigned char *bytes =
        PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 3), &length);
    span->bounds = bytes != NULL ? (const uint8_t *)arena_copy(loader->arena, bytes, length) : NULL;
    span->bounds_length = (uint32_t)length;
    PQfreemem(bytes);
    return span->bounds != NULL ? STATUS_OK : no_memory(loader);
}

static enum status load_chunks(struct loader *loader)
{
    const struct postgres_parameter parameter = {.text = loader->run->id};
    struct ledger_run *run = loader->run;
    PGresult *result = NULL;
    enum status status =
        ask(loader, "SELECT number, stream, printable, bounds, row_estimate, last_id FROM ",
            "_transhume_chunk", " WHERE run = $1 ORDER BY number", &parameter, 1, &result);
    if (status == STATUS_OK && (uint64_t)PQntuples(result) != run->chunk_count) {
        status = invalid(loader, "chunks are missing");
    }
    if (status == STATUS_OK) { /* as many as there are, whatever the run's own row says */
        run->chunks =
            arena_allocate_zeroed(loader->arena, run->chunk_count + 1, sizeof *run->chunks);
        status = run->chunks == NULL ? no_memory(loader) : STATUS_OK;
    }
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        struct ledger_chunk *chunk = &run->chunks[row];
        int64_t stream = number(result, row, 1);
        chunk->number = (uint64_t)number(result, row, 0);
        chunk->stream = (uint32_t)stream;
        chunk->span.printable = text(loader, result, row, 2);
        chunk->span.row_estimate = number(result, row, 4);
        chunk->span.last_id = text(loader, result, row, 5);
        status = load_bounds(loader, result, row, &chunk->span);
        if (status == STATUS_OK && (chunk->number != (uint64_t)row + 1 || stream < 0)) {
            status = invalid(loader, "a chunk is missing");
        }
    }
    PQclear(result);
    return status == STATUS_OK && loader->out_of_memory ? no_memory(loader) : status;
}

static enum status load_done(struct loader *loader)
{
    const struct postgres_parameter parameter = {.text = loader->run->id};
    struct ledger_run *run = loader->run;
    PGresult *result = NULL;
    enum status status = ask(loader, "SELECT chunk, epoch, mark FROM ", "_transhume_done",
                             " WHERE run = $1 ORDER BY chunk", &parameter, 1, &result);
    run->done = arena_allocate_zeroed(loader->arena, run->chunk_count + 1, sizeof *run->done);
    status = status == STATUS_OK && run->done == NULL ? no_memory(loader) : status;
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        int64_t chunk = number(result, row, 0);
        int64_t epoch = number(result, row, 1);
        if (chunk < 1 || (uint64_t)chunk > run->chunk_count || epoch < 1 ||
            (uint64_t)epoch > run->epoch || run->done_count >= run->chunk_count) {
            status = invalid(loader, "there is a done mark of a chunk or attempt that never was");
            break;
        }
        run->done[run->done_count++] = (struct done_mark){.chunk = (uint64_t)chunk,
                                                          .epoch = (uint64_t)epoch,
                                                          .text = text(loader, result, row, 2)};
    }
    PQclear(result);
    return status == STATUS_OK && loader->out_of_memory ? no_memory(loader) : status;
}

static enum status load_all(struct loader *loader, const char *run_id)
{
    const char *checksum = NULL;
    char hex[33];
    enum status status = postgres_ledger_check(loader->self, loader->connection, loader->error);
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

enum status postgres_ledger_load(struct database *database, const char *run_id, struct arena *arena,
                                 struct ledger_run **run, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct loader loader = {.self = self, .arena = arena, .error = error};

    *run = NULL;
    loader.run = arena_allocate_zeroed(arena, 1, sizeof *loader.run);
    if (loader.run == NULL) {
        return no_memory(&loader);
    }
    if (postgres_begin(self, &loader.connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_end(self, loader.connection, load_all(&loader, run_id), error);
    *run = status == STATUS_OK ? loader.run : NULL;
    return status;
}

/* STATUS_END: there is none, nor will there be one of a transaction that has begun. */
static enum status find_done(struct loader *loader, const struct postgres_parameter parameters[2],
                             struct done_mark *mark)
{
    PGresult *result = NULL;
    enum status status =
        ask(loader, "INSERT INTO ", "_transhume_done",
            " (run, chunk, epoch, mark) VALUES ($1, $2, 0, '') ON CONFLICT DO NOTHING", parameters,
            2, &result);
    bool absent = status == STATUS_OK && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    if (status != STATUS_OK || absent) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    status = ask(loader, "SELECT epoch, mark FROM ", "_transhume_done",
                 " WHERE run = $1 AND chunk = $2", parameters, 2, &result);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        status = STATUS_END;
    }
    if (status == STATUS_OK) {
        mark->epoch = (uint64_t)number(result, 0, 0);
        mark->text = text(loader, result, 0, 1);
        status = loader->out_of_memory ? no_memory(loader) : STATUS_OK;
    }
    PQclear(result);
    return status;
}

/*
 * A session whose connection broke may still be in its COMMIT (it may wait for a standby), and its
 * mark can't be seen until that has ended: an insert of the same mark waits for it, whatever
 * becomes of it. It is always taken back.
 */
enum status postgres_ledger_done(struct database *database, const char *run_id, uint64_t chunk,
                                 struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct loader loader = {.self = postgres_database_of(database), .arena = arena, .error = error};
    struct error ignored;
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)chunk);
    const struct postgres_parameter parameters[] = {{.text = run_id}, {.text = digits}};
    if (postgres_begin_brief(loader.self, &loader.connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *mark = (struct done_mark){.chunk = chunk};
    enum status status = find_done(&loader, parameters, mark);
    (void)!postgres_end(loader.self, loader.connection, STATUS_END, &ignored);
    return status;
}
