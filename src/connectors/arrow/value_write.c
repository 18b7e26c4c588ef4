/* Cells to the values of arrays. */
#include "connectors/arrow/arrow.h"

#include "connectors/columnar/fitting.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <string.h>

enum { UUID_BYTES = 16, DIGITS_MAX = ARROW_DECIMAL_DIGITS_MAX + 1 };

/* ---------------------------------------------------------------- what fits */

static const char format[] = "Arrow";

static int bits_of(const struct arrow_node *node)
{
    return node->arrow == NANOARROW_TYPE_INT8    ? 8
           : node->arrow == NANOARROW_TYPE_INT16 ? 16
           : node->arrow == NANOARROW_TYPE_INT32 ? 32
                                                 : 64;
}

static int64_t unit_ns(enum ArrowTimeUnit unit)
{
    return unit == NANOARROW_TIME_UNIT_MILLI   ? 1000000
           : unit == NANOARROW_TIME_UNIT_MICRO ? 1000
                                               : 1;
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
    return cell->length <= COLUMNAR_VALUE_BYTES_MAX
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                           "it has %" PRIu32 " bytes, more than a value of an Arrow file may",
                           cell->length);
}

static enum status fit_value(const struct arrow_node *node, struct cell *cell, struct arena *arena,
                             struct error *error)
{
    struct cell same;
    int64_t ignored = 0;
    if (columnar_fit_kind(&node->type, node->type.kind == VALUE_JSON, cell, arena, &same, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    *cell = same;
    switch (node->arrow) {
    case NANOARROW_TYPE_INT8:
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_INT32:
        return columnar_fit_integer(bits_of(node), cell, error);
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
        return columnar_fit_decimal(format, node->precision, node->scale, &same, arena, cell,
                                    error);
    case NANOARROW_TYPE_DATE32:
        return columnar_fit_date(format, cell, error);
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
        return columnar_fit_time(format, unit_ns(node->unit), cell, &ignored, error);
    case NANOARROW_TYPE_TIMESTAMP:
        return columnar_fit_timestamp(format, unit_ns(node->unit), cell, &ignored, error);
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
        return columnar_refuse_kind(&node->type, cell, error);
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
        return columnar_refuse_kind(&node->type, cell, error);
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
    struct error ignored;
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
        return columnar_fit_timestamp(format, unit_ns(node->unit), cell, &value, &ignored) ==
                   STATUS_OK &&
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
