/*
 * Resync: following again after the source has lost what came behind the feed's position (a slot
 * that was dropped or invalidated, a log that was purged, a source that was restored from a backup
 * or promoted too early).
 *
 *   begin     the feed is dropped and made again: its new position is the target's
 *   compare   a validation of both sides lists what differs (repair.jsonl, delete.jsonl)
 *   end       the lists are put right in the target, and following goes on from the new position
 *
 * What the source changes between the beginning and the end is in the comparison and comes by the
 * feed again, as after a copy that was resumed; in the end the feed's is what stands. That it is
 * under way is in the ledger (intent "resync"): nobody follows until it is done, and one that was
 * broken off begins again.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_RESYNC_H
#define TRANSHUME_ENGINE_FOLLOW_RESYNC_H

#include "engine/follow/followed_set.h"
#include "engine/session/session.h"

/* Before anything is followed. ERROR_FEED_LOST: a resync was begun and is not done. */
enum status resync_check(struct run *run, enum run_command command, struct error *error) MUST_USE;

/* Notes that one is under way; `compares`: that the feed is made and the target has its position.
 */
enum status resync_note(struct run *run, bool compares, struct error *error) MUST_USE;

/*
 * Puts what the comparison listed into the target, in sets of bounded size that bring no other
 * position than `at`; each is handed over to `take`, with what the plan could not make of the
 * source as rejects. Then the resync is done, and rejects of before that were not rejected again
 * are settled.
 */
/* `*refused` grows by what the target did not take. */
typedef enum status resync_take(void *context, struct followed_set *set, uint64_t *refused,
                                struct error *error);
enum status resync_finish(struct run *run, const struct followed_form *form, struct position at,
                          resync_take *take, void *context, struct error *error) MUST_USE;

#endif
