/* One thread that wakes up once a second, and a listener of the log. */
#include "observe/observer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/alert/alert_center.h"
#include "observe/anomaly/anomaly_watch.h"
#include "observe/metric/metric_push.h"
#include "observe/metric/metric_statsd.h"
#include "observe/metric/metric_text.h"
#include "observe/web/web_token.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_MS = 1000, PUSH_STEP_MS = 10000, FILE_STEP_MS = 5000 };

struct observer {
    struct observer_options options;
    struct event_stream *events;
    struct metric_registry *registry;
    _Atomic(struct run_metrics *) metrics;     /* NULL: nothing is watched yet */
    _Atomic(struct anomaly_watch *) anomalies; /* with metrics */
    struct progress *progress;
    struct web_server *server;
    struct dashboard *dashboard;
    struct metric_push *push;
    struct metric_statsd *statsd;
    struct alert_center *alerts;
    int64_t pushed_ms; /* monotonic */
    int64_t filed_ms;
    bool file_failed; /* said once */
    pthread_t thread;
    pthread_mutex_t registry_mutex; /* held by whoever uses registry or run_metrics, but to hear */
    pthread_mutex_t mutex;          /* guards what follows */
    pthread_cond_t wake;
    bool stopping;
};

static void hear(void *context, const struct log_record *record)
{
    struct observer *observer = context;
    struct run_metrics *metrics = atomic_load(&observer->metrics);
    event_stream_hear(observer->events, record);
    struct anomaly_watch *anomalies = atomic_load(&observer->anomalies);
    if (metrics != NULL) {
        run_metrics_hear(metrics, record);
    }
    if (anomalies != NULL) {
        anomaly_watch_hear(anomalies, record);
    }
    if (observer->alerts != NULL) {
        alert_center_hear(observer->alerts, record);
    }
}

/* ---- once a second */

static void write_metrics_file(struct observer *observer)
{
    struct error error;
    const char *path = observer->options.metrics_file;
    if (metric_write_file(observer->registry, path, &error) != STATUS_OK &&
        !observer->file_failed) {
        observer->file_failed = true;
        log_write(LOG_WARNING, "metrics are not written: %s: %s", error.object, error.message);
    }
}

static void observer_push(struct observer *observer)
{
    struct buffer text = {0};
    pthread_mutex_lock(&observer->registry_mutex);
    metric_append(observer->registry, METRIC_FORMAT_TEXT, &text);
    pthread_mutex_unlock(&observer->registry_mutex);
    metric_push_send(observer->push, &text);
    buffer_free(&text);
}

/* `last`: whatever the steps say. */
static void tell_metrics(struct observer *observer, bool last)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&observer->registry_mutex);
    struct run_metrics *metrics = atomic_load(&observer->metrics);
    if (metrics != NULL) {
        run_metrics_tick(metrics);
        anomaly_watch_tick(atomic_load(&observer->anomalies));
    }
    if (observer->options.metrics_file != NULL &&
        (last || now_ms - observer->filed_ms >= FILE_STEP_MS)) {
        observer->filed_ms = now_ms;
        write_metrics_file(observer);
    }
    if (observer->statsd != NULL) {
        metric_statsd_send(observer->statsd, observer->registry);
    }
    pthread_mutex_unlock(&observer->registry_mutex);
    if (observer->push != NULL && (last || now_ms - observer->pushed_ms >= PUSH_STEP_MS)) {
        observer->pushed_ms = now_ms;
        observer_push(observer);
    }
}

static void tick(struct observer *observer)
{
    tell_metrics(observer, false);
    event_stream_flush(observer->events);
    if (observer->server != NULL) {
        web_server_tick(observer->server);
    }
    dashboard_tick(observer->dashboard);
}

static void *run_thread(void *context)
{
    struct observer *observer = context;
    pthread_mutex_lock(&observer->mutex);
    while (!observer->stopping) {
        int64_t until_ns = clock_monotonic_ns() + STEP_MS * INT64_C(1000000);
        bool in_time = true;
        while (!observer->stopping && in_time) {
            in_time = condition_wait_until(&observer->wake, &observer->mutex, until_ns);
        }
        if (!observer->stopping) {
            pthread_mutex_unlock(&observer->mutex);
            tick(observer);
            pthread_mutex_lock(&observer->mutex);
        }
    }
    pthread_mutex_unlock(&observer->mutex);
    return NULL;
}

/* ---- the web */

