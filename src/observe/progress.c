/* Progress in words: phases, the end table, one-line and JSON forms. */
#include "observe/progress.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "model/json_writer.h"
#include "observe/progress_view.h"
#include "observe/table.h"
#include <string.h>

enum { FORMAT = 1, METER_STEP_MS = 1000, NAME_BYTES_MAX = 200 };

const char *progress_phase_name(enum progress_phase phase)
{
    static const char *const names[] = {
        [PROGRESS_CONNECT] = "connect", [PROGRESS_SCHEMA] = "schema",
        [PROGRESS_PREPARE] = "prepare", [PROGRESS_COPY] = "copy",
        [PROGRESS_INDEXES] = "indexes", [PROGRESS_SETTLE] = "settle",
        [PROGRESS_COUNT] = "count",     [PROGRESS_COMPARE] = "compare",
        [PROGRESS_UNDO] = "undo",       [PROGRESS_FOLLOW] = "follow",
        [PROGRESS_DONE] = "done",
    };
    return (size_t)phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "?";
}

void progress_enter(struct progress *progress, int phase)
{
    if (atomic_exchange(&progress->phase, phase) != phase) {
        const char *name = progress_phase_name((enum progress_phase)phase);
        log_event(LOG_DEBUG, EVENT_OF(EVENT_PHASE, .code = name), "phase: %s", name);
    }
}

