/*
 * The families of a run. The first five are named as a well-known monitor of migrations names them,
 * so that dashboards made for it go on working; all others begin with transhume_.
 */
#include "observe/metric/run_metrics.h"

#include "base/clock.h"
#include "base/memory.h"
#include "observe/metric/process_metrics.h"
#include "observe/progress_view.h"
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const double duration_bounds[] = {1,    5,    10,   30,    60,    300,  600,
                                         1800, 3600, 7200, 14400, 28800, 86400};
static const double chunk_bounds[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                      2.5,  5,     10,   30,  60,   300};
#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* The entities of a table, or of all tables that got no series of their own. */
struct table_group {
    const struct progress *progress;
    const char *table;
    uint32_t *entities;
    uint32_t count;
};

/* The number that a series of a group reads. */
struct group_number {
    const struct table_group *group;
    size_t offset; /* of an _Atomic uint64_t in struct progress_entity; SIZE_MAX: the total */
};

enum { STAGES = 4 };

struct run_metrics {
    struct metric_registry *registry;
    struct progress *progress;
    struct progress_meter meter;
    atomic_bool identified;
    bool has_tables;
    char *run;
    struct table_group *groups;
    uint32_t group_count;
    struct group_number *numbers;
    uint32_t number_count;
    int64_t data_at_us;
    _Atomic uint64_t active;
    /* of the last tick, as bits of doubles */
    _Atomic uint64_t part;
    _Atomic uint64_t seconds_left;
    _Atomic uint64_t records_per_second;
    _Atomic uint64_t bytes_per_second;
    _Atomic uint64_t memory_limit;
    struct metric_histogram *duration;
    struct metric_histogram *chunks;
    struct metric_family *rows_by_migration;
    struct metric_family *errors_by_migration;
    struct metric_family *active_family;
    struct metric_family *lag_family;
    struct metric_family *age_family;
    struct metric_family *duration_family;
    struct metric_family *info;
    struct metric_family *rows;
    struct metric_family *bytes;
    struct metric_family *copied;
    struct metric_family *estimated;
    struct metric_family *errors;
    struct metric_family *retries;
    struct metric_family *rejects;
    struct metric_family *events;
    struct metric_family *states;
    struct metric_family *mismatches;
};

/* ---- readers */

static void run_metrics_store(_Atomic uint64_t *cell, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    atomic_store_explicit(cell, bits, memory_order_relaxed);
}

static double read_double(const void *context)
{
    const _Atomic uint64_t *cell = context;
    uint64_t bits = atomic_load_explicit(cell, memory_order_relaxed);
    double number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static double read_group(const void *context)
{
    const struct group_number *number = context;
    const struct table_group *group = number->group;
    double sum = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct progress_entity *entity = &group->progress->entities[group->entities[i]];
        if (number->offset == SIZE_MAX) {
            sum = entity->total < 0 ? NAN : sum + (double)entity->total;
        } else {
            sum += metric_read_uint64((const char *)entity + number->offset);
        }
    }
    return sum;
}

static double read_phase(const void *context)
{
    const struct progress *progress = context;
    return atomic_load_explicit(&progress->phase, memory_order_relaxed);
}

static double read_movement(const void *context)
{
    const struct progress *progress = context;
    int64_t moved_ms = atomic_load_explicit(&progress->last_movement_ms, memory_order_relaxed);
    return moved_ms == 0
               ? NAN
               : (double)clock_utc_us() / 1e6 - (double)(clock_monotonic_ms() - moved_ms) / 1e3;
}

static double read_waiting(const void *context)
{
    int64_t left_ms = progress_waiting_until_ms(context) - clock_monotonic_ms();
    return left_ms > 0 ? (double)left_ms / 1000 : 0;
}

static double read_one(const void *context)
{
    (void)context;
    return 1;
}

/* How old the newest data is that the target can have. */
static double read_lag(const void *context)
{
    const struct run_metrics *metrics = context;
    int64_t now_us = clock_utc_us();
    double behind = progress_follow_lag_seconds(&metrics->progress->follow, now_us);
    return behind >= 0 ? behind : (double)(now_us - metrics->data_at_us) / 1e6;
}

