/* Calls of several owners on one session: each reply goes to the one that sent its call. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_CALLS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_CALLS_H

#include "connectors/cassandra/cassandra.h"

/* The first member of what is a call's tag. Told once of the call's end; `reply` and `error` (only
 * of STATUS_FAILED) hold until it returns. It sends nothing and does not wait. */
struct cassandra_call {
    void (*answered)(struct cassandra_call *call, enum status status, const struct cql_reply *reply,
                     const struct error *error);
};

/* Hands over the next reply, waiting up to `timeout_ms` for it. STATUS_AGAIN: none. The session
 * has no calls but such. */
enum status cassandra_calls_poll(struct cql_session *session, int64_t timeout_ms) MUST_USE;

/* Whether a read failed for being slow, or having to look at too much: less at once may do. */
static inline bool cassandra_call_is_slow(enum cql_failure failure)
{
    return failure == CQL_FAILURE_READ_TIMEOUT || failure == CQL_FAILURE_READ ||
           failure == CQL_FAILURE_LATE;
}

/* Prepares, and tries again until patience ends. */
enum status cassandra_calls_prepare(struct cassandra *self, struct cql_session *session,
                                    const char *text, const struct cql_prepared **prepared,
                                    struct error *error) MUST_USE;

/* The bytes of its rows, copied, so that they outlive the reply; freed with buffer_free. False:
 * there is no memory for them. */
bool cassandra_calls_keep_rows(const struct cql_rows *rows, struct buffer *bytes) MUST_USE;

#endif
