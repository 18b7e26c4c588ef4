/* Values of arrays to cells. */
#include "connectors/arrow/arrow.h"

#include "connectors/columnar/fitting.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <string.h>

enum { SMALL_DIGITS_MAX = 18 };
static const int64_t day_ms = INT64_C(86400000);

static int64_t unit_ns(enum ArrowTimeUnit unit)
{
    return unit == NANOARROW_TIME_UNIT_SECOND  ? 1000000000
           : unit == NANOARROW_TIME_UNIT_MILLI ? 1000000
           : unit == NANOARROW_TIME_UNIT_MICRO ? 1000
                                               : 1;
}

/* ---------------------------------------------------------------- numbers */

static enum status read_long_decimal(const struct ArrowDecimal *decimal, struct arena *arena,
                                     struct cell *cell, struct error *error)
{
    struct ArrowBuffer text;
    ArrowBufferInit(&text);
    bool done = ArrowDecimalAppendStringToBuffer(decimal, &text) == NANOARROW_OK;
    done = done && decimal_parse((const char *)text.data, (size_t)text.size_bytes, arena, cell) ==
                       STATUS_OK;
    ArrowBufferReset(&text);
    return done ? STATUS_OK : error_set(error, ERROR_REJECT_NUMBER, NULL, "it is no decimal");
}

