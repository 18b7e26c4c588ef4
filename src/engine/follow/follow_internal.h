/*
 * The inside of following, shared by the files of follow.h.
 *
 *   follow.c         the commands: what is taken up first, and the step that is wanted
 *   follow_loop.c    the loop that applies what the feed brings
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOW_INTERNAL_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOW_INTERNAL_H

#include "engine/follow/apply/follow_rejects.h"
#include "engine/follow/apply/lanes.h"
#include "engine/follow/apply/target_ahead.h"
#include "engine/follow/feed/feeder.h"
#include "engine/follow/feed/retention.h"
#include "engine/follow/follow.h"
#include "engine/follow/follow_figures.h"
#include "engine/follow/refresh.h"
#include "engine/follow/reread.h"
#include "engine/follow/translate/absent.h"

enum { GROUP_SETS_MAX = 4096 };

struct follow {
    struct run *run;
    struct run_session *session;
    const struct apply_functions *functions;
    struct follow_routes *routes;
    struct follow_translator *translator;
    struct touched_roots *touched;
    struct rereading *rereading;
    struct refresh *refresh; /* NULL: nothing is read again */
    struct absent_records *absent;
    struct lanes *lanes;
    struct feeder *feeder;
    struct arena *arena;     /* of the positions below */
    struct position applied; /* in the target */
    bool to_head;            /* it ends at the head */
    struct position head;    /* of the source when it began; length 0: not asked */
    struct followed_set **group;
    uint32_t group_count;
    bool inside; /* the last set of the group was no last piece */
    struct follow_rejects *rejects;
    struct ahead ahead;
    struct retry retry;
    struct retention retention;
    struct follow_figures *counts;
    bool resynced;
    bool reads_whole;     /* tables without a key are to be read again (whole.h) */
    bool is_quiet;        /* quiet_begin is done */
    uint64_t definitions; /* feed_health.definitions, as it was last; 0: not known */
    bool looked_at_references;
    bool looks; /* the source's schema is looked at before more is applied */
};

/* Opens the handles of the target. `from`: where its position is put; NULL: it is where it was. */
enum status follow_open_lanes(struct follow *follow, const struct position *from,
                              struct error *error) MUST_USE;
/* Closes the handles and the feed. */
void follow_close(struct follow *follow);
/* Applies changes until one of the ends that it gives; a server that is away comes back meanwhile,
 * and both sides are opened again, at what is in the target. */
enum follow_end follow_loop(struct follow *follow, struct error *error) MUST_USE;
/* cutover_drain.run: up to what the source has now. */
enum follow_end follow_drain(void *context, bool fenced, struct error *error) MUST_USE;
/* follow_lister of the target. */
enum status follow_list_in_target(void *context, const struct apply_listing *listing,
                                  apply_found *found, void *found_context,
                                  struct error *error) MUST_USE;

#endif
