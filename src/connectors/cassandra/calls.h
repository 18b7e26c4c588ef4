/* Calls of several owners on one session, each reply of which goes to the one that sent its call;
 * and what becomes of those that fail. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_CALLS_H
#define TRANSHUME_CONNECTORS_CASSANDRA_CALLS_H

#include "base/clock.h"
#include "base/retry.h"
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

/* ---------------------------------------------------------------- patience */

/*
 * The fate of a call that failed, for all reads and for the writes of control work (requests of
 * writers have the keyed room's own patience):
 *
 *   unavailable                     at the consistency of `fallback`, if the user allows one
 *   read timeout                    the same; where less can be read at once, that is tried first
 *   no host, connection lost, late, the same again after a wait, until patience ends
 *   overloaded, bootstrapping, …    (all of class RETRY)
 *   all else                        given up
 *
 * Each retry and each fallback is counted, in the database's report and in `counts`.
 */
/* The patience with one thing that is done, perhaps by many calls; one thread. */
struct cassandra_patience {
    struct cassandra *self;
    struct database_counts *counts; /* of the request that it is for; may be NULL */
    struct retry retry;
    int64_t wait_until_ms; /* monotonic: not to be asked again before */
    bool once;             /* what may have been carried out is not done again */
};

void cassandra_patience_begin(struct cassandra_patience *patience, struct cassandra *self);
/* A call succeeded: the next failure begins a new patience. */
void cassandra_patience_renew(struct cassandra_patience *patience);

/* Is it too early to ask again? */
static inline bool cassandra_patience_waits(const struct cassandra_patience *patience)
{
    return clock_monotonic_ms() < patience->wait_until_ms;
}

/* Is the read to be made again at once, at a lower consistency? That is in `*consistency` then. */
bool cassandra_patience_falls_back(struct cassandra_patience *patience, enum cql_failure failure,
                                   const struct error *error, enum cql_consistency *consistency);
/* Is it to be done again, at wait_until_ms? Else `error` says how often it was tried. */
bool cassandra_patience_plan(struct cassandra_patience *patience, struct error *error);
/* The same, and waits until then. `may_have_happened`: as the reply has it. */
bool cassandra_patience_wait(struct cassandra_patience *patience, bool may_have_happened,
                             struct error *error);

#endif
