/* Vectors to cells. */
#include "connectors/duckdb/duckdb_internal.h"
#include "model/decimal.h"
#include <string.h>

enum { WIDE_DIGITS_MAX = 40, TIME_ZONE_SECONDS_MAX = 16 * 3600 - 1, BIT_BYTES_MAX = 1 << 28 };
static const int64_t small_decimal_limit = INT64_C(1000000000000000000);

struct column {
    const struct duckdb_library *library;
    const struct duckdb_form *form;
    struct arena *arena;
    struct error *error;
};

static bool is_valid(const uint64_t *validity, uint64_t at)
{
    return validity == NULL || (validity[at / 64] >> at % 64 & 1) != 0;
}

/* A value that no cell can hold: its record is rejected with the reason. */
static struct cell unreadable(const char *why)
{
    return (struct cell){.kind = VALUE_ESCAPE,
                         .flags = CELL_ESCAPED_TEXT,
                         .aux = ESCAPE_OMITTED,
                         .length = (uint32_t)strlen(why),
                         .text = why};
}

/* ---------------------------------------------------------------- numbers */

static struct cell decimal_cell(unsigned __int128 magnitude, bool negative, uint8_t scale,
                                struct arena *arena)
{
    char text[WIDE_DIGITS_MAX + 4];
    size_t at = sizeof text;
    uint32_t digits = 0;
    if (scale <= 18 && magnitude < (unsigned __int128)small_decimal_limit) {
        int64_t number = (int64_t)magnitude;
        return (struct cell){.kind = VALUE_DECIMAL,
                             .flags = CELL_SMALL,
                             .aux = scale,
                             .i64 = negative ? -number : number};
    }
    while (magnitude > 0 || digits <= scale) {
        if (digits == scale && scale > 0) {
            text[--at] = '.';
        }
        text[--at] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
        digits++;
    }
    if (negative) {
        text[--at] = '-';
    }
    size_t length = sizeof text - at;
    return (struct cell){.kind = VALUE_DECIMAL,
                         .length = (uint32_t)length,
                         .text = arena_copy(arena, text + at, length)};
}

static struct cell wide_decimal(const struct duckdb_hugeint *number, uint8_t scale,
                                struct arena *arena)
{
    unsigned __int128 bits = (unsigned __int128)(uint64_t)number->upper << 64 | number->lower;
    bool negative = number->upper < 0;
    return decimal_cell(negative ? -bits : bits, negative, scale, arena);
}

static int64_t kept_number(enum duckdb_type_id kept, const void *data, uint64_t at)
{
    switch (kept) {
    case DUCKDB_TINYINT:
        return ((const int8_t *)data)[at];
    case DUCKDB_SMALLINT:
        return ((const int16_t *)data)[at];
    case DUCKDB_INTEGER:
        return ((const int32_t *)data)[at];
    case DUCKDB_UTINYINT:
        return ((const uint8_t *)data)[at];
    case DUCKDB_USMALLINT:
        return ((const uint16_t *)data)[at];
    case DUCKDB_UINTEGER:
        return ((const uint32_t *)data)[at];
    default:
        return ((const int64_t *)data)[at];
    }
}

static struct cell read_decimal(const struct column *column, const void *data, uint64_t at)
{
    uint8_t scale = (uint8_t)column->form->type.scale;
    if (column->form->kept == DUCKDB_HUGEINT) {
        return wide_decimal((const struct duckdb_hugeint *)data + at, scale, column->arena);
    }
    int64_t number = kept_number(column->form->kept, data, at);
    return decimal_cell(number < 0 ? -(unsigned __int128)number : (unsigned __int128)number,
                        number < 0, scale, column->arena);
}

static struct cell read_unsigned_wide(const struct column *column, const void *data, uint64_t at)
{
    const struct duckdb_hugeint *number = (const struct duckdb_hugeint *)data + at;
    return decimal_cell((unsigned __int128)(uint64_t)number->upper << 64 | number->lower, false, 0,
                        column->arena);
}

/* ---------------------------------------------------------------- days and times */

static struct cell special(enum value_kind kind, bool below, bool zoned)
{
    return (struct cell){.kind = (uint8_t)kind,
                         .flags = (uint8_t)(CELL_SPECIAL | (zoned ? CELL_ZONED : 0)),
                         .i64 = below ? CELL_MINUS_INFINITY : CELL_INFINITY};
}

static struct cell read_date(int32_t days)
{
    return days == INT32_MAX || days == -INT32_MAX ? special(VALUE_DATE, days < 0, false)
                                                   : (struct cell){.kind = VALUE_DATE, .i64 = days};
}

