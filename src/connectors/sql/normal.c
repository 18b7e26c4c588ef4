/*
 * The normal form: what a value is once it was written, whatever its column's type. A column of
 * texts keeps a number as its digits and a date as its ISO text; a column of numbers gives digits
 * back without the zeros behind them. So numbers of all kinds are one, texts that are exactly a
 * number's digits are that number, and what is neither is text, but for bytes that are none.
 */
#include "connectors/sql/normal.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
}

/* ---------------------------------------------------------------- numbers */

static const char *special_name(double value)
{
    return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

static double special_value(char special)
{
    return special == 'N' ? (double)NAN : special == '+' ? (double)INFINITY : -(double)INFINITY;
}

/* Whole numbers as int64 where they fit, others without zeros at the end. */
static enum status normal_decimal(const struct cell *cell, struct arena *arena, struct cell *normal,
                                  struct error *error)
{
    struct cell number = *cell;
    int64_t whole = 0;
    char special = decimal_special(cell);

    if (special != 0) {
        *normal = cell_float64(special_value(special));
        return STATUS_OK;
    }
    if ((cell->flags & CELL_SMALL) != 0) {
        number = decimal_small_normal(cell);
        *normal = number.aux == 0 ? cell_int64(number.i64) : number;
        return STATUS_OK;
    }
    struct buffer digits = {0};
    decimal_append_normal(cell, &digits);
    enum status status = decimal_parse(digits.data, digits.length, arena, &number) == STATUS_OK
                             ? STATUS_OK
                             : no_memory(error);
    buffer_free(&digits);
    *normal = number;
    if (status == STATUS_OK && decimal_to_int64(&number, &whole) == STATUS_OK) {
        *normal = cell_int64(whole);
    }
    return status;
}

static enum status normal_float(double value, struct arena *arena, struct cell *normal,
                                struct error *error)
{
    struct cell digits;
    if (!isfinite(value) || (value == 0 && signbit(value))) {
        *normal = cell_float64(isnan(value) ? (double)NAN : value);
        return STATUS_OK;
    }
    return decimal_from_double(value, arena, &digits) == STATUS_OK
               ? normal_decimal(&digits, arena, normal, error)
               : no_memory(error);
}

/* ---------------------------------------------------------------- JSON */

struct pair {
    struct cell key;
    struct cell value;
    uint32_t place;
};

/* As jsonb orders them: shorter ones first, then by bytes; equal ones as they come. */
static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left;
    const struct pair *b = right;
    if (a->key.length != b->key.length) {
        return a->key.length < b->key.length ? -1 : 1;
    }
    int order = memcmp(a->key.text, b->key.text, a->key.length);
    return order != 0 ? order : a->place < b->place ? -1 : 1;
}

static void sort_json(struct cell *cell, enum sql_json_told told, struct arena *arena);

/* The last of equal keys counts, or all of them do. */
static void sort_map(struct cell *cell, enum sql_json_told told, struct arena *arena)
{
    uint32_t count = cell->length;
    struct pair *pairs = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *pairs);
    struct cell *items = arena_allocate_zeroed(arena, 2 * (size_t)count + 1, sizeof *items);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (struct pair){cell->items[2 * (size_t)i], cell->items[2 * (size_t)i + 1], i};
    }
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (uint32_t i = 0; i < count; i++) {
        bool again = told != SQL_JSON_REPEATS && i + 1 < count &&
                     pairs[i].key.length == pairs[i + 1].key.length &&
                     memcmp(pairs[i].key.text, pairs[i + 1].key.text, pairs[i].key.length) == 0;
        if (again) {
            continue;
        }
        items[2 * (size_t)kept] = pairs[i].key;
        items[2 * (size_t)kept + 1] = pairs[i].value;
        sort_json(&items[2 * (size_t)kept + 1], told, arena);
        kept++;
    }
    *cell = cell_items(VALUE_MAP, items, kept);
}

/* As the same number whatever its digits are, and no whole one: 1.10 is 1.1, and 1e2 is 100.0. */
static void settle_number(struct cell *cell, struct arena *arena)
{
    struct buffer digits = {0};
    decimal_append_normal(cell, &digits);
    if (strchr(buffer_string(&digits), '.') == NULL) {
        buffer_append_string(&digits, ".0");
    }
    const char *text = arena_copy(arena, digits.data, digits.length);
    *cell = (struct cell){.kind = VALUE_JSON, .length = (uint32_t)digits.length, .text = text};
    buffer_free(&digits);
}

