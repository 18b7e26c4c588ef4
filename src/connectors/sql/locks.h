/* Locks that others hold: for how long a statement may wait, and words for who they are. */
#ifndef TRANSHUME_CONNECTORS_SQL_LOCKS_H
#define TRANSHUME_CONNECTORS_SQL_LOCKS_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum { SQL_HOLDER_BYTES = 320 };

/* How long a statement may wait for a lock that shuts others out: whoever comes later queues behind
 * it. Less than the timeout, whatever that is. */
int64_t sql_brief_lock_ms(int64_t timeout_ms);
/* The same of other locks. */
int64_t sql_long_lock_ms(int64_t timeout_ms);

/* A session as its server tells of it; "" is not known. */
struct sql_session {
    const char *number;
    const char *application;
    const char *user;
    const char *state;
    const char *seconds; /* for how long */
    const char *query;
    int more; /* others in the same case */
};
/* The words of somebody else's statement, without its values: `?` for literals and numbers, up
 * to where it can't be told any more what is one. */
void sql_hide_values(const char *statement, char *out, size_t size);
/* "session 123 (psql, user app, idle in transaction for 12 s: UPDATE t SET v = ?) and 2 more" */
void sql_session_describe(const struct sql_session *session, char out[SQL_HOLDER_BYTES]);
/* Adds to a failure, which is of a lock: "; `holder` `verb`". `end`: what ends a session there. */
void sql_lock_tell(struct error *error, const char *holder, const char *verb, const char *end);

#endif
