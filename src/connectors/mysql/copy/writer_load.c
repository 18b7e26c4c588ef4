/*
 * Sending a window of the segment. LOAD DATA LOCAL skips duplicates and bends values with mere
 * warnings; so it counts only where it read every record, skipped none and warned of nothing, and
 * is undone else. So are INSERTs.
 */
#include "connectors/mysql/copy/writer_internal.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LARGE_PIECE_BYTES = 64 << 10, DATA_TRUNCATED = 1265 };
static const char savepoint[] = "SAVEPOINT transhume_segment";

/* ---------------------------------------------------------------- what the server reads */

static int stream_open(void **handle, const char *name, void *data)
{
    struct writer *writer = data;
    *handle = writer;
    /* whatever the server asks for, it is never a file */
    bool ours = strcmp(name, "transhume") == 0 && writer->stream.open;
    if (!ours) {
        writer->stream.failed = true;
        error_set(&writer->stream.error, ERROR_TARGET_INVALID, writer->database->sql.shown, "%s",
                  mysql_asks_for_a_file);
    }
    return ours ? 0 : 1;
}

/* The next piece of a large value, escaped. */
static bool read_large(struct writer_stream *stream, const struct large_mark *mark)
{
    char piece[LARGE_PIECE_BYTES];
    uint64_t left = mark->large->length - stream->large_offset;
    size_t size = left < sizeof piece ? (size_t)left : sizeof piece;
    if (mark->large->read(mark->large, stream->large_offset, piece, size, &stream->error) !=
        STATUS_OK) {
        stream->failed = true;
        return false;
    }
    stream->large_offset += size;
    buffer_clear(&stream->escaped);
    stream->escaped_at = 0;
    mysql_append_field(&stream->escaped, piece, size);
    return true;
}

static size_t writer_load_serve(char *to, size_t size, const char *from, size_t *at, size_t end)
{
    size_t piece = end - *at < size ? end - *at : size;
    memcpy(to, from + *at, piece);
    *at += piece;
    return piece;
}

static int stream_read(void *handle, char *bytes, unsigned int size)
{
    struct writer *writer = handle;
    struct writer_stream *stream = &writer->stream;
    size_t mark_count = writer->sending->marks.length / sizeof(struct large_mark);
    const struct large_mark *marks = (const void *)writer->sending->marks.data;
    size_t served = 0;

    while (served < size) {
        bool marked = stream->mark < mark_count && marks[stream->mark].offset <= stream->end &&
                      marks[stream->mark].offset < stream->end;
        size_t stop = marked ? marks[stream->mark].offset : stream->end;
        if (stream->escaped_at < stream->escaped.length) {
            served += writer_load_serve(bytes + served, size - served, stream->escaped.data,
                                        &stream->escaped_at, stream->escaped.length);
        } else if (stream->at < stop) {
            served += writer_load_serve(bytes + served, size - served, writer->sending->out.data,
                                        &stream->at, stop);
        } else if (!marked) {
            break;
        } else if (stream->large_offset < marks[stream->mark].large->length) {
            if (!read_large(stream, &marks[stream->mark])) {
                return -1;
            }
        } else {
            stream->mark++;
            stream->large_offset = 0;
        }
    }
    return (int)served;
}

/* All is sent. The library would wait for the outcome as for the next bytes of a stream; it takes
 * what triggers and keys of the table take. A wait in vain leaves the connection broken. */
static void stream_close(void *handle)
{
    struct writer *writer = handle;
    if (writer != NULL && !writer->stream.failed) {
        (void)!mysql_await(writer->database, writer->connection, SQL_LONG, &writer->stream.error);
    }
}

static int stream_error(void *handle, char *words, unsigned int size)
{
    const struct writer *writer = handle;
    snprintf(words, size, "%s", writer != NULL ? writer->stream.error.message : "no stream");
    return 1;
}

void writer_serve(struct writer *writer)
{
    mysql_set_local_infile_handler(writer->connection, stream_open, stream_read, stream_close,
                                   stream_error, writer);
}