/* The depth is bounded by convert_read_json. */
static void sort_json(struct cell *cell, enum sql_json_told told, struct arena *arena)
{
    if (cell->kind == VALUE_DECIMAL && told == SQL_JSON_NUMBERS) {
        settle_number(cell, arena);
    } else if (cell->kind == VALUE_MAP) {
        sort_map(cell, told, arena);
    }
    if (cell->kind != VALUE_LIST) {
        return;
    }
    struct cell *items = arena_allocate_zeroed(arena, (size_t)cell->length + 1, sizeof *items);
    for (uint32_t i = 0; i < cell->length; i++) {
        items[i] = cell->items[i];
        sort_json(&items[i], told, arena);
    }
    *cell = cell_items(VALUE_LIST, items, cell->length);
}

enum status sql_append_canonical_json(const char *text, size_t length, enum sql_json_told told,
                                      struct buffer *out, struct error *error)
{
    struct arena *arena = arena_create(4096);
    struct cell read;
    struct error why = {0};
    enum status status = STATUS_OK;

    if (convert_read_json(text, length, arena, &read, &why) == STATUS_OK) {
        sort_json(&read, told, arena);
        status = convert_append_json(&read, out, error);
    } else if (why.code == ERROR_MEMORY) {
        status = no_memory(error);
    } else {
        buffer_append(out, text, length);
    }
    arena_destroy(arena);
    return status;
}

static enum status append_json(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct buffer written = {0};
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_JSON) {
        return sql_append_canonical_json(cell->text, cell->length, SQL_JSON_VALUES, out, error);
    }
    status = convert_append_json(cell, &written, error);
    if (status == STATUS_OK) {
        status =
            sql_append_canonical_json(written.data, written.length, SQL_JSON_VALUES, out, error);
    }
    buffer_free(&written);
    return status;
}

/* ---------------------------------------------------------------- texts */

static enum status append_number(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct arena *arena = arena_create(4096);
    struct cell normal;
    enum status status = cell->kind == VALUE_DECIMAL
                             ? normal_decimal(cell, arena, &normal, error)
                             : normal_float(cell->f64, arena, &normal, error);
    if (status == STATUS_OK && normal.kind == VALUE_INT64) {
        buffer_append_int64(out, normal.i64);
    } else if (status == STATUS_OK && normal.kind == VALUE_DECIMAL) {
        decimal_append(&normal, out);
    } else if (status == STATUS_OK) {
        buffer_append_string(out, normal.f64 == 0 ? "-0" : special_name(normal.f64));
    }
    arena_destroy(arena);
    return status;
}

static void append_time(const struct sql_rules *rules, const struct cell *cell, struct buffer *out)
{
    struct cell plain = *cell;
    if (rules->zone_dropped && cell->kind == VALUE_TIMESTAMP) {
        plain.flags &= (uint8_t)~CELL_ZONED;
    }
    time_append(&plain, out);
}

