/*
 * A resume of a copy finds tables of the source that are others than those that the run has read,
 * though they are declared alike: dropped and made again, or with a column that was dropped and
 * added again, or rewritten (ALTER … TYPE … USING). What was read of the former one is no part of
 * the source any more, and the streams start over.
 */
#ifndef TRANSHUME_ENGINE_SESSION_OTHER_TABLES_H
#define TRANSHUME_ENGINE_SESSION_OTHER_TABLES_H

#include "engine/session/session.h"

/* Sets run->changes to what differs; NULL: nothing. A run that is followed compares later
 * (follow/adopt.h). */
void other_tables_find(struct run *run);
/* Has the stream read one of them, as it was? */
bool other_tables_were_read(const struct run *run, uint32_t stream);
/* The streams have started over: what the source has now is what the run keeps. */
enum status other_tables_keep(struct run *run, struct error *error) MUST_USE;
/* Does the stream read the table, as its root or by a join? */
bool other_tables_stream_reads(const struct plan_stream *stream, const char *table);

#endif
