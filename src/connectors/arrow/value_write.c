/* Cells to the values of arrays. */
#include "connectors/arrow/arrow.h"

#include "base/memory.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <string.h>

enum { UUID_BYTES = 16, VALUE_BYTES_MAX = 1 << 30, DIGITS_MAX = ARROW_DECIMAL_DIGITS_MAX + 1 };
static const int64_t day_ns = INT64_C(86400000000000);

/* ---------------------------------------------------------------- what fits */

static enum status fit_integer(const struct arrow_node *node, const struct cell *cell,
                               struct error *error)
{
    int bits = node->arrow == NANOARROW_TYPE_INT8    ? 8
               : node->arrow == NANOARROW_TYPE_INT16 ? 16
               : node->arrow == NANOARROW_TYPE_INT32 ? 32
                                                     : 64;
    int64_t most = INT64_MAX >> (64 - bits);
    return cell->i64 <= most && cell->i64 >= -most - 1
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL,
                           "%" PRId64 " is beyond the %d bits of the column", cell->i64, bits);
}

static enum status fit_decimal(const struct arrow_node *node, struct cell *cell,
                               struct arena *arena, struct error *error)
{
    struct cell fitting;
    struct value_type type = {
        .kind = VALUE_DECIMAL, .precision = node->precision, .scale = node->scale};
    if (convert_value(cell, &type, false, arena, &fitting, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = fitting;
    return decimal_special(cell) == 0 ? STATUS_OK
                                      : error_set(error, ERROR_REJECT_NUMBER, NULL,
                                                  "NaN and infinity are no decimals of Arrow");
}

static enum status refuse_special(const struct cell *cell, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "Arrow has no %s",
                     cell->i64 == CELL_ZERO_DATE ? "day 0000-00-00" : "infinite day");
}

static enum status fit_date(const struct cell *cell, struct error *error)
{
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_special(cell, error);
    }
    return cell->i64 <= INT32_MAX && cell->i64 >= INT32_MIN
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TYPE, NULL, "the day is beyond those of Arrow");
}

static enum status refuse_fraction(enum ArrowTimeUnit unit, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL,
                     "it has more digits of a second than the column, which counts %s",
                     unit == NANOARROW_TIME_UNIT_MILLI ? "milliseconds" : "microseconds");
}

static int64_t unit_ns(enum ArrowTimeUnit unit)
{
    return unit == NANOARROW_TIME_UNIT_MILLI   ? 1000000
           : unit == NANOARROW_TIME_UNIT_MICRO ? 1000
                                               : 1;
}

static enum status fit_time(const struct arrow_node *node, const struct cell *cell,
                            struct error *error)
{
    if (cell->i64 < 0 || cell->i64 >= day_ns || (cell->flags & CELL_ZONED) != 0) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "Arrow has no such time of day: before 24:00, without an offset");
    }
    return cell->i64 % unit_ns(node->unit) == 0 ? STATUS_OK : refuse_fraction(node->unit, error);
}

/* In the column's unit. */
static bool timestamp_of(const struct arrow_node *node, const struct cell *cell, int64_t *value)
{
    *value = node->unit == NANOARROW_TIME_UNIT_MILLI ? cell->i64 / 1000 : cell->i64;
    return node->unit != NANOARROW_TIME_UNIT_NANO ||
           (!__builtin_mul_overflow(*value, 1000, value) &&
            !__builtin_add_overflow(*value, (int64_t)cell->aux, value));
}

static enum status fit_timestamp(const struct arrow_node *node, const struct cell *cell,
                                 struct error *error)
{
    int64_t value = 0;
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_special(cell, error);
    }
    if ((node->unit != NANOARROW_TIME_UNIT_NANO && cell->aux != 0) ||
        (node->unit == NANOARROW_TIME_UNIT_MILLI && cell->i64 % 1000 != 0)) {
        return refuse_fraction(node->unit, error);
    }
    return timestamp_of(node, cell, &value)
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TYPE, NULL,
                           "it is beyond the years 1677 to 2262, which nanoseconds count");
}

/* Kinds that Arrow has no type for: their text, or JSON. */
static enum status fit_text(const struct arrow_node *node, struct cell *cell, struct arena *arena,
                            struct error *error)
{
    bool plain = cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES || cell->kind == VALUE_JSON;
    if (!plain) {
        struct buffer text = {0};
        enum status status = node->type.kind == VALUE_JSON
                                 ? convert_append_json(cell, &text, error)
                                 : convert_append_text(cell, false, &text, error);
        const char *copy =
            status == STATUS_OK ? arena_try_copy(arena, buffer_string(&text), text.length) : NULL;
        *cell = (struct cell){.kind = VALUE_TEXT, .length = (uint32_t)text.length, .text = copy};
        buffer_free(&text);
        if (copy == NULL) {
            return status != STATUS_OK
                       ? STATUS_FAILED
                       : error_set(error, ERROR_MEMORY, NULL, "no memory for the text of a value");
        }
    }
    return cell->length <= VALUE_BYTES_MAX
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                           "it has %" PRIu32 " bytes, more than a value of an Arrow file may",
                           cell->length);
}