enum status sql_append_value_text(const struct sql_rules *rules, const struct cell *cell,
                                  struct buffer *out, struct error *error)
{
    static const char *const truths[2][2] = {{"false", "true"}, {"0", "1"}};
    switch ((enum value_kind)cell->kind) {
    case VALUE_BOOL:
        buffer_append_string(out, truths[rules->truth_is_number][cell->i64 != 0]);
        return STATUS_OK;
    case VALUE_INT64:
        buffer_append_int64(out, cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        buffer_append_uint64(out, cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return append_number(cell, out, error);
    case VALUE_TEXT:
        buffer_append(out, cell->text, cell->length);
        return STATUS_OK;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        append_time(rules, cell, out);
        return STATUS_OK;
    case VALUE_UUID:
        value_append_uuid(out, cell->bytes);
        return STATUS_OK;
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return append_json(cell, out, error);
    default:
        return error_set(error, ERROR_REJECT_TYPE, NULL, "a value of kind %s is no text",
                         value_kind_name(cell->kind));
    }
}

enum status sql_append_column_text(const struct sql_rules *rules, const struct cell *cell,
                                   struct buffer *out, struct error *error)
{
    bool bytes = cell->kind == VALUE_BYTES;
    if (bytes && !text_is_utf8(cell->bytes, cell->length)) {
        error_set(error, ERROR_REJECT_TEXT, NULL, "these bytes are no text: they are not UTF-8");
        return error_hint(error, "give the column a type of bytes");
    }
    if (bytes || cell->kind == VALUE_JSON) {
        buffer_append(out, cell->text, cell->length);
        return STATUS_OK;
    }
    return sql_append_value_text(rules, cell, out, error);
}

static bool is_text(const struct cell *cell, const char *word)
{
    return cell->length == strlen(word) && memcmp(cell->text, word, cell->length) == 0;
}

/* Digits, with one point between them: no other text is what a finite number is written as. */
static bool is_plain_number(const struct cell *cell)
{
    const char *end = cell->text + cell->length;
    const char *point = NULL;
    const char *first = cell->text + (cell->length > 0 && cell->text[0] == '-');
    for (const char *at = first; at < end; at++) {
        bool is_digit = *at >= '0' && *at <= '9';
        bool is_point = *at == '.' && point == NULL && at > first && at + 1 < end;
        if (!is_digit && !is_point) {
            return false;
        }
        point = is_point ? at : point;
    }
    return first < end;
}

struct renamed_large {
    struct large_value base;
    struct large_value *from;
};

static enum status renamed_read(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                                struct error *error)
{
    struct large_value *from = ((struct renamed_large *)self)->from;
    return from->read(from, offset, bytes, size, error);
}

/* The handle of a text as one of bytes; the batch of the original still owns that. */
static struct cell large_as_bytes(const struct cell *cell, struct arena *arena)
{
    if (cell->large->kind == VALUE_BYTES) {
        return *cell;
    }
    struct renamed_large *renamed = arena_allocate_zeroed(arena, 1, sizeof *renamed);
    renamed->base = (struct large_value){
        .kind = VALUE_BYTES, .length = cell->large->length, .read = renamed_read};
    renamed->from = cell->large;
    return (struct cell){.kind = VALUE_LARGE, .large = &renamed->base};
}

/* One side may hand a long value over in slices and the other whole, and only the whole tells
 * whether bytes are a text: so a long text counts as its bytes. */
static void long_text_as_bytes(struct cell *normal)
{
    if (normal->kind == VALUE_TEXT && normal->length > SQL_LONG_BYTES) {
        *normal = cell_bytes(normal->bytes, normal->length);
    }
}

/* A text that is exactly what a number or a truth value would be written as is that. */
static enum status normal_text(const struct sql_rules *rules, const struct cell *cell,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    static const char *const specials[] = {"NaN", "Infinity", "-Infinity", "-0"};
    static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -0.0};
    struct cell number;
    struct buffer digits = {0};
    char first = cell->length > 0 ? cell->text[0] : 0;

    *normal = cell_text(cell->text, cell->length);
    if (cell->length > SQL_LONG_BYTES) {
        long_text_as_bytes(normal);
        return STATUS_OK;
    }
    if ((first < '0' || first > '9') && strchr("-NItf", first) == NULL) {
        return STATUS_OK;
    }
    if (!rules->truth_is_number && (is_text(cell, "true") || is_text(cell, "false"))) {
        *normal = cell_bool(first == 't');
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        if (is_text(cell, specials[i])) {
            *normal = cell_float64(values[i]);
            return STATUS_OK;
        }
    }
    if (!is_plain_number(cell)) {
        return STATUS_OK;
    }
    if (decimal_parse(cell->text, cell->length, arena, &number) != STATUS_OK) {
        return no_memory(error);
    }
    decimal_append_normal(&number, &digits);
    bool exactly =
        digits.length == cell->length && memcmp(digits.data, cell->text, cell->length) == 0;
    buffer_free(&digits);
    return exactly ? normal_decimal(&number, arena, normal, error) : STATUS_OK;
}

static enum status normal_form(const struct sql_rules *rules, const struct cell *cell,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_BOOL:
        *normal = rules->truth_is_number ? cell_int64(cell->i64) : *cell;
        return STATUS_OK;
    case VALUE_BYTES:
        if (cell->length <= SQL_LONG_BYTES && text_is_utf8(cell->bytes, cell->length)) {
            return normal_text(
                rules,
                &(struct cell){.kind = VALUE_TEXT, .length = cell->length, .text = cell->text},
                arena, normal, error);
        }
        *normal = *cell;
        return STATUS_OK;
    case VALUE_LARGE:
        *normal = large_as_bytes(cell, arena);
        return STATUS_OK;
    case VALUE_INT64:
        *normal = *cell;
        return STATUS_OK;
    case VALUE_UINT64:
        if (cell->u64 <= INT64_MAX) {
            *normal = cell_int64((int64_t)cell->u64);
            return STATUS_OK;
        }
        break;
    case VALUE_DECIMAL:
        return normal_decimal(cell, arena, normal, error);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return normal_float(cell->f64, arena, normal, error);
    case VALUE_TEXT:
        return normal_text(rules, cell, arena, normal, error);
    default:
        break;
    }
    enum status status = sql_append_value_text(rules, cell, &text, error);
    if (status == STATUS_OK) {
        struct cell made = cell_text(arena_copy(arena, text.data, text.length), text.length);
        status = normal_text(rules, &made, arena, normal, error);
    }
    buffer_free(&text);
    return status;
}

