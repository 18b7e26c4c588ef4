/* The figures of following: per entity, by second, and where the feed is. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_FIGURES_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_FIGURES_H

#include "engine/follow/translate/translate.h"
#include "engine/session/session.h"
#include "model/change.h"
#include <jansson.h>

struct follow_figures; /* one thread's */
/* Changes of streams that the translator has left are not counted. */
struct follow_figures *follow_figures_create(struct run *run,
                                             const struct follow_translator *translator)
    __attribute__((returns_nonnull));
void follow_figures_destroy(struct follow_figures *figures); /* takes NULL */

/* A set of the source came; it counts once it is applied. */
void follow_figures_take(struct follow_figures *figures, const struct change_set *set);
/* All that came is in the target. */
void follow_figures_applied(struct follow_figures *figures);
/* It is not, and will come again. */
void follow_figures_forget(struct follow_figures *figures);
/* Rates, and the position for people, once a second. */
void follow_figures_tick(struct follow_figures *figures, struct position position);

/* How far the source's clock is ahead: lags are corrected by it. */
void follow_figures_clock(struct follow_figures *figures, int64_t ahead_us);

/* "follow" of state.json (engine/state/state.h); NULL: the run follows nothing. Under the state's
 * mutex. */
json_t *follow_figures_state(const struct run *run);

#endif