static double read_transactions(const void *context)
{
    const struct progress *progress = context;
    return (double)atomic_load_explicit(&progress->follow.transactions, memory_order_relaxed);
}

static double read_changes(const void *context)
{
    const struct progress *progress = context;
    return (double)atomic_load_explicit(&progress->follow.changes, memory_order_relaxed);
}

static double bytes_of(const struct progress *progress, const _Atomic int64_t *bytes,
                       double otherwise)
{
    bool watched = atomic_load_explicit(&progress->follow.watched, memory_order_relaxed);
    int64_t now = atomic_load_explicit(bytes, memory_order_relaxed);
    return watched && now >= 0 ? (double)now : otherwise;
}

static double read_kept(const void *context)
{
    const struct progress *progress = context;
    return bytes_of(progress, &progress->follow.bytes_kept, 0);
}

static double read_left(const void *context)
{
    const struct progress *progress = context;
    return bytes_of(progress, &progress->follow.bytes_left, NAN);
}

static double read_backlog(const void *context)
{
    const struct progress *progress = context;
    return bytes_of(progress, &progress->follow.lag_bytes, 0);
}

/* ---- families */

static void add_series(struct metric_family *family, const char *label, const char *value,
                       metric_reader reader, const void *context)
{
    const struct metric_label labels[] = {{label, value}};
    metric_series_add(family, labels, label != NULL ? 1 : 0, reader, context);
}

static void add_number(struct metric_registry *registry, enum metric_type type, const char *name,
                       const char *unit, const char *help, metric_reader reader,
                       const void *context)
{
    add_series(metric_family_add(registry, type, name, unit, help), NULL, NULL, reader, context);
}

static void add_migration_families(struct run_metrics *metrics)
{
    struct metric_registry *registry = metrics->registry;
    metrics->duration_family =
        metric_family_add(registry, METRIC_HISTOGRAM, "migration_duration_seconds", "seconds",
                          "How long migrations took from their beginning to their end.");
    metrics->rows_by_migration = metric_family_add(registry, METRIC_COUNTER, "migration_rows_total",
                                                   NULL, "Records written to the target.");
    metrics->errors_by_migration =
        metric_family_add(registry, METRIC_COUNTER, "migration_errors_total", NULL,
                          "Errors and rejected records, by the name of their code.");
    metrics->active_family = metric_family_add(registry, METRIC_UNTYPED, "active_migrations_count",
                                               NULL, "Migrations that this process works on.");
    metrics->lag_family = metric_family_add(
        registry, METRIC_GAUGE, "migration_data_lag_seconds", "seconds",
        "Age of the target's data: the time since the snapshot that is copied was taken, or since "
        "the last applied change was committed in the source.");
}

/* As the run's book has it: what arrived since is counted no more. */
static double read_rejects_missing(const void *context)
{
    const struct progress *progress = context;
    uint64_t count = 0;
    if (atomic_load_explicit(&progress->follow.active, memory_order_relaxed)) {
        return (double)atomic_load_explicit(&progress->follow.rejects, memory_order_relaxed);
    }
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        count += atomic_load_explicit(&progress->entities[i].rejected, memory_order_relaxed);
    }
    return (double)count;
}

static void add_following(struct run_metrics *metrics)
{
    struct metric_registry *registry = metrics->registry;
    metrics->age_family =
        metric_family_add(registry, METRIC_GAUGE, "transhume_end_to_end_lag_seconds", "seconds",
                          "The same as migration_data_lag_seconds, of the run of this process.");
    add_number(registry, METRIC_GAUGE, "transhume_rejects_missing", NULL,
               "Records that are missing in the target because they were rejected.",
               read_rejects_missing, metrics->progress);
    add_number(registry, METRIC_COUNTER, "transhume_follow_transactions_total", NULL,
               "Transactions of the source that were applied to the target.", read_transactions,
               metrics->progress);
    add_number(registry, METRIC_COUNTER, "transhume_follow_changes_total", NULL,
               "Changed rows of the source that were applied to the target.", read_changes,
               metrics->progress);
    add_number(registry, METRIC_GAUGE, "transhume_slot_retained_bytes", "bytes",
               "What the source keeps of its log for the feed; 0: no feed is read.", read_kept,
               metrics->progress);
    add_number(registry, METRIC_GAUGE, "transhume_slot_safe_bytes", "bytes",
               "How much more it may keep before it drops changes that are not applied.", read_left,
               metrics->progress);
    add_number(registry, METRIC_GAUGE, "transhume_source_lag_bytes", "bytes",
               "The source's log behind what was read of it; 0: no feed is read.", read_backlog,
               metrics->progress);
}

