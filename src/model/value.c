/* Values: names of kinds, equality, deep copies, sizes, and a print for people. */
#include "model/value.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[VALUE_KIND_COUNT] = {
    "missing", "null", "bool",  "int64", "uint64", "float32",   "float64",
    "decimal", "text", "bytes", "date",  "time",   "timestamp", "interval",
    "uuid",    "json", "list",  "set",   "map",    "large",     "escape"};

const char *value_kind_name(enum value_kind kind)
{
    return (unsigned)kind < VALUE_KIND_COUNT ? kind_names[kind] : "unknown";
}

enum value_kind value_kind_by_name(const char *name)
{
    unsigned kind = 0;
    while (kind < VALUE_KIND_COUNT && strcmp(kind_names[kind], name) != 0) {
        kind++;
    }
    return (enum value_kind)kind;
}

/* --- order and equality: a total order within which only equal values compare as 0 --- */

static int compare_unsigned(uint64_t left, uint64_t right)
{
    return left < right ? -1 : left > right;
}

static int compare_signed(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

static int compare_bytes(const void *left, size_t left_length, const void *right,
                         size_t right_length)
{
    size_t shorter = left_length < right_length ? left_length : right_length;
    int order = shorter == 0 ? 0 : memcmp(left, right, shorter);
    return order != 0 ? order : compare_unsigned(left_length, right_length);
}

/* NaNs are one; -0.0 and 0.0 are not. */
static int compare_doubles(double left, double right)
{
    uint64_t left_bits;
    uint64_t right_bits;
    memcpy(&left_bits, &left, sizeof(left_bits));
    memcpy(&right_bits, &right, sizeof(right_bits));
    return left != left && right != right ? 0 : compare_unsigned(left_bits, right_bits);
}

/* The two forms of one decimal are equal; 1.0 and 1.00 are not. */
static int compare_decimals(const struct cell *left, const struct cell *right)
{
    int order = decimal_compare(left, right);
    return order != 0 ? order : compare_signed(decimal_scale(left), decimal_scale(right));
}

static int compare_intervals(const struct value_interval *left, const struct value_interval *right)
{
    int order = compare_signed(left->months, right->months);
    order = order != 0 ? order : compare_signed(left->days, right->days);
    return order != 0 ? order : compare_signed(left->nanoseconds, right->nanoseconds);
}

static int compare_values(const struct cell *left, const struct cell *right);

static int compare_runs(const struct cell *left, const struct cell *right, size_t count)
{
    int order = 0;
    for (size_t i = 0; i < count && order == 0; i++) {
        order = compare_values(&left[i], &right[i]);
    }
    return order;
}

/* One item of a set, by address. */
struct member {
    const struct cell *cell;
};

static int compare_members(const void *left, const void *right)
{
    return compare_values(((const struct member *)left)->cell,
                          ((const struct member *)right)->cell);
}

/* The elements' addresses in order. */
static struct member *sort_items(const struct cell *items, size_t count)
{
    struct member *sorted = memory_allocate_zeroed(count, sizeof(*sorted));
    for (size_t i = 0; i < count; i++) {
        sorted[i].cell = &items[i];
    }
    qsort(sorted, count, sizeof(*sorted), compare_members);
    return sorted;
}

static int compare_sets(const struct cell *left, const struct cell *right)
{
    size_t count = left->length;
    if (compare_runs(left->items, right->items, count) == 0) {
        return 0;
    }
    int order = 0;
    struct member *left_sorted = sort_items(left->items, count);
    struct member *right_sorted = sort_items(right->items, count);
    for (size_t i = 0; i < count && order == 0; i++) {
        order = compare_values(left_sorted[i].cell, right_sorted[i].cell);
    }
    free(left_sorted);
    free(right_sorted);
    return order;
}

static int compare_nested(const struct cell *left, const struct cell *right)
{
    int order = compare_unsigned(left->length, right->length);
    if (order != 0 || left->length == 0) {
        return order;
    }
    if (left->kind == VALUE_SET) {
        return compare_sets(left, right);
    }
    size_t count = left->kind == VALUE_MAP ? 2 * (size_t)left->length : left->length;
    return compare_runs(left->items, right->items, count);
}

/* A time that is infinite, or zero, is so in every zone. */
static int meant_flags(const struct cell *cell)
{
    return cell->flags & ((cell->flags & CELL_SPECIAL) != 0 ? CELL_SPECIAL : CELL_ZONED);
}

static int compare_times(const struct cell *left, const struct cell *right)
{
    int order = compare_signed(meant_flags(left), meant_flags(right));
    order = order != 0 ? order : compare_signed(left->i64, right->i64);
    if (order == 0 && (left->flags & CELL_SPECIAL) == 0) {
        if (left->kind == VALUE_TIMESTAMP) {
            order = compare_signed(left->aux, right->aux);
        } else if (left->kind == VALUE_TIME && (left->flags & CELL_ZONED) != 0) {
            order = compare_signed((int32_t)left->length, (int32_t)right->length);
        }
    }
    return order;
}

static int compare_values(const struct cell *left, const struct cell *right)
{
    if (left->kind != right->kind) {
        return compare_signed(left->kind, right->kind);
    }
    switch ((enum value_kind)left->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_KIND_COUNT:
        return 0;
    case VALUE_BOOL:
    case VALUE_INT64:
        return compare_signed(left->i64, right->i64);
    case VALUE_UINT64:
        return compare_unsigned(left->u64, right->u64);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return compare_doubles(left->f64, right->f64);
    case VALUE_DECIMAL:
        return compare_decimals(left, right);
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
        return compare_bytes(left->bytes, left->length, right->bytes, right->length);
    case VALUE_ESCAPE: {
        int order = compare_signed(left->aux, right->aux);
        int escaped = left->flags & CELL_ESCAPED_TEXT;
        order = order != 0 ? order : compare_signed(escaped, right->flags & CELL_ESCAPED_TEXT);
        return order != 0 ? order
                          : compare_bytes(left->bytes, left->length, right->bytes, right->length);
    }
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        return compare_times(left, right);
    case VALUE_INTERVAL:
        return compare_intervals(left->interval, right->interval);
    case VALUE_UUID:
        return memcmp(left->bytes, right->bytes, 16);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return compare_nested(left, right);
    case VALUE_LARGE:
        return compare_unsigned((uintptr_t)left->large, (uintptr_t)right->large);
    }
    return 0;
}

const struct cell *value_field(const struct cell *map, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t i = 0; map->kind == VALUE_MAP && i < map->length; i++) {
        const struct cell *key = &map->items[2 * (size_t)i];
        if (key->kind == VALUE_TEXT && key->length == length &&
            memcmp(key->text, name, length) == 0) {
            return key + 1;
        }
    }
    return NULL;
}

