/* Values to text and JSON, and JSON to values. */
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 1000,
    SLICE_BYTES = 49152 /* a multiple of 3, for base64 */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a value's text");
}

enum spelling { AS_IT_IS, AS_BASE64, AS_HEX };

/* Whether there is room for so many bytes as they become, but for escapes: data may be of any
 * length. */
static bool has_room(uint64_t length, enum spelling spelling, struct buffer *out)
{
    size_t wanted = spelling == AS_HEX      ? 2 * (size_t)length
                    : spelling == AS_BASE64 ? (size_t)length / 3 * 4 + 4
                                            : (size_t)length;
    return length <= MEMORY_DATA_BYTES ||
           (length <= SIZE_MAX / 4 && buffer_try_reserve(out, wanted));
}

static bool is_run(const struct cell *cell)
{
    return cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES || cell->kind == VALUE_JSON;
}

static void append_number(const struct cell *from, struct buffer *out)
{
    buffer_reserve(out, NUMBER_TEXT_MAX);
    char *position = out->data + out->length;
    switch (from->kind) {
    case VALUE_INT64:
        out->length += number_from_int64(from->i64, position);
        break;
    case VALUE_UINT64:
        out->length += number_from_uint64(from->u64, position);
        break;
    case VALUE_FLOAT32:
        out->length += number_from_float32((float)from->f64, position);
        break;
    default:
        out->length += number_from_double(from->f64, position);
        break;
    }
}

static enum status not_utf8(const char *what, struct error *error)
{
    return error_set(error, ERROR_REJECT_TEXT, NULL, "%s that are not UTF-8 can't become text",
                     what);
}

static void append_bytes(struct buffer *out, const void *bytes, size_t length)
{
    buffer_append(out, bytes, length);
}

/* Reads a large value slice by slice, each put into `out` by `append`. */
static enum status append_slices(struct large_value *large, struct buffer *out,
                                 void (*append)(struct buffer *out, const void *bytes,
                                                size_t length),
                                 struct error *error)
{
    enum spelling spelling = append == buffer_append_hex         ? AS_HEX
                             : append == json_append_base64_part ? AS_BASE64
                                                                 : AS_IT_IS;
    if (!has_room(large->length, spelling, out)) {
        return no_memory(error);
    }
    char *slice = memory_allocate(SLICE_BYTES);
    enum status status = STATUS_OK;
    for (uint64_t offset = 0; offset < large->length && status == STATUS_OK;) {
        uint64_t rest = large->length - offset;
        size_t size = rest < SLICE_BYTES ? (size_t)rest : SLICE_BYTES;
        status = large->read(large, offset, slice, size, error);
        if (status == STATUS_OK) {
            append(out, slice, size);
        }
        offset += size;
    }
    free(slice);
    return status;
}

static void append_string_part(struct buffer *out, const void *bytes, size_t length)
{
    json_append_string_part(out, bytes, length);
}

static enum status append_large_text(struct large_value *large, bool hex, struct buffer *out,
                                     struct error *error)
{
    if (large->kind == VALUE_BYTES && hex) {
        return append_slices(large, out, buffer_append_hex, error);
    }
    size_t start = out->length;
    enum status status = append_slices(large, out, append_bytes, error);
    if (status == STATUS_OK && large->kind == VALUE_BYTES &&
        !text_is_utf8(out->data + start, out->length - start)) {
        out->length = start;
        return not_utf8("bytes", error);
    }
    return status;
}

enum status convert_append_text(const struct cell *from, bool hex, struct buffer *out,
                                struct error *error)
{
    enum status status = STATUS_OK;
    enum spelling spelling = hex && from->kind == VALUE_BYTES ? AS_HEX : AS_IT_IS;
    if (is_run(from) && !has_room(from->length, spelling, out)) {
        return no_memory(error);
    }
    switch ((enum value_kind)from->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_KIND_COUNT:
        break;
    case VALUE_BOOL:
        buffer_append_string(out, from->i64 != 0 ? "true" : "false");
        break;
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        append_number(from, out);
        break;
    case VALUE_DECIMAL:
        decimal_append(from, out);
        break;
    case VALUE_TEXT:
    case VALUE_JSON:
        buffer_append(out, from->text, from->length);
        break;
    case VALUE_BYTES:
        if (hex) {
            buffer_append_hex(out, from->bytes, from->length);
        } else if (text_is_utf8(from->bytes, from->length)) {
            buffer_append(out, from->bytes, from->length);
        } else {
            status = not_utf8("bytes", error);
        }
        break;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        time_append(from, out);
        break;
    case VALUE_UUID:
        value_append_uuid(out, from->bytes);
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return convert_append_json(from, out, error);
    case VALUE_LARGE:
        status = append_large_text(from->large, hex, out, error);
        break;
    case VALUE_ESCAPE:
        if ((from->flags & CELL_ESCAPED_TEXT) != 0) {
            status = not_utf8("texts", error);
        } else {
            status = error_set(error, ERROR_REJECT_TYPE, NULL,
                               "a value that only its own database understands has no text");
        }
        break;
    }
    return status;
}