static void add_sides(struct run_metrics *metrics)
{
    struct metric_registry *registry = metrics->registry;
    struct progress *progress = metrics->progress;
    struct progress_side *sides[] = {&progress->source, &progress->target};
    static const char *const names[] = {"source", "target"};
    struct metric_family *times =
        metric_family_add(registry, METRIC_COUNTER, "transhume_throttles_total", NULL,
                          "How often a database asked to slow down.");
    struct metric_family *seconds =
        metric_family_add(registry, METRIC_GAUGE, "transhume_throttled_seconds", "seconds",
                          "For how long a database has been asking to slow down; 0: it does not.");
    struct metric_family *again = metric_family_add(
        registry, METRIC_COUNTER, "transhume_request_retries_total", NULL,
        "Requests that a database's connector repeated by itself after a passing failure.");
    struct metric_family *idle =
        metric_family_add(registry, METRIC_COUNTER, "transhume_idle_seconds_total", "seconds",
                          "Time that the threads of a side waited for the other side, which is the "
                          "slower one; added when a chunk is done.");
    struct metric_family *units =
        metric_family_add(registry, METRIC_COUNTER, "transhume_capacity_units_total", NULL,
                          "Capacity units that a database counted for the run.");
    for (int i = 0; i < 2; i++) {
        add_series(times, "side", names[i], metric_read_uint64, &sides[i]->throttle_count);
        add_series(seconds, "side", names[i], metric_read_thousandths, &sides[i]->throttled_ms);
        add_series(again, "side", names[i], metric_read_uint64, &sides[i]->retries);
        add_series(idle, "side", names[i], metric_read_thousandths, &sides[i]->idle_ms);
        add_series(units, "side", names[i], metric_read_thousandths, &sides[i]->milliunits);
    }
}

static void add_totals(struct run_metrics *metrics)
{
    struct metric_registry *registry = metrics->registry;
    struct progress *progress = metrics->progress;
    add_number(registry, METRIC_GAUGE, "transhume_phase", NULL,
               "The phase of the run: 0 connect, 1 schema, 2 prepare, 3 copy, 4 indexes, 5 settle, "
               "6 count, 7 compare, 8 undo, 9 follow, 10 done.",
               read_phase, progress);
    add_number(registry, METRIC_COUNTER, "transhume_chunks_done_total", NULL,
               "Chunks that are durable.", metric_read_uint64, &progress->chunks_done);
    add_number(registry, METRIC_GAUGE, "transhume_chunks", NULL, "Chunks of the whole run.",
               metric_read_uint64, &progress->chunks_total);
    add_number(registry, METRIC_GAUGE, "transhume_progress_ratio", "ratio",
               "Part of the copy that is done.", read_double, &metrics->part);
    add_number(registry, METRIC_GAUGE, "transhume_remaining_seconds", "seconds",
               "Estimated time until the copy is done.", read_double, &metrics->seconds_left);
    add_number(registry, METRIC_GAUGE, "transhume_rows_per_second", NULL,
               "Records done a second, over the last ten seconds.", read_double,
               &metrics->records_per_second);
    add_number(registry, METRIC_GAUGE, "transhume_bytes_per_second", NULL,
               "Bytes done a second, over the last ten seconds.", read_double,
               &metrics->bytes_per_second);
    add_number(registry, METRIC_GAUGE, "transhume_last_movement_timestamp_seconds", "seconds",
               "When something was last done, as seconds since 1970.", read_movement, progress);
    add_number(registry, METRIC_GAUGE, "transhume_waiting_seconds", "seconds",
               "Time until what failed in passing is tried again; 0: nothing waits.", read_waiting,
               progress);
    add_number(registry, METRIC_GAUGE, "transhume_memory_limit_bytes", "bytes",
               "The bound on batches, rings and caches together.", read_double,
               &metrics->memory_limit);
    add_number(registry, METRIC_GAUGE, "transhume_queue_batches", NULL,
               "Batches (and ends of chunks) that were read, and that no writer has taken yet.",
               metric_read_uint64, &progress->queue.items);
    add_number(registry, METRIC_GAUGE, "transhume_queue_bytes", "bytes",
               "Memory of the batches that wait between readers and writers.", metric_read_uint64,
               &progress->queue.bytes);
    add_number(registry, METRIC_GAUGE, "transhume_queue_capacity_bytes", "bytes",
               "The bound on what waits between readers and writers.", metric_read_uint64,
               &progress->queue_limit_bytes);
}