int value_equal(const struct cell *left, const struct cell *right)
{
    return compare_values(left, right) == 0;
}

/* --- copies and sizes --- */

/* How many cells a LIST, SET or MAP points to. */
static size_t item_count(const struct cell *cell)
{
    return cell->kind == VALUE_MAP ? 2 * (size_t)cell->length : cell->length;
}

static enum status copy_bytes(size_t length, struct arena *arena, struct cell *to)
{
    if (arena_try_share(arena, to->text, length)) {
        return STATUS_OK;
    }
    to->text = arena_try_copy(arena, to->text, length);
    return to->text == NULL ? STATUS_FAILED : STATUS_OK;
}

static enum status copy_items(const struct cell *from, struct arena *arena, struct cell *to)
{
    size_t count = item_count(from);
    struct cell *items = arena_try_allocate(arena, count * sizeof(*items));
    to->items = items;
    enum status status = items == NULL ? STATUS_FAILED : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = value_copy(&from->items[i], arena, &items[i]);
    }
    return status;
}

enum status value_copy(const struct cell *from, struct arena *arena, struct cell *to)
{
    *to = *from;
    switch ((enum value_kind)from->kind) {
    case VALUE_DECIMAL:
        return (from->flags & CELL_SMALL) != 0 ? STATUS_OK : copy_bytes(from->length, arena, to);
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return copy_bytes(from->length, arena, to);
    case VALUE_UUID:
        return copy_bytes(16, arena, to);
    case VALUE_INTERVAL:
        return copy_bytes(sizeof(*from->interval), arena, to);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return copy_items(from, arena, to);
    default:
        return STATUS_OK;
    }
}

size_t value_bytes(const struct cell *cell)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_DECIMAL:
        return (cell->flags & CELL_SMALL) != 0 ? 0 : cell->length;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return cell->length;
    case VALUE_UUID:
        return 16;
    case VALUE_INTERVAL:
        return sizeof(*cell->interval);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP: {
        size_t count = item_count(cell);
        size_t bytes = count * sizeof(*cell);
        for (size_t i = 0; i < count; i++) {
            bytes += value_bytes(&cell->items[i]);
        }
        return bytes;
    }
    default:
        return 0;
    }
}

/* --- printing --- */

static void print_text(const struct cell *cell, size_t limit, struct buffer *out)
{
    enum { ESCAPED_BYTES_MAX = 4 }; /* of one byte */
    size_t whole = (size_t)cell->length * ESCAPED_BYTES_MAX + 1;
    size_t capacity = limit < 4 ? 4 : limit < whole ? limit + 1 : whole;
    buffer_append_byte(out, '"');
    buffer_reserve(out, capacity);
    text_printable(cell->text, cell->length, out->data + out->length, capacity);
    out->length += strlen(out->data + out->length);
    buffer_append_byte(out, '"');
}

