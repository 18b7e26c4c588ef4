/*
 * The sessions in which a process works on a run, and their end where the run is taken over from
 * it: a process that is stopped, or on a machine that is gone, would keep what they have locked.
 *
 * Each of them holds a lock of the server's own under a name made of the run and its epoch, so that
 * it is known who works on what right now: numbers of sessions are used again, and a name in a list
 * can be anybody's. After taking its lock a session looks at the epoch, and who takes over looks
 * for sessions once more after raising it: whichever comes first, none of the old ones is missed.
 */
#ifndef TRANSHUME_CONNECTORS_SQL_SESSIONS_H
#define TRANSHUME_CONNECTORS_SQL_SESSIONS_H

#include "base/error.h"

enum { SQL_SESSIONS_MAX = 128 };

/* The key by which a run's sessions in this schema are known: the locks' names are made of it. */
uint64_t sql_sessions_key(const char *schema, const char *run_id, uint64_t epoch);

/* Fills `numbers` with the sessions that are left, up to SQL_SESSIONS_MAX. */
typedef enum status (*sql_find_sessions)(void *context, uint64_t *numbers, uint32_t *count,
                                         struct error *error);
/* Asks the server to end one; that it is gone already is no failure. */
typedef enum status (*sql_end_session)(void *context, uint64_t number, struct error *error);

/*
 * Ends what `find` finds until there is none, within the timeout: else ERROR_RUN_HELD, which says
 * why, and what a person may do: `words` ("KILL ", "") are said around a session's number.
 */
struct sql_ending {
    sql_find_sessions find;
    sql_end_session end;
    void *context;
    const char *words[2];
    const char *shown;
    int64_t timeout_ms;
};
enum status sql_end_sessions(const struct sql_ending *ending, struct error *error) MUST_USE;

#endif
