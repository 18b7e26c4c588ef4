/* The threads of lanes. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/follow/apply/lanes_internal.h"

enum { LOCK_TRIES = 5, LOCK_WAIT_MS = 20 };

static void lane_thread_append(struct lane_list *list, struct lane_job *job)
{
    job->next = NULL;
    if (list->end == NULL) {
        list->end = &list->first;
    }
    *list->end = job;
    list->end = &job->next;
}

static struct lane_job *lane_thread_take(struct lane_list *list)
{
    struct lane_job *job = list->first;
    if (job != NULL) {
        list->first = job->next;
        list->end = list->first != NULL ? list->end : NULL;
    }
    return job;
}

/* Two lanes that wait for each other's locks: one of them was rolled back, and is begun again. */
static enum status apply_job(struct lane *lane, struct lane_job *job, struct error *error)
{
    bool whole = job->sets[0]->first_piece && job->sets[job->count - 1]->last_piece;
    enum status status = STATUS_OK;
    for (int tries = 1;; tries++) {
        arena_reset(job->arena);
        status = lane_apply(lane, job->sets, job->count, job->arena, &job->result, error);
        if (status == STATUS_OK || error->code != ERROR_TARGET_LOCKED || !whole ||
            tries == LOCK_TRIES || signals_stop_level() > 1) {
            return status;
        }
        log_write(LOG_DEBUG, "a lane is begun again: %s", error->message);
        clock_sleep_ms((int64_t)LOCK_WAIT_MS * tries * (1 + (int64_t)job->lane));
    }
}

static void *run_lane(void *argument)
{
    struct lane *lane = argument;
    struct lanes *lanes = lane->lanes;
    pthread_mutex_lock(&lanes->mutex);
    while (!lanes->stopping && !lanes->failed) {
        struct lane_job *job = lane_thread_take(&lane->queue);
        if (job == NULL) {
            pthread_cond_wait(&lanes->work, &lanes->mutex);
            continue;
        }
        pthread_mutex_unlock(&lanes->mutex);
        struct error error = {0};
        job->status = apply_job(lane, job, &error);
        pthread_mutex_lock(&lanes->mutex);
        if (job->status != STATUS_OK && !lanes->failed) {
            lanes->failed = true;
            error_copy(&lanes->error, &error);
            pthread_cond_broadcast(&lanes->work);
        }
        lane_thread_append(&lanes->finished, job);
        pthread_cond_signal(&lanes->done);
    }
    pthread_mutex_unlock(&lanes->mutex);
    return NULL;
}

enum status lane_threads_start(struct lanes *lanes, struct error *error)
{
    lanes->stopping = false;
    for (uint32_t i = 0; i < lanes->count; i++) {
        int failure = pthread_create(&lanes->lanes[i].thread, NULL, run_lane, &lanes->lanes[i]);
        if (failure != 0) {
            return error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
        }
        lanes->lanes[i].runs = true;
    }
    return STATUS_OK;
}

void lane_threads_stop(struct lanes *lanes)
{
    struct lane_job *job;
    pthread_mutex_lock(&lanes->mutex);
    lanes->stopping = true;
    pthread_cond_broadcast(&lanes->work);
    pthread_mutex_unlock(&lanes->mutex);
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->lanes[i].runs) {
            pthread_join(lanes->lanes[i].thread, NULL);
            lanes->lanes[i].runs = false;
        }
        while ((job = lane_thread_take(&lanes->lanes[i].queue)) != NULL) {
            job->status = STATUS_END;
            lane_thread_append(&lanes->finished, job);
        }
    }
}

void lane_send(struct lanes *lanes, struct lane_job *job)
{
    pthread_mutex_lock(&lanes->mutex);
    lane_thread_append(&lanes->lanes[job->lane].queue, job);
    pthread_cond_broadcast(&lanes->work);
    pthread_mutex_unlock(&lanes->mutex);
}

struct lane_job *lane_finished(struct lanes *lanes, bool wait)
{
    pthread_mutex_lock(&lanes->mutex);
    while (wait && lanes->finished.first == NULL && !lanes->failed) {
        pthread_cond_wait(&lanes->done, &lanes->mutex);
    }
    struct lane_job *job = lane_thread_take(&lanes->finished);
    pthread_mutex_unlock(&lanes->mutex);
    return job;
}

enum status lane_check(struct lanes *lanes, struct error *error)
{
    pthread_mutex_lock(&lanes->mutex);
    bool failed = lanes->failed;
    if (failed) {
        error_copy(error, &lanes->error);
    }
    pthread_mutex_unlock(&lanes->mutex);
    return failed ? STATUS_FAILED : STATUS_OK;
}
