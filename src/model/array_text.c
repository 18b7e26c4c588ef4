/* Arrays as PostgreSQL writes them. */
#include "model/array_text.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/json_reader.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 6 }; /* as many dimensions as PostgreSQL has (MAXDIM) */

struct array_reader {
    const char *start;
    const char *at;
    const char *end;
    const struct value_type *element;
    struct arena *arena;
    struct error *error;
    uint32_t depth;
};

static enum status array_text_fail(const struct array_reader *reader, const char *what)
{
    return error_set(reader->error, ERROR_REJECT_UNREADABLE, NULL, "array, byte %zu: %s",
                     (size_t)(reader->at - reader->start), what);
}

/* A NUL, which strchr finds at the end of every text, is none of them. */
static bool is_among(const char *letters, char letter)
{
    return letter != '\0' && strchr(letters, letter) != NULL;
}

static const char blanks[] = " \t\n\r\v\f";

static void skip_blanks(struct array_reader *reader)
{
    while (reader->at < reader->end && is_among(blanks, *reader->at)) {
        reader->at++;
    }
}

static bool array_text_take(struct array_reader *reader, char wanted)
{
    skip_blanks(reader);
    bool found = reader->at < reader->end && *reader->at == wanted;
    reader->at += found;
    return found;
}

/* "[0:2][1:1]=" */
static void skip_bounds(struct array_reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && is_among("[]:-+0123456789", *at)) {
        at++;
    }
    if (at > reader->at && at < reader->end && *at == '=') {
        reader->at = at + 1;
    }
}

bool array_text_is_one(const char *text, size_t length)
{
    struct array_reader reader = {.start = text, .at = text, .end = text + length};
    skip_blanks(&reader);
    skip_bounds(&reader);
    return array_text_take(&reader, '{');
}

/* ---------------------------------------------------------------- elements */

/* "\x00ff", as bytea is written. False: it is not that. */
static bool read_hex(const char *text, size_t length, struct arena *arena, struct cell *cell)
{
    if (length < 2 || length % 2 != 0 || text[0] != '\\' || text[1] != 'x') {
        return false;
    }
    uint8_t *bytes = arena_allocate(arena, length / 2);
    for (size_t i = 2; i < length; i += 2) {
        int high = text_hex_digit(text[i]);
        int low = text_hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i / 2 - 1] = (uint8_t)(high << 4 | low);
    }
    *cell = cell_bytes(bytes, length / 2 - 1);
    return true;
}

/* In bytea's other form: \\ for a backslash, three octal digits after one for a byte. False: it is
 * not that either. */
static bool read_escaped(const char *text, size_t length, struct arena *arena, struct cell *cell)
{
    uint8_t *bytes = arena_allocate(arena, length + 1);
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        const char *digits = text + i + 1;
        if (text[i] != '\\') {
            bytes[count++] = (uint8_t)text[i];
        } else if (i + 1 < length && digits[0] == '\\') {
            bytes[count++] = '\\';
            i++;
        } else if (i + 3 < length && digits[0] >= '0' && digits[0] <= '3' &&
                   is_among("01234567", digits[1]) && is_among("01234567", digits[2])) {
            bytes[count++] =
                (uint8_t)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0'));
            i += 3;
        } else {
            return false;
        }
    }
    *cell = cell_bytes(bytes, count);
    return true;
}

static void make_element(const struct array_reader *reader, const char *text, size_t length,
                         struct cell *cell)
{
    struct cell made;
    struct error ignored;
    *cell = cell_text(text, length);
    if (reader->element == NULL || reader->element->kind == VALUE_TEXT) {
        return;
    }
    if (reader->element->kind == VALUE_BYTES) {
        (void)(read_hex(text, length, reader->arena, cell) ||
               read_escaped(text, length, reader->arena, cell));
        return;
    }
    if (convert_value(cell, reader->element, false, reader->arena, &made, &ignored) == STATUS_OK) {
        *cell = made;
    }
}

/* How many bytes from `at` stand before the first of `ends` that is not escaped. */
static size_t length_before(const struct array_reader *reader, const char *at, const char *ends)
{
    const char *end = at;
    while (end < reader->end && !is_among(ends, *end)) {
        end += *end == '\\' && end + 1 < reader->end ? 2 : 1;
    }
    return (size_t)(end - at);
}

