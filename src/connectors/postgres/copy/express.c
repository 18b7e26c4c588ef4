/*
 * The express lane: COPY's bytes go from one PostgreSQL to the other as they are. Only between
 * columns of the very same types, whose bytes mean the same in both; a record that the target
 * refuses sends the chunk the general way, where it alone is rejected.
 */
#include "base/signals.h"
#include "connectors/postgres/copy/writer_internal.h"
#include "connectors/postgres/source.h"
#include "connectors/sql/link.h"
#include <string.h>

enum { PIECE_BYTES = 256 << 10 };

bool postgres_express_accepts(struct database *database, struct database *source)
{
    return source->connector == database->connector &&
           postgres_database_of(source)->mode == OPEN_SOURCE;
}

static bool same_bytes(const struct postgres_column *from, const struct postgres_column *to)
{
    bool own = from->same_bytes && from->type_oid == to->type_oid;
    bool label = from->type.format == POSTGRES_AS_TEXT && to->type.format == POSTGRES_AS_TEXT;
    return from->type.format == to->type.format && (own || label) &&
           strcmp(from->type.type.native, to->type.type.native) == 0;
}

/* The columns that go over; false: this is no table for the express lane. */
static bool list_columns(const struct writer *writer, uint32_t table,
                         const struct postgres_table *from, struct buffer *names)
{
    const struct postgres_table *to = &writer->tables[table].facts;
    for (uint32_t i = 0; i < from->schema->column_count; i++) {
        const struct postgres_column *column = &from->columns[i];
        int32_t position = postgres_find_column(to, column->name);
        if (position < 0) {
            return false;
        }
        if (to->columns[position].generated) {
            continue;
        }
        if (!same_bytes(column, &to->columns[position])) {
            return false;
        }
        postgres_append(names, "%s%n", names->length > 0 ? ", " : "", column->name);
    }
    return names->length > 0;
}

struct pull {
    struct writer *writer;
    struct postgres_database *source;
    const struct postgres_table *from;
    const struct span *span;
    const char *names;
    uint64_t noted; /* rows that the report says are pulled */
    uint64_t sent;  /* by the source, as it says itself */
    struct error *error;
};

static enum status express_leave(const struct pull *pull, enum status status)
{
    return sql_leave_to_readers(pull->from->schema->name, status, pull->error);
}

static enum status start_source(struct pull *pull)
{
    struct writer *writer = pull->writer;
    struct buffer sql = {0};
    PGresult *result = NULL;

    if (writer->source == NULL &&
        postgres_reader_connect(pull->source, &writer->source, pull->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(&sql, "COPY (SELECT %s FROM %t AS _t0", pull->names, &pull->source->sql,
                    pull->from->schema->name);
    enum status status = postgres_span_append(&sql, pull->span, pull->from, pull->error);
    buffer_append_string(&sql, ") TO STDOUT (FORMAT binary)");
    if (status == STATUS_OK) {
        status = postgres_send_buffer(pull->source, writer->source, &sql, pull->error);
    }
    buffer_free(&sql);
    if (status == STATUS_OK) {
        status = postgres_next_result(pull->source, writer->source, SQL_LONG, &result, pull->error);
    }
    if (status == STATUS_OK && PQresultStatus(result) != PGRES_COPY_OUT) {
        status =
            postgres_failure(pull->source, writer->source, result, ERROR_SOURCE_READ, pull->error);
    }
    PQclear(result);
    return status == STATUS_OK ? postgres_hold_lasts(pull->source, pull->error) : status;
}

static enum status start_target(struct pull *pull, uint32_t table)
{
    struct writer *writer = pull->writer;
    enum status status = postgres_send_buffer(
        writer->database, writer->connection,
        postgres_sql("%s%t (%s) FROM STDIN (FORMAT binary)",
                     writer->sql.begun ? "COPY " : "BEGIN; COPY ", &writer->database->sql,
                     writer->tables[table].facts.schema->name, pull->names),
        pull->error);
    writer->sql.begun = true;
    if (status == STATUS_OK) {
        status = writer_wait_for_copy(writer, pull->error);
    }
    writer->copying = status == STATUS_OK;
    return status;
}

/* They have moved, be they few or slow. */
static void postgres_express_note(struct pull *pull, uint64_t rows)
{
    atomic_fetch_add(&pull->writer->database->sql.base.report.pulled_rows, rows - pull->noted);
    pull->noted = rows;
}

/* The rows as they come, header and trailer with them. */
static enum status pump(struct pull *pull)
{
    struct writer *writer = pull->writer;
    enum status status = STATUS_OK;
    uint64_t rows = 0;
    struct sql_vigil vigil = {0};

    buffer_clear(&writer->out);
    while (status == STATUS_OK) {
        char *data = NULL;
        int length = PQgetCopyData(writer->source, &data, 1);
        if (length > 0) {
            bool taken = buffer_try_reserve(&writer->out, (size_t)length);
            if (taken) {
                buffer_append(&writer->out, data, (size_t)length);
            }
            PQfreemem(data);
            rows++;
            if (!taken) {
                status = error_set(pull->error, ERROR_MEMORY, pull->from->schema->name,
                                   "no memory for a row of %d bytes", length);
            } else if (writer->out.length >= PIECE_BYTES) {
                postgres_express_note(pull, rows);
                status = writer_send_out(writer, pull->error);
            }
        } else if (length == -1) {
            return writer_send_out(writer, pull->error);
        } else if (length == -2) {
            return express_leave(pull, postgres_failure(pull->source, writer->source, NULL,
                                                        ERROR_SOURCE_READ, pull->error));
        } else if (signals_stop_level() >= 2) {
            status = error_set(pull->error, ERROR_INTERRUPTED, pull->from->schema->name,
                               "stopped on request");
        } else {
            postgres_express_note(pull, rows);
            status = express_leave(
                pull, postgres_await_data(pull->source, writer->source, &vigil, pull->error));
        }
    }
    return status;
}

static enum status end_source(struct pull *pull)
{
    PGresult *result = NULL;
    uint64_t count = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = postgres_next_result(pull->source, pull->writer->source, SQL_SHORT, &result,
                                      pull->error);
        if (status != STATUS_OK || result == NULL) {
            break;
        }
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            status = postgres_failure(pull->source, pull->writer->source, result, ERROR_SOURCE_READ,
                                      pull->error);
        } else if (postgres_rows_changed(result, &count) == STATUS_OK) {
            pull->sent += count;
        }
        PQclear(result);
    }
    return status;
}