static bool is_nested(const struct cell *cell)
{
    return cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
}

static bool is_same(const struct arrow_node *node, const struct cell *cell)
{
    bool same = cell->kind == (uint8_t)node->type.kind;
    if (same && cell->kind == VALUE_TIMESTAMP && (cell->flags & CELL_SPECIAL) == 0) {
        return ((cell->flags & CELL_ZONED) != 0) == node->type.zoned;
    }
    return same || (node->type.kind == VALUE_JSON && is_nested(cell));
}

static enum status refuse_kind(const struct arrow_node *node, const struct cell *cell,
                               struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "it is %s, and the column holds %s",
                     value_kind_name((enum value_kind)cell->kind),
                     value_kind_name(node->type.kind));
}

/* A number of another kind is one all the same; anything else would come back as what it was not.
 */
static enum status convert(const struct arrow_node *node, struct cell *cell, struct arena *arena,
                           struct error *error)
{
    struct cell converted;
    bool both =
        value_kind_is_number((enum value_kind)cell->kind) && value_kind_is_number(node->type.kind);
    bool zone = cell->kind == VALUE_TIMESTAMP && node->type.kind == VALUE_TIMESTAMP;
    bool text = node->type.kind == VALUE_TEXT && node->type.untyped && cell->kind != VALUE_BYTES;
    struct value_type type = node->type;
    type.dynamic = type.dynamic || type.kind == VALUE_DECIMAL; /* its limits are told later */
    if (!both && !zone && !text) {
        return refuse_kind(node, cell, error);
    }
    if (convert_value(cell, &type, false, arena, &converted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = converted;
    return STATUS_OK;
}

static enum status fit_value(const struct arrow_node *node, struct cell *cell, struct arena *arena,
                             struct error *error)
{
    if (cell->kind == VALUE_LARGE) {
        const struct cell large = *cell;
        if (convert_read_large(&large, CONVERT_LARGE_BYTES_MAX, arena, cell, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (!is_same(node, cell) && convert(node, cell, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    switch (node->arrow) {
    case NANOARROW_TYPE_INT8:
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_INT32:
        return fit_integer(node, cell, error);
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
        return fit_decimal(node, cell, arena, error);
    case NANOARROW_TYPE_DATE32:
        return fit_date(cell, error);
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
        return fit_time(node, cell, error);
    case NANOARROW_TYPE_TIMESTAMP:
        return fit_timestamp(node, cell, error);
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY:
        return fit_text(node, cell, arena, error);
    default:
        return STATUS_OK;
    }
}

static enum status fit_record(const struct arrow_node *node, struct cell *cell, struct arena *arena,
                              struct error *error)
{
    uint32_t found = 0;
    struct cell *fields = arena_allocate(arena, ((size_t)node->child_count + 1) * sizeof(*fields));
    if (cell->kind != VALUE_MAP) {
        return refuse_kind(node, cell, error);
    }
    for (uint32_t at = 0; at < node->child_count; at++) {
        const struct cell *field = value_field(cell, node->children[at].name);
        found += field != NULL ? 1 : 0;
        if (arrow_value_fit(&node->children[at], field, arena, &fields[at], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (found != cell->length) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "it has a field that the column's type does not name");
    }
    *cell = cell_items(VALUE_LIST, fields, node->child_count); /* in the order of the type's */
    return STATUS_OK;
}

static enum status fit_elements(const struct arrow_node *node, struct cell *cell,
                                struct arena *arena, struct error *error)
{
    bool map = node->form == ARROW_MAP;
    bool fits = map ? cell->kind == VALUE_MAP : cell->kind == VALUE_LIST || cell->kind == VALUE_SET;
    size_t count = (size_t)cell->length * node->child_count;
    if (!fits) {
        return refuse_kind(node, cell, error);
    }
    struct cell *items = arena_allocate(arena, (count + 1) * sizeof(*items));
    for (size_t at = 0; at < count; at++) {
        const struct arrow_node *child = &node->children[map ? at % 2 : 0];
        if (arrow_value_fit(child, &cell->items[at], arena, &items[at], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *cell = cell_items(map ? VALUE_MAP : VALUE_LIST, items, cell->length);
    return STATUS_OK;
}

enum status arrow_value_fit(const struct arrow_node *node, const struct cell *cell,
                            struct arena *arena, struct cell *fitted, struct error *error)
{
    *fitted = cell_null();
    if (cell == NULL || cell->kind <= VALUE_NULL) {
        return node->optional
                   ? STATUS_OK
                   : error_set(error, ERROR_REJECT_TYPE, NULL, "it is null, and must not be");
    }
    *fitted = *cell;
    switch (node->form) {
    case ARROW_VALUE:
        return fit_value(node, fitted, arena, error);
    case ARROW_RECORD:
        return fit_record(node, fitted, arena, error);
    case ARROW_LIST:
    case ARROW_MAP:
        break;
    }
    return fit_elements(node, fitted, arena, error);
}

/* ---------------------------------------------------------------- what is appended */

static bool append_decimal(const struct arrow_node *node, const struct cell *cell,
                           struct ArrowArray *array)
{
    struct ArrowDecimal decimal;
    char plain[DIGITS_MAX + 1];
    size_t length = 0;
    struct buffer digits = {0};
    ArrowDecimalInit(&decimal, node->bits, node->precision, node->scale);
    if ((cell->flags & CELL_SMALL) != 0 && cell->aux == node->scale) {
        ArrowDecimalSetInt(&decimal, cell->i64);
        return ArrowArrayAppendDecimal(array, &decimal) == NANOARROW_OK;
    }
    decimal_append(cell, &digits);
    for (size_t at = 0; at < digits.length && length < sizeof(plain); at++) {
        if (digits.data[at] != '.') {
            plain[length++] = digits.data[at];
        }
    }
    buffer_free(&digits);
    const struct ArrowStringView text = {plain, (int64_t)length};
    return ArrowDecimalSetDigits(&decimal, text) == NANOARROW_OK &&
           ArrowArrayAppendDecimal(array, &decimal) == NANOARROW_OK;
}

static bool append_bytes(const struct cell *cell, size_t length, struct ArrowArray *array)
{
    const struct ArrowBufferView bytes = {{.data = length > 0 ? cell->bytes : NULL},
                                          (int64_t)length};
    return ArrowArrayAppendBytes(array, bytes) == NANOARROW_OK;
}

static bool append_value(const struct arrow_node *node, const struct cell *cell,
                         struct ArrowArray *array)
{
    int64_t value = 0;
    switch (node->arrow) {
    case NANOARROW_TYPE_UINT64:
        return ArrowArrayAppendUInt(array, cell->u64) == NANOARROW_OK;
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE:
        return ArrowArrayAppendDouble(array, cell->f64) == NANOARROW_OK;
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
        return append_decimal(node, cell, array);
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
        return ArrowArrayAppendInt(array, cell->i64 / unit_ns(node->unit)) == NANOARROW_OK;
    case NANOARROW_TYPE_TIMESTAMP:
        return timestamp_of(node, cell, &value) &&
               ArrowArrayAppendInt(array, value) == NANOARROW_OK;
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
        return append_bytes(cell, UUID_BYTES, array);
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY:
        return append_bytes(cell, cell->length, array);
    default:
        return ArrowArrayAppendInt(array, cell->i64) == NANOARROW_OK;
    }
}

bool arrow_value_append(const struct arrow_node *node, const struct cell *cell,
                        struct ArrowArray *array)
{
    bool done = true;
    bool map = node->form == ARROW_MAP;
    struct ArrowArray *within = map ? array->children[0] : array;
    if (cell->kind == VALUE_NULL) {
        return ArrowArrayAppendNull(array, 1) == NANOARROW_OK;
    }
    if (node->form == ARROW_VALUE) {
        return append_value(node, cell, array);
    }
    if (node->form == ARROW_RECORD) {
        for (uint32_t at = 0; done && at < node->child_count; at++) {
            done = arrow_value_append(&node->children[at], &cell->items[at], array->children[at]);
        }
        return done && ArrowArrayFinishElement(array) == NANOARROW_OK;
    }
    for (size_t at = 0; done && at < (size_t)cell->length * node->child_count; at++) {
        uint32_t child = map ? (uint32_t)(at % 2) : 0;
        done =
            arrow_value_append(&node->children[child], &cell->items[at], within->children[child]);
        if (done && map && child == 1) {
            done = ArrowArrayFinishElement(within) == NANOARROW_OK;
        }
    }
    return done && ArrowArrayFinishElement(array) == NANOARROW_OK;
}
