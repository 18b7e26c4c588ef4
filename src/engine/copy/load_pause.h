/* Giving way: a run pauses while a server is busier with others, or a replica is further behind,
 * than its user allows. */
#ifndef TRANSHUME_ENGINE_COPY_LOAD_PAUSE_H
#define TRANSHUME_ENGINE_COPY_LOAD_PAUSE_H

#include "engine/copy/throttle.h"
#include "engine/session/session.h"

struct load_pause;

/*
 * Asks both servers once whether they tell what the options of the run want watched; a figure that
 * neither knows is `problem`, with STATUS_END. No option: STATUS_OK, and nobody is asked.
 */
enum status load_pause_check(struct run_session *session, struct error *problem,
                             struct error *error) MUST_USE;
/*
 * Watches from a thread of its own until load_pause_stop: a second after a second, and holds
 * `throttle` as long as a figure is above its mark, or a server can't be asked. Each pause and its
 * cause are in the log, and the database shows as one that asks to slow down. Without such an
 * option `*care` is NULL.
 */
enum status load_pause_start(struct run_session *session, struct throttle *throttle,
                             struct load_pause **care, struct error *error) MUST_USE;
void load_pause_stop(struct load_pause *pause); /* takes NULL */

#endif