/* --- JSON --- */

static enum status append_json(const struct cell *from, int depth, struct buffer *out,
                               struct error *error);

static int has_text_keys(const struct cell *map)
{
    for (size_t i = 0; i < map->length; i++) {
        if (map->items[2 * i].kind != VALUE_TEXT) {
            return 0;
        }
    }
    return 1;
}

static enum status append_json_map(const struct cell *from, int depth, struct buffer *out,
                                   struct error *error)
{
    int is_object = has_text_keys(from);
    enum status status = STATUS_OK;
    buffer_append_byte(out, is_object ? '{' : '[');
    for (size_t i = 0; i < from->length && status == STATUS_OK; i++) {
        buffer_append(out, ",[", i == 0 ? 0 : 1);
        if (!is_object) {
            buffer_append_byte(out, '[');
        }
        status = append_json(&from->items[2 * i], depth, out, error);
        buffer_append_byte(out, is_object ? ':' : ',');
        if (status == STATUS_OK) {
            status = append_json(&from->items[2 * i + 1], depth, out, error);
        }
        if (!is_object) {
            buffer_append_byte(out, ']');
        }
    }
    buffer_append_byte(out, is_object ? '}' : ']');
    return status;
}

static enum status append_json_nested(const struct cell *from, int depth, struct buffer *out,
                                      struct error *error)
{
    if (depth == 0) {
        return error_set(error, ERROR_REJECT_TOO_DEEP, NULL, "a value nests deeper than %d levels",
                         DEPTH_MAX);
    }
    if (from->kind == VALUE_MAP) {
        return append_json_map(from, depth - 1, out, error);
    }
    enum status status = STATUS_OK;
    buffer_append_byte(out, '[');
    for (size_t i = 0; i < from->length && status == STATUS_OK; i++) {
        if (i > 0) {
            buffer_append_byte(out, ',');
        }
        status = append_json(&from->items[i], depth - 1, out, error);
    }
    buffer_append_byte(out, ']');
    return status;
}

/* A number, or a string if it is NaN or infinite. */
static enum status append_json_number(const struct cell *from, struct buffer *out,
                                      struct error *error)
{
    int is_number = from->kind != VALUE_DECIMAL || decimal_special(from) == 0;
    if (from->kind == VALUE_FLOAT32 || from->kind == VALUE_FLOAT64) {
        is_number = from->f64 - from->f64 == 0;
    }
    if (!is_number) {
        buffer_append_byte(out, '"');
    }
    enum status status = convert_append_text(from, false, out, error);
    if (!is_number) {
        buffer_append_byte(out, '"');
    }
    return status;
}

static enum status append_json_large(struct large_value *large, struct buffer *out,
                                     struct error *error)
{
    buffer_append_byte(out, '"');
    enum status status = append_slices(
        large, out, large->kind == VALUE_TEXT ? append_string_part : json_append_base64_part,
        error);
    buffer_append_byte(out, '"');
    return status;
}

static enum status append_json(const struct cell *from, int depth, struct buffer *out,
                               struct error *error)
{
    enum status status;
    enum spelling spelling = from->kind == VALUE_BYTES ? AS_BASE64 : AS_IT_IS;
    if (is_run(from) && !has_room(from->length, spelling, out)) {
        return no_memory(error);
    }
    switch ((enum value_kind)from->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_KIND_COUNT:
        buffer_append_string(out, "null");
        return STATUS_OK;
    case VALUE_BOOL:
    case VALUE_JSON:
        return convert_append_text(from, false, out, error);
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return append_json_number(from, out, error);
    case VALUE_TEXT:
        json_append_string(out, from->text, from->length);
        return STATUS_OK;
    case VALUE_BYTES:
        json_append_base64(out, from->bytes, from->length);
        return STATUS_OK;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        buffer_append_byte(out, '"');
        status = convert_append_text(from, false, out, error);
        buffer_append_byte(out, '"');
        return status;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return append_json_nested(from, depth, out, error);
    case VALUE_LARGE:
        return append_json_large(from->large, out, error);
    case VALUE_ESCAPE:
        break;
    }
    return convert_append_text(from, false, out, error); /* which says why not */
}