static void add_counted(struct run_metrics *metrics)
{
    struct metric_registry *registry = metrics->registry;
    metrics->rows = metric_family_add(registry, METRIC_COUNTER, "transhume_rows_total", NULL,
                                      "Records by table and by what became of them.");
    metrics->bytes = metric_family_add(registry, METRIC_COUNTER, "transhume_bytes_total", "bytes",
                                       "Bytes of the records written, as they travel.");
    metrics->copied = metric_family_add(registry, METRIC_GAUGE, "transhume_copy_rows", NULL,
                                        "Records of the copy that are done.");
    metrics->estimated =
        metric_family_add(registry, METRIC_GAUGE, "transhume_copy_rows_estimated", NULL,
                          "Records that the copy will have, where that is known.");
    metrics->errors = metric_family_add(registry, METRIC_COUNTER, "transhume_errors_total", NULL,
                                        "Errors that ended something, by code.");
    metrics->retries = metric_family_add(registry, METRIC_COUNTER, "transhume_retries_total", NULL,
                                         "What was done again, by the code of the failure.");
    metrics->rejects =
        metric_family_add(registry, METRIC_COUNTER, "transhume_dead_letters_total", NULL,
                          "Records that were rejected and kept with their reason.");
    metrics->events = metric_family_add(registry, METRIC_COUNTER, "transhume_events_total", NULL,
                                        "Events by kind.");
    metrics->states =
        metric_family_add(registry, METRIC_GAUGE, "transhume_run_state", NULL,
                          "1 for the state that the run is in: running, completed, interrupted or "
                          "failed; else 0.");
    metrics->mismatches = metric_family_add(
        registry, METRIC_GAUGE, "transhume_verify_mismatches", NULL,
        "Records that a validation found to be missing, different or extra in the target.");
    metrics->chunks = metric_histogram_add(
        metric_family_add(registry, METRIC_HISTOGRAM, "transhume_chunk_duration_seconds", "seconds",
                          "From the first record of a chunk that is read to its commit."),
        NULL, 0, chunk_bounds, COUNT_OF(chunk_bounds));
}

struct run_metrics *run_metrics_create(struct metric_registry *registry, struct progress *progress)
{
    struct run_metrics *metrics = memory_allocate_zeroed(1, sizeof(*metrics));
    metrics->registry = registry;
    metrics->progress = progress;
    add_migration_families(metrics);
    metrics->info = metric_family_add(registry, METRIC_INFO, "transhume_build_info", NULL,
                                      "The program's version.");
    add_series(metrics->info, "version", TRANSHUME_VERSION, read_one, NULL);
    metrics->info = metric_family_add(registry, METRIC_INFO, "transhume_run_info", NULL,
                                      "The run that this process works on.");
    add_totals(metrics);
    add_counted(metrics);
    add_sides(metrics);
    add_following(metrics);
    process_metrics_add(registry);
    run_metrics_tick(metrics);
    return metrics;
}