void progress_moved(struct progress *progress, int64_t now_ms)
{
    int64_t last_ms = atomic_load_explicit(&progress->last_movement_ms, memory_order_relaxed);
    while (last_ms < now_ms &&
           !atomic_compare_exchange_weak_explicit(&progress->last_movement_ms, &last_ms, now_ms,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void progress_worker_begin(struct progress_worker *worker, uint64_t chunk, int64_t now_ms)
{
    atomic_store_explicit(&worker->rows, 0, memory_order_relaxed);
    atomic_store_explicit(&worker->since_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&worker->chunk, chunk, memory_order_relaxed);
}

int64_t progress_waiting_until_ms(const struct progress *progress)
{
    int64_t last = atomic_load(&progress->control_waiting_until_ms);
    uint32_t count = atomic_load(&progress->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t until =
            atomic_load_explicit(&progress->workers[i].waits_until_ms, memory_order_relaxed);
        last = until > last ? until : last;
    }
    int64_t sides[] = {atomic_load(&progress->source.waiting_until_ms),
                       atomic_load(&progress->target.waiting_until_ms)};
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        last = sides[i] > last ? sides[i] : last;
    }
    return last;
}

uint64_t progress_entity_done(const struct progress_entity *entity)
{
    return atomic_load_explicit(&entity->written, memory_order_relaxed) +
           atomic_load_explicit(&entity->rejected, memory_order_relaxed) +
           atomic_load_explicit(&entity->skipped, memory_order_relaxed) +
           atomic_load_explicit(&entity->pulled, memory_order_relaxed);
}

void progress_follow_begin(struct progress_follow *follow)
{
    if (!atomic_load(&follow->active)) {
        atomic_store(&follow->lag_us, -1);
        atomic_store(&follow->active, true);
    }
}

double progress_follow_lag_seconds(const struct progress_follow *follow, int64_t now_us)
{
    int64_t commit_us = atomic_load(&follow->commit_time_us);
    now_us += atomic_load(&follow->clock_us);
    if (!atomic_load(&follow->active)) {
        return -1;
    }
    if (atomic_load(&follow->idle)) {
        return 0;
    }
    return commit_us == 0 ? -1 : now_us > commit_us ? (double)(now_us - commit_us) / 1e6 : 0;
}

bool progress_view_has_entities(const struct progress_view *view)
{
    return view->phase >= PROGRESS_COPY;
}

bool progress_entity_work(const struct progress_entity *entity, uint64_t *work, uint64_t *total)
{
    bool records = entity->total >= 0;
    if (!records && entity->rows < 0) {
        return false;
    }
    *total = (uint64_t)(records ? entity->total : entity->rows);
    *work = records ? progress_entity_done(entity)
                    : atomic_load_explicit(&entity->read, memory_order_relaxed) +
                          atomic_load_explicit(&entity->pulled, memory_order_relaxed);
    return true;
}

static void meter_add(struct progress_meter *meter, int64_t now_ms,
                      const struct progress_view *view)
{
    uint32_t newest = (meter->next + PROGRESS_METER_SAMPLES - 1) % PROGRESS_METER_SAMPLES;
    if (meter->count > 0 && now_ms - meter->times_ms[newest] < METER_STEP_MS) {
        return;
    }
    meter->times_ms[meter->next] = now_ms;
    meter->records[meter->next] = view->done;
    meter->bytes[meter->next] = view->bytes;
    meter->work[meter->next] = view->work;
    meter->next = (meter->next + 1) % PROGRESS_METER_SAMPLES;
    meter->count += meter->count < PROGRESS_METER_SAMPLES;
}

static void progress_measure(struct progress_meter *meter, int64_t now_ms,
                             struct progress_view *view)
{
    meter_add(meter, now_ms, view);
    uint32_t oldest =
        (meter->next + PROGRESS_METER_SAMPLES - meter->count) % PROGRESS_METER_SAMPLES;
    double seconds = (double)(now_ms - meter->times_ms[oldest]) / 1000;
    if (seconds >= 0.05 && view->done >= meter->records[oldest] &&
        view->bytes >= meter->bytes[oldest]) {
        view->records_per_second = (double)(view->done - meter->records[oldest]) / seconds;
        view->bytes_per_second = (double)(view->bytes - meter->bytes[oldest]) / seconds;
    }
    if (view->work_total > 0) {
        uint64_t before = meter->work[oldest];
        double rate =
            seconds >= 0.05 && view->work > before ? (double)(view->work - before) / seconds : 0;
        view->seconds_left = rate > 0 && view->work <= view->work_total
                                 ? (double)(view->work_total - view->work) / rate
                                 : -1;
    } else if (view->total < 0 && view->part > 0) {
        view->seconds_left = view->seconds * (1 - view->part) / view->part;
    }
}

static void sum_entities(const struct progress *progress, struct progress_view *view)
{
    bool known = progress->entity_count > 0;
    view->total = 0;
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        const struct progress_entity *entity = &progress->entities[i];
        view->read += atomic_load_explicit(&entity->read, memory_order_relaxed);
        view->written += atomic_load_explicit(&entity->written, memory_order_relaxed);
        view->rejected += atomic_load_explicit(&entity->rejected, memory_order_relaxed);
        view->skipped += atomic_load_explicit(&entity->skipped, memory_order_relaxed);
        view->entity_retries += atomic_load_explicit(&entity->retries, memory_order_relaxed);
        view->fallbacks += atomic_load_explicit(&entity->fallbacks, memory_order_relaxed);
        view->bytes += atomic_load_explicit(&entity->bytes, memory_order_relaxed);
        view->done += progress_entity_done(entity);
        uint64_t work = 0;
        uint64_t work_total = 0;
        known = known && progress_entity_work(entity, &work, &work_total);
        view->work += work;
        view->work_total += work_total;
        view->total = view->total < 0 || entity->total < 0 ? -1 : view->total + entity->total;
    }
    view->chunks_total = progress->chunks_total;
    view->part = -1;
    if (!known) {
        view->work = 0;
        view->work_total = 0;
    }
    if (known) {
        view->part =
            view->work >= view->work_total ? 1 : (double)view->work / (double)view->work_total;
    } else if (view->chunks_total > 0) {
        uint64_t chunks = view->chunks_done;
        view->part = chunks >= view->chunks_total ? 1 : (double)chunks / (double)view->chunks_total;
    }
}

void progress_view_take(const struct progress *progress, struct progress_meter *meter,
                        int64_t now_ms, struct progress_view *view)
{
    memset(view, 0, sizeof(*view));
    view->phase = atomic_load(&progress->phase);
    view->total = -1;
    view->part = -1;
    view->seconds_left = -1;
    int64_t started_ms = atomic_load(&progress->started_ms);
    view->seconds = started_ms == 0 ? 0 : (double)(now_ms - started_ms) / 1000;
    view->retries = atomic_load_explicit(&progress->retries, memory_order_relaxed);
    view->chunks_done = atomic_load_explicit(&progress->chunks_done, memory_order_relaxed);
    view->doing = atomic_load(&progress->doing);
    view->source_throttled_ms = atomic_load(&progress->source.throttled_ms);
    view->target_throttled_ms = atomic_load(&progress->target.throttled_ms);
    view->read_units = (double)atomic_load(&progress->source.milliunits) / 1000;
    view->write_units = (double)atomic_load(&progress->target.milliunits) / 1000;
    view->follow_transactions = atomic_load(&progress->follow.transactions);
    view->follow_changes = atomic_load(&progress->follow.changes);
    view->follow_rejects = atomic_load(&progress->follow.rejects);
    view->follow_lag_seconds = progress_follow_lag_seconds(&progress->follow, clock_utc_us());
    int64_t until_ms = progress_waiting_until_ms(progress);
    view->waiting_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (progress_view_has_entities(view)) {
        sum_entities(progress, view);
        if (view->phase == PROGRESS_DONE) { /* what `where` left out is in the total, too */
            view->part = 1;
            view->total = view->total < 0 ? -1 : (int64_t)view->done;
        }
        progress_measure(meter, now_ms, view);
    }
    if (view->phase != PROGRESS_COPY) { /* of what comes after the copy nothing is known */
        view->seconds_left = view->phase == PROGRESS_DONE ? 0 : -1;
    }
}

void progress_view_average(const struct progress *progress, struct progress_view *view)
{
    if (progress_view_has_entities(view) && view->seconds > 0) {
        uint64_t before = progress->written_before;
        uint64_t done = view->done > before ? view->done - before : 0;
        view->records_per_second = (double)done / view->seconds;
    }
}

void progress_note_movement(struct progress *progress, uint64_t *seen, bool first, int64_t now_ms)
{
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        struct progress_entity *entity = &progress->entities[i];
        uint64_t now = progress_entity_done(entity) +
                       atomic_load_explicit(&entity->read, memory_order_relaxed);
        if (!first && now != seen[i]) {
            if (atomic_load_explicit(&entity->first_ms, memory_order_relaxed) == 0) {
                atomic_store_explicit(&entity->first_ms, now_ms, memory_order_relaxed);
            }
            atomic_store_explicit(&entity->last_ms, now_ms, memory_order_relaxed);
        }
        seen[i] = now;
    }
}

