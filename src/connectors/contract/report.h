/* A connector's reports of its work while it works: throttling, capacity, how its connections are
 * kept from others. Any thread. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_REPORT_H
#define TRANSHUME_CONNECTORS_CONTRACT_REPORT_H

#include "base/clock.h"
#include "connectors/contract/connector.h"
#include <stdio.h>

/* A spell of throttling is over when the server did not ask for so long. */
enum { REPORT_THROTTLE_SPELL_MS = 5000 };

/* The server said to slow down; to be called each time. */
static inline void report_throttled(struct database *database)
{
    struct database_report *report = &database->report;
    int64_t now = clock_monotonic_ms();
    int64_t last = atomic_exchange(&report->throttled_last_ms, now);
    if (last == 0 || now - last > REPORT_THROTTLE_SPELL_MS) {
        atomic_store(&report->throttled_since_ms, now);
    }
    atomic_fetch_add(&report->throttle_count, 1);
}

/* Something failed in passing, and is tried again by then. */
static inline void report_waiting(struct database *database, int64_t until_ms)
{
    atomic_store(&database->report.waiting_until_ms, until_ms);
}

/* Something is done again after a passing failure. `counts` (may be NULL): those of the request
 * that it is for, read_request.counts; a writer tells its own in batch_result. */
static inline void report_retried(struct database *database, struct database_counts *counts)
{
    atomic_fetch_add(&database->report.counts.retries, 1);
    if (counts != NULL) {
        atomic_fetch_add(&counts->retries, 1);
    }
}

/* The same of something that was done with less than was asked for. */
static inline void report_fell_back(struct database *database, struct database_counts *counts)
{
    atomic_fetch_add(&database->report.counts.fallbacks, 1);
    if (counts != NULL) {
        atomic_fetch_add(&counts->fallbacks, 1);
    }
}

/* Capacity that a request used, in the database's own units. */
static inline void report_units(struct database *database, double units)
{
    if (units > 0) {
        atomic_fetch_add(&database->report.milliunits, (uint64_t)(units * 1000 + 0.5));
    }
}

enum { REPORT_LINK_UNSEEN, REPORT_LINK_BEGUN, REPORT_LINK_SEEN };

/* A connection was made; `protocol` and `cipher` are NULL where nothing encrypts. */
static inline void report_link(struct database *database, enum link_security security,
                               const char *protocol, const char *cipher)
{
    struct database_link *link = &database->report.links[security];
    int state = REPORT_LINK_UNSEEN;
    if (atomic_compare_exchange_strong(&link->state, &state, REPORT_LINK_BEGUN)) {
        snprintf(link->protocol, sizeof(link->protocol), "%s", protocol != NULL ? protocol : "");
        snprintf(link->cipher, sizeof(link->cipher), "%s", cipher != NULL ? cipher : "");
        atomic_store(&link->state, REPORT_LINK_SEEN);
    }
}

/* The weakest that there was; NULL: no server was connected to. */
static inline const struct database_link *report_weakest_link(const struct database *database,
                                                              enum link_security *security)
{
    for (int i = 0; i < LINK_SECURITY_COUNT; i++) {
        if (atomic_load(&database->report.links[i].state) == REPORT_LINK_SEEN) {
            *security = (enum link_security)i;
            return &database->report.links[i];
        }
    }
    return NULL;
}

/* For how long the server has been saying so; 0: it is not now. */
static inline int64_t report_throttled_for_ms(const struct database *database, int64_t now_ms)
{
    const struct database_report *report = &database->report;
    int64_t last = atomic_load(&report->throttled_last_ms);
    return last == 0 || now_ms - last > REPORT_THROTTLE_SPELL_MS
               ? 0
               : now_ms - atomic_load(&report->throttled_since_ms) + 1;
}

#endif
