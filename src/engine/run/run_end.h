/* The end of an attempt, whatever it is. */
#ifndef TRANSHUME_ENGINE_RUN_RUN_END_H
#define TRANSHUME_ENGINE_RUN_RUN_END_H

#include "engine/session/session.h"

/* Tells what happened to ledger, state and result, and gives claim and lock back. */
enum status run_conclude(struct run *run, enum status status, struct run_result *result,
                         struct error *error) MUST_USE;

#endif
