/*
 * The writer: a chunk is one transaction, in it one bulk INSERT (or LOAD DATA LOCAL, or INSERT of
 * many rows) for each MiB or so of batches, each behind a savepoint; the done mark and the check of
 * the claim are its last statements.
 *
 * Batches are held until their load has ended, since only then it is known what became of their
 * records. A segment is sent when it is full (of bytes to be sent, or of batches), or worth a load
 * while none is under way, when a batch for another table comes, or when the engine has nothing
 * more to send and waits.
 */
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/mysql/copy/writer_internal.h"
#include "connectors/mysql/store.h"
#include "connectors/sql/database.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENT_BYTES = 5 << 18,
    WORTH_BYTES = 256 << 10,
    STATEMENT_BYTES = 1 << 20,
    HELD_BYTES = 4 << 20, /* of batches: few of their bytes are to be sent, or none */
};

/* ---------------------------------------------------------------- open, close */

void mysql_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    mysql_writer_chunk_abandon(writer, writer->sql.chunk);
    writer_loader_stop(writer);
    mysql_disconnect(writer->connection);
    writer_bulk_close(writer);
    for (int i = 0; i < 2; i++) {
        buffer_free(&writer->segments[i].out);
        buffer_free(&writer->segments[i].rows);
        buffer_free(&writer->segments[i].marks);
    }
    buffer_free(&writer->stream.escaped);
    sql_writer_free(&writer->sql);
    free(writer->tables);
    free(writer);
}

/* It may be less than the run began with, after SET GLOBAL or at another server of a cluster. */
static enum status ask_packet(struct writer *writer, struct error *error)
{
    int64_t bytes = 0;
    enum status status = mysql_ask_number(
        writer->database, writer->connection, mysql_sql("SELECT @@max_allowed_packet"), SQL_SHORT,
        ERROR_NETWORK, (int64_t)writer->database->packet_bytes_max, &bytes, error);
    writer->packet_bytes_max = bytes > 0 ? (uint64_t)bytes : writer->database->packet_bytes_max;
    return status;
}

