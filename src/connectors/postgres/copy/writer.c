/*
 * The writer: a chunk is one transaction; the done mark and the check of the claim are its last
 * statement.
 *
 * As long as no record was refused, all of a chunk is one COPY, and batches are handed back as
 * written while it goes on. If it fails then, for the sake of some record, the chunk starts again,
 * and from now on all writers are careful: one COPY for each few MiB of batches (a segment), each
 * behind a savepoint, its batches held until it has ended, since only then it is known what became
 * of their records. A COPY also ends when a batch for another table comes, or when the engine has
 * nothing more to send and waits.
 */
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/postgres/copy/writer_internal.h"
#include "connectors/postgres/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT_BYTES = 4 << 20 };

/* ---------------------------------------------------------------- open, close */

void postgres_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    postgres_writer_chunk_abandon(writer, writer->sql.chunk);
    postgres_disconnect(writer->connection);
    postgres_disconnect(writer->source);
    buffer_free(&writer->out);
    sql_writer_free(&writer->sql);
    free(writer->tables);
    free(writer);
}

static enum status ask_defers(struct writer *writer, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        writer->database, writer->connection,
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE condeferred)", NULL, 0,
        SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    writer->defers = status == STATUS_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

enum status postgres_writer_open(struct database *database, const struct target_table *tables,
                                 uint32_t table_count, uint64_t epoch, struct writer **writer,
                                 struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct writer *opened = memory_allocate_zeroed(1, sizeof *opened);
    (void)epoch;

    *writer = NULL;
    opened->database = self;
    opened->sql = sql_writer_make(&self->sql);
    opened->tables = memory_allocate_zeroed((size_t)table_count + 1, sizeof *opened->tables);
    for (uint32_t i = 0; i < table_count; i++) {
        opened->tables[i].plan = &tables[i];
    }
    opened->table_count = table_count;
    if (postgres_join(self, &opened->connection, error) != STATUS_OK ||
        (database->triggers_off &&
         postgres_silence_triggers(self, opened->connection, true, error) != STATUS_OK) ||
        ask_defers(opened, error) != STATUS_OK) {
        postgres_writer_close(opened);
        return STATUS_FAILED;
    }
    *writer = opened;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- chunks */

enum status postgres_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                        struct error *error)
{
    (void)attempt;
    return sql_writer_begin_chunk(&writer->sql, chunk, error) == STATUS_OK
               ? failpoint_hit("postgres.chunk_begin", error)
               : STATUS_FAILED;
}

/* The next BEGIN would go on in a transaction that is still open, with a mere warning: then its
 * connection is broken off, after which the engine opens a writer anew. */
static void roll_back(struct writer *writer)
{
    struct error ignored = {0};
    bool asked = PQstatus(writer->connection) == CONNECTION_OK &&
                 postgres_execute(writer->database, writer->connection, "ROLLBACK", SQL_SHORT,
                                  ERROR_TARGET_WRITE, &ignored) == STATUS_OK;
    if (!asked || PQtransactionStatus(writer->connection) != PQTRANS_IDLE) {
        postgres_break_off(writer->connection);
    }
}

void postgres_writer_chunk_abandon(struct writer *writer, uint64_t chunk)
{
    struct error ignored = {0};

    (void)chunk;
    if (writer->copying && PQstatus(writer->connection) == CONNECTION_OK) {
        PGresult *result = NULL;
        writer->copying = false;
        if (PQputCopyEnd(writer->connection, "the chunk was abandoned") == 1) {
            while (postgres_next_result(writer->database, writer->connection, SQL_SHORT, &result,
                                        &ignored) == STATUS_OK &&
                   result != NULL) {
                PQclear(result);
            }
        }
    }
    if (writer->sql.begun) {
        roll_back(writer);
    }
    writer->copying = false;
    writer->sql.begun = false;
    writer->savepoint = false;
    writer->sql.chunk = 0;
    writer->plan = NULL;
    sql_held_free(&writer->held);
    sql_held_free(&writer->sql.done);
    writer->unchecked = false;
    writer->early = false;
}

/* ---------------------------------------------------------------- batches */

enum status postgres_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                   struct batch *batch, struct error *error)
{
    const struct writer_plan *plan = NULL;
    enum status status = STATUS_OK;

