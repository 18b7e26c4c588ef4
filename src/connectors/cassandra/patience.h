/*
 * What becomes of a call that failed, for all reads and for the writes of control work (requests of
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
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PATIENCE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PATIENCE_H

#include "base/clock.h"
#include "base/retry.h"
#include "connectors/cassandra/cassandra.h"

/* Of one thing that is done, perhaps by many calls; one thread. */
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
