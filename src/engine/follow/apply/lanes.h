/*
 * Applying changes in several lanes at once (--lanes): each with a connection and a thread of its
 * own, so that what a target takes to answer is waited for side by side.
 *
 *   one lane     sets go into the target as they come, on the caller's thread; whole transactions
 *   more lanes   a group of transactions is dealt out by lane_plan.h. Each lane puts its share in
 *                commits of its own, with its own position (position/FEED/LANE): what one
 *                transaction did in several lanes is not seen at once
 *   alone        a transaction that lane_plan.h wants alone, or that comes in pieces, is put whole
 *                by lane 0, behind everything before it and before anything behind it
 *
 * A lane's position says that its share of everything up to there is in the target. The feed goes
 * on from the smallest; what comes again and is in the target already is passed over lane by lane.
 * That holds only for the lanes that put the positions. So how changes were dealt out stands in the
 * ledger (intent "lanes") before anything is dealt out so, and after a stop they are dealt out in
 * the former way until all positions are the same; only then in another: another number of lanes,
 * or other keys of the target. From one lane on the intent is gone.
 *
 * Where nothing is passed over: a target without transactions is put back to the smallest position
 * in all lanes, and everything from there on is applied again, as after any stop. The same where a
 * transaction comes in pieces, whose end nobody knows, while some lanes are ahead.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_LANES_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_LANES_H

#include "engine/follow/apply/follow_rejects.h"
#include "engine/follow/apply/lane_plan.h"

/* Who is told, on the thread that calls. */
struct lanes_caller {
    void *context;
    /* These sets are in the target, durably, up to a commit that may be their transaction's last
     * piece's. */
    enum status (*applied)(void *context, struct followed_set *const *sets, uint32_t count,
                           struct error *error);
    /* The records of them that the target did not take; `sets` are as apply_sets got them. */
    enum status (*refused)(void *context, const struct change_set *const *sets, uint32_t count,
                           const struct apply_result *result, struct error *error);
};

struct lanes_request {
    struct run *run;
    const struct followed_form *form;
    uint32_t count;
    const struct position *from;    /* where all lanes are put; NULL: they are where they were */
    struct follow_rejects *rejects; /* that the lanes note; begun */
    struct lanes_caller caller;
    struct apply_absent absent;
};

struct lanes; /* one thread's */
enum status lanes_open(const struct lanes_request *request, struct lanes **lanes,
                       struct error *error) MUST_USE;
/* Sets that were handed over and not begun are dropped. NULL is fine. */
void lanes_close(struct lanes *lanes);

/* Up to here everything is in the target, in all lanes. Until the next call of any function. */
struct position lanes_position(struct lanes *lanes);
/* No lane is ahead of another one since an earlier stop. */
bool lanes_are_even(const struct lanes *lanes);

/* Takes the sets over, also where it fails. May return before they are in the target. Sets that are
 * behind one another in position, or where everything is even, at the position of all lanes. */
enum status lanes_apply(struct lanes *lanes, struct followed_set *const *sets, uint32_t count,
                        struct error *error) MUST_USE;
/* Until everything that was handed over is in the target, and all lanes are at its end. */
enum status lanes_wait(struct lanes *lanes, struct error *error) MUST_USE;
/* apply_functions.list, once everything that was handed over is in the target. */
enum status lanes_list(struct lanes *lanes, const struct apply_listing *listing, apply_found *found,
                       void *context, struct error *error) MUST_USE;
/* Likewise apply_functions.find. */
enum status lanes_find(struct lanes *lanes, const struct apply_search *search, apply_record *take,
                       void *context, struct error *error) MUST_USE;
/* Called again and again; `idle`: nothing came. Positions of lanes that had nothing to do move. */
enum status lanes_tick(struct lanes *lanes, bool idle, struct error *error) MUST_USE;

/* Commits what waits to be noted (follow_rejects.h) with the position where the target is. `empty`:
 * a set without changes at that position, which is taken over. Between transactions. */
enum status lanes_commit_notes(struct lanes *lanes, struct followed_set *empty,
                               struct error *error) MUST_USE;

#endif
