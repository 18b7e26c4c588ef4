/* Building state.json from the run's counts, and its reading and forgetting. */
#include "engine/state/state.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/folder/chunk_log.h"
#include "engine/folder/past_runs.h"
#include "engine/folder/types_file.h"
#include "engine/follow/cutover/fence.h"
#include "engine/follow/follow_figures.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_book.h"
#include "engine/session/options.h"
#include "engine/session/run_facts.h"
#include "model/json_tree.h"
#include "observe/metrics.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STATE_PERIOD_MS = 1000,
    STATE_PERIOD_FIRST_MS = 50, /* in the first STATE_FIRST_MS: short runs are looked at too */
    STATE_FIRST_MS = 2000,
    STATE_BYTES_MAX = 256 << 20
};

static const char *const status_names[] = {"not_started", "in_progress", "in_progress", "completed",
                                           "failed"};

static const char *last_id_of(const struct run *run, uint32_t stream)
{
    const char *last_id = NULL;
    if (run->loads_rejects) {
        return NULL;
    }
    for (uint64_t i = run->chunks.stream_first[stream]; i < run->chunks.stream_first[stream + 1];
         i++) {
        if (!run->chunks.done[i]) {
            break;
        }
        last_id =
            run->chunks.list[i].span.last_id != NULL ? run->chunks.list[i].span.last_id : last_id;
    }
    return last_id;
}

static bool stream_is_done(const struct run *run, uint32_t stream, bool *begun)
{
    uint64_t first = run->loads_rejects ? 0 : run->chunks.stream_first[stream];
    uint64_t end = run->loads_rejects ? run->chunks.count : run->chunks.stream_first[stream + 1];
    bool all = true;
    for (uint64_t i = first; i < end; i++) {
        all = all && run->chunks.done[i];
        *begun = *begun || run->chunks.done[i];
    }
    return all;
}

/* Once all of a stream is read, what it made is what there was. */
static int64_t total_of(const struct run *run, uint32_t entity)
{
    const struct plan_entity *about = &run->session->plan->entities[entity];
    const struct tally *tally = &run->totals[entity];
    bool begun = false;
    if (stream_is_done(run, about->stream, &begun)) {
        return (int64_t)tally->made;
    }
    int64_t total = run->loads_rejects ? -1 : run->session->progress.entities[entity].total;
    return total >= 0 && total < (int64_t)tally->made ? (int64_t)tally->made : total;
}

static json_t *count_or_null(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

/* The rate of this attempt, over all of its copying: what is left is divided by it. */
static json_int_t rate_of(const struct run *run, uint32_t entity)
{
    int64_t elapsed_us = clock_utc_us() - run->attempt_us;
    uint64_t before = run->written_before[entity];
    uint64_t written = run->totals[entity].written;
    if (elapsed_us < 1000 || written < before) {
        return 0;
    }
    return (json_int_t)((double)(written - before) * 1e6 / (double)elapsed_us);
}

static uint64_t sum_before(const struct run *run)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < run->session->plan->entity_count; i++) {
        sum += run->written_before[i];
    }
    return sum;
}

struct sums {
    int64_t total; /* -1: one part is not known */
    uint64_t migrated;
};

static void sums_add(struct sums *sums, int64_t total, uint64_t migrated)
{
    sums->total = total < 0 || sums->total < 0 ? -1 : sums->total + total;
    sums->migrated += migrated;
}

