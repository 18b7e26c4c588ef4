/*
 * Reading tables again while their changes are followed, in the way of Netflix's DBLog ("A
 * Watermark Based Change-Data-Capture Framework", 2020): a chunk is read, then the source is asked
 * where it is; the chunk's records wait until changes up to there are applied, and those of them
 * go that such a change has touched. What is left was the same all the time, so that the target
 * stays what the source was at its position.
 *
 * What is to be read again stands in the ledger (intent "refresh") until it has been. A process
 * that was stopped begins with the table's first chunk again.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_REFRESH_H
#define TRANSHUME_ENGINE_FOLLOW_REFRESH_H

#include "engine/follow/reread.h"

/* Notes these tables of the source, besides those that are noted. */
enum status refresh_note(struct run *run, const char *const *tables, uint32_t count,
                         struct error *error) MUST_USE;

struct refresh;
/* Opens what is noted; nothing is: `*refresh` is NULL. ERROR_USAGE: it names a table that the plan
 * does not read. */
enum status refresh_open(struct run *run, const struct follow_routes *routes,
                         struct rereading *rereading, struct refresh **refresh,
                         struct error *error) MUST_USE;
void refresh_close(struct refresh *refresh); /* takes NULL */
/* The target was opened anew: a chunk that waits, or was ready last, is read again. */
void refresh_forget(struct refresh *refresh);

/* These records of the target were put or deleted by changes. */
enum status refresh_touch(struct refresh *refresh, const struct change_set *set,
                          struct error *error) MUST_USE;
/*
 * Between two groups: reads the next chunk if none waits. If one does, and `applied` has come to
 * where it may be put, `*ready` is it, the caller's to apply; else NULL. `applied` is its position.
 * Of roots with pages `*ready` is empty, and they are touched: the caller reads them again into it.
 * What was ready is in the target before the next step. STATUS_END: all is done, and noted no more.
 */
enum status refresh_step(struct refresh *refresh, struct follow_translator *translator,
                         struct touched_roots *touched, struct position applied,
                         struct followed_set **ready, struct error *error) MUST_USE;

#endif
