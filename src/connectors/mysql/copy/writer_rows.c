/* Records as the segment's bytes: lines of LOAD DATA, lists of values with a comma behind, or
 * parameters. */
#include "connectors/mysql/copy/writer_internal.h"
#include <stdio.h>
#include <string.h>

enum { LARGE_BYTES_MAX = 1000 * 1000 * 1000 };

/* In a statement it has to be whole. */
static enum status put_large_whole(struct writer *writer, const struct mysql_column *column,
                                   struct large_value *large, struct error *error)
{
    if (large->length > writer->packet_bytes_max / 3) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, column->name,
                         "the value has %llu bytes, too many for a statement of this server "
                         "(max_allowed_packet %llu); LOAD DATA LOCAL could take it",
                         (unsigned long long)large->length,
                         (unsigned long long)writer->packet_bytes_max);
    }
    char *bytes = arena_try_allocate(writer->sql.scratch, large->length);
    if (bytes == NULL || !buffer_try_reserve(&writer->filling->out, 2 * large->length)) {
        return error_set(error, ERROR_MEMORY, column->name, "no memory for a large value");
    }
    if (large->read(large, 0, bytes, large->length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (large->kind == VALUE_BYTES) {
        mysql_append_bytes(&writer->filling->out, bytes, large->length);
    } else {
        mysql_append_text(&writer->filling->out, bytes, large->length);
    }
    return STATUS_OK;
}

enum status mysql_check_large(const struct mysql_column *column, const struct large_value *large,
                              struct error *error)
{
    bool bytes = column->type.format == MYSQL_AS_BYTES;
    bool text = column->type.format == MYSQL_AS_TEXT || column->type.format == MYSQL_AS_LABEL ||
                column->type.format == MYSQL_AS_JSON;
    if ((large->kind == VALUE_BYTES && !bytes) || (large->kind == VALUE_TEXT && !text)) {
        return error_set(error, ERROR_REJECT_TYPE, column->name, "a large %s is no %s",
                         value_kind_name(large->kind), column->type.type.native);
    }
    if (large->length > LARGE_BYTES_MAX) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, column->name,
                         "the value has %llu bytes; 1 GB is the most",
                         (unsigned long long)large->length);
    }
    return STATUS_OK;
}

/* A mark stands for it: its bytes are read when the server wants them. */
static enum status put_large(struct writer *writer, const struct mysql_column *column,
                             struct large_value *large, struct error *error)
{
    if (mysql_check_large(column, large, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (writer->filling->form == MYSQL_IN_BULK) {
        return STATUS_AGAIN;
    }
    if (!writer->database->loads) {
        return put_large_whole(writer, column, large, error);
    }
    const struct large_mark mark = {writer->filling->out.length, large};
    buffer_append(&writer->filling->marks, &mark, sizeof mark);
    return STATUS_OK;
}

static enum status encode_cells(struct writer *writer, const struct writer_plan *plan,
                                const struct cell *cells, struct error *error)
{
    enum mysql_form form = writer->filling->form;
    struct buffer *out = &writer->filling->out;
    if (form == MYSQL_IN_STATEMENT) {
        buffer_append_byte(out, '(');
    }
    if (plan->staged) {
        buffer_append_uint64(out, writer->numbered);
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        const struct writer_column *entry = &plan->columns[i];
        const struct cell *cell = &cells[entry->field];
        if (form != MYSQL_IN_BULK && (i > 0 || plan->staged)) {
            buffer_append_byte(out, form == MYSQL_IN_LINE ? '\t' : ',');
        }
        enum status status =
            cell->kind == VALUE_LARGE
                ? put_large(writer, entry->column, cell->large, error)
                : mysql_encode(entry->column, cell, form, writer->sql.scratch, out, error);
        if (status == STATUS_AGAIN) {
            return STATUS_AGAIN;
        }
        if (status != STATUS_OK) {
            bool null = cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
            if (null && entry->in_key && error != NULL) {
                error_recode(error, ERROR_REJECT_KEY_NULL);
            }
            return STATUS_FAILED;
        }
    }
    if (form != MYSQL_IN_BULK) {
        buffer_append_string(out, form == MYSQL_IN_LINE ? "\n" : "),");
    }
    return STATUS_OK;
}

static enum status too_long(const struct writer *writer, size_t bytes, struct error *error)
{
    return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                     "the record takes %zu bytes, too many for a statement of this server "
                     "(max_allowed_packet %llu); LOAD DATA LOCAL could take it",
                     bytes, (unsigned long long)writer->packet_bytes_max);
}

/* Behind the others; STATUS_AGAIN as writer_encode_row. */
static enum status encode_record(struct writer *writer, const struct writer_plan *plan,
                                 const struct cell *cells, struct error *error)
{
    const struct segment *filling = writer->filling;
    size_t begin = filling->out.length;
    enum status status = encode_cells(writer, plan, cells, error);
    size_t bytes = filling->out.length - begin;
    if (status != STATUS_OK || bytes <= writer_segment_bytes_max(writer, filling)) {
        return status;
    }
    return filling->form == MYSQL_IN_BULK ? STATUS_AGAIN : too_long(writer, bytes, error);
}

enum status writer_encode_row(struct writer *writer, const struct writer_plan *plan,
                              struct sql_held *held, uint32_t row, struct error *error)
{
    struct segment *filling = writer->filling;
    const struct sent_row sent = {held, row, filling->out.length};
    size_t marks = filling->marks.length;
    struct error problem;
    problem.class = ERROR_CLASS_STOP;

    enum status status = encode_record(writer, plan, batch_row(held->batch, row), &problem);
    buffer_append(&filling->rows, &sent, sizeof sent);
    if (status == STATUS_OK) {
        held->bytes += filling->out.length - sent.begin;
        for (; marks < filling->marks.length; marks += sizeof(struct large_mark)) {
            const struct large_mark *mark = (const void *)(filling->marks.data + marks);
            held->bytes += mark->large->length;
        }
        writer->numbered++;
        return STATUS_OK;
    }
    filling->out.length = sent.begin;
    filling->marks.length = marks;
    filling->rows.length -= sizeof sent;
    if (status == STATUS_AGAIN) {
        return STATUS_AGAIN;
    }
    if (problem.class == ERROR_CLASS_REJECT) {
        char reason[1100];
        snprintf(reason, sizeof reason, "%s%s%s", problem.object, problem.object[0] ? ": " : "",
                 problem.message);
        return sql_held_refuse(held, row, OUTCOME_REJECTED, problem.code, reason, error);
    }
    error_copy(error, &problem);
    return STATUS_FAILED;
}