static void open_stream(struct writer *writer, size_t begin, size_t end)
{
    struct writer_stream *stream = &writer->stream;
    const struct large_mark *marks = (const void *)writer->sending->marks.data;
    size_t mark_count = writer->sending->marks.length / sizeof *marks;
    stream->at = begin;
    stream->end = end;
    stream->mark = 0;
    while (stream->mark < mark_count && marks[stream->mark].offset < begin) {
        stream->mark++;
    }
    stream->large_offset = 0;
    buffer_clear(&stream->escaped);
    stream->escaped_at = 0;
    stream->open = true;
    stream->failed = false;
}

/* ---------------------------------------------------------------- what it said */

/* "Data truncated for column 'price' at row 3", of one that the table fills by itself: what it
 * computes is rounded, which is no more than a note, and was so in the source. */
static bool is_of_computed(const struct writer_plan *plan, MYSQL_ROW row, uint64_t number)
{
    static const char before[] = "Data truncated for column '";
    bool sent = false;
    if (number != DATA_TRUNCATED || row[0] == NULL || strcmp(row[0], "Note") != 0 ||
        strncmp(row[2], before, sizeof before - 1) != 0) {
        return false;
    }
    const char *name = row[2] + sizeof before - 1;
    for (uint32_t i = 0; !sent && i < plan->column_count; i++) {
        const char *filled = plan->columns[i].column->name;
        size_t length = strlen(filled);
        sent = strncasecmp(name, filled, length) == 0 &&
               strncmp(name + length, "' at row ", strlen("' at row ")) == 0;
    }
    return !sent;
}

/* The first warning that is of a record; of others the first. `computed`: how many are of columns
 * that were not sent, or of an ENUM's error values, which are none. */
