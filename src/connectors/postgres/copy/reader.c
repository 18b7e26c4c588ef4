/*
 * Snapshot, readers and cursors: COPY (SELECT …) TO STDOUT (FORMAT binary), its rows put into
 * batches as they come. A connection carries one COPY at a time, so a reader keeps one for each of
 * its cursors that is open, and uses them again.
 * */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "connectors/postgres/source.h"
#include "connectors/sql/database.h"
#include <stdlib.h>

enum { IDLE_MAX = 16 };

struct reader {
    struct postgres_database *database;
    PGconn *idle[IDLE_MAX];
    uint32_t idle_count;
};

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    PGconn *connection;
    struct arena *arena;
    struct postgres_request compiled;
    struct sql_vigil vigil;
    struct postgres_copy copy;
    bool done;
};

/* ---------------------------------------------------------------- snapshot */

/* Equal only if no transaction that writes took place anywhere in the cluster in between. */
static enum status make_token(struct postgres_database *self, struct arena *arena,
                              const char **token, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        self, self->control,
        "SELECT s.system_identifier, d.oid, c.timeline_id, pg_catalog.txid_current_snapshot() "
        "FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, "
        "pg_catalog.pg_database d WHERE d.datname = current_database()",
        NULL, 0, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    if (status == STATUS_OK) {
        *token = arena_format(arena, "cluster %s database %s timeline %s transactions %s",
                              PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
                              PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3));
    }
    PQclear(result);
    return status;
}

/* The moment of a feed's position, which the connection that made the slot exports. */
static enum status take_moment(struct postgres_database *self, struct error *error)
{
    if (self->sql.base.moment == NULL) {
        return STATUS_OK;
    }
    if (postgres_execute_buffer(self, self->control,
                                postgres_sql("SET TRANSACTION SNAPSHOT %q", self->sql.base.moment),
                                SQL_SHORT, ERROR_SOURCE_READ, error) != STATUS_OK) {
        error_context(error, "the moment of the feed's position is gone: ");
        return error_hint(error, "drop the feed, and make it again");
    }
    return STATUS_OK;
}

