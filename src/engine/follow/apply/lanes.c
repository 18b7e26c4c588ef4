/* Groups of transactions, dealt out to lanes. */
#include "engine/follow/apply/lanes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/follow/apply/lanes_internal.h"
#include <stdlib.h>
#include <string.h>

enum {
    GROUPS_MAX = 4,  /* that are under way */
    BYTES_SHARE = 8, /* of the memory that a run may use, for them */
    PUSH_MS = 1000
};

/* ---- opening and closing */

enum status lanes_open(const struct lanes_request *request, struct lanes **made,
                       struct error *error)
{
    struct lanes *lanes = memory_allocate_zeroed(1, sizeof *lanes);
    lanes->run = request->run;
    lanes->functions = request->run->session->target->connector->apply;
    lanes->form = request->form;
    lanes->caller = request->caller;
    lanes->rejects = request->rejects;
    lanes->absent = request->absent;
    lanes->wanted = request->count > 1 ? request->count : 1;
    lanes->groups_end = &lanes->groups;
    pthread_mutex_init(&lanes->mutex, NULL);
    pthread_cond_init(&lanes->work, NULL);
    pthread_cond_init(&lanes->done, NULL);
    if (lanes_begin(lanes, request->from, error) != STATUS_OK) {
        lanes_close(lanes);
        lanes = NULL;
    }
    *made = lanes;
    return lanes != NULL ? STATUS_OK : STATUS_FAILED;
}

static void free_group(struct lanes *lanes, struct lane_group *group)
{
    for (uint32_t i = 0; i < group->count; i++) {
        arena_destroy(group->sets[i]->set.arena);
    }
    lanes->bytes -= group->bytes;
    lanes->group_count--;
    arena_destroy(group->arena);
}

/* Groups that all lanes are done with are told of in their order. */
static enum status settle_groups(struct lanes *lanes, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && lanes->groups != NULL && lanes->groups->pending == 0) {
        struct lane_group *group = lanes->groups;
        lanes->groups = group->next;
        lanes->groups_end = lanes->groups != NULL ? lanes->groups_end : &lanes->groups;
        status = lanes->caller.applied(lanes->caller.context, group->sets, group->count, error);
        free_group(lanes, group);
    }
    return status;
}

/* Takes a job that a lane has done. */
static enum status take_job(struct lanes *lanes, struct lane_job *job, struct error *error)
{
    struct lane *lane = &lanes->lanes[job->lane];
    enum status status = job->status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
    lane->outstanding--;
    if (status == STATUS_OK && job->sets[job->count - 1]->last_piece) {
        position_keep(&lane->applied, job->sets[job->count - 1]->end);
    }
    if (status == STATUS_OK && job->result.refusal_count > 0) {
        status = lanes->caller.refused(lanes->caller.context, job->sets, job->count, &job->result,
                                       error);
    }
    if (status == STATUS_OK && job->group != NULL) {
        job->group->pending--;
    }
    arena_destroy(job->arena);
    if (job->own != NULL) {
        arena_destroy(job->own);
    }
    free(job);
    return status == STATUS_OK ? settle_groups(lanes, error) : status;
}

/* All jobs that are done; waits for one if `wait`. */
static enum status take_finished(struct lanes *lanes, bool wait, struct error *error)
{
    struct lane_job *job = lane_finished(lanes, wait);
    enum status status = STATUS_OK;
    for (; job != NULL; job = lane_finished(lanes, false)) {
        struct error ignored = {0}; /* a lane's own failure is told by lane_check */
        bool failed = job->status != STATUS_OK;
        enum status taken = take_job(lanes, job, failed ? &ignored : error);
        status = status == STATUS_OK && !failed ? taken : status;
        if (status != STATUS_OK) {
            break;
        }
    }
    return status == STATUS_OK ? lane_check(lanes, error) : status;
}

void lanes_take_rest(struct lanes *lanes)
{
    struct lane_job *job;
    struct error ignored = {0};
    while ((job = lane_finished(lanes, false)) != NULL) {
        (void)!take_job(lanes, job, &ignored);
    }
}

