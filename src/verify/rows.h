/* Tables whose rows are compared as both sides read them: where the plan takes the columns of one
 * table as they are, equal cells make equal records, and most records need no more than that. */
#ifndef TRANSHUME_VERIFY_ROWS_H
#define TRANSHUME_VERIFY_ROWS_H

#include "verify/steps.h"

/*
 * Both sides of a range of keys are read by one thread, and each row kept as its key and a hash of
 * its cells. What differs, or is on one side alone, is noted by its key; those are read again by
 * key, and matched like all others. A wrong suspicion costs no more than that: cells that are not
 * the same may still be one value to the target.
 */
struct rows_range {
    struct span span;
    int64_t *keys; /* that differ; NULL while it is not compared, and where there are none */
    uint32_t key_count;
    bool whole; /* so many of them differ that all of it is read again */
};
struct verify_rows {
    struct read_request request[2]; /* a side each */
    const uint32_t *cells[2];       /* of each field, by name: its cell in the side's row */
    uint32_t field_count;
    uint32_t key_cell[2];
    struct column_list key[2];
    struct rows_range *ranges;
    uint32_t range_count;
    _Atomic uint64_t key_count; /* of all ranges */
    _Atomic uint64_t suspected; /* rows that are read again, of both sides */
    _Atomic bool given_up;      /* it is compared like other tables */
};

/* Compares all tables that can be compared so; `rows` of those is set afterwards. */
enum status rows_compare_all(struct verify *verify, struct error *error) MUST_USE;
/* The second reading of such a table. */
void rows_list_bad(const struct verify_table *table, struct task_list *list);
void rows_free(struct verify_table *table);
/* `asked`, of the task's side, is to read no more than the task's keys, which go into `cells`. */
enum { ROWS_KEYS_A_TASK = READ_KEYS_MAX };
void rows_ask(const struct verify_task *task, const struct verify_rows *rows, struct cell *cells,
              struct read_request *asked);

/* ---- for a thread of the pass */
struct rows_reading {
    struct verify *verify;
    struct verify_table *table;
    struct rows_range *range;
    struct reader **readers; /* a side each */
    const _Atomic bool *stopping;
    uint64_t row_count[2]; /* that were read */
    enum verify_side side; /* in hand, for messages */
};
/* STATUS_END: a stop was asked for. */
enum status rows_compare(struct rows_reading *reading, struct error *error) MUST_USE;

#endif