/* STATUS_AGAIN: a record was refused. */
static enum status check_deferred(struct pull *pull)
{
    PGresult *failure = NULL;
    enum status status = pull->writer->defers
                             ? writer_check_deferred(pull->writer, &failure, pull->error)
                             : STATUS_OK;
    PQclear(failure);
    return status;
}

/* Likewise. */
static enum status end_target(struct pull *pull, uint64_t *rows)
{
    struct writer *writer = pull->writer;
    PGresult *result = NULL;
    enum status status = STATUS_OK;
    enum error_code code = ERROR_NONE;
    uint64_t count = 0;

    writer->copying = false;
    int put = PQputCopyEnd(writer->connection, NULL);
    if (put < 0) {
        return postgres_failure(writer->database, writer->connection, NULL, ERROR_NETWORK,
                                pull->error);
    }
    for (;;) {
        enum status next = postgres_next_result(writer->database, writer->connection, SQL_LONG,
                                                &result, pull->error);
        if (next != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (result == NULL) {
            break;
        }
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            bool record = state != NULL && !postgres_is_lost(writer->connection, state) &&
                          postgres_is_of_record(result, &code);
            status = record ? STATUS_AGAIN
                            : postgres_failure(writer->database, writer->connection, result,
                                               ERROR_TARGET_WRITE, pull->error);
        } else if (postgres_rows_changed(result, &count) == STATUS_OK) {
            *rows = count;
        }
        PQclear(result);
        if (PQstatus(writer->connection) != CONNECTION_OK) {
            break;
        }
    }
    if (status == STATUS_OK && PQstatus(writer->connection) != CONNECTION_OK) {
        return postgres_failure(writer->database, writer->connection, NULL, ERROR_NETWORK,
                                pull->error);
    }
    return status;
}

static enum status carry(struct pull *pull, uint32_t table, uint64_t *rows)
{
    enum status status = express_leave(pull, start_source(pull));
    status = status == STATUS_OK ? start_target(pull, table) : status;
    status = status == STATUS_OK ? pump(pull) : status;
    status = status == STATUS_OK ? express_leave(pull, end_source(pull)) : status;
    status = status == STATUS_OK ? end_target(pull, rows) : status;
    status = status == STATUS_OK
                 ? writer_look_for_left_out(pull->writer, &pull->writer->tables[table].facts,
                                            pull->sent, *rows, pull->error)
                 : status;
    return status == STATUS_OK ? check_deferred(pull) : status;
}

enum status postgres_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                   const struct read_request *request, const struct span *span,
                                   uint32_t table, uint64_t *rows, struct error *error)
{
    struct pull pull = {
        .writer = writer, .source = postgres_database_of(source), .span = span, .error = error};
    struct buffer names = {0};

    (void)chunk;
    *rows = 0;
    if (request->table == NULL || request->join_count > 0 || pull.source->catalog == NULL) {
        return STATUS_AGAIN;
    }
    pull.from = postgres_catalog_find(pull.source->catalog, request->table);
    if (pull.from == NULL || postgres_writer_describe(writer, table, error) != STATUS_OK) {
        return pull.from == NULL ? STATUS_AGAIN : STATUS_FAILED;
    }
    const struct target_table *plan = writer->tables[table].plan;
    bool direct =
        plan->created || plan->existing == EXISTING_REFUSE || plan->existing == EXISTING_APPEND;
    if (!direct || plan->distinct || plan->same_engine == NULL ||
        !list_columns(writer, table, pull.from, &names)) {
        buffer_free(&names);
        return STATUS_AGAIN;
    }
    pull.names = buffer_string(&names);
    enum status status = carry(&pull, table, rows);
    atomic_fetch_sub(&writer->database->sql.base.report.pulled_rows, pull.noted);
    if (status != STATUS_OK) {
        /* what it still sends nobody wants */
        postgres_disconnect(writer->source);
        writer->source = NULL;
        buffer_clear(&writer->out);
    }
    buffer_free(&names);
    return status;
}