static enum status read_quoted(struct array_reader *reader, struct cell *cell)
{
    char *text = arena_allocate(reader->arena, length_before(reader, reader->at + 1, "\"") + 1);
    size_t length = 0;
    for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        reader->at += *reader->at == '\\' && reader->at + 1 < reader->end;
        text[length++] = *reader->at;
    }
    if (reader->at == reader->end) {
        return array_text_fail(reader, "a quote is not closed");
    }
    reader->at++;
    make_element(reader, text, length, cell);
    return STATUS_OK;
}

/* Up to what ends it; blanks around it are not its own. */
static enum status read_bare(struct array_reader *reader, struct cell *cell)
{
    static const char ends[] = ",{}\"";
    char *text = arena_allocate(reader->arena, length_before(reader, reader->at, ends) + 1);
    size_t length = 0;
    size_t kept = 0;
    bool escaped = false;
    while (reader->at < reader->end && !is_among(ends, *reader->at)) {
        bool escape = *reader->at == '\\' && reader->at + 1 < reader->end;
        escaped = escaped || escape;
        reader->at += escape;
        text[length++] = *reader->at;
        bool blank = !escape && is_among(blanks, *reader->at);
        kept = blank ? kept : length;
        reader->at++;
    }
    if (kept == 0) {
        return array_text_fail(reader, "an element is expected");
    }
    if (!escaped && kept == 4 && strncasecmp(text, "NULL", 4) == 0) {
        *cell = cell_null();
    } else {
        make_element(reader, text, kept, cell);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- arrays */

static enum status read_array(struct array_reader *reader, struct cell *list);

static enum status read_element(struct array_reader *reader, struct cell *cell)
{
    skip_blanks(reader);
    if (reader->at < reader->end && *reader->at == '{') {
        return read_array(reader, cell);
    }
    return reader->at < reader->end && *reader->at == '"' ? read_quoted(reader, cell)
                                                          : read_bare(reader, cell);
}

static enum status read_elements(struct array_reader *reader, struct buffer *items)
{
    if (array_text_take(reader, '}')) {
        return STATUS_OK;
    }
    do {
        struct cell cell = cell_null();
        if (read_element(reader, &cell) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append(items, &cell, sizeof(cell));
    } while (array_text_take(reader, ','));
    return array_text_take(reader, '}') ? STATUS_OK
                                        : array_text_fail(reader, "a comma or } is expected");
}

static enum status read_array(struct array_reader *reader, struct cell *list)
{
    struct buffer items = {0};
    if (!array_text_take(reader, '{')) {
        return array_text_fail(reader, "{ is expected");
    }
    if (reader->depth++ == DEPTH_MAX) {
        return error_set(reader->error, ERROR_REJECT_TOO_DEEP, NULL,
                         "arrays are nested more than %d deep", DEPTH_MAX);
    }
    enum status status = read_elements(reader, &items);
    reader->depth--;
    if (status == STATUS_OK) {
        uint32_t count = (uint32_t)(items.length / sizeof(struct cell));
        struct cell *kept = arena_allocate_zeroed(reader->arena, count + (size_t)1, sizeof(*kept));
        if (count > 0) {
            memcpy(kept, items.data, items.length);
        }
        *list = cell_items(VALUE_LIST, kept, count);
    }
    buffer_free(&items);
    return status;
}

enum status array_text_read(const char *text, size_t length, const struct value_type *element,
                            struct arena *arena, struct cell *list, struct error *error)
{
    struct array_reader reader = {.start = text,
                                  .at = text,
                                  .end = text + length,
                                  .element = element,
                                  .arena = arena,
                                  .error = error};
    skip_blanks(&reader);
    skip_bounds(&reader);
    if (read_array(&reader, list) != STATUS_OK) {
        return STATUS_FAILED;
    }
    skip_blanks(&reader);
    return reader.at == reader.end ? STATUS_OK
                                   : array_text_fail(&reader, "something stands behind it");
}

/* ---------------------------------------------------------------- writing */

static void append_quoted(const char *text, size_t length, struct buffer *out)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, text[i]);
    }
    buffer_append_byte(out, '"');
}

/* The server's own rule, so that what it shows of an array is what was written. */
static bool needs_quotes(const char *text, size_t length)
{
    static const char special[] = "{},\"\\ \t\n\r\v\f";
    bool needs = length == 0 || (length == 4 && strncasecmp(text, "NULL", 4) == 0);
    for (size_t i = 0; i < length && !needs; i++) {
        needs = is_among(special, text[i]);
    }
    return needs;
}

