/* Outcomes of the records of a batch that are not written, and of those that a pass over a
 * temporary table took out. */
#ifndef TRANSHUME_CONNECTORS_SQL_OUTCOMES_H
#define TRANSHUME_CONNECTORS_SQL_OUTCOMES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "connectors/contract/target.h"

/* The outcomes of one batch; zeroed: none. */
struct sql_outcomes {
    struct arena *arena; /* of all that follows; NULL while there are none */
    struct record_outcome *list;
    bool *noted; /* one a row */
    uint32_t count;
};

/* Notes what became of a row, one of `row_count`; the reason is copied. INTERNAL: it is known. */
enum status sql_outcomes_note(struct sql_outcomes *outcomes, uint32_t row_count,
                              struct record_outcome outcome, struct error *error) MUST_USE;
static inline bool sql_outcomes_has(const struct sql_outcomes *outcomes, uint32_t row)
{
    return outcomes->noted != NULL && outcomes->noted[row];
}
/* The rest of what a poll tells of the batch, in the order of its rows; the arena goes with it. */
void sql_outcomes_tell(struct sql_outcomes *outcomes, struct batch_result *result);

/*
 * A pass's temporary table numbers its records. Those that are taken out of it are noted when all
 * of the pass has succeeded: one that fails is undone, and they are sent again in smaller ones.
 *
 * `distinct`: records whose key is taken are laid aside in a second temporary table, and compared
 * with what the table holds once the others have gone into it. Which are taken is known for sure,
 * since only one writer of the run at a time fills such tables: without that, two of them wait for
 * each other's keys all the time, and often in a circle. It is one lock for all of them, as chunks
 * may have their records in any order.
 */
struct sql_taken {
    uint32_t place; /* among the pass's records */
    enum outcome_kind kind;
    enum error_code code;
    const char *reason; /* borrowed */
};
/* Whose key another record has: of the run, or whoever's; and those that are just left out. */
extern const struct sql_taken sql_taken_of_run;
extern const struct sql_taken sql_taken_refused;
extern const struct sql_taken sql_taken_equal;
extern const struct sql_taken sql_taken_present;

/* Appends one to a buffer of them: `digits` is its number, `first` that of the first of the `count`
 * records. INTERNAL: it is none of those. */
enum status sql_taken_add(struct buffer *taken, const char *digits, uint64_t first, uint32_t count,
                          struct sql_taken one, const char *table, struct error *error) MUST_USE;

#endif
