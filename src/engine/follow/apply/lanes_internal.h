/*
 * What the files of lanes.h share.
 *
 *   lanes.c        groups into shares, waiting, and what is alone
 *   lanes_open.c   positions, and how changes are dealt out
 *   lane_thread.c  the threads
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_APPLY_LANES_INTERNAL_H
#define TRANSHUME_ENGINE_FOLLOW_APPLY_LANES_INTERNAL_H

#include "engine/follow/apply/lanes.h"
#include "engine/follow/feed/spool_file.h"
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
    struct apply *apply;
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
    size_t bytes;      /* of them */
    struct buffer end; /* of all that was handed over */
    bool even;         /* no lane is ahead */
    bool former;       /* changes are dealt out as by an earlier process */
    bool alone;        /* a transaction is under way whose pieces go to lane 0 */
    int64_t pushed_ms; /* when lanes were last sent a position alone */
};

static inline enum position_order lanes_compare(const struct lanes *lanes, struct position left,
                                                struct position right)
{
    return lanes->run->session->source->connector->feed->compare(left, right);
}

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

/* Of the threads that have ended: what they did is told of. */
void lanes_take_rest(struct lanes *lanes);

/* ---- lanes_open.c */

/* The handles at their positions, and the way in which changes are dealt out. */
enum status lanes_begin(struct lanes *lanes, const struct position *from,
                        struct error *error) MUST_USE;
void lanes_end(struct lanes *lanes);
/* A set without changes, which moves the position on. In the arena. */
const struct change_set *lanes_empty_set(const struct lanes *lanes, struct position position,
                                         struct arena *arena);

#endif