void lanes_close(struct lanes *lanes)
{
    if (lanes == NULL) {
        return;
    }
    lanes_end(lanes);
    while (lanes->groups != NULL) {
        struct lane_group *group = lanes->groups;
        lanes->groups = group->next;
        free_group(lanes, group);
    }
    buffer_free(&lanes->end);
    buffer_free(&lanes->lowest);
    pthread_cond_destroy(&lanes->work);
    pthread_cond_destroy(&lanes->done);
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes);
}

struct position lanes_position(struct lanes *lanes)
{
    return lanes_lowest(lanes, lanes->count);
}

bool lanes_are_even(const struct lanes *lanes)
{
    return lanes->even;
}

/* ---- waiting */

static bool is_busy(const struct lanes *lanes)
{
    bool busy = false;
    for (uint32_t i = 0; i < lanes->count; i++) {
        busy = busy || lanes->lanes[i].outstanding > 0;
    }
    return busy;
}

static enum status wait_for_all(struct lanes *lanes, struct error *error)
{
    enum status status = take_finished(lanes, false, error);
    while (status == STATUS_OK && is_busy(lanes)) {
        status = take_finished(lanes, true, error);
    }
    return status;
}

static enum status wait_for_room(struct lanes *lanes, struct error *error)
{
    size_t most = lanes->run->session->options.limits.memory_bytes / BYTES_SHARE;
    enum status status = take_finished(lanes, false, error);
    while (status == STATUS_OK && lanes->group_count > 1 &&
           (lanes->group_count > GROUPS_MAX || lanes->bytes > most)) {
        status = take_finished(lanes, true, error);
    }
    return status;
}

static void lanes_send(struct lanes *lanes, struct lane_job *job)
{
    lanes->lanes[job->lane].outstanding++;
    lane_send(lanes, job);
}

static void send_position(struct lanes *lanes, uint32_t lane, struct position position)
{
    struct lane_job *job = memory_allocate_zeroed(1, sizeof *job);
    job->own = arena_create(0);
    job->arena = arena_create(0);
    job->lane = lane;
    job->count = 1;
    job->sets = arena_allocate_zeroed(job->own, 1, sizeof *job->sets);
    job->sets[0] = lanes_empty_set(lanes, position, job->own);
    position_keep(&lanes->lanes[lane].sent, position);
    lanes_send(lanes, job);
}

/* To lanes that have nothing else to do, or to all. */
static void push_positions(struct lanes *lanes, bool all)
{
    const struct position end = position_kept(&lanes->end);
    for (uint32_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lanes[i];
        if ((all || lane->outstanding == 0) &&
            feed_order_of(lanes_feed(lanes), position_kept(&lane->sent), end) == POSITION_BEFORE) {
            send_position(lanes, i, end);
        }
    }
    lanes->pushed_ms = clock_monotonic_ms();
}

enum status lanes_wait(struct lanes *lanes, struct error *error)
{
    if (lanes->count > 1 && !lanes->alone) {
        push_positions(lanes, true);
    }
    return wait_for_all(lanes, error);
}

/* Nothing is under way then, so that the first lane's thread has no use of its handle. */
enum status lanes_list(struct lanes *lanes, const struct apply_listing *listing, apply_found *found,
                       void *context, struct error *error)
{
    enum status status = wait_for_all(lanes, error);
    return status == STATUS_OK
               ? lanes->functions->list(lanes->run->session->target, lanes->lanes[0].apply, listing,
                                        found, context, error)
               : status;
}

enum status lanes_find(struct lanes *lanes, const struct apply_search *search, apply_record *take,
                       void *context, struct error *error)
{
    enum status status = wait_for_all(lanes, error);
    return status == STATUS_OK
               ? lanes->functions->find(lanes->run->session->target, lanes->lanes[0].apply, search,
                                        take, context, error)
               : status;
}

