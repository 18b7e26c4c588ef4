/* The beginning of a run: what is in its way, its header, its ledger. */
#ifndef TRANSHUME_ENGINE_RUN_RUN_BEGIN_H
#define TRANSHUME_ENGINE_RUN_RUN_BEGIN_H

#include "engine/session/session.h"

/* Writes the state folder's own copy of the plan, without secrets. */
enum status run_keep_plan(const struct run *run, struct error *error) MUST_USE;
/* Goes on with a run whose ledger does not exist yet, or begins one: run_begin.c */
enum status run_begin(struct run *run, struct error *error) MUST_USE;
/* Refuses what is left unfinished here or in the target; notes a finished run. */
enum status run_clear_way(struct run *run, struct error *error) MUST_USE;
/* Moves the finished run away, once nothing stands in the way of the one that begins: a migrate
 * that is refused leaves what `status` shows. */
enum status run_retire_finished(struct run *run, struct error *error) MUST_USE;
/* The header's parts that come from the session. */
void run_fill_header(struct run *run);
/* ledger.create, and what is around it. */
enum status run_create_ledger(struct run *run, struct error *error) MUST_USE;
/*
 * Between the look at the target and the ledger, another run may have come and gone; once the
 * ledger is there none can. What it left is not to be written over: this run then ends before it
 * began, and leaves nothing to go on with, since that would only double what is there.
 */
enum status run_check_overtaken(struct run *run, struct error *error) MUST_USE;

#endif
