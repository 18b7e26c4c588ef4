/* COPY FROM STDIN in binary: started behind a savepoint, fed in large pieces, ended and asked. */
#include "connectors/postgres/copy/writer_internal.h"
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 256 << 10, FIELD_BYTES_MAX = 1000 * 1000 * 1000 };

static const char header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

/* ---------------------------------------------------------------- refusing */

/* ---------------------------------------------------------------- start */

enum status writer_wait_for_copy(struct writer *writer, struct error *error)
{
    PGresult *result = NULL;
    for (;;) {
        if (postgres_next_result(writer->database, writer->connection, SQL_LONG, &result, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        ExecStatusType state = PQresultStatus(result);
        if (result == NULL || state == PGRES_FATAL_ERROR) {
            postgres_failure(writer->database, writer->connection, result, ERROR_TARGET_WRITE,
                             error);
            PQclear(result);
            return STATUS_FAILED;
        }
        PQclear(result);
        if (state == PGRES_COPY_IN) {
            return STATUS_OK;
        }
    }
}

enum status writer_copy_start(struct writer *writer, const struct writer_plan *plan,
                              struct error *error)
{
    struct buffer sql = {0};

    buffer_format(&sql, "%s%s", !writer->sql.begun ? "BEGIN; " : "",
                  writer->savepoint ? "RELEASE SAVEPOINT transhume_segment; " : "");
    if (plan->staged) {
        /* made anew where a rolled back transaction had made it */
        buffer_format(&sql, "SAVEPOINT transhume_segment; ");
        writer->sql.begun = true;
        writer->savepoint = true;
        enum status made = postgres_execute_buffer(writer->database, writer->connection, &sql,
                                                   SQL_SHORT, ERROR_TARGET_WRITE, error);
        if (made != STATUS_OK) {
            return STATUS_FAILED;
        }
        bool found = false;
        if (postgres_is_there(writer->database, writer->connection, plan->stage_name,
                              ERROR_TARGET_WRITE, &found, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!found && postgres_execute(writer->database, writer->connection, plan->stage, SQL_SHORT,
                                       ERROR_TARGET_WRITE, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else {
        buffer_append_string(&sql, "SAVEPOINT transhume_segment; ");
    }
    buffer_append_string(&sql, plan->copy);
    enum status status = postgres_send_buffer(writer->database, writer->connection, &sql, error);
    writer->sql.begun = true;
    if (status != STATUS_OK || writer_wait_for_copy(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->savepoint = true;
    writer->copying = true;
    writer->sent_rows = 0;
    buffer_clear(&writer->out);
    buffer_append(&writer->out, header, sizeof header);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

enum status writer_send_out(struct writer *writer, struct error *error)
{
    if (writer->out.length == 0) {
        return STATUS_OK;
    }
    int put = PQputCopyData(writer->connection, writer->out.data, (int)writer->out.length);
    while (put == 0) {
        if (postgres_flush(writer->database, writer->connection, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        put = PQputCopyData(writer->connection, writer->out.data, (int)writer->out.length);
    }
    writer->sent_bytes += writer->out.length;
    buffer_clear(&writer->out);
    if (put < 0) {
        return postgres_failure(writer->database, writer->connection, NULL, ERROR_NETWORK, error);
    }
    return postgres_flush(writer->database, writer->connection, error);
}

enum status postgres_check_large(const struct postgres_column *column,
                                 const struct large_value *large, struct error *error)
{
    enum postgres_format format = column->type.format;
    bool text = format == POSTGRES_AS_TEXT || format == POSTGRES_AS_CAST ||
                format == POSTGRES_AS_JSON || format == POSTGRES_AS_JSONB;
    if (large->kind == VALUE_BYTES ? format != POSTGRES_AS_BYTEA : !text) {
        return error_set(error, ERROR_REJECT_TYPE, column->name, "a large %s is no %s",
                         value_kind_name(large->kind), column->type.type.native);
    }
    if (large->length > FIELD_BYTES_MAX) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, column->name,
                         "the value has %llu bytes; PostgreSQL holds 1 GB",
                         (unsigned long long)large->length);
    }
    return STATUS_OK;
}

/* Its length, then slices as they are read: it is never in memory whole. */
static enum status send_large(struct writer *writer, const struct postgres_column *column,
                              struct large_value *large, struct error *error)
{
    bool versioned = column->type.format == POSTGRES_AS_JSONB;
    uint32_t size = __builtin_bswap32((uint32_t)large->length + versioned);
    buffer_append(&writer->out, &size, sizeof size);
    if (versioned) {
        buffer_append_byte(&writer->out, 1);
    }
    for (uint64_t offset = 0; offset < large->length;) {
        size_t piece =
            large->length - offset < PIECE_BYTES ? (size_t)(large->length - offset) : PIECE_BYTES;
        if (writer_send_out(writer, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_reserve(&writer->out, piece);
        if (large->read(large, offset, writer->out.data, piece, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        writer->out.length = piece;
        offset += piece;
    }
    return STATUS_OK;
}

static enum status encode_row(struct writer *writer, const struct writer_plan *plan,
                              const struct cell *cells, struct error *error)
{
    uint16_t count = __builtin_bswap16((uint16_t)plan->column_count);
    const struct writer_column *end = plan->columns + plan->column_count;
    buffer_append(&writer->out, &count, sizeof count);
    for (const struct writer_column *column = plan->columns; column < end; column++) {
        const struct cell *cell = &cells[column->field];
        enum status status =
            cell->kind == VALUE_LARGE
                ? send_large(writer, column->column, cell->large, error)
                : postgres_encode(column->column, cell, writer->sql.scratch, &writer->out, error);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static bool has_large(const struct writer_plan *plan, const struct cell *cells)
{
    for (uint32_t i = 0; i < plan->column_count; i++) {
        if (cells[plan->columns[i].field].kind == VALUE_LARGE) {
            return true;
        }
    }
    return false;
}

/* Is every value of the row one that its column can hold? Asked before a large one is sent, after
 * which there is no way back. */
static enum status probe_row(struct writer *writer, const struct writer_plan *plan,
                             const struct cell *cells, struct error *error)
{
    struct buffer ignored = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->column_count && status == STATUS_OK; i++) {
        const struct postgres_column *column = plan->columns[i].column;
        const struct cell *cell = &cells[plan->columns[i].field];
        status = cell->kind == VALUE_LARGE
                     ? postgres_check_large(column, cell->large, error)
                     : postgres_encode(column, cell, writer->sql.scratch, &ignored, error);
    }
    buffer_free(&ignored);
    return status;
}

enum status writer_copy_row(struct writer *writer, const struct writer_plan *plan,
                            struct sql_held *held, uint32_t row, struct error *error)
{
    const struct cell *cells = batch_row(held->batch, row);
    size_t before = writer->out.length;
    uint64_t sent = writer->sent_bytes;
    struct error problem;
    enum status status = STATUS_OK;

    problem.class = ERROR_CLASS_STOP;
    if (held->batch->large_values != NULL && has_large(plan, cells)) {
        status = probe_row(writer, plan, cells, &problem);
    }
    if (status == STATUS_OK) {
        status = encode_row(writer, plan, cells, &problem);
    }
    if (status == STATUS_OK) {
        held->bytes += writer->sent_bytes + writer->out.length - (sent + before);
        writer->sent_rows++;
        return writer->out.length >= PIECE_BYTES ? writer_send_out(writer, error) : STATUS_OK;
    }
    if (writer->sent_bytes != sent && problem.class == ERROR_CLASS_REJECT) {
        error_recode(&problem, ERROR_SOURCE_READ); /* a part of the row can't be taken back */
    }
    if (problem.class == ERROR_CLASS_REJECT) {
        char reason[1100];
        writer->out.length = before;
        snprintf(reason, sizeof reason, "%s%s%s", problem.object, problem.object[0] ? ": " : "",
                 problem.message);
        return sql_held_refuse(held, row, OUTCOME_REJECTED, problem.code, reason, error);
    }
    error_copy(error, &problem);
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- end */

enum status writer_undo_refused(struct writer *writer, enum status status, struct error *error)
{
    return status == STATUS_AGAIN &&
                   postgres_execute(writer->database, writer->connection,
                                    "ROLLBACK TO SAVEPOINT transhume_segment", SQL_SHORT,
                                    ERROR_TARGET_WRITE, error) != STATUS_OK
               ? STATUS_FAILED
               : status;
}

enum status writer_look_for_left_out(struct writer *writer, const struct postgres_table *table,
                                     uint64_t sent, uint64_t written, struct error *error)
{
    char oid[16];
    PGresult *result = NULL;
    if (written >= sent) {
        return STATUS_OK;
    }
    snprintf(oid, sizeof oid, "%u", table->oid);
    const struct postgres_parameter parameters[] = {{.text = oid}};
    enum status status = postgres_catalog_query(
        writer->database, writer->connection,
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid "
        "WHERE c.oid = $1::pg_catalog.oid AND c.relkind = 'r' LIMIT 1",
        parameters, 1, SQL_SHORT, ERROR_TARGET_WRITE, &result, error);
    bool elsewhere = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status != STATUS_OK || elsewhere ? status : STATUS_AGAIN;
}

/* All results of the COPY; the first failure is kept. */
static enum status take_results(struct writer *writer, PGresult **failure, uint64_t *written,
                                struct error *error)
{
    PGresult *result = NULL;
    for (;;) {
        if (postgres_next_result(writer->database, writer->connection, SQL_LONG, &result, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        if (result == NULL) {
            return STATUS_OK;
        }
        if (PQresultStatus(result) == PGRES_FATAL_ERROR && *failure == NULL) {
            *failure = result;
        } else {
            uint64_t count = 0;
            *written += postgres_rows_changed(result, &count) == STATUS_OK ? count : 0;
            PQclear(result);
        }
        if (PQstatus(writer->connection) != CONNECTION_OK) {
            return STATUS_OK;
        }
    }
}

/* Nothing was refused. */
static enum status end_well(struct writer *writer, uint64_t written, struct error *error)
{
    if (PQstatus(writer->connection) != CONNECTION_OK) {
        return postgres_failure(writer->database, writer->connection, NULL, ERROR_NETWORK, error);
    }
    enum status status = writer->plan->staged
                             ? STATUS_OK
                             : writer_look_for_left_out(writer, writer->plan->facts,
                                                        writer->sent_rows, written, error);
    return writer_undo_refused(writer, status, error);
}

enum status writer_copy_end(struct writer *writer, PGresult **failure, struct error *error)
{
    static const char trailer[2] = {(char)0xff, (char)0xff};
    enum error_code code = ERROR_NONE;
    uint64_t written = 0;

    *failure = NULL;
    buffer_append(&writer->out, trailer, sizeof trailer);
    if (writer_send_out(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->copying = false;
    int put = PQputCopyEnd(writer->connection, NULL);
    while (put == 0) {
        if (postgres_flush(writer->database, writer->connection, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        put = PQputCopyEnd(writer->connection, NULL);
    }
    if (put < 0) {
        return postgres_failure(writer->database, writer->connection, NULL, ERROR_NETWORK, error);
    }
    if (take_results(writer, failure, &written, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (*failure == NULL) {
        return end_well(writer, written, error);
    }
    const char *state = PQresultErrorField(*failure, PG_DIAG_SQLSTATE);
    if (state != NULL && !postgres_is_lost(writer->connection, state) &&
        postgres_is_of_record(*failure, &code)) {
        return writer_undo_refused(writer, STATUS_AGAIN, error);
    }
    postgres_failure(writer->database, writer->connection, *failure, ERROR_TARGET_WRITE, error);
    PQclear(*failure);
    *failure = NULL;
    return STATUS_FAILED;
}