static json_t *entities_make(const struct run *run, const struct plan_table *table,
                             struct sums *sums)
{
    const struct plan *plan = run->session->plan;
    json_t *entities = json_object();
    for (uint32_t i = 0; i < table->entity_count; i++) {
        uint32_t number = table->entities[i];
        const struct plan_entity *entity = &plan->entities[number];
        const struct tally *tally = &run->totals[number];
        const struct reject_book_counts book = reject_book_counts_of(run, number);
        int64_t total = total_of(run, number);
        total = total < 0 ? total : total + (int64_t)book.added;
        uint64_t migrated = tally->written + book.settled;
        json_t *object = json_pack(
            "{s:o,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "total",
            count_or_null(total), "migrated", (json_int_t)migrated, "read", (json_int_t)tally->read,
            "source_records",
            count_or_null(run->loads_rejects ? -1 : run->session->progress.entities[number].rows),
            "made", (json_int_t)(tally->made + book.added), "rejected", (json_int_t)book.unsettled,
            "skipped", (json_int_t)tally->skipped, "filtered", (json_int_t)tally->filtered, "bytes",
            (json_int_t)tally->bytes, "retries", (json_int_t)tally->retries, "fallbacks",
            (json_int_t)tally->fallbacks, "stream", json_text(plan->streams[entity->stream].name),
            "last_id", json_text(last_id_of(run, entity->stream)), "records_per_second",
            json_integer(rate_of(run, number)));
        json_t *name = json_text(entity->name);
        json_object_set_new(entities, json_string_value(name), object);
        json_decref(name);
        sums_add(sums, total, migrated);
    }
    return entities;
}

/* The records that are missing since they were rejected:
 * {"unsettled":N,"reasons":[{"table","entity","code","count", "reason"}…]} */
static json_t *rejects_make(const struct run *run)
{
    struct arena *arena = arena_create(0);
    struct reject_book_sum sum;
    json_t *reasons = json_array();
    reject_book_sum(run, arena, &sum);
    for (uint32_t i = 0; i < sum.line_count; i++) {
        const struct reject_book_line *line = &sum.lines[i];
        const char *code = line->code != ERROR_NONE ? error_describe(line->code)->name : NULL;
        json_array_append_new(
            reasons, json_pack("{s:o,s:o,s:o,s:I,s:o}", "table", json_text(line->table), "entity",
                               json_text(line->entity), "code", json_text(code), "count",
                               (json_int_t)line->count, "reason", json_text(line->reason)));
    }
    json_t *object =
        json_pack("{s:I,s:o}", "unsettled", (json_int_t)sum.unsettled, "reasons", reasons);
    arena_destroy(arena);
    return object;
}

static const char *table_status(const struct run *run, const struct plan_table *table,
                                enum state_status status)
{
    bool begun = false;
    bool all = true;
    for (uint32_t i = 0; i < table->entity_count; i++) {
        const struct plan_entity *entity = &run->session->plan->entities[table->entities[i]];
        all = stream_is_done(run, entity->stream, &begun) && all;
    }
    if (status == STATE_COMPLETED || (all && status != STATE_NOT_STARTED)) {
        return "completed";
    }
    return !begun ? "not_started" : status_names[status];
}

static json_t *tables_make(const struct run *run, enum state_status status, struct sums *sums)
{
    const struct plan *plan = run->session->plan;
    json_t *tables = json_object();
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        struct sums own = {0};
        json_t *entities = entities_make(run, table, &own);
        json_t *name = json_text(table->target.name);
        json_t *object = json_pack("{s:s,s:o,s:I,s:o}", "status", table_status(run, table, status),
                                   "total_records", count_or_null(own.total), "records_migrated",
                                   (json_int_t)own.migrated, "entities", entities);
        json_object_set_new(tables, json_string_value(name), object);
        json_decref(name);
        sums_add(sums, own.total, own.migrated);
    }
    return tables;
}

/* Until what failed in passing is tried again. */
static json_t *waiting_make(const struct progress *progress)
{
    int64_t left_ms = progress_waiting_until_ms(progress) - clock_monotonic_ms();
    return json_real(left_ms > 0 ? (double)left_ms / 1000 : 0);
}

static json_t *side_make(const struct progress_side *side)
{
    return json_pack("{s:f,s:I,s:I,s:I,s:f}", "throttled_seconds",
                     (double)atomic_load(&side->throttled_ms) / 1000, "throttled_times",
                     (json_int_t)atomic_load(&side->throttle_count), "retries",
                     (json_int_t)atomic_load(&side->retries), "fallbacks",
                     (json_int_t)atomic_load(&side->fallbacks), "capacity_units",
                     (double)atomic_load(&side->milliunits) / 1000);
}

