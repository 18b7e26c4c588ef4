/*
 * MySQL's binary JSON. A document is a byte for its type and a value:
 *
 *   object    count, bytes; for each key: offset, length (2); for each value: type (1), the value
 *             if it is short, or its offset; the keys, the values. Numbers are of 2 bytes, in large
 *             ones of 4, offsets from `count` on
 *   array     the same without keys
 *   string    its length, seven bits a byte, the lowest first; UTF-8
 *   opaque    a column's type (1), a length as above, the value
 *
 * Source: json_binary.h in MySQL's manual. The text is as the server writes it.
 */
#include "base/bytes.h"
#include "connectors/mysql/follow/binlog.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include <math.h>
#include <string.h>

enum json_type {
    SMALL_OBJECT,
    LARGE_OBJECT,
    SMALL_ARRAY,
    LARGE_ARRAY,
    LITERAL,
    INT16,
    UINT16,
    INT32,
    UINT32,
    INT64,
    UINT64,
    DOUBLE,
    STRING,
    OPAQUE = 15
};
enum { DEPTH_MAX = 100, TYPE_BYTES = 1, KEY_LENGTH_BYTES = 2 };

/* The bounds beyond which a document that names the same value again and again may not grow. */
struct limits {
    int depth;
    size_t most;
};

static bool binlog_json_print(uint8_t type, struct binlog_bytes value, struct limits limits,
                              struct buffer *out);

static bool print_literal(uint64_t number, struct buffer *out)
{
    static const char *const words[] = {"null", "true", "false"};
    if (number > 2) {
        return false;
    }
    buffer_append_string(out, words[number]);
    return true;
}

static bool take_length(struct binlog_bytes *bytes, size_t *length)
{
    *length = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint64_t part = binlog_take_number(bytes, 1);
        *length |= (size_t)(part & 127) << shift;
        if ((part & 128) == 0) {
            return !bytes->bad && *length <= bytes->left;
        }
    }
    return false;
}

static bool print_string(struct binlog_bytes value, struct buffer *out)
{
    size_t length = 0;
    if (!take_length(&value, &length) || !text_is_utf8((const char *)value.at, length)) {
        return false;
    }
    json_append_string(out, (const char *)value.at, length);
    return true;
}

/* The shortest digits, plain where the point is at most fifteen places away. A whole one ends in
 * .0, since it is a double. */
static bool print_double(struct binlog_bytes value, struct buffer *out)
{
    enum { PLACES_MAX = 15 };
    char text[NUMBER_TEXT_MAX];
    double number;
    uint64_t digits = 0;
    int exponent = 0;
    int negative = 0;
    memcpy(&number, value.at, sizeof number);
    if (!isfinite(number)) {
        return false; /* JSON has none */
    }
    number_shortest(number, &digits, &exponent, &negative);
    int length = (int)number_from_uint64(digits, text);
    int point = digits == 0 ? 1 : length + exponent;
    buffer_append_string(out, negative ? "-" : "");
    if (point > PLACES_MAX || point <= -PLACES_MAX) {
        buffer_append(out, text, 1);
        buffer_append_string(out, length > 1 ? "." : "");
        buffer_append(out, text + 1, (size_t)length - 1);
        buffer_format(out, "e%d", point - 1);
        return true;
    }
    if (point <= 0) {
        buffer_format(out, "0.%.*s%.*s", -point, "000000000000000", length, text);
        return true;
    }
    for (int i = 0; i < point || i < length; i++) {
        buffer_append_string(out, i == point ? "." : "");
        buffer_append_byte(out, i < length ? text[i] : '0');
    }
    buffer_append_string(out, length <= point ? ".0" : "");
    return true;
}

/* A number of eight bytes: the fraction in the lowest three. */
static void print_packed(uint8_t type, const uint8_t *bytes, struct buffer *out)
{
    int64_t value = (int64_t)bytes_get_le(bytes, 8);
    uint64_t size = (uint64_t)(value < 0 ? -value : value);
    unsigned fraction = (unsigned)(size & 0xffffff);
    uint64_t whole = size >> 24;
    uint64_t day = whole >> 17;
    buffer_append_string(out, value < 0 ? "\"-" : "\"");
    if (type != MYSQL_TYPE_TIME) {
        buffer_format(out, "%04u-%02u-%02u", (unsigned)((day >> 5) / 13),
                      (unsigned)((day >> 5) % 13), (unsigned)(day & 31));
    }
    if (type != MYSQL_TYPE_DATE) {
        uint64_t hour = type == MYSQL_TYPE_TIME ? whole >> 12 & 1023 : whole >> 12 & 31;
        buffer_format(out, "%s%02u:%02u:%02u.%06u", type == MYSQL_TYPE_TIME ? "" : " ",
                      (unsigned)hour, (unsigned)(whole >> 6 & 63), (unsigned)(whole & 63),
                      fraction);
    }
    buffer_append_byte(out, '"');
}

static bool print_opaque(struct binlog_bytes value, struct buffer *out)
{
    uint8_t type = (uint8_t)binlog_take_number(&value, 1);
    size_t length = 0;
    if (!take_length(&value, &length)) {
        return false;
    }
    switch (type) {
    case MYSQL_TYPE_NEWDECIMAL:
        return length > 2 &&
               binlog_print_decimal(value.at + 2, length - 2, value.at[0], value.at[1], out);
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        if (length != 8) {
            return false;
        }
        print_packed(type, value.at, out);
        return true;
    default: {
        struct buffer coded = {0};
        json_append_base64(&coded, value.at, length);
        buffer_format(out, "\"base64:type%u:", type);
        buffer_append(out, coded.data + 1, coded.length - 1);
        buffer_free(&coded);
        return true;
    }
    }
}

