/* One act that is one transaction: its statements and its row commit together. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DOWN_TEXT_MAX = 1 << 20, LOCK_PATIENCE_MIN_MS = 10000, LOCK_TRIES = 12 };

/* ---------------------------------------------------------------- rows */

static const char *down_text_of(struct schema_work *work, const struct schema_act *act)
{
    const struct migration *file = act->file;
    if (file == NULL || act->action == HISTORY_DOWN || file->down.text == NULL ||
        file->down.length > DOWN_TEXT_MAX ||
        memchr(file->down.text, '\0', file->down.length) != NULL) {
        return NULL;
    }
    return arena_copy(work->act_arena, file->down.text, file->down.length);
}

/* An act that fails again and again is one line of the history. */
static uint64_t number_of(struct schema_work *work, const struct schema_act *act)
{
    if (act->resumes) {
        return act->entry->act.number;
    }
    if (act->entry != NULL && act->entry->failed == work->history.last_number &&
        act->entry->failed > 0) {
        return act->entry->failed;
    }
    return ++work->history.last_number;
}

static void fill_row(struct schema_work *work, struct act_work *at)
{
    const struct schema_act *act = at->act;
    const struct migration *file = act->file;
    uint64_t number = number_of(work, act);
    at->row = work_row(work, number, act->action, HISTORY_DONE, act->version, act->name);
    at->row.steps = at->steps.count;
    if (act->action == HISTORY_DOWN) {
        at->row.checksum = act->entry->act.checksum;
        at->row.down_checksum = act->text->checksum;
        at->row.down_text = act->text->length <= DOWN_TEXT_MAX
                                ? arena_copy(work->act_arena, act->text->text, act->text->length)
                                : NULL;
        return;
    }
    at->row.checksum = act->text->checksum;
    at->row.origin_checksum = file->origin_checksum;
    at->row.down_checksum = file->down.text != NULL ? file->down.checksum : NULL;
    at->row.down_text = down_text_of(work, act);
}

/* ---------------------------------------------------------------- the transaction */

static enum status run_transaction(struct schema_work *work, struct act_work *at,
                                   const struct migration_segment *segment, struct error *error)
{
    uint64_t rows;
    enum status status =
        work->alter->takes_back_ddl ? work_keep_images(work, at, error) : STATUS_OK;
    for (uint32_t i = 0; segment != NULL && i < segment->count && status == STATUS_OK; i++) {
        status = work_run_step(work, at, &at->steps.items[segment->first + i], &rows, error);
    }
    if (status == STATUS_OK) {
        status = work_put_images_back(work, at, error);
    }
    if (status == STATUS_OK) {
        status = work_check_after(work, at, error);
        status = status == STATUS_AGAIN ? STATUS_FAILED : status;
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("evolve.before_commit", error);
    }
    return status == STATUS_OK ? work->alter->history_put(work->session, &at->row, error) : status;
}

