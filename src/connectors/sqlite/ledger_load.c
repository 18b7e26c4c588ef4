/* Reading a run back from the ledger, every part of it checked. */
#include "connectors/ledger_checksum.h"
#include "connectors/sqlite/ledger_internal.h"
#include <string.h>

static enum status load_chunk(sqlite3_stmt *statement, struct arena *arena,
                              struct ledger_chunk *chunk)
{
    const void *bounds = sqlite3_column_blob(statement, 3);

    chunk->number = (uint64_t)sqlite3_column_int64(statement, 0);
    chunk->stream = (uint32_t)sqlite3_column_int64(statement, 1);
    chunk->span.bounds_length = (uint32_t)sqlite3_column_bytes(statement, 3);
    chunk->span.row_estimate = sqlite3_column_int64(statement, 4);
    if (sqlite3_column_type(statement, 3) != SQLITE_NULL) {
        chunk->span.bounds = (const uint8_t *)arena_copy(arena, bounds != NULL ? bounds : "",
                                                         chunk->span.bounds_length);
        if (chunk->span.bounds == NULL) {
            return STATUS_FAILED;
        }
    }
    return sqlite_copy_text(statement, 2, arena, &chunk->span.printable) &&
                   sqlite_copy_text(statement, 5, arena, &chunk->span.last_id)
               ? STATUS_OK
               : STATUS_FAILED;
}

static enum status load_chunks(struct sqlite_database *self, struct arena *arena,
                               struct ledger_run *run, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    uint64_t at = 0;
    int result = SQLITE_DONE;
    enum status status =
        sqlite_ledger_prepare(self,
                              "SELECT number, stream, printable, bounds, row_estimate, last_id "
                              "FROM main._transhume_chunk WHERE run = ?1 ORDER BY number",
                              &statement, error);

    run->chunks = arena_allocate_zeroed(arena, run->chunk_count, sizeof *run->chunks);
    if (status == STATUS_OK && run->chunks == NULL) {
        status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
    }
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, run->id, -1, SQLITE_STATIC);
    }
    /* as many as load_run_row counted in this transaction; of a damaged file there may be fewer */
    while (status == STATUS_OK && at < run->chunk_count &&
           (result = sqlite3_step(statement)) == SQLITE_ROW) {
        if (load_chunk(statement, arena, &run->chunks[at++]) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
        } else if (run->chunks[at - 1].number != at) {
            status = sqlite_ledger_invalid(self, "a chunk is missing", error);
        }
    }
    if (status == STATUS_OK && at < run->chunk_count) {
        status = result == SQLITE_DONE ? sqlite_ledger_invalid(self, "chunks are missing", error)
                                       : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status load_done(struct sqlite_database *self, struct arena *arena,
                             struct ledger_run *run, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = SQLITE_DONE;
    enum status status =
        sqlite_ledger_prepare(self,
                              "SELECT chunk, epoch, mark FROM main._transhume_done "
                              "WHERE run = ?1 ORDER BY chunk",
                              &statement, error);

    run->done = arena_allocate_zeroed(arena, run->chunk_count, sizeof *run->done);
    if (status == STATUS_OK && run->done == NULL) {
        status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
    }
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, run->id, -1, SQLITE_STATIC);
    }
    while (status == STATUS_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t chunk = (uint64_t)sqlite3_column_int64(statement, 0);
        uint64_t epoch = (uint64_t)sqlite3_column_int64(statement, 1);
        if (chunk < 1 || chunk > run->chunk_count || epoch < 1 || epoch > run->epoch ||
            run->done_count >= run->chunk_count) {
            status = sqlite_ledger_invalid(
                self, "there is a done mark of a chunk or attempt that never was", error);
            break;
        }
        struct done_mark *mark = &run->done[run->done_count++];
        *mark = (struct done_mark){.chunk = chunk, .epoch = epoch};
        if (!sqlite_copy_text(statement, 2, arena, &mark->text)) {
            status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
        }
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* `expected` gets the checksum that was written with the run. */
static enum status load_run_row(struct sqlite_database *self, const char *run_id,
                                struct arena *arena, struct ledger_run *run, const char **expected,
                                struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(
        self,
        "SELECT id, epoch, header, status, chunk_count, checksum, (SELECT count(*) FROM "
        "main._transhume_chunk WHERE run = id) FROM main._transhume_run "
        "WHERE ?1 IS NULL OR id = ?1 ORDER BY number DESC LIMIT 1",
        &statement, error);

    if (status != STATUS_OK) {
        goto out;
    }
    sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW) {
        status =
            result == SQLITE_DONE ? STATUS_END : sqlite_ledger_step_failed(self, result, error);
        goto out;
    }
    int64_t epoch = sqlite3_column_int64(statement, 1);
    int64_t count = sqlite3_column_int64(statement, 4);
    if (!sqlite_copy_text(statement, 0, arena, &run->id) ||
        !sqlite_copy_text(statement, 2, arena, &run->header) ||
        !sqlite_copy_text(statement, 3, arena, &run->status) ||
        !sqlite_copy_text(statement, 5, arena, expected)) {
        status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
        goto out;
    }
    run->epoch = (uint64_t)epoch;
    run->chunk_count = (uint64_t)count;
    /* a chunk takes a row: a larger count than any file can hold is no count */
    if (epoch < 0 || count < 0 || count > INT32_MAX || run->id == NULL || run->header == NULL ||
        run->status == NULL || *expected == NULL) {
        status = sqlite_ledger_invalid(self, "the run's own row is not as it was written", error);
    } else if (sqlite3_column_int64(statement, 6) != count) {
        status = sqlite_ledger_invalid(self, "chunks are missing, or there are too many", error);
    }
out:
    sqlite3_finalize(statement);
    return status;
}

