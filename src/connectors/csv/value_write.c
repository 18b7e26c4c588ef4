/* Cells to fields: digits, ISO texts, quotes where they are needed. */
#include "connectors/csv/value.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/csv/infer.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LARGE_SLICE_BYTES = 256 * 1024, BLOCK = 16 };

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to write a field");
}

/* ---------------------------------------------------------------- quotes */

static inline bool is_special(const struct csv_dialect *dialect, char byte)
{
    return byte == dialect->delimiter || byte == '\n' || byte == '\r' || byte == '\0' ||
           (dialect->quote != 0 && (byte == dialect->quote || byte == dialect->escape));
}

/* Copies to `to` (room for `length` and BLOCK more); true if a byte wants quotes. */
static bool copy_looking(const struct csv_dialect *dialect, char *to, const char *text,
                         size_t length)
{
    size_t at = 0;
#if defined(__x86_64__)
    const __m128i delimiter = _mm_set1_epi8(dialect->delimiter);
    const __m128i quote = _mm_set1_epi8(dialect->quote != 0 ? dialect->quote : '\n');
    const __m128i line_feed = _mm_set1_epi8('\n');
    const __m128i carriage_return = _mm_set1_epi8('\r');
    /* in quotes, since others take it for an escape outside of them too */
    const __m128i escape = _mm_set1_epi8(dialect->escape != 0 ? dialect->escape : '\n');
    __m128i special = _mm_setzero_si128();
    for (; at + BLOCK <= length; at += BLOCK) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(text + at));
        _mm_storeu_si128((__m128i *)(void *)(to + at), block);
        __m128i ends =
            _mm_or_si128(_mm_cmpeq_epi8(block, line_feed), _mm_cmpeq_epi8(block, carriage_return));
        __m128i marks =
            _mm_or_si128(_mm_cmpeq_epi8(block, delimiter), _mm_cmpeq_epi8(block, quote));
        special = _mm_or_si128(special, _mm_cmpeq_epi8(block, _mm_setzero_si128()));
        special = _mm_or_si128(special, _mm_cmpeq_epi8(block, escape));
        special = _mm_or_si128(special, _mm_or_si128(ends, marks));
    }
    if (_mm_movemask_epi8(special) != 0) {
        return true;
    }
#endif
    for (; at < length; at++) {
        to[at] = text[at];
        if (is_special(dialect, text[at])) {
            return true;
        }
    }
    return false;
}

static bool is_null_text(const struct csv_dialect *dialect, const char *text, size_t length)
{
    return length == dialect->null_length &&
           (length == 0 || memcmp(text, dialect->null_text, length) == 0);
}

/* Would the unquoted text be taken for another kind of value in a dynamic column? */
static bool is_misread(const struct value_type *type, const char *text, size_t length)
{
    uint32_t digits = 0;
    uint32_t scale = 0;
    bool inexact = false;
    if (!type->dynamic || length == 0) {
        return false;
    }
    if (type->kind != VALUE_TEXT) {
        return true;
    }
    char byte = text[0];
    if (byte == '\\') {
        return length >= 2 && text[1] == 'x';
    }
    if (byte == 't' || byte == 'f') {
        return csv_value_is_truth(text, length);
    }
    if ((byte < '0' || byte > '9') && byte != '-' && byte != 'N' && byte != 'I') {
        return false;
    }
    switch (csv_infer_class(text, length, &digits, &scale, &inexact)) {
    case CSV_CLASS_WHOLE:
    case CSV_CLASS_WIDE_WHOLE:
    case CSV_CLASS_FRACTION:
    case CSV_CLASS_FLOAT:
    case CSV_CLASS_FLOAT_WORD:
        return true;
    default:
        return false;
    }
}

static bool begins_like_head(const struct csv_dialect *dialect, const char *text, size_t length)
{
    return length > 0 && ((dialect->comment != 0 && text[0] == dialect->comment) ||
                          (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0));
}

/* The escaped text without the quotes around it. */
static void append_escaped(const struct csv_dialect *dialect, const char *text, size_t length,
                           struct buffer *out)
{
    const char *end = text + length;
    while (text < end) {
        const char *mark = text;
        while (mark < end && *mark != dialect->quote && *mark != dialect->escape) {
            mark++;
        }
        buffer_append(out, text, (size_t)(mark - text));
        if (mark < end) {
            buffer_append_byte(out, dialect->escape);
            buffer_append_byte(out, *mark);
            mark++;
        }
        text = mark;
    }
}

static enum status append_quoted(const struct csv_dialect *dialect, const char *text, size_t length,
                                 struct buffer *out, struct error *error)
{
    if (dialect->quote == 0) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "the value can't be written without quotes, and the dialect has none");
    }
    if (length > MEMORY_DATA_BYTES && !buffer_try_reserve(out, 2 * length + 2)) {
        return no_memory(error);
    }
    buffer_append_byte(out, dialect->quote);
    append_escaped(dialect, text, length, out);
    buffer_append_byte(out, dialect->quote);
    return STATUS_OK;
}