static enum status take_snapshot(struct database *database, uint32_t reader_count,
                                 struct arena *arena, const char **token, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGresult *result = NULL;

    (void)reader_count;
    if (failpoint_hit("postgres.before_hold", error) != STATUS_OK ||
        postgres_execute(self, self->control, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                         SQL_SHORT, ERROR_SOURCE_READ, error) != STATUS_OK ||
        postgres_hold_lock(self, error) != STATUS_OK || take_moment(self, error) != STATUS_OK ||
        postgres_query(self, self->control, "SELECT pg_catalog.pg_export_snapshot()", NULL, 0,
                       SQL_SHORT, ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->snapshot = arena_copy_string(self->arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    self->sql.snapshot_taken = true;
    postgres_disconnect(self->feed_maker); /* the snapshot is ours now */
    self->feed_maker = NULL;
    log_write(LOG_INFO, "%s", POSTGRES_STAYS_OPEN);
    if (postgres_hold_check(self, error) != STATUS_OK ||
        make_token(self, arena, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("postgres.snapshot_taken", error);
}

/* A session that broke off has left it too. */
static enum status leave_snapshot(struct database *database, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct error problem = {0};
    (void)error;
    postgres_disconnect(self->slicer);
    self->slicer = NULL;
    if (self->sql.snapshot_taken && postgres_execute(self, self->control, "ROLLBACK", SQL_SHORT,
                                                     ERROR_SOURCE_READ, &problem) != STATUS_OK) {
        log_write(LOG_DEBUG, "the snapshot ends with its connection: %s", problem.message);
        postgres_disconnect(self->control);
        self->control = NULL;
    }
    self->sql.snapshot_taken = false;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- readers */

static enum status reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct reader *opened = memory_allocate_zeroed(1, sizeof *opened);
    const struct postgres_catalog *catalog = NULL;

    *reader = NULL;
    opened->database = self;
    /* read now: later it would be on a reader's thread */
    if (postgres_catalog_get(self, &catalog, error) != STATUS_OK ||
        postgres_reader_connect(self, &opened->idle[0], error) != STATUS_OK) {
        free(opened);
        return STATUS_FAILED;
    }
    opened->idle_count = 1;
    *reader = opened;
    return STATUS_OK;
}

static void reader_close(struct reader *reader)
{
    if (reader == NULL) {
        return;
    }
    for (uint32_t i = 0; i < reader->idle_count; i++) {
        postgres_disconnect(reader->idle[i]);
    }
    free(reader);
}

struct postgres_database *postgres_reader_database(const struct reader *reader)
{
    return reader->database;
}

enum status postgres_reader_take(struct reader *reader, PGconn **connection, struct error *error)
{
    if (reader->idle_count > 0) {
        *connection = reader->idle[--reader->idle_count];
        return STATUS_OK;
    }
    return postgres_reader_connect(reader->database, connection, error);
}

void postgres_reader_give(struct reader *reader, PGconn *connection)
{
    if (connection != NULL && reader->idle_count < IDLE_MAX &&
        PQstatus(connection) == CONNECTION_OK &&
        PQtransactionStatus(connection) == PQTRANS_INTRANS) {
        reader->idle[reader->idle_count++] = connection;
    } else {
        postgres_disconnect(connection);
    }
}

/* ---------------------------------------------------------------- cursors */

static enum status start_copy(struct cursor *cursor, struct error *error)
{
    struct postgres_database *self = cursor->reader->database;
    PGresult *result = NULL;

    enum status status = postgres_send_buffer(
        self, cursor->connection,
        postgres_sql("COPY (%b) TO STDOUT (FORMAT binary)", &cursor->compiled.select.sql), error);
    if (status == STATUS_OK) {
        status = postgres_next_result(self, cursor->connection, SQL_LONG, &result, error);
    }
    if (status == STATUS_OK && PQresultStatus(result) != PGRES_COPY_OUT) {
        status = postgres_failure(
            self, cursor->connection, result,
            cursor->request->query != NULL ? ERROR_PLAN_INVALID : ERROR_SOURCE_READ, error);
    }
    PQclear(result);
    return status;
}

static void cursor_close(struct cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    if (cursor->done) {
        postgres_reader_give(cursor->reader, cursor->connection);
    } else {
        postgres_disconnect(cursor->connection); /* what it still sends nobody wants */
    }
    buffer_free(&cursor->compiled.select.sql);
    arena_destroy(cursor->arena);
    free(cursor);
}

static enum status open_on(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct postgres_database *self = cursor->reader->database;
    if (postgres_reader_take(cursor->reader, &cursor->connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (postgres_request_compile(self, cursor->connection, cursor->request, span, cursor->arena,
                                 &cursor->compiled, error) != STATUS_OK ||
        start_copy(cursor, error) != STATUS_OK || postgres_hold_lasts(self, error) != STATUS_OK) {
        error_context(error, "%s: ", cursor->request->name);
        return postgres_reading_failed(self, error);
    }
    return STATUS_OK;
}

static enum status cursor_open(struct reader *reader, const struct read_request *request,
                               const struct span *span, struct cursor **cursor, struct error *error)
{
    struct cursor *opened = memory_allocate_zeroed(1, sizeof *opened);

    *cursor = NULL;
    opened->arena = arena_create(4096);
    opened->reader = reader;
    opened->request = request;
    opened->copy = (struct postgres_copy){
        .database = reader->database, .compiled = &opened->compiled, .name = request->name};
    if (open_on(opened, span, error) != STATUS_OK) {
        cursor_close(opened);
        return STATUS_FAILED;
    }
    *cursor = opened;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

/* After the last row: did all go well? */
static enum status end_copy(struct cursor *cursor, struct error *error)
{
    struct postgres_database *self = cursor->reader->database;
    enum status status = STATUS_OK;
    PGresult *result = NULL;

    while (postgres_next_result(self, cursor->connection, SQL_SHORT, &result,
                                status == STATUS_OK ? error : NULL) == STATUS_OK &&
           result != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && status == STATUS_OK) {
            status = postgres_failure(self, cursor->connection, result, ERROR_SOURCE_READ, error);
        }
        PQclear(result);
    }
    if (status == STATUS_OK && PQstatus(cursor->connection) != CONNECTION_OK) {
        status = postgres_failure(self, cursor->connection, NULL, ERROR_NETWORK, error);
    }
    cursor->done = status == STATUS_OK;
    return status;
}

/* Data that has come is taken without asking whether there is any, which is one call of the system
 * less: a server that is ahead has always sent more. `*dry`: the last time there was none. */
static enum status take_more(struct cursor *cursor, const struct batch *batch, bool *dry,
                             struct error *error)
{
    struct postgres_database *self = cursor->reader->database;
    enum status status = STATUS_OK;
    if (*dry) {
        status = postgres_await_data(self, cursor->connection, &cursor->vigil, error);
    } else if (PQconsumeInput(cursor->connection) == 0) {
        status = postgres_failure(self, cursor->connection, NULL, ERROR_NETWORK, error);
    }
    *dry = !*dry;
    if (status == STATUS_OK && batch->row_count > 0 &&
        PQstatus(cursor->connection) != CONNECTION_OK) {
        status = postgres_failure(self, cursor->connection, NULL, ERROR_NETWORK, error);
    }
    return status;
}

static enum status postgres_reader_fill(struct cursor *cursor, struct batch *batch,
                                        uint32_t rows_max, size_t bytes_max, struct error *error)
{
    size_t bytes = 0;
    size_t row_bytes = (size_t)batch->width * sizeof(struct cell);
    enum status status = STATUS_OK;
    bool dry = false;

    while (status == STATUS_OK && batch_has_room(batch, rows_max, bytes, bytes_max)) {
        char *data = NULL;
        int length = PQgetCopyData(cursor->connection, &data, 1);
        if (length > 0) {
            status = postgres_copy_take(&cursor->copy, batch, data, (size_t)length, error);
            bytes += (size_t)length + row_bytes;
            dry = false;
            PQfreemem(data);
        } else if (length == 0) {
            status = take_more(cursor, batch, &dry, error);
        } else if (length == -1) {
            return end_copy(cursor, error);
        } else {
            status = postgres_failure(cursor->reader->database, cursor->connection, NULL,
                                      ERROR_SOURCE_READ, error);
        }
    }
    return status;
}

static enum status cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                               struct batch **batch, struct error *error)
{
    uint32_t width = cursor->compiled.select.documents ? 1 : cursor->compiled.select.column_count;

    *batch = NULL;
    if (cursor->done) {
        return STATUS_END;
    }
    rows_max = rows_max > 0 ? rows_max : 1;
    struct batch *filled = batch_create_for_cursor(width, rows_max, bytes_max);
    enum status status =
        postgres_reader_fill(cursor, filled, rows_max, bytes_max > 0 ? bytes_max : 1, error);
    status = batch_deliver(filled, status, batch);
    return status == STATUS_FAILED ? postgres_reading_failed(cursor->reader->database, error)
                                   : status;
}

const struct source_functions postgres_source_functions = {
    .holds = sql_holds,
    .hold = sql_hold,
    .snapshot = take_snapshot,
    .leave = leave_snapshot,
    .tell_lacking = postgres_tell_lacking,
    .caveats = postgres_caveats,
    .describe_stream = sql_describe_stream,
    .count = sql_count_rows,
    .append_groups = sql_append_groups,
    .split = postgres_split,
    .number_spans = sql_number_spans_of,
    .since_query = postgres_since_query,
    .prepare = source_prepares_nothing,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .cursor_open = cursor_open,
    .cursor_next = cursor_next,
    .cursor_close = cursor_close,
    .digest_type = sql_digest_type,
    .digest = postgres_digest,
    .hashes = postgres_hashes,
};
