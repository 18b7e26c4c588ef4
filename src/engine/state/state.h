/* state.json: what a run has done, for people and scripts. Never the truth; that is the ledger. */
#ifndef TRANSHUME_ENGINE_STATE_STATE_H
#define TRANSHUME_ENGINE_STATE_STATE_H

#include "engine/session/session.h"

/*
 * {"format":1,"run":ID,"kind":"copy","status":"not_started"|"in_progress"|"completed"|"failed"|
 *    "rolling_back"|"rolled_back","rollback":{"run":ID,"next":COMMAND}   (rolling_back only),
 *  "interrupted":false,"phase":…,"mixed_snapshot":…,"source":URI,"target":URI,
 *  "chunks":{"total":n,"done":n},"total_records":n|null,"records_migrated":n,
 *  "tables":{NAME:{"status":…,"total_records":n|null,"records_migrated":n,
 *    "entities":{NAME:{"total":n|null,"migrated":n,"rejected":n,"skipped":n,"retries":n,
 *                      "fallbacks":n,"last_id":TEXT|null,"records_per_second":n}}}},
 *  "attempt":{"number":n,"started_at":…,"migrated_before":n},
 *  "started_at":…,"updated_at":…,"ended_at":…|null,"errors":[{"at","code","message"}],
 *  "validation":[],"resumable":…,"source_use":{…},"target_use":{…},"version":…,"guarantee":…,
 *  "snapshot":"one"|"mixed"|"none","mapping_version":n,"broken_references":N,
 *  "differing_there":{TABLE:n},                            (skipped, and there with other values)
 *  "repairs":ID,"deleted":{TABLE:n},                       (a repair: of which run, and what)
 *  "workers":[{"side":"source"|"target","number":n,"doing":TEXT,"since":…,
 *    "chunk":n,"rows":n,"stream":NAME,"table":NAME|null,"entity":NAME|null}],   (while it copies;
 *  "queue":{"batches":n,"bytes":n,"capacity_bytes":n},      between the workers of both sides)
 *  "not_carried":[{"kind","object","text","count"}],       (observe/not_carried.h)
 *  "follow":{"feed","position":TEXT|null,"transactions":n,"changes":n,"writes":n,"commits":n,
 *    "rejected":n,"transactions_per_second":n,"changes_per_second":n,"lag_seconds":n|null,
 *    "lag_bytes":n|null,"source_commit_at":…|null,"applied_at":…|null,"source_bytes_kept":n|null,
 *    "source_bytes_left":n|null,"cut_over":STEP|null,"idle":…,"operations":{ENTITY:{"inserts":n,
 *    "updates":n,"deletes":n,"truncates":n}}},             (of a run that follows)
 *  "attempts":[{"epoch","at","end",
 *    "source_connection":{"server":TEXT|null,"security":…,"protocol":TEXT|null,"cipher":TEXT|null},
 *    "target_connection":…}],"settings":{NAME:value}}      (connections: only of servers)
 * Counts are those of committed chunks; last_id is the end of the unbroken prefix of them.
 */
enum state_status {
    STATE_NOT_STARTED,
    STATE_IN_PROGRESS,
    STATE_INTERRUPTED,
    STATE_COMPLETED,
    STATE_FAILED
};

/* From now on there is something to write; `marks`: of the chunks that are done already. */
void state_begin(struct run *run, const struct ledger_mark *marks, uint64_t mark_count);
/* A chunk was committed: chunk_log.h. Any thread. */
void state_note_chunk(struct run *run, const struct ledger_mark *mark);
/* A sample of the counters for the report, at a moment that it should have. */
void state_note_counters(struct run *run);
/* Lets go of the files that grow with it. */
void state_end(struct run *run);
/* Writes it now, whole or not at all; a failure is a warning. Any thread. */
void state_write(struct run *run, enum state_status status);
/* The same for a run in progress, if the last time is a second ago (at its beginning: less). */
void state_tick(struct run *run);

#endif
