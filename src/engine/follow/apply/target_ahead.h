/*
 * A target that is ahead of the feed: a copy that was resumed has read some rows later than the
 * feed's beginning, and so has a resync whose comparison came behind its new feed. Until the feed
 * has come to where the source was when that was done, a record of earlier may be refused, since
 * one of later has its unique value already, or the record that it refers to is gone by then. That
 * says nothing about the source: such a record is no reject. Its table is read again behind it
 * (refresh.h), which tells what is refused still.
 *
 * That it is so stands in the ledger (intent "ahead") until then.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_TARGET_AHEAD_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_TARGET_AHEAD_H

#include "connectors/contract/apply.h"
#include "engine/session/session.h"

struct ahead {
    struct run *run;
    bool is_so;
    struct position until; /* length 0: not known yet */
    bool *entities;        /* in the arena: of which something was refused and noted */
};

/* Before anything is followed; does nothing where one attempt read the copy at the feed's
 * beginning.
 */
enum status ahead_note(struct run *run, struct error *error) MUST_USE;
/* Whatever the copy read: before a resync compares. */
enum status ahead_begin(struct run *run, struct error *error) MUST_USE;
/* Is it so? */
enum status ahead_open(struct run *run, struct arena *arena, struct ahead *ahead,
                       struct error *error) MUST_USE;
/* Then the source is asked where it is, once its feed is open. */
enum status ahead_look(struct ahead *ahead, struct arena *arena, struct error *error) MUST_USE;
/* STATUS_OK: the refusal says nothing, and its table is noted. STATUS_END: it is a reject. */
enum status ahead_take(struct ahead *ahead, const struct change_set *set,
                       const struct apply_refusal *refusal, struct error *error) MUST_USE;
/* The target is at `applied`. `*ended`: it was ahead, and is not any more. */
enum status ahead_pass(struct ahead *ahead, struct position applied, bool *ended,
                       struct error *error) MUST_USE;

#endif