bool value_escape_has_text(const struct cell *cell)
{
    return cell->kind == VALUE_ESCAPE && cell->aux == ESCAPE_MYSQL &&
           (cell->flags & CELL_ESCAPED_TEXT) == 0 && text_is_utf8(cell->bytes, cell->length);
}

void value_append_uuid(struct buffer *out, const uint8_t bytes[16])
{
    static const uint8_t group_ends[] = {4, 6, 8, 10, 16};
    size_t start = 0;
    for (int group = 0; group < 5; group++) {
        if (group > 0) {
            buffer_append_byte(out, '-');
        }
        buffer_append_hex(out, bytes + start, group_ends[group] - start);
        start = group_ends[group];
    }
}

static void print_hex(const uint8_t *bytes, size_t length, size_t limit, struct buffer *out)
{
    size_t shown = length <= limit / 2 ? length : limit / 2;
    buffer_append_string(out, "0x");
    buffer_append_hex(out, bytes, shown);
    if (shown < length) {
        buffer_append_string(out, "...");
    }
}

static void print_number(const struct cell *cell, struct buffer *out)
{
    char digits[NUMBER_TEXT_MAX];
    size_t length = cell->kind == VALUE_INT64     ? number_from_int64(cell->i64, digits)
                    : cell->kind == VALUE_UINT64  ? number_from_uint64(cell->u64, digits)
                    : cell->kind == VALUE_FLOAT32 ? number_from_float32((float)cell->f64, digits)
                                                  : number_from_double(cell->f64, digits);
    buffer_append(out, digits, length);
}

static void print_value(const struct cell *cell, size_t end, int depth, struct buffer *out);

/* Items until the buffer has reached `end`. */
static void print_items(const struct cell *cell, size_t end, int depth, struct buffer *out)
{
    static const char brackets[3][2] = {{'[', ']'}, {'<', '>'}, {'{', '}'}};
    const char *pair = brackets[cell->kind == VALUE_LIST ? 0 : cell->kind == VALUE_SET ? 1 : 2];
    size_t count = item_count(cell);
    buffer_append_byte(out, pair[0]);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buffer_append_string(out, cell->kind == VALUE_MAP && i % 2 == 1 ? ": " : ", ");
        }
        if (out->length >= end || depth == 0) {
            buffer_append_string(out, "...");
            break;
        }
        print_value(&cell->items[i], end, depth - 1, out);
    }
    buffer_append_byte(out, pair[1]);
}

static void print_value(const struct cell *cell, size_t end, int depth, struct buffer *out)
{
    size_t limit = end > out->length ? end - out->length : 0;
    switch ((enum value_kind)cell->kind) {
    case VALUE_BOOL:
        buffer_append_string(out, cell->i64 != 0 ? "true" : "false");
        break;
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        print_number(cell, out);
        break;
    case VALUE_DECIMAL:
        if ((cell->flags & CELL_SMALL) == 0 && cell->length > limit) {
            buffer_append(out, cell->text, limit);
            buffer_append_string(out, "...");
        } else {
            decimal_append(cell, out);
        }
        break;
    case VALUE_TEXT:
        print_text(cell, limit, out);
        break;
    case VALUE_JSON:
        buffer_append_string(out, "json ");
        print_text(cell, limit, out);
        break;
    case VALUE_BYTES:
        print_hex(cell->bytes, cell->length, limit, out);
        break;
    case VALUE_UUID:
        print_hex(cell->bytes, 16, 32, out);
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
        print_items(cell, end, depth, out);
        break;
    case VALUE_LARGE:
        buffer_append_string(out, cell->large->kind == VALUE_TEXT ? "text of " : "");
        buffer_append_uint64(out, cell->large->length);
        buffer_append_string(out, " bytes");
        break;
    case VALUE_ESCAPE:
        if ((cell->flags & CELL_ESCAPED_TEXT) != 0) {
            print_text(cell, limit, out);
        } else {
            print_hex(cell->bytes, cell->length, limit, out);
        }
        break;
    default:
        buffer_append_string(out, value_kind_name((enum value_kind)cell->kind));
        break;
    }
}

void value_print(const struct cell *cell, size_t limit, struct buffer *out)
{
    enum { PRINTED_DEPTH_MAX = 16 };
    print_value(cell, limit > SIZE_MAX - out->length ? SIZE_MAX : out->length + limit,
                PRINTED_DEPTH_MAX, out);
}

int value_compare_texts(const void *left, const void *right)
{
    const struct cell *a = left;
    const struct cell *b = right;
    return text_compare(a->text, a->length, b->text, b->length);
}
