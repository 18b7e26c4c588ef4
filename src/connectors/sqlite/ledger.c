/* The ledger in the target's own tables: runs, chunks, done marks, and who may write. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/sqlite/writer_internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/*
 * _transhume_run    a row a run; `number` orders them. `epoch` is the attempt that may commit.
 *                   `checksum` is over the header and all chunks: they never change.
 * _transhume_chunk  the spans, complete from the first moment
 * _transhume_done   done marks, written in the transaction of their chunk's records
 * _transhume_made   tables that a run made, written in the transaction that made them
 */
static const char make_tables[] =
    "CREATE TABLE IF NOT EXISTS main._transhume_run ("
    "number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, format INTEGER NOT NULL, "
    "epoch INTEGER NOT NULL, header TEXT NOT NULL, status TEXT NOT NULL, "
    "chunk_count INTEGER NOT NULL, checksum TEXT NOT NULL, created_at TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS main._transhume_chunk ("
    "run TEXT NOT NULL, number INTEGER NOT NULL, stream INTEGER NOT NULL, printable TEXT, bounds BLOB, "
    "row_estimate INTEGER NOT NULL, last_id TEXT, PRIMARY KEY (run, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS main._transhume_done ("
    "run TEXT NOT NULL, chunk INTEGER NOT NULL, epoch INTEGER NOT NULL, mark TEXT NOT NULL, "
    "PRIMARY KEY (run, chunk)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS main._transhume_made ("
    "run TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (run, name)) WITHOUT ROWID;";
enum { LEDGER_TABLES = 4 };

static enum status invalid(struct sqlite_database *self, const char *what, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, self->shown, "the ledger in the target is damaged: %s",
              what);
    error_hint(error,
               "it was edited or cut; restore the target from a backup, or start anew with an "
               "empty target");
    return STATUS_FAILED;
}

/* A statement on the ledger's tables; that it can't be prepared means that they are not as we made
 * them. */
static enum status prepare(struct sqlite_database *self, const char *sql, sqlite3_stmt **statement,
                           struct error *error)
{
    int result = sqlite3_prepare_v2(self->control, sql, -1, statement, NULL);
    if (result == SQLITE_ERROR) {
        return invalid(self, sqlite3_errmsg(self->control), error);
    }
    if (result != SQLITE_OK) {
        return sqlite_target_error(self, self->control, result, ERROR_LEDGER_INVALID,
                                   "the ledger can't be read", error);
    }
    return STATUS_OK;
}

static enum status step_failed(struct sqlite_database *self, int result, struct error *error)
{
    return sqlite_target_error(self, self->control, result, ERROR_TARGET_WRITE,
                               "the ledger can't be read or written", error);
}