void progress_append_rate(double per_second, struct buffer *out)
{
    char text[32];
    text_human_count((uint64_t)(per_second + 0.5), text, sizeof(text));
    buffer_format(out, "%s/s", text);
}

void progress_append_throttling(const struct progress_view *view, const char *before,
                                struct buffer *out)
{
    const struct {
        const char *name;
        int64_t throttled_ms;
    } sides[] = {{"source", view->source_throttled_ms}, {"target", view->target_throttled_ms}};
    for (int i = 0; i < 2; i++) {
        char text[32];
        if (sides[i].throttled_ms > 0) {
            text_human_seconds((double)sides[i].throttled_ms / 1000, text, sizeof(text));
            buffer_format(out, "%sthrottled by the %s for %s", before, sides[i].name, text);
        }
    }
}

static void append_follow(const struct progress_view *view, struct buffer *out)
{
    char text[32];
    text_human_count(view->follow_transactions, text, sizeof(text));
    buffer_format(out, " %s transaction%s, ", text, view->follow_transactions == 1 ? "" : "s");
    text_human_count(view->follow_changes, text, sizeof(text));
    buffer_format(out, "%s change%s", text, view->follow_changes == 1 ? "" : "s");
    if (view->follow_lag_seconds == 0) {
        buffer_append_string(out, ", nothing waits");
    } else if (view->follow_lag_seconds > 0) {
        buffer_format(out, ", %.1f s behind", view->follow_lag_seconds);
    }
    if (view->follow_rejects > 0) {
        buffer_format(out, ", %llu rejected", (unsigned long long)view->follow_rejects);
    }
}