static enum status read_decimal(const struct arrow_node *node, const struct ArrowArrayView *view,
                                int64_t row, struct arena *arena, struct cell *cell,
                                struct error *error)
{
    struct ArrowDecimal decimal;
    ArrowDecimalInit(&decimal, node->bits, node->precision, node->scale);
    ArrowArrayViewGetDecimalUnsafe(view, row, &decimal);
    if (node->precision > SMALL_DIGITS_MAX || node->scale < 0 || node->scale > SMALL_DIGITS_MAX) {
        return read_long_decimal(&decimal, arena, cell, error);
    }
    int64_t low = ArrowDecimalGetIntUnsafe(&decimal);
    bool small = low > -INT64_C(1000000000000000000) && low < INT64_C(1000000000000000000);
    for (int at = 0; at < decimal.n_words; at++) { /* the others are its sign alone */
        small = small && (at == decimal.low_word_index ||
                          decimal.words[at] == (low < 0 ? UINT64_MAX : UINT64_C(0)));
    }
    if (!small) {
        return read_long_decimal(&decimal, arena, cell, error);
    }
    *cell = (struct cell){
        .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (uint16_t)node->scale, .i64 = low};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- days and times */

static enum status read_date(const struct arrow_node *node, int64_t number, struct cell *cell,
                             struct error *error)
{
    if (node->arrow == NANOARROW_TYPE_DATE64) {
        if (number % day_ms != 0) {
            return error_set(error, ERROR_REJECT_TYPE, NULL,
                             "the day has a time: %" PRId64 " ms are no whole days", number);
        }
        number /= day_ms;
    }
    *cell = (struct cell){.kind = VALUE_DATE, .i64 = number};
    return STATUS_OK;
}

static enum status read_interval(const struct arrow_node *node, const struct ArrowArrayView *view,
                                 int64_t row, struct arena *arena, struct cell *cell,
                                 struct error *error)
{
    struct value_interval *interval = arena_allocate_zeroed(arena, 1, sizeof(*interval));
    struct ArrowInterval found = {.type = node->arrow};
    if (node->arrow == NANOARROW_TYPE_DURATION) {
        int64_t number = ArrowArrayViewGetIntUnsafe(view, row);
        if (__builtin_mul_overflow(number, unit_ns(node->unit), &interval->nanoseconds)) {
            return error_set(error, ERROR_REJECT_TYPE, NULL,
                             "the duration has more nanoseconds than 64 bits count");
        }
    } else {
        ArrowArrayViewGetIntervalUnsafe(view, row, &found);
        interval->months = found.months;
        interval->days = found.days;
        interval->nanoseconds = found.ns + (int64_t)found.ms * 1000000;
    }
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- bytes */

static enum status read_bytes(const struct arrow_node *node, const struct ArrowArrayView *view,
                              int64_t row, struct arena *arena, struct cell *cell,
                              struct error *error)
{
    struct ArrowBufferView found = ArrowArrayViewGetBytesUnsafe(view, row);
    size_t length = (size_t)found.size_bytes;
    return columnar_read_bytes(node->type.kind, length > 0 ? found.data.as_char : "", length, arena,
                               cell, error);
}

/* ---------------------------------------------------------------- nested */

static enum status read_record(const struct arrow_node *node, const struct ArrowArrayView *view,
                               int64_t row, struct arena *arena, struct cell *cell,
                               struct error *error)
{
    struct cell *pairs =
        arena_allocate(arena, 2 * ((size_t)node->child_count + 1) * sizeof(*pairs));
    for (uint32_t at = 0; at < node->child_count; at++) {
        const char *name = node->children[at].name;
        size_t length = strlen(name);
        pairs[2 * (size_t)at] = cell_text(arena_copy(arena, name, length), length);
        if (arrow_value_read(&node->children[at], view->children[at], row + view->offset, arena,
                             &pairs[2 * (size_t)at + 1], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *cell = cell_items(VALUE_MAP, pairs, node->child_count);
    return STATUS_OK;
}

static enum status read_elements(const struct arrow_node *node, const struct ArrowArrayView *view,
                                 int64_t row, struct arena *arena, struct cell *cell,
                                 struct error *error)
{
    bool map = node->form == ARROW_MAP;
    bool fixed = node->arrow == NANOARROW_TYPE_FIXED_SIZE_LIST;
    int64_t at = row + view->offset;
    int64_t begin = fixed ? at * node->width : ArrowArrayViewListChildOffset(view, at);
    int64_t end = fixed ? begin + node->width : ArrowArrayViewListChildOffset(view, at + 1);
    const struct ArrowArrayView *within = map ? view->children[0] : view;
    size_t count = (size_t)(end - begin);
    struct cell *cells =
        count < UINT32_MAX / 2 / sizeof(*cells)
            ? arena_try_allocate(arena, (count + 1) * node->child_count * sizeof(*cells))
            : NULL;
    if (cells == NULL) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL, "a list of %zu elements", count);
    }
    for (size_t element = 0; element < count; element++) {
        for (uint32_t child = 0; child < node->child_count; child++) {
            if (arrow_value_read(&node->children[child], within->children[child],
                                 begin + (int64_t)element + (map ? within->offset : 0), arena,
                                 &cells[element * node->child_count + child], error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    *cell = cell_items(map ? VALUE_MAP : VALUE_LIST, cells, (uint32_t)count);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the whole */

static enum status read_value(const struct arrow_node *node, const struct ArrowArrayView *view,
                              int64_t row, struct arena *arena, struct cell *cell,
                              struct error *error)
{
    switch (node->type.kind) {
    case VALUE_BOOL:
        *cell = cell_bool(ArrowArrayViewGetIntUnsafe(view, row) != 0);
        return STATUS_OK;
    case VALUE_INT64:
        *cell = cell_int64(ArrowArrayViewGetIntUnsafe(view, row));
        return STATUS_OK;
    case VALUE_UINT64:
        *cell = cell_uint64(ArrowArrayViewGetUIntUnsafe(view, row));
        return STATUS_OK;
    case VALUE_FLOAT32:
        *cell =
            (struct cell){.kind = VALUE_FLOAT32, .f64 = ArrowArrayViewGetDoubleUnsafe(view, row)};
        return STATUS_OK;
    case VALUE_FLOAT64:
        *cell = cell_float64(ArrowArrayViewGetDoubleUnsafe(view, row));
        return STATUS_OK;
    case VALUE_DECIMAL:
        return read_decimal(node, view, row, arena, cell, error);
    case VALUE_DATE:
        return read_date(node, ArrowArrayViewGetIntUnsafe(view, row), cell, error);
    case VALUE_TIME:
        return columnar_read_time(ArrowArrayViewGetIntUnsafe(view, row), unit_ns(node->unit), cell,
                                  error);
    case VALUE_TIMESTAMP:
        return columnar_read_timestamp(ArrowArrayViewGetIntUnsafe(view, row), unit_ns(node->unit),
                                       node->type.zoned, cell, error);
    case VALUE_INTERVAL:
        return read_interval(node, view, row, arena, cell, error);
    default:
        return read_bytes(node, view, row, arena, cell, error);
    }
}

enum status arrow_value_read(const struct arrow_node *node, const struct ArrowArrayView *view,
                             int64_t row, struct arena *arena, struct cell *cell,
                             struct error *error)
{
    if (node->arrow == NANOARROW_TYPE_NA || ArrowArrayViewIsNull(view, row)) {
        *cell = cell_null();
        return STATUS_OK;
    }
    if (node->indexed) {
        int64_t index = ArrowArrayViewGetIntUnsafe(view, row);
        view = view->dictionary;
        if (view == NULL || index < 0 || index >= view->length) {
            return error_set(error, ERROR_REJECT_TYPE, NULL,
                             "value %" PRId64 " of its dictionary is not there", index);
        }
        row = index;
        if (ArrowArrayViewIsNull(view, row)) {
            *cell = cell_null();
            return STATUS_OK;
        }
    }
    switch (node->form) {
    case ARROW_VALUE:
        return read_value(node, view, row, arena, cell, error);
    case ARROW_RECORD:
        return read_record(node, view, row, arena, cell, error);
    case ARROW_LIST:
    case ARROW_MAP:
        break;
    }
    return read_elements(node, view, row, arena, cell, error);
}
