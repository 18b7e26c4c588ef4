/*
 * The book of rejects of a run: which records of the source are known not to be in the target, and
 * why. `status`, `validate`, the report, the cut-over and all exit statuses read it and nothing
 * else, so that no two of them tell different numbers.
 *
 *   done marks, status.settled   how many records of each entity the copy rejected, and why
 *   run/ID/reject/sHASH, tHASH   an entry: what became of one record since
 *   run/ID/reject/copy/ENTITY    what the copy rejected was tried again as a whole: of its counts
 *                                none stands, and what is rejected still has an entry
 *
 *   entry {"format":1,"entity":n,"copied":true,"round":N,"settled":"arrived"|"gone","code":CODE,
 *          "reason":TEXT,"key":JSON,"at":TIME,"again":true}
 *
 * "copied": a count of the copy stands for the record, too. "settled" is there once the record is
 * in the target, or not in the source any more; an entry without "copied" goes then. "at" is when
 * it was rejected last, "again" that it was before. "round" is the trying again in which it was
 * (reject_notes.h). HASH is of the
 * entity and of the source's key (s), or of the target's key (t), where a target refused a record
 * that following made. A record has one key there, so that what is applied twice is noted once.
 *
 * Of a run with a feed the entries lie in the target's store, beside the feed's position, and are
 * put with it (connectors/contract/apply.h); of others where the ledger is. Values and the record
 * itself are in the reject files (rejects.h), the counts do not need them.
 */
#ifndef TRANSHUME_ENGINE_REJECT_BOOK_H
#define TRANSHUME_ENGINE_REJECT_BOOK_H

#include "engine/session/session.h"

/* Records of one entity that are missing for one reason. */
struct reject_book_line {
    const char *table; /* of the target */
    const char *entity;
    enum error_code code; /* ERROR_NONE: not known any more */
    uint64_t count;
    const char *reason; /* why one of them was rejected; NULL: not known */
};

struct reject_book_sum {
    uint64_t unsettled; /* records that are missing in the target */
    struct reject_book_line *lines;
    uint32_t line_count;
};

struct reject_book; /* of a run (run->book); any thread */

/*
 * The question, for whoever has claimed the run or only looks at it: reads the entries, and sums up
 * what is not settled. Texts live in the arena. Needs run->totals and run->status. While a run
 * follows only before its lanes are open: what waits to be noted would be forgotten.
 */
enum status reject_book_ask(struct run *run, struct arena *arena, struct reject_book_sum *sum,
                            struct error *error) MUST_USE;
/* "3 records are missing since they were rejected: 2 of orders (number-range: …), 1 of lines
 * (constraint: …)" */
void reject_book_describe(const struct reject_book_sum *sum, struct buffer *out);

/* Reads the entries, in place of what run->book knew. */
enum status reject_book_load(struct run *run, struct error *error) MUST_USE;
/* Forgets what was read; takes NULL. */
void reject_book_free(struct reject_book *book);
/* The sum of run->book, or, where it was not loaded, of what the copy counted. Texts live in the
 * arena, names are the plan's. */
void reject_book_sum(const struct run *run, struct arena *arena, struct reject_book_sum *sum);
/* The number alone. */
uint64_t reject_book_unsettled(const struct run *run);

/* The book's counts of one entity. */
struct reject_book_counts {
    uint64_t unsettled; /* missing */
    uint64_t settled;   /* of the copy's rejects those that are not missing any more */
    uint64_t added;     /* of the unsettled ones those that the copy did not count */
};
struct reject_book_counts reject_book_counts_of(const struct run *run, uint32_t entity);

#endif
