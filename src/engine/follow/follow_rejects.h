/* Records that following could not make or that the target did not take: rejects/follow-EPOCH.jsonl
 * of the state folder. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_REJECTS_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_REJECTS_H

#include "connectors/apply.h"
#include "engine/follow/ahead.h"
#include "engine/follow/followed_set.h"
#include "engine/run/session.h"

struct follow_rejects; /* one thread's */
struct follow_rejects *follow_rejects_open(struct run *run) __attribute__((returns_nonnull));
void follow_rejects_close(struct follow_rejects *rejects); /* takes NULL */

/* Does the state folder know of any that this run of following or an earlier one has rejected? They
 * may have arrived since. */
enum status follow_rejects_are_known(const char *state_folder, bool *any,
                                     struct error *error) MUST_USE;

/* Those of the plan; on disk when it returns, as of the next one. */
enum status follow_rejects_keep(struct follow_rejects *rejects, const struct followed_set *set,
                                struct error *error) MUST_USE;
/* What the target did not take of these sets, which are numbered one after the other, unless it
 * says nothing. */
enum status follow_rejects_keep_refused(struct follow_rejects *rejects, struct ahead *ahead,
                                        const struct change_set *const *sets, uint32_t count,
                                        const struct apply_result *result,
                                        struct error *error) MUST_USE;

#endif