/* Ready: it works on something, and the anomaly monitor does not say that it stands still. */
static bool is_ready(const struct observer *observer, const char **why)
{
    const struct progress *progress = observer->progress;
    if (progress == NULL) {
        *why = "no run is under way";
        return false;
    }
    int phase = atomic_load(&progress->phase);
    if (phase == PROGRESS_DONE) {
        *why = "the run has ended";
        return false;
    }
    if (anomaly_watch_is_stalled(atomic_load(&observer->anomalies))) {
        *why = "nothing moves: progress.stall";
        return false;
    }
    return true;
}

static void answer_text(struct web_answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    answer->content_type = "text/plain; charset=utf-8";
    buffer_append_string(&answer->body, text);
    buffer_append_byte(&answer->body, '\n');
}

static void answer_metrics(struct observer *observer, const struct web_request *request,
                           struct web_answer *answer)
{
    enum metric_format format = metric_format_accepted(web_header(request, "Accept"));
    answer->content_type = metric_content_type(format);
    pthread_mutex_lock(&observer->registry_mutex);
    metric_append(observer->registry, format, &answer->body);
    pthread_mutex_unlock(&observer->registry_mutex);
}

static void answer_request(void *context, const struct web_request *request,
                           struct web_answer *answer)
{
    struct observer *observer = context;
    const char *why = "";
    if (request->method == WEB_POST) {
        answer_text(answer, 405, "only GET and HEAD");
    } else if (strcmp(request->path, "/metrics") == 0) {
        if (web_token_admit(observer->options.dashboard.metrics_token, request, answer)) {
            answer_metrics(observer, request, answer);
        }
    } else if (strcmp(request->path, "/healthz") == 0) {
        answer_text(answer, 200, "ok");
    } else if (strcmp(request->path, "/readyz") == 0) {
        pthread_mutex_lock(&observer->registry_mutex);
        bool ready = is_ready(observer, &why);
        pthread_mutex_unlock(&observer->registry_mutex);
        answer_text(answer, ready ? 200 : 503, ready ? "ok" : why);
    } else {
        answer_text(answer, 404, "here are /metrics, /healthz and /readyz");
    }
}

/* ---- beginning and end */

static void free_observer(struct observer *observer)
{
    dashboard_stop(observer->dashboard);
    web_server_stop(observer->server);
    log_set_listener(NULL, NULL);
    alert_center_stop(observer->alerts);
    metric_push_close(observer->push);
    metric_statsd_close(observer->statsd);
    event_stream_destroy(observer->events);
    metric_registry_destroy(observer->registry);
    run_metrics_destroy(atomic_load(&observer->metrics));
    anomaly_watch_destroy(atomic_load(&observer->anomalies));
    pthread_cond_destroy(&observer->wake);
    pthread_mutex_destroy(&observer->mutex);
    pthread_mutex_destroy(&observer->registry_mutex);
    free(observer);
}

