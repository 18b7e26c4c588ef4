/* Facts that a run learnt when it began (engine/ledger/learnt.h), for whoever goes on with it. */
#ifndef TRANSHUME_ENGINE_SESSION_RECALL_H
#define TRANSHUME_ENGINE_SESSION_RECALL_H

#include "engine/folder/past_runs.h"
#include "engine/ledger/learnt.h"
#include "engine/session/session.h"

/*
 * Before anything is described: finds the run that is continued, compared, repaired, or whose
 * rejects are loaded. Then session->continued is its header and session->learnt what it learnt;
 * NULL: there is none, or it copied another source. The source is told of it (database.known).
 * session->answers is set in any case.
 */
enum status recall_find(struct run_session *session, const struct past_run *past,
                        struct error *error) MUST_USE;

/* Does the session go on with what the run had, so that its plan says nothing of what came since?
 */
bool recall_is_of_run(const struct run_session *session);

/*
 * Once the source is described: its tables have their columns in the order that the run knows, and
 * where they are declared as they were, with the types that the run knows, whatever their values
 * say now. What came since stands behind. A column that is declared otherwise, or is gone, is as
 * the source says it: comparing the two schemas is for whoever goes on. Columns that came by
 * themselves (catalog_functions.columns_come) are no part of the run, and told of, and what came
 * while a copy was made that will be followed is left to following (session->copies_on). A table
 * that is gone is, where the run is followed on, as it was (session->gone).
 */
void recall_overlay(struct run_session *session);

/* The run's knowledge as text, of the session's resolved plan, for the ledger of a new run. */
void recall_append(const struct run_session *session, uint32_t version, struct buffer *out);

/*
 * Raises the learnt facts of a claimed run whose session knows of columns, tables or answers that
 * the ledger does not keep: writes all of it again with the next version, which stands from then
 * on. Before anything is made of it in the target, so that a later session takes it for the same.
 * Control thread.
 */
enum status recall_raise(struct run *run, struct error *error) MUST_USE;

#endif
