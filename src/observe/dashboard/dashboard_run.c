/* One run: what changes from second to second, and its report. */
#include "observe/dashboard/dashboard_parts.h"

#include "observe/progress.h"
#include "observe/report_parts.h"
#include <inttypes.h>
#include <string.h>

/* A rate is of the last of these; more entities are told by the report alone. */
enum { RATE_MS = 15000, ENTITIES_MAX = 200 };

static void append_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, ",\"%s\":", name);
    report_json(out, text);
}

static uint64_t done_of(const struct metrics_sample *sample)
{
    return sample->written + sample->rejected + sample->skipped;
}

struct rates {
    bool known;
    double records; /* a second */
    double bytes;
    double chunks;
    int64_t moved_ms; /* when something was last seen to move, UTC; 0: never */
};

/* The rates of the last samples of the last attempt. */
static struct rates rates_of(const struct report *report)
{
    struct rates rates = {0};
    const struct metrics_sample *samples = report->samples;
    if (report->sample_count < 2) {
        return rates;
    }
    uint32_t last = report->sample_count - 1;
    uint32_t first = last;
    while (first > 0 && samples[first - 1].attempt == samples[last].attempt &&
           samples[last].at_ms - samples[first - 1].at_ms <= RATE_MS) {
        first--;
    }
    double seconds = (double)(samples[last].at_ms - samples[first].at_ms) / 1000;
    rates.known = seconds > 0 && done_of(&samples[last]) >= done_of(&samples[first]) &&
                  samples[last].bytes >= samples[first].bytes &&
                  samples[last].chunks >= samples[first].chunks;
    if (rates.known) {
        rates.records = (double)(done_of(&samples[last]) - done_of(&samples[first])) / seconds;
        rates.bytes = (double)(samples[last].bytes - samples[first].bytes) / seconds;
        rates.chunks = (double)(samples[last].chunks - samples[first].chunks) / seconds;
    }
    while (last > 0 && samples[last].attempt == samples[last - 1].attempt &&
           done_of(&samples[last]) == done_of(&samples[last - 1])) {
        last--;
    }
    rates.moved_ms = samples[last].at_ms;
    return rates;
}

/* Done and all of the copy, by records or, where their number is not known, by chunks. */
static void append_part(const struct report *report, const struct rates *rates, struct buffer *out)
{
    const json_t *chunks = json_object_get(report->state, "chunks");
    const struct report_entity *sum = &report->sum;
    double all = sum->total >= 0 ? (double)sum->total : (double)report_count(chunks, "total");
    double done = sum->total >= 0 ? (double)(sum->written + sum->rejected + sum->skipped)
                                  : (double)report_count(chunks, "done");
    double rate = sum->total >= 0 ? rates->records : rates->chunks;
    done = done < all ? done : all;
    if (all > 0) {
        buffer_format(out, ",\"part\":%.5f", done / all);
    } else {
        buffer_append_string(out, ",\"part\":null");
    }
    if (report->at_work && all > done && rates->known && rate > 0) {
        buffer_format(out, ",\"seconds_left\":%.1f", (all - done) / rate);
    } else {
        buffer_append_string(out, ",\"seconds_left\":null");
    }
    if (rates->known) {
        buffer_format(out, ",\"records_per_second\":%.1f,\"bytes_per_second\":%.1f", rates->records,
                      rates->bytes);
    }
    buffer_format(out, ",\"moved_at\":%" PRId64, rates->moved_ms);
}

static void append_sample(const struct report *report, struct buffer *out)
{
    if (report->sample_count == 0) {
        return;
    }
    const struct metrics_sample *sample = &report->samples[report->sample_count - 1];
    buffer_format(
        out,
        ",\"sample\":{\"at\":%" PRId64 ",\"attempt\":%" PRIu32 ",\"written\":%" PRIu64
        ",\"rejected\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"phase\":\"%s\"}",
        sample->at_ms, sample->attempt, sample->written, sample->rejected, sample->skipped,
        sample->bytes, progress_phase_name((enum progress_phase)sample->phase));
}

/* By `transhume resume`. */
static bool can_go_on(const struct report *report)
{
    return report->resumable &&
           (strcmp(report->status, "in_progress") == 0 || strcmp(report->status, "failed") == 0);
}