void progress_append_line(const struct progress_view *view, struct buffer *out)
{
    char text[32];
    buffer_format(out, "%s:", progress_phase_name((enum progress_phase)view->phase));
    if (view->phase == PROGRESS_FOLLOW) {
        append_follow(view, out);
    } else if (progress_view_has_entities(view)) {
        if (view->part >= 0) {
            unsigned tenths = (unsigned)(view->part * 1000); /* 100.0 means all */
            buffer_format(out, " %u.%u%%", tenths / 10, tenths % 10);
        }
        text_human_count(view->done, text, sizeof(text));
        buffer_format(out, " %s", text);
        if (view->total >= 0) {
            text_human_count((uint64_t)view->total, text, sizeof(text));
            buffer_format(out, " of %s", text);
        }
        buffer_append_string(out, " records, ");
        progress_append_rate(view->records_per_second, out);
        if (view->bytes > 0) {
            text_human_bytes(view->bytes, text, sizeof(text));
            buffer_format(out, ", %s", text);
        }
        buffer_format(out, ", %llu rejected", (unsigned long long)view->rejected);
    }
    if (view->phase == PROGRESS_COPY && view->seconds_left >= 0) {
        text_human_seconds(view->seconds_left, text, sizeof(text));
        buffer_format(out, ", %s left", text);
    }
    text_human_seconds(view->seconds, text, sizeof(text));
    buffer_format(out, progress_view_has_entities(view) ? ", after %s" : " for %s", text);
    if (view->retries > 0) {
        buffer_format(out, ", %llu retries", (unsigned long long)view->retries);
    }
    if (view->waiting_ms > 0) {
        buffer_append_string(out, ", waiting to try again");
    }
    progress_append_throttling(view, ", ", out);
    if (view->doing != NULL) {
        buffer_format(out, " (%s)", view->doing);
    }
    if (signals_stop_level() > 0) {
        buffer_append_string(out, ", stopping");
    }
}

static void append_json_count(struct buffer *out, const char *name, int64_t value)
{
    buffer_format(out, value < 0 ? ",\"%s\":null" : ",\"%s\":%lld", name, (long long)value);
}

static void append_json_text(struct buffer *out, const char *text)
{
    char printable[NAME_BYTES_MAX];
    text_printable(text, strlen(text), printable, sizeof(printable));
    json_append_string(out, printable, strlen(printable));
}

static void append_json_entity(const struct progress_entity *entity, struct buffer *out)
{
    buffer_append_string(out, "{\"entity\":");
    append_json_text(out, entity->name);
    buffer_append_string(out, ",\"table\":");
    append_json_text(out, entity->table);
    append_json_count(out, "total", entity->total);
    append_json_count(out, "read", (int64_t)atomic_load(&entity->read));
    append_json_count(out, "written", (int64_t)atomic_load(&entity->written));
    append_json_count(out, "rejected", (int64_t)atomic_load(&entity->rejected));
    append_json_count(out, "skipped", (int64_t)atomic_load(&entity->skipped));
    append_json_count(out, "bytes", (int64_t)atomic_load(&entity->bytes));
    append_json_count(out, "retries", (int64_t)atomic_load(&entity->retries));
    append_json_count(out, "fallbacks", (int64_t)atomic_load(&entity->fallbacks));
    buffer_append_byte(out, '}');
}