enum status mysql_writer_open(struct database *database, const struct target_table *tables,
                              uint32_t table_count, uint64_t epoch, struct writer **writer,
                              struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
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
    if (writer_loader_start(opened, error) != STATUS_OK ||
        mysql_join(self, &opened->connection, error) != STATUS_OK ||
        ask_packet(opened, error) != STATUS_OK ||
        (database->triggers_off &&
         mysql_silence_keys(self, opened->connection, true, error) != STATUS_OK) ||
        writer_distinct_note(opened, error) != STATUS_OK) {
        mysql_writer_close(opened);
        return STATUS_FAILED;
    }
    writer_serve(opened);
    *writer = opened;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- chunks */

enum status mysql_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                     struct error *error)
{
    (void)attempt;
    if (sql_writer_begin_chunk(&writer->sql, chunk, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->numbered = 0;
    return failpoint_hit("mysql.chunk_begin", error);
}

/* START TRANSACTION would commit rows that are not known to be rolled back, without a mark: so the
 * connection is broken off. Then the next statement fails, after which the engine opens a writer
 * anew. */
static void roll_back(struct writer *writer)
{
    struct error ignored = {0};
    if (!mysql_is_alive(writer->connection) ||
        mysql_run(writer->database, writer->connection, "ROLLBACK", SQL_SHORT, ERROR_TARGET_WRITE,
                  NULL, &ignored) != STATUS_OK) {
        mysql_break_off(writer->connection);
    }
}

void mysql_writer_chunk_abandon(struct writer *writer, uint64_t chunk)
{
    struct error ignored = {0};
    (void)chunk;
    (void)!writer_await_load(writer, -1, &ignored);
    if (writer->sql.begun) {
        roll_back(writer);
    }
    writer->sql.begun = false;
    writer->sql.chunk = 0;
    sql_held_free(&writer->sql.done);
    for (int i = 0; i < 2; i++) {
        writer_segment_clear(&writer->segments[i]);
    }
}

/* ---------------------------------------------------------------- batches */

bool writer_is_ready(const struct writer *writer)
{
    const struct segment *segment = writer->filling;
    uint64_t packet = writer->packet_bytes_max / 2;
    uint64_t wanted = segment->form == MYSQL_IN_STATEMENT ? STATEMENT_BYTES : SEGMENT_BYTES;
    uint64_t most = segment->form == MYSQL_IN_LINE || wanted < packet ? wanted : packet;
    return segment->out.length >= most || segment->marks.length > 0 ||
           segment->held.bytes >= HELD_BYTES ||
           (!writer->loading && segment->out.length >= WORTH_BYTES);
}

/* Makes the segment being filled one of that plan; `bulk`: to be sent so, if the plan can. */
static enum status fill_for(struct writer *writer, uint32_t table, const struct batch *batch,
                            bool bulk, struct error *error)
{
    struct segment *filling = writer->filling;
    const struct writer_plan *plan = filling->plan;
    if (plan != NULL && plan->table == table && plan->shape == batch->shape &&
        (filling->form == MYSQL_IN_BULK) == (bulk && writer_bulk_serves(writer, plan))) {
        return STATUS_OK;
    }
    if (writer_hand_over(writer, error) != STATUS_OK ||
        writer_plan_get(writer, table, batch->shape, &plan, error) != STATUS_OK ||
        (bulk && writer_bulk_prepare(writer, plan, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    filling = writer->filling;
    filling->plan = plan;
    filling->form = bulk && writer_bulk_serves(writer, plan) ? MYSQL_IN_BULK
                    : writer->database->loads                ? MYSQL_IN_LINE
                                                             : MYSQL_IN_STATEMENT;
    return STATUS_OK;
}

static enum status encode_rows(struct writer *writer, struct sql_held *held, struct error *error)
{
    struct segment *filling = writer->filling;
    enum status status = STATUS_OK;
    if (filling->form == MYSQL_IN_BULK && filling->rows.length == 0) {
        writer_bulk_begin(filling);
    }
    for (uint32_t row = 0; status == STATUS_OK && row < held->batch->row_count; row++) {
        status = writer_encode_row(writer, filling->plan, held, row, error);
    }
    arena_reset(writer->sql.scratch);
    return status;
}

/* How far the segment was filled before a batch. */
struct filled {
    struct sql_held_list held;
    size_t bytes;
    size_t row_bytes;
    uint64_t numbered;
};

/* Takes out a batch of which a record can't be sent in bulk: the segment is as before. */
static void take_back(struct writer *writer, const struct filled *before)
{
    struct segment *filling = writer->filling;
    struct sql_held *held = filling->held.last;
    filling->held = before->held;
    if (before->held.last != NULL) {
        before->held.last->next = NULL;
    }
    filling->out.length = before->bytes;
    filling->rows.length = before->row_bytes;
    writer->numbered = before->numbered;
    arena_destroy(held->outcomes.arena);
    *held = (struct sql_held){.batch = held->batch, .table = held->table};
}

static enum status encode_batch(struct writer *writer, struct sql_held *held,
                                const struct filled *before, struct error *error)
{
    enum status status = encode_rows(writer, held, error);
    if (status != STATUS_AGAIN) {
        return status;
    }
    take_back(writer, before);
    if (fill_for(writer, held->table, held->batch, false, error) != STATUS_OK) {
        batch_destroy(held->batch);
        free(held);
        return STATUS_FAILED;
    }
    sql_held_append(&writer->filling->held, held);
    return encode_rows(writer, held, error);
}

enum status mysql_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                struct batch *batch, struct error *error)
{
    if (sql_writer_check_batch(&writer->sql, chunk, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (fill_for(writer, table, batch, true, error) != STATUS_OK) {
        batch_destroy(batch);
        return STATUS_FAILED;
    }
    const struct segment *filling = writer->filling;
    const struct filled before = {filling->held, filling->out.length, filling->rows.length,
                                  writer->numbered};
    enum status status =
        encode_batch(writer, sql_held_add(&writer->filling->held, table, batch), &before, error);
    return status == STATUS_OK && writer_is_ready(writer) ? writer_hand_over(writer, error)
                                                          : status;
}

static enum status await_results(struct writer *writer, int64_t timeout_ms, struct error *error)
{
    if (!writer->loading && writer->filling->held.first == NULL) {
        return STATUS_END;
    }
    if (!writer->loading && timeout_ms < TARGET_FEEDING_MS) {
        return STATUS_END; /* more is to come, for the same load */
    }
    if (!writer->loading && writer_hand_over(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return writer_await_load(writer, timeout_ms, error);
}

enum status mysql_writer_poll(struct writer *writer, int64_t timeout_ms,
                              struct batch_result *result, struct error *error)
{
    if (writer->sql.done.first == NULL) {
        enum status status = await_results(writer, timeout_ms, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    sql_writer_poll(&writer->sql, result);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- commit */

/* The guard is locked until the commit: the next claim waits for it, or has gone before. */
static enum status write_mark(struct writer *writer, const struct done_mark *mark,
                              struct error *error)
{
    struct mysql_database *self = writer->database;
    enum status status = STATUS_OK;
    if (mark->key != NULL) {
        status = mysql_store_add(self, writer->connection, mark->key, mark->text, error);
    }
    if (status == STATUS_AGAIN) {
        return sql_run_fenced(self->sql.shown, error); /* somebody else marked the chunk */
    }
    return status == STATUS_OK ? mysql_check_claim(self, writer->connection, error) : status;
}

/* A commit that broke off after it was sent may have happened. */
static enum status send_commit(struct writer *writer, struct error *error)
{
    struct mysql_database *self = writer->database;
    enum status status =
        mysql_run(self, writer->connection, "COMMIT", SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
    if (status != STATUS_OK && !mysql_is_alive(writer->connection)) {
        error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, self->sql.shown,
                  "the connection broke off while a chunk was committed");
    }
    return status;
}

enum status mysql_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                             struct error *error)
{
    (void)chunk;
    if (!writer->sql.begun && mysql_run(writer->database, writer->connection, "START TRANSACTION",
                                        SQL_SHORT, ERROR_TARGET_WRITE, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->sql.begun = true;
    return mysql_run(writer->database, writer->connection, sql, SQL_LONG, ERROR_TARGET_WRITE, NULL,
                     error);
}

enum status mysql_writer_commit(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                                struct error *error)
{
    if (chunk == writer->sql.committed && writer->sql.chunk == 0) {
        return STATUS_OK;
    }
    if (failpoint_hit("mysql.before_mark", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!writer->sql.begun && mysql_run(writer->database, writer->connection, "START TRANSACTION",
                                        SQL_SHORT, ERROR_TARGET_WRITE, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->sql.begun = true;
    if (write_mark(writer, mark, error) != STATUS_OK ||
        failpoint_hit("mysql.before_commit", error) != STATUS_OK ||
        send_commit(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->sql.begun = false;
    writer->sql.chunk = 0;
    writer->sql.committed = chunk;
    return failpoint_hit_committed("mysql.after_commit", error);
}
