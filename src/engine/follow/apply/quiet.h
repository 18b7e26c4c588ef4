/*
 * Keeping the target quiet while changes are applied: its triggers, and actions of its foreign
 * keys, do not answer to them (--follow-triggers). What the sessions that apply can't switch off
 * themselves the target takes out of its tables, noted in the ledger before, and gives back here:
 *
 *   quiet_begin   before anything is applied
 *   quiet_end     on every way out of following, and before a cut-over lets anybody else write
 *
 * After a kill or a crash what was taken out is still noted: the next command that follows, cuts
 * over, rolls back or finishes the run gives it back.
 *
 * quiet.json in the state folder says so to who asks no database, from before anything is taken out
 * until it is given back:
 *   {"format":1,"target":IDENTITY,"since_us":TIME,"count":TRIGGERS}
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_QUIET_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_QUIET_H

#include "connectors/contract/lacks.h"
#include "engine/session/session.h"

/* As the ledger's header has the choice. NULL: off. */
const char *quiet_name(enum follow_triggers_choice choice);
/* Tells what is to fire: as the command says, else as the run of that header (may be NULL) began.
 */
enum apply_answers quiet_answers(const struct run_session *session,
                                 const struct ledger_header *header);
/* Before a run: ERROR_FOLLOW, if the target can't be kept quiet; with `lacks` each reason is noted
 * there. A line each into `out` (may be NULL) for what will be taken out. Changes nothing. */
enum status quiet_foresee(const struct run_session *session, struct lack_list *lacks,
                          struct buffer *out, struct error *error) MUST_USE;
/* Repeatable. ERROR_FOLLOW: it can't be done; nothing was taken out. */
enum status quiet_begin(struct run *run, struct error *error) MUST_USE;
/* `status` is how following ended. Says what became of it: that, or STATUS_FAILED with `error`, if
 * it ended well and something could not be given back. */
enum status quiet_end(struct run *run, enum status status, struct error *error) MUST_USE;

/* quiet.json of a state folder: how many triggers of the target are off, and since when
 * (microseconds, UTC); 0: none are. Changes nothing. */
uint32_t quiet_look(const char *state_folder, int64_t *since_us);
/* Everything was given back in the target of that identity. What is off in another one stays noted.
 * Not there is fine. */
void quiet_forget(const char *state_folder, const char *target_identity);

#endif