static enum status ask_warnings(struct writer *writer, struct refusal *refusal, uint32_t *computed,
                                struct error *error)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row = NULL;
    bool found = false;
    if (mysql_run(writer->database, writer->connection, "SHOW WARNINGS", SQL_SHORT,
                  ERROR_TARGET_WRITE, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *refusal = (struct refusal){.code = ERROR_REJECT_CONSTRAINT, .reason = "refused by the server"};
    *computed = 0;
    while (!found && (row = mysql_fetch_row(result)) != NULL) {
        uint64_t number = 0;
        if (row[1] == NULL || row[2] == NULL ||
            text_to_uint64(row[1], strlen(row[1]), &number) != STATUS_OK) {
            continue;
        }
        if (is_of_computed(writer->sending->plan, row, number) ||
            writer_is_error_value(writer, number, row[2])) {
            ++*computed;
            continue;
        }
        enum error_code code = ERROR_REJECT_TYPE;
        found = mysql_is_of_record((unsigned)number, row[2], &code);
        if (found || refusal->number == 0) {
            refusal->number = (unsigned)number;
            refusal->code = code;
            snprintf(refusal->reason, sizeof refusal->reason, "%s", row[2]);
            text_clean_line(refusal->reason);
        }
    }
    mysql_free_result(result);
    return STATUS_OK;
}

static uint64_t number_after(const char *words, const char *name)
{
    uint64_t value = UINT64_MAX;
    const char *found = words != NULL ? strstr(words, name) : NULL;
    if (found != NULL) {
        found += strlen(name);
        found += strspn(found, " ");
        if (text_to_uint64(found, strspn(found, "0123456789"), &value) != STATUS_OK) {
            value = UINT64_MAX;
        }
    }
    return value;
}

/* "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0"; warnings are counted elsewhere, too. */
static bool is_complete(const char *info, uint64_t records)
{
    return number_after(info, "Records:") == records &&
           (strstr(info, "Skipped:") == NULL || number_after(info, "Skipped:") == 0);
}

/* Something is done beside what was sent, or was not done. */
static enum status count_is_wrong(struct writer *writer, uint64_t records, uint64_t changed,
                                  struct error *error)
{
    error_set(error, ERROR_NETWORK_ANSWER, writer->database->sql.shown,
              "of %llu records sent in bulk the server counts %llu", (unsigned long long)records,
              (unsigned long long)changed);
    writer_bulk_give_up(writer, error);
    return STATUS_FAILED;
}

static enum status judge_success(struct writer *writer, uint64_t records, struct refusal *refusal,
                                 struct error *error)
{
    MYSQL *connection = writer->connection;
    uint64_t changed = mysql_affected_rows(connection);
    const char *info = mysql_info(connection);
    uint64_t told = info != NULL ? number_after(info, "Warnings:") : 0;
    uint64_t warnings = mysql_warning_count(connection);
    uint32_t computed = 0;
    bool whole = changed == records && (info == NULL || is_complete(info, records));
    if (whole && told == 0 && warnings == 0) {
        return STATUS_OK;
    }
    if (ask_warnings(writer, refusal, &computed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* After an INSERT in bulk the count has what triggers kept to themselves, too: the list
     * decides, of which max_error_count and sql_notes (session_settings) leave something to see.
     * With computed columns all of it has to be there to be seen: writer_plan.c. */
    bool unseen = computed < told || (computed > 0 && computed < warnings);
    if (refusal->number != 0 || unseen || (!whole && writer->sending->form != MYSQL_IN_BULK)) {
        return writer_savepoint_undo(writer, error);
    }
    return whole ? STATUS_OK : count_is_wrong(writer, records, changed, error);
}

/* ---------------------------------------------------------------- sending */

static enum status set_savepoint(struct writer *writer, struct error *error)
{
    if (!writer->sql.begun && mysql_run(writer->database, writer->connection, "START TRANSACTION",
                                        SQL_SHORT, ERROR_TARGET_WRITE, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    writer->sql.begun = true;
    return mysql_run(writer->database, writer->connection, savepoint, SQL_SHORT, ERROR_TARGET_WRITE,
                     NULL, error);
}

/* As the segment has it, without the comma behind the last one. */
static enum status send_statement(struct writer *writer, size_t begin, size_t end,
                                  struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, writer->sending->plan->statement);
    if (!buffer_try_reserve(&sql, end - begin)) {
        buffer_free(&sql);
        return error_set(error, ERROR_MEMORY, writer->database->sql.shown, "no memory for records");
    }
    buffer_append(&sql, writer->sending->out.data + begin, end - begin - 1);
    enum status status = mysql_send(writer->database, writer->connection, sql.data, sql.length,
                                    SQL_LONG, ERROR_TARGET_WRITE, error);
    buffer_free(&sql);
    return status;
}

static enum status send_load(struct writer *writer, size_t begin, size_t end, struct error *error)
{
    const char *statement = writer->sending->plan->statement;
    open_stream(writer, begin, end);
    enum status status = mysql_send(writer->database, writer->connection, statement,
                                    strlen(statement), SQL_LONG, ERROR_TARGET_WRITE, error);
    writer->stream.open = false;
    return status;
}

/* The bytes from `from` to `to`, which are so many records. Results as writer_send's. */
static enum status send_bytes(struct writer *writer, size_t from, size_t to, uint64_t records,
                              struct refusal *refusal, struct error *error)
{
    if (set_savepoint(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum mysql_form form = writer->sending->form;
    writer->stream.failed = false;
    enum status status = form == MYSQL_IN_BULK   ? writer_bulk_send(writer, from, to, error)
                         : form == MYSQL_IN_LINE ? send_load(writer, from, to, error)
                                                 : send_statement(writer, from, to, error);
    return status == STATUS_OK ? judge_success(writer, records, refusal, error)
                               : writer_judge_failure(writer, refusal, error);
}

enum status writer_send(struct writer *writer, uint32_t first, uint32_t end,
                        struct refusal *refusal, struct error *error)
{
    uint32_t count = 0;
    const struct sent_row *rows = writer_rows(writer, &count);
    size_t to = end < count ? rows[end].begin : writer->sending->out.length;
    bool staged = writer->sending->plan->staged;
    if (staged && writer_stage_make(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = send_bytes(writer, rows[first].begin, to, end - first, refusal, error);
    return status == STATUS_OK && staged ? writer_stage_apply(writer, first, end, refusal, error)
                                         : status;
}

enum status writer_send_lines(struct writer *writer, struct refusal *refusal, struct error *error)
{
    return send_bytes(writer, 0, writer->sending->out.length, writer->sending->lines, refusal,
                      error);
}
