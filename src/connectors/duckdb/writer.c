/* The writer: a transaction a chunk, with its done mark and the guard of the claim in the same. */
#include "connectors/duckdb/writer.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { WAITING_BYTES_MAX = 32 << 20 };

enum status duckdb_writer_open(struct database *database, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct writer *made = memory_allocate_zeroed(1, sizeof *made);
    (void)epoch;
    *writer = NULL;
    made->base = sql_writer_make(&self->sql);
    made->database = self;
    made->tables = tables;
    made->table_count = table_count;
    made->careful = memory_allocate_zeroed((size_t)table_count + 1, sizeof *made->careful);
    if (duckdb_connect(self, &made->connection, error) != STATUS_OK) {
        duckdb_writer_close(made);
        return STATUS_FAILED;
    }
    *writer = made;
    return STATUS_OK;
}

void duckdb_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->base.chunk != 0) {
        duckdb_writer_chunk_abandon(writer, writer->base.chunk);
    }
    duckdb_plans_free(writer);
    duckdb_disconnect(writer->database, &writer->connection);
    buffer_free(&writer->staged);
    free(writer->careful);
    sql_writer_free(&writer->base);
    free(writer);
}

/* ---------------------------------------------------------------- the chunk */

enum status duckdb_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                      struct error *error)
{
    (void)attempt;
    if (sql_writer_begin_chunk(&writer->base, chunk, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->base.committed = 0;
    enum status status = duckdb_run(writer->database, writer->connection, "BEGIN TRANSACTION",
                                    ERROR_TARGET_WRITE, NULL, error);
    writer->base.begun = status == STATUS_OK;
    status = status == STATUS_OK ? failpoint_hit("duckdb.chunk_begin", error) : status;
    if (status != STATUS_OK) {
        duckdb_writer_chunk_abandon(writer, chunk);
    }
    return status;
}

void duckdb_writer_chunk_abandon(struct writer *writer, uint64_t chunk)
{
    struct error ignored = {0};
    if (chunk != writer->base.chunk) {
        return;
    }
    for (struct duckdb_plan *plan = writer->plans; plan != NULL; plan = plan->next) {
        if (duckdb_plan_end(writer, plan, false, &ignored) != STATUS_OK) {
            error_clear(&ignored);
        }
        plan->stage[0] = '\0'; /* it is gone with the transaction, or made again */
    }
    if (writer->base.begun && duckdb_run(writer->database, writer->connection, "ROLLBACK",
                                         ERROR_TARGET_WRITE, NULL, &ignored) != STATUS_OK) {
        /* what can't be rolled back goes with its connection */
        duckdb_disconnect(writer->database, &writer->connection);
        if (duckdb_connect(writer->database, &writer->connection, &ignored) != STATUS_OK) {
            writer->connection = NULL;
        }
    }
    writer->base.begun = false;
    writer->base.chunk = 0;
    writer->staging = NULL;
    writer->staged_rows = 0;
    buffer_clear(&writer->staged);
    sql_held_free(&writer->waiting);
    sql_held_free(&writer->base.done);
}

/* ---------------------------------------------------------------- batches */

static enum status stage(struct writer *writer, struct duckdb_plan *plan, struct sql_held *held,
                         struct error *error)
{
    const struct duckdb_staged staged = {held, writer->staged_rows};
    buffer_append(&writer->staged, &staged, sizeof staged);
    writer->staging = plan;
    writer->staged_rows += held->batch->row_count;
    return duckdb_stage_make(writer, plan, error) == STATUS_OK
               ? duckdb_plan_append(writer, plan, held, staged.first, error)
               : STATUS_FAILED;
}

enum status duckdb_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                 struct batch *batch, struct error *error)
{
    struct duckdb_plan *plan = NULL;
    if (sql_writer_check_batch(&writer->base, chunk, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    size_t bytes = batch_bytes(batch);
    struct sql_held_list taken = {0};
    struct sql_held *held = sql_held_add(&taken, table, batch);
    held->bytes = bytes;
    enum status status = duckdb_plan_find(writer, table, batch->shape, &plan, error);
    bool other = status == STATUS_OK && writer->staging != NULL &&
                 (writer->staging != plan || writer->waiting.bytes > WAITING_BYTES_MAX);
    status = other ? duckdb_stage_empty(writer, error) : status;
    if (status == STATUS_OK && plan->staged) {
        sql_held_move(&taken, &writer->waiting);
        writer->waiting.bytes += bytes;
        return stage(writer, plan, held, error);
    }
    sql_held_move(&taken, &writer->base.done);
    return status == STATUS_OK ? duckdb_plan_append(writer, plan, held, 0, error) : status;
}

enum status duckdb_writer_poll(struct writer *writer, int64_t timeout_ms,
                               struct batch_result *result, struct error *error)
{
    if (writer->base.done.first == NULL && writer->staging != NULL &&
        timeout_ms >= TARGET_FEEDING_MS && duckdb_stage_empty(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (writer->base.done.first == NULL) {
        return STATUS_END;
    }
    sql_writer_poll(&writer->base, result);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the end of a chunk */

static enum status write_all(struct writer *writer, struct error *error)
{
    enum status status = duckdb_stage_empty(writer, error);
    for (struct duckdb_plan *plan = writer->plans; status == STATUS_OK && plan != NULL;
         plan = plan->next) {
        status = duckdb_plan_end(writer, plan, true, error);
    }
    return status;
}

enum status duckdb_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                              struct error *error)
{
    (void)chunk;
    return write_all(writer, error) == STATUS_OK ? duckdb_run(writer->database, writer->connection,
                                                              sql, ERROR_HOOK_FAILED, NULL, error)
                                                 : STATUS_FAILED;
}

static enum status write_mark(struct writer *writer, const struct done_mark *mark,
                              struct error *error)
{
    if (mark->key == NULL) {
        return STATUS_OK;
    }
    enum status status = failpoint_hit("duckdb.before_mark", error);
    return status == STATUS_OK ? duckdb_store_mark(writer->database, writer->connection, mark->key,
                                                   mark->text != NULL ? mark->text : "", error)
                               : status;
}

enum status duckdb_writer_commit(struct writer *writer, uint64_t chunk,
                                 const struct done_mark *mark, struct error *error)
{
    if (writer->base.committed == chunk) {
        return STATUS_OK;
    }
    enum status status = write_all(writer, error);
    status = status == STATUS_OK ? write_mark(writer, mark, error) : status;
    status = status == STATUS_OK ? duckdb_check_claim(writer->database, writer->connection, error)
                                 : status;
    status = status == STATUS_OK ? failpoint_hit("duckdb.before_commit", error) : status;
    status = status == STATUS_OK ? duckdb_run(writer->database, writer->connection, "COMMIT",
                                              ERROR_TARGET_WRITE, NULL, error)
                                 : status;
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->base.begun = false;
    writer->base.chunk = 0;
    writer->base.committed = chunk;
    return failpoint_hit_committed("duckdb.after_commit", error);
}
