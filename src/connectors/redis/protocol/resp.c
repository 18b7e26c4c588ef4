/* Replies read and commands written. */
#include "connectors/redis/protocol/resp.h"

#include <stdarg.h>
#include <string.h>

/* ---------------------------------------------------------------- lines */

static enum status resp_refuse(struct error *error, const char *what)
{
    return error_set(error, ERROR_NETWORK_ANSWER, NULL, "an answer is not of Redis's protocol: %s",
                     what);
}

/* The line at `at`, without its end. STATUS_AGAIN: its end has not come yet. */
static enum status read_line(const char *bytes, size_t length, size_t at, struct text *line,
                             struct error *error)
{
    const char *end = memchr(bytes + at, '\r', length - at);
    if (end == NULL || (size_t)(end - bytes) + 1 >= length) {
        return length - at > RESP_LINE_BYTES_MAX ? resp_refuse(error, "a line without an end")
                                                 : STATUS_AGAIN;
    }
    if (end[1] != '\n') {
        return resp_refuse(error, "a line with a carriage return in it");
    }
    *line = (struct text){bytes + at, (size_t)(end - bytes) - at};
    return STATUS_OK;
}

static bool has_bytes(char type)
{
    return type == '$' || type == '=' || type == '!';
}

static bool has_items(char type)
{
    return type == '*' || type == '~' || type == '>' || type == '%' || type == '|';
}

/* The number behind the type of a line: a length or a count; -1 is null. */
static enum status read_size(struct text line, int64_t most, int64_t *size, struct error *error)
{
    if (text_to_int64(line.data + 1, line.length - 1, size) != STATUS_OK || *size < -1) {
        return resp_refuse(error, "a length that is none");
    }
    return *size <= most ? STATUS_OK : resp_refuse(error, "a length beyond all limits");
}

/* ---------------------------------------------------------------- the end of a reply */