void run_metrics_destroy(struct run_metrics *metrics)
{
    if (metrics != NULL) {
        for (uint32_t i = 0; i < metrics->group_count; i++) {
            free(metrics->groups[i].entities);
        }
        free(metrics->groups);
        free(metrics->numbers);
        free(metrics->run);
        free(metrics);
    }
}

/* ---- who it is */

void run_metrics_identify(struct run_metrics *metrics, const struct run_identity *identity)
{
    if (metrics->identified) {
        return;
    }
    const struct metric_label duration[] = {{"migration_id", identity->run},
                                            {"source_db", identity->source},
                                            {"target_db", identity->target}};
    const struct metric_label info[] = {{"run", identity->run},
                                        {"kind", identity->kind},
                                        {"source", identity->source},
                                        {"target", identity->target}};
    metrics->run = memory_copy_string(identity->run);
    metrics->data_at_us = identity->data_at_us;
    run_metrics_store(&metrics->memory_limit, (double)identity->memory_limit_bytes);
    atomic_store(&metrics->active, 1);
    metrics->duration = metric_histogram_add(metrics->duration_family, duration, 3, duration_bounds,
                                             COUNT_OF(duration_bounds));
    metric_series_add(metrics->info, info, COUNT_OF(info), read_one, NULL);
    metric_series_add(metrics->active_family, NULL, 0, metric_read_uint64, &metrics->active);
    atomic_store(&metrics->identified, true); /* events of other threads may name the run */
    if (identity->data_at_us > 0) {
        add_series(metrics->lag_family, "migration_id", metrics->run, read_lag, metrics);
        add_series(metrics->age_family, NULL, NULL, read_lag, metrics);
    }
}

/* ---- tables */

static const char other[] = "other";

static struct table_group *group_of(struct run_metrics *metrics, const char *table)
{
    for (uint32_t i = 0; i < metrics->group_count; i++) {
        if (strcmp(metrics->groups[i].table, table) == 0) {
            return &metrics->groups[i];
        }
    }
    if (metrics->group_count >= METRIC_SERIES_MAX - 1 && strcmp(table, other) != 0) {
        return group_of(metrics, other); /* which a table may be called as well */
    }
    struct table_group *group = &metrics->groups[metrics->group_count++];
    *group = (struct table_group){.progress = metrics->progress, .table = table};
    group->entities =
        memory_allocate_zeroed(metrics->progress->entity_count, sizeof(*group->entities));
    return group;
}

static const struct group_number *number_of(struct run_metrics *metrics,
                                            const struct table_group *group, size_t offset)
{
    struct group_number *number = &metrics->numbers[metrics->number_count++];
    *number = (struct group_number){group, offset};
    return number;
}

static void add_table(struct run_metrics *metrics, const struct table_group *group)
{
    static const struct {
        const char *name;
        size_t offset;
    } stages[STAGES] = {{"read", offsetof(struct progress_entity, read)},
                        {"written", offsetof(struct progress_entity, written)},
                        {"rejected", offsetof(struct progress_entity, rejected)},
                        {"skipped", offsetof(struct progress_entity, skipped)}};
    for (size_t i = 0; i < STAGES; i++) {
        const struct metric_label labels[] = {{"table", group->table}, {"stage", stages[i].name}};
        metric_series_add(metrics->rows, labels, 2, read_group,
                          number_of(metrics, group, stages[i].offset));
    }
    size_t written = offsetof(struct progress_entity, written);
    const struct metric_label labels[] = {{"migration_id", metrics->run},
                                          {"table_name", group->table}};
    metric_series_add(metrics->rows_by_migration, labels, 2, read_group,
                      number_of(metrics, group, written));
    add_series(metrics->bytes, "table", group->table, read_group,
               number_of(metrics, group, offsetof(struct progress_entity, bytes)));
    add_series(metrics->copied, "table", group->table, read_group,
               number_of(metrics, group, written));
    add_series(metrics->estimated, "table", group->table, read_group,
               number_of(metrics, group, SIZE_MAX));
    add_series(metrics->rejects, "table", group->table, read_group,
               number_of(metrics, group, offsetof(struct progress_entity, rejected)));
}

