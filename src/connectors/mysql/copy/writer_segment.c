/*
 * A segment's end: all of it is good, or the records that the server refuses are found, in windows
 * that halve with each failure and double with each success: a segment of good rows costs one
 * load, a bad row about as many as its segment has powers of two.
 */
#include "connectors/mysql/copy/writer_internal.h"
#include <string.h>

uint64_t writer_segment_bytes_max(const struct writer *writer, const struct segment *segment)
{
    enum { COMMAND_BYTES = 8 };
    uint64_t packet = writer->packet_bytes_max;
    if (segment->form == MYSQL_IN_LINE) {
        return UINT64_MAX;
    }
    uint64_t head =
        COMMAND_BYTES + (segment->form == MYSQL_IN_BULK ? writer_bulk_head_bytes(segment->plan)
                                                        : strlen(segment->plan->statement));
    return packet > head ? packet - head : 0;
}

/* How many of the next `size` records, at least one, go at once. */
static uint32_t fitting(const struct writer *writer, uint32_t at, uint32_t size)
{
    uint32_t count = 0;
    const struct sent_row *rows = writer_rows(writer, &count);
    const struct segment *sending = writer->sending;
    uint64_t most = writer_segment_bytes_max(writer, sending);
    size_t end = at + size < count ? rows[at + size].begin : sending->out.length;
    while (size > 1 && end - rows[at].begin > most) {
        size--;
        end = rows[at + size].begin;
    }
    return size;
}

static enum status send_error_values(struct writer *writer, uint32_t at, struct refusal *refusal,
                                     struct error *error)
{
    static const char loose[] = "SET @transhume_mode = @@SESSION.sql_mode, SESSION sql_mode = "
                                "REPLACE(@@SESSION.sql_mode, 'STRICT_ALL_TABLES', '')";
    static const char strict[] = "SET SESSION sql_mode = @transhume_mode";
    struct error ignored = {0};
    if (mysql_run(writer->database, writer->connection, loose, SQL_SHORT, ERROR_TARGET_WRITE, NULL,
                  error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->error_values = true;
    writer->error_values_at = at;
    enum status status = writer_send(writer, at, at + 1, refusal, error);
    writer->error_values = false;
    bool back = mysql_run(writer->database, writer->connection, strict, SQL_SHORT,
                          ERROR_TARGET_WRITE, NULL, &ignored) == STATUS_OK;
    return back || status == STATUS_FAILED ? status : error_copy(error, &ignored);
}

static enum status send_all(struct writer *writer, struct error *error)
{
    uint32_t count = 0;
    const struct sent_row *rows = writer_rows(writer, &count);
    uint32_t window = count;
    uint32_t at = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && at < count) {
        struct refusal refusal;
        uint32_t size = fitting(writer, at, count - at < window ? count - at : window);
        status = writer_send(writer, at, at + size, &refusal, error);
        if (status == STATUS_OK) {
            at += size;
            window = window < count ? window * 2 : window;
        } else if (status == STATUS_AGAIN && size > 1) {
            window = size / 2;
            status = STATUS_OK;
        } else if (status == STATUS_AGAIN && writer_has_error_values(writer, at) &&
                   (status = send_error_values(writer, at, &refusal, error)) != STATUS_AGAIN) {
            at++;
        } else if (status == STATUS_AGAIN) {
            status = sql_held_refuse(rows[at].held, rows[at].row, OUTCOME_REJECTED, refusal.code,
                                     refusal.reason, error);
            at++;
        }
    }
    return status;
}

/* They are not halved: the general way finds the one that is refused. */
static enum status send_lines(struct writer *writer, struct error *error)
{
    struct refusal refusal;
    enum status status =
        writer->refused ? STATUS_AGAIN : writer_send_lines(writer, &refusal, error);
    writer->refused = writer->refused || status == STATUS_AGAIN;
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

enum status writer_segment_send(struct writer *writer, struct error *error)
{
    if (writer->sending->lines > 0) {
        return send_lines(writer, error);
    }
    return writer->sending->rows.length > 0 ? send_all(writer, error) : STATUS_OK;
}

void writer_segment_clear(struct segment *segment)
{
    sql_held_free(&segment->held);
    segment->plan = NULL;
    segment->form = MYSQL_IN_LINE;
    segment->failed = false;
    segment->lines = 0;
    buffer_clear(&segment->out);
    buffer_clear(&segment->rows);
    buffer_clear(&segment->marks);
}
