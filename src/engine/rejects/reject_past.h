/* The book of another run than the one that is under way: of the copy that is validated, or whose
 * rejected records are loaded or repaired. */
#ifndef TRANSHUME_ENGINE_REJECT_PAST_H
#define TRANSHUME_ENGINE_REJECT_PAST_H

#include "engine/rejects/reject_notes.h"

/* That run with what its book needs: id, header, status, totals, and the book itself, read.
 * `rejects_folder` (may be NULL) holds its reject files. The session's plan has to be the run's
 * own. */
enum status reject_past_open(struct run_session *session, const struct ledger_run *ledger,
                             const char *rejects_folder, struct run **run,
                             struct error *error) MUST_USE;
void reject_past_close(struct run *run); /* takes NULL */

/* Settles a run that loaded mended records (migrate --rejects) or repaired, once all of it is
 * written: what arrived is settled in the books of the runs that had rejected it, and what was
 * rejected again stays there. Repeatable. */
enum status reject_past_settle(struct run *run, struct error *error) MUST_USE;
/* Before such a run is taken back: what it settled counts as missing again. Of a run that followed
 * since, what it noted itself stands. */
enum status reject_past_take_back(struct run *run, struct error *error) MUST_USE;
/* The missing records of the copy that such a run belongs to; STATUS_END: no ledger knows it. */
enum status reject_past_sum(struct run *run, struct arena *arena, struct reject_book_sum *sum,
                            struct error *error) MUST_USE;

#endif
