/* Facts of a run: its kind, and the tables of its chunks. */
#ifndef TRANSHUME_ENGINE_SESSION_RUN_FACTS_H
#define TRANSHUME_ENGINE_SESSION_RUN_FACTS_H

#include "engine/session/session.h"

/* The stream of the chunk with that index, from 0. */
const struct plan_stream *run_chunk_stream(const struct run *run, uint64_t index);
/* The table of the target and the entity that all records of the stream are of; NULL: they are of
 * several. */
const char *run_stream_table(const struct run *run, const struct plan_stream *stream);
const char *run_stream_entity(const struct run *run, const struct plan_stream *stream);

/* The kind of the run, in ledger and state: "copy", "rejects", "repair". */
const char *run_kind(const struct run *run);
void run_set_kind(struct run *run, const char *kind);

#endif