static enum status serve_metrics(struct observer *observer, struct error *error)
{
    const char *token = observer->options.dashboard.metrics_token;
    const struct web_options web = {.address = observer->options.metrics_address,
                                    .tls = observer->options.dashboard.tls,
                                    .answer = answer_request,
                                    .context = observer};
    if ((token != NULL && web_token_check("--metrics-token", token, error) != STATUS_OK) ||
        web_server_start(&web, &observer->server, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token != NULL && web_server_is_readable(observer->server)) {
        log_write(LOG_WARNING, "metrics are served beyond this machine without TLS: whoever sees "
                               "the traffic can read their token; --tls-cert and --tls-key "
                               "encrypt it");
    }
    log_write(LOG_INFO, "metrics are at %s/metrics", web_server_url(observer->server));
    return STATUS_OK;
}

static enum status open_readers(struct observer *observer, struct error *error)
{
    const struct observer_options *options = &observer->options;
    if ((options->push_url != NULL &&
         metric_push_open(options->push_url, &observer->push, error) != STATUS_OK) ||
        (options->statsd_address != NULL &&
         metric_statsd_open(options->statsd_address, &observer->statsd, error) != STATUS_OK) ||
        (options->metrics_file != NULL &&
         metric_write_file(observer->registry, options->metrics_file, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (options->dashboard.address != NULL) {
        struct dashboard_options dashboard = options->dashboard;
        dashboard.answer_open = answer_request;
        dashboard.context = observer;
        if (dashboard_start(&dashboard, &observer->dashboard, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return options->metrics_address != NULL ? serve_metrics(observer, error) : STATUS_OK;
}

enum status observer_start(const struct observer_options *options, struct observer **observer,
                           struct error *error)
{
    struct observer *made = memory_allocate_zeroed(1, sizeof(*made));
    made->options = *options;
    made->events = event_stream_create();
    made->registry = metric_registry_create();
    pthread_mutex_init(&made->mutex, NULL);
    pthread_mutex_init(&made->registry_mutex, NULL);
    condition_init(&made->wake);
    enum status status = STATUS_OK;
    if (options->alerts != NULL && options->alerts->count > 0) {
        status = alert_center_start(options->alerts, &made->alerts, error);
    }
    log_set_listener(hear, made);
    status = status == STATUS_OK ? open_readers(made, error) : status;
    if (status == STATUS_OK) {
        int failure = pthread_create(&made->thread, NULL, run_thread, made);
        if (failure != 0) {
            status = error_set_errno(error, ERROR_INTERNAL, failure, NULL,
                                     "can't start the thread that watches");
        }
    }
    if (status != STATUS_OK) {
        free_observer(made);
        return status;
    }
    *observer = made;
    return STATUS_OK;
}

const char *observer_dashboard_url(const struct observer *observer)
{
    return observer->dashboard != NULL ? dashboard_url(observer->dashboard) : NULL;
}

void observer_stop(struct observer *observer)
{
    if (observer == NULL) {
        return;
    }
    pthread_mutex_lock(&observer->mutex);
    observer->stopping = true;
    pthread_cond_signal(&observer->wake);
    pthread_mutex_unlock(&observer->mutex);
    pthread_join(observer->thread, NULL);
    free_observer(observer);
}

void observer_watch(struct observer *observer, struct progress *progress)
{
    if (observer != NULL) {
        observer_leave(observer, observer->progress);
        pthread_mutex_lock(&observer->registry_mutex);
        observer->progress = progress;
        atomic_store(&observer->anomalies, anomaly_watch_create(observer->registry, progress));
        atomic_store(&observer->metrics, run_metrics_create(observer->registry, progress));
        pthread_mutex_unlock(&observer->registry_mutex);
    }
}

void observer_leave(struct observer *observer, const struct progress *progress)
{
    if (observer == NULL || progress == NULL || observer->progress != progress) {
        return;
    }
    tell_metrics(observer, true);
    pthread_mutex_lock(&observer->registry_mutex);
    struct run_metrics *metrics = atomic_exchange(&observer->metrics, NULL);
    struct anomaly_watch *anomalies = atomic_exchange(&observer->anomalies, NULL);
    log_set_listener(hear, observer); /* waits for a listener that still has what goes now */
    metric_registry_destroy(observer->registry);
    run_metrics_destroy(metrics);
    anomaly_watch_destroy(anomalies);
    observer->registry = metric_registry_create();
    observer->progress = NULL;
    pthread_mutex_unlock(&observer->registry_mutex);
}

void observer_identify(struct observer *observer, const struct run_identity *identity)
{
    if (observer != NULL && atomic_load(&observer->metrics) != NULL) {
        pthread_mutex_lock(&observer->registry_mutex);
        run_metrics_identify(atomic_load(&observer->metrics), identity);
        if (observer->alerts != NULL) {
            alert_center_identify(observer->alerts, identity->run);
        }
        anomaly_watch_set_memory(atomic_load(&observer->anomalies), identity->memory_limit_bytes);
        anomaly_watch_set_stall(atomic_load(&observer->anomalies), identity->stall_ms);
        pthread_mutex_unlock(&observer->registry_mutex);
    }
}

void observer_end(struct observer *observer, double seconds)
{
    if (observer != NULL && atomic_load(&observer->metrics) != NULL) {
        pthread_mutex_lock(&observer->registry_mutex);
        run_metrics_end(atomic_load(&observer->metrics), seconds);
        anomaly_watch_end(atomic_load(&observer->anomalies));
        pthread_mutex_unlock(&observer->registry_mutex);
    }
}

void observer_count_mismatches(struct observer *observer, const char *table, uint64_t count)
{
    if (observer != NULL && atomic_load(&observer->metrics) != NULL) {
        pthread_mutex_lock(&observer->registry_mutex);
        run_metrics_count_mismatches(atomic_load(&observer->metrics), table, count);
        pthread_mutex_unlock(&observer->registry_mutex);
    }
}

enum status observer_open_files(struct observer *observer, const char *log_file,
                                const char *event_file, struct error *error)
{
    if (log_open_file(log_file, LOG_DEBUG, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return observer == NULL ? STATUS_OK : event_stream_open(observer->events, event_file, error);
}

void observer_close_files(struct observer *observer)
{
    uint64_t lost = 0;
    if (observer != NULL) {
        event_stream_close(observer->events, &lost);
    }
    if (lost > 0) {
        log_write(LOG_WARNING, "%" PRIu64 " events are not in events.jsonl: writing failed", lost);
    }
    log_close_file();
}
