/* The first reading of a source whose columns are learned: all of its records, on several readers.
 */
#ifndef TRANSHUME_ENGINE_SESSION_LEARNING_PASS_H
#define TRANSHUME_ENGINE_SESSION_LEARNING_PASS_H

#include "engine/session/session.h"
#include "plan/resolve/learn.h"

/*
 * Reads all records of each table through a connection of its own, for the run takes its snapshot
 * later. The caps on rows and read units hold, and failing connections are tried again as in a
 * copy. ERROR_INTERRUPTED: the program was asked to stop. Control thread.
 */
enum status learning_pass(struct run_session *session, struct learnt_table *const *tables,
                          uint32_t count, struct error *error) MUST_USE;

#endif
