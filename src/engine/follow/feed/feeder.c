/* The thread that reads the feed. */
#include "engine/follow/feed/feeder.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/ring.h"
#include "engine/follow/feed/spool_file.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 50, HEALTH_PERIOD_MS = 1000 };

struct feeder {
    const struct feed_functions *functions;
    struct database *source;
    char *name;
    struct feed *feed;          /* NULL: the spool comes first */
    struct spool_reader *spool; /* NULL: there is none, or it is gone */
    struct ring *ring;
    pthread_t thread;
    _Atomic bool stopping;
    pthread_mutex_t mutex; /* the following */
    struct buffer confirmed;
    bool has_confirmed;
    struct feed_health health;
    bool failed;
    struct error error;
};

static void feeder_fail(struct feeder *feeder, const struct error *error)
{
    pthread_mutex_lock(&feeder->mutex);
    feeder->failed = true;
    error_copy(&feeder->error, error);
    pthread_mutex_unlock(&feeder->mutex);
}

static enum status tell_confirmed(struct feeder *feeder, struct buffer *scratch,
                                  struct error *error)
{
    pthread_mutex_lock(&feeder->mutex);
    bool has = feeder->has_confirmed;
    buffer_clear(scratch);
    if (has) {
        buffer_append_buffer(scratch, &feeder->confirmed);
        feeder->has_confirmed = false;
    }
    pthread_mutex_unlock(&feeder->mutex);
    if (!has) {
        return STATUS_OK;
    }
    const struct position position = position_kept(scratch);
    if (feeder->spool != NULL &&
        spool_reader_confirm(feeder->spool, position, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return feeder->feed != NULL ? feeder->functions->confirm(feeder->feed, position, error)
                                : STATUS_OK;
}

static enum status feeder_look(struct feeder *feeder, int64_t *next_ms, struct error *error)
{
    struct feed_health health = FEED_HEALTH_UNKNOWN;
    if (feeder->feed == NULL || feeder->functions->health == NULL ||
        clock_monotonic_ms() < *next_ms) {
        return STATUS_OK;
    }
    *next_ms = clock_monotonic_ms() + HEALTH_PERIOD_MS;
    enum status status = feeder->functions->health(feeder->feed, &health, error);
    pthread_mutex_lock(&feeder->mutex);
    feeder->health = health;
    pthread_mutex_unlock(&feeder->mutex);
    return status;
}

static enum status hand_over(struct feeder *feeder, struct change_set *set)
{
    size_t bytes = set->arena->bytes;
    enum status status;
    do {
        status = atomic_load(&feeder->stopping) ? STATUS_END
                                                : ring_push(feeder->ring, set, bytes, WAIT_MS);
    } while (status == STATUS_AGAIN);
    if (status != STATUS_OK) {
        arena_destroy(set->arena);
    }
    return status;
}

/* The next set is the spool's as long as there is something in it; then the feed's. */
static enum status next_set(struct feeder *feeder, struct change_set **set, struct error *error)
{
    if (feeder->feed == NULL) {
        enum status status = spool_reader_next(feeder->spool, set, error);
        if (status != STATUS_END) {
            return status;
        }
        if (feeder->functions->open(feeder->source, feeder->name, spool_reader_end(feeder->spool),
                                    &feeder->feed, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return feeder->functions->next(feeder->feed, WAIT_MS, set, error);
}

static void *read_feed(void *argument)
{
    struct feeder *feeder = argument;
    struct error error = {0};
    struct buffer scratch = {0};
    int64_t health_ms = 0;
    enum status status = STATUS_OK;
    while (status != STATUS_END && !atomic_load(&feeder->stopping)) {
        struct change_set *set;
        status = tell_confirmed(feeder, &scratch, &error);
        status = status == STATUS_OK ? feeder_look(feeder, &health_ms, &error) : status;
        status = status == STATUS_OK ? next_set(feeder, &set, &error) : status;
        if (status == STATUS_OK) {
            status = hand_over(feeder, set);
        } else if (status == STATUS_FAILED) {
            feeder_fail(feeder, &error);
            status = STATUS_END;
        }
    }
    if (atomic_load(&feeder->stopping)) {
        (void)tell_confirmed(feeder, &scratch, &error); /* else it is told with the next opening */
    }
    ring_close(feeder->ring);
    buffer_free(&scratch);
    return NULL;
}

static void feeder_destroy(struct feeder *feeder)
{
    if (feeder->feed != NULL) {
        feeder->functions->close(feeder->feed);
    }
    spool_reader_close(feeder->spool);
    free(feeder->name);
    free(feeder);
}

enum status feeder_open(struct database *source, const char *name, const char *spool_folder,
                        struct position position, size_t limit_bytes, struct feeder **made,
                        struct error *error)
{
    struct feeder *feeder = memory_allocate_zeroed(1, sizeof *feeder);
    *made = NULL;
    feeder->functions = source->connector->feed;
    feeder->source = source;
    feeder->name = memory_copy_string(name);
    feeder->health = FEED_HEALTH_UNKNOWN;
    if (spool_reader_open(spool_folder, position, feeder->functions->covers, &feeder->spool,
                          error) != STATUS_OK ||
        (feeder->spool == NULL &&
         feeder->functions->open(source, name, position, &feeder->feed, error) != STATUS_OK)) {
        feeder_destroy(feeder);
        return STATUS_FAILED;
    }
    feeder->ring = ring_create(limit_bytes);
    pthread_mutex_init(&feeder->mutex, NULL);
    int failure = pthread_create(&feeder->thread, NULL, read_feed, feeder);
    if (failure != 0) {
        ring_destroy(feeder->ring);
        pthread_mutex_destroy(&feeder->mutex);
        feeder_destroy(feeder);
        return error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
    }
    *made = feeder;
    return STATUS_OK;
}

void feeder_close(struct feeder *feeder)
{
    void *item;
    if (feeder == NULL) {
        return;
    }
    atomic_store(&feeder->stopping, true);
    pthread_join(feeder->thread, NULL);
    while (ring_pop(feeder->ring, &item, 0) == STATUS_OK) {
        arena_destroy(((struct change_set *)item)->arena);
    }
    ring_destroy(feeder->ring);
    buffer_free(&feeder->confirmed);
    pthread_mutex_destroy(&feeder->mutex);
    feeder_destroy(feeder);
}

enum status feeder_next(struct feeder *feeder, int64_t timeout_ms, struct change_set **set,
                        struct error *error)
{
    void *item = NULL;
    enum status status = ring_pop(feeder->ring, &item, timeout_ms);
    *set = item;
    if (status != STATUS_END) {
        return status;
    }
    pthread_mutex_lock(&feeder->mutex);
    bool failed = feeder->failed;
    if (failed) {
        error_copy(error, &feeder->error);
    }
    pthread_mutex_unlock(&feeder->mutex);
    return failed ? STATUS_FAILED
                  : error_set(error, ERROR_INTERNAL, NULL, "the feed's thread ended by itself");
}

void feeder_confirm(struct feeder *feeder, struct position position)
{
    pthread_mutex_lock(&feeder->mutex);
    position_keep(&feeder->confirmed, position);
    feeder->has_confirmed = true;
    pthread_mutex_unlock(&feeder->mutex);
}

void feeder_health(struct feeder *feeder, struct feed_health *health)
{
    pthread_mutex_lock(&feeder->mutex);
    *health = feeder->health;
    pthread_mutex_unlock(&feeder->mutex);
}
