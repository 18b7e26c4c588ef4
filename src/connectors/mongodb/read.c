/* BSON as values. All lengths are checked: what a server sends is not trusted. */
#include "connectors/mongodb/mongodb.h"

#include "base/bytes.h"
#include "base/text.h"
#include "model/decimal.h"
#include "model/time_text.h"

enum { DOCUMENT_BYTES_MIN = 5, DECIMAL_BIAS = 6176, SMALL_SCALE_MAX = 18, US_A_MS = 1000 };

/* ---------------------------------------------------------------- walking */

static enum status damaged(struct error *error)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the bytes are not BSON");
}

bool mongodb_walk_begin(struct mongodb_walk *walk, const uint8_t *bytes, size_t length)
{
    if (length < DOCUMENT_BYTES_MIN || length > UINT32_MAX / 2 ||
        bytes_get_le(bytes, 4) != length || bytes[length - 1] != 0) {
        return false;
    }
    *walk = (struct mongodb_walk){bytes, (uint32_t)length - 1, 4};
    return true;
}

/* How long a C string is with its NUL, from `at` on; 0: it does not end. */
static uint32_t string_length(const struct mongodb_walk *walk, uint32_t at)
{
    const uint8_t *end = at < walk->length ? memchr(walk->bytes + at, 0, walk->length - at) : NULL;
    return end != NULL ? (uint32_t)(end - (walk->bytes + at)) + 1 : 0;
}

/* A length in front of the value, and what belongs to it besides. UINT64_MAX: it is none. */
static uint64_t counted_length(const struct mongodb_walk *walk, uint32_t at, uint64_t least,
                               uint64_t besides)
{
    if (walk->length - at < 4) {
        return UINT64_MAX;
    }
    uint64_t count = bytes_get_le(walk->bytes + at, 4);
    return count < least || count > INT32_MAX ? UINT64_MAX : count + besides;
}

/* UINT64_MAX: it does not fit, or there is no such type. */
static uint64_t value_length(const struct mongodb_walk *walk, uint8_t type, uint32_t at)
{
    switch (type) {
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_TIMESTAMP:
    case BSON_TYPE_INT64:
        return 8;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
        return counted_length(walk, at, 1, 4);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return counted_length(walk, at, DOCUMENT_BYTES_MIN, 0);
    case BSON_TYPE_CODEWSCOPE:
        return counted_length(walk, at, 14, 0);
    case BSON_TYPE_BINARY:
        return counted_length(walk, at, 0, 5);
    case BSON_TYPE_DBPOINTER:
        return counted_length(walk, at, 1, 4 + 12);
    case BSON_TYPE_OID:
        return 12;
    case BSON_TYPE_BOOL:
        return 1;
    case BSON_TYPE_INT32:
        return 4;
    case BSON_TYPE_DECIMAL128:
        return 16;
    case BSON_TYPE_REGEX: {
        uint32_t pattern = string_length(walk, at);
        uint32_t options = pattern > 0 ? string_length(walk, at + pattern) : 0;
        return options > 0 ? (uint64_t)pattern + options : UINT64_MAX;
    }
    case BSON_TYPE_UNDEFINED:
    case BSON_TYPE_NULL:
    case BSON_TYPE_MAXKEY:
    case BSON_TYPE_MINKEY:
        return 0;
    default:
        return UINT64_MAX;
    }
}

enum status mongodb_walk_next(struct mongodb_walk *walk, struct mongodb_element *element,
                              struct error *error)
{
    if (walk->at >= walk->length) {
        return STATUS_END;
    }
    uint32_t begin = walk->at;
    uint32_t name = string_length(walk, begin + 1);
    if (name == 0) {
        return damaged(error);
    }
    uint32_t at = begin + 1 + name;
    uint64_t length = value_length(walk, walk->bytes[begin], at);
    if (length > walk->length - at) {
        return damaged(error);
    }
    *element = (struct mongodb_element){.type = walk->bytes[begin],
                                        .name = (const char *)walk->bytes + begin + 1,
                                        .name_length = name - 1,
                                        .value = walk->bytes + at,
                                        .value_length = (uint32_t)length,
                                        .whole = walk->bytes + begin,
                                        .whole_length = at - begin + (uint32_t)length};
    walk->at = at + (uint32_t)length;
    return STATUS_OK;
}

