/* The policy for records that are there already is a run's own word, kept in its ledger: who goes
 * on with the run, or validates it, need not say it again. */
#ifndef TRANSHUME_ENGINE_SESSION_POLICIES_H
#define TRANSHUME_ENGINE_SESSION_POLICIES_H

#include "engine/session/session.h"

/* Takes the policy of each table of `header` into the run's tables and the plan, where neither a
 * flag nor the plan says one. `other`, if not NULL: the first table for which they say another one;
 * NULL: there is none. */
void policies_take(struct run *run, const struct ledger_header *header,
                   const struct ledger_table **other);

/* All records of a table that held nothing when the run began to append to it are the run's: as if
 * it had been `refuse`. Not where a flag or the plan says another one than the run's. */
void policies_own(struct run *run, const struct ledger_table *began);

#endif