enum status convert_append_json(const struct cell *from, struct buffer *out, struct error *error)
{
    return append_json(from, DEPTH_MAX, out, error);
}

/* --- JSON to cells --- */

/* Cells of containers that are still open lie in `cells`, one after another; a closed one's are
 * moved to the arena. */
struct building {
    struct json_reader reader;
    struct arena *arena;
    struct buffer cells;
    struct error *error;
};

static enum status number_of_json(struct building *building, struct cell *result)
{
    const char *text = building->reader.text;
    size_t length = building->reader.length;
    int64_t whole;
    uint64_t large;
    if (text_to_int64(text, length, &whole) == STATUS_OK) {
        *result = cell_int64(whole);
        return STATUS_OK;
    }
    if (text_to_uint64(text, length, &large) == STATUS_OK) {
        *result = cell_uint64(large);
        return STATUS_OK;
    }
    return decimal_parse(text, length, building->arena, result) == STATUS_OK
               ? STATUS_OK
               : error_set(building->error, ERROR_REJECT_NUMBER, NULL,
                           "JSON: a number with too large an exponent");
}

static enum status convert_text_build(struct building *building, enum json_token token,
                                      struct cell *result);

/* The container whose opening bracket was read. */
static enum status build_container(struct building *building, int is_object, struct cell *result)
{
    size_t start = building->cells.length;
    enum json_token end = is_object ? JSON_TOKEN_OBJECT_END : JSON_TOKEN_ARRAY_END;
    for (;;) {
        enum json_token token;
        struct cell cell;
        if (json_reader_next(&building->reader, &token, building->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == end) {
            break;
        }
        if (convert_text_build(building, token, &cell) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!buffer_try_reserve(&building->cells, sizeof(cell))) {
            return no_memory(building->error);
        }
        buffer_append(&building->cells, &cell, sizeof(cell));
    }
    size_t bytes = building->cells.length - start;
    struct cell *items = arena_try_allocate(building->arena, bytes);
    if (items == NULL) {
        return no_memory(building->error);
    }
    if (bytes > 0) {
        memcpy(items, building->cells.data + start, bytes);
    }
    building->cells.length = start;
    size_t count = bytes / sizeof(struct cell);
    *result = cell_items(is_object ? VALUE_MAP : VALUE_LIST, items, is_object ? count / 2 : count);
    return STATUS_OK;
}

static enum status convert_text_build(struct building *building, enum json_token token,
                                      struct cell *result)
{
    switch (token) {
    case JSON_TOKEN_OBJECT_BEGIN:
    case JSON_TOKEN_ARRAY_BEGIN:
        return build_container(building, token == JSON_TOKEN_OBJECT_BEGIN, result);
    case JSON_TOKEN_KEY:
    case JSON_TOKEN_STRING:
        if (building->reader.length > UINT32_MAX) {
            return error_set(building->error, ERROR_REJECT_TOO_LARGE, NULL,
                             "JSON: a string above 4 GiB");
        }
        *result = cell_text(building->reader.text, building->reader.length);
        return STATUS_OK;
    case JSON_TOKEN_NUMBER:
        return number_of_json(building, result);
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        *result = cell_bool(token == JSON_TOKEN_TRUE);
        return STATUS_OK;
    default:
        *result = cell_null();
        return STATUS_OK;
    }
}

enum status convert_read_json(const char *text, size_t length, struct arena *arena,
                              struct cell *result, struct error *error)
{
    struct building building = {.arena = arena, .error = error};
    enum json_token token;
    json_reader_init(&building.reader, text, length, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&building.reader, &token, error);
    status = status == STATUS_OK ? convert_text_build(&building, token, result) : status;
    if (status == STATUS_OK) {
        status = json_reader_next(&building.reader, &token, error); /* nothing may follow */
    }
    buffer_free(&building.cells);
    return status;
}
