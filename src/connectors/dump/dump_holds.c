/* Whether all values of a column are what a plan may make of them: a dump has no types but those
 * that its database declared. */
#include "connectors/dump/dump.h"
#include "model/batch.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <float.h>
#include <string.h>

/* Tables beyond are not gone through to choose a type. */
enum { TABLE_BYTES_MAX = 1 << 30, BATCH_ROWS = 1000, BATCH_BYTES = 1 << 20 };
enum { FRACTION_DIGITS_MAX = 6 };

/* The tests that all values of each of a table's columns pass, as bits of enum value_test. */
struct dump_tested {
    struct dump_tested *next;
    const struct schema_table *table;
    uint32_t *passed;
};

static uint32_t bit_of(enum value_test test)
{
    return UINT32_C(1) << test;
}

/* ---------------------------------------------------------------- one value */

/* No engine's moments have more digits of a second. */
static bool has_few_digits(const char *text, size_t length)
{
    const char *point = memchr(text, '.', length);
    size_t left = point != NULL ? length - (size_t)(point + 1 - text) : 0;
    size_t digits = 0;
    while (digits < left && point[1 + digits] >= '0' && point[1 + digits] <= '9') {
        digits++;
    }
    return digits <= FRACTION_DIGITS_MAX;
}

static uint32_t passed_by_text(const struct cell *cell)
{
    struct cell moment;
    uint32_t passed = 0;
    if (time_parse_date(cell->text, cell->length, &moment) == STATUS_OK &&
        (moment.flags & CELL_SPECIAL) == 0) {
        passed |= bit_of(VALUES_DATES);
    }
    if (time_parse_timestamp(cell->text, cell->length, &moment) == STATUS_OK &&
        (moment.flags & CELL_SPECIAL) == 0 && moment.aux == 0 &&
        has_few_digits(cell->text, cell->length)) {
        passed |= bit_of((moment.flags & CELL_ZONED) != 0 ? VALUES_INSTANTS : VALUES_MOMENTS);
    }
    return passed;
}

static bool is_declared(const struct cell *decimal, const struct value_type *type,
                        struct arena *arena)
{
    struct cell rescaled;
    int64_t digits = 0;
    int64_t exponent = 0;
    int exact = 0;
    return type->precision > 0 && decimal_measure(decimal, &digits, &exponent) &&
           (digits == 0 || exponent < type->precision - type->scale) &&
           decimal_rescale(decimal, (uint32_t)type->scale, arena, &rescaled, &exact) == STATUS_OK &&
           exact;
}

/* The same answer as the database's own: of so many digits each float is told by them, and NaN is
 * no number that a column of floats keeps. */
static bool is_float(const struct cell *decimal)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    return decimal_measure(decimal, &digits, &exponent) ? digits <= DBL_DIG
                                                        : decimal_special(decimal) != 'N';
}

static uint32_t passed_by_decimal(const struct cell *cell, const struct value_type *type,
                                  struct arena *arena)
{
    int64_t whole = 0;
    uint32_t passed = is_declared(cell, type, arena) ? bit_of(VALUES_DECLARED) : 0;
    if (decimal_to_int64(cell, &whole) == STATUS_OK) {
        passed |= bit_of(VALUES_INT64) | bit_of(VALUES_FLOAT);
    } else if (is_float(cell)) {
        passed |= bit_of(VALUES_FLOAT);
    }
    return passed;
}

static uint32_t passed_by_whole(uint64_t magnitude, bool fits)
{
    return (magnitude <= 1 ? bit_of(VALUES_TRUTH) : 0) |
           (fits ? bit_of(VALUES_INT64) | bit_of(VALUES_FLOAT) : 0);
}

