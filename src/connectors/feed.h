/* The contract: following the changes of a source. */
#ifndef TRANSHUME_CONNECTORS_FEED_H
#define TRANSHUME_CONNECTORS_FEED_H

#include "connectors/database.h"
#include "model/batch.h"

struct feed; /* a change stream being read; one thread */

struct feed_functions {
    /* The position of now: changes after it are those that a later feed_open with it will bring. */
    enum status (*position)(struct database *self, struct arena *arena, const char **position,
                            struct error *error);
    enum status (*feed_open)(struct database *self, const char *position, struct feed **feed,
                             struct error *error);
    /*
     * The next changes of one table, in order: documents with envelopes (operation, source key); a
     * delete is a record whose MAP holds the key fields. `table` and `position` (after the batch)
     * live in the batch's arena. STATUS_AGAIN: none came within timeout_ms.
     */
    enum status (*next)(struct feed *feed, int64_t timeout_ms, struct batch **batch,
                        const char **table, const char **position, struct error *error);
    /* Everything up to the position is safe elsewhere: the source may forget it. */
    enum status (*confirm)(struct feed *feed, const char *position, struct error *error);
    void (*feed_close)(struct feed *feed);
};

#endif