/* A worker's present doing; the members of its chunk may be those of the one before. */
static json_t *worker_make(const struct run *run, const struct progress_worker *worker)
{
    int64_t for_ms = clock_monotonic_ms() - atomic_load(&worker->since_ms);
    uint64_t chunk = atomic_load(&worker->chunk);
    json_t *object =
        json_pack("{s:s,s:I,s:s,s:o}", "side", atomic_load(&worker->writes) ? "target" : "source",
                  "number", (json_int_t)atomic_load(&worker->number), "doing",
                  atomic_load(&worker->doing), "since", json_stamp(clock_utc_us() - for_ms * 1000));
    if (chunk > 0 && chunk <= run->chunks.count) {
        const struct plan_stream *stream = run_chunk_stream(run, chunk - 1);
        json_object_set_new(object, "chunk", json_integer((json_int_t)chunk));
        json_object_set_new(object, "rows", json_integer((json_int_t)atomic_load(&worker->rows)));
        json_object_set_new(object, "stream", json_text(stream->name));
        json_object_set_new(object, "table", json_text(run_stream_table(run, stream)));
        json_object_set_new(object, "entity", json_text(run_stream_entity(run, stream)));
    }
    return object;
}

static void add_workers(const struct run *run, json_t *state)
{
    const struct progress *progress = &run->session->progress;
    uint32_t count = atomic_load(&progress->worker_count);
    json_t *workers = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(workers, worker_make(run, &progress->workers[i]));
    }
    json_object_set_new(state, "workers", workers);
    json_object_set_new(state, "queue",
                        json_pack("{s:I,s:I,s:I}", "batches",
                                  (json_int_t)atomic_load(&progress->queue.items), "bytes",
                                  (json_int_t)atomic_load(&progress->queue.bytes), "capacity_bytes",
                                  (json_int_t)atomic_load(&progress->queue_limit_bytes)));
}

static json_t *attempts_make(const struct run *run)
{
    static const char *const names[] = {"epoch", "at", "end", "source_connection",
                                        "target_connection"};
    json_t *attempts = json_array();
    size_t index;
    json_t *attempt;
    json_array_foreach(run->status.attempts, index, attempt)
    {
        json_t *shown = json_object();
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            json_t *member = json_object_get(attempt, names[i]);
            if (member != NULL) {
                json_object_set(shown, names[i], member);
            }
        }
        json_array_append_new(attempts, shown);
    }
    return attempts;
}

/* Conditions that stay as they are through an attempt: for the report. */
static void add_conditions(const struct run *run, json_t *state)
{
    const struct run_session *session = run->session;
    json_t *settings = options_describe(&session->options);
    json_object_set_new(settings, "readers",
                        json_integer(run->loads_rejects ? 1 : session_reader_count(session)));
    json_object_set_new(settings, "writers", json_integer(session_writer_count(session)));
    json_object_set_new(state, "version", json_string(TRANSHUME_VERSION));
    json_object_set_new(state, "guarantee",
                        json_string(run_guarantee_name(run_guarantee(session))));
    json_object_set_new(state, "snapshot",
                        json_string(run->status.no_snapshot      ? "none"
                                    : run->status.mixed_snapshot ? "mixed"
                                                                 : "one"));
    json_object_set_new(state, "mapping_version", json_integer(session->kept.mapping_version));
    json_object_set_new(state, "broken_references", json_integer(run->status.broken_references));
    if (run->status.repairs != NULL) {
        json_object_set(state, "repairs", run->status.repairs);
    }
    if (run->status.taken != NULL) {
        json_object_set(state, "deleted", run->status.taken);
    }
    if (json_object_size(run->status.strangers) > 0) {
        json_object_set(state, "differing_there", run->status.strangers);
    }
    if (run->status.not_carried != NULL) {
        json_object_set(state, "not_carried", run->status.not_carried);
    }
    if (run->status.rights != NULL) {
        json_object_set(state, "rights", run->status.rights);
    }
    json_object_set_new(state, "attempts", attempts_make(run));
    json_object_set_new(state, "settings", settings);
    json_object_set_new(state, "ended_at", json_stamp(run->status.ended_us));
}

