/*
 * Records that an update of some of their fields did not find in the target: somebody deleted them
 * there, or the copy rejected them. They are read again from the source, and the target puts them
 * whole in the commit that the update is of (apply_absent). What the source has no more either
 * waits until the feed has come to where the source was then: a delete that came by then explains
 * it, and without one it is a reject.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ABSENT_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_ABSENT_H

#include "connectors/contract/apply.h"
#include "engine/follow/apply/follow_rejects.h"
#include "engine/follow/reread.h"

struct absent_records;
struct absent_records *absent_records_create(struct run_session *session,
                                             const struct follow_routes *routes,
                                             struct follow_translator *translator)
    __attribute__((returns_nonnull));
void absent_records_destroy(struct absent_records *absent); /* takes NULL */

/* For apply_request: any thread may call it. The rest is the control thread's. */
struct apply_absent absent_records_reader(struct absent_records *absent);
/* These sets are in the target: their deletes explain some of those that wait. */
enum status absent_records_applied(struct absent_records *absent, struct followed_set *const *sets,
                                   uint32_t count, struct error *error) MUST_USE;
bool absent_records_wait(struct absent_records *absent);
/* The feed was opened again, perhaps at another server: where the source is will be asked anew. */
void absent_records_reopen(struct absent_records *absent);
/* The target is at `applied`: what has waited long enough is rejected. */
enum status absent_records_pass(struct absent_records *absent, struct position applied,
                                struct follow_rejects *rejects, struct error *error) MUST_USE;

#endif
