/* The lock of a database that one process at a time works on: a file that says which process and
 * which run. */
#ifndef TRANSHUME_CONNECTORS_COMMON_RUN_LOCK_H
#define TRANSHUME_CONNECTORS_COMMON_RUN_LOCK_H

#include "connectors/contract/ledger.h"

/*
 * Locks `path`, "PID\nRUN\n", for as long as the descriptor is open; a lock that is held already
 * (*descriptor >= 0) goes over to the run. STATUS_AGAIN: another process has it, and `found` says
 * which, and which run it works on if that is another one.
 */
enum status run_lock_take(const char *path, const char *run_id, int *descriptor,
                          struct ledger_holder *found, struct error *error) MUST_USE;
/* ERROR_RUN_HELD if another process has it, so that no run is made that could not be claimed. */
enum status run_lock_refuse_other(const char *path, int descriptor, const char *place,
                                  struct error *error) MUST_USE;
/* Closes it if it is held; the file stays. */
void run_lock_give_back(int *descriptor);

#endif