static json_t *state_make(const struct run *run, enum state_status status)
{
    struct sums sums = {0};
    json_t *tables = tables_make(run, status, &sums);
    json_t *object = json_pack(
        "{s:i,s:o,s:s,s:s,s:b,s:s,s:b,s:o,s:o,s:{s:I,s:I},s:o,s:I,s:o,s:{s:I,s:o,s:I},s:o,s:o,s:O,"
        "s:[]}",
        "format", CONTROL_FORMAT, "run", json_text(run->id), "kind", run_kind(run), "status",
        status_names[status], "interrupted", status == STATE_INTERRUPTED, "phase",
        ledger_phase_name(run->status.phase), "mixed_snapshot", run->status.mixed_snapshot,
        "source", json_text(run->header.source_uri), "target", json_text(run->header.target_uri),
        "chunks", "total", (json_int_t)run->chunks.count, "done",
        (json_int_t)run->chunks.done_count, "total_records", count_or_null(sums.total),
        "records_migrated", (json_int_t)sums.migrated, "tables", tables, "attempt", "number",
        (json_int_t)(run->claim.epoch > 0 ? run->claim.epoch : 1), "started_at",
        json_stamp(run->attempt_us), "migrated_before", (json_int_t)sum_before(run), "started_at",
        json_stamp(run->status.started_us), "updated_at", json_stamp(clock_utc_us()), "errors",
        run->status.errors, "validation");
    const struct progress *progress = &run->session->progress;
    json_object_set_new(object, "rejects", rejects_make(run));
    json_object_set_new(object, "resumable", json_boolean(run_can_resume(run->session)));
    json_object_set_new(object, "waiting_seconds", waiting_make(progress));
    json_object_set_new(object, "source_use", side_make(&progress->source));
    json_object_set_new(object, "target_use", side_make(&progress->target));
    json_t *follow = follow_figures_state(run);
    if (follow != NULL) {
        json_object_set_new(object, "follow", follow);
    }
    if (status == STATE_IN_PROGRESS && atomic_load(&progress->phase) == PROGRESS_COPY) {
        add_workers(run, object);
    }
    add_conditions(run, object);
    return object;
}

void state_begin(struct run *run, const struct ledger_mark *marks, uint64_t mark_count)
{
    pthread_mutex_lock(&run->state_mutex);
    run->record.ready = true;
    run->record.chunk_log = chunk_log_open(run, marks, mark_count);
    if (marks == NULL) {
        unlink(run->folder.metrics_file); /* of a run that never began */
    }
    pthread_mutex_unlock(&run->state_mutex);
    types_file_write(run);
}

void state_note_chunk(struct run *run, const struct ledger_mark *mark)
{
    pthread_mutex_lock(&run->state_mutex);
    chunk_log_add(run->record.chunk_log, mark);
    pthread_mutex_unlock(&run->state_mutex);
}

static void take_sample(struct run *run, bool last)
{
    if (run->record.metrics == NULL && run->claim.held) {
        run->record.metrics = metrics_open(run->folder.metrics_file, (uint32_t)run->claim.epoch);
    }
    metrics_take(run->record.metrics, &run->session->progress, last);
}

void state_note_counters(struct run *run)
{
    pthread_mutex_lock(&run->state_mutex);
    take_sample(run, true);
    pthread_mutex_unlock(&run->state_mutex);
}

void state_end(struct run *run)
{
    chunk_log_close(run->record.chunk_log);
    metrics_close(run->record.metrics);
    run->record.chunk_log = NULL;
    run->record.metrics = NULL;
}

/* Synced where a run pauses or ends; between, it is soon written again. */
static enum status write_text(const char *path, const struct buffer *text, enum state_status status,
                              struct error *error)
{
    const char *failpoint = "engine.state_before_rename";
    return status == STATE_IN_PROGRESS
               ? file_replace(path, text->data, text->length, failpoint, error)
               : file_write_atomic(path, text->data, text->length, failpoint, error);
}

