/* `since`: of which records a run reads only those that changed, and where the next run goes on. */
#ifndef TRANSHUME_ENGINE_SESSION_SINCE_H
#define TRANSHUME_ENGINE_SESSION_SINCE_H

#include "engine/session/session.h"

/*
 * The watermark of an entity is the highest value that its column had in the snapshot of the last
 * run that wrote everything it read:
 * {"format":2,"column","source":IDENTITY,"mapping":HASH,"run":ID, "value":TEXT}, in the ledger
 * (ledger_positions.h). A run reads what is at or above it, less the overlap, and what has NULL
 * there. The bound is in the run's header, so that each attempt has the same; the watermark moves
 * once the run has written and counted everything, and stays where a record was rejected, so that
 * it is read again, and where the run took a part of the source (--sample-rows). A target table
 * that is missing or empty is read whole.
 */

/* Puts the bounds of a run that begins, once its snapshot is taken, into the plan's requests and
 * the header. */
enum status since_begin(struct run *run, struct error *error) MUST_USE;
/* Puts there the bounds with which a run that is continued began. */
enum status since_resume(struct run *run, struct error *error) MUST_USE;
/* How many rows split is to be asked for, for a chunk to have about `rows` that changed, or less.
 */
uint64_t since_chunk_rows(const struct run *run, const struct plan_stream *stream, uint64_t rows);
/* All is written and counted: moves the watermarks. */
enum status since_end(struct run *run, struct error *error) MUST_USE;
/* The run is taken back: its watermarks are what they were before it. */
enum status since_take_back(struct ledger *ledger, const struct ledger_header *header,
                            struct error *error) MUST_USE;
/* For check: what each would read, a line each in `out`. Opens a reader of the source, within its
 * snapshot. */
enum status since_tell(struct run_session *session, const struct ledger_table *decided,
                       struct buffer *out, struct error *error) MUST_USE;

#endif