static enum status append_text(const struct csv_dialect *dialect, const struct value_type *type,
                               const char *text, size_t length, bool first, struct buffer *out,
                               struct error *error)
{
    if (!buffer_try_reserve(out, length + BLOCK)) {
        return no_memory(error);
    }
    if (is_null_text(dialect, text, length) || is_misread(type, text, length) ||
        (first && begins_like_head(dialect, text, length)) ||
        copy_looking(dialect, out->data + out->length, text, length)) {
        return append_quoted(dialect, text, length, out, error);
    }
    out->length += length;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- kinds */

/* Digits and words that this file wrote at `start` are quoted after all if they can't stand. */
static enum status guard_written(const struct csv_dialect *dialect, bool first, size_t start,
                                 struct buffer *out, struct error *error)
{
    const char *text = out->data + start;
    size_t length = out->length - start;
    bool special =
        is_null_text(dialect, text, length) || (first && begins_like_head(dialect, text, length));
    for (size_t at = 0; at < length && !special; at++) {
        /* a backslash is what bytes begin with */
        special = text[at] != '\\' && is_special(dialect, text[at]);
    }
    if (!special) {
        return STATUS_OK;
    }
    struct buffer copy = {0};
    buffer_append(&copy, text, length);
    out->length = start;
    enum status status = append_quoted(dialect, copy.data, copy.length, out, error);
    buffer_free(&copy);
    return status;
}

/* In a column of another kind a float tells by its exponent that it is none of whole and
 * decimal. */
static void append_float(const struct value_type *type, const struct cell *cell, struct buffer *out)
{
    buffer_reserve(out, NUMBER_TEXT_MAX + 2);
    char *to = out->data + out->length;
    size_t length = cell->kind == VALUE_FLOAT32 ? number_from_float32((float)cell->f64, to)
                                                : number_from_double(cell->f64, to);
    bool plain = to[length - 1] >= '0' && to[length - 1] <= '9' && memchr(to, 'e', length) == NULL;
    if (plain && type->dynamic && type->kind != VALUE_FLOAT64 && type->kind != VALUE_FLOAT32) {
        to[length++] = 'e';
        to[length++] = '0';
    }
    out->length += length;
}

static void append_bytes(const struct csv_dialect *dialect, const struct value_type *type,
                         const struct cell *cell, struct buffer *out)
{
    if (dialect->bytes_form == CSV_BYTES_HEX || type->dynamic) {
        buffer_append(out, "\\x", 2);
        buffer_append_hex(out, cell->bytes, cell->length);
    } else {
        json_append_base64_part(out, cell->bytes, cell->length);
    }
}

static enum status append_written(const struct csv_dialect *dialect, const struct value_type *type,
                                  const struct cell *cell, bool first, struct buffer *out,
                                  struct error *error)
{
    size_t start = out->length;
    enum status status = STATUS_OK;
    switch ((enum value_kind)cell->kind) {
    case VALUE_BOOL:
        buffer_append_string(out, cell->i64 != 0 ? "true" : "false");
        break;
    case VALUE_UINT64:
        buffer_append_uint64(out, cell->u64);
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        append_float(type, cell, out);
        break;
    case VALUE_DECIMAL:
        decimal_append(cell, out);
        break;
    case VALUE_BYTES:
        if (cell->length > MEMORY_DATA_BYTES &&
            !buffer_try_reserve(out, 2 * (size_t)cell->length + 2)) {
            return no_memory(error);
        }
        append_bytes(dialect, type, cell, out);
        break;
    case VALUE_UUID:
        value_append_uuid(out, cell->bytes);
        break;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        time_append(cell, out);
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        status = convert_append_json(cell, out, error);
        break;
    default:
        status = error_set(error, ERROR_REJECT_TYPE, NULL, "a value of kind %s has no text here",
                           value_kind_name((enum value_kind)cell->kind));
    }
    return status == STATUS_OK ? guard_written(dialect, first, start, out, error) : status;
}

/* Slice by slice: always quoted, since all of it is seen only once. */
static enum status append_large(const struct csv_dialect *dialect, const struct value_type *type,
                                struct large_value *large, struct buffer *out, struct error *error)
{
    bool bytes = large->kind == VALUE_BYTES;
    bool base64 = bytes && dialect->bytes_form == CSV_BYTES_BASE64 && !type->dynamic;
    enum { SLICE = LARGE_SLICE_BYTES / 3 * 3 };
    if (!bytes && dialect->quote == 0) {
        return append_quoted(dialect, "", 0, out, error);
    }
    struct buffer slice = {0};
    enum status status = STATUS_OK;
    if (!buffer_try_reserve(out, 2 * large->length + 3)) {
        return no_memory(error);
    }
    buffer_reserve(&slice, SLICE);
    buffer_append(out, bytes ? "\\x" : &dialect->quote, bytes ? (base64 ? 0 : 2) : 1);
    for (uint64_t at = 0; status == STATUS_OK && at < large->length; at += SLICE) {
        size_t part = large->length - at < SLICE ? (size_t)(large->length - at) : SLICE;
        status = large->read(large, at, slice.data, part, error);
        if (status != STATUS_OK) {
            break;
        }
        if (base64) {
            json_append_base64_part(out, slice.data, part);
        } else if (bytes) {
            buffer_append_hex(out, slice.data, part);
        } else {
            append_escaped(dialect, slice.data, part, out);
        }
    }
    if (!bytes) {
        buffer_append_byte(out, dialect->quote);
    }
    buffer_free(&slice);
    return status;
}

enum status csv_value_append(const struct csv_dialect *dialect, const struct value_type *type,
                             const struct cell *cell, bool first, struct buffer *out,
                             struct error *error)
{
    size_t start = out->length;
    enum status status = STATUS_OK;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buffer_append(out, dialect->null_text, dialect->null_length);
        break;
    case VALUE_INT64:
        buffer_append_int64(out, cell->i64);
        if (dialect->null_length > 0) {
            status = guard_written(dialect, first, start, out, error);
        }
        break;
    case VALUE_TEXT:
    case VALUE_JSON:
        status = append_text(dialect, type, cell->text, cell->length, first, out, error);
        break;
    case VALUE_LARGE:
        status = append_large(dialect, type, cell->large, out, error);
        break;
    default:
        status = append_written(dialect, type, cell, first, out, error);
    }
    if (status != STATUS_OK) {
        out->length = start;
    }
    return status;
}