/* The point that following came to stays told by an attempt that finds nothing left to follow. */
static void keep_follow(const struct run *run, json_t *object)
{
    char *text;
    size_t length;
    json_t *before = NULL;
    struct error error;
    if (run->header.feed == NULL || json_object_get(object, "follow") != NULL) {
        return;
    }
    struct arena *arena = arena_create(0);
    if (file_read_all(run->folder.state_file, STATE_BYTES_MAX, arena, &text, &length, &error) ==
            STATUS_OK &&
        json_from_text(text, run->folder.state_file, ERROR_STATE_INVALID, &before, &error) ==
            STATUS_OK) {
        const char *of = json_string_value(json_object_get(before, "run"));
        json_t *follow = json_object_get(before, "follow");
        if (of != NULL && strcmp(of, run->id) == 0 && follow != NULL) {
            json_object_set(object, "follow", follow);
            if (run->session->options.command ==
                RUN_CUT_OVER_BACK) { /* how far it was no longer is */
                json_object_set_new(follow, "cut_over", json_null());
            }
        }
        json_decref(before);
    }
    arena_destroy(arena);
}

void state_write(struct run *run, enum state_status status)
{
    struct error error;
    pthread_mutex_lock(&run->state_mutex);
    if (run->record.ready) {
        /* A file that grows is not written whole each time. */
        chunk_log_flush(run->record.chunk_log);
        take_sample(run, status != STATE_IN_PROGRESS);
        json_t *object = state_make(run, status);
        struct buffer text = {0};
        keep_follow(run, object);
        enum status written = json_tree_append(object, JSON_INDENT(2), &text)
                                  ? write_text(run->folder.state_file, &text, status, &error)
                                  : error_set(&error, ERROR_INTERNAL, run->folder.state_file,
                                              "what it is to say can't be put as JSON");
        json_decref(object);
        buffer_free(&text);
        run->record.written_ms = clock_monotonic_ms();
        if (written != STATUS_OK) {
            log_write(LOG_WARNING, "state.json stays behind: %s: %s", error.object, error.message);
        }
    }
    pthread_mutex_unlock(&run->state_mutex);
}

void state_tick(struct run *run)
{
    pthread_mutex_lock(&run->state_mutex);
    int64_t now_ms = clock_monotonic_ms();
    bool is_young = now_ms - run->session->progress.started_ms < STATE_FIRST_MS;
    int64_t period_ms = is_young ? STATE_PERIOD_FIRST_MS : STATE_PERIOD_MS;
    bool due = run->claim.held && now_ms - run->record.written_ms >= period_ms;
    pthread_mutex_unlock(&run->state_mutex);
    if (due) {
        state_write(run, STATE_IN_PROGRESS);
    }
}

/* ---- for the commands */

enum status run_state_read(const char *state_folder, struct buffer *json, struct error *error)
{
    char *text;
    size_t length;
    json_t *object;
    struct state_folder folder;
    struct past_run current;
    struct arena *arena = arena_create(0);
    enum status status = state_folder_name(&folder, state_folder, arena, error);
    if (status == STATUS_OK) {
        status = file_read_all(folder.state_file, STATE_BYTES_MAX, arena, &text, &length, error);
    }
    if (status == STATUS_END) {
        status = past_runs_current(&folder, arena, &current, error);
        if (status == STATUS_OK) {
            folder = current.folder;
            status =
                file_read_all(folder.state_file, STATE_BYTES_MAX, arena, &text, &length, error);
        }
    }
    if (status == STATUS_OK) {
        status = json_from_text(text, folder.state_file, ERROR_STATE_INVALID, &object, error);
        if (status == STATUS_OK) {
            json_decref(object);
            buffer_append(json, text, length);
        } else if (error->code == ERROR_STATE_INVALID) {
            error_hint(error, "it is only an export: `transhume resume` writes it again");
        }
    }
    arena_destroy(arena);
    return status;
}

