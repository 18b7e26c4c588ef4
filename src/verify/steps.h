/* The steps of a validation that verify.c puts in order. */
#ifndef TRANSHUME_VERIFY_STEPS_H
#define TRANSHUME_VERIFY_STEPS_H

#include "verify/match.h"
#include "verify/task_sums.h"

/* ---- known_run.c: the run that made the target: its ledger, plan, snapshot and rejects; and in
 * which files the result is kept. */
enum status steps_find_run(struct verify *verify, struct error *error) MUST_USE;

/* ---- tasks.c */
struct task_list {
    struct verify_task *tasks; /* the caller frees it */
    uint32_t count;
    uint32_t capacity;
};
/* All spans of all streams and tables; makes the ranges of tables that have them. */
enum status steps_list_all(struct verify *verify, struct task_list *list,
                           struct error *error) MUST_USE;
void steps_add_task(struct task_list *list, struct verify_task task);
/* Ranges of the stream's key, as many as its rows take. */
enum status steps_split_ranges(struct verify *verify, uint32_t stream, struct span **spans,
                               uint32_t *count, struct error *error) MUST_USE;
/* The spans of one stream, of about so many rows; of one table. */
enum status steps_list_stream(struct verify *verify, uint32_t number, uint64_t rows,
                              struct task_list *list, struct error *error) MUST_USE;
enum status steps_list_table(struct verify *verify, struct verify_table *table,
                             struct task_list *list, struct error *error) MUST_USE;
/* The tasks that bad tables need; for tables with ranges only the bad ranges. */
enum status steps_list_bad(struct verify *verify, struct task_list *list,
                           struct error *error) MUST_USE;
void steps_make_columns(struct verify *verify);
void steps_free_columns(struct verify *verify);

/* ---- push_down.c */
/* Which tables' hashes are summed by both databases, and why not the others'. */
enum status steps_push_down(struct verify *verify, struct error *error) MUST_USE;
/* The sums that one side's database makes of a span go into `sums`; *bytes came over the wire. */
enum status steps_sum_pushed(struct task_sums *sums, struct verify_table *table,
                             enum verify_side side, struct reader *reader, const struct span *span,
                             uint64_t *bytes, struct error *error) MUST_USE;
/* Its buckets are to be so many, which an earlier process chose. False: they can't be. */
bool steps_take_bucket_count(struct verify *verify, struct verify_table *table, uint32_t count);
/* The second reading is of the buckets that are not even. */
void steps_narrow_pushed(struct verify *verify, struct verify_table *table);

/* ---- levels.c */
enum status steps_count(struct verify *verify, struct match *match, struct error *error) MUST_USE;
/* ---- sample.c */
enum status steps_sample(struct verify *verify, struct match *match, struct error *error) MUST_USE;

/* ---- known_book.c */
/* Behind steps_fill_result: what is missing since it was rejected, and in a comparison of all
 * records, what is settled by now. */
void steps_tell_rejects(struct verify *verify);

/* ---- result.c */
void steps_fill_result(struct verify *verify, struct match *match);
/* In the state folder; where it is of the folder's run, a line of it in state.json, and the report.
 */
enum status steps_store(struct verify *verify, struct error *error) MUST_USE;

#endif
