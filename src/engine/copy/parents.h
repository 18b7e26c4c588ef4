/* Which streams wait for others: tables that are there with foreign keys refuse a record before the
 * one that it refers to. */
#ifndef TRANSHUME_ENGINE_PARENTS_H
#define TRANSHUME_ENGINE_PARENTS_H

#include "engine/session/session.h"

/* When chunks of a stream may be begun. */
struct stream_turn {
    uint32_t rank; /* once all chunks of streams of lower ranks are done */
    bool in_order; /* one after the other: its records refer to others of the stream */
};

/* Can it be that a stream has to wait? Once the target's tables are prepared. */
bool parents_matter(const struct run *run);
/*
 * Sets run->turns, in the run's arena, one a stream, by the target's tables as they are described;
 * leaves it if none has to wait. Streams that refer to each other in a circle come in some order,
 * which is told.
 */
void parents_find(struct run *run, const struct schema *schema);

#endif
