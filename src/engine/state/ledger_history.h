/* The runs that a ledger knows, for those who have none of their state folders. */
#ifndef TRANSHUME_ENGINE_STATE_LEDGER_HISTORY_H
#define TRANSHUME_ENGINE_STATE_LEDGER_HISTORY_H

#include "base/arena.h"
#include "base/error.h"

enum { LEDGER_HISTORY_RUNS_MAX = 500 };

/*
 * Reads the ledger in the database `uri` (a target, or what --ledger named), which is only looked
 * at, and writes FOLDER/runs/ID/state.json for each of its newest runs, as far as the ledger tells:
 * state, times, attempts, chunks, and the counts of tables. What it does not know any more is
 * removed. The database need not hold a ledger: then there are no runs. `*shown` (arena) is the URI
 * without its secrets. Control thread.
 */
enum status ledger_history_write(const char *uri, const char *folder, struct arena *arena,
                                 const char **shown, struct error *error) MUST_USE;

#endif
