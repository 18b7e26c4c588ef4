/*
 * Records that the target keeps under another spelling of their keys: 1.0 for 1, A for a. Where the
 * table held records before the run, an upsert or a skip leaves the key as it was, since the
 * target's own comparison takes the two for one. No client can compare as each of them does: the
 * target is asked for what it has under the key.
 */
#ifndef TRANSHUME_VERIFY_SPELLING_H
#define TRANSHUME_VERIFY_SPELLING_H

#include "verify/spill.h"

/* Records of the source under whose keys nothing was read, some at a time. Control thread. */
struct spelling {
    struct verify *verify;
    const struct verify_table *table; /* that they are of */
    struct buffer entries;            /* of struct spill_head and what follows each */
    uint32_t count;
    struct former former;
    struct spiller spiller;
    bool begun;
    uint64_t *found; /* a table each: how many stand under another spelling */
    /* Told of each: what the target has, with the source's key in it; NULL: nothing. */
    enum status (*settle)(void *context, const struct spill_head *source,
                          const struct spill_head *target, struct error *error);
    void *context;
};

/* May the target keep the table's keys in another spelling than the run wrote? */
bool spelling_is_possible(const struct verify *verify, const struct verify_table *table);
/* A copy of the entry is kept until it is settled. */
enum status spelling_note(struct spelling *spelling, const struct spill_head *source,
                          struct error *error) MUST_USE;
/* Settles all that were noted; STATUS_END: a stop was asked for. */
enum status spelling_flush(struct spelling *spelling, struct error *error) MUST_USE;
/* Into the notes of the validation. */
void spelling_tell(struct spelling *spelling);
void spelling_free(struct spelling *spelling);

#endif
