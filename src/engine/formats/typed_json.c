/* Writing values as typed JSON; the reading is in typed_json_read.c. */
#include "engine/formats/typed_json.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/decimal.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPED_BYTES_MAX = 6 };       /* what a byte becomes in a JSON string */
enum { LARGE_SLICE_BYTES = 3 << 16 }; /* a multiple of 3: base64 pieces join without padding */

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a rejected record");
}

static void append_float(double value, bool single, struct buffer *out)
{
    char digits[NUMBER_TEXT_MAX];
    size_t length =
        single ? number_from_float32((float)value, digits) : number_from_double(value, digits);
    if (single || !isfinite(value)) {
        buffer_append_string(out, single ? "{\"$float32\":\"" : "{\"$float64\":\"");
        buffer_append(out, digits, length);
        buffer_append_string(out, "\"}");
        return;
    }
    buffer_append(out, digits, length);
    if (memchr(digits, '.', length) == NULL && memchr(digits, 'e', length) == NULL) {
        buffer_append_string(out, ".0");
    }
}

/* Writes `"` piece piece … `"`: each piece comes quoted, and loses the quotes where it meets
 * another. */
static enum status append_large(struct large_value *large, struct typed_json_drain *drain,
                                struct buffer *out, struct error *error)
{
    uint8_t *slice = memory_allocate(LARGE_SLICE_BYTES);
    buffer_append_string(out, large->kind == VALUE_BYTES ? "{\"$bytes\":\"\"" : "\"\"");
    enum status status = STATUS_OK;
    for (uint64_t offset = 0; offset < large->length && status == STATUS_OK;) {
        uint64_t left = large->length - offset;
        size_t size = left < LARGE_SLICE_BYTES ? (size_t)left : LARGE_SLICE_BYTES;
        status = large->read(large, offset, slice, size, error);
        if (status == STATUS_OK && !buffer_try_reserve(out, ESCAPED_BYTES_MAX * size + 2)) {
            status = no_memory(error);
        }
        offset += size;
        size_t joint = out->length - 1;
        if (status == STATUS_OK && large->kind == VALUE_BYTES) {
            json_append_base64(out, slice, size);
        } else if (status == STATUS_OK) {
            json_append_string(out, (const char *)slice, size);
        }
        if (status == STATUS_OK) {
            memmove(out->data + joint, out->data + joint + 2, out->length - joint - 2);
            out->length -= 2;
        }
        if (status == STATUS_OK && drain != NULL) {
            status = drain->take(drain, out, 1, error); /* the quote stays: it meets the next */
        }
    }
    if (large->kind == VALUE_BYTES) {
        buffer_append_byte(out, '}');
    }
    free(slice);
    return status;
}

