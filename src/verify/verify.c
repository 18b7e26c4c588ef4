/* A validation from beginning to end: what the run was, the readings, the matching, the result. */
#include "verify/verify.h"
#include "engine/run/run_begin.h"
#include "engine/session/run_source.h"
#include "engine/state/run_state.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "observe/observer.h"
#include "verify/checkpoint.h"
#include "verify/match.h"
#include "verify/repair.h"
#include "verify/rows.h"
#include "verify/steps.h"
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* ---------------------------------------------------------------- before any reading */

static void allocate(struct verify *verify)
{
    const struct plan *plan = verify->session->plan;
    verify->table_count = plan->table_count;
    verify->entity_count = plan->entity_count;
    verify->tables =
        arena_allocate_zeroed(verify->arena, plan->table_count + 1u, sizeof(*verify->tables));
    verify->entities =
        arena_allocate_zeroed(verify->arena, plan->entity_count + 1u, sizeof(*verify->entities));
    bool full = verify->options.level == VERIFY_FULL;
    verify->folder =
        file_join(verify->arena, verify->run->folder.spill, full ? STATE_SPILL_FULL : "validate");
    for (uint32_t i = 0; i < plan->table_count; i++) {
        verify->tables[i].plan = &plan->tables[i];
        verify->tables[i].number = i;
    }
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        verify->entities[i].plan = &plan->entities[i];
    }
}

/* All tables of the target are held, whole. */
static enum status hold_mirror(struct verify *verify, struct error *error)
{
    const struct run_session *session = verify->session;
    const struct source_functions *source = session->mirror->connector->source;
    uint32_t count = session->plan->table_count;
    struct read_request *requests =
        arena_allocate_zeroed(verify->arena, count + 1u, sizeof(*requests));
    const struct read_request **list =
        arena_allocate_zeroed(verify->arena, count + 1u, sizeof(struct read_request *));
    for (uint32_t i = 0; i < count; i++) {
        const char *name = session->plan->tables[i].target.name;
        requests[i] = (struct read_request){.name = name, .table = name};
        list[i] = &requests[i];
    }
    return source->hold != NULL ? source->hold(session->mirror, list, count, error) : STATUS_OK;
}

