/* JSON values to cells, as the column's type says. */
#include "connectors/jsonl/jsonl.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 64, SMALL_MAP = 16 };

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a JSON value");
}

enum status jsonl_next(struct jsonl_reading *reading, enum json_token *token, const char **begin,
                       struct error *error)
{
    const char *at = reading->json->position;
    while (at < reading->json->end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    *begin = at;
    return json_reader_next(reading->json, token, error);
}

/* ---------------------------------------------------------------- misfits */

static enum status misfit(const char *text, size_t length, const struct value_type *type,
                          struct error *error)
{
    char shown[SHOWN_BYTES];
    text_printable(text, length, shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_TYPE, NULL, "%s is no %s", shown,
                     value_kind_name(type->kind));
}

static bool is_strict(const struct value_type *type)
{
    return type != NULL && !type->dynamic;
}

/* A value that a run wrote had been given to it so, whatever the column said: it is not refused
 * now. */
static bool refuses_others(const struct jsonl_reading *reading, const struct value_type *type)
{
    return is_strict(type) && !reading->tags;
}

/* ---------------------------------------------------------------- numbers */

struct number {
    const char *text;
    size_t length;
    bool point;
    bool exponent;
};

static struct number look_at(const char *text, size_t length)
{
    struct number number = {text, length, false, false};
    for (size_t at = 0; at < length; at++) {
        number.point = number.point || text[at] == '.';
        number.exponent = number.exponent || text[at] == 'e' || text[at] == 'E';
    }
    return number;
}

static bool is_minus_zero(const struct number *number)
{
    size_t at = 1;
    while (at < number->length && (number->text[at] == '0' || number->text[at] == '.')) {
        at++;
    }
    return number->text[0] == '-' && at == number->length;
}

static enum status read_decimal(const struct number *number, struct arena *arena, struct cell *cell,
                                struct error *error)
{
    enum status status = decimal_parse(number->text, number->length, arena, cell);
    if (status == STATUS_END) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL,
                         "a number's exponent is out of all range");
    }
    return status == STATUS_OK ? STATUS_OK : no_memory(error);
}

/* Digits alone: the smallest kind that holds them. */
static enum status read_whole(const struct number *number, struct arena *arena, struct cell *cell,
                              struct error *error)
{
    int64_t whole = 0;
    uint64_t large = 0;
    if (text_to_int64(number->text, number->length, &whole) == STATUS_OK) {
        *cell = cell_int64(whole);
        return STATUS_OK;
    }
    if (text_to_uint64(number->text, number->length, &large) == STATUS_OK) {
        *cell = cell_uint64(large);
        return STATUS_OK;
    }
    return read_decimal(number, arena, cell, error);
}

/* A number with an exponent is a float, unless a float has not as many digits. */
static enum status read_exponent(const struct number *number, struct arena *arena,
                                 struct cell *cell, struct error *error)
{
    double value = 0.0;
    struct cell exact;
    struct cell nearest;
    if (number_to_double(number->text, number->length, &value) != STATUS_OK) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "a malformed number");
    }
    if (read_decimal(number, arena, &exact, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = exact;
    if (value - value != 0.0) {
        return STATUS_OK;
    }
    if (decimal_from_double(value, arena, &nearest) == STATUS_OK &&
        decimal_compare(&exact, &nearest) == 0) {
        *cell = cell_float64(value);
    }
    return STATUS_OK;
}

static enum status read_float(const struct number *number, const struct value_type *type,
                              struct cell *cell, struct error *error)
{
    double value = 0.0;
    if (number_to_double(number->text, number->length, &value) != STATUS_OK ||
        value - value != 0.0) {
        return error_set(error, ERROR_REJECT_NUMBER, NULL, "a number is too large for a float");
    }
    *cell = cell_float64(value);
    if (type->kind == VALUE_FLOAT32) {
        cell->kind = VALUE_FLOAT32;
        cell->f64 = (double)(float)value;
    }
    return STATUS_OK;
}

static enum status fit_decimal(const struct number *number, const struct value_type *type,
                               struct cell *cell, struct error *error)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    if (type->precision == 0) {
        return STATUS_OK;
    }
    uint32_t scale = decimal_scale(cell);
    bool fits = decimal_measure(cell, &digits, &exponent) &&
                (digits == 0 || exponent < type->precision - type->scale);
    if (fits && scale > (uint32_t)type->scale) {
        /* zeros beyond the scale are no digits */
        fits = digits == 0 || digits - 1 - exponent <= type->scale;
    }
    return fits ? STATUS_OK : misfit(number->text, number->length, type, error);
}

