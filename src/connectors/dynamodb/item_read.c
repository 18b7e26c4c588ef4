/* DynamoDB's typed attributes to cells, and the normal form that this gives to values. */
#include "connectors/dynamodb/item.h"

#include "base/text.h"
#include "connectors/dynamodb/limits.h"
#include "model/number_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_18_MAX INT64_C(999999999999999999)

/* Cells of containers that are still open; each container copies its own to the arena when it
 * ends. */
struct reading {
    struct json_reader *json;
    struct arena *arena;
    struct cell *stack;
    size_t count;
    size_t capacity;
    struct error *error;
};

static enum status read_value(struct reading *reading, struct cell *value) MUST_USE;

static enum status unreadable(struct reading *reading, const char *reason)
{
    return error_set(reading->error, ERROR_REJECT_UNREADABLE, NULL, "%s before byte %llu", reason,
                     (unsigned long long)(reading->json->position - reading->json->start));
}

static enum status out_of_memory(struct reading *reading)
{
    return error_set(reading->error, ERROR_MEMORY, NULL, "no memory for an item");
}

static enum status next_token(struct reading *reading, enum json_token *token)
{
    return json_reader_next(reading->json, token, reading->error);
}

static enum status item_read_expect(struct reading *reading, enum json_token wanted,
                                    const char *what)
{
    enum json_token token = JSON_TOKEN_END;
    if (next_token(reading, &token) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return token == wanted ? STATUS_OK : unreadable(reading, what);
}

static enum status item_read_push(struct reading *reading, const struct cell *cell)
{
    if (reading->count == reading->capacity) {
        size_t capacity = reading->capacity == 0 ? 64 : reading->capacity * 2;
        struct cell *grown = (struct cell *)reallocarray(reading->stack, capacity, sizeof(*grown));
        if (grown == NULL) {
            return out_of_memory(reading);
        }
        reading->stack = grown;
        reading->capacity = capacity;
    }
    reading->stack[reading->count++] = *cell;
    return STATUS_OK;
}

/* Takes all cells above `base` off the stack into the arena. */
static enum status pop_items(struct reading *reading, size_t base, const struct cell **items,
                             size_t *count)
{
    *count = reading->count - base;
    struct cell *copy = arena_try_allocate(reading->arena, (*count + 1) * sizeof(*copy));
    if (copy == NULL) {
        return out_of_memory(reading);
    }
    if (*count > 0) {
        memcpy(copy, reading->stack + base, *count * sizeof(*copy));
    }
    reading->count = base;
    *items = copy;
    return STATUS_OK;
}

static enum status decode_bytes(struct reading *reading, struct cell *cell)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (json_decode_base64(reading->json->text, reading->json->length, reading->arena, &bytes,
                           &length, reading->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_bytes(bytes, length);
    return STATUS_OK;
}

/* The string just read, as an S, N or B. */
static enum status scalar_of(struct reading *reading, char letter, struct cell *cell)
{
    if (letter == 'N') {
        return dynamodb_number_read(reading->json->text, reading->json->length, reading->arena,
                                    cell, reading->error);
    }
    if (letter == 'B') {
        return decode_bytes(reading, cell);
    }
    *cell = cell_text(reading->json->text, reading->json->length);
    return STATUS_OK;
}

static enum status read_set(struct reading *reading, char letter, struct cell *value)
{
    size_t base = reading->count;
    enum json_token token = JSON_TOKEN_END;
    if (item_read_expect(reading, JSON_TOKEN_ARRAY_BEGIN, "a set must be an array") != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (;;) {
        struct cell element;
        if (next_token(reading, &token) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == JSON_TOKEN_ARRAY_END) {
            break;
        }
        if (token != JSON_TOKEN_STRING) {
            return unreadable(reading, "a set holds strings");
        }
        if (scalar_of(reading, letter, &element) != STATUS_OK ||
            item_read_push(reading, &element) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    const struct cell *items = NULL;
    size_t count = 0;
    if (pop_items(reading, base, &items, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *value = cell_items(VALUE_SET, items, count);
    return STATUS_OK;
}

static enum status read_list(struct reading *reading, struct cell *value)
{
    size_t base = reading->count;
    enum json_token token = JSON_TOKEN_END;
    if (item_read_expect(reading, JSON_TOKEN_ARRAY_BEGIN, "L must be an array") != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (;;) {
        struct cell element;
        if (next_token(reading, &token) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == JSON_TOKEN_ARRAY_END) {
            break;
        }
        if (token != JSON_TOKEN_OBJECT_BEGIN) {
            return unreadable(reading, "an element of L must be a typed value");
        }
        if (read_value(reading, &element) != STATUS_OK ||
            item_read_push(reading, &element) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    const struct cell *items = NULL;
    size_t count = 0;
    if (pop_items(reading, base, &items, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *value = cell_items(VALUE_LIST, items, count);
    return STATUS_OK;
}

/* The pairs of an item or an M, after its '{'. */
static enum status read_pairs(struct reading *reading, struct cell *value)
{
    size_t base = reading->count;
    enum json_token token = JSON_TOKEN_END;
    for (;;) {
        struct cell pair;
        if (next_token(reading, &token) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == JSON_TOKEN_OBJECT_END) {
            break;
        }
        pair = cell_text(reading->json->text, reading->json->length);
        if (item_read_push(reading, &pair) != STATUS_OK ||
            item_read_expect(reading, JSON_TOKEN_OBJECT_BEGIN,
                             "an attribute must be a typed value") != STATUS_OK ||
            read_value(reading, &pair) != STATUS_OK ||
            item_read_push(reading, &pair) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    const struct cell *items = NULL;
    size_t count = 0;
    if (pop_items(reading, base, &items, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *value = cell_items(VALUE_MAP, items, count / 2);
    return STATUS_OK;
}

static enum status read_bool(struct reading *reading, bool null, struct cell *value)
{
    enum json_token token = JSON_TOKEN_END;
    if (next_token(reading, &token) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (null && token == JSON_TOKEN_TRUE) {
        *value = cell_null();
    } else if (!null && (token == JSON_TOKEN_TRUE || token == JSON_TOKEN_FALSE)) {
        *value = cell_bool(token == JSON_TOKEN_TRUE);
    } else {
        return unreadable(reading, null ? "NULL must be true" : "BOOL must be true or false");
    }
    return STATUS_OK;
}

static enum status read_scalar(struct reading *reading, char letter, struct cell *value)
{
    if (item_read_expect(reading, JSON_TOKEN_STRING, "S, N and B are written as strings") !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return scalar_of(reading, letter, value);
}

static enum status read_typed(struct reading *reading, const char *type, size_t length,
                              struct cell *value)
{
    if (length == 1 && (type[0] == 'S' || type[0] == 'N' || type[0] == 'B')) {
        return read_scalar(reading, type[0], value);
    }
    if (length == 1 && type[0] == 'M') {
        if (item_read_expect(reading, JSON_TOKEN_OBJECT_BEGIN, "M must be an object") !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        return read_pairs(reading, value);
    }
    if (length == 1 && type[0] == 'L') {
        return read_list(reading, value);
    }
    if (length == 2 && type[1] == 'S' && (type[0] == 'S' || type[0] == 'N' || type[0] == 'B')) {
        return read_set(reading, type[0], value);
    }
    if (length == 4 && memcmp(type, "BOOL", 4) == 0) {
        return read_bool(reading, false, value);
    }
    if (length == 4 && memcmp(type, "NULL", 4) == 0) {
        return read_bool(reading, true, value);
    }
    char shown[48];
    text_printable(type, length, shown, sizeof(shown));
    return error_set(reading->error, ERROR_REJECT_UNREADABLE, NULL,
                     "\"%s\" is no attribute type of DynamoDB", shown);
}

/* {"S":"…"}, after its '{'. */
static enum status read_value(struct reading *reading, struct cell *value)
{
    if (item_read_expect(reading, JSON_TOKEN_KEY, "an attribute without a type") != STATUS_OK ||
        read_typed(reading, reading->json->text, reading->json->length, value) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return item_read_expect(reading, JSON_TOKEN_OBJECT_END, "an attribute has one type");
}

enum status dynamodb_item_read(struct json_reader *reader, bool begun, struct arena *arena,
                               struct cell *map, struct error *error)
{
    struct reading reading = {.json = reader, .arena = arena, .error = error};
    enum status status =
        begun ? STATUS_OK
              : item_read_expect(&reading, JSON_TOKEN_OBJECT_BEGIN, "an item must be an object");
    status = status == STATUS_OK ? read_pairs(&reading, map) : status;
    free(reading.stack);
    return status;
}

enum status dynamodb_item_read_value(struct json_reader *reader, struct arena *arena,
                                     struct cell *value, struct error *error)
{
    struct reading reading = {.json = reader, .arena = arena, .error = error};
    enum status status =
        item_read_expect(&reading, JSON_TOKEN_OBJECT_BEGIN, "a value must be an object");
    status = status == STATUS_OK ? read_value(&reading, value) : status;
    free(reading.stack);
    return status;
}

/* ---------------------------------------------------------------- normal form */

/* Writing and reading is the normal form: whatever the codec does is in it. */
static enum status write_and_read(const struct cell *cell, struct arena *arena, struct cell *normal,
                                  struct error *error)
{
    struct buffer text = {0};
    struct json_reader reader;
    char *copy = NULL;
    enum status status = dynamodb_item_append_value(cell, "value", &text, error);
    if (status == STATUS_OK) {
        copy = arena_try_copy(arena, text.data, text.length);
        status = copy != NULL ? STATUS_OK
                              : error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
    }
    if (status == STATUS_OK) {
        json_reader_init(&reader, copy, text.length, DYNAMODB_JSON_DEPTH_MAX, arena);
        status = dynamodb_item_read_value(&reader, arena, normal, error);
    }
    buffer_free(&text);
    return status;
}

/* The short ways give what write_and_read would; false: take the long one. That one refuses what no
 * item can hold, for which names and values of that many bytes are too few. */
enum { SHORT_BYTES_MAX = DYNAMODB_ITEM_BYTES_MAX / 4, SHORT_NAMES_MAX = 16 };

static bool short_decimal(int64_t digits, int64_t scale, struct cell *normal)
{
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    if (scale == 0) {
        *normal = cell_int64(digits);
        return true;
    }
    *normal = (struct cell){
        .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (uint16_t)scale, .i64 = digits};
    return scale <= 18 && digits <= DIGITS_18_MAX && digits >= -DIGITS_18_MAX;
}

static bool short_float(double value, struct cell *normal)
{
    uint64_t digits = 0;
    int exponent = 0;
    int negative = 0;
    if (!isfinite(value)) {
        return false;
    }
    number_shortest(value, &digits, &exponent, &negative);
    if (exponent > 0 || digits > DIGITS_18_MAX) {
        return false;
    }
    return short_decimal(negative ? -(int64_t)digits : (int64_t)digits, -(int64_t)exponent, normal);
}

static bool short_text(const struct cell *cell, struct cell *normal)
{
    *normal = cell_text(cell->text, cell->length);
    return cell->length <= DYNAMODB_ITEM_BYTES_MAX &&
           ((cell->flags & CELL_ASCII) != 0 || text_is_utf8(cell->text, cell->length));
}

static bool short_scalar(const struct cell *cell, struct cell *normal)
{
    switch (cell->kind) {
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT64:
        *normal = *cell;
        normal->flags = 0;
        return true;
    case VALUE_BYTES:
        *normal = cell_bytes(cell->bytes, cell->length);
        return cell->length <= DYNAMODB_ITEM_BYTES_MAX;
    case VALUE_TEXT:
        return short_text(cell, normal);
    case VALUE_DECIMAL:
        return (cell->flags & CELL_SMALL) != 0 && short_decimal(cell->i64, cell->aux, normal);
    case VALUE_FLOAT64:
        return short_float(cell->f64, normal);
    default:
        return false;
    }
}

/* Lists and maps of short values. `room` is what is left of the bytes that surely fit an item. */
static bool short_nested(const struct cell *cell, uint32_t depth, size_t *room, struct arena *arena,
                         struct cell *normal);

static bool short_element(const struct cell *cell, uint32_t depth, size_t *room,
                          struct arena *arena, struct cell *normal)
{
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_MAP) {
        return short_nested(cell, depth + 1, room, arena, normal);
    }
    bool has_bytes = cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES;
    size_t bytes = sizeof *cell + (has_bytes ? cell->length : 0);
    if (bytes > *room) {
        return false;
    }
    *room -= bytes;
    return short_scalar(cell, normal);
}

/* A text that may be a name, and none of those before it. */
static bool name_is_new(const struct cell *map, size_t at)
{
    const struct cell *key = &map->items[2 * at];
    if (key->kind != VALUE_TEXT || key->length == 0 || key->length > DYNAMODB_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t before = 0; before < at; before++) {
        const struct cell *other = &map->items[2 * before];
        if (other->length == key->length && memcmp(other->text, key->text, key->length) == 0) {
            return false;
        }
    }
    return true;
}

static bool short_nested(const struct cell *cell, uint32_t depth, size_t *room, struct arena *arena,
                         struct cell *normal)
{
    bool map = cell->kind == VALUE_MAP;
    size_t step = map ? 2 : 1;
    size_t count = 0;
    if (depth > DYNAMODB_NESTING_MAX || (map && cell->length > SHORT_NAMES_MAX) ||
        cell->length * step * sizeof *cell > *room) {
        return false;
    }
    struct cell *items = arena_allocate_zeroed(arena, cell->length * step + 1, sizeof *items);
    for (size_t at = 0; at < cell->length; at++) {
        const struct cell *value = &cell->items[at * step + step - 1];
        const struct cell *key = &cell->items[at * step];
        if (map && !name_is_new(cell, at)) {
            return false;
        }
        if (map && value->kind == VALUE_MISSING) {
            continue;
        }
        if (map && !short_element(key, depth, room, arena, &items[count * step])) {
            return false;
        }
        if (!short_element(value, depth, room, arena, &items[count * step + step - 1])) {
            return false;
        }
        count++;
    }
    *normal = cell_items((enum value_kind)cell->kind, items, count);
    return true;
}

enum status dynamodb_item_normal_form(const struct cell *cell, struct arena *arena,
                                      struct cell *normal, struct error *error)
{
    size_t room = SHORT_BYTES_MAX;
    bool done = false;
    if (cell->kind == VALUE_MISSING) {
        *normal = cell_missing();
        done = true;
    } else if (cell->kind == VALUE_LIST || cell->kind == VALUE_MAP) {
        done = short_nested(cell, 1, &room, arena, normal);
    } else {
        done = short_scalar(cell, normal);
    }
    return done ? STATUS_OK : write_and_read(cell, arena, normal, error);
}