static struct cell read_moment(int64_t number, int64_t us_each, bool zoned)
{
    int64_t us = 0;
    if (number == INT64_MAX || number == -INT64_MAX) {
        return special(VALUE_TIMESTAMP, number < 0, zoned);
    }
    if (__builtin_mul_overflow(number, us_each, &us)) {
        return unreadable("the timestamp is beyond all years");
    }
    return (struct cell){.kind = VALUE_TIMESTAMP, .flags = zoned ? CELL_ZONED : 0, .i64 = us};
}

static struct cell read_nanoseconds(int64_t number)
{
    if (number == INT64_MAX || number == -INT64_MAX) {
        return special(VALUE_TIMESTAMP, number < 0, false);
    }
    int64_t ns = number % 1000;
    int64_t us = number / 1000 - (ns < 0 ? 1 : 0);
    return (struct cell){
        .kind = VALUE_TIMESTAMP, .aux = (uint16_t)(ns < 0 ? ns + 1000 : ns), .i64 = us};
}

/* 40 bits of microseconds, then how far the offset is below the largest one. */
static struct cell read_zoned_time(uint64_t bits)
{
    int32_t offset = TIME_ZONE_SECONDS_MAX - (int32_t)(bits & 0xffffff);
    return (struct cell){.kind = VALUE_TIME,
                         .flags = CELL_ZONED,
                         .length = (uint32_t)offset,
                         .i64 = (int64_t)(bits >> 24) * 1000};
}

