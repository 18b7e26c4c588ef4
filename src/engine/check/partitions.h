/* Partitions of the target's tables that would grow larger than is good for them: by estimate,
 * before the run. */
#ifndef TRANSHUME_ENGINE_CHECK_PARTITIONS_H
#define TRANSHUME_ENGINE_CHECK_PARTITIONS_H

#include "engine/session/session.h"

/*
 * A line for each such partition (the largest ones; see connector_limits.partition_bytes) into
 * `out`: which it is, how many rows and bytes, and what to do. Rows are counted by the source where
 * it can group them by the columns that the key is made of, else in a sample; bytes are those of a
 * sample's records. Tables that are too small for it are not looked at. `reads`: a sample may be
 * read where that costs units. Within the snapshot, of streams that are described.
 */
enum status partitions_foretell(struct run_session *session, bool reads, struct buffer *out,
                                struct error *error) MUST_USE;

#endif