/* The tests that a value of a column without a type passes: its kind decides. */
static uint32_t passed_by_kind(const struct cell *cell)
{
    int64_t most = INT64_C(1) << DBL_MANT_DIG;
    switch ((enum value_kind)cell->kind) {
    case VALUE_INT64:
        return bit_of(VALUES_WHOLE) |
               (cell->i64 >= -most && cell->i64 <= most ? bit_of(VALUES_NUMBER) : 0);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return bit_of(VALUES_NUMBER);
    case VALUE_DECIMAL:
        return is_float(cell) ? bit_of(VALUES_NUMBER) : 0;
    case VALUE_TEXT:
        return bit_of(VALUES_TEXTS);
    case VALUE_BYTES:
        return bit_of(VALUES_BYTES);
    default:
        return 0;
    }
}

static uint32_t passed_by(const struct cell *cell, const struct value_type *type,
                          struct arena *arena)
{
    if (type->untyped && cell->kind > VALUE_NULL) {
        return passed_by_kind(cell);
    }
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        return UINT32_MAX;
    case VALUE_BOOL:
        return bit_of(VALUES_TRUTH) | bit_of(VALUES_INT64);
    case VALUE_INT64:
        return passed_by_whole((uint64_t)cell->i64, true);
    case VALUE_UINT64:
        return passed_by_whole(cell->u64, cell->u64 <= INT64_MAX);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return bit_of(VALUES_FLOAT);
    case VALUE_DECIMAL:
        return passed_by_decimal(cell, type, arena);
    case VALUE_TIME:
        return bit_of(VALUES_WITHIN_DAY);
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        return (cell->flags & CELL_SPECIAL) == 0 || cell->i64 != CELL_ZERO_DATE
                   ? bit_of(VALUES_DAYS)
                   : 0;
    case VALUE_TEXT:
        return type->dates || type->moments ? passed_by_text(cell) : 0;
    default:
        return 0;
    }
}

/* ---------------------------------------------------------------- one table */

static enum status go_through(struct reader *reader, const struct read_request *request,
                              struct dump_tested *tested, struct error *error)
{
    struct cursor *cursor = NULL;
    enum status status = dump_source.cursor_open(reader, request, NULL, &cursor, error);
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = dump_source.cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
            const struct cell *cells = batch_row(batch, row);
            for (uint32_t i = 0; i < request->column_count; i++) {
                tested->passed[i] &=
                    passed_by(&cells[i], &tested->table->columns[i].type, batch->arena);
            }
        }
        batch_destroy(batch);
    }
    dump_source.cursor_close(cursor);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status test_table(struct dump_database *self, const struct schema_table *table,
                              struct dump_tested *tested, struct error *error)
{
    struct arena *arena = self->arena;
    struct read_column *columns =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *columns);
    struct reader *reader = NULL;
    tested->table = table;
    tested->passed =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *tested->passed);
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = table->columns[i].name};
        tested->passed[i] = UINT32_MAX;
    }
    const struct read_request request = {.name = table->name,
                                         .table = table->name,
                                         .columns = columns,
                                         .column_count = table->column_count};
    if (dump_source.reader_open(&self->base, &reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = go_through(reader, &request, tested, error);
    dump_source.reader_close(reader);
    return status;
}

enum status dump_holds(struct database *database, const char *table, const char *column,
                       enum value_test test, bool *holds, struct error *error)
{
    struct dump_database *self = (struct dump_database *)database;
    const struct dump_stream *stream = NULL;
    const struct schema_table *found = dump_tables_find(self, table, &stream, error);
    *holds = false;
    if (found == NULL) {
        return STATUS_FAILED;
    }
    int at = schema_find_column(found, column);
    if (at < 0 || stream->bytes > TABLE_BYTES_MAX) {
        return STATUS_OK;
    }
    struct dump_tested *tested = self->tested;
    while (tested != NULL && tested->table != found) {
        tested = tested->next;
    }
    if (tested == NULL) {
        tested = arena_allocate_zeroed(self->arena, 1, sizeof *tested);
        if (test_table(self, found, tested, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        tested->next = self->tested;
        self->tested = tested;
    }
    *holds = (tested->passed[at] & bit_of(test)) != 0;
    return STATUS_OK;
}