static enum status read_number(struct jsonl_reading *reading, const struct value_type *type,
                               struct cell *cell, struct error *error)
{
    struct number number = look_at(reading->json->text, reading->json->length);
    enum value_kind kind = type != NULL ? type->kind : VALUE_MISSING;
    bool strict = is_strict(type);
    /* only a float keeps its sign */
    number.exponent = number.exponent || (!strict && number.point && is_minus_zero(&number));
    bool whole = !number.point && !number.exponent;
    enum status status = STATUS_OK;
    if ((kind == VALUE_FLOAT64 || kind == VALUE_FLOAT32) &&
        (refuses_others(reading, type) || !whole)) {
        return read_float(&number, type, cell, error);
    }
    if (kind == VALUE_DECIMAL && (strict || number.point) && (strict || !number.exponent)) {
        status = read_decimal(&number, reading->arena, cell, error);
        return status == STATUS_OK && refuses_others(reading, type)
                   ? fit_decimal(&number, type, cell, error)
                   : status;
    }
    int64_t small = 0;
    if (kind == VALUE_DECIMAL && whole &&
        text_to_int64(number.text, number.length, &small) != STATUS_OK) {
        return read_decimal(&number, reading->arena, cell, error);
    }
    status = whole             ? read_whole(&number, reading->arena, cell, error)
             : number.exponent ? read_exponent(&number, reading->arena, cell, error)
                               : read_decimal(&number, reading->arena, cell, error);
    if (status != STATUS_OK || !strict) {
        return status;
    }
    if (kind == VALUE_UINT64 && cell->kind == VALUE_INT64 && cell->i64 >= 0) {
        *cell = cell_uint64(cell->u64);
    }
    return cell->kind == kind || !refuses_others(reading, type)
               ? STATUS_OK
               : misfit(number.text, number.length, type, error);
}

/* ---------------------------------------------------------------- strings */

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* NaN and infinities of a float or decimal column. */
static enum status read_word(const char *text, size_t length, enum value_kind kind,
                             struct arena *arena, struct cell *cell)
{
    double value = 0.0;
    if (!is_word(text, length, "NaN") && !is_word(text, length, "Infinity") &&
        !is_word(text, length, "-Infinity")) {
        return STATUS_END;
    }
    if (kind == VALUE_DECIMAL) {
        return decimal_parse(text, length, arena, cell);
    }
    if (number_to_double(text, length, &value) != STATUS_OK) {
        return STATUS_END;
    }
    *cell = cell_float64(value);
    cell->kind = (uint8_t)kind;
    return STATUS_OK;
}

static enum status read_base64(const char *text, size_t length, struct arena *arena,
                               struct cell *cell)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    struct error why;
    if (json_decode_base64(text, length, arena, &bytes, &count, &why) != STATUS_OK) {
        return why.code == ERROR_MEMORY ? STATUS_FAILED : STATUS_END;
    }
    *cell = cell_bytes(bytes, count);
    return STATUS_OK;
}

/* A text as a value of the kind. STATUS_END: it is none of that kind; STATUS_FAILED: no memory. */
static enum status text_as(const char *text, size_t length, enum value_kind kind,
                           struct arena *arena, struct cell *cell)
{
    switch (kind) {
    case VALUE_BYTES:
        return read_base64(text, length, arena, cell);
    case VALUE_DATE:
        return time_parse_date(text, length, cell);
    case VALUE_TIME:
        return time_parse_time(text, length, cell);
    case VALUE_TIMESTAMP:
        return time_parse_timestamp(text, length, cell);
    case VALUE_INTERVAL:
        return time_parse_interval(text, length, arena, cell);
    case VALUE_UUID:
        return convert_read_uuid(text, length, arena, cell) ? STATUS_OK : STATUS_END;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return read_word(text, length, kind, arena, cell);
    default:
        *cell = cell_text(text, length);
        return kind == VALUE_TEXT || kind == VALUE_MISSING ? STATUS_OK : STATUS_END;
    }
}

