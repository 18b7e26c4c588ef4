/* Values as BSON. */
#include "connectors/mongodb/mongodb.h"

#include "base/bytes.h"
#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/time_text.h"

enum {
    DECIMAL_DIGITS_MAX = 34,
    DECIMAL_BIAS = 6176,
    DECIMAL_EXPONENT_BIT = 49,
    DAY_MS = 86400000,
    STRAIGHT_BYTES = 16, /* of a value, without those of a text */
    US_A_MS = 1000
};

/* ---------------------------------------------------------------- documents */

size_t mongodb_write_begin(struct buffer *out)
{
    size_t begin = out->length;
    buffer_append(out, "\0\0\0\0", 4);
    return begin;
}

void mongodb_write_end(struct buffer *out, size_t begin)
{
    buffer_append_byte(out, '\0');
    bytes_put_le((uint8_t *)out->data + begin, out->length - begin, 4);
}

void mongodb_write_view(const struct buffer *out, bson_t *view)
{
    bool good = bson_init_static(view, (const uint8_t *)out->data, out->length);
    if (!good) { /* larger than any document may be: the server refuses it just so */
        bson_init(view);
    }
}

void mongodb_write_head(struct buffer *out, uint8_t type, const char *name, size_t length)
{
    buffer_reserve(out, length + 2);
    char *at = out->data + out->length;
    at[0] = (char)type;
    memcpy(at + 1, name, length);
    at[length + 1] = '\0';
    out->length += length + 2;
}

static void put_number(struct buffer *out, uint64_t number, int bytes)
{
    buffer_reserve(out, 8);
    bytes_put_le((uint8_t *)out->data + out->length, number, bytes);
    out->length += (size_t)bytes;
}

/* Length, bytes and a NUL, as texts have them. */
static void put_text(struct buffer *out, const char *text, size_t length)
{
    put_number(out, length + 1, 4);
    buffer_append(out, text, length);
    buffer_append_byte(out, '\0');
}

void mongodb_write_text(struct buffer *out, const char *name, const char *text, size_t length)
{
    mongodb_write_head(out, BSON_TYPE_UTF8, name, strlen(name));
    put_text(out, text, length);
}

void mongodb_write_int32(struct buffer *out, const char *name, int32_t value)
{
    mongodb_write_head(out, BSON_TYPE_INT32, name, strlen(name));
    put_number(out, (uint32_t)value, 4);
}

void mongodb_write_int64(struct buffer *out, const char *name, int64_t value)
{
    mongodb_write_head(out, BSON_TYPE_INT64, name, strlen(name));
    put_number(out, (uint64_t)value, 8);
}

void mongodb_write_bool(struct buffer *out, const char *name, bool value)
{
    mongodb_write_head(out, BSON_TYPE_BOOL, name, strlen(name));
    buffer_append_byte(out, (char)value);
}

void mongodb_write_timestamp(struct buffer *out, const char *name, uint64_t value)
{
    mongodb_write_head(out, BSON_TYPE_TIMESTAMP, name, strlen(name));
    put_number(out, value, 8);
}

size_t mongodb_write_open(struct buffer *out, const char *name, uint8_t type)
{
    mongodb_write_head(out, type, name, strlen(name));
    return mongodb_write_begin(out);
}

void mongodb_write_concern(struct buffer *out)
{
    size_t begin = mongodb_write_open(out, "writeConcern", BSON_TYPE_DOCUMENT);
    mongodb_write_text(out, "w", "majority", strlen("majority"));
    mongodb_write_bool(out, "j", true);
    mongodb_write_end(out, begin);
}

void mongodb_append_concern(bson_t *command)
{
    bson_t concern;
    (void)bson_append_document_begin(command, "writeConcern", -1, &concern);
    (void)bson_append_utf8(&concern, "w", -1, "majority", -1);
    (void)bson_append_bool(&concern, "j", -1, true);
    (void)bson_append_document_end(command, &concern);
}

size_t mongodb_write_index(uint32_t index, char digits[12])
{
    size_t length = 0;
    char reversed[12];
    do {
        reversed[length++] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    for (size_t at = 0; at < length; at++) {
        digits[at] = reversed[length - 1 - at];
    }
    digits[length] = '\0';
    return length;
}

/* ---------------------------------------------------------------- refusals */

static enum status refuse_type(const char *what, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "%s", what);
}