static void add_tables(struct run_metrics *metrics)
{
    const struct progress *progress = metrics->progress;
    metrics->has_tables = true;
    metrics->groups = memory_allocate_zeroed(METRIC_SERIES_MAX, sizeof(*metrics->groups));
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        struct table_group *group = group_of(metrics, progress->entities[i].table);
        group->entities[group->count++] = i;
    }
    metrics->numbers =
        memory_allocate_zeroed((size_t)metrics->group_count * 9 + 1, sizeof(*metrics->numbers));
    for (uint32_t i = 0; i < metrics->group_count; i++) {
        add_table(metrics, &metrics->groups[i]);
    }
}

void run_metrics_tick(struct run_metrics *metrics)
{
    struct progress_view view;
    progress_view_take(metrics->progress, &metrics->meter, clock_monotonic_ms(), &view);
    if (metrics->identified && !metrics->has_tables && progress_view_has_entities(&view)) {
        add_tables(metrics);
    }
    run_metrics_store(&metrics->part, view.part >= 0 ? view.part : NAN);
    run_metrics_store(&metrics->seconds_left, view.seconds_left >= 0 ? view.seconds_left : NAN);
    run_metrics_store(&metrics->records_per_second, view.records_per_second);
    run_metrics_store(&metrics->bytes_per_second, view.bytes_per_second);
}

void run_metrics_end(struct run_metrics *metrics, double seconds)
{
    run_metrics_tick(metrics);
    atomic_store(&metrics->active, 0);
    if (metrics->duration != NULL) {
        metric_histogram_observe(metrics->duration, seconds);
    }
}

/* ---- events */

static void run_metrics_count(struct metric_family *family, const char *label, const char *value,
                              uint64_t by)
{
    const struct metric_label labels[] = {{label, value}};
    atomic_fetch_add_explicit(metric_cell(family, labels, 1), by, memory_order_relaxed);
}

static const char *const state_names[] = {"running", "completed", "interrupted", "failed"};

/* `state` as an event of a run says it. */
static void enter_state(struct run_metrics *metrics, const char *state)
{
    bool begins = strcmp(state, "began") == 0 || strcmp(state, "resumed") == 0;
    const char *entered = begins ? "running" : state;
    for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++) {
        const struct metric_label labels[] = {{"state", state_names[i]}};
        atomic_store_explicit(metric_cell(metrics->states, labels, 1),
                              strcmp(state_names[i], entered) == 0, memory_order_relaxed);
    }
}

void run_metrics_count_mismatches(struct run_metrics *metrics, const char *table, uint64_t number)
{
    run_metrics_count(metrics->mismatches, "table", table, number);
}

static void count_of_migration(struct run_metrics *metrics, const char *code, uint64_t by)
{
    const struct metric_label labels[] = {{"migration_id", metrics->run}, {"error_type", code}};
    if (metrics->identified) {
        atomic_fetch_add_explicit(metric_cell(metrics->errors_by_migration, labels, 2), by,
                                  memory_order_relaxed);
    }
}

void run_metrics_hear(struct run_metrics *metrics, const struct log_record *record)
{
    const struct event *event = record->event;
    const char *code = event->code != NULL ? event->code : "unknown";
    uint64_t number = event->count > 0 ? (uint64_t)event->count : 1;
    run_metrics_count(metrics->events, "kind", event_kind_name(event->kind), 1);
    if (event->kind == EVENT_RUN && event->state != NULL) {
        enter_state(metrics, event->state);
    } else if (event->kind == EVENT_CHUNK) {
        metric_histogram_observe(metrics->chunks, (double)event->milliseconds / 1000);
    } else if (event->kind == EVENT_RETRY) {
        run_metrics_count(metrics->retries, "reason", code, 1);
    } else if (event->kind == EVENT_ERROR) {
        run_metrics_count(metrics->errors, "class", code, 1);
        count_of_migration(metrics, code, 1);
    } else if (event->kind == EVENT_REJECT) {
        count_of_migration(metrics, code, number);
    }
}
