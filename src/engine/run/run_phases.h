/* The phases of a run, in the order in which a new one takes them; a resume skips what is done. */
#ifndef TRANSHUME_ENGINE_RUN_RUN_PHASES_H
#define TRANSHUME_ENGINE_RUN_RUN_PHASES_H

#include "engine/session/session.h"

/* Takes a run from the claimed ledger to the end, by phases. STATUS_END: interrupted. */
enum status run_execute(struct run *run, struct error *error) MUST_USE;
/* Runs the steps with progress shown and state.json kept. */
enum status run_with_display(struct run *run, enum status (*steps)(struct run *run, struct error *),
                             struct error *error) MUST_USE;

#endif