static void append_text(const char *text, size_t length, struct buffer *out)
{
    if (!needs_quotes(text, length)) {
        buffer_append(out, text, length);
        return;
    }
    append_quoted(text, length, out);
}

/* The server's words for values of other kinds. */
static enum status append_scalar(const struct cell *cell, struct buffer *text, struct error *error)
{
    if (cell->kind == VALUE_BOOL) {
        buffer_append_byte(text, cell->i64 != 0 ? 't' : 'f');
        return STATUS_OK;
    }
    buffer_append_string(text, cell->kind == VALUE_BYTES ? "\\x" : "");
    enum status status = convert_append_text(cell, true, text, error);
    bool moment = cell->kind == VALUE_TIMESTAMP && (cell->flags & CELL_SPECIAL) == 0;
    char *letter = status == STATUS_OK && moment ? memchr(text->data, 'T', text->length) : NULL;
    if (letter != NULL) {
        *letter = ' ';
    }
    if (status == STATUS_OK && text->length > 0 && text->data[text->length - 1] == 'Z' &&
        (cell->kind == VALUE_TIMESTAMP || cell->kind == VALUE_TIME)) {
        text->length--;
        buffer_append_string(text, "+00");
    }
    return status;
}

/* Bytes out of JSON are base64, unless they are as the server writes them. */
static bool read_bytes(const struct cell *from, struct arena *arena, struct cell *made)
{
    struct error ignored;
    uint8_t *bytes;
    size_t count;
    if (read_hex(from->text, from->length, arena, made)) {
        return true;
    }
    bool read =
        json_decode_base64(from->text, from->length, arena, &bytes, &count, &ignored) == STATUS_OK;
    *made = read ? cell_bytes(bytes, count) : *from;
    return read;
}

static bool read_carried(const struct cell *from, const struct value_type *element,
                         struct arena *arena, struct cell *made)
{
    struct error ignored;
    if (from->kind != VALUE_TEXT || element == NULL || element->kind == VALUE_TEXT) {
        return false;
    }
    return element->kind == VALUE_BYTES
               ? read_bytes(from, arena, made)
               : convert_value(from, element, false, arena, made, &ignored) == STATUS_OK;
}

/* A value that was carried as text, as JSON has it, is written in the server's words. */
static enum status append_read(const struct cell *from, const struct value_type *element,
                               struct buffer *text, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cell made;
    bool typed = read_carried(from, element, arena, &made);
    enum status status = append_scalar(typed ? &made : from, text, error);
    arena_destroy(arena);
    return status;
}

static bool is_nested(const struct cell *cell)
{
    return cell->kind == VALUE_LIST || cell->kind == VALUE_SET;
}

/* Lists of JSON values are dimensions; of others, they are JSON themselves. */
static bool holds_json(const struct cell *list)
{
    bool found = false;
    for (uint32_t i = 0; i < list->length && !found; i++) {
        const struct cell *item = &list->items[i];
        found = is_nested(item) ? holds_json(item) : item->kind == VALUE_JSON;
    }
    return found;
}

static enum status append_list(const struct cell *list, const struct value_type *element,
                               bool dimensions, struct buffer *out, struct error *error);

static enum status append_element(const struct cell *cell, const struct value_type *element,
                                  bool dimensions, struct buffer *out, struct error *error)
{
    bool json = element != NULL && element->kind == VALUE_JSON;
    struct buffer text = {0};
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        buffer_append_string(out, "NULL");
        return STATUS_OK;
    }
    if (is_nested(cell) && dimensions) {
        return append_list(cell, element, dimensions, out, error);
    }
    if (json || cell->kind == VALUE_MAP) {
        status = convert_append_json(cell, &text, error);
    } else {
        status = append_read(cell, element, &text, error);
    }
    if (status == STATUS_OK) {
        append_text(text.data != NULL ? text.data : "", text.length, out);
    }
    buffer_free(&text);
    return status;
}

static enum status append_list(const struct cell *list, const struct value_type *element,
                               bool dimensions, struct buffer *out, struct error *error)
{
    enum status status = STATUS_OK;
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < list->length && status == STATUS_OK; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        status = append_element(&list->items[i], element, dimensions, out, error);
    }
    buffer_append_byte(out, '}');
    return status;
}

enum status array_text_append(const struct cell *list, const struct value_type *element,
                              struct buffer *out, struct error *error)
{
    bool json = element != NULL && element->kind == VALUE_JSON;
    return append_list(list, element, !json || holds_json(list), out, error);
}
