#include "observe/alert/alert_center.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "observe/alert/alert_send.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUE = 128, LAST_MS = 10000, HOST_BYTES = 256, RUN_BYTES = 128 };

struct alert_center {
    const struct alert_config *config;
    struct alert_book *book; /* the thread's */
    bool failing[ALERT_RECEIVERS_MAX];
    char host[HOST_BYTES];
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct alert_event queue[QUEUE]; /* from `first` on */
    uint32_t first;
    uint32_t count;
    uint64_t dropped;
    char run[RUN_BYTES];
    bool stopping;
};

/* ---- what is heard */

static bool is_one_of(const char *state, const char *word)
{
    return state != NULL && strcmp(state, word) == 0;
}

/* A run's beginning is nobody's trouble, and its end is one if it failed. */
static bool take_run(const struct event *event, struct alert_event *out)
{
    bool failed = is_one_of(event->state, "failed");
    bool interrupted = is_one_of(event->state, "interrupted");
    out->level = failed ? LOG_ERROR : interrupted ? LOG_WARNING : LOG_INFO;
    snprintf(out->code, sizeof(out->code), "%s", event->state != NULL ? event->state : "");
    return failed || interrupted || is_one_of(event->state, "completed");
}

/* False: nobody is told of such. */
static bool convert(const struct log_record *record, struct alert_event *out)
{
    const struct event *event = record->event;
    size_t length = strcspn(record->text, "\n");
    const char *hint = record->text[length] == '\n' ? record->text + length + 1 : "";
    bool paired = event->kind == EVENT_ANOMALY || event->kind == EVENT_THROTTLE ||
                  event->kind == EVENT_PAUSE || event->kind == EVENT_RETENTION;
    *out = (struct alert_event){.kind = event->kind,
                                .level = record->level,
                                .at_us = record->at_us,
                                .lasts = paired,
                                .ends = paired && is_one_of(event->state, "ended")};
    snprintf(out->text, sizeof(out->text), "%.*s", (int)length, record->text);
    snprintf(out->hint, sizeof(out->hint), "%s", hint + strspn(hint, " "));
    snprintf(out->table, sizeof(out->table), "%s", event->table != NULL ? event->table : "");
    if (event->kind == EVENT_RUN) {
        return take_run(event, out);
    }
    /* A pause says why it began, and not why it ended; records are rejected for many reasons. */
    if (event->kind != EVENT_PAUSE && event->kind != EVENT_REJECT) {
        snprintf(out->code, sizeof(out->code), "%s", event->code != NULL ? event->code : "");
    }
    out->level = event->kind == EVENT_REJECT ? LOG_WARNING : record->level;
    return event->kind != EVENT_MESSAGE && event->kind != EVENT_CHUNK &&
           event->kind != EVENT_PHASE && event->kind != EVENT_POSITION;
}

void alert_center_hear(struct alert_center *center, const struct log_record *record)
{
    struct alert_event event;
    if (!convert(record, &event)) {
        return;
    }
    pthread_mutex_lock(&center->mutex);
    if (center->count == QUEUE) {
        center->dropped++;
    } else {
        center->queue[(center->first + center->count++) % QUEUE] = event;
        pthread_cond_signal(&center->wake);
    }
    pthread_mutex_unlock(&center->mutex);
}

void alert_center_identify(struct alert_center *center, const char *run)
{
    pthread_mutex_lock(&center->mutex);
    snprintf(center->run, sizeof(center->run), "%s", run);
    pthread_mutex_unlock(&center->mutex);
}

/* ---- the thread */

static void alert_center_tell(struct alert_center *center, const struct alert_batch *batch,
                              bool last, int64_t until_ms)
{
    char run[RUN_BYTES];
    char where[HOST_BYTES];
    struct error error = {0};
    struct alert_receiver receiver = center->config->receivers[batch->receiver];
    int64_t left_ms = until_ms - clock_monotonic_ms();
    if (last && left_ms < receiver.timeout_ms) {
        receiver.timeout_ms = left_ms > 1 ? left_ms : 1;
    }
    pthread_mutex_lock(&center->mutex);
    snprintf(run, sizeof(run), "%s", center->run);
    pthread_mutex_unlock(&center->mutex);
    const struct alert_origin origin = {.host = center->host, .run = run};
    if (alert_send(&receiver, batch, &origin, &error) == STATUS_OK) {
        center->failing[batch->receiver] = false;
        return;
    }
    alert_send_describe(&receiver, where, sizeof(where));
    if (!center->failing[batch->receiver]) {
        center->failing[batch->receiver] = true;
        log_write(LOG_WARNING, "alerts do not reach %s (%s): %s", receiver.name, where,
                  error.message);
    }
    if (!last) {
        alert_book_put_back(center->book, batch, clock_utc_us());
    }
}