static struct cell read_interval(const struct duckdb_interval *from, struct arena *arena)
{
    struct value_interval *interval = arena_allocate(arena, sizeof *interval);
    *interval = (struct value_interval){.months = from->months, .days = from->days};
    if (__builtin_mul_overflow(from->us, INT64_C(1000), &interval->nanoseconds)) {
        return unreadable("the interval is longer than 292 years of microseconds");
    }
    return (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

/* ---------------------------------------------------------------- texts and bytes */

static struct cell no_memory(const struct column *column, uint64_t length)
{
    error_set(column->error, ERROR_MEMORY, NULL, "no memory for a value of %llu bytes",
              (unsigned long long)length);
    return cell_null();
}

static struct cell read_string(const struct column *column, const struct duckdb_string *string,
                               enum value_kind kind)
{
    char *copy = arena_try_allocate(column->arena, string->length);
    if (copy == NULL) {
        return no_memory(column, string->length);
    }
    memcpy(copy, duckdb_string_bytes(string), string->length);
    return (struct cell){.kind = (uint8_t)kind, .length = string->length, .text = copy};
}

/* The first byte says how many bits of the second are none. */
static struct cell read_bits(const struct column *column, const struct duckdb_string *string)
{
    const uint8_t *bytes = (const uint8_t *)duckdb_string_bytes(string);
    if (string->length < 2 || bytes[0] > 7 || string->length > BIT_BYTES_MAX) {
        return unreadable("a BIT that DuckDB would not write");
    }
    uint32_t count = (string->length - 1) * 8 - bytes[0];
    char *digits = arena_try_allocate(column->arena, count);
    if (digits == NULL) {
        return no_memory(column, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bit = i + bytes[0];
        digits[i] = (bytes[1 + bit / 8] >> (7 - bit % 8) & 1) != 0 ? '1' : '0';
    }
    return cell_text(digits, count);
}

static struct cell read_label(const struct column *column, const void *data, uint64_t at)
{
    uint64_t number = (uint64_t)kept_number(column->form->kept, data, at);
    return number < column->form->name_count ? column->form->names[number]
                                             : unreadable("an ENUM without a label");
}

/* A hugeint whose highest bit is turned, so that it is ordered as its text. */
static struct cell read_uuid(const struct duckdb_hugeint *number, struct arena *arena)
{
    uint8_t *bytes = arena_allocate(arena, 16);
    uint64_t upper = (uint64_t)number->upper ^ UINT64_C(1) << 63;
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(upper >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(number->lower >> (56 - 8 * i));
    }
    return (struct cell){.kind = VALUE_UUID, .length = 16, .bytes = bytes};
}

/* A column that was asked for as text. */
static struct cell read_text_form(const struct column *column, const struct duckdb_string *string)
{
    struct cell number;
    const char *bytes = duckdb_string_bytes(string);
    if (column->form->id == DUCKDB_BIGNUM &&
        decimal_parse(bytes, string->length, column->arena, &number) == STATUS_OK) {
        return number;
    }
    return read_string(column, string, VALUE_TEXT);
}

/* ---------------------------------------------------------------- one value */

static struct cell read_number(const struct column *column, const void *data, uint64_t at)
{
    switch (column->form->id) {
    case DUCKDB_BOOLEAN:
        return cell_bool(((const uint8_t *)data)[at]);
    case DUCKDB_TINYINT:
    case DUCKDB_SMALLINT:
    case DUCKDB_INTEGER:
    case DUCKDB_BIGINT:
    case DUCKDB_UTINYINT:
    case DUCKDB_USMALLINT:
    case DUCKDB_UINTEGER:
        return cell_int64(kept_number(column->form->id, data, at));
    case DUCKDB_UBIGINT:
        return cell_uint64(((const uint64_t *)data)[at]);
    case DUCKDB_HUGEINT:
        return wide_decimal((const struct duckdb_hugeint *)data + at, 0, column->arena);
    case DUCKDB_UHUGEINT:
        return read_unsigned_wide(column, data, at);
    case DUCKDB_DECIMAL:
        return read_decimal(column, data, at);
    case DUCKDB_FLOAT:
        return (struct cell){.kind = VALUE_FLOAT32, .f64 = (double)((const float *)data)[at]};
    default:
        return cell_float64(((const double *)data)[at]);
    }
}

static struct cell read_time(const struct column *column, const void *data, uint64_t at)
{
    int64_t number = column->form->id == DUCKDB_DATE ? 0 : ((const int64_t *)data)[at];
    switch (column->form->id) {
    case DUCKDB_DATE:
        return read_date(((const int32_t *)data)[at]);
    case DUCKDB_TIME:
        return (struct cell){.kind = VALUE_TIME, .i64 = number * 1000};
    case DUCKDB_TIME_NS:
        return (struct cell){.kind = VALUE_TIME, .i64 = number};
    case DUCKDB_TIME_TZ:
        return read_zoned_time((uint64_t)number);
    case DUCKDB_TIMESTAMP_S:
        return read_moment(number, 1000000, false);
    case DUCKDB_TIMESTAMP_MS:
        return read_moment(number, 1000, false);
    case DUCKDB_TIMESTAMP_NS:
        return read_nanoseconds(number);
    default:
        return read_moment(number, 1, column->form->id == DUCKDB_TIMESTAMP_TZ);
    }
}

static struct cell read_one(const struct column *column, const void *data, uint64_t at)
{
    const struct duckdb_string *strings = data;
    switch (column->form->id) {
    case DUCKDB_DATE:
    case DUCKDB_TIME:
    case DUCKDB_TIME_NS:
    case DUCKDB_TIME_TZ:
    case DUCKDB_TIMESTAMP:
    case DUCKDB_TIMESTAMP_S:
    case DUCKDB_TIMESTAMP_MS:
    case DUCKDB_TIMESTAMP_NS:
    case DUCKDB_TIMESTAMP_TZ:
        return read_time(column, data, at);
    case DUCKDB_INTERVAL:
        return read_interval((const struct duckdb_interval *)data + at, column->arena);
    case DUCKDB_VARCHAR:
        return read_string(column, &strings[at], column->form->type.kind);
    case DUCKDB_BLOB:
        return read_string(column, &strings[at], VALUE_BYTES);
    case DUCKDB_BIT:
        return read_bits(column, &strings[at]);
    case DUCKDB_UUID:
        return read_uuid((const struct duckdb_hugeint *)data + at, column->arena);
    case DUCKDB_ENUM:
        return read_label(column, data, at);
    case DUCKDB_SQLNULL:
        return cell_null();
    default:
        return read_number(column, data, at);
    }
}

/* ---------------------------------------------------------------- values within values */

static enum status read_vector(const struct column *column, struct duckdb_handle *vector,
                               uint64_t first, uint32_t count, struct cell *cells, uint32_t stride);

static struct column child_of(const struct column *column, uint32_t child)
{
    struct column made = *column;
    made.form = &column->form->children[child];
    return made;
}

/* Room for so many cells, or NULL and an error. */
static struct cell *room_for(const struct column *column, uint64_t count)
{
    struct cell *cells = count < UINT32_MAX / 2
                             ? arena_try_allocate(column->arena, (count + 1) * sizeof *cells)
                             : NULL;
    if (cells == NULL) {
        (void)no_memory(column, count * sizeof *cells);
    }
    return cells;
}

static enum status read_list(const struct column *column, struct duckdb_handle *vector,
                             uint64_t offset, uint64_t length, struct cell *cell)
{
    const struct column child = child_of(column, 0);
    struct duckdb_handle *elements = column->form->id == DUCKDB_ARRAY
                                         ? column->library->array_vector_get_child(vector)
                                         : column->library->list_vector_get_child(vector);
    struct cell *items = room_for(column, length);
    if (items == NULL ||
        read_vector(&child, elements, offset, (uint32_t)length, items, 1) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = cell_items(VALUE_LIST, items, length);
    return STATUS_OK;
}

/* A list of structs of a key and a value. */
static enum status read_map(const struct column *column, struct duckdb_handle *vector,
                            uint64_t offset, uint64_t length, struct cell *cell)
{
    struct duckdb_handle *pairs = column->library->list_vector_get_child(vector);
    struct cell *items = room_for(column, 2 * length);
    enum status status = items != NULL ? STATUS_OK : STATUS_FAILED;
    for (uint32_t i = 0; status == STATUS_OK && i < 2; i++) {
        const struct column child = child_of(column, i);
        status = read_vector(&child, column->library->struct_vector_get_child(pairs, i), offset,
                             (uint32_t)length, items + i, 2);
    }
    *cell = cell_items(VALUE_MAP, items, (size_t)length);
    return status;
}

static enum status read_struct(const struct column *column, struct duckdb_handle *vector,
                               uint64_t at, struct cell *cell)
{
    const struct duckdb_form *form = column->form;
    struct cell *items = room_for(column, 2 * (uint64_t)form->child_count);
    enum status status = items != NULL ? STATUS_OK : STATUS_FAILED;
    for (uint32_t i = 0; status == STATUS_OK && i < form->child_count; i++) {
        const struct column child = child_of(column, i);
        items[2 * (size_t)i] = form->names[i];
        status = read_vector(&child, column->library->struct_vector_get_child(vector, i), at, 1,
                             &items[2 * (size_t)i + 1], 1);
    }
    *cell = cell_items(VALUE_MAP, items, form->child_count);
    return status;
}

/* A struct whose first field says which of the others counts. */
static enum status read_union(const struct column *column, struct duckdb_handle *vector,
                              uint64_t at, struct cell *cell)
{
    const struct duckdb_library *library = column->library;
    struct duckdb_handle *tags = library->struct_vector_get_child(vector, 0);
    uint8_t tag = ((const uint8_t *)library->vector_get_data(tags))[at];
    struct cell *items = room_for(column, 2);
    if (items == NULL) {
        return STATUS_FAILED;
    }
    if (tag >= column->form->child_count) {
        *cell = unreadable("a UNION without a tag");
        return STATUS_OK;
    }
    const struct column child = child_of(column, tag);
    items[0] = column->form->names[tag];
    *cell = cell_items(VALUE_MAP, items, 1);
    return read_vector(&child, library->struct_vector_get_child(vector, tag + 1u), at, 1, &items[1],
                       1);
}

static enum status read_nested(const struct column *column, struct duckdb_handle *vector,
                               const void *data, uint64_t at, struct cell *cell)
{
    const struct duckdb_list_entry *entries = data;
    uint64_t size = column->form->array_size;
    switch (column->form->id) {
    case DUCKDB_LIST:
        return read_list(column, vector, entries[at].offset, entries[at].length, cell);
    case DUCKDB_ARRAY:
        return read_list(column, vector, at * size, size, cell);
    case DUCKDB_MAP:
        return read_map(column, vector, entries[at].offset, entries[at].length, cell);
    case DUCKDB_UNION:
        return read_union(column, vector, at, cell);
    default:
        return read_struct(column, vector, at, cell);
    }
}

static bool is_nested(const struct duckdb_form *form)
{
    return form->child_count > 0 || form->id == DUCKDB_STRUCT;
}

static enum status read_vector(const struct column *column, struct duckdb_handle *vector,
                               uint64_t first, uint32_t count, struct cell *cells, uint32_t stride)
{
    const struct duckdb_form *form = column->form;
    const uint64_t *validity = column->library->vector_get_validity(vector);
    const void *data = column->library->vector_get_data(vector);
    bool text = form->as_text || form->id == DUCKDB_BIGNUM;
    bool nested = !text && is_nested(form);
    for (uint32_t i = 0; i < count; i++) {
        struct cell *cell = &cells[(size_t)i * stride];
        uint64_t at = first + i;
        if (!is_valid(validity, at)) {
            *cell = cell_null();
        } else if (nested) {
            if (read_nested(column, vector, data, at, cell) != STATUS_OK) {
                return STATUS_FAILED;
            }
        } else {
            *cell = text ? read_text_form(column, (const struct duckdb_string *)data + at)
                         : read_one(column, data, at);
        }
    }
    return column->error->code == ERROR_MEMORY ? STATUS_FAILED : STATUS_OK;
}

enum status duckdb_read(const struct duckdb_library *library, const struct duckdb_form *form,
                        struct duckdb_handle *vector, uint64_t first, uint32_t count,
                        struct arena *arena, struct cell *cells, uint32_t stride,
                        struct error *error)
{
    struct error why = {0};
    const struct column column = {library, form, arena, &why};
    return read_vector(&column, vector, first, count, cells, stride) == STATUS_OK
               ? STATUS_OK
               : error_copy(error, &why);
}