/* Lanes that an earlier process left uneven are levelled: from here on changes may be dealt out
 * anew. */
static enum status note_even(struct lanes *lanes, struct error *error)
{
    const struct position end = position_kept(&lanes->end);
    bool even = true;
    for (uint32_t i = 0; i < lanes->count && !lanes->even; i++) {
        even = even && lanes_feed(lanes)->covers(end, position_kept(&lanes->lanes[i].sent));
    }
    lanes->even = lanes->even || even;
    if (!lanes->even || !lanes->former || lanes->alone) {
        return STATUS_OK;
    }
    if (lanes_wait(lanes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    lanes_end(lanes);
    return lanes_begin(lanes, NULL, error);
}

enum status lanes_tick(struct lanes *lanes, bool idle, struct error *error)
{
    if (lanes->count == 1) {
        return idle && lanes->functions->idle != NULL
                   ? lanes->functions->idle(lanes->lanes[0].apply, error)
                   : STATUS_OK;
    }
    if (!lanes->alone && (idle || clock_monotonic_ms() - lanes->pushed_ms >= PUSH_MS)) {
        push_positions(lanes, false);
    }
    enum status status = take_finished(lanes, false, error);
    return status == STATUS_OK ? note_even(lanes, error) : status;
}

/* ---- shares */

static struct lane_group *make_group(struct lanes *lanes, struct followed_set *const *sets,
                                     uint32_t count)
{
    struct arena *arena = arena_create(0);
    struct lane_group *group = arena_allocate_zeroed(arena, 1, sizeof *group);
    group->arena = arena;
    group->count = count;
    group->sets = arena_allocate_zeroed(arena, count + (size_t)1, sizeof(struct followed_set *));
    memcpy(group->sets, sets, count * sizeof *sets);
    for (uint32_t i = 0; i < count; i++) {
        group->bytes += sets[i]->set.arena->bytes;
    }
    *lanes->groups_end = group;
    lanes->groups_end = &group->next;
    lanes->bytes += group->bytes;
    lanes->group_count++;
    return group;
}

static struct lane_job *make_job(struct lane_group *group, uint32_t lane, uint32_t sets)
{
    struct lane_job *job = memory_allocate_zeroed(1, sizeof *job);
    job->group = group;
    job->lane = lane;
    job->arena = arena_create(0);
    job->sets = arena_allocate_zeroed(group->arena, sets + (size_t)1, sizeof *job->sets);
    group->pending++;
    return job;
}

/* A share of one set, as a set of the same transaction. */
static struct change_set *make_share(struct arena *arena, const struct change_set *from,
                                     uint32_t count)
{
    struct change_set *share = arena_allocate_zeroed(arena, 1, sizeof *share);
    *share = *from;
    share->changes = arena_allocate_zeroed(arena, count, sizeof *share->changes);
    share->change_count = 0;
    return share;
}

/* A share of one set for each lane that has one; `lane_of`: of its changes. */
static void share_set(struct lanes *lanes, struct lane_group *group, const struct change_set *set,
                      const uint32_t *lane_of, struct lane_job **jobs)
{
    uint32_t counts[LANES_MAX] = {0};
    struct change_set *shares[LANES_MAX] = {NULL};
    for (uint32_t c = 0; c < set->change_count; c++) {
        counts[lane_of[c]]++;
    }
    for (uint32_t i = 0; i < lanes->count; i++) {
        bool is_there = !lanes->even &&
                        lanes_feed(lanes)->covers(position_kept(&lanes->lanes[i].sent), set->end);
        if (counts[i] > 0 && !is_there) {
            jobs[i] = jobs[i] != NULL ? jobs[i] : make_job(group, i, group->count);
            shares[i] = make_share(group->arena, set, counts[i]);
            shares[i]->ahead = shares[i]->ahead || !lanes->even; /* as in apply_alone */
            jobs[i]->sets[jobs[i]->count++] = shares[i];
        }
    }
    for (uint32_t c = 0; c < set->change_count; c++) {
        struct change_set *share = shares[lane_of[c]];
        if (share != NULL) {
            ((struct record_change *)share->changes)[share->change_count++] = set->changes[c];
        }
    }
}

/* Lanes that are ahead go back to where the others are: what they have done is done again. */
static enum status go_back(struct lanes *lanes, const char *reason, struct error *error)
{
    const struct position end = position_kept(&lanes->end);
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (!lanes_feed(lanes)->covers(end, position_kept(&lanes->lanes[i].sent))) {
            send_position(lanes, i, end);
        }
    }
    lanes->even = true;
    log_write(LOG_DEBUG, "%s: all lanes apply it, and what is behind it", reason);
    return wait_for_all(lanes, error);
}

/* Lanes that an earlier process left ahead, along the log of another server: in this one's the
 * transactions have another order, in which nothing says how far such a lane is. */
static enum status align_apart(struct lanes *lanes, struct followed_set *const *sets,
                               uint32_t count, struct error *error)
{
    bool apart = false;
    for (uint32_t s = 0; s < count && !lanes->even; s++) {
        for (uint32_t i = 0; i < lanes->count; i++) {
            apart = apart || feed_order_of(lanes_feed(lanes), sets[s]->set.end,
                                           position_kept(&lanes->lanes[i].sent)) == POSITION_APART;
        }
    }
    return apart ? go_back(lanes, "a transaction comes in another order", error) : STATUS_OK;
}

/* Whole transactions, none of which wants to be alone. */
static enum status deal_out(struct lanes *lanes, struct followed_set *const *sets, uint32_t count,
                            uint32_t *const *lanes_of, struct error *error)
{
    if (align_apart(lanes, sets, count, error) != STATUS_OK) {
        for (uint32_t i = 0; i < count; i++) {
            arena_destroy(sets[i]->set.arena);
        }
        return STATUS_FAILED;
    }
    struct lane_group *group = make_group(lanes, sets, count);
    struct lane_job *jobs[LANES_MAX] = {NULL};
    const struct position end = sets[count - 1]->set.end;
    for (uint32_t i = 0; i < count; i++) {
        share_set(lanes, group, &sets[i]->set, lanes_of[i], jobs);
    }
    position_keep(&lanes->end, end);
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (jobs[i] != NULL) {
            ((struct change_set *)jobs[i]->sets[jobs[i]->count - 1])->end = end;
            position_keep(&lanes->lanes[i].sent, end);
            lanes_send(lanes, jobs[i]);
        }
    }
    enum status status = settle_groups(lanes, error);
    return status == STATUS_OK ? wait_for_room(lanes, error) : status;
}