void progress_append_json(const struct progress *progress, const struct progress_view *view,
                          struct buffer *out)
{
    char stamp[32];
    clock_format_utc(clock_utc_us(), stamp, sizeof(stamp));
    buffer_format(out, "{\"format\":%d,\"time\":\"%s\",\"phase\":\"%s\"", FORMAT, stamp,
                  progress_phase_name((enum progress_phase)view->phase));
    append_json_count(out, "total", view->total);
    append_json_count(out, "done", (int64_t)view->done);
    append_json_count(out, "read", (int64_t)view->read);
    append_json_count(out, "written", (int64_t)view->written);
    append_json_count(out, "rejected", (int64_t)view->rejected);
    append_json_count(out, "skipped", (int64_t)view->skipped);
    append_json_count(out, "bytes", (int64_t)view->bytes);
    append_json_count(out, "records_per_second", (int64_t)(view->records_per_second + 0.5));
    append_json_count(out, "bytes_per_second", (int64_t)(view->bytes_per_second + 0.5));
    append_json_count(out, "seconds_left",
                      view->seconds_left < 0 ? -1 : (int64_t)(view->seconds_left + 0.5));
    append_json_count(out, "milliseconds", (int64_t)(view->seconds * 1000));
    append_json_count(out, "chunks_done", (int64_t)view->chunks_done);
    append_json_count(out, "chunks_total", (int64_t)view->chunks_total);
    append_json_count(out, "retries", (int64_t)view->retries);
    append_json_count(out, "waiting_milliseconds", view->waiting_ms);
    append_json_count(out, "source_throttled_milliseconds", view->source_throttled_ms);
    append_json_count(out, "target_throttled_milliseconds", view->target_throttled_ms);
    buffer_format(out, ",\"read_units\":%.3f,\"write_units\":%.3f", view->read_units,
                  view->write_units);
    buffer_append_string(out, ",\"doing\":");
    if (view->doing != NULL) {
        append_json_text(out, view->doing);
    } else {
        buffer_append_string(out, "null");
    }
    if (view->phase == PROGRESS_FOLLOW) {
        buffer_format(out, ",\"follow\":{\"transactions\":%llu,\"changes\":%llu,\"rejected\":%llu",
                      (unsigned long long)view->follow_transactions,
                      (unsigned long long)view->follow_changes,
                      (unsigned long long)view->follow_rejects);
        append_json_count(
            out, "lag_milliseconds",
            view->follow_lag_seconds < 0 ? -1 : (int64_t)(view->follow_lag_seconds * 1000 + 0.5));
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, ",\"entities\":[");
    for (uint32_t i = 0; progress_view_has_entities(view) && i < progress->entity_count; i++) {
        buffer_append_string(out, i == 0 ? "" : ",");
        append_json_entity(&progress->entities[i], out);
    }
    buffer_append_string(out, "]}\n");
}

static void add_seconds(struct table *table, double seconds)
{
    uint64_t tenths = (uint64_t)(seconds * 10 + 0.5);
    table_format(table, "%llu.%llu", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10));
}

double progress_entity_seconds(const struct progress_entity *entity, double whole)
{
    int64_t first_ms = atomic_load_explicit(&entity->first_ms, memory_order_relaxed);
    int64_t last_ms = atomic_load_explicit(&entity->last_ms, memory_order_relaxed);
    if (first_ms == 0) {
        return 0;
    }
    double seconds = (double)(last_ms - first_ms) / 1000;
    return seconds > whole ? whole : seconds;
}

/* Columns that stand only where there is something to tell. */
struct extra_columns {
    bool retries;
    bool fallbacks;
};

static void add_row(struct table *table, const char *name, const struct progress_view *view,
                    double seconds, struct extra_columns extra)
{
    table_add_text(table, name);
    table_add_count(table, (int64_t)view->read);
    table_add_count(table, (int64_t)view->written);
    table_add_count(table, (int64_t)view->rejected);
    table_add_count(table, (int64_t)view->skipped);
    if (view->bytes == 0 && view->written > 0) {
        table_add_text(table, "?"); /* the target pulled them itself */
    } else {
        table_add_bytes(table, (int64_t)view->bytes);
    }
    add_seconds(table, seconds);
    if (extra.retries) {
        table_add_count(table, (int64_t)view->entity_retries);
    }
    if (extra.fallbacks) {
        table_add_count(table, (int64_t)view->fallbacks);
    }
}

void progress_append_table(const struct progress *progress, double seconds, bool color,
                           uint32_t columns, struct buffer *out)
{
    struct progress_view all = {0};
    sum_entities(progress, &all);
    const struct extra_columns extra = {all.entity_retries > 0, all.fallbacks > 0};
    const char *titles[] = {"entity", ">read",    ">written", ">rejected", ">skipped",
                            ">bytes", ">seconds", NULL,       NULL,        NULL};
    uint32_t title = 7;
    if (extra.retries) {
        titles[title++] = ">retries";
    }
    if (extra.fallbacks) {
        titles[title] = ">fallbacks";
    }
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        const struct progress_entity *entity = &progress->entities[i];
        struct progress one = {.entities = progress->entities + i, .entity_count = 1};
        struct progress_view view = {0};
        sum_entities(&one, &view);
        add_row(table, entity->name, &view, progress_entity_seconds(entity, seconds), extra);
    }
    if (progress->entity_count != 1) {
        table_rule(table);
        add_row(table, "total", &all, seconds, extra);
    }
    table_fit(table, columns);
    table_append(table, color, out);
    table_destroy(table);
}
