/* Which streams wait for others: tables that are there with foreign keys refuse a record before the
 * one that it refers to. */
#ifndef TRANSHUME_ENGINE_PARENTS_H
#define TRANSHUME_ENGINE_PARENTS_H

#include "engine/session.h"

/* When chunks of a stream may be begun. */
struct stream_turn {
    uint32_t rank; /* once all chunks of streams of lower ranks are done */
    bool in_order; /* one after the other: its records refer to others of the stream */
};

/*
 * Sets run->turns, in the run's arena, one a stream; NULL: none has to wait. Streams that refer to
 * each other in a circle come in some order, which is told. Looks at the target; control thread.
 */
enum status parents_find(struct run *run, struct error *error) MUST_USE;

#endif