/* ---- what is alone */

static enum status apply_alone(struct lanes *lanes, struct followed_set *set, struct error *error)
{
    bool begins = !lanes->alone;
    bool whole = set->set.first_piece && set->set.last_piece;
    enum status status = begins ? lanes_wait(lanes, error) : STATUS_OK;
    if (status == STATUS_OK && !lanes->even && !whole) {
        status = go_back(lanes, "a transaction comes in pieces", error);
    }
    status = status == STATUS_OK ? align_apart(lanes, &set, 1, error) : status;
    if (status != STATUS_OK) {
        arena_destroy(set->set.arena);
        return status;
    }
    struct lane_group *group = make_group(lanes, &set, 1);
    bool is_there = !lanes->even &&
                    lanes_feed(lanes)->covers(position_kept(&lanes->lanes[0].sent), set->set.end);
    bool ends = set->set.last_piece;
    /* a source that tells no transactions may have cut what a lane has done elsewhere: the lane is
     * ahead of some of the set then */
    set->set.ahead = set->set.ahead || !lanes->even;
    lanes->alone = !ends;
    if (ends) {
        position_keep(&lanes->end, set->set.end);
    }
    if (!is_there) {
        struct lane_job *job = make_job(group, 0, 1);
        job->sets[job->count++] = &set->set;
        if (ends) {
            position_keep(&lanes->lanes[0].sent, set->set.end);
        }
        lanes_send(lanes, job);
    }
    status = settle_groups(lanes, error);
    if (status == STATUS_OK && ends) { /* lane 0 first: it is what the others' positions tell of */
        status = wait_for_all(lanes, error);
        status = status == STATUS_OK ? lanes_wait(lanes, error) : status;
    }
    return status == STATUS_OK ? wait_for_room(lanes, error) : status;
}