    if (sql_writer_check_batch(&writer->sql, chunk, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* plans ask the catalogue, on a connection that must not be in a COPY */
    bool same =
        writer->plan != NULL && writer->plan->table == table && writer->plan->shape == batch->shape;
    if (!same) {
        status = writer_segment_finish(writer, false, error);
        status = status == STATUS_OK ? writer_plan_get(writer, table, batch->shape, &plan, error)
                                     : status;
        if (status != STATUS_OK) {
            batch_destroy(batch);
            return STATUS_FAILED;
        }
    } else {
        plan = writer->plan;
    }
    struct sql_held *held = sql_held_add(&writer->held, table, batch);
    writer->plan = plan;
    if (!writer->copying) {
        status = writer_copy_start(writer, plan, error);
    }
    for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
        status = writer_copy_row(writer, plan, held, row, error);
    }
    arena_reset(writer->sql.scratch);
    if (status == STATUS_OK && writer->held.bytes >= SEGMENT_BYTES) {
        if (plan->staged || atomic_load(&writer->database->careful)) {
            status = writer_segment_finish(writer, false, error);
        } else {
            writer_segment_hand_back(writer);
        }
    }
    return status;
}

enum status postgres_writer_poll(struct writer *writer, int64_t timeout_ms,
                                 struct batch_result *result, struct error *error)
{
    if (writer->sql.done.first == NULL) {
        if (writer->held.first == NULL) {
            return STATUS_END;
        }
        if (timeout_ms < TARGET_FEEDING_MS) {
            return STATUS_END; /* more is to come: the COPY stays open for it */
        }
        /* the engine waits like that only when it has nothing more to send */
        if (writer_segment_finish(writer, true, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    sql_writer_poll(&writer->sql, result);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- commit */

/* A commit that broke off after it was sent may have happened. */
static enum status send_commit(struct writer *writer, struct error *error)
{
    PGresult *result = NULL;
    struct postgres_database *self = writer->database;

    if (PQsendQuery(writer->connection, "COMMIT") == 0) {
        return postgres_failure(self, writer->connection, NULL, ERROR_NETWORK, error);
    }
    enum status status = postgres_next_result(self, writer->connection, SQL_SHORT, &result, error);
    const char *state = status == STATUS_OK ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    bool lost = status != STATUS_OK || result == NULL ||
                postgres_is_lost(writer->connection, state != NULL ? state : "");
    if (lost) {
        PQclear(result);
        error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, self->sql.shown,
                  "the connection broke off while a chunk was committed");
        return STATUS_FAILED;
    }
    if (PQresultStatus(result) != PGRES_COMMAND_OK || strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        status = postgres_failure(self, writer->connection, result, ERROR_TARGET_WRITE, error);
    }
    PQclear(result);
    while (postgres_next_result(self, writer->connection, SQL_SHORT, &result, error) == STATUS_OK &&
           result != NULL) {
        PQclear(result);
    }
    return status;
}

enum status postgres_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                                struct error *error)
{
    (void)chunk;
    if (writer_segment_finish(writer, true, error) != STATUS_OK ||
        (!writer->sql.begun &&
         postgres_execute(writer->database, writer->connection, "BEGIN", SQL_SHORT,
                          ERROR_TARGET_WRITE, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    writer->sql.begun = true;
    return postgres_execute(writer->database, writer->connection, sql, SQL_LONG, ERROR_TARGET_WRITE,
                            error);
}

enum status postgres_writer_commit(struct writer *writer, uint64_t chunk,
                                   const struct done_mark *mark, struct error *error)
{
    if (chunk == writer->sql.committed && writer->sql.chunk == 0) {
        return STATUS_OK;
    }
    if (writer_segment_finish(writer, true, error) != STATUS_OK ||
        writer_check_chunk(writer, error) != STATUS_OK ||
        failpoint_hit("postgres.before_mark", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!writer->sql.begun && postgres_execute(writer->database, writer->connection, "BEGIN",
                                               SQL_SHORT, ERROR_TARGET_WRITE, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->sql.begun = true;
    if (postgres_put_mark(writer->database, writer->connection, mark, error) != STATUS_OK ||
        failpoint_hit("postgres.before_commit", error) != STATUS_OK ||
        send_commit(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->sql.begun = false;
    writer->savepoint = false;
    writer->unchecked = false;
    writer->sql.chunk = 0;
    writer->sql.committed = chunk;
    return failpoint_hit_committed("postgres.after_commit", error);
}