static void tell_all(struct alert_center *center, bool last, int64_t until_ms)
{
    struct alert_batch batch;
    while (clock_monotonic_ms() < until_ms &&
           alert_book_next(center->book, clock_utc_us(), last, &batch)) {
        alert_center_tell(center, &batch, last, until_ms);
    }
}

static void *run_thread(void *context)
{
    struct alert_center *center = context;
    pthread_mutex_lock(&center->mutex);
    for (;;) {
        int64_t now_us = clock_utc_us();
        int64_t wait_us = alert_book_due_us(center->book, now_us) - now_us;
        if (center->count == 0 && !center->stopping && wait_us > 0) {
            (void)condition_wait(&center->wake, &center->mutex, wait_us / 1000 + 1);
        }
        bool stopping = center->stopping && center->count == 0;
        while (center->count > 0) {
            alert_book_take(center->book, &center->queue[center->first]);
            center->first = (center->first + 1) % QUEUE;
            center->count--;
        }
        pthread_mutex_unlock(&center->mutex);
        tell_all(center, stopping, clock_monotonic_ms() + LAST_MS);
        if (stopping) {
            return NULL;
        }
        pthread_mutex_lock(&center->mutex);
    }
}

/* ---- beginning and end */

enum status alert_center_start(const struct alert_config *config, struct alert_center **center,
                               struct error *error)
{
    struct alert_center *made = memory_allocate_zeroed(1, sizeof(*made));
    made->config = config;
    made->book = alert_book_create(config->receivers, config->count);
    gethostname(made->host, sizeof(made->host) - 1);
    pthread_mutex_init(&made->mutex, NULL);
    condition_init(&made->wake);
    int failure = pthread_create(&made->thread, NULL, run_thread, made);
    if (failure != 0) {
        alert_book_destroy(made->book);
        free(made);
        return error_set_errno(error, ERROR_INTERNAL, failure, NULL,
                               "can't start the thread that sends alerts");
    }
    *center = made;
    return STATUS_OK;
}

void alert_center_stop(struct alert_center *center)
{
    if (center == NULL) {
        return;
    }
    pthread_mutex_lock(&center->mutex);
    center->stopping = true;
    pthread_cond_signal(&center->wake);
    pthread_mutex_unlock(&center->mutex);
    pthread_join(center->thread, NULL);
    if (center->dropped > 0) {
        log_write(LOG_WARNING, "%" PRIu64 " events came too fast for alerts", center->dropped);
    }
    pthread_cond_destroy(&center->wake);
    pthread_mutex_destroy(&center->mutex);
    alert_book_destroy(center->book);
    free(center);
}

uint32_t alert_center_test(const struct alert_config *config, struct buffer *out)
{
    uint32_t failed = 0;
    char host[HOST_BYTES] = "";
    gethostname(host, sizeof(host) - 1);
    const struct alert_origin origin = {.host = host, .run = ""};
    const struct alert alert = {.event = {.kind = EVENT_MESSAGE,
                                          .level = LOG_INFO,
                                          .at_us = clock_utc_us(),
                                          .code = "test",
                                          .text = "this is a test of transhume's alerts",
                                          .hint = "nothing is to be done"},
                                .count = 1};
    for (uint32_t i = 0; i < config->count; i++) {
        char where[HOST_BYTES];
        struct error error = {0};
        const struct alert_receiver *receiver = &config->receivers[i];
        const struct alert_batch batch = {
            .receiver = i, .alerts = {&alert}, .count = 1, .firing = true};
        int64_t begun_ms = clock_monotonic_ms();
        bool sent = alert_send(receiver, &batch, &origin, &error) == STATUS_OK;
        alert_send_describe(receiver, where, sizeof(where));
        secret_redact(error.message);
        buffer_format(out, "%s: %s: %s", receiver->name, where, sent ? "sent" : error.message);
        buffer_format(out, " (%.1f s)\n", (double)(clock_monotonic_ms() - begun_ms) / 1000);
        failed += !sent;
    }
    return failed;
}
