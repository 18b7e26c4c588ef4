/*
 * The backlog that the source keeps for the feed while it is not applied, and the bounds on it:
 * --max-retained, and the server's own, beyond which it drops what it keeps. At half of either one
 * warning and an event (EVENT_RETENTION) until it has fallen below a quarter; at the whole of the
 * first following ends (ERROR_FEED_FULL). With --drop-when-full the feed is dropped then, so that
 * the source is freed.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_FEED_RETENTION_H
#define TRANSHUME_ENGINE_FOLLOW_FEED_RETENTION_H

#include "connectors/contract/feed.h"
#include "engine/session/session.h"

struct retention {
    struct run *run;
    bool looked;
    /* --max-retained; more where there was more when following began, since only following makes
     * it less */
    uint64_t limit;
    bool near_limit;  /* was told */
    bool near_source; /* likewise, of the source's own bound */
    bool near_expiry; /* likewise, of the time that it keeps its log */
};
void retention_init(struct retention *retention, struct run *run);

/* Into the figures, and to whom it concerns. ERROR_FEED_FULL: more than --max-retained allows. */
enum status retention_note(struct retention *retention, const struct feed_health *health,
                           struct error *error) MUST_USE;
/* After ERROR_FEED_FULL, once nobody reads the feed: drops it where that was asked for. */
void retention_end(struct run *run, struct error *error);

/* While the copy lasts, and nobody reads the feed: a thread of its own that looks. There the copy
 * goes on whatever is kept; with --drop-when-full without the feed. */
struct retention_watch;
enum status retention_watch_start(struct run *run, struct retention_watch **watch,
                                  struct error *error) MUST_USE;
void retention_watch_stop(struct retention_watch *watch); /* takes NULL */

#endif
