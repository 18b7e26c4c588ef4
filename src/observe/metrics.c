/* Samples of a run's counters: kept in memory, appended to a file, thinned when they are many. */
#include "observe/metrics.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/json_tree.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTERVAL_MS = 1000, INTERVAL_FIRST_MS = 50, FIRST_MS = 2000 };

struct metrics {
    const char *path;
    uint32_t attempt;
    int64_t began_ms; /* UTC, at the monotonic time below: a clock that is set moves no sample */
    int64_t monotonic_ms;
    int64_t interval_ms;            /* of samples that are kept; grows as the file is thinned */
    struct metrics_sample *samples; /* METRICS_SAMPLES_MAX */
    uint32_t count;
    int descriptor; /* -1: to be written whole next */
    bool failed;
};

static void append_sample(const struct metrics_sample *sample, struct buffer *out)
{
    buffer_format(out,
                  "{\"at\":%" PRId64 ",\"attempt\":%" PRIu32 ",\"phase\":\"%s\",\"read\":%" PRIu64
                  ",\"written\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"skipped\":%" PRIu64
                  ",\"bytes\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"retries\":%" PRIu64
                  ",\"throttled\":%" PRIu64 "}\n",
                  sample->at_ms, sample->attempt,
                  progress_phase_name((enum progress_phase)sample->phase), sample->read,
                  sample->written, sample->rejected, sample->skipped, sample->bytes, sample->chunks,
                  sample->retries, sample->throttled);
}

/* ---- reading */

static uint64_t count_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value < 0 ? 0 : (uint64_t)value;
}

static bool parse_sample(const char *line, size_t length, struct metrics_sample *sample)
{
    json_t *object = json_tree_load(line, length, 0, NULL);
    const json_t *at = json_object_get(object, "at");
    const char *phase = json_string_value(json_object_get(object, "phase"));
    bool is_sample = json_is_integer(at) && json_integer_value(at) >= 0 && phase != NULL;
    if (is_sample) {
        *sample = (struct metrics_sample){.at_ms = json_integer_value(at),
                                          .attempt = (uint32_t)count_of(object, "attempt"),
                                          .phase = -1,
                                          .read = count_of(object, "read"),
                                          .written = count_of(object, "written"),
                                          .rejected = count_of(object, "rejected"),
                                          .skipped = count_of(object, "skipped"),
                                          .bytes = count_of(object, "bytes"),
                                          .chunks = count_of(object, "chunks"),
                                          .retries = count_of(object, "retries"),
                                          .throttled = count_of(object, "throttled")};
        for (int i = 0; i <= PROGRESS_DONE; i++) {
            if (strcmp(phase, progress_phase_name((enum progress_phase)i)) == 0) {
                sample->phase = i;
            }
        }
    }
    json_decref(object);
    return is_sample;
}

enum status metrics_read(const char *path, struct arena *arena, struct metrics_sample **samples,
                         uint32_t *count, struct error *error)
{
    char *text;
    size_t length;
    *count = 0;
    *samples = NULL;
    enum status status = file_read_all(path, METRICS_FILE_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status;
    }
    *samples = arena_allocate_zeroed(arena, METRICS_SAMPLES_MAX, sizeof(**samples));
    const char *end = text + length;
    while (text < end && *count < METRICS_SAMPLES_MAX) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (newline == NULL) {
            break; /* torn: the process died while it wrote */
        }
        *count += parse_sample(text, (size_t)(newline - text), &(*samples)[*count]);
        text = (char *)newline + 1;
    }
    return STATUS_OK;
}

/* ---- writing */

static void failed(struct metrics *metrics, const struct error *error)
{
    if (!metrics->failed) {
        log_write(LOG_WARNING, "metrics.jsonl stays behind: %s: %s", error->object, error->message);
    }
    metrics->failed = true;
}

/* Every other sample goes; the first and last of an attempt stay, unless there are too many. */
static void thin(struct metrics *metrics)
{
    uint32_t kept = 0;
    bool ends_stay = true;
    for (uint32_t i = 1; i < metrics->count; i++) {
        kept += metrics->samples[i].attempt != metrics->samples[i - 1].attempt;
    }
    ends_stay = kept < METRICS_SAMPLES_MAX / 8;
    kept = 0;
    for (uint32_t i = 0; i < metrics->count; i++) {
        const struct metrics_sample *sample = &metrics->samples[i];
        bool is_end = i == 0 || i + 1 == metrics->count || sample[-1].attempt != sample->attempt ||
                      sample[1].attempt != sample->attempt;
        if (i % 2 == 0 || (is_end && ends_stay)) {
            metrics->samples[kept++] = *sample;
        }
    }
    metrics->count = kept;
    metrics->interval_ms *= 2;
}