/* Prepares, binds a text, and runs a statement without results. */
static enum status run_with_text(struct sqlite_database *self, const char *sql, const char *text,
                                 int64_t number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = prepare(self, sql, &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
        if (sqlite3_bind_parameter_count(statement) > 1) {
            sqlite3_bind_int64(statement, 2, number);
        }
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* One number; STATUS_END: no row. */
static enum status ask_number(struct sqlite_database *self, const char *sql, const char *first,
                              const char *second, int64_t *number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = prepare(self, sql, &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, first, -1, SQLITE_STATIC);
        if (second != NULL) {
            sqlite3_bind_text(statement, 2, second, -1, SQLITE_STATIC);
        }
        int result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            *number = sqlite3_column_int64(statement, 0);
        }
        status = result == SQLITE_ROW    ? STATUS_OK
                 : result == SQLITE_DONE ? STATUS_END
                                         : step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* How many of the ledger's tables are there. */
static enum status count_tables(struct sqlite_database *self, int64_t *count, struct error *error)
{
    return ask_number(
        self,
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name IN "
        "('_transhume_run', '_transhume_chunk', '_transhume_done', '_transhume_made')",
        NULL, NULL, count, error);
}

/* STATUS_END: there is no ledger. Refuses what a newer version wrote before reading any of it. */
static enum status check_tables(struct sqlite_database *self, struct error *error)
{
    int64_t count = 0;
    int64_t format = 0;

    if (count_tables(self, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count == 0) {
        return STATUS_END;
    }
    enum status status =
        ask_number(self, "SELECT coalesce(max(format), 1) FROM main._transhume_run", NULL, NULL,
                   &format, error);
    if (status == STATUS_OK && format > SQLITE_LEDGER_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, self->shown,
                  "the ledger in the target has format %lld, this version knows %d",
                  (long long)format, SQLITE_LEDGER_FORMAT);
        error_hint(error, "go on with the version of transhume that began the run, or a later one");
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && (format < 1 || count != LEDGER_TABLES)) {
        return invalid(self, "one of its tables is missing", error);
    }
    return status;
}

enum status sqlite_ledger_make_tables(struct sqlite_database *self, sqlite3 *connection,
                                      struct error *error)
{
    return sqlite_target_execute(self, connection, make_tables, ERROR_TARGET_WRITE, error);
}

/* ---------------------------------------------------------------- the checksum */

static void hash_bytes(XXH3_state_t *state, const void *bytes, size_t length)
{
    uint64_t size = bytes == NULL ? UINT64_MAX : length;
    XXH3_128bits_update(state, &size, sizeof size);
    if (bytes != NULL) {
        XXH3_128bits_update(state, bytes, length);
    }
}

static void hash_text(XXH3_state_t *state, const char *text)
{
    hash_bytes(state, text, text == NULL ? 0 : strlen(text));
}

static enum status checksum(const char *header, const struct ledger_chunk *chunks, uint64_t count,
                            char hex[33], struct error *error)
{
    XXH3_state_t *state = XXH3_createState();

    if (state == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger's checksum");
    }
    XXH3_128bits_reset(state);
    hash_text(state, header);
    for (uint64_t i = 0; i < count; i++) {
        const struct ledger_chunk *chunk = &chunks[i];
        const int64_t numbers[3] = {(int64_t)chunk->number, chunk->stream,
                                    chunk->span.row_estimate};
        XXH3_128bits_update(state, numbers, sizeof numbers);
        hash_text(state, chunk->span.printable);
        hash_bytes(state, chunk->span.bounds, chunk->span.bounds_length);
        hash_text(state, chunk->span.last_id);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- create */

static enum status insert_chunks(struct sqlite_database *self, const char *run_id,
                                 const struct ledger_chunk *chunks, uint64_t count,
                                 struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        prepare(self,
                "INSERT INTO main._transhume_chunk (run, number, stream, printable, "
                "bounds, row_estimate, last_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                &statement, error);

    for (uint64_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct span *span = &chunks[i].span;
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)chunks[i].number);
        sqlite3_bind_int64(statement, 3, chunks[i].stream);
        sqlite3_bind_text(statement, 4, span->printable, -1, SQLITE_STATIC);
        sqlite3_bind_blob64(statement, 5, span->bounds, span->bounds_length, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, span->row_estimate);
        sqlite3_bind_text(statement, 7, span->last_id, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        sqlite3_reset(statement);
        status = result == SQLITE_DONE ? STATUS_OK : step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status insert_run(struct sqlite_database *self, const char *run_id, const char *header,
                              const char *run_status, const struct ledger_chunk *chunks,
                              uint64_t count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    char stamp[32];
    char hex[33];
    enum status status = checksum(header, chunks, count, hex, error);

    if (status == STATUS_OK) {
        status =
            prepare(self,
                    "INSERT INTO main._transhume_run (id, format, epoch, header, status, "
                    "chunk_count, checksum, created_at) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7)",
                    &statement, error);
    }
    if (status == STATUS_OK) {
        clock_format_utc(clock_utc_us(), stamp, sizeof stamp);
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, SQLITE_LEDGER_FORMAT);
        sqlite3_bind_text(statement, 3, header, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, run_status, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 5, (sqlite3_int64)count);
        sqlite3_bind_text(statement, 6, hex, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 7, stamp, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* Lists of written keys are of a run that is over. */
enum status sqlite_ledger_drop_key_tables(struct sqlite_database *self, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = prepare(self,
                                 "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND "
                                 "name GLOB '" SQLITE_KEY_TABLE "*'",
                                 &statement, error);

    while (status == STATUS_OK && sqlite3_step(statement) == SQLITE_ROW) {
        buffer_append_string(&sql, "DROP TABLE main.");
        sqlite_append_name(&sql, (const char *)sqlite3_column_text(statement, 0));
        buffer_append_string(&sql, ";");
    }
    sqlite3_finalize(statement);
    if (status == STATUS_OK && sql.length > 0) {
        status = sqlite_target_execute(self, self->control, buffer_string(&sql), ERROR_TARGET_WRITE,
                                       error);
    }
    buffer_free(&sql);
    return status;
}

static enum status create_rows(struct sqlite_database *self, const char *run_id, const char *header,
                               const char *run_status, const struct ledger_chunk *chunks,
                               uint64_t count, struct error *error)
{
    int64_t number = 0;
    enum status status = check_tables(self, error);

    if (status == STATUS_END) {
        status = sqlite_ledger_make_tables(self, self->control, error);
    }
    if (status != STATUS_OK ||
        ask_number(self,
                   "SELECT count(*) FROM main._transhume_run WHERE CASE WHEN json_valid(status) "
                   "THEN json_extract(status, '$.phase') END IS NOT 'completed'",
                   NULL, NULL, &number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (number > 0) {
        return STATUS_AGAIN;
    }
    if (sqlite_ledger_drop_key_tables(self, error) != STATUS_OK ||
        insert_run(self, run_id, header, run_status, chunks, count, error) != STATUS_OK ||
        insert_chunks(self, run_id, chunks, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("sqlite.before_ledger_create", error);
}

static enum status ledger_create(struct database *database, const char *run_id, const char *header,
                                 const char *run_status, const struct ledger_chunk *chunks,
                                 uint64_t count, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_control_end(
        self, create_rows(self, run_id, header, run_status, chunks, count, error), error);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_ledger_create", error) : status;
}

/* ---------------------------------------------------------------- load */

/* STATUS_FAILED only for lack of memory; NULL stays NULL. */
static enum status copy_text(sqlite3_stmt *statement, int column, struct arena *arena,
                             const char **text)
{
    const void *value = sqlite3_column_text(statement, column);

    *text = value == NULL
                ? NULL
                : arena_copy(arena, value, (size_t)sqlite3_column_bytes(statement, column));
    return value == NULL || *text != NULL ? STATUS_OK : STATUS_FAILED;
}

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
    return copy_text(statement, 2, arena, &chunk->span.printable) == STATUS_OK &&
                   copy_text(statement, 5, arena, &chunk->span.last_id) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}

static enum status load_chunks(struct sqlite_database *self, struct arena *arena,
                               struct ledger_run *run, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    uint64_t at = 0;
    int result = SQLITE_DONE;
    enum status status = prepare(self,
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
    while (status == STATUS_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        if (at >= run->chunk_count) {
            status = invalid(self, "it has more chunks than the run was cut into", error);
        } else if (load_chunk(statement, arena, &run->chunks[at++]) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
        } else if (run->chunks[at - 1].number != at) {
            status = invalid(self, "a chunk is missing", error);
        }
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = step_failed(self, result, error);
    }
    if (status == STATUS_OK && at != run->chunk_count) {
        status = invalid(self, "chunks are missing", error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status load_done(struct sqlite_database *self, struct arena *arena,
                             struct ledger_run *run, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = SQLITE_DONE;
    enum status status = prepare(self,
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
            status =
                invalid(self, "there is a done mark of a chunk or attempt that never was", error);
            break;
        }
        struct done_mark *mark = &run->done[run->done_count++];
        *mark = (struct done_mark){.chunk = chunk, .epoch = epoch};
        if (copy_text(statement, 2, arena, &mark->text) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
        }
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = step_failed(self, result, error);
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
    enum status status =
        prepare(self,
                "SELECT id, epoch, header, status, chunk_count, checksum FROM main._transhume_run "
                "WHERE ?1 IS NULL OR id = ?1 ORDER BY number DESC LIMIT 1",
                &statement, error);

    if (status != STATUS_OK) {
        goto out;
    }
    sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW) {
        status = result == SQLITE_DONE ? STATUS_END : step_failed(self, result, error);
        goto out;
    }
    int64_t epoch = sqlite3_column_int64(statement, 1);
    int64_t count = sqlite3_column_int64(statement, 4);
    if (copy_text(statement, 0, arena, &run->id) != STATUS_OK ||
        copy_text(statement, 2, arena, &run->header) != STATUS_OK ||
        copy_text(statement, 3, arena, &run->status) != STATUS_OK ||
        copy_text(statement, 5, arena, expected) != STATUS_OK) {
        status = error_set(error, ERROR_MEMORY, self->shown, "no memory for the ledger");
        goto out;
    }
    run->epoch = (uint64_t)epoch;
    run->chunk_count = (uint64_t)count;
    /* a chunk takes a row: a larger count than any file can hold is no count */
    if (epoch < 0 || count < 0 || count > INT32_MAX || run->id == NULL || run->header == NULL ||
        run->status == NULL || *expected == NULL) {
        status = invalid(self, "the run's own row is not as it was written", error);
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
    enum status status = check_tables(self, error);
    status =
        status == STATUS_OK ? load_run_row(self, run_id, arena, run, &expected, error) : status;
    status = status == STATUS_OK ? load_chunks(self, arena, run, error) : status;
    status = status == STATUS_OK ? load_done(self, arena, run, error) : status;
    status = status == STATUS_OK ? checksum(run->header, run->chunks, run->chunk_count, hex, error)
                                 : status;
    if (status == STATUS_OK && strcmp(hex, expected) != 0) {
        status = invalid(self, "the header or a chunk was changed after it was written", error);
    }
    *out = status == STATUS_OK ? run : NULL;
    return status;
}

static enum status ledger_load(struct database *database, const char *run_id, struct arena *arena,
                               struct ledger_run **run, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    *run = NULL;
    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, load_all(self, run_id, arena, run, error), error);
}

/* ---------------------------------------------------------------- who may write */

void sqlite_ledger_unlock(struct sqlite_database *self)
{
    struct sqlite_target_state *state = self->target;

    if (state->lock_descriptor >= 0) {
        unlink(state->lock_path);
        close(state->lock_descriptor);
        state->lock_descriptor = -1;
    }
    free(state->lock_path);
    state->lock_path = NULL;
}

/* The lock goes with the process, however it ends; the file beside the database is only its place.
 */
static enum status lock(struct sqlite_database *self, char *holder, size_t holder_capacity,
                        struct error *error)
{
    struct sqlite_target_state *state = self->target;
    int64_t pid = 0;

    if (state->lock_descriptor >= 0) {
        return STATUS_OK;
    }
    free(state->lock_path);
    if (asprintf(&state->lock_path, "%s-transhume-lock", self->path) < 0) {
        state->lock_path = NULL;
        return error_set(error, ERROR_MEMORY, self->shown, "no memory for a lock");
    }
    enum status status = file_lock(state->lock_path, &state->lock_descriptor, &pid, error);
    if (status != STATUS_OK) {
        state->lock_descriptor = -1;
    }
    if (status == STATUS_FAILED) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    if (status == STATUS_AGAIN) {
        snprintf(holder, holder_capacity, "pid %lld", (long long)pid);
    }
    return status;
}

static enum status move_epoch(struct sqlite_database *self, const char *run_id, uint64_t old_epoch,
                              char *holder, size_t holder_capacity, struct error *error)
{
    int64_t epoch = 0;
    enum status status = check_tables(self, error);

    if (status == STATUS_OK) {
        status = ask_number(self, "SELECT epoch FROM main._transhume_run WHERE id = ?1", run_id,
                            NULL, &epoch, error);
    }
    if (status == STATUS_END) {
        error_set(error, ERROR_LEDGER_MISSING, self->shown, "the target's ledger has no run %s",
                  run_id);
        error_hint(error, "it was dropped, or this is another file; give the run's own target");
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && epoch != (int64_t)old_epoch) {
        snprintf(holder, holder_capacity, "attempt %lld", (long long)epoch);
        return STATUS_AGAIN;
    }
    if (status == STATUS_OK) {
        status =
            run_with_text(self, "UPDATE main._transhume_run SET epoch = epoch + 1 WHERE id = ?1",
                          run_id, 0, error);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_claim", error) : status;
}

static enum status ledger_claim(struct database *database, const char *run_id, uint64_t old_epoch,
                                bool take_over, char *holder, size_t holder_capacity,
                                struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_target_state *state = self->target;
    char *copy = strdup(run_id);
    enum status status = copy != NULL
                             ? lock(self, holder, holder_capacity, error)
                             : error_set(error, ERROR_MEMORY, self->shown, "no memory for a claim");

    if (status == STATUS_FAILED || (status == STATUS_AGAIN && !take_over)) {
        free(copy);
        return status;
    }
    status = sqlite_control_begin(self, true, error);
    if (status == STATUS_OK) {
        status = sqlite_control_end(
            self, move_epoch(self, run_id, old_epoch, holder, holder_capacity, error), error);
    }
    if (status != STATUS_OK) {
        sqlite_ledger_unlock(self);
        free(copy);
        return status;
    }
    free(state->run_id);
    state->run_id = copy;
    state->epoch = old_epoch + 1;
    return failpoint_hit("sqlite.after_claim", error);
}

static enum status fenced(struct sqlite_database *self, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, self->shown, "another attempt took this run over");
    error_hint(error, "let that one finish; `transhume status` shows it");
    return STATUS_FAILED;
}

static enum status check_epoch(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                               struct error *error)
{
    int64_t now = -1;
    enum status status = ask_number(self, "SELECT epoch FROM main._transhume_run WHERE id = ?1",
                                    run_id, NULL, &now, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    return now == (int64_t)epoch ? STATUS_OK : fenced(self, error);
}

static enum status replace_status(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                                  const char *text, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        prepare(self, "UPDATE main._transhume_run SET status = ?1 WHERE id = ?2 AND epoch = ?3",
                &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)epoch);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    if (status == STATUS_OK && sqlite3_changes(self->control) != 1) {
        return fenced(self, error);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_status", error) : status;
}

static enum status ledger_set_status(struct database *database, const char *run_id, uint64_t epoch,
                                     const char *text, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, replace_status(self, run_id, epoch, text, error), error);
}

static enum status ledger_release(struct database *database, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_target_state *state = self->target;

    (void)epoch;
    (void)error;
    sqlite_ledger_unlock(self);
    if (state->run_id != NULL && strcmp(state->run_id, run_id) == 0) {
        free(state->run_id);
        state->run_id = NULL;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- single marks */

static enum status read_mark(struct sqlite_database *self, const char *run_id, uint64_t chunk,
                             struct arena *arena, struct done_mark *mark, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        prepare(self, "SELECT epoch, mark FROM main._transhume_done WHERE run = ?1 AND chunk = ?2",
                &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, run_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)chunk);
        int result = sqlite3_step(statement);
        if (result == SQLITE_DONE) {
            status = STATUS_END;
        } else if (result != SQLITE_ROW) {
            status = step_failed(self, result, error);
        } else {
            *mark = (struct done_mark){.chunk = chunk,
                                       .epoch = (uint64_t)sqlite3_column_int64(statement, 0)};
            if (copy_text(statement, 1, arena, &mark->text) != STATUS_OK) {
                status = error_set(error, ERROR_MEMORY, self->shown, "no memory for a done mark");
            }
        }
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status ledger_done(struct database *database, const char *run_id, uint64_t chunk,
                               struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, read_mark(self, run_id, chunk, arena, mark, error), error);
}

static enum status reopen_all(struct sqlite_database *self, const char *run_id, uint64_t epoch,
                              const uint64_t *chunks, uint64_t chunk_count,
                              const struct target_table *const *tables, uint32_t table_count,
                              struct error *error)
{
    enum status status = check_epoch(self, run_id, epoch, error);

    for (uint64_t i = 0; status == STATUS_OK && i < chunk_count; i++) {
        status =
            run_with_text(self, "DELETE FROM main._transhume_done WHERE run = ?1 AND chunk = ?2",
                          run_id, (int64_t)chunks[i], error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        bool made = false;
        struct buffer sql = {0};
        status = sqlite_ledger_was_made(self, tables[i]->name, &made, error);
        if (status == STATUS_OK && !made) {
            status = error_set(error, ERROR_TARGET_NOT_EMPTY, tables[i]->name,
                               "this run did not make the table, so it will not empty it");
        }
        if (status == STATUS_OK) {
            buffer_append_string(&sql, "DELETE FROM main.");
            sqlite_append_name(&sql, tables[i]->name);
            status = sqlite_target_execute(self, self->control, buffer_string(&sql),
                                           ERROR_TARGET_WRITE, error);
        }
        buffer_free(&sql);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.before_reopen", error) : status;
}

static enum status ledger_reopen(struct database *database, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables, uint32_t table_count,
                                 struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);

    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(
        self, reopen_all(self, run_id, epoch, chunks, chunk_count, tables, table_count, error),
        error);
}

/* ---------------------------------------------------------------- tables that the run made */

enum status sqlite_ledger_note_made(struct sqlite_database *self, const char *table,
                                    struct error *error)
{
    sqlite3_stmt *statement = NULL;

    if (self->target->run_id == NULL) {
        return STATUS_OK;
    }
    enum status status =
        prepare(self, "INSERT OR IGNORE INTO main._transhume_made (run, name) VALUES (?1, ?2)",
                &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, self->target->run_id, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, table, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_ledger_was_made(struct sqlite_database *self, const char *table, bool *made,
                                   struct error *error)
{
    int64_t number = 0;

    *made = false;
    if (self->target->run_id == NULL) {
        return STATUS_OK;
    }
    enum status status =
        ask_number(self, "SELECT count(*) FROM main._transhume_made WHERE run = ?1 AND name = ?2",
                   self->target->run_id, table, &number, error);
    *made = number > 0;
    return status;
}

const struct ledger_functions sqlite_ledger = {
    .create = ledger_create,
    .load = ledger_load,
    .claim = ledger_claim,
    .set_status = ledger_set_status,
    .done = ledger_done,
    .reopen = ledger_reopen,
    .release = ledger_release,
};
