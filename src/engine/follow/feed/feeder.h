/* The thread that reads the feed: change sets into a ring, confirmed positions back. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FEED_FEEDER_H
#define TRANSHUME_ENGINE_FOLLOW_FEED_FEEDER_H

#include "connectors/contract/connector.h"

struct feeder;

/* Opens the feed at the position, and begins; first with what is in the folder of a spool
 * (spool_file.h), if there is one: then the feed is opened behind it. `limit_bytes`: of sets that
 * wait. */
enum status feeder_open(struct database *source, const char *name, const char *spool_folder,
                        struct position position, size_t limit_bytes, struct feeder **feeder,
                        struct error *error) MUST_USE;
/* Ends the thread, and closes the feed. NULL is fine. */
void feeder_close(struct feeder *feeder);

/* STATUS_AGAIN: none came in time. STATUS_FAILED: what the feed failed with; everything before it
 * was handed over. The set is the caller's. */
enum status feeder_next(struct feeder *feeder, int64_t timeout_ms, struct change_set **set,
                        struct error *error) MUST_USE;
/* Everything up to the position is durable: the feed is told soon. Copied. */
void feeder_confirm(struct feeder *feeder, struct position position);
/* As of a second ago at most; -1: not known. */
void feeder_health(struct feeder *feeder, struct feed_health *health);

#endif