static void append_progress(struct dashboard *dashboard, const struct dashboard_run *run,
                            const struct report *report, struct buffer *out)
{
    static const char *const members[] = {"chunks", "attempt", "waiting_seconds", "source_use",
                                          "target_use"};
    static const char *const live[] = {"workers", "queue"}; /* of no use once nobody is at work */
    struct rates rates = rates_of(report);
    buffer_append_string(out, "{\"key\":");
    report_json(out, run->key);
    append_text(out, "run", report->run);
    append_text(out, "kind", report->kind);
    append_text(out, "verdict", report_verdict(report));
    append_text(out, "status", report->status);
    append_text(out, "phase", report->phase);
    append_text(out, "source", report->source);
    append_text(out, "target", report->target);
    append_text(out, "started_at", report->started_at);
    append_text(out, "updated_at", report->updated_at);
    append_text(out, "ended_at", report->ended_at);
    buffer_format(out,
                  ",\"at_work\":%s,\"interrupted\":%s,\"attempts\":%" PRIu32
                  ",\"seconds\":%.3f,\"retries\":%" PRIu64 ",\"throttled\":%" PRIu64,
                  report->at_work ? "true" : "false", report->interrupted ? "true" : "false",
                  report->attempt_count, report->seconds, report->retries, report->throttled);
    append_part(report, &rates, out);
    append_sample(report, out);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        report_append_tree_json(out, members[i], json_object_get(report->state, members[i]));
    }
    for (size_t i = 0; report->at_work && i < sizeof(live) / sizeof(live[0]); i++) {
        report_append_tree_json(out, live[i], json_object_get(report->state, live[i]));
    }
    buffer_format(out, ",\"errors\":%zu",
                  json_array_size(json_object_get(report->state, "errors")));
    if (report->entity_count <= ENTITIES_MAX) {
        report_append_entities_json(report, out);
    }
    dashboard_append_control(dashboard, run, can_go_on(report), out);
    buffer_append_byte(out, '}');
    for (size_t i = 0; i < out->length; i++) {
        out->data[i] = out->data[i] == '\n' ? ' ' : out->data[i]; /* between members only */
    }
}

/* Is it the run that the key names? Another one may have begun in the folder. */
static bool is_meant(const struct dashboard_run *run, const struct report *report)
{
    return run->id == NULL || strcmp(run->id, report->run) == 0;
}

bool dashboard_append_progress(struct dashboard *dashboard, const struct dashboard_run *run,
                               uint64_t *version, struct buffer *out)
{
    static const char *const files[] = {"state.json", "metrics.jsonl", "validation.json", NULL};
    struct buffer *fresh;
    struct report report;
    struct error ignored;
    struct arena *arena = arena_create(0);
    *version = dashboard_signature(run->folder, files, run->at_work) ^
               dashboard_control_signature(dashboard, run);
    const struct buffer *known = dashboard_cache_find(
        dashboard, arena_format(arena, "progress %s", run->key), *version, &fresh);
    if (known == NULL) {
        known = fresh;
        if (report_read_parts(run->folder, run->at_work,
                              REPORT_METRICS | REPORT_VALIDATION | REPORT_QUIETLY, &report,
                              &ignored) == STATUS_OK &&
            is_meant(run, &report)) {
            append_progress(dashboard, run, &report, fresh);
        }
        report_free(&report);
    }
    buffer_append(out, known->data, known->length);
    arena_destroy(arena);
    return known->length > 0;
}

bool dashboard_can_resume(const struct dashboard_run *run)
{
    struct report report;
    struct error ignored;
    bool can = report_read_parts(run->folder, run->at_work, REPORT_QUIETLY, &report, &ignored) ==
                   STATUS_OK &&
               is_meant(run, &report) && can_go_on(&report);
    report_free(&report);
    return can;
}

bool dashboard_append_report(struct dashboard *dashboard, const struct dashboard_run *run,
                             struct buffer *out)
{
    static const char *const files[] = {
        "state.json",      "metrics.jsonl", "chunks.jsonl", "rejects",
        "validation.json", "events.jsonl",  "plan.yaml",    NULL};
    struct buffer *fresh;
    struct report report;
    struct error ignored;
    struct arena *arena = arena_create(0);
    uint64_t signature = dashboard_signature(run->folder, files, run->at_work);
    const struct buffer *known = dashboard_cache_find(
        dashboard, arena_format(arena, "report %s", run->key), signature, &fresh);
    if (known == NULL) {
        known = fresh;
        if (report_read_parts(run->folder, run->at_work, REPORT_WHOLE | REPORT_QUIETLY, &report,
                              &ignored) == STATUS_OK &&
            is_meant(run, &report)) {
            report_append_json(&report, fresh);
        }
        report_free(&report);
    }
    buffer_append(out, known->data, known->length);
    arena_destroy(arena);
    return known->length > 0;
}
