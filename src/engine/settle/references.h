/* Steps of the end of a load that are taken once more, while changes are applied and at a cut-over.
 */
#ifndef TRANSHUME_ENGINE_SETTLE_REFERENCES_H
#define TRANSHUME_ENGINE_SETTLE_REFERENCES_H

#include "engine/session/session.h"

/* At a cut-over: sets what the target counts up behind what was applied. */
enum status run_prime_target(struct run *run, struct error *error) MUST_USE;
/* While changes are applied, at one moment of the source: are foreign keys obeyed by now that the
 * copy left broken? Into the status. */
enum status run_look_at_references(struct run *run, struct error *error) MUST_USE;

#endif
