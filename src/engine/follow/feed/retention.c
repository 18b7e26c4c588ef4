/* Bounds on what the source keeps for the feed. */
#include "engine/follow/feed/retention.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include <pthread.h>
#include <stdlib.h>

enum { WATCH_PERIOD_MS = 2000, SIZE_BYTES = 32 };

void retention_init(struct retention *retention, struct run *run)
{
    *retention =
        (struct retention){.run = run, .limit = run->session->options.follow.retained_bytes_max};
}

/* ---- warnings */

static void tell_half(struct retention *retention, int64_t kept)
{
    char size[SIZE_BYTES];
    char limit[SIZE_BYTES];
    text_human_bytes((uint64_t)kept, size, sizeof size);
    text_human_bytes(retention->limit, limit, sizeof limit);
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_RETENTION, .code = "limit", .state = "began", .count = kept,
                       .hint = "make the target faster, or allow more with --max-retained"),
              "the source keeps %s of its log for the feed, more than half of --max-retained %s",
              size, limit);
}

static void tell_source(int64_t kept, int64_t left)
{
    char size[SIZE_BYTES];
    char more[SIZE_BYTES];
    text_human_bytes((uint64_t)kept, size, sizeof size);
    text_human_bytes((uint64_t)left, more, sizeof more);
    if (left == 0) {
        log_event(LOG_WARNING,
                  EVENT_OF(EVENT_RETENTION, .code = "source", .state = "began", .count = kept,
                           .hint = "raise the server's bound on it (PostgreSQL: "
                                   "max_slot_wal_keep_size)"),
                  "the source keeps %s of its log for the feed, which is all it may: it can drop "
                  "changes that are not applied at any moment",
                  size);
        return;
    }
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_RETENTION, .code = "source", .state = "began", .count = kept,
                       .hint = "make the target faster, or raise the server's bound (PostgreSQL: "
                               "max_slot_wal_keep_size)"),
              "the source keeps %s of its log for the feed, and after %s more it drops changes "
              "that are not applied",
              size, more);
}

static void tell_end(const char *code, int64_t kept)
{
    char size[SIZE_BYTES];
    text_human_bytes((uint64_t)kept, size, sizeof size);
    log_event(LOG_INFO, EVENT_OF(EVENT_RETENTION, .code = code, .state = "ended", .count = kept),
              "the source keeps %s of its log for the feed again", size);
}

static void watch_limit(struct retention *retention, int64_t kept)
{
    uint64_t limit = retention->limit;
    if (!retention->near_limit && (uint64_t)kept > limit / 2) {
        retention->near_limit = true;
        tell_half(retention, kept);
    } else if (retention->near_limit && (uint64_t)kept < limit / 4) {
        retention->near_limit = false;
        tell_end("limit", kept);
    }
}

static void watch_source(struct retention *retention, int64_t kept, int64_t left)
{
    if (!retention->near_source && left <= kept) {
        retention->near_source = true;
        tell_source(kept, left);
    } else if (retention->near_source && left / 3 > kept) {
        retention->near_source = false;
        tell_end("source", kept);
    }
}

/* A source that keeps its log for a time, whoever reads it. */
static void watch_expiry(struct retention *retention, int64_t lag_us, int64_t keeps_us)
{
    char behind[SIZE_BYTES];
    char kept[SIZE_BYTES];
    text_human_seconds((double)lag_us / 1e6, behind, sizeof behind);
    text_human_seconds((double)keeps_us / 1e6, kept, sizeof kept);
    if (!retention->near_expiry && lag_us > keeps_us / 2) {
        retention->near_expiry = true;
        log_event(LOG_WARNING,
                  EVENT_OF(EVENT_RETENTION, .code = "source", .state = "began",
                           .hint = "make the target faster, or have the server keep its log for "
                                   "longer: SET GLOBAL binlog_expire_logs_seconds"),
                  "following is %s behind, and the source keeps its log for no more than %s",
                  behind, kept);
    } else if (retention->near_expiry && lag_us < keeps_us / 4) {
        retention->near_expiry = false;
        log_event(LOG_INFO, EVENT_OF(EVENT_RETENTION, .code = "source", .state = "ended"),
                  "following is %s behind again", behind);
    }
}

/* ---- the bound */

static bool drops(const struct run *run)
{
    return run->session->options.follow.drop_when_full;
}

/* Who comes back after a while finds more than is allowed, and would only make it worse by ending
 * again. */
static void look_first(struct retention *retention, int64_t kept)
{
    char size[SIZE_BYTES];
    uint64_t limit = retention->limit;
    retention->looked = true;
    if (limit == 0 || kept < 0 || (uint64_t)kept <= limit || drops(retention->run)) {
        return;
    }
    retention->limit = (uint64_t)kept + limit / 2;
    retention->near_limit = true;
    text_human_bytes((uint64_t)kept, size, sizeof size);
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_RETENTION, .code = "limit", .state = "began", .count = kept),
              "the source keeps %s of its log for the feed already, more than --max-retained "
              "allows; following ends only if it still grows",
              size);
}

static enum status full(const struct retention *retention, int64_t kept, struct error *error)
{
    const struct run *run = retention->run;
    char size[SIZE_BYTES];
    char limit[SIZE_BYTES];
    text_human_bytes((uint64_t)kept, size, sizeof size);
    text_human_bytes(retention->limit, limit, sizeof limit);
    error_set(error, ERROR_FEED_FULL, run->header.feed,
              "the source keeps %s of its log for the feed, and %s are allowed", size, limit);
    return error_hint(error,
                      "`transhume follow --max-retained SIZE` goes on with more; `transhume follow "
                      "--max-retained %s --drop-when-full` frees the source, and `transhume follow "
                      "--resync` begins again",
                      limit);
}

