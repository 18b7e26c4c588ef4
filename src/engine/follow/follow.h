/*
 * Following: a run that goes on after its copy, and puts the source's changes into the target.
 *
 *   migrate --follow   feed made, snapshot of its position, copy, FOLLOWING: changes until a stop
 *   follow             continues at the position that the target holds
 *
 * One thread reads the feed, the control thread maps and applies, or has the threads of several
 * lanes apply (lanes.h). With one lane each commit of the target has whole transactions of the
 * source and the position behind them, so that a stop or a crash at any place loses nothing and
 * does nothing twice; a target without transactions is guarded record by record, and what it did
 * not confirm is applied again. What a copy that was resumed read later than the feed's beginning,
 * the feed puts right.
 *
 * The feed's name and first position stand in the ledger's header of the run; where it is now, in
 * the target (position/FEED/LANE).
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_H

#include "engine/follow/follow_end.h"
#include "engine/follow/translate/routes.h"

/* The same for each attempt at one migration, so that a killed one leaves nothing behind that the
 * next does not find. */
const char *follow_feed_name(const struct run_session *session, struct arena *arena);

/* How long a server may be away while its changes are followed. */
int64_t follow_patience_ms(const struct run_options *options);

/* Can this plan be followed from this source into this target? Says why not (ERROR_FOLLOW), or
 * notes all of it in `lacks`, which may be NULL; then what follow_routes_foresee notes is left to
 * that. Changes nothing. */
struct lack_list;
enum status follow_check(const struct run_session *session, struct lack_list *lacks,
                         struct error *error) MUST_USE;

/* The same of the target's triggers, too (quiet.h): the first thing for which following is refused.
 * Changes nothing. */
enum status follow_allowed(const struct run_session *session, struct error *error) MUST_USE;

/*
 * Before the run's snapshot: makes the feed, notes it in run->header, and has the source read at
 * the feed's beginning, if it knows such a moment. What a killed attempt left under the name is
 * taken over.
 */
enum status follow_begin(struct run *run, struct error *error) MUST_USE;
/* Makes the feed of the followed tables, or finds it. */
enum status follow_make_feed(const struct run_session *session, const struct follow_routes *routes,
                             const char *name, struct arena *arena, struct feed_start *start,
                             struct error *error) MUST_USE;
/* After a failure before there is a ledger: removes the feed again, as far as that works. */
void follow_abandon(struct run *run);

/*
 * Applies changes, or takes the step of run_options.command instead.
 * FOLLOW_HEAD only with run_options.follow.catch_up. A feed or target that fails for a while is
 * tried again; ERROR_FEED_LOST and the like end it (FOLLOW_FAILED).
 */
enum follow_end follow_run(struct run *run, struct error *error) MUST_USE;

#endif
