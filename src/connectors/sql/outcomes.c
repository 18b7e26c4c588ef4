#include "connectors/sql/outcomes.h"
#include "base/text.h"
#include <stdlib.h>

static void outcomes_make(struct sql_outcomes *outcomes, uint32_t row_count)
{
    struct arena *arena = arena_create(4096);
    outcomes->arena = arena;
    outcomes->list = arena_allocate_zeroed(arena, row_count, sizeof *outcomes->list);
    outcomes->noted = arena_allocate_zeroed(arena, row_count, sizeof *outcomes->noted);
}

enum status sql_outcomes_note(struct sql_outcomes *outcomes, uint32_t row_count,
                              struct record_outcome outcome, struct error *error)
{
    if (outcomes->noted == NULL) {
        outcomes_make(outcomes, row_count);
    }
    if (outcome.row >= row_count || outcomes->noted[outcome.row]) {
        return error_set(error, ERROR_INTERNAL, NULL, "a record was refused twice: %s",
                         outcome.reason);
    }
    outcomes->noted[outcome.row] = true;
    outcome.reason = arena_copy_string(outcomes->arena, outcome.reason);
    outcomes->list[outcomes->count++] = outcome;
    return STATUS_OK;
}

static int compare_rows(const void *left, const void *right)
{
    uint32_t a = ((const struct record_outcome *)left)->row;
    uint32_t b = ((const struct record_outcome *)right)->row;
    return a < b ? -1 : a > b;
}

void sql_outcomes_tell(struct sql_outcomes *outcomes, struct batch_result *result)
{
    if (outcomes->count > 1) {
        qsort(outcomes->list, outcomes->count, sizeof *outcomes->list, compare_rows);
    }
    result->written = result->batch->row_count - outcomes->count;
    result->outcomes = outcomes->list;
    result->outcome_count = outcomes->count;
    result->arena = outcomes->arena;
}

const struct sql_taken sql_taken_of_run = {.kind = OUTCOME_REJECTED,
                                           .code = ERROR_REJECT_KEY_DUPLICATE,
                                           .reason = "another record of this run has this key"};
const struct sql_taken sql_taken_refused = {.kind = OUTCOME_REJECTED,
                                            .code = ERROR_REJECT_KEY_DUPLICATE,
                                            .reason = "another record has this key"};
const struct sql_taken sql_taken_equal = {.kind = OUTCOME_SKIPPED,
                                          .code = ERROR_REJECT_KEY_DUPLICATE,
                                          .reason = "an equal record is there"};
const struct sql_taken sql_taken_present = {.kind = OUTCOME_SKIPPED,
                                            .code = ERROR_REJECT_KEY_DUPLICATE,
                                            .reason = "a record with this key is there"};

enum status sql_taken_add(struct buffer *taken, const char *digits, uint64_t first, uint32_t count,
                          struct sql_taken one, const char *table, struct error *error)
{
    uint64_t number = 0;
    if (text_to_uint64(digits, strlen(digits), &number) != STATUS_OK || number < first ||
        number - first >= count) {
        return error_set(error, ERROR_INTERNAL, table,
                         "a row of the temporary table that was not sent");
    }
    one.place = (uint32_t)(number - first);
    buffer_append(taken, &one, sizeof one);
    return STATUS_OK;
}