/* ---------------------------------------------------------------- numbers */

/* The narrowest type that holds it, unless its source was MongoDB, and had another one. */
static void write_int64(struct buffer *out, const char *name, size_t length,
                        const struct cell *cell)
{
    bool narrow = cell->aux != BSON_TYPE_INT64 && cell->i64 >= INT32_MIN && cell->i64 <= INT32_MAX;
    mongodb_write_head(out, narrow ? BSON_TYPE_INT32 : BSON_TYPE_INT64, name, length);
    put_number(out, cell->u64, narrow ? 4 : 8);
}

static void write_double(struct buffer *out, const char *name, size_t length, double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(bits));
    mongodb_write_head(out, BSON_TYPE_DOUBLE, name, length);
    put_number(out, bits, 8);
}

static void put_decimal(struct buffer *out, uint64_t high, uint64_t low)
{
    put_number(out, low, 8);
    put_number(out, high, 8);
}

/* A coefficient below 2^63 and its scale. */
static void write_small_decimal(struct buffer *out, const char *name, size_t length,
                                const struct cell *cell)
{
    uint64_t sign = cell->i64 < 0 ? UINT64_C(1) << 63 : 0;
    uint64_t coefficient = cell->i64 < 0 ? 0 - cell->u64 : cell->u64;
    mongodb_write_head(out, BSON_TYPE_DECIMAL128, name, length);
    put_decimal(out, sign | (uint64_t)(DECIMAL_BIAS - cell->aux) << DECIMAL_EXPONENT_BIT,
                coefficient);
}

static enum status write_decimal(struct buffer *out, const char *name, size_t length,
                                 const struct cell *cell, struct error *error)
{
    bson_decimal128_t decimal;
    if ((cell->flags & CELL_SMALL) != 0) {
        write_small_decimal(out, name, length, cell);
        return STATUS_OK;
    }
    if (cell->length > INT32_MAX ||
        !bson_decimal128_from_string_w_len(cell->text, (int)cell->length, &decimal)) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL,
                         "the number has more than %d digits, or is out of Decimal128's range",
                         (int)DECIMAL_DIGITS_MAX);
    }
    mongodb_write_head(out, BSON_TYPE_DECIMAL128, name, length);
    put_decimal(out, decimal.high, decimal.low);
    return STATUS_OK;
}