enum status mongodb_find(const uint8_t *bytes, size_t length, const char *name,
                         struct mongodb_element *element, struct error *error)
{
    struct mongodb_walk walk;
    enum status status = mongodb_walk_begin(&walk, bytes, length) ? STATUS_OK : damaged(error);
    while (status == STATUS_OK &&
           (status = mongodb_walk_next(&walk, element, error)) == STATUS_OK) {
        if (strcmp(element->name, name) == 0) {
            return STATUS_OK;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- MongoDB's own */

/* Does the text that libbson made say all of the value? Its writer ends texts at the first NUL. */
static bool survives(const struct mongodb_element *element, const struct cell *cell)
{
    bson_error_t ignored;
    struct error none;
    struct buffer json = {0};
    struct mongodb_element again;
    buffer_append_string(&json, "{\"v\":");
    buffer_append(&json, cell->text, cell->length);
    buffer_append_byte(&json, '}');
    bson_t *made = bson_new_from_json((const uint8_t *)json.data, (ssize_t)json.length, &ignored);
    bool same = made != NULL &&
                mongodb_find(bson_get_data(made), made->len, "v", &again, &none) == STATUS_OK &&
                again.type == element->type && again.value_length == element->value_length &&
                memcmp(again.value, element->value, again.value_length) == 0;
    bson_destroy(made);
    buffer_free(&json);
    return same;
}

/* As canonical extended JSON, which the same engine reads again: the type is the text's aux. */
static enum status read_own(const struct mongodb_element *element, struct arena *arena,
                            struct cell *cell, struct error *error)
{
    static const char head[] = "{ \"v\" : ";
    struct buffer document = {0};
    bson_t view;
    size_t length = 0;
    size_t begin = mongodb_write_begin(&document);
    mongodb_write_head(&document, element->type, "v", 1);
    buffer_append(&document, element->value, element->value_length);
    mongodb_write_end(&document, begin);
    mongodb_write_view(&document, &view);
    char *json = bson_as_canonical_extended_json(&view, &length);
    buffer_free(&document);
    if (json == NULL || length < sizeof(head) + 1 || memcmp(json, head, sizeof(head) - 1) != 0) {
        bson_free(json);
        return damaged(error);
    }
    size_t text_length = length - (sizeof(head) - 1) - 2; /* without " }" */
    const char *text = arena_try_copy(arena, json + sizeof(head) - 1, text_length);
    bson_free(json);
    if (text == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
    }
    *cell = cell_text(text, text_length);
    cell->aux = element->type;
    return survives(element, cell)
               ? STATUS_OK
               : error_set(
                     error, ERROR_REJECT_UNREADABLE, NULL,
                     "a value of code, of a pointer or of a pattern can't be told in extended "
                     "JSON without loss");
}

/* ---------------------------------------------------------------- numbers */

static enum status read_decimal(const struct mongodb_element *element, struct arena *arena,
                                struct cell *cell, struct error *error)
{
    bson_decimal128_t decimal = {.low = bytes_get_le(element->value, 8),
                                 .high = bytes_get_le(element->value + 8, 8)};
    char text[BSON_DECIMAL128_STRING];
    int64_t exponent = (int64_t)(decimal.high >> 49 & 0x3fff) - DECIMAL_BIAS;
    bool negative = decimal.high >> 63 != 0;
    bool plain =
        (decimal.high >> 61 & 3) != 3; /* else the coefficient, or infinity, is elsewhere */
    if (plain && (decimal.high & ((UINT64_C(1) << 49) - 1)) == 0 &&
        decimal.low < UINT64_C(1000000000000000000) && exponent <= 0 &&
        exponent >= -SMALL_SCALE_MAX && !(negative && decimal.low == 0)) {
        int64_t coefficient = (int64_t)decimal.low;
        *cell = (struct cell){.kind = VALUE_DECIMAL,
                              .flags = CELL_SMALL,
                              .aux = (uint16_t)-exponent,
                              .i64 = negative ? -coefficient : coefficient};
        return STATUS_OK;
    }
    bson_decimal128_to_string(&decimal, text);
    if (decimal_parse(text, strlen(text), arena, cell) != STATUS_OK) {
        return damaged(error);
    }
    bool zero = text[0] == '-' && strpbrk(text, "123456789Nn") == NULL;
    return zero ? read_own(element, arena, cell, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- texts and bytes */

static enum status copy_bytes(const uint8_t *bytes, uint32_t length, struct arena *arena,
                              const char **copy, struct error *error)
{
    *copy = arena_try_copy(arena, bytes, length);
    return *copy != NULL ? STATUS_OK
                         : error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
}

static enum status read_text(const struct mongodb_element *element, struct arena *arena,
                             struct cell *cell, struct error *error)
{
    uint32_t length = element->value_length - 5; /* without the length in front and the NUL */
    const char *copy = NULL;
    if (element->value[element->value_length - 1] != 0) {
        return damaged(error);
    }
    if (!text_is_utf8(element->value + 4, length)) {
        return error_set(error, ERROR_REJECT_TEXT, NULL, "a text is not UTF-8");
    }
    if (copy_bytes(element->value + 4, length, arena, &copy, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_text(copy, length);
    cell->aux = element->type == BSON_TYPE_UTF8 ? 0 : element->type;
    return STATUS_OK;
}

static enum status read_binary(const struct mongodb_element *element, struct arena *arena,
                               struct cell *cell, struct error *error)
{
    const uint8_t *bytes = element->value + 5;
    uint32_t length = element->value_length - 5;
    uint8_t subtype = element->value[4];
    const char *copy = NULL;
    if (subtype == BSON_SUBTYPE_BINARY_DEPRECATED) {
        if (length < 4 || bytes_get_le(bytes, 4) != length - 4) {
            return damaged(error);
        }
        bytes += 4;
        length -= 4;
    }
    if (copy_bytes(bytes, length, arena, &copy, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_bytes(copy, length);
    if (subtype == BSON_SUBTYPE_UUID && length == 16) {
        *cell = (struct cell){.kind = VALUE_UUID, .bytes = (const uint8_t *)copy};
    } else if (subtype != BSON_SUBTYPE_BINARY) {
        cell->aux = (uint16_t)(256 + subtype);
    }
    return STATUS_OK;
}

static enum status read_oid(const struct mongodb_element *element, struct arena *arena,
                            struct cell *cell)
{
    static const char hex[] = "0123456789abcdef";
    char *text = arena_allocate(arena, 25);
    for (int at = 0; at < 12; at++) {
        text[2 * at] = hex[element->value[at] >> 4];
        text[2 * at + 1] = hex[element->value[at] & 15];
    }
    text[24] = '\0';
    *cell = cell_text(text, 24);
    cell->aux = BSON_TYPE_OID;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- nested */

static uint32_t count_elements(const struct mongodb_walk *begun)
{
    struct mongodb_walk walk = *begun;
    struct mongodb_element element;
    struct error ignored;
    uint32_t count = 0;
    while (mongodb_walk_next(&walk, &element, &ignored) == STATUS_OK) {
        count++;
    }
    return count;
}

static enum status read_nested(const uint8_t *bytes, size_t length, bool array,
                               const char *left_out, struct arena *arena, int depth,
                               struct cell *cell, struct error *error)
{
    struct mongodb_walk walk;
    struct mongodb_element element;
    uint32_t count = 0;
    if (depth <= 0) {
        return error_set(error, ERROR_REJECT_TOO_DEEP, NULL, "the document nests too deep");
    }
    if (!mongodb_walk_begin(&walk, bytes, length)) {
        return damaged(error);
    }
    size_t width = array ? 1 : 2;
    struct cell *items =
        arena_allocate_zeroed(arena, (size_t)count_elements(&walk) + 1, width * sizeof(*items));
    enum status status = STATUS_OK;
    while (status == STATUS_OK &&
           (status = mongodb_walk_next(&walk, &element, error)) == STATUS_OK) {
        if (left_out != NULL && strcmp(element.name, left_out) == 0) {
            continue;
        }
        if (!array && !text_is_utf8(element.name, element.name_length)) {
            return error_set(error, ERROR_REJECT_TEXT, NULL, "the name of a field is not UTF-8");
        }
        if (!array) {
            items[2 * (size_t)count] = cell_text(
                arena_copy(arena, element.name, element.name_length), element.name_length);
        }
        status = mongodb_read_cell(&element, arena, depth - 1, &items[width * count + (width - 1)],
                                   error);
        count++;
    }
    *cell = cell_items(array ? VALUE_LIST : VALUE_MAP, items, count);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- any value */

static enum status read_date(const struct mongodb_element *element, struct arena *arena,
                             struct cell *cell, struct error *error)
{
    int64_t ms = (int64_t)bytes_get_le(element->value, 8);
    int64_t us = 0;
    if (__builtin_mul_overflow(ms, (int64_t)US_A_MS, &us)) {
        return read_own(element, arena, cell, error);
    }
    *cell = (struct cell){.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = us};
    return STATUS_OK;
}

enum status mongodb_read_cell(const struct mongodb_element *element, struct arena *arena, int depth,
                              struct cell *cell, struct error *error)
{
    switch (element->type) {
    case BSON_TYPE_DOUBLE: {
        uint64_t bits = bytes_get_le(element->value, 8);
        *cell = cell_float64(0);
        memcpy(&cell->f64, &bits, sizeof(bits));
        return STATUS_OK;
    }
    case BSON_TYPE_UTF8:
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
        return read_text(element, arena, cell, error);
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        return read_nested(element->value, element->value_length, element->type == BSON_TYPE_ARRAY,
                           NULL, arena, depth, cell, error);
    case BSON_TYPE_BINARY:
        return read_binary(element, arena, cell, error);
    case BSON_TYPE_OID:
        return read_oid(element, arena, cell);
    case BSON_TYPE_BOOL:
        *cell = cell_bool(element->value[0] != 0);
        return STATUS_OK;
    case BSON_TYPE_DATE_TIME:
        return read_date(element, arena, cell, error);
    case BSON_TYPE_NULL:
        *cell = cell_null();
        return STATUS_OK;
    case BSON_TYPE_INT32:
        *cell = cell_int64((int32_t)bytes_get_le(element->value, 4));
        cell->aux = BSON_TYPE_INT32;
        return STATUS_OK;
    case BSON_TYPE_INT64:
        *cell = cell_int64((int64_t)bytes_get_le(element->value, 8));
        cell->aux = BSON_TYPE_INT64;
        return STATUS_OK;
    case BSON_TYPE_DECIMAL128:
        return read_decimal(element, arena, cell, error);
    default:
        return read_own(element, arena, cell, error);
    }
}

enum status mongodb_read_document(const uint8_t *bytes, size_t length, const char *left_out,
                                  struct arena *arena, struct cell *map, struct error *error)
{
    return read_nested(bytes, length, false, left_out, arena, MONGODB_DEPTH_MAX + 1, map, error);
}