/* ---------------------------------------------------------------- containers */

struct container {
    struct binlog_bytes all; /* what offsets count from the begin of */
    bool object;
    int width; /* of its numbers */
    uint64_t count;
};

static struct binlog_bytes behind(const struct container *container, uint64_t offset)
{
    struct binlog_bytes at = container->all;
    (void)binlog_take(&at, offset);
    return at;
}

static bool is_inlined(uint8_t type, int width)
{
    return type == LITERAL || type == INT16 || type == UINT16 ||
           (width == 4 && (type == INT32 || type == UINT32));
}

static bool print_key(const struct container *container, uint64_t number, struct buffer *out)
{
    size_t entry = (size_t)container->width + KEY_LENGTH_BYTES;
    struct binlog_bytes at = behind(container, 2u * (unsigned)container->width + number * entry);
    uint64_t offset = binlog_take_number(&at, container->width);
    size_t length = (size_t)binlog_take_number(&at, KEY_LENGTH_BYTES);
    struct binlog_bytes key = behind(container, offset);
    const uint8_t *text = binlog_take(&key, length);
    if (at.bad || text == NULL || !text_is_utf8((const char *)text, length)) {
        return false;
    }
    json_append_string(out, (const char *)text, length);
    buffer_append_string(out, ": ");
    return true;
}

static bool print_member(const struct container *container, uint64_t number, struct limits limits,
                         struct buffer *out)
{
    size_t keys = container->object ? (size_t)container->width + KEY_LENGTH_BYTES : 0;
    size_t entry = TYPE_BYTES + (size_t)container->width;
    struct binlog_bytes at = behind(container, 2u * (unsigned)container->width +
                                                   container->count * keys + number * entry);
    uint8_t type = (uint8_t)binlog_take_number(&at, 1);
    if (at.bad || at.left < (size_t)container->width) {
        return false;
    }
    if (is_inlined(type, container->width)) {
        return binlog_json_print(type, at, limits, out);
    }
    struct binlog_bytes value = behind(container, binlog_take_number(&at, container->width));
    return !value.bad && binlog_json_print(type, value, limits, out);
}

static bool print_container(uint8_t type, struct binlog_bytes value, struct limits limits,
                            struct buffer *out)
{
    struct container container = {.all = value,
                                  .object = type == SMALL_OBJECT || type == LARGE_OBJECT,
                                  .width = type == LARGE_OBJECT || type == LARGE_ARRAY ? 4 : 2};
    container.count = binlog_take_number(&value, container.width);
    uint64_t bytes = binlog_take_number(&value, container.width);
    /* so that no more is read than there is */
    if (value.bad || bytes > container.all.left || container.count > bytes ||
        limits.depth >= DEPTH_MAX || out->length > limits.most) {
        return false;
    }
    container.all.left = (size_t)bytes;
    limits.depth++;
    buffer_append_byte(out, container.object ? '{' : '[');
    for (uint64_t i = 0; i < container.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        if ((container.object && !print_key(&container, i, out)) ||
            !print_member(&container, i, limits, out)) {
            return false;
        }
    }
    buffer_append_byte(out, container.object ? '}' : ']');
    return true;
}

static bool binlog_json_print(uint8_t type, struct binlog_bytes value, struct limits limits,
                              struct buffer *out)
{
    static const uint8_t sizes[] = {
        [LITERAL] = 1, [INT16] = 2, [UINT16] = 2, [INT32] = 4,
        [UINT32] = 4,  [INT64] = 8, [UINT64] = 8, [DOUBLE] = 8,
    };
    if (type < sizeof sizes && value.left < sizes[type]) {
        return false;
    }
    switch (type) {
    case SMALL_OBJECT:
    case LARGE_OBJECT:
    case SMALL_ARRAY:
    case LARGE_ARRAY:
        return print_container(type, value, limits, out);
    case LITERAL:
        return print_literal(value.at[0], out);
    case INT16:
        buffer_append_int64(out, (int16_t)bytes_get_le(value.at, 2));
        return true;
    case INT32:
        buffer_append_int64(out, (int32_t)bytes_get_le(value.at, 4));
        return true;
    case INT64:
        buffer_append_int64(out, (int64_t)bytes_get_le(value.at, 8));
        return true;
    case UINT16:
    case UINT32:
    case UINT64:
        buffer_append_uint64(out, bytes_get_le(value.at, sizes[type]));
        return true;
    case DOUBLE:
        return print_double(value, out);
    case STRING:
        return print_string(value, out);
    case OPAQUE:
        return print_opaque(value, out);
    default:
        return false;
    }
}

bool binlog_print_json(struct text value, struct buffer *out)
{
    struct binlog_bytes bytes = {.at = (const uint8_t *)value.data, .left = value.length};
    if (value.length == 0) { /* of a row that had no value yet */
        buffer_append_string(out, "null");
        return true;
    }
    uint8_t type = (uint8_t)binlog_take_number(&bytes, 1);
    return binlog_json_print(type, bytes,
                             (struct limits){.most = out->length + 16 * value.length + 64}, out);
}