static void retention_store(const struct retention *retention, const struct feed_health *health)
{
    struct progress_follow *figures = &retention->run->session->progress.follow;
    atomic_store(&figures->bytes_kept, health->bytes_kept);
    atomic_store(&figures->bytes_left, health->bytes_left);
    atomic_store(&figures->lag_bytes, health->lag_bytes);
    atomic_store(&figures->left_us, health->keeps_us >= 0 && health->lag_us >= 0
                                        ? health->keeps_us - health->lag_us
                                        : -1);
    atomic_store(&figures->watched, true);
}

enum status retention_note(struct retention *retention, const struct feed_health *health,
                           struct error *error)
{
    int64_t kept = health->bytes_kept;
    retention_store(retention, health);
    if (health->keeps_us > 0 && health->lag_us >= 0) {
        watch_expiry(retention, health->lag_us, health->keeps_us);
    }
    if (kept < 0) {
        if (retention->limit > 0 && health->lag_bytes >= 0) {
            retention->limit = 0;
            log_write(LOG_WARNING,
                      "--max-retained has no effect: this source keeps its log by its own "
                      "rules, whoever reads it");
        }
        return STATUS_OK;
    }
    if (!retention->looked) {
        look_first(retention, kept);
    }
    if (retention->limit > retention->run->session->options.follow.retained_bytes_max &&
        (uint64_t)kept < retention->run->session->options.follow.retained_bytes_max) {
        retention->limit = retention->run->session->options.follow.retained_bytes_max;
    }
    if (health->bytes_left >= 0) {
        watch_source(retention, kept, health->bytes_left);
    }
    if (retention->limit == 0) {
        return STATUS_OK;
    }
    watch_limit(retention, kept);
    return (uint64_t)kept > retention->limit ? full(retention, kept, error) : STATUS_OK;
}

void retention_end(struct run *run, struct error *error)
{
    struct database *source = run->session->source;
    struct error problem = {0};
    if (!drops(run)) {
        return;
    }
    if (source->connector->feed->drop(source, run->header.feed, &problem) != STATUS_OK) {
        log_write(LOG_WARNING, "the feed %s could not be dropped: %s", run->header.feed,
                  problem.message);
        return;
    }
    log_write(LOG_WARNING, "the feed %s is dropped, and the source freed", run->header.feed);
    error_hint(error, "the feed was dropped; once there is room, `transhume follow --resync` makes "
                      "it again, compares both sides and goes on");
}

/* ---- while the copy lasts */

struct retention_watch {
    struct retention retention;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;
};

/* True when it was asked to stop. */
static bool wait_to_stop(struct retention_watch *watch)
{
    int64_t until_ns = clock_monotonic_ns() + (int64_t)WATCH_PERIOD_MS * 1000000;
    pthread_mutex_lock(&watch->mutex);
    bool in_time = true;
    while (!watch->stopping && in_time) {
        in_time = condition_wait_until(&watch->changed, &watch->mutex, until_ns);
    }
    bool stopping = watch->stopping;
    pthread_mutex_unlock(&watch->mutex);
    return stopping;
}

/* Whatever it is, the copy goes on: what was copied a resync can use. */
static bool tell_of(struct retention_watch *watch, struct error *error)
{
    struct run *run = watch->retention.run;
    bool lost = error->code == ERROR_FEED_LOST;
    if (error->code != ERROR_FEED_FULL && !lost) {
        log_write(LOG_DEBUG, "what the source keeps for the feed is not known: %s", error->message);
        return true; /* the copy has its own ways to tell that a server is away */
    }
    if (!lost) {
        retention_end(run, error);
    }
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_RETENTION, .code = "full", .state = "began", .hint = error->hint),
              "%s; the copy goes on", error->message);
    watch->retention.limit = 0; /* it was told */
    return !lost && !drops(run);
}

static void *watch_feed(void *argument)
{
    struct retention_watch *watch = argument;
    struct database *source = watch->retention.run->session->source;
    bool more = true;
    while (more && !wait_to_stop(watch)) {
        struct error error = {0};
        struct feed_health health = FEED_HEALTH_UNKNOWN;
        enum status status = source->connector->feed->look(
            source, watch->retention.run->header.feed, &health, &error);
        status = status == STATUS_OK ? retention_note(&watch->retention, &health, &error) : status;
        more = status == STATUS_OK || tell_of(watch, &error);
    }
    return NULL;
}

enum status retention_watch_start(struct run *run, struct retention_watch **watch,
                                  struct error *error)
{
    const struct feed_functions *feed = run->session->source->connector->feed;
    *watch = NULL;
    if (run->header.feed == NULL || feed == NULL || feed->look == NULL) {
        return STATUS_OK;
    }
    struct retention_watch *made = memory_allocate_zeroed(1, sizeof *made);
    retention_init(&made->retention, run);
    made->retention.looked = true; /* nothing makes it less while the copy lasts */
    condition_init(&made->changed);
    pthread_mutex_init(&made->mutex, NULL);
    int failure = pthread_create(&made->thread, NULL, watch_feed, made);
    if (failure != 0) {
        pthread_mutex_destroy(&made->mutex);
        pthread_cond_destroy(&made->changed);
        free(made);
        return error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
    }
    *watch = made;
    return STATUS_OK;
}

void retention_watch_stop(struct retention_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    pthread_mutex_lock(&watch->mutex);
    watch->stopping = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
    pthread_join(watch->thread, NULL);
    pthread_mutex_destroy(&watch->mutex);
    pthread_cond_destroy(&watch->changed);
    free(watch);
}