/* A value that int64 has no room for is a decimal. */
static enum status write_uint64(struct buffer *out, const char *name, size_t length,
                                const struct cell *cell)
{
    const struct cell whole = cell_int64(cell->i64);
    if (cell->u64 <= INT64_MAX) {
        write_int64(out, name, length, &whole);
        return STATUS_OK;
    }
    mongodb_write_head(out, BSON_TYPE_DECIMAL128, name, length);
    put_decimal(out, (uint64_t)DECIMAL_BIAS << DECIMAL_EXPONENT_BIT, cell->u64);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- MongoDB's own */

/* Such a value of a source of MongoDB comes as its canonical extended JSON. False: the text is no
 * value of that type any more. */
static bool write_own(struct buffer *out, const char *name, size_t length, const struct cell *cell)
{
    bson_error_t ignored;
    struct error none;
    struct buffer json = {0};
    struct mongodb_element element = {0};
    buffer_append_string(&json, "{\"v\":");
    buffer_append(&json, cell->text, cell->length);
    buffer_append_byte(&json, '}');
    bson_t *made = bson_new_from_json((const uint8_t *)json.data, (ssize_t)json.length, &ignored);
    bool good = made != NULL &&
                mongodb_find(bson_get_data(made), made->len, "v", &element, &none) == STATUS_OK &&
                element.type == cell->aux;
    if (good) {
        mongodb_write_head(out, element.type, name, length);
        buffer_append(out, element.value, element.value_length);
    }
    bson_destroy(made);
    buffer_free(&json);
    return good;
}

static bool is_own(const struct cell *cell)
{
    return cell->aux != 0 && cell->aux != BSON_TYPE_OID && cell->aux != BSON_TYPE_CODE &&
           cell->aux != BSON_TYPE_SYMBOL;
}

/* ---------------------------------------------------------------- texts and bytes */

static void write_oid(struct buffer *out, const char *name, size_t length, const struct cell *cell)
{
    char digits[25];
    bson_oid_t oid;
    memcpy(digits, cell->text, 24);
    digits[24] = '\0';
    bson_oid_init_from_string(&oid, digits);
    mongodb_write_head(out, BSON_TYPE_OID, name, length);
    buffer_append(out, oid.bytes, sizeof(oid.bytes));
}

static bool is_oid(const struct cell *cell)
{
    return cell->aux == BSON_TYPE_OID && cell->length == 24 &&
           bson_oid_is_valid(cell->text, cell->length);
}

static enum status write_text(struct buffer *out, const char *name, size_t length,
                              const struct cell *cell, struct error *error)
{
    if (cell->length >= MONGODB_DOCUMENT_BYTES_MAX) {
        return convert_refuse_large(cell->length, MONGODB_DOCUMENT_BYTES_MAX, error);
    }
    if (is_oid(cell)) {
        write_oid(out, name, length, cell);
        return STATUS_OK;
    }
    if (is_own(cell) && write_own(out, name, length, cell)) {
        return STATUS_OK;
    }
    bool other = cell->aux == BSON_TYPE_CODE || cell->aux == BSON_TYPE_SYMBOL;
    mongodb_write_head(out, other ? (uint8_t)cell->aux : BSON_TYPE_UTF8, name, length);
    put_text(out, cell->text, cell->length);
    return STATUS_OK;
}

/* A subtype that a source of MongoDB had comes as aux: 256 + subtype. Subtype 2 has its length
 * twice. */
static enum status write_bytes(struct buffer *out, const char *name, size_t length,
                               const struct cell *cell, uint8_t subtype, struct error *error)
{
    bool twice = subtype == BSON_SUBTYPE_BINARY_DEPRECATED;
    if (cell->length >= MONGODB_DOCUMENT_BYTES_MAX) {
        return convert_refuse_large(cell->length, MONGODB_DOCUMENT_BYTES_MAX, error);
    }
    mongodb_write_head(out, BSON_TYPE_BINARY, name, length);
    put_number(out, (uint64_t)cell->length + (twice ? 4 : 0), 4);
    buffer_append_byte(out, (char)subtype);
    if (twice) {
        put_number(out, cell->length, 4);
    }
    buffer_append(out, cell->bytes, cell->length);
    return STATUS_OK;
}

static enum status write_large(struct buffer *out, const char *name, size_t length,
                               const struct cell *cell, struct error *error)
{
    struct cell whole;
    struct arena *arena = arena_create(0);
    enum status status = convert_read_large(cell, MONGODB_DOCUMENT_BYTES_MAX, arena, &whole, error);
    if (status == STATUS_OK) {
        status = whole.kind == VALUE_TEXT ? write_text(out, name, length, &whole, error)
                                          : write_bytes(out, name, length, &whole, 0, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- times */

static enum status write_date(struct buffer *out, const char *name, size_t length,
                              const struct cell *cell, struct error *error)
{
    int64_t ms = 0;
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_type("a day that is none, or infinite, is no date of MongoDB", error);
    }
    if (cell->kind == VALUE_DATE) {
        if (__builtin_mul_overflow(cell->i64, (int64_t)DAY_MS, &ms)) {
            return refuse_type("the day is beyond the dates of MongoDB", error);
        }
    } else {
        if (cell->aux != 0 || cell->i64 % US_A_MS != 0) {
            refuse_type("a date of MongoDB has milliseconds, and this time is finer", error);
            return error_hint(error, "`cast: text` in the plan keeps it as a text");
        }
        ms = cell->i64 / US_A_MS;
    }
    mongodb_write_head(out, BSON_TYPE_DATE_TIME, name, length);
    put_number(out, (uint64_t)ms, 8);
    return STATUS_OK;
}

static enum status write_time_text(struct buffer *out, const char *name, size_t length,
                                   const struct cell *cell)
{
    struct buffer text = {0};
    time_append(cell, &text);
    mongodb_write_head(out, BSON_TYPE_UTF8, name, length);
    put_text(out, text.data, text.length);
    buffer_free(&text);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- nested */

enum status mongodb_check_name(const char *name, size_t length, struct error *error)
{
    return memchr(name, '\0', length) == NULL
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TEXT, NULL, "a field has U+0000 in its name");
}

static enum status write_list(struct buffer *out, const char *name, size_t length,
                              const struct cell *cell, int depth, struct error *error)
{
    char digits[12];
    enum status status = STATUS_OK;
    mongodb_write_head(out, BSON_TYPE_ARRAY, name, length);
    size_t begin = mongodb_write_begin(out);
    for (uint32_t at = 0; at < cell->length && status == STATUS_OK; at++) {
        size_t width = mongodb_write_index(at, digits);
        /* an array has no gaps: what is missing in a list is null */
        const struct cell null = cell_null();
        const struct cell *item = &cell->items[at];
        status = mongodb_write_cell(out, digits, width, item->kind == VALUE_MISSING ? &null : item,
                                    depth - 1, error);
    }
    mongodb_write_end(out, begin);
    return status;
}

static enum status write_map(struct buffer *out, const char *name, size_t length,
                             const struct cell *cell, int depth, struct error *error)
{
    enum status status = STATUS_OK;
    mongodb_write_head(out, BSON_TYPE_DOCUMENT, name, length);
    size_t begin = mongodb_write_begin(out);
    for (uint32_t at = 0; at < cell->length && status == STATUS_OK; at++) {
        const struct cell *key = &cell->items[2 * (size_t)at];
        const struct cell *value = key + 1;
        struct buffer text = {0};
        if (key->kind == VALUE_TEXT) {
            status = mongodb_check_name(key->text, key->length, error);
            status = status == STATUS_OK
                         ? mongodb_write_cell(out, key->text, key->length, value, depth - 1, error)
                         : status;
        } else {
            status = convert_append_text(key, true, &text, error);
            status = status == STATUS_OK
                         ? mongodb_write_cell(out, text.data, text.length, value, depth - 1, error)
                         : status;
        }
        buffer_free(&text);
    }
    mongodb_write_end(out, begin);
    return status;
}

/* A number of JSON with a fraction is a double, if one is just that number. */
static void prefer_doubles(struct cell *cell)
{
    double value = 0;
    struct cell small;
    size_t count = cell->kind == VALUE_MAP                               ? 2 * (size_t)cell->length
                   : cell->kind == VALUE_LIST || cell->kind == VALUE_SET ? cell->length
                                                                         : 0;
    if (cell->kind == VALUE_DECIMAL && decimal_to_small(cell, &small)) {
        small = decimal_small_normal(&small);
        if (decimal_is_of_double(&small, &value)) {
            *cell = cell_float64(value);
        }
    }
    for (size_t at = 0; at < count; at++) { /* made by this thread, in its own arena */
        prefer_doubles((struct cell *)(uintptr_t)&cell->items[at]);
    }
}

static enum status write_json(struct buffer *out, const char *name, size_t length,
                              const struct cell *cell, int depth, struct error *error)
{
    struct cell value;
    struct arena *arena = arena_create(0);
    enum status status = convert_read_json(cell->text, cell->length, arena, &value, error);
    if (status == STATUS_OK) {
        prefer_doubles(&value);
        status = mongodb_write_cell(out, name, length, &value, depth, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- any value */

static enum status write_nested(struct buffer *out, const char *name, size_t length,
                                const struct cell *cell, int depth, struct error *error)
{
    if (depth <= 0) {
        return error_set(error, ERROR_REJECT_TOO_DEEP, NULL,
                         "the record nests deeper than %d levels", (int)MONGODB_DEPTH_MAX);
    }
    if (cell->kind == VALUE_JSON) {
        return write_json(out, name, length, cell, depth, error);
    }
    return cell->kind == VALUE_MAP ? write_map(out, name, length, cell, depth, error)
                                   : write_list(out, name, length, cell, depth, error);
}

static enum status write_other(struct buffer *out, const char *name, size_t length,
                               const struct cell *cell, int depth, struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_BOOL:
        mongodb_write_head(out, BSON_TYPE_BOOL, name, length);
        buffer_append_byte(out, (char)(cell->i64 != 0));
        return STATUS_OK;
    case VALUE_UINT64:
        return write_uint64(out, name, length, cell);
    case VALUE_DECIMAL:
        return write_decimal(out, name, length, cell, error);
    case VALUE_BYTES:
        return write_bytes(out, name, length, cell, cell->aux >= 256 ? (uint8_t)cell->aux : 0,
                           error);
    case VALUE_UUID: {
        const struct cell bytes = cell_bytes(cell->bytes, 16);
        return write_bytes(out, name, length, &bytes, BSON_SUBTYPE_UUID, error);
    }
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        return write_date(out, name, length, cell, error);
    case VALUE_TIME:
    case VALUE_INTERVAL:
        return write_time_text(out, name, length, cell);
    case VALUE_LARGE:
        return write_large(out, name, length, cell, error);
    case VALUE_ESCAPE:
        return (cell->flags & CELL_ESCAPED_TEXT) != 0
                   ? write_bytes(out, name, length, cell, 0, error)
                   : refuse_type("a value of another database's own, which only that one "
                                 "understands",
                                 error);
    default:
        return write_nested(out, name, length, cell, depth, error);
    }
}

enum status mongodb_write_cell(struct buffer *out, const char *name, size_t length,
                               const struct cell *cell, int depth, struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        return STATUS_OK;
    case VALUE_NULL:
        mongodb_write_head(out, BSON_TYPE_NULL, name, length);
        return STATUS_OK;
    case VALUE_INT64:
        write_int64(out, name, length, cell);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        write_double(out, name, length, cell->f64);
        return STATUS_OK;
    case VALUE_TEXT:
        return write_text(out, name, length, cell, error);
    default:
        return write_other(out, name, length, cell, depth, error);
    }
}

/* ---------------------------------------------------------------- fields of a shape */

static bool goes_straight(const struct cell *cell)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_NULL:
    case VALUE_INT64:
    case VALUE_FLOAT64:
        return true;
    case VALUE_TEXT:
        return cell->aux == 0 && cell->length < MONGODB_DOCUMENT_BYTES_MAX;
    case VALUE_DECIMAL:
        return (cell->flags & CELL_SMALL) != 0;
    default:
        return false;
    }
}

/* Writes the value of one that does, and says its type; what is behind the value comes back. */
static uint8_t *put_straight(uint8_t *at, const struct cell *cell, uint8_t *type)
{
    uint64_t sign = cell->i64 < 0 ? UINT64_C(1) << 63 : 0;
    switch ((enum value_kind)cell->kind) {
    case VALUE_INT64:
        if (cell->aux != BSON_TYPE_INT64 && cell->i64 >= INT32_MIN && cell->i64 <= INT32_MAX) {
            *type = BSON_TYPE_INT32;
            bytes_put_le(at, cell->u64, 4);
            return at + 4;
        }
        *type = BSON_TYPE_INT64;
        bytes_put_le(at, cell->u64, 8);
        return at + 8;
    case VALUE_FLOAT64:
        *type = BSON_TYPE_DOUBLE;
        memcpy(at, &cell->f64, 8);
        return at + 8;
    case VALUE_TEXT:
        *type = BSON_TYPE_UTF8;
        bytes_put_le(at, (uint64_t)cell->length + 1, 4);
        if (cell->length > 0) {
            memcpy(at + 4, cell->text, cell->length);
        }
        at[4 + cell->length] = '\0';
        return at + 4 + cell->length + 1;
    case VALUE_DECIMAL:
        *type = BSON_TYPE_DECIMAL128;
        bytes_put_le(at, sign != 0 ? 0 - cell->u64 : cell->u64, 8);
        bytes_put_le(at + 8, sign | (uint64_t)(DECIMAL_BIAS - cell->aux) << DECIMAL_EXPONENT_BIT,
                     8);
        return at + 16;
    default:
        *type = BSON_TYPE_NULL;
        return at;
    }
}

enum status mongodb_write_field(struct buffer *out, const char *head, size_t length,
                                const struct cell *cell, int depth, struct error *error)
{
    uint8_t type = 0;
    if (!goes_straight(cell)) {
        return mongodb_write_cell(out, head + 1, length - 2, cell, depth, error);
    }
    buffer_reserve(out, length + STRAIGHT_BYTES + (cell->kind == VALUE_TEXT ? cell->length : 0));
    uint8_t *begin = (uint8_t *)out->data + out->length;
    memcpy(begin, head, length);
    out->length = (size_t)(put_straight(begin + length, cell, &type) - (uint8_t *)out->data);
    begin[0] = type;
    return STATUS_OK;
}