static enum status append_items(const struct cell *cell, struct buffer *out, struct error *error)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < cell->length; i++) {
        if (i > 0) {
            buffer_append_byte(out, ',');
        }
        if (typed_json_append(&cell->items[i], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(out, ']');
    return STATUS_OK;
}

static bool is_plain_key(const struct cell *key)
{
    return key->kind == VALUE_TEXT && (key->length == 0 || key->text[0] != '$');
}

/* A value of a record, or of what is within one. */
static enum status append_value(const struct cell *cell, struct typed_json_drain *drain,
                                struct buffer *out, struct error *error)
{
    return cell->kind == VALUE_LARGE ? append_large(cell->large, drain, out, error)
                                     : typed_json_append(cell, out, error);
}

static enum status append_pairs(const struct cell *cell, bool plain, struct typed_json_drain *drain,
                                struct buffer *out, struct error *error)
{
    buffer_append_string(out, plain ? "{" : "{\"$map\":[");
    bool first = true;
    for (uint32_t i = 0; i < cell->length; i++) {
        const struct cell *pair = &cell->items[2 * (size_t)i];
        if (pair[1].kind == VALUE_MISSING) {
            continue;
        }
        buffer_append_string(out, first ? "" : ",");
        first = false;
        buffer_append_string(out, plain ? "" : "[");
        if (typed_json_append(&pair[0], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(out, plain ? ':' : ',');
        if (append_value(&pair[1], drain, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(out, plain ? "" : "]");
    }
    buffer_append_string(out, plain ? "}" : "]}");
    return STATUS_OK;
}

static void append_wrapped(const char *name, const struct cell *cell, struct buffer *out)
{
    buffer_append_string(out, "{\"$");
    buffer_append_string(out, name);
    buffer_append_string(out, "\":\"");
    if (cell->kind == VALUE_DECIMAL) {
        decimal_append(cell, out);
    } else if (cell->kind == VALUE_UUID) {
        value_append_uuid(out, cell->bytes);
    } else if (cell->kind == VALUE_UINT64) {
        buffer_append_uint64(out, cell->u64);
    } else {
        time_append(cell, out);
    }
    buffer_append_string(out, "\"}");
}

static void append_why(const struct cell *cell, struct buffer *out)
{
    char printable[1024];
    text_printable(cell->text, cell->length, printable, sizeof(printable));
    buffer_append_string(out, "{\"$omitted\":");
    json_append_string(out, printable, strlen(printable));
}

static enum status append_nested(const struct cell *cell, struct buffer *out, struct error *error)
{
    if (cell->kind == VALUE_MAP) {
        bool plain = true;
        for (uint32_t i = 0; i < cell->length; i++) {
            plain = plain && is_plain_key(&cell->items[2 * (size_t)i]);
        }
        return append_pairs(cell, plain, NULL, out, error);
    }
    if (cell->kind == VALUE_LIST && cell->aux == ESCAPE_OMITTED) {
        append_why(&cell->items[0], out);
        buffer_append_string(out, ",\"was\":");
        enum status status = typed_json_append(&cell->items[1], out, error);
        buffer_append_byte(out, '}');
        return status;
    }
    if (cell->kind == VALUE_LIST) {
        return append_items(cell, out, error);
    }
    buffer_append_string(out, "{\"$set\":");
    enum status status = append_items(cell, out, error);
    buffer_append_byte(out, '}');
    return status;
}

static void append_bytes_like(const struct cell *cell, struct buffer *out)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_BYTES:
        buffer_append_string(out, "{\"$bytes\":");
        json_append_base64(out, cell->bytes, cell->length);
        buffer_append_byte(out, '}');
        break;
    case VALUE_JSON:
        buffer_append_string(out, "{\"$json\":");
        json_append_string(out, cell->text, cell->length);
        buffer_append_byte(out, '}');
        break;
    default: /* VALUE_ESCAPE */
        if (cell->aux == ESCAPE_OMITTED) {
            append_why(cell, out);
            buffer_append_byte(out, '}');
            break;
        }
        buffer_format(out, "{\"$escape\":[%d,%s,", cell->aux,
                      (cell->flags & CELL_ESCAPED_TEXT) != 0 ? "true" : "false");
        json_append_base64(out, cell->bytes, cell->length);
        buffer_append_string(out, "]}");
        break;
    }
}

/* Whether there is room for a text or bytes as they mostly become: data may be of any length. */
static bool has_room(const struct cell *cell, struct buffer *out)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return cell->length <= MEMORY_DATA_BYTES ||
               buffer_try_reserve(out, 2 * (size_t)cell->length);
    default:
        return true;
    }
}

enum status typed_json_append(const struct cell *cell, struct buffer *out, struct error *error)
{
    if (!has_room(cell, out)) {
        return no_memory(error);
    }
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        buffer_append_string(out, "null");
        break;
    case VALUE_BOOL:
        buffer_append_string(out, cell->i64 ? "true" : "false");
        break;
    case VALUE_INT64:
        buffer_append_int64(out, cell->i64);
        break;
    case VALUE_UINT64:
        if (cell->u64 <= INT64_MAX) {
            append_wrapped("uint64", cell, out);
        } else {
            buffer_append_uint64(out, cell->u64);
        }
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        append_float(cell->f64, cell->kind == VALUE_FLOAT32, out);
        break;
    case VALUE_TEXT:
        json_append_string(out, cell->text, cell->length);
        break;
    case VALUE_DECIMAL:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        append_wrapped(value_kind_name((enum value_kind)cell->kind), cell, out);
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return append_nested(cell, out, error);
    case VALUE_LARGE:
        return append_large(cell->large, NULL, out, error);
    default:
        append_bytes_like(cell, out);
        break;
    }
    return STATUS_OK;
}

enum status typed_json_append_fields(const struct cell *map, struct typed_json_drain *drain,
                                     struct buffer *out, struct error *error)
{
    for (uint32_t i = 0; map->kind == VALUE_MAP && i < map->length; i++) {
        if (map->items[2 * (size_t)i].kind != VALUE_TEXT) {
            return typed_json_append(map, out, error);
        }
    }
    return map->kind == VALUE_MAP ? append_pairs(map, true, drain, out, error)
                                  : typed_json_append(map, out, error);
}

enum status typed_json_append_record(const struct shape *shape, const struct cell *cells,
                                     struct typed_json_drain *drain, struct buffer *out,
                                     struct error *error)
{
    bool first = true;
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (cells[i].kind == VALUE_MISSING) {
            continue;
        }
        buffer_append_string(out, first ? "" : ",");
        first = false;
        json_append_string(out, shape->fields[i].name, shape->fields[i].name_length);
        buffer_append_byte(out, ':');
        if (append_value(&cells[i], drain, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(out, '}');
    return STATUS_OK;
}