static enum status find_one(struct resp_scan *scan, const char *bytes, size_t length,
                            struct error *error)
{
    struct text line;
    int64_t size = 0;
    enum status status = read_line(bytes, length, scan->at, &line, error);
    if (status != STATUS_OK) {
        return status;
    }
    size_t after = scan->at + line.length + 2;
    char type = line.length > 0 ? line.data[0] : '\0';
    if (has_bytes(type)) {
        if (read_size(line, RESP_BULK_BYTES_MAX, &size, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        size_t whole = size < 0 ? 0 : (size_t)size + 2;
        if (length - after < whole) {
            return STATUS_AGAIN;
        }
        after += whole;
    } else if (has_items(type)) {
        if (read_size(line, RESP_COUNT_MAX, &size, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        bool pairs = type == '%' || type == '|';
        scan->left += size < 0 ? 0 : (uint64_t)size * (pairs ? 2 : 1);
        scan->left += type == '|'; /* attributes stand before the reply that they are of */
    } else if (type == '\0' || strchr("+-:,#(_", type) == NULL) {
        return resp_refuse(error, "an unknown type");
    }
    scan->at = after;
    return STATUS_OK;
}

enum status resp_find_end(struct resp_scan *scan, const char *bytes, size_t length,
                          struct error *error)
{
    scan->left = scan->at == 0 ? 1 : scan->left;
    while (scan->left > 0) {
        enum status status =
            scan->at < length ? find_one(scan, bytes, length, error) : STATUS_AGAIN;
        if (status != STATUS_OK) {
            return status;
        }
        scan->left--;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- reading */

struct reading {
    const char *bytes;
    size_t length;
    size_t at;
    struct arena *arena;
};

static enum status read_value(struct reading *reading, int depth, struct resp_value *value,
                              struct error *error);

static enum status read_items(struct reading *reading, int depth, uint64_t count,
                              struct resp_value *value, struct error *error)
{
    /* no item is shorter than three bytes: "_\r\n" */
    if (count > (reading->length - reading->at) / 3 || count > UINT32_MAX ||
        depth == RESP_DEPTH_MAX) {
        return resp_refuse(error,
                           depth == RESP_DEPTH_MAX ? "it nests too deep" : "it is cut short");
    }
    struct resp_value *items = arena_try_allocate(reading->arena, (count + 1) * sizeof(*items));
    if (items == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for an answer this large");
    }
    *value = (struct resp_value){.type = RESP_LIST, .items = items, .count = (uint32_t)count};
    enum status status = STATUS_OK;
    for (uint64_t at = 0; at < count && status == STATUS_OK; at++) {
        status = read_value(reading, depth + 1, &items[at], error);
    }
    return status;
}

static enum status read_bytes(struct reading *reading, char type, int64_t size,
                              struct resp_value *value, struct error *error)
{
    enum { FORMAT_BYTES = 4 }; /* "txt:" before a verbatim string */
    if (size < 0) {
        *value = (struct resp_value){.type = RESP_NULL};
        return STATUS_OK;
    }
    if (reading->length - reading->at < (size_t)size + 2) {
        return resp_refuse(error, "it is cut short");
    }
    *value = (struct resp_value){.type = type == '!' ? RESP_ERROR : RESP_TEXT,
                                 .text = {reading->bytes + reading->at, (size_t)size}};
    reading->at += (size_t)size + 2;
    if (type == '=' && size >= FORMAT_BYTES) {
        value->text.data += FORMAT_BYTES;
        value->text.length -= FORMAT_BYTES;
    }
    return STATUS_OK;
}

static enum status read_plain(struct text line, struct resp_value *value, struct error *error)
{
    struct text rest = {line.data + 1, line.length - 1};
    switch (line.data[0]) {
    case '_':
        *value = (struct resp_value){.type = RESP_NULL};
        return STATUS_OK;
    case ':':
        *value = (struct resp_value){.type = RESP_INTEGER};
        return text_to_int64(rest.data, rest.length, &value->integer) == STATUS_OK
                   ? STATUS_OK
                   : resp_refuse(error, "an integer that is none");
    case '+':
    case '-':
        *value = (struct resp_value){.type = line.data[0] == '+' ? RESP_SIMPLE : RESP_ERROR,
                                     .text = rest};
        return STATUS_OK;
    default:
        *value = (struct resp_value){
            .type = RESP_TEXT, .text = rest, .integer = rest.length == 1 && rest.data[0] == 't'};
        return STATUS_OK;
    }
}

static enum status read_value(struct reading *reading, int depth, struct resp_value *value,
                              struct error *error)
{
    struct text line;
    int64_t size = 0;
    enum status status = read_line(reading->bytes, reading->length, reading->at, &line, error);
    if (status != STATUS_OK || line.length == 0) {
        return status == STATUS_FAILED ? STATUS_FAILED : resp_refuse(error, "it is cut short");
    }
    reading->at += line.length + 2;
    char type = line.data[0];
    if (!has_bytes(type) && !has_items(type)) {
        return read_plain(line, value, error);
    }
    if (read_size(line, has_bytes(type) ? RESP_BULK_BYTES_MAX : RESP_COUNT_MAX, &size, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (has_bytes(type)) {
        return read_bytes(reading, type, size, value, error);
    }
    if (size < 0) {
        *value = (struct resp_value){.type = RESP_NULL};
        return STATUS_OK;
    }
    uint64_t count = (uint64_t)size * (type == '%' || type == '|' ? 2 : 1);
    status = read_items(reading, depth, count, value, error);
    /* what attributes say of the reply behind them nobody asks */
    return status == STATUS_OK && type == '|' ? read_value(reading, depth, value, error) : status;
}

enum status resp_read(const char *bytes, size_t length, struct arena *arena,
                      struct resp_value *value, struct error *error)
{
    struct reading reading = {.bytes = bytes, .length = length, .arena = arena};
    return read_value(&reading, 0, value, error);
}

/* ---------------------------------------------------------------- asking a reply */

bool resp_is(const struct resp_value *value, const char *text)
{
    size_t length = strlen(text);
    return (value->type == RESP_SIMPLE || value->type == RESP_TEXT) &&
           value->text.length == length && memcmp(value->text.data, text, length) == 0;
}

const struct resp_value *resp_field(const struct resp_value *map, const char *name)
{
    for (uint32_t at = 0; map->type == RESP_LIST && at + 1 < map->count; at += 2) {
        if (resp_is(&map->items[at], name)) {
            return &map->items[at + 1];
        }
    }
    return NULL;
}

bool resp_integer(const struct resp_value *value, int64_t *integer)
{
    *integer = value->integer;
    return value->type == RESP_INTEGER ||
           (value->type == RESP_TEXT &&
            text_to_int64(value->text.data, value->text.length, integer) == STATUS_OK);
}

/* ---------------------------------------------------------------- commands */

static void append_size(struct buffer *out, char type, uint64_t size)
{
    char digits[24];
    digits[0] = type;
    size_t length = 1 + text_from_uint64(size, digits + 1);
    digits[length] = '\r';
    digits[length + 1] = '\n';
    buffer_append(out, digits, length + 2);
}

void resp_begin(struct buffer *out, uint64_t words)
{
    append_size(out, '*', words);
}

void resp_word(struct buffer *out, const void *bytes, size_t length)
{
    append_size(out, '$', length);
    buffer_append(out, bytes, length);
    buffer_append(out, "\r\n", 2);
}

void resp_string(struct buffer *out, const char *string)
{
    resp_word(out, string, strlen(string));
}

void resp_number(struct buffer *out, int64_t number)
{
    char digits[24];
    resp_word(out, digits, text_from_int64(number, digits));
}

void resp_command(struct buffer *out, const char *first, ...)
{
    va_list words;
    uint64_t count = 0;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        count++;
    }
    va_end(words);
    resp_begin(out, count);
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        resp_string(out, word);
    }
    va_end(words);
}