enum status run_is_known(const char *state_folder, bool *known, struct error *error)
{
    struct state_folder folder;
    struct past_run current;
    struct arena *arena = arena_create(0);
    *known = false;
    enum status status = state_folder_name(&folder, state_folder, arena, error);
    if (status == STATUS_OK && file_exists(folder.run_file)) {
        *known = true;
    } else if (status == STATUS_OK) {
        status = past_runs_current(&folder, arena, &current, error);
        *known = status == STATUS_OK;
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status run_ids(const char *state_folder, struct arena *arena, const char ***ids,
                    uint32_t *count, struct error *error)
{
    struct state_folder folder;
    struct local_run current;
    struct past_run *past;
    uint32_t past_count;
    *count = 0;
    if (state_folder_name(&folder, state_folder, arena, error) != STATUS_OK ||
        past_runs_list(&folder, arena, &past, &past_count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *ids = arena_allocate_zeroed(arena, past_count + 1u, sizeof **ids);
    enum status status = local_run_read(&folder, arena, &current, error);
    if (status == STATUS_OK) {
        (*ids)[(*count)++] = current.id;
    }
    for (uint32_t i = 0; i < past_count; i++) {
        (*ids)[(*count)++] = past[i].local.id;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static bool ask_local(const char *state_folder, bool (*question)(const struct local_run *local))
{
    struct state_folder folder;
    struct local_run local;
    struct error ignored = {0};
    struct arena *arena = arena_create(0);
    bool answer = state_folder_name(&folder, state_folder, arena, &ignored) == STATUS_OK &&
                  local_run_read(&folder, arena, &local, &ignored) == STATUS_OK && question(&local);
    arena_destroy(arena);
    return answer;
}

static bool is_finished(const struct local_run *local)
{
    return local->finished;
}

bool run_is_finished(const char *state_folder)
{
    return ask_local(state_folder, is_finished);
}

static bool is_unfinished_mirror(const struct local_run *local)
{
    return local->mirrors && !local->finished && !local->rolling_back;
}

bool run_is_unfinished_mirror(const char *state_folder)
{
    return ask_local(state_folder, is_unfinished_mirror);
}

static void say_kept(const struct local_run *local, struct buffer *kept)
{
    buffer_format(
        kept, "run %s %s %s -> %s\n", local->id, local->finished ? "(complete)" : "(unfinished)",
        local->source == NULL ? "?" : local->source, local->target == NULL ? "?" : local->target);
    if (local->follows && !local->finished) {
        buffer_append_string(kept,
                             "What stays in the source: the feed, for which it keeps its log; "
                             "`transhume cutover --abandon --confirm` before the reset, or "
                             "behind it with SRC DST, removes it.\n");
    }
    buffer_append_string(kept, "What stays in the target: the records written so far and the "
                               "ledger (_transhume_*)");
    buffer_append_string(kept, local->finished ? ", unless `transhume finish` dropped it.\n"
                                               : ".\n`transhume resume` with the same plan or "
                                                 "endpoints still continues from that ledger.\n");
}

/* Nobody but this folder and the ledger knows that writers are kept out. */
static enum status refuse_fenced(const struct state_folder *folder, struct error *error)
{
    bool sealed;
    char since[32];
    int64_t since_us = fence_look(folder->path, &sealed);
    if (since_us == 0) {
        return STATUS_OK;
    }
    clock_format_utc(since_us, since, sizeof since);
    error_set(error, ERROR_CUT_OVER, folder->path,
              "the source's writers have been stopped since %s by a cut-over%s, and only this "
              "state says so",
              since, sealed ? " after which the application may be at the target" : "");
    return error_hint(error,
                      "`transhume cutover --back --confirm` lets them write again, then reset; if "
                      "the source is gone for good, remove fence.json there");
}

enum status run_state_reset(const char *state_folder, struct buffer *kept, struct error *error)
{
    struct state_folder folder;
    struct local_run local;
    struct arena *arena = arena_create(0);
    enum status status = state_folder_name(&folder, state_folder, arena, error);
    if (status == STATUS_OK && !file_exists(folder.path)) {
        arena_destroy(arena);
        return STATUS_END;
    }
    if (status == STATUS_OK) {
        status = state_folder_lock(&folder, error);
    }
    if (status == STATUS_OK && refuse_fenced(&folder, error) != STATUS_OK) {
        state_folder_unlock(&folder);
        status = STATUS_FAILED;
    }
    if (status == STATUS_OK) {
        struct error damaged;
        enum status found = local_run_read(&folder, arena, &local, &damaged);
        if (found == STATUS_OK) {
            say_kept(&local, kept);
        } else if (found == STATUS_FAILED) {
            buffer_append_string(kept, "The local state was damaged. What stays in the target: the "
                                       "records written so far and the ledger (_transhume_*).\n");
        }
        log_close_file();
        status = state_folder_remove(&folder, error);
        state_folder_unlock(&folder);
    }
    arena_destroy(arena);
    return status;
}
