/*
 * Declarations that the files of lanes.h share.
 *
 *   lanes.c        groups into shares, waiting, and what is alone
 *   lanes_open.c   positions, and how changes are dealt out
 *   lane_position.c  where a lane's position is
 *   lane_thread.c  the threads
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_LANES_INTERNAL_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_LANES_INTERNAL_H

#include "engine/follow/apply/lanes.h"
#include "engine/follow/feed/spool_file.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/session/session.h"
#include <pthread.h>

struct lanes;

/* Sets that were handed over and are not in the target in all lanes. */
struct lane_group {
    struct arena *arena;
    struct followed_set **sets;
    uint32_t count;
    uint32_t pending; /* jobs */
    size_t bytes;
    struct lane_group *next;
};

/* One call of apply_sets. */
struct lane_job {
    struct lane_group *group;       /* NULL: it is a position alone */
    const struct change_set **sets; /* in the group's arena, or in this one: */
    struct arena *own;              /* of a position alone; else NULL */
    uint32_t count;
    struct arena *arena; /* of the result */
    struct apply_result result;
    enum status status;
    uint32_t lane;
    struct lane_job *next;
};

struct lane_list {
    struct lane_job *first;
    struct lane_job **end;
};

struct lane {
    struct lanes *lanes;
    uint32_t number;
    struct apply *apply;
    struct store *store;         /* of the ledger, where the position is there; else NULL */
    struct ledger_position kept; /* likewise, but for its bytes */
    pthread_t thread;
    bool runs;
    struct lane_list queue; /* under the mutex */
    struct follow_noting *noting;
    /* the caller's: */
    uint32_t outstanding;  /* jobs */
    struct buffer sent;    /* its position once they are done */
    struct buffer applied; /* its position */
};

struct lanes {
    struct run *run;
    const struct apply_functions *functions;
    const struct followed_form *form;
    struct lanes_caller caller;
    struct follow_rejects *rejects;
    struct apply_absent absent;
    uint32_t wanted;
    struct lane_plan *plan; /* NULL: one lane */
    struct lane *lanes;
    uint32_t count;
    /* under the mutex */
    pthread_mutex_t mutex;
    pthread_cond_t work;
    pthread_cond_t done;
    bool stopping;
    bool failed;
    struct error error;
    struct lane_list finished;
    /* the caller's */
    struct lane_group *groups; /* in their order */
    struct lane_group **groups_end;
    uint32_t group_count;
    size_t bytes;         /* of them */
    struct buffer end;    /* of all that was handed over */
    struct buffer lowest; /* lanes_lowest */
    bool even;            /* no lane is ahead */
    bool former;          /* changes are dealt out as by an earlier process */
    bool alone;           /* a transaction is under way whose pieces go to lane 0 */
    int64_t pushed_ms;    /* when lanes were last sent a position alone */
};

static inline const struct feed_functions *lanes_feed(const struct lanes *lanes)
{
    return lanes->run->session->source->connector->feed;
}

/* ---- lane_position.c */

/* Reads where the lane is, in the arena. STATUS_END: it has no position yet. Once, after `apply`
 * was opened. */
enum status lane_position_open(struct lane *lane, struct arena *arena, struct position *position,
                               struct error *error) MUST_USE;
void lane_position_close(struct lane *lane);
/* apply_sets, after which the position and what is noted of the sets are kept. */
enum status lane_apply(struct lane *lane, const struct change_set *const *sets, uint32_t count,
                       struct arena *arena, struct apply_result *result,
                       struct error *error) MUST_USE;

/* ---- lane_thread.c */

enum status lane_threads_start(struct lanes *lanes, struct error *error) MUST_USE;
/* They end behind what they are at; what was not begun is finished with STATUS_END. */
void lane_threads_stop(struct lanes *lanes);
/* Hands a job to its lane. */
void lane_send(struct lanes *lanes, struct lane_job *job);
/* Jobs that are done, in any order; waits for one if there is none and `wait`. */
struct lane_job *lane_finished(struct lanes *lanes, bool wait);
/* STATUS_FAILED: what a lane failed with. */
enum status lane_check(struct lanes *lanes, struct error *error) MUST_USE;

/* ---- lanes.c */

/* Takes the last jobs of threads that have ended, so that what they did is told of. */
void lanes_take_rest(struct lanes *lanes);

/* ---- lanes_open.c */

/* The handles at their positions, and the way in which changes are dealt out. */
enum status lanes_begin(struct lanes *lanes, const struct position *from,
                        struct error *error) MUST_USE;
void lanes_end(struct lanes *lanes);
/* The position that each of the first so many lanes has reached, until the next call. */
struct position lanes_lowest(struct lanes *lanes, uint32_t count);
/* A set without changes, which moves the position on. In the arena. */
const struct change_set *lanes_empty_set(const struct lanes *lanes, struct position position,
                                         struct arena *arena);

#endif
