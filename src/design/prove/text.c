/* Values as literals, and as texts that compare. */
#include "design/prove/prove_parts.h"

#include "model/convert.h"
#include "model/order_bytes.h"
#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------- literals */

static void append_quoted(const char *text, size_t length, enum prove_language language,
                          struct buffer *out)
{
    buffer_append_byte(out, '\'');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'' || (text[i] == '\\' && language == PROVE_MYSQL)) {
            buffer_append_byte(out, text[i]);
        }
        buffer_append_byte(out, text[i]);
    }
    buffer_append_byte(out, '\'');
}

static void append_bytes(const struct cell *cell, enum prove_language language, struct buffer *out)
{
    buffer_append_string(out, language == PROVE_CQL ? "0x" : "X'");
    buffer_append_hex(out, cell->bytes, cell->length);
    buffer_append_string(out, language == PROVE_CQL ? "" : "'");
}

enum status prove_append_literal(const struct cell *cell, enum prove_language language,
                                 struct buffer *out, struct error *error)
{
    struct buffer text = {0};
    if (cell->kind == VALUE_BYTES) {
        append_bytes(cell, language, out);
        return STATUS_OK;
    }
    if (cell->kind == VALUE_BOOL) {
        buffer_append_string(out, cell->i64 != 0 ? "true" : "false");
        return STATUS_OK;
    }
    if (convert_append_text(cell, true, &text, error) != STATUS_OK) {
        buffer_free(&text);
        return STATUS_FAILED;
    }
    if (value_kind_is_number(cell->kind) || (cell->kind == VALUE_UUID && language == PROVE_CQL)) {
        buffer_append(out, text.data, text.length);
    } else {
        append_quoted(buffer_string(&text), text.length, language, out);
    }
    bool has_nul = text.length > 0 && memchr(text.data, 0, text.length) != NULL;
    buffer_free(&text);
    return has_nul ? error_set(error, ERROR_USAGE, NULL, "a text with a NUL can't be asked for")
                   : STATUS_OK;
}

/* ---------------------------------------------------------------- texts */

/* Without zeros that say nothing: "1.50" is "1.5", "2.000" is "2". */
static void trim_number(struct buffer *text)
{
    if (memchr(text->data, '.', text->length) == NULL ||
        memchr(text->data, 'e', text->length) != NULL ||
        memchr(text->data, 'E', text->length) != NULL) {
        return;
    }
    while (text->length > 0 && text->data[text->length - 1] == '0') {
        text->length--;
    }
    if (text->length > 0 && text->data[text->length - 1] == '.') {
        text->length--;
    }
}

static bool is_time(const struct buffer *text)
{
    static const char pattern[] = "dddd-dd-dd";
    if (text->length < sizeof(pattern) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
        bool fits = pattern[i] == 'd' ? isdigit((unsigned char)text->data[i]) != 0
                                      : text->data[i] == pattern[i];
        if (!fits) {
            return false;
        }
    }
    return text->length == sizeof(pattern) - 1 || text->data[10] == 'T' || text->data[10] == ' ';
}

static void trim_time(struct buffer *text)
{
    if (text->length > 10) {
        text->data[10] = ' ';
    }
    if (text->data[text->length - 1] == 'Z') {
        text->length--;
    }
    trim_number(text);
    static const char midnight[] = " 00:00:00";
    size_t ending = sizeof(midnight) - 1;
    if (text->length == 10 + ending && memcmp(text->data + 10, midnight, ending) == 0) {
        text->length = 10;
    }
}

static bool is_time_kind(enum value_kind kind)
{
    return kind == VALUE_DATE || kind == VALUE_TIMESTAMP;
}

/* So that no text is that of null, and that of no row is that of another. */
static void append_escaped(const struct buffer *text, struct buffer *out)
{
    for (size_t i = 0; i < text->length; i++) {
        char byte = (char)text->data[i];
        if (byte == '\\' || byte == '|') {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, byte);
        } else if (byte == '\0' || byte == '\n') {
            buffer_append_string(out, byte == '\0' ? "\\0" : "\\n");
        } else {
            buffer_append_byte(out, byte);
        }
    }
}

enum status prove_append_text(const struct cell *cell, enum value_kind kind, struct buffer *out,
                              struct error *error)
{
    struct buffer text = {0};
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        buffer_append_string(out, "\\N");
        return STATUS_OK;
    }
    if (cell->kind == VALUE_BOOL) {
        buffer_append_byte(out, cell->i64 != 0 ? '1' : '0');
        return STATUS_OK;
    }
    enum status status = convert_append_text(cell, true, &text, error);
    if (status == STATUS_OK && text.length > 0) {
        bool may_be_time = is_time_kind(kind) || is_time_kind((enum value_kind)cell->kind);
        if (value_kind_is_number((enum value_kind)cell->kind)) {
            trim_number(&text);
        } else if (may_be_time && is_time(&text)) {
            trim_time(&text);
        }
        append_escaped(&text, out);
    }
    buffer_free(&text);
    return status;
}

static int order_of(const struct buffer *left, const struct buffer *right)
{
    size_t shared = left->length < right->length ? left->length : right->length;
    int order = shared > 0 ? memcmp(left->data, right->data, shared) : 0;
    if (order == 0) {
        order = (left->length > right->length) - (left->length < right->length);
    }
    return order < 0 ? -1 : order > 0;
}

int prove_compare_values(const struct cell *left, const struct cell *right, enum value_kind kind)
{
    struct buffer keys[2] = {0};
    struct error ignored;
    bool numbers = value_kind_is_number((enum value_kind)left->kind) &&
                   value_kind_is_number((enum value_kind)right->kind);
    bool alike =
        numbers || (left->kind == right->kind && !(is_time_kind(kind) && left->kind == VALUE_TEXT));
    bool made = alike ? order_bytes_append(left, &keys[0], &ignored) == STATUS_OK &&
                            order_bytes_append(right, &keys[1], &ignored) == STATUS_OK
                      : prove_append_text(left, kind, &keys[0], &ignored) == STATUS_OK &&
                            prove_append_text(right, kind, &keys[1], &ignored) == STATUS_OK;
    int order = made ? order_of(&keys[0], &keys[1]) : 0;
    buffer_free(&keys[0]);
    buffer_free(&keys[1]);
    return order;
}