static enum status load_all(struct sqlite_database *self, const char *run_id, struct arena *arena,
                            struct ledger_run **out, struct error *error)
{
    struct ledger_run *run = arena_allocate_zeroed(arena, 1, sizeof *run);
    const char *expected = NULL;
    char hex[33];

    if (run == NULL) {
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
    }
    enum status status = sqlite_ledger_check_tables(self, error);
    status =
        status == STATUS_OK ? load_run_row(self, run_id, arena, run, &expected, error) : status;
    status = status == STATUS_OK ? load_chunks(self, arena, run, error) : status;
    status = status == STATUS_OK ? load_done(self, arena, run, error) : status;
    status = status == STATUS_OK
                 ? ledger_checksum(run->header, run->chunks, run->chunk_count, hex, error)
                 : status;
    if (status == STATUS_OK && (expected == NULL || strcmp(hex, expected) != 0)) {
        status = sqlite_ledger_invalid(
            self, "the header or a chunk was changed after it was written", error);
    }
    *out = status == STATUS_OK ? run : NULL;
    return status;
}

enum status sqlite_ledger_load(struct database *database, const char *run_id, struct arena *arena,
                               struct ledger_run **run, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    *run = NULL;
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, load_all(self, run_id, arena, run, error), error);
}

/* ---------------------------------------------------------------- single marks */

static enum status read_mark(struct sqlite_database *self, const char *run_id, uint64_t chunk,
                             struct arena *arena, struct done_mark *mark, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(
        self, "SELECT epoch, mark FROM main._transhume_done WHERE run = ?1 AND chunk = ?2",
        &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)chunk);
        int result = sqlite3_step(statement);
        if (result == SQLITE_DONE) {
            status = STATUS_END;
        } else if (result != SQLITE_ROW) {
            status = sqlite_ledger_step_failed(self, result, error);
        } else {
            *mark = (struct done_mark){.chunk = chunk,
                                       .epoch = (uint64_t)sqlite3_column_int64(statement, 0)};
            if (!sqlite_copy_text(statement, 1, arena, &mark->text)) {
                status = error_set(error, ERROR_MEMORY, self->shown, "no memory for a done mark");
            }
        }
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_ledger_done(struct database *database, const char *run_id, uint64_t chunk,
                               struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, read_mark(self, run_id, chunk, arena, mark, error), error);
}