static enum status commit_segment(struct schema_work *work, struct act_work *at,
                                  const struct migration_segment *segment, struct error *error)
{
    const struct alter_functions *alter = work->alter;
    if (alter->begin == NULL) {
        return run_transaction(work, at, segment, error);
    }
    if (alter->begin(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    at->in_transaction = true;
    enum status status =
        alter->end(work->session, run_transaction(work, at, segment, error), error);
    at->in_transaction = false;
    return status;
}

/* The free segments in front of the transaction, or those behind it. */
static enum status run_free_part(struct schema_work *work, const struct act_work *at,
                                 uint32_t first, uint32_t end, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = first; i < end && status == STATUS_OK; i++) {
        status = work_run_free(work, at, &at->steps.segments[i], error);
    }
    return status;
}

/* The segment that is the transaction; the number of segments: there is none. */
static uint32_t find_transaction(const struct migration_steps *steps)
{
    uint32_t bound = 0;
    while (bound < steps->segment_count && steps->segments[bound].kind == SEGMENT_FREE) {
        bound++;
    }
    return bound;
}

/* The unit that is tried again as one. It ends with its COMMIT. */
static enum status work_whole(struct schema_work *work, struct act_work *at, struct error *error)
{
    const struct migration_steps *steps = &at->steps;
    uint32_t bound = find_transaction(steps);
    /* A table of kept rows is made outside a transaction that it would commit. */
    bool apart = !work->alter->takes_back_ddl;
    if (work_check_before(work, at, error) != STATUS_OK ||
        work_find_images(work, at, error) != STATUS_OK ||
        (apart && work_keep_images(work, at, error) != STATUS_OK) ||
        run_free_part(work, at, 0, bound, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return commit_segment(work, at, bound < steps->segment_count ? &steps->segments[bound] : NULL,
                          error);
}

/* Clears up after the COMMIT. The act stands whatever fails here, and is not tried again. */
static enum status work_behind(struct schema_work *work, struct act_work *at, struct error *error)
{
    const struct migration_steps *steps = &at->steps;
    uint32_t bound = find_transaction(steps);
    struct error failure = {0};
    at->stands = true;
    work_clear_images(work, at);
    if (bound < steps->segment_count &&
        run_free_part(work, at, bound + 1, steps->segment_count, &failure) != STATUS_OK) {
        log_write(LOG_WARNING, "behind the migration, which stands: %s: %s", failure.object,
                  failure.message);
    }
    return failpoint_hit("evolve.after_commit", error);
}

/* ---------------------------------------------------------------- one act */

static bool is_lost(const struct error *error)
{
    return error->code == ERROR_NETWORK || error->code == ERROR_TARGET_UNKNOWN_OUTCOME;
}

/* For people, in the history: what was tried and why it failed. */
static void note_failure(struct schema_work *work, struct act_work *at, const struct error *failure)
{
    struct error ignored = {0};
    char text[sizeof(failure->message) + sizeof(failure->object) + 8];
    if (is_lost(failure) || failure->code == ERROR_RUN_FENCED ||
        failpoint_hit("evolve.before_note", &ignored) != STATUS_OK) {
        return;
    }
    snprintf(text, sizeof(text), "%s%s%s", failure->object, failure->object[0] != '\0' ? ": " : "",
             failure->message);
    work_relax(work, false);
    at->row.state = HISTORY_FAILED;
    at->row.error = text;
    if (work->alter->history_put(work->session, &at->row, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "the failure could not be noted in the history: %s",
                  ignored.message);
    }
}

/* A lock that others hold, a deadlock: nothing was changed, and it is tried again. */
static enum status try_whole(struct schema_work *work, struct act_work *at, struct error *error)
{
    int64_t patience = LOCK_TRIES * work->options->lock_ms;
    struct retry retry;
    retry_init(&retry, patience < LOCK_PATIENCE_MIN_MS ? LOCK_PATIENCE_MIN_MS : patience);
    retry.stop_level = 1;
    for (;;) {
        enum status status = work_whole(work, at, error);
        if (status == STATUS_OK) {
            return work_behind(work, at, error);
        }
        if (is_lost(error) || !retry_wait(&retry, error)) {
            return status;
        }
        work->dirty = true;
        if (work_settle(work, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

static enum status read_steps(struct schema_work *work, struct act_work *at, struct error *error)
{
    struct buffer lines = {0};
    struct plan_faults faults;
    const struct schema_act *act = at->act;
    plan_faults_init(&faults, act->text->path, &lines);
    enum status status =
        migration_read_steps(act->text, schema_act_language(act, work->alter), work->alter,
                             work->act_arena, &at->steps, &faults, error);
    buffer_free(&lines);
    if (status == STATUS_OK && at->steps.leaves_out_locks) {
        log_write(LOG_WARNING,
                  "%s: LOCK TABLES and UNLOCK TABLES are left out: they would shut the history out",
                  act->text->path);
    }
    return status;
}

static void apply_tell(const struct schema_work *work, const struct act_work *at,
                       enum schema_event_kind kind)
{
    const struct schema_event event = {.kind = kind,
                                       .act = at->act,
                                       .steps = at->steps.count,
                                       .ms = clock_monotonic_ms() - at->began_ms};
    work_tell(work, &event);
}

static void add_result(struct schema_result *result, const struct schema_done *done)
{
    result->done = arena_make_room(result->arena, result->done, result->count, &result->capacity,
                                   sizeof(*result->done));
    result->done[result->count++] = *done;
}

static struct schema_done describe_done(const struct schema_work *work, const struct act_work *at)
{
    struct arena *arena = work->result->arena;
    const char *version = at->act->version;
    return (struct schema_done){.action = at->act->action,
                                .version =
                                    version == NULL ? NULL : arena_copy_string(arena, version),
                                .name = arena_copy_string(arena, at->act->name),
                                .steps = at->steps.count,
                                .ms = clock_monotonic_ms() - at->began_ms};
}

void work_count_lost(struct schema_work *work)
{
    struct lost_act *lost = &work->lost;
    for (uint32_t i = 0; lost->number > 0 && i < work->history.count; i++) {
        const struct schema_entry *entry = &work->history.entries[i];
        if (entry->act.number != lost->number || entry->unfinished || entry->act.run == NULL ||
            strcmp(entry->act.run, work->run) != 0) {
            continue;
        }
        const struct schema_act act = {
            .action = lost->done.action, .version = lost->done.version, .name = lost->done.name};
        const struct schema_event event = {
            .kind = SCHEMA_ENDS, .act = &act, .steps = lost->done.steps, .ms = lost->done.ms};
        work_tell(work, &event);
        add_result(work->result, &lost->done);
        lost->number = 0;
    }
}

/* In front of each act; of a long list of them, which is a first deployment, only the first. */
static enum status name_restore_point(struct schema_work *work, struct act_work *at,
                                      struct error *error)
{
    enum { NAMED_MAX = 16 };
    const struct schema_act *act = at->act;
    if (work->alter->restore_point == NULL || act->resumes ||
        (work->plan.count > NAMED_MAX && act != work->plan.acts)) {
        return STATUS_OK;
    }
    return work->alter->restore_point(work->session,
                                      act->version != NULL ? act->version : act->name,
                                      work->act_arena, &at->row.restore_point, error);
}

static void hint_next(const struct schema_work *work, const struct act_work *at,
                      struct error *error)
{
    bool whole = at->steps.is_whole && !at->act->resumes;
    if (error->hint[0] != '\0' || is_lost(error) || (!whole && !at->stands)) {
        return;
    }
    if (at->stands) {
        const char *what = at->act->version != NULL ? at->act->version : at->act->name;
        bool down = at->act->action == HISTORY_DOWN;
        error_hint(error, "%s is %s: this failed after its commit, and undid nothing. `%s` %s.",
                   what, down ? "taken back" : "applied", work->options->program,
                   down ? "takes the next one back" : "goes on behind it");
        return;
    }
    error_hint(error, "Nothing of this file stands. Once it is fixed: `%s`",
               work->options->program);
}

enum status work_act(struct schema_work *work, const struct schema_act *act, struct error *error)
{
    arena_reset(work->act_arena);
    return work_act_within(work, act, error);
}

enum status work_act_within(struct schema_work *work, const struct schema_act *act,
                            struct error *error)
{
    struct act_work at = {.act = act, .began_ms = clock_monotonic_ms()};
    if (work_settle(work, error) != STATUS_OK || read_steps(work, &at, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    apply_tell(work, &at, SCHEMA_BEGINS);
    if (failpoint_hit("evolve.before_file", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    fill_row(work, &at);
    if (name_restore_point(work, &at, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool whole = at.steps.is_whole && !act->resumes;
    work->dirty = at.steps.changes_session;
    enum status status = whole ? try_whole(work, &at, error) : work_stages(work, &at, error);
    if (status != STATUS_OK) {
        work->dirty = true;
        if (strstr(error->object, act->text->path) == NULL && !is_lost(error)) {
            error_context(error, "%s: ", act->text->path);
        }
        hint_next(work, &at, error);
        if (is_lost(error)) {
            work->lost = (struct lost_act){at.row.number, describe_done(work, &at)};
        }
        if (whole && !at.stands) {
            note_failure(work, &at, error);
        }
        return status;
    }
    apply_tell(work, &at, SCHEMA_ENDS);
    const struct schema_done done = describe_done(work, &at);
    add_result(work->result, &done);
    return STATUS_OK;
}