static enum status read_string(struct jsonl_reading *reading, const struct value_type *type,
                               struct cell *cell, struct error *error)
{
    const char *text = reading->json->text;
    size_t length = reading->json->length;
    enum value_kind kind = type != NULL ? type->kind : VALUE_MISSING;
    enum status status = text_as(text, length, kind, reading->arena, cell);
    if (status != STATUS_END) {
        return status == STATUS_OK ? STATUS_OK : no_memory(error);
    }
    *cell = cell_text(text, length);
    return refuses_others(reading, type) ? misfit(text, length, type, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- lists and objects */

/* Cells that grow in an arena. */
struct cells {
    struct cell *items;
    uint32_t count;
    uint32_t capacity;
};

static struct cell *add_cell(struct cells *cells, struct arena *arena)
{
    if (cells->count == cells->capacity) {
        uint32_t capacity = cells->capacity == 0 ? 8 : cells->capacity * 2;
        struct cell *grown = capacity > cells->capacity
                                 ? arena_try_allocate(arena, (size_t)capacity * sizeof(*grown))
                                 : NULL;
        if (grown == NULL) {
            return NULL;
        }
        if (cells->count > 0) {
            memcpy(grown, cells->items, cells->count * sizeof(*grown));
        }
        cells->items = grown;
        cells->capacity = capacity;
    }
    return &cells->items[cells->count++];
}

/* The items that follow the bracket, up to the one that closes it. */
static enum status read_items(struct jsonl_reading *reading, enum value_kind kind,
                              struct cell *cell, struct error *error)
{
    struct cells cells = {0};
    for (;;) {
        enum json_token token = JSON_TOKEN_END;
        const char *begin = NULL;
        if (jsonl_next(reading, &token, &begin, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token == JSON_TOKEN_ARRAY_END) {
            *cell = cell_items(kind, cells.items, cells.count);
            return STATUS_OK;
        }
        struct cell item;
        if (jsonl_read_value(reading, token, begin, NULL, &item, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        struct cell *place = add_cell(&cells, reading->arena);
        if (place == NULL) {
            return no_memory(error);
        }
        *place = item;
    }
}

static int compare_keys(const void *left, const void *right)
{
    const struct cell *one = (const struct cell *)left;
    const struct cell *two = (const struct cell *)right;
    size_t common = one->length < two->length ? one->length : two->length;
    int order = memcmp(one->text, two->text, common);
    return order != 0 ? order : (one->length > two->length) - (one->length < two->length);
}

/* The pairs' keys are texts. */
static enum status check_unique(const struct cell *pairs, uint32_t count, struct arena *arena,
                                struct error *error)
{
    const struct cell *twice = NULL;
    if (count <= SMALL_MAP) {
        for (uint32_t at = 1; at < count && twice == NULL; at++) {
            for (uint32_t before = 0; before < at; before++) {
                if (compare_keys(&pairs[2 * (size_t)before], &pairs[2 * (size_t)at]) == 0) {
                    twice = &pairs[2 * (size_t)at];
                }
            }
        }
    } else {
        struct cell *keys = arena_try_allocate(arena, count * sizeof(*keys));
        if (keys == NULL) {
            return no_memory(error);
        }
        for (uint32_t at = 0; at < count; at++) {
            keys[at] = pairs[2 * (size_t)at];
        }
        qsort(keys, count, sizeof(*keys), compare_keys);
        for (uint32_t at = 1; at < count && twice == NULL; at++) {
            twice = compare_keys(&keys[at - 1], &keys[at]) == 0 ? &keys[at] : NULL;
        }
    }
    if (twice == NULL) {
        return STATUS_OK;
    }
    char shown[SHOWN_BYTES];
    text_printable(twice->text, twice->length, shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the key \"%s\" is there twice", shown);
}

/* The rest of an object whose first key was just read; JSON_TOKEN_OBJECT_END: it is empty. */
static enum status read_members(struct jsonl_reading *reading, enum json_token token,
                                const struct schema_column *columns, uint32_t column_count,
                                struct cell *map, struct error *error)
{
    struct cells cells = {0};
    uint32_t guess = 0;
    while (token == JSON_TOKEN_KEY) {
        const struct value_type *type = NULL;
        const char *begin = NULL;
        struct cell pair[2];
        pair[0] = cell_text(reading->json->text, reading->json->length);
        pair[1] = cell_null();
        /* from the last one on: columns that come in order are found at once */
        for (uint32_t tried = 0; tried < column_count && type == NULL; tried++) {
            uint32_t at = (guess + tried) % column_count;
            if (is_word(pair[0].text, pair[0].length, columns[at].name)) {
                type = &columns[at].type;
                guess = at + 1;
            }
        }
        if (jsonl_next(reading, &token, &begin, error) != STATUS_OK ||
            jsonl_read_value(reading, token, begin, type, &pair[1], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        for (int at = 0; at < 2; at++) {
            struct cell *place = add_cell(&cells, reading->arena);
            if (place == NULL) {
                return no_memory(error);
            }
            *place = pair[at];
        }
        if (jsonl_next(reading, &token, &begin, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *map = cell_items(VALUE_MAP, cells.items, cells.count / 2);
    return check_unique(cells.items, cells.count / 2, reading->arena, error);
}

/* ---------------------------------------------------------------- tags */

static enum status bad_tag(const char *tag, struct error *error)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "{\"%s\": …} is not as it should be",
                     tag);
}

static enum status read_map_tag(struct jsonl_reading *reading, const struct cell *list,
                                struct cell *cell, struct error *error)
{
    struct cell *pairs =
        arena_try_allocate(reading->arena, (2 * (size_t)list->length + 1) * sizeof(*pairs));
    if (pairs == NULL) {
        return no_memory(error);
    }
    for (uint32_t at = 0; at < list->length; at++) {
        const struct cell *pair = &list->items[at];
        if (pair->kind != VALUE_LIST || pair->length != 2) {
            return bad_tag("$map", error);
        }
        pairs[2 * (size_t)at] = pair->items[0];
        pairs[2 * (size_t)at + 1] = pair->items[1];
    }
    *cell = cell_items(VALUE_MAP, pairs, list->length);
    return STATUS_OK;
}

/* The status of a text that was read as its tag says. */
static enum status as_tagged(enum status status, const char *tag, struct error *error)
{
    return status == STATUS_OK    ? STATUS_OK
           : status == STATUS_END ? bad_tag(tag, error)
                                  : no_memory(error);
}

static enum status read_text_tag(struct jsonl_reading *reading, const char *tag, struct cell *cell,
                                 struct error *error)
{
    static const struct {
        const char *tag;
        enum value_kind kind;
    } kinds[] = {{"$bytes", VALUE_BYTES},       {"$date", VALUE_DATE},
                 {"$time", VALUE_TIME},         {"$timestamp", VALUE_TIMESTAMP},
                 {"$interval", VALUE_INTERVAL}, {"$uuid", VALUE_UUID},
                 {"$text", VALUE_TEXT}};
    const char *text = reading->json->text;
    size_t length = reading->json->length;
    if (strcmp(tag, "$json") == 0) {
        *cell = cell_text(text, length);
        cell->kind = VALUE_JSON;
        return STATUS_OK;
    }
    if (strcmp(tag, "$float64") == 0) {
        double value = 0.0;
        bool read = number_to_double(text, length, &value) == STATUS_OK;
        *cell = cell_float64(value);
        return read ? STATUS_OK : bad_tag(tag, error);
    }
    if (strcmp(tag, "$decimal") == 0) {
        return as_tagged(decimal_parse(text, length, reading->arena, cell), tag, error);
    }
    for (size_t at = 0; at < sizeof(kinds) / sizeof(*kinds); at++) {
        if (strcmp(tag, kinds[at].tag) == 0) {
            return as_tagged(text_as(text, length, kinds[at].kind, reading->arena, cell), tag,
                             error);
        }
    }
    return bad_tag(tag, error);
}

/* {"$tag": value}, whose key was just read. */
static enum status read_tag(struct jsonl_reading *reading, struct cell *cell, struct error *error)
{
    char tag[16];
    enum json_token token = JSON_TOKEN_END;
    const char *begin = NULL;
    size_t length =
        reading->json->length < sizeof(tag) - 1 ? reading->json->length : sizeof(tag) - 1;
    memcpy(tag, reading->json->text, length);
    tag[length] = '\0';
    if (jsonl_next(reading, &token, &begin, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    bool map = strcmp(tag, "$map") == 0;
    if (map || strcmp(tag, "$list") == 0 || strcmp(tag, "$set") == 0) {
        struct cell list;
        status = token == JSON_TOKEN_ARRAY_BEGIN
                     ? read_items(reading, tag[1] == 's' ? VALUE_SET : VALUE_LIST, &list, error)
                     : bad_tag(tag, error);
        if (status == STATUS_OK && map) {
            status = read_map_tag(reading, &list, cell, error);
        } else {
            *cell = list;
        }
    } else if (strcmp(tag, "$value") == 0) {
        status = jsonl_read_value(reading, token, begin, NULL, cell, error);
    } else {
        status = token == JSON_TOKEN_STRING ? read_text_tag(reading, tag, cell, error)
                                            : bad_tag(tag, error);
    }
    status = status == STATUS_OK ? jsonl_next(reading, &token, &begin, error) : status;
    return status == STATUS_OK && token != JSON_TOKEN_OBJECT_END ? bad_tag(tag, error) : status;
}

static enum status read_object(struct jsonl_reading *reading, struct cell *cell,
                               struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    const char *begin = NULL;
    if (jsonl_next(reading, &token, &begin, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reading->tags && token == JSON_TOKEN_KEY && reading->json->length > 0 &&
        reading->json->text[0] == '$') {
        return read_tag(reading, cell, error);
    }
    return read_members(reading, token, NULL, 0, cell, error);
}

/* ---------------------------------------------------------------- values */

/* A column of JSON texts keeps what stands there. */
static enum status read_raw(struct jsonl_reading *reading, enum json_token token, const char *begin,
                            struct cell *cell, struct error *error)
{
    if (token == JSON_TOKEN_OBJECT_BEGIN && reading->tags) {
        struct json_reader ahead = *reading->json;
        struct error ignored;
        if (json_reader_next(&ahead, &token, &ignored) == STATUS_OK && token == JSON_TOKEN_KEY &&
            ahead.length > 0 && ahead.text[0] == '$') {
            return read_object(reading, cell, error);
        }
        token = JSON_TOKEN_OBJECT_BEGIN;
    }
    if (json_reader_skip(reading->json, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *end = reading->json->position;
    *cell = cell_text(begin, (size_t)(end - begin));
    cell->kind = VALUE_JSON;
    return STATUS_OK;
}

enum status jsonl_read_value(struct jsonl_reading *reading, enum json_token token,
                             const char *begin, const struct value_type *type, struct cell *cell,
                             struct error *error)
{
    enum status status = STATUS_OK;
    if (token == JSON_TOKEN_NULL) {
        *cell = cell_null();
        return STATUS_OK;
    }
    if (type != NULL && type->kind == VALUE_JSON) {
        return read_raw(reading, token, begin, cell, error);
    }
    switch (token) {
    case JSON_TOKEN_NUMBER:
        return read_number(reading, type, cell, error);
    case JSON_TOKEN_STRING:
        return read_string(reading, type, cell, error);
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        *cell = cell_bool(token == JSON_TOKEN_TRUE);
        break;
    case JSON_TOKEN_ARRAY_BEGIN:
        status = read_items(
            reading, type != NULL && type->kind == VALUE_SET ? VALUE_SET : VALUE_LIST, cell, error);
        break;
    case JSON_TOKEN_OBJECT_BEGIN:
        status = read_object(reading, cell, error);
        break;
    default:
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "a value is missing");
    }
    if (status == STATUS_OK && type != NULL && refuses_others(reading, type) &&
        cell->kind != type->kind) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "a %s is no %s",
                         value_kind_name((enum value_kind)cell->kind), value_kind_name(type->kind));
    }
    return status;
}

enum status jsonl_read_document(const char *line, size_t length, bool tags,
                                const struct schema_column *columns, uint32_t column_count,
                                struct arena *arena, struct cell *map, struct error *error)
{
    struct json_reader json;
    struct jsonl_reading reading = {.json = &json, .arena = arena, .tags = tags};
    enum json_token token = JSON_TOKEN_END;
    const char *begin = NULL;
    json_reader_init(&json, line, length, JSON_DEPTH_MAX, arena);
    if (jsonl_next(&reading, &token, &begin, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token != JSON_TOKEN_OBJECT_BEGIN) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "it is no JSON object");
    }
    if (jsonl_next(&reading, &token, &begin, error) != STATUS_OK ||
        read_members(&reading, token, columns, column_count, map, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return json_reader_next(&json, &token, error); /* only blanks may follow */
}
