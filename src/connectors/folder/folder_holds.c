/* Whether all numbers of a column are such as another database's numbers hold: files only say what
 * the column was in the database that they came from. */
#include "connectors/folder/folder.h"

#include "model/decimal.h"
#include <float.h>

enum { BATCH_ROWS = 1000, BATCH_BYTES = 1 << 20 };

/* Is it a whole number of 64 bits, or what a float's shortest digits say? Floats have infinities,
 * and NaN is no number that a column of floats keeps. */
static bool is_kept(const struct cell *decimal, struct arena *arena)
{
    struct cell back;
    int64_t whole = 0;
    int64_t digits = 0;
    int64_t exponent = 0;
    if (!decimal_measure(decimal, &digits, &exponent)) {
        return decimal_special(decimal) != 'N';
    }
    return (digits <= DBL_DIG && exponent < DBL_MAX_10_EXP && exponent > DBL_MIN_10_EXP) ||
           decimal_to_int64(decimal, &whole) == STATUS_OK ||
           (decimal_from_double(decimal_to_double(decimal), arena, &back) == STATUS_OK &&
            decimal_compare(decimal, &back) == 0);
}

/* A value that is no number is not asked about: the column's type decides on it. */
static bool passes(const struct cell *cell, enum value_test test, struct arena *arena)
{
    if (cell->kind == VALUE_UINT64) {
        return cell->u64 <= INT64_MAX;
    }
    return test != VALUES_FLOAT || cell->kind != VALUE_DECIMAL || is_kept(cell, arena);
}

static enum status go_through(struct reader *reader, const struct read_request *request,
                              enum value_test test, bool *holds, struct error *error)
{
    struct cursor *cursor = NULL;
    enum status status = folder_source.cursor_open(reader, request, NULL, &cursor, error);
    *holds = true;
    while (status == STATUS_OK && *holds) {
        struct batch *batch = NULL;
        status = folder_source.cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count && *holds; row++) {
            *holds = passes(&batch->cells[row * batch->width], test, batch->arena);
        }
        batch_destroy(batch);
    }
    folder_source.cursor_close(cursor);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status folder_holds(struct database *self, const char *table, const char *column,
                         enum value_test test, bool *holds, struct error *error)
{
    const struct read_column wanted = {.join = -1, .name = column};
    const struct read_request request = {
        .name = table, .table = table, .columns = &wanted, .column_count = 1};
    struct reader *reader = NULL;
    *holds = false;
    if (test != VALUES_FLOAT && test != VALUES_INT64) {
        return STATUS_OK;
    }
    if (folder_source.reader_open(self, &reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = go_through(reader, &request, test, holds, error);
    folder_source.reader_close(reader);
    return status;
}
