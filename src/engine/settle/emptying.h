/* `existing: truncate`: the records that a table holds are deleted before the load; the table, its
 * indexes and triggers stay. */
#ifndef TRANSHUME_ENGINE_SETTLE_EMPTYING_H
#define TRANSHUME_ENGINE_SETTLE_EMPTYING_H

#include "engine/session/session.h"

/*
 * Where images of records are kept, the keys are listed in `delete.jsonl` of the state folder
 * before the run's ledger is made, and deleted as a repair's are (repair_delete.h), so that
 * rollback puts them back. With --no-before-images a target with transactions empties the table at
 * once. No trigger fires and no foreign key answers meanwhile, as with TRUNCATE. Once all tables
 * are empty the ledger's status says so ("deleted"), before the first record is written, and no
 * later attempt deletes anything; one that comes before that lists again what is left if the list
 * is lost.
 */

/* Why a table that holds records may not be emptied. False: nothing is in the way. */
bool emptying_refuse(const struct run_session *session, uint32_t number, struct error *problem);
/* For `check`: what is to be deleted, a line each in `out`. `decided`: what undo_decide says of the
 * plan's tables. */
enum status emptying_tell(const struct run_session *session, const struct ledger_table *decided,
                          struct buffer *out, struct error *error) MUST_USE;
/* Notes what a run that begins is to empty, before its ledger is made and after undo_begin, in its
 * header and the list. */
enum status emptying_begin(struct run *run, struct error *error) MUST_USE;
/* Tables are prepared, and nothing is written: empties what the header names, unless that is done.
 */
enum status emptying_run(struct run *run, struct error *error) MUST_USE;

#endif
