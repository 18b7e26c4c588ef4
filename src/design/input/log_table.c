/*
 * Records with a delimiter between fields:
 *
 *     "a ""quoted"" field, which may hold line breaks",plain,5
 *     a tab-separated field with \t \n and \\ as mysql and psql write them <tab> 5
 */
#include "design/input/log_internal.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- records */

/* Behind the closing quote, the field's text without doubled quotes; NULL: it does not end. */
static char *quoted_field(char *at, const char *end, struct text *field, uint64_t *lines)
{
    char *out = at;
    field->data = at;
    for (; at < end; at++) {
        if (*at == '"') {
            if (at + 1 == end || at[1] != '"') {
                field->length = (size_t)(out - field->data);
                return at + 1;
            }
            at++;
        }
        *lines += *at == '\n';
        *out++ = *at;
    }
    field->length = (size_t)(out - field->data);
    return NULL;
}

static char unescaped(char letter)
{
    return letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r' : letter;
}

static char *plain_field(char *at, const char *end, char delimiter, struct text *field)
{
    char *out = at;
    field->data = at;
    for (; at < end && *at != delimiter && *at != '\n'; at++) {
        bool escape = delimiter == '\t' && *at == '\\' && at + 1 < end && at[1] != '\n';
        at += escape ? 1 : 0;
        *out++ = escape ? unescaped(*at) : *at;
    }
    field->length = (size_t)(out - field->data);
    return at;
}

/* Is there a line's end that is in no quotes? Fields are changed only if so. */
static bool is_whole(const char *bytes, size_t length, char delimiter)
{
    bool quoted = false;
    bool begins = true;
    for (size_t i = 0; i < length; i++) {
        if (quoted) {
            quoted = bytes[i] != '"' || (i + 1 < length && bytes[i + 1] == '"' && ++i > 0);
        } else if (bytes[i] == '"' && begins) {
            quoted = true;
        } else if (bytes[i] == '\n') {
            return true;
        }
        begins = !quoted && bytes[i] == delimiter;
    }
    return false;
}

static char *read_field(char *at, char *end, char delimiter, struct text *field, uint64_t *lines)
{
    if (at < end && *at == '"') {
        char *behind = quoted_field(at + 1, end, field, lines);
        at = behind != NULL ? behind : end;
        while (at < end && *at != delimiter && *at != '\n') {
            at++;
        }
        return at;
    }
    at = plain_field(at, end, delimiter, field);
    bool carriage =
        at < end && *at == '\n' && field->length > 0 && field->data[field->length - 1] == '\r';
    field->length -= carriage ? 1 : 0;
    return at;
}

bool log_record_read(char *bytes, size_t length, bool last, char delimiter,
                     struct log_record *record)
{
    record->count = 0;
    record->lines = 0;
    if (length == 0 || (!last && !is_whole(bytes, length, delimiter))) {
        return false;
    }
    char *at = bytes;
    char *end = bytes + length;
    for (;; at++) {
        struct text field = {at, 0};
        at = read_field(at, end, delimiter, &field, &record->lines);
        if (record->count < LOG_COLUMNS_MAX) {
            record->fields[record->count++] = field;
        }
        if (at == end || *at == '\n') {
            record->lines += at < end;
            record->bytes = (size_t)(at - bytes) + (at < end);
            return true;
        }
    }
}

/* One that fills the window is dropped, up to the next line that is not a part of it; what follows
 * in quotes may be taken for a record, and is none that anything is read of. */
static enum status skip_record(struct log_reading *reading, struct error *error)
{
    struct window_line line;
    log_drop(reading, reading->window.line);
    do {
        enum status status = window_line(&reading->window, &line, error);
        if (status != STATUS_OK) {
            return status;
        }
        window_take(&reading->window, line.taken);
    } while (line.cut);
    return STATUS_OK;
}

static enum status next_record(struct log_reading *reading, struct log_record *record,
                               struct error *error)
{
    struct window *window = &reading->window;
    for (;;) {
        if (window_length(window) > 0 &&
            log_record_read(window->bytes.data + window->begin, window_length(window), window->last,
                            reading->log->delimiter, record)) {
            return STATUS_OK;
        }
        enum status status = window_grow(window, error);
        if (status == STATUS_AGAIN) {
            status = skip_record(reading, error);
        }
        if (status == STATUS_FAILED || (status == STATUS_END && window_length(window) == 0)) {
            return status;
        }
    }
}

/* ---------------------------------------------------------------- statements and weights */

static double weight_of(const struct input_log *log, const struct text *fields, uint32_t count)
{
    char digits[32];
    if (log->weight_column >= count) {
        return log->weight_column == UINT32_MAX ? 1 : 0;
    }
    struct text field = fields[log->weight_column];
    size_t length = field.length < sizeof digits - 1 ? field.length : sizeof digits - 1;
    memcpy(digits, field.data, length);
    digits[length] = '\0';
    double weight = strtod(digits, NULL);
    return weight > 0 && weight < 1e18 ? weight : 0;
}

static void add_record(struct log_reading *reading, const struct text *fields, uint32_t count)
{
    const struct input_log *log = reading->log;
    double weight = weight_of(log, fields, count);
    struct input_sql_report *report = input_sql_report(reading->input);
    if (count == 1 && fields[0].length == 0) {
        return; /* an empty line */
    }
    if (log->sql_column >= count || weight == 0) {
        report->statements++;
        report->dropped++;
        findings_add(&report->findings, (uint32_t)reading->window.line, 1,
                     "a line without a statement or without a weight above 0");
        return;
    }
    log_add(reading, fields[log->sql_column], weight, reading->window.line);
}

enum status log_read_table(struct log_reading *reading, struct error *error)
{
    struct log_record record;
    enum status status;
    bool header = reading->log->header;
    while ((status = next_record(reading, &record, error)) == STATUS_OK) {
        if (!header) {
            add_record(reading, record.fields, record.count);
        }
        header = false;
        window_take_lines(&reading->window, record.bytes, record.lines);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- csvlog */

static bool log_table_take(struct text *text, const char *words)
{
    size_t length = strlen(words);
    if (text->length < length || memcmp(text->data, words, length) != 0) {
        return false;
    }
    text->data += length;
    text->length -= length;
    return true;
}

/* "duration: 0.123 ms  execute S_1: SELECT …" without what stands in front; false: the message is
 * no statement, or tells of one that is told of elsewhere (parse, bind). */
static bool statement_of(struct text *message)
{
    if (log_table_take(message, "duration: ")) {
        const char *behind = memmem(message->data, message->length, " ms  ", 5);
        if (behind == NULL) {
            return false;
        }
        message->length -= (size_t)(behind + 5 - message->data);
        message->data = behind + 5;
    }
    if (log_table_take(message, "statement: ")) {
        return true;
    }
    if (!log_table_take(message, "execute ") || log_table_take(message, "fetch from ")) {
        return false;
    }
    const char *behind = memmem(message->data, message->length, ": ", 2);
    if (behind == NULL) {
        return false;
    }
    message->length -= (size_t)(behind + 2 - message->data);
    message->data = behind + 2;
    return true;
}

enum status log_read_postgres_csv(struct log_reading *reading, struct error *error)
{
    enum { MESSAGE = 13 };
    struct log_record record;
    enum status status;
    while ((status = next_record(reading, &record, error)) == STATUS_OK) {
        if (record.count > MESSAGE && statement_of(&record.fields[MESSAGE])) {
            log_add(reading, record.fields[MESSAGE], 1, reading->window.line);
        }
        window_take_lines(&reading->window, record.bytes, record.lines);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
