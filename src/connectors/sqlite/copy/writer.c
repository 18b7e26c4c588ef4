/* The writer: a connection of its own, a transaction a chunk, with its done mark and the guard of
 * the claim in the same. */
#include "base/failpoint.h"
#include "connectors/sql/database.h"
#include "connectors/sql/store.h"
#include "connectors/sqlite/writer_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_KIB_MIN = 2048, CACHE_KIB_MAX = 16384 };

/* ---------------------------------------------------------------- opening */

static enum status prepare_statements(struct writer *writer, struct error *error)
{
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } statements[] = {
        {"BEGIN IMMEDIATE", &writer->begin},
        {"COMMIT", &writer->commit},
        {"SAVEPOINT transhume_batch", &writer->savepoint},
        {"RELEASE transhume_batch", &writer->release},
        {"ROLLBACK TO transhume_batch", &writer->undo},
        {"INSERT OR ABORT INTO main." SQL_STORE_TABLE " (name, version, value) VALUES (?1, 1, ?2)",
         &writer->mark},
        {"SELECT 1 FROM main." SQL_STORE_TABLE " WHERE name = ?1 AND version = ?2", &writer->guard},
    };
    /* a ledger elsewhere has no table here */
    size_t count = sizeof statements / sizeof statements[0] - (writer->guard_key == NULL ? 2 : 0);
    for (size_t i = 0; i < count; i++) {
        if (sqlite_target_prepare(writer->database, writer->connection, statements[i].sql,
                                  statements[i].statement, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* A chunk that fits needs no early write-back, which costs three waits for the disk. */
static int64_t cache_kib(const struct sqlite_database *self)
{
    int64_t kib = (int64_t)(self->memory_bytes / 1024);
    if (kib <= 0 || kib > CACHE_KIB_MAX) {
        return CACHE_KIB_MAX;
    }
    return kib < CACHE_KIB_MIN ? CACHE_KIB_MIN : kib;
}

static enum status set_up_connection(struct writer *writer, struct error *error)
{
    char settings[160];
    struct sqlite_database *self = writer->database;
    sqlite3_stmt *statement = NULL;

    if (sqlite_connection_open(self->path, CONNECTION_CREATE, self->timeout_ms, &writer->connection,
                               error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    snprintf(settings, sizeof settings, "PRAGMA cache_spill=ON; PRAGMA cache_size=-%lld",
             (long long)cache_kib(self));
    if (sqlite_target_set_up(self, writer->connection, error) != STATUS_OK ||
        sqlite_target_execute(self, writer->connection, settings, ERROR_TARGET_WRITE, error) !=
            STATUS_OK ||
        sqlite_target_prepare(self, writer->connection, "PRAGMA main.encoding", &statement,
                              error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_step(self, statement, error);
    if (status == STATUS_OK) {
        writer->utf16 = strncmp(sqlite_text_of(statement, 0), "UTF-16", 6) == 0;
    }
    sqlite3_finalize(statement);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

enum status sqlite_writer_open(struct database *database, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **out,
                               struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    enum status status = STATUS_FAILED;

    (void)epoch;
    *out = NULL;
    writer->database = self;
    writer->table_count = table_count;
    writer->arena = arena_create(0);
    writer->guard_key =
        self->sql.guard_key == NULL ? NULL : arena_copy_string(writer->arena, self->sql.guard_key);
    writer->guard_version = self->sql.guard_version;
    writer->scratch = arena_create(0);
    writer->tables = memory_allocate_zeroed(table_count, sizeof *writer->tables);
    for (uint32_t i = 0; i < table_count; i++) {
        writer->tables[i].plan = &tables[i];
    }
    if (self->sql.run_id == NULL) {
        error_set(error, ERROR_INTERNAL, self->sql.shown,
                  "a writer is opened before a run is claimed");
        goto out;
    }
    if (sqlite_turn_take(self, SQLITE_TURN_CONTROL, error) != STATUS_OK) {
        goto out;
    }
    status = set_up_connection(writer, error);
    if (status == STATUS_OK) {
        status = sqlite_undo_register(self, writer->connection, error);
    }
    if (status == STATUS_OK) {
        sqlite_triggers_set(writer->connection, !database->triggers_off);
        status = prepare_statements(writer, error);
    }
    sqlite_turn_give(self);
out:
    if (status != STATUS_OK) {
        sqlite_writer_close(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

void sqlite_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->chunk != 0) {
        sqlite_writer_chunk_abandon(writer, writer->chunk);
    }
    for (struct writer_insert *insert = writer->inserts; insert != NULL; insert = insert->next) {
        writer_insert_finalize(insert);
    }
    for (struct writer_express *express = writer->expresses; express != NULL;
         express = express->next) {
        sqlite3_finalize(express->statement);
    }
    sqlite3_stmt *statements[] = {writer->begin, writer->commit, writer->savepoint, writer->release,
                                  writer->undo,  writer->mark,   writer->guard};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        sqlite3_finalize(statements[i]);
    }
    sqlite_connection_close(writer->connection);
    free(writer->tables);
    arena_destroy(writer->scratch);
    arena_destroy(writer->arena);
    free(writer);
}

/* ---------------------------------------------------------------- a chunk */

enum status sqlite_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                      struct error *error)
{
    (void)attempt;
    if (writer->chunk != 0) {
        return error_set(error, ERROR_INTERNAL, writer->database->sql.shown,
                         "chunk %llu is begun while chunk %llu is open", (unsigned long long)chunk,
                         (unsigned long long)writer->chunk);
    }
    if (sqlite_turn_take(writer->database, SQLITE_TURN_WRITER, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite_target_step(writer->begin);
    if (result != SQLITE_DONE) {
        sqlite_turn_give(writer->database);
        return sqlite_target_error(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                                   "a transaction can't be begun", error);
    }
    writer->chunk = chunk;
    writer->committed = 0;
    writer->mark_written = false;
    if (failpoint_hit("sqlite.chunk_begin", error) != STATUS_OK) {
        sqlite_writer_chunk_abandon(writer, chunk);
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status check_open(const struct writer *writer, uint64_t chunk, struct error *error)
{
    if (writer->chunk != chunk || chunk == 0) {
        return error_set(error, ERROR_INTERNAL, writer->database->sql.shown,
                         "chunk %llu is not open", (unsigned long long)chunk);
    }
    return STATUS_OK;
}

enum status sqlite_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                 struct batch *batch, struct error *error)
{
    struct writer_insert *insert = NULL;

    if (writer->has_result) {
        return STATUS_AGAIN;
    }
    writer->has_result = true;
    writer->result = (struct batch_result){.chunk = chunk, .table = table, .batch = batch};
    enum status status = check_open(writer, chunk, error);
    if (status == STATUS_OK && (table >= writer->table_count || batch->shape == NULL)) {
        status = error_set(error, ERROR_INTERNAL, writer->database->sql.shown,
                           "a batch without a shape or table is given to a SQL table");
    }
    if (status == STATUS_OK) {
        status = writer_insert_get(writer, table, batch->shape, &insert, error);
    }
    if (status == STATUS_OK) {
        status = writer_batch_write(writer, insert, batch, &writer->result, error);
    }
    return status;
}

enum status sqlite_writer_poll(struct writer *writer, int64_t timeout_ms,
                               struct batch_result *result, struct error *error)
{
    (void)timeout_ms;
    (void)error;
    if (!writer->has_result) {
        return STATUS_END;
    }
    *result = writer->result;
    writer->has_result = false;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- commit */

static enum status write_mark(struct writer *writer, const struct done_mark *mark,
                              struct error *error)
{
    if (writer->mark_written || mark->key == NULL) {
        return STATUS_OK;
    }
    if (failpoint_hit("sqlite.before_mark", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite3_bind_text(writer->mark, 1, mark->key, -1, SQLITE_STATIC);
    sqlite3_bind_text(writer->mark, 2, mark->text != NULL ? mark->text : "", -1, SQLITE_STATIC);
    int result = sqlite_target_step(writer->mark);
    sqlite3_clear_bindings(writer->mark);
    if ((result & 0xff) == SQLITE_CONSTRAINT) {
        return error_set(error, ERROR_RUN_FENCED, writer->database->sql.shown,
                         "chunk %llu is done already: another attempt works on this run",
                         (unsigned long long)mark->chunk);
    }
    if (result != SQLITE_DONE) {
        return sqlite_target_error(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                                   "the done mark can't be written", error);
    }
    writer->mark_written = true;
    return STATUS_OK;
}

/* The last statement before COMMIT; the write lock has been held since the chunk began. */
static enum status check_guard(struct writer *writer, struct error *error)
{
    if (writer->guard_key == NULL) {
        return STATUS_OK;
    }
    sqlite3_bind_text(writer->guard, 1, writer->guard_key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(writer->guard, 2, (sqlite3_int64)writer->guard_version);
    int result = sqlite_target_step(writer->guard);
    if (result == SQLITE_ROW) {
        return STATUS_OK;
    }
    return result == SQLITE_DONE
               ? sql_run_fenced(writer->database->sql.shown, error)
               : sqlite_target_error(writer->database, writer->connection, result,
                                     ERROR_TARGET_WRITE, "the ledger can't be read", error);
}

/* COMMIT failed in a way that leaves its outcome open: the mark tells. */
static enum status look_for_mark(struct writer *writer, const struct done_mark *mark,
                                 const struct error *failure, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = SQLITE_ERROR;
    if (mark->key != NULL) {
        result = sqlite3_prepare_v2(writer->connection,
                                    "SELECT 1 FROM main." SQL_STORE_TABLE " WHERE name = ?1", -1,
                                    &statement, NULL);
    }
    if (result == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, mark->key, -1, SQLITE_STATIC);
        result = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    if (result == SQLITE_ROW) {
        return STATUS_OK;
    }
    error_copy(error, failure);
    if (result != SQLITE_DONE) {
        error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, writer->database->sql.shown,
                  "the commit of chunk %llu failed, and whether it happened can't be read: %s",
                  (unsigned long long)mark->chunk, failure->message);
    }
    return STATUS_FAILED;
}

static enum status commit_transaction(struct writer *writer, const struct done_mark *mark,
                                      struct error *error)
{
    struct error failure;
    int result = sqlite_target_step(writer->commit);

    if (result == SQLITE_DONE) {
        return STATUS_OK;
    }
    sqlite_target_error(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                        "the commit failed", &failure);
    if (!sqlite3_get_autocommit(writer->connection)) {
        error_copy(error, &failure); /* still open: to be tried again, or abandoned */
        return STATUS_FAILED;
    }
    enum status status = look_for_mark(writer, mark, &failure, error);
    if (status != STATUS_OK) {
        writer->chunk = 0;
        sqlite_turn_give(writer->database);
    }
    return status;
}

enum status sqlite_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                              struct error *error)
{
    if (check_open(writer, chunk, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_exec(writer->connection, sql, NULL, NULL, NULL);
    return result == SQLITE_OK
               ? STATUS_OK
               : sqlite_target_error(writer->database, writer->connection, result,
                                     ERROR_TARGET_WRITE, "the statement failed", error);
}

enum status sqlite_writer_commit(struct writer *writer, uint64_t chunk,
                                 const struct done_mark *mark, struct error *error)
{
    if (chunk != 0 && writer->chunk == 0 && writer->committed == chunk) {
        return STATUS_OK;
    }
    if (check_open(writer, chunk, error) != STATUS_OK ||
        write_mark(writer, mark, error) != STATUS_OK || check_guard(writer, error) != STATUS_OK ||
        failpoint_hit("sqlite.before_commit", error) != STATUS_OK ||
        commit_transaction(writer, mark, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->chunk = 0;
    writer->committed = chunk;
    sqlite_turn_give(writer->database);
    return failpoint_hit_committed("sqlite.after_commit", error);
}

/* Statements that stand on a table made in the transaction go with it. */
static void forget_tracked(struct writer *writer)
{
    struct writer_insert **link = &writer->inserts;

    while (*link != NULL) {
        struct writer_insert *insert = *link;
        if (insert->track == NULL && insert->undo_after == NULL) {
            link = &insert->next;
            continue;
        }
        writer_insert_finalize(insert);
        *link = insert->next;
    }
}

void sqlite_writer_chunk_abandon(struct writer *writer, uint64_t chunk)
{
    if (writer->has_result && writer->result.chunk == chunk) {
        batch_destroy(writer->result.batch);
        arena_destroy(writer->result.arena);
        writer->has_result = false;
    }
    if (writer->chunk == 0 || writer->chunk != chunk) {
        return;
    }
    if (!sqlite3_get_autocommit(writer->connection)) {
        sqlite3_exec(writer->connection, "ROLLBACK", NULL, NULL, NULL);
    }
    forget_tracked(writer);
    writer->chunk = 0;
    sqlite_turn_give(writer->database);
}
