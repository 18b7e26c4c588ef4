/* The claim on a run: taking it, taking it over, and renewing its lease until it is given back. */
#ifndef TRANSHUME_ENGINE_STATE_CLAIM_H
#define TRANSHUME_ENGINE_STATE_CLAIM_H

#include "engine/session/session.h"

/*
 * Makes this attempt the only one; `old_epoch` is what the ledger said. Sets run->epoch,
 * run->claimed, and run->took_over when a claim with a lease was taken from somebody who never gave
 * it back: from a process that is known to be dead at once, with `take_over` from any other once
 * its lease was over for as long as a request may take (ERROR_INTERRUPTED: stopped while waiting
 * for that). A target with a lease has a keeper from then on.
 */
enum status run_claim(struct run *run, uint64_t old_epoch, bool take_over,
                      struct error *error) MUST_USE;
/* Is somebody alive at work on that run, or on the one that `holder` names? */
bool claim_is_held(struct run *run, const char *run_id, struct ledger_holder *holder);

/* STATUS_FAILED once the keeper found that the run is another's. NULL: nothing to lose. Any
 * thread. */
struct claim_keeper;
enum status claim_keeper_check(struct claim_keeper *keeper, struct error *error) MUST_USE;
/* The same, and the lease (if there is one) is not over: else class RETRY until it was renewed. For
 * steps that a late process must not take. */
enum status claim_still_holds(const struct run *run, struct error *error) MUST_USE;
/* No renewal is under way any more when it returns. Takes NULL. */
void claim_keeper_stop(struct claim_keeper *keeper);

#endif