static enum status write_whole(struct metrics *metrics, struct error *error)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < metrics->count; i++) {
        append_sample(&metrics->samples[i], &text);
    }
    enum status status =
        file_replace(metrics->path, buffer_string(&text), text.length, NULL, error);
    buffer_free(&text);
    if (status != STATUS_OK) {
        return status;
    }
    metrics->descriptor = file_open(metrics->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0);
    return metrics->descriptor >= 0 ? STATUS_OK
                                    : error_set_errno(error, ERROR_STATE_WRITE, errno,
                                                      metrics->path, "can't open it again");
}

static void write_sample(struct metrics *metrics, const struct metrics_sample *sample)
{
    struct error error;
    struct buffer line = {0};
    enum status status = STATUS_OK;
    if (metrics->count == METRICS_SAMPLES_MAX) {
        thin(metrics);
        if (metrics->descriptor >= 0) {
            close(metrics->descriptor);
            metrics->descriptor = -1;
        }
    }
    metrics->samples[metrics->count++] = *sample;
    if (metrics->descriptor < 0) {
        status = write_whole(metrics, &error);
    } else {
        append_sample(sample, &line);
        status = file_write_all(metrics->descriptor, buffer_string(&line), line.length,
                                metrics->path, &error);
    }
    buffer_free(&line);
    if (status != STATUS_OK) {
        failed(metrics, &error);
    }
}

/* The times between samples are what earlier attempts thinned them to. */
static void go_on(struct metrics *metrics)
{
    struct error error;
    struct metrics_sample *samples;
    struct arena *arena = arena_create(0);
    if (metrics_read(metrics->path, arena, &samples, &metrics->count, &error) == STATUS_OK) {
        memcpy(metrics->samples, samples, metrics->count * sizeof(*samples));
        int64_t running_ms = 0;
        for (uint32_t i = 1; i < metrics->count; i++) {
            if (samples[i].attempt == samples[i - 1].attempt &&
                samples[i].at_ms > samples[i - 1].at_ms) {
                int64_t passed_ms = samples[i].at_ms - samples[i - 1].at_ms;
                running_ms =
                    passed_ms < INT64_MAX - running_ms ? running_ms + passed_ms : INT64_MAX;
            }
        }
        while (running_ms / metrics->interval_ms > METRICS_SAMPLES_MAX) {
            metrics->interval_ms *= 2;
        }
    }
    arena_destroy(arena);
}

struct metrics *metrics_open(const char *path, uint32_t attempt)
{
    struct metrics *metrics = memory_allocate_zeroed(1, sizeof(*metrics));
    struct metrics_sample *samples = memory_allocate_zeroed(METRICS_SAMPLES_MAX, sizeof(*samples));
    *metrics = (struct metrics){.path = path,
                                .attempt = attempt,
                                .began_ms = clock_utc_us() / 1000,
                                .monotonic_ms = clock_monotonic_ms(),
                                .interval_ms = INTERVAL_MS,
                                .samples = samples,
                                .descriptor = -1};
    go_on(metrics);
    return metrics;
}

void metrics_take(struct metrics *metrics, const struct progress *progress, bool last)
{
    if (metrics == NULL || metrics->failed || atomic_load(&progress->phase) < PROGRESS_COPY) {
        return; /* until then the counters do not hold what earlier attempts did */
    }
    int64_t elapsed_ms = clock_monotonic_ms() - metrics->monotonic_ms;
    struct metrics_sample sample = {.at_ms = metrics->began_ms + elapsed_ms,
                                    .attempt = metrics->attempt,
                                    .phase = atomic_load(&progress->phase),
                                    .chunks = atomic_load(&progress->chunks_done),
                                    .retries = atomic_load(&progress->retries),
                                    .throttled = atomic_load(&progress->source.throttle_count) +
                                                 atomic_load(&progress->target.throttle_count)};
    struct metrics_sample before = {0};
    if (metrics->count > 0) {
        before = metrics->samples[metrics->count - 1];
    }
    bool same = metrics->count > 0 && before.attempt == sample.attempt;
    int64_t interval_ms = elapsed_ms < FIRST_MS ? INTERVAL_FIRST_MS : metrics->interval_ms;
    if (same && !last && before.phase == sample.phase &&
        sample.at_ms - before.at_ms < interval_ms) {
        return;
    }
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        const struct progress_entity *entity = &progress->entities[i];
        sample.read += atomic_load(&entity->read);
        sample.written += atomic_load(&entity->written);
        sample.rejected += atomic_load(&entity->rejected);
        sample.skipped += atomic_load(&entity->skipped);
        sample.bytes += atomic_load(&entity->bytes);
    }
    write_sample(metrics, &sample);
}

void metrics_close(struct metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    if (metrics->descriptor >= 0) {
        close(metrics->descriptor);
    }
    free(metrics->samples);
    free(metrics);
}
