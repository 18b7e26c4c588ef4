/* Whether all numbers of a column are such as another database's numbers hold: files only say what
 * the column was in the database that they came from. */
#include "connectors/folder/folder.h"

#include "model/decimal.h"
#include <float.h>

enum { BATCH_ROWS = 1000, BATCH_BYTES = 1 << 20, WHOLE_DIGITS_MAX = 18 };

static bool is_whole(const struct cell *number)
{
    return number->kind == VALUE_INT64 ||
           (number->kind == VALUE_UINT64 && number->u64 <= INT64_MAX);
}

/* What is no number is not asked about: the column's type decides on it. */
static bool passes(const struct cell *cell, enum value_test test)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    if (cell->kind == VALUE_UINT64 || test == VALUES_INT64) {
        return cell->kind != VALUE_UINT64 || is_whole(cell);
    }
    if (cell->kind != VALUE_DECIMAL) {
        return true;
    }
    return decimal_measure(cell, &digits, &exponent) &&
           (digits <= DBL_DIG || (digits <= exponent + 1 && exponent < WHOLE_DIGITS_MAX));
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
            *holds = passes(&batch->cells[row * batch->width], test);
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