/* ---- handing over */

/* The lanes of its changes. False: it wants to be alone. */
static bool find_lanes(struct lanes *lanes, const struct change_set *set, uint32_t *lane_of)
{
    bool shared = set->first_piece && set->last_piece && !lanes->alone;
    for (uint32_t c = 0; shared && c < set->change_count; c++) {
        lane_of[c] = lane_plan_lane(lanes->plan, &set->changes[c]);
        shared = lane_of[c] != LANE_ALONE;
    }
    return shared;
}

static enum status apply_in_lanes(struct lanes *lanes, struct followed_set *const *sets,
                                  uint32_t count, uint32_t *taken, struct error *error)
{
    struct arena *arena = arena_create(0);
    uint32_t **lanes_of = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *lanes_of);
    enum status status = STATUS_OK;
    while (*taken < count && status == STATUS_OK) {
        uint32_t first = *taken;
        uint32_t end = first;
        bool shared = true;
        while (end < count && shared) {
            lanes_of[end] = arena_allocate_zeroed(arena, sets[end]->set.change_count + (size_t)1,
                                                  sizeof **lanes_of);
            shared = find_lanes(lanes, &sets[end]->set, lanes_of[end]);
            end += shared;
        }
        if (end > first) {
            *taken = end;
            status = deal_out(lanes, sets + first, end - first, lanes_of + first, error);
        }
        if (status == STATUS_OK && !shared) {
            *taken = end + 1;
            status = apply_alone(lanes, sets[end], error);
        }
    }
    arena_destroy(arena);
    return status;
}

static enum status apply_at_once(struct lanes *lanes, struct followed_set *const *sets,
                                 uint32_t count, struct error *error)
{
    struct lane *lane = &lanes->lanes[0];
    struct arena *arena = arena_create(0);
    struct apply_result result = {0};
    const struct change_set **all = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *all);
    for (uint32_t i = 0; i < count; i++) {
        all[i] = &sets[i]->set;
    }
    enum status status = lane_apply(lane, all, count, arena, &result, error);
    if (status == STATUS_OK && result.refusal_count > 0) {
        status = lanes->caller.refused(lanes->caller.context, all, count, &result, error);
    }
    if (status == STATUS_OK && all[count - 1]->last_piece) {
        position_keep(&lane->applied, all[count - 1]->end);
    }
    status = status == STATUS_OK ? lanes->caller.applied(lanes->caller.context, sets, count, error)
                                 : status;
    for (uint32_t i = 0; i < count; i++) {
        arena_destroy(sets[i]->set.arena);
    }
    arena_destroy(arena);
    return status;
}

enum status lanes_apply(struct lanes *lanes, struct followed_set *const *sets, uint32_t count,
                        struct error *error)
{
    uint32_t taken = 0;
    if (lanes->count == 1) {
        return apply_at_once(lanes, sets, count, error);
    }
    enum status status = apply_in_lanes(lanes, sets, count, &taken, error);
    for (uint32_t i = taken; i < count; i++) {
        arena_destroy(sets[i]->set.arena);
    }
    return status == STATUS_OK ? note_even(lanes, error) : status;
}

enum status lanes_commit_notes(struct lanes *lanes, struct followed_set *empty, struct error *error)
{
    if (lanes->count == 1) {
        return lanes_apply(lanes, &empty, 1, error);
    }
    arena_destroy(empty->set.arena);
    enum status status = lanes_wait(lanes, error);
    if (status == STATUS_OK) {
        send_position(lanes, 0, position_kept(&lanes->end));
        status = wait_for_all(lanes, error);
    }
    return status;
}