enum status sql_normal_form(const struct sql_rules *rules, const struct cell *cell,
                            struct arena *arena, struct cell *normal, struct error *error)
{
    enum status status = normal_form(rules, cell, arena, normal, error);
    if (status == STATUS_OK && rules->zero_unsigned && normal->kind == VALUE_FLOAT64 &&
        normal->f64 == 0) {
        *normal = cell_int64(0);
    }
    return status;
}

/* ---------------------------------------------------------------- in columns of texts and of JSON
 */

static void keep_text(const struct buffer *text, bool padded, struct arena *arena,
                      struct cell *normal)
{
    size_t length = text->length;
    while (padded && length > 0 && text->data[length - 1] == ' ') {
        length--;
    }
    *normal = cell_text(arena_copy(arena, text->data, length), length);
}

enum status sql_text_in_column(const struct sql_rules *rules, const struct cell *cell, bool padded,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    if (cell->kind == VALUE_LARGE) {
        *normal = large_as_bytes(cell, arena);
        return STATUS_OK;
    }
    if (cell->kind == VALUE_TEXT && !padded) {
        *normal = cell_text(cell->text, cell->length);
        long_text_as_bytes(normal);
        return STATUS_OK;
    }
    enum status status = sql_append_column_text(rules, cell, &text, error);
    if (status == STATUS_OK) {
        keep_text(&text, padded, arena, normal);
        long_text_as_bytes(normal);
    }
    buffer_free(&text);
    return status;
}

enum status sql_address_in_column(struct cell *text, struct arena *arena, struct error *error)
{
    (void)error;
    unsigned char address[sizeof(struct in6_addr)];
    char words[INET6_ADDRSTRLEN + 1];
    const char *slash = memchr(text->text, '/', text->length);
    size_t length = slash != NULL ? (size_t)(slash - text->text) : text->length;
    if (length >= sizeof words) {
        return STATUS_OK;
    }
    memcpy(words, text->text, length);
    words[length] = '\0';
    int family = strchr(words, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, words, address) != 1 ||
        inet_ntop(family, address, words, sizeof words) == NULL) {
        return STATUS_OK;
    }
    const char *whole = family == AF_INET6 ? "/128" : "/32";
    size_t mask_length = text->length - length;
    bool single = mask_length == strlen(whole) && memcmp(slash, whole, mask_length) == 0;
    const char *made = arena_format(arena, "%s%.*s", words, single ? 0 : (int)mask_length,
                                    slash != NULL ? slash : "");
    *text = cell_text(made, strlen(made));
    return STATUS_OK;
}

enum status sql_json_in_column(const struct cell *cell, enum sql_json_told told,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    struct buffer canonical = {0};
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_JSON) {
        buffer_append(&text, cell->text, cell->length);
    } else {
        status = convert_append_json(cell, &text, error);
    }
    if (status == STATUS_OK && told != SQL_JSON_BYTES) {
        status =
            sql_append_canonical_json(buffer_string(&text), text.length, told, &canonical, error);
    }
    if (status == STATUS_OK) {
        keep_text(told == SQL_JSON_BYTES ? &text : &canonical, false, arena, normal);
        long_text_as_bytes(normal);
    }
    buffer_free(&text);
    buffer_free(&canonical);
    return status;
}

enum status sql_json_of_normal(const struct cell *normal, struct arena *scratch, struct cell *value,
                               struct error *error)
{
    struct cell read;
    struct error why = {0};
    *value = *normal;
    bool is_long = normal->kind == VALUE_BYTES && normal->length > SQL_LONG_BYTES;
    if (normal->kind != VALUE_TEXT && !is_long) {
        return STATUS_OK;
    }
    if (convert_read_json(normal->text, normal->length, scratch, &read, &why) == STATUS_OK) {
        value->kind = VALUE_JSON;
    } else if (why.class != ERROR_CLASS_REJECT) {
        *error = why;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}