/* Both sides at one moment each. */
static enum status take_snapshots(struct verify *verify, struct error *error)
{
    struct run_session *session = verify->session;
    verify->documents = (session->mirror->capabilities & CAPABILITY_FREE_FIELDS) != 0 &&
                        (session->mirror->capabilities & CAPABILITY_SQL_SCHEMA) == 0;
    if (session_snapshot(session, session->options.limits.jobs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (hold_mirror(verify, error) != STATUS_OK ||
        session->mirror->connector->source->snapshot(session->mirror, session->options.limits.jobs,
                                                     session->arena, &verify->mirror_snapshot,
                                                     error) != STATUS_OK ||
        session->mirror->connector->catalog->describe(session->mirror, &verify->mirror_schema,
                                                      error) != STATUS_OK) {
        return error_context(error, "the target: ");
    }
    return session_describe_streams(session, error);
}

static void quiet(const char *what)
{
    log_write(LOG_DEBUG, "%s", what);
}

static enum status prepare_reading(struct verify *verify, struct error *error)
{
    struct run_session *session = verify->session;
    const struct read_request **requests = arena_allocate_zeroed(
        verify->arena, verify->table_count + 1u, sizeof(struct read_request *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        if (verify->tables[i].actual != NULL) {
            requests[count++] = &verify->tables[i].request;
        }
    }
    if (run_prepare_source(verify->run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return session->mirror->connector->source->prepare(session->mirror, requests, count, quiet,
                                                       error);
}

/* ---------------------------------------------------------------- the second reading */

static bool is_bad(const struct verify_table *table)
{
    if (table->rows != NULL) {
        return atomic_load(&table->rows->suspected) > 0;
    }
    if (table->range_count > 0) {
        for (uint32_t i = 0; i < table->range_count; i++) {
            if (verify_range_bad_parts(&table->ranges[i]) > 0) {
                return true;
            }
        }
        return false;
    }
    if (table->joined || table->buckets == NULL) {
        return true;
    }
    for (uint32_t i = 0; i <= table->bucket_mask; i++) {
        if (!verify_bucket_is_even(table, i)) {
            return true;
        }
    }
    return false;
}

/* Records on both sides: as they were counted, or, before any reading, as databases guess. */
static uint64_t expected_rows(const struct verify *verify, const struct verify_table *table)
{
    enum { ROWS_UNKNOWN = 1 << 20 };
    const struct run_session *session = verify->session;
    bool counted = verify->options.level != VERIFY_FULL;
    uint64_t rows = atomic_load(&table->target_rows);
    if (!counted && table->actual != NULL) {
        int64_t guess = table->actual->row_count;
        rows = guess < 0 ? ROWS_UNKNOWN : (uint64_t)guess;
    }
    for (uint32_t i = 0; i < table->plan->entity_count; i++) {
        const struct verify_entity *entity = &verify->entities[table->plan->entities[i]];
        int64_t guess = session->facts[entity->plan->stream].row_count;
        rows += counted ? atomic_load(&entity->made) : guess < 0 ? ROWS_UNKNOWN : (uint64_t)guess;
    }
    return rows;
}

/* About how much of the data is in bad buckets. */
static uint64_t expected_bytes(const struct verify *verify, struct spill_options options)
{
    enum { ROW_BYTES = 300 };
    uint64_t row_bytes = ROW_BYTES * (1u + options.values + options.records);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        const struct verify_table *table = &verify->tables[i];
        uint64_t bad = 0;
        if (table->rows != NULL) {
            bytes += atomic_load(&table->rows->suspected) * row_bytes;
            continue;
        }
        uint64_t all = table->buckets != NULL
                           ? table->bucket_mask + 1u
                           : (uint64_t)table->range_count *
                                 verify_range_parts(table->range_count, verify->table_count);
        for (uint64_t j = 0; table->buckets != NULL && j < all; j++) {
            bad += !verify_bucket_is_even(table, (uint32_t)j);
        }
        for (uint64_t j = 0; table->buckets == NULL && j < table->range_count; j++) {
            bad += verify_range_bad_parts(&table->ranges[j]);
        }
        double share = all == 0 ? 1.0 : (double)bad / (double)all;
        double rows = (double)expected_rows(verify, table);
        bytes += table->bad ? (uint64_t)(rows * share * (double)row_bytes) : 0;
    }
    return bytes;
}

static uint32_t count_bad(struct verify *verify)
{
    uint32_t bad = 0;
    for (uint32_t i = 0; i < verify->table_count; i++) {
        verify->tables[i].bad = is_bad(&verify->tables[i]);
        bad += verify->tables[i].bad;
    }
    return bad;
}

static enum status read_again(struct verify *verify, struct error *error)
{
    struct pass pass = {.verify = verify, .act = ACT_SPILL, .summed = true};
    const struct spill_options options = checkpoint_spill_options(verify);
    if (count_bad(verify) == 0) {
        return known_rejects_feed(&pass, error);
    }
    if (failpoint_hit("verify.before_rereading", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        if (table->bad && table->pushed != NULL) {
            steps_narrow_pushed(verify, table);
        }
    }
    enum status status = spill_create(verify->folder, expected_bytes(verify, options), options,
                                      &verify->spill, error);
    return status == STATUS_OK ? pass_run_bad(&pass, error) : status;
}

/* ---------------------------------------------------------------- levels */

/* Records that an earlier process could not make were counted by it, and are named in no list that
 * stands. */
static void note_restored(struct verify *verify, enum status restored)
{
    for (uint32_t i = 0; i < verify->entity_count && restored == STATUS_OK; i++) {
        verify->lacks_unmade =
            verify->lacks_unmade || atomic_load(&verify->entities[i].rejected) > 0;
    }
}

/* The tasks to be read, and which of them an earlier process has read. */
static enum status list_tasks(struct verify *verify, struct task_list *list, struct error *error)
{
    bool pushes = verify->options.push_down && verify->session->subset == NULL;
    enum status status = pushes ? steps_push_down(verify, error) : STATUS_OK;
    status = status == STATUS_OK ? checkpoint_open(verify, error) : status;
    if (status == STATUS_OK) {
        verify_make_buckets(verify);
        steps_make_columns(verify);
        status = checkpoint_restore(verify->checkpoint, list, error);
        note_restored(verify, status);
    }
    return status == STATUS_END ? steps_list_all(verify, list, error) : status;
}

/* The same at level full, where what is read stands in the spill. */
static enum status list_full(struct verify *verify, struct task_list *list, struct error *error)
{
    if (count_bad(verify) == 0) {
        return STATUS_OK; /* there are no tables */
    }
    enum status status = failpoint_hit("verify.before_rereading", error);
    status = status == STATUS_OK ? checkpoint_open(verify, error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    status = checkpoint_restore(verify->checkpoint, list, error);
    note_restored(verify, status);
    if (status == STATUS_END) {
        const struct spill_options options = checkpoint_spill_options(verify);
        checkpoint_remove(verify->checkpoint); /* what it is about goes now */
        status = spill_create(verify->folder, expected_bytes(verify, options), options,
                              &verify->spill, error);
        status = status == STATUS_OK ? steps_list_bad(verify, list, error) : status;
    }
    return status;
}

/* The reading that counts, and that is gone on with if it is broken off. */
static enum status read_first(struct verify *verify, struct error *error)
{
    bool full = verify->options.level == VERIFY_FULL;
    struct task_list list = {0};
    struct pass pass = {.verify = verify, .act = full ? ACT_SPILL : ACT_SUM, .counts = true};
    enum status status = (full ? list_full : list_tasks)(verify, &list, error);
    if (status == STATUS_OK && verify->checkpoint != NULL) {
        checkpoint_begin(verify->checkpoint, &list);
        pass.tasks = list.tasks;
        pass.task_count = list.count;
        status = pass_run(&pass, error);
        /* what is read or matched then could be as long, and changes the sums */
        if (status != STATUS_OK || full || count_bad(verify) > 0) {
            checkpoint_end(verify->checkpoint, status == STATUS_OK);
        }
    }
    status = status == STATUS_OK ? known_rejects_feed(&pass, error) : status;
    free(list.tasks);
    return status;
}

static enum status verify_match(struct verify *verify, struct match *matching, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < verify->table_count && status == STATUS_OK; i++) {
        status = match_add_unreadable(matching, &verify->tables[i], error);
    }
    if (status == STATUS_OK && verify->spill != NULL) {
        status = match_all(matching, error);
    }
    return status;
}

static enum status compare_all(struct verify *verify, struct match *matching, struct error *error)
{
    /* at level full everything is matched, byte for byte: sums would say nothing more */
    bool quick = verify->options.quick && verify->options.level == VERIFY_HASH;
    enum status status = quick ? rows_compare_all(verify, error) : STATUS_OK;
    status = status == STATUS_OK ? read_first(verify, error) : status;
    if (status == STATUS_OK && verify->options.level != VERIFY_FULL) {
        status = read_again(verify, error);
    }
    return status == STATUS_OK ? verify_match(verify, matching, error) : status;
}

static enum status verify_compare(struct verify *verify, struct match *matching,
                                  struct error *error)
{
    checkpoint_pass_by(verify);
    switch (verify->options.level) {
    case VERIFY_COUNT:
        return steps_count(verify, matching, error);
    case VERIFY_SAMPLE:
        return steps_sample(verify, matching, error);
    default:
        return compare_all(verify, matching, error);
    }
}

/* ---------------------------------------------------------------- the whole */

/* The counts of what the repair will do, once all of it is known to be possible. */
static enum status end_repair_files(struct verify *verify, struct match *matching,
                                    struct error *error)
{
    struct repair_files *files = matching->repair;
    if (files == NULL) {
        return STATUS_OK;
    }
    if (repair_files_close(files, error) != STATUS_OK ||
        repair_settle_places(files, error) != STATUS_OK ||
        repair_files_check(files, error) != STATUS_OK ||
        repair_files_hash(files, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (verify->lacks_unmade) { /* who looks for it must not think that it is all */
        (void)unlink(file_join(verify->arena, verify->run->folder.path, STATE_UNMADE));
    }
    verify->result->to_write = files->write_count;
    verify->result->to_delete = files->delete_count;
    verify->result->to_leave = files->left_count;
    verify->result->to_keep = files->kept_count;
    verify->result->to_contradict = files->contradicting_count;
    verify->result->behind_extra = files->behind_extra_count;
    return STATUS_OK;
}

/* A validation goes by the id of the run that it is of, if there is one. */
static void tell_begin(const struct verify *verify)
{
    const struct run_session *session = verify->session;
    const char *id = verify->result->run_id;
    const struct run_identity identity = {.run = id != NULL ? id : "none",
                                          .kind = "validation",
                                          .source = session->source->connector->name,
                                          .target = session->target->connector->name,
                                          .memory_limit_bytes =
                                              session->options.limits.memory_bytes};
    observer_identify(session->options.observer, &identity);
    log_event(LOG_DEBUG, EVENT_OF(EVENT_RUN, .code = identity.kind, .state = "began"),
              "validation of run %s", identity.run);
}

static void tell_end(const struct verify *verify, enum status status)
{
    struct observer *observer = verify->session->options.observer;
    const struct verify_result *result = verify->result;
    int64_t took_ms = clock_monotonic_ms() - verify->started_ms;
    const char *state = status == STATUS_OK    ? "completed"
                        : status == STATUS_END ? "interrupted"
                                               : "failed";
    for (uint32_t i = 0; i < result->entity_count && status == STATUS_OK; i++) {
        const struct verify_entity_result *entity = &result->entities[i];
        observer_count_mismatches(observer, entity->table,
                                  entity->missing + entity->different + entity->extra);
    }
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_RUN, .code = "validation", .state = state,
                       .count = (int64_t)result->record_count, .milliseconds = took_ms),
              "validation: %s", state);
    observer_end(observer, (double)took_ms / 1000);
}

static enum status verify_work(struct verify *verify, struct match *matching, struct error *error)
{
    struct progress *progress = &verify->session->progress;
    if (take_snapshots(verify, error) != STATUS_OK || steps_find_run(verify, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    tell_begin(verify);
    if (verify_prepare_tables(verify, error) != STATUS_OK ||
        prepare_reading(verify, error) != STATUS_OK ||
        match_begin(matching, verify, error) != STATUS_OK ||
        (matching->repair != NULL &&
         repair_files_open(matching->repair, verify, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    progress_enter(progress, PROGRESS_COMPARE);
    enum status status = verify_compare(verify, matching, error);
    status = status == STATUS_OK ? match_end(matching, error) : status;
    status = status == STATUS_OK ? end_repair_files(verify, matching, error) : status;
    if (status == STATUS_OK) {
        steps_fill_result(verify, matching);
        steps_tell_rejects(verify);
    }
    return status;
}

static void every_second(void *context)
{
    const struct verify *verify = context;
    session_note_reports(verify->session);
}

static enum status work_with_display(struct verify *verify, struct match *matching,
                                     struct error *error)
{
    struct run_session *session = verify->session;
    struct progress_display *display = NULL;
    if (progress_display_start(&session->progress, session->options.progress,
                               session->options.color, every_second, verify, &display,
                               error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = verify_work(verify, matching, error);
    progress_enter(&session->progress, PROGRESS_DONE);
    progress_display_stop(display);
    return status;
}

static enum status verify_begin(struct verify *verify, struct error *error)
{
    const struct run_options *options = &verify->session->options;
    if (run_create(verify->session, &verify->run, error) != STATUS_OK ||
        run_enter_folder(verify->run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    allocate(verify);
    state_folder_remove_temporary(&verify->run->folder);
    /* its lists in the folder are those that an unfinished repair goes on by */
    if (verify->options.repair && !verify->options.lists &&
        run_clear_way(verify->run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    throttle_init(&verify->throttle, options->limits.rows_per_second_max,
                  options->limits.bytes_per_second_max);
    struct error untold;
    enum status status = load_pause_check(verify->session, &untold, error);
    if (status == STATUS_END) {
        error_copy(error, &untold);
    }
    return status == STATUS_OK
               ? load_pause_start(verify->session, &verify->throttle, &verify->load_pause, error)
               : STATUS_FAILED;
}

/* `is_left`: what was read is for the next validation. */
static void comparison_end(struct verify *verify, struct match *matching, bool is_left)
{
    if (matching->repair != NULL) {
        struct error ignored; /* a validation that failed repairs nothing */
        enum status status = repair_files_close(matching->repair, &ignored);
        (void)status;
    }
    match_free(matching);
    load_pause_stop(verify->load_pause);
    pass_close_readers(verify);
    checkpoint_close(verify->checkpoint);
    pthread_mutex_destroy(&verify->sums_mutex);
    if (is_left) {
        spill_leave(verify->spill);
    } else {
        spill_destroy(verify->spill);
    }
    steps_free_columns(verify);
    if (verify->mirror_schema != NULL) {
        arena_destroy(verify->mirror_schema->arena);
    }
    if (verify->run != NULL) {
        run_close_files(verify->run);
        run_destroy(verify->run);
    }
    buffer_free(&verify->notes);
    for (uint32_t i = 0; verify->tables != NULL && i < verify->table_count; i++) {
        buffer_free(&verify->tables[i].named);
        rows_free(&verify->tables[i]);
    }
}

/* The parts of a validation that was broken off which the next one need not do again. */
static void tell_kept(const struct verify *verify, bool interrupted)
{
    const struct checkpoint *checkpoint = verify->checkpoint;
    if (checkpoint == NULL || !checkpoint->on_disk) {
        return;
    }
    verify->result->parts = checkpoint->task_count;
    verify->result->parts_kept = checkpoint->written_count;
    if (!interrupted) {
        log_write(LOG_INFO,
                  "%" PRIu32 " of %" PRIu32 " parts are compared; the same command continues",
                  checkpoint->written_count, checkpoint->task_count);
    }
}

enum status verify_run(struct run_session *session, const struct verify_options *options,
                       struct verify_result *result, struct error *error)
{
    struct verify verify = {.session = session,
                            .options = *options,
                            .result = result,
                            .sums_mutex = PTHREAD_MUTEX_INITIALIZER,
                            .started_ms = clock_monotonic_ms()};
    struct buffer kept = {0};
    struct repair_files files = {0};
    bool is_left = false;
    struct match matching = {.kept = &kept, .repair = options->repair ? &files : NULL};
    *result = (struct verify_result){
        .level = options->level, .push_down = options->push_down, .arena = arena_create(0)};
    verify.arena = result->arena;
    enum status status = verify_begin(&verify, error);
    bool begun = status == STATUS_OK;
    if (begun) {
        status = work_with_display(&verify, &matching, error);
        result->rows = atomic_load(&verify.rows);
        result->seconds =
            (double)(clock_monotonic_ms() - verify.started_ms + (int64_t)verify.spent_ms) / 1000;
    }
    status = status == STATUS_OK ? steps_store(&verify, error) : status;
    if (status == STATUS_OK) {
        if (verify.checkpoint != NULL) {
            checkpoint_remove(verify.checkpoint);
        }
    } else {
        tell_kept(&verify, status == STATUS_END);
        is_left = verify.checkpoint != NULL && verify.checkpoint->on_disk;
    }
    if (begun) {
        tell_end(&verify, status);
    }
    if (status == STATUS_END) {
        result->exit_status = EXIT_INTERRUPTED;
        status = STATUS_OK;
    }
    comparison_end(&verify, &matching, is_left);
    buffer_free(&kept);
    return status;
}

void verify_result_free(struct verify_result *result)
{
    arena_destroy(result->arena);
    *result = (struct verify_result){0};
}
