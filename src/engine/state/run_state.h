/* A run under way: its making and end, its files, and what the ledger's status and its folder say
 * of it. */
#ifndef TRANSHUME_ENGINE_STATE_RUN_STATE_H
#define TRANSHUME_ENGINE_STATE_RUN_STATE_H

#include "engine/session/session.h"

enum status run_create(struct run_session *session, struct run **run, struct error *error) MUST_USE;
void run_destroy(struct run *run);
/* Locks the folder and opens the log. */
enum status run_enter_folder(struct run *run, struct error *error) MUST_USE;
/* Opens the log and the events of the run, in its folder. */
enum status run_open_files(struct run *run, struct error *error) MUST_USE;
void run_close_files(struct run *run);
/* Writes run.json for this run. */
enum status run_write_local(const struct run *run, bool begun, bool finished,
                            struct error *error) MUST_USE;
/* Makes totals, done flags and first chunks, once `chunks` are known. */
enum status run_index_chunks(struct run *run, struct error *error) MUST_USE;
/* Writes the status into the ledger. */
enum status run_put_status(struct run *run, struct error *error) MUST_USE;
enum status run_put_phase(struct run *run, enum ledger_phase phase, struct error *error) MUST_USE;
/* Sets what the status says, under its mutex: the display's thread writes the state meanwhile. */
void run_note(struct run *run, bool *condition);
/* Puts what is done into the progress counters. */
void run_show_totals(struct run *run);

#endif
