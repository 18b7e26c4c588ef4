/* Chunks in doubt, compared. */
#ifndef TRANSHUME_ENGINE_SETTLE_RECHECK_H
#define TRANSHUME_ENGINE_SETTLE_RECHECK_H

#include "engine/session/session.h"

/* After a take-over: what the other one may have had in hand becomes doubtful. */
void recheck_note_open(struct run *run);
/*
 * Once all chunks are done: reads the doubtful ones back and compares them with what the plan makes
 * of the source; one that differs is made not done, and STATUS_AGAIN says that there is something
 * to copy again. STATUS_OK: nothing is in doubt any more; what was not right time and again is
 * said.
 */
enum status recheck_run(struct run *run, struct error *error) MUST_USE;
bool recheck_is_due(const struct run *run);

#endif
