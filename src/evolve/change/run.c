/* The commands, from the lock to the last note. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/retry.h"
#include "evolve/change/run_internal.h"
#include "evolve/change/stored.h"
#include "evolve/folder/version.h"
#include <inttypes.h>
#include <string.h>

/* ---------------------------------------------------------------- what is refused */

static enum status refuse_other(const struct change_view *other, struct error *error)
{
    error_set(error, ERROR_CHANGE_REFUSED, other->version, "the change %s_%s is under way (%s)",
              other->version, other->name, change_state_name(other->state));
    return error_hint(error, "One at a time: %s.",
                      other->state == CHANGE_ABORTING ? "`transhume change abort` ends its abort"
                      : other->state == CHANGE_COMPLETING
                          ? "`transhume change complete` ends it"
                          : "`transhume change complete` or `transhume change "
                            "abort` ends it");
}

/* A version that stands may have been made on the change's version, or on what it leaves. */
static enum status check_order(const struct change_work *work, const struct change *change,
                               const struct schema_entry *entry, struct error *error)
{
    const char *ours = migration_version_key(change->version, work->arena);
    const char *theirs = migration_version_key(entry->version, work->arena);
    int order = strcmp(theirs, ours);
    bool ordered = migration_version_is_number(ours) && migration_version_is_number(theirs);
    if (order < 0 || (order > 0 && !ordered)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_REFUSED, change->version,
              order == 0 ? "%s_%s of this version is applied"
                         : "%s_%s, which is above it, is applied",
              entry->version, entry->name);
    return error_hint(error, "Give the change's file the next version.");
}

/* Nothing that versioned files began may be half done. */
static enum status check_schema(const struct change_work *work, const struct change *change,
                                struct error *error)
{
    const struct schema_history *history = &work->base.history;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct schema_entry *entry = &history->entries[i];
        bool ours = entry->act.action == HISTORY_CHANGE || entry->act.action == HISTORY_ABORT;
        if (entry->unfinished && !ours) {
            error_set(error, ERROR_CHANGE_REFUSED,
                      entry->version != NULL ? entry->version : entry->name,
                      "the migration %s_%s was broken off",
                      entry->version != NULL ? entry->version : "R", entry->name);
            return error_hint(error,
                              "`transhume schema up` goes on with it, `transhume schema repair` "
                              "says what is true of it.");
        }
        if (entry->stands && entry->version != NULL &&
            check_order(work, change, entry, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- start */

static enum status compile(struct change_work *work, const struct change *change,
                           struct error *error)
{
    if (failpoint_hit("change.before_compile", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->change->compile(work->base.session, change, work->arena, &work->view.plan, error) !=
        STATUS_OK) {
        /* A connector knows the line of what it can't do, and not the file. */
        if (strncmp(error->message, "line ", strlen("line ")) == 0) {
            error_context(error, "%s: ", work->options->file->path);
        }
        return STATUS_FAILED;
    }
    uint32_t count = work->view.plan.count;
    work->view.steps = arena_allocate_zeroed(work->arena, count + 1, sizeof(*work->view.steps));
    return failpoint_hit("change.after_compile", error);
}

/* A new change: compiled, and written down before anything of it is made. */
static enum status change_run_begin(struct change_work *work, struct error *error)
{
    const struct change_file *file = work->options->file;
    struct buffer plan = {0};
    work->view = (struct change_view){.state = CHANGE_STARTING,
                                      .version = file->change.version,
                                      .name = file->change.name,
                                      .checksum = file->checksum};
    if (check_schema(work, &file->change, error) != STATUS_OK ||
        compile(work, &file->change, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    work->view.number = ++work->base.history.last_number;
    change_plan_write(&work->view.plan, &plan);
    enum status status = change_put_act(work, HISTORY_RUNNING, buffer_string(&plan), NULL, error);
    buffer_free(&plan);
    if (status != STATUS_OK) {
        work->view.number = 0; /* a failure that was noted of it would be a row without its plan */
        return status;
    }
    return failpoint_hit("change.after_begin_row", error);
}

/* `*there`: it is under way already. */
static enum status run_find(struct change_work *work, const struct change_views *views, bool *there,
                            struct error *error)
{
    const struct change_file *file = work->options->file;
    const struct change_view *under_way = change_under_way(views);
    const struct change_view *same = change_of_version(views, file->change.version);
    *there = same != NULL && same->state != CHANGE_ABORTED;
    if (under_way != NULL && under_way != same) {
        return refuse_other(under_way, error);
    }
    if (!*there) {
        return STATUS_OK;
    }
    work->view = *same;
    if (same->state == CHANGE_ABORTING) {
        return refuse_other(same, error);
    }
    if (strcmp(same->checksum, file->checksum) != 0) {
        error_set(error, ERROR_CHANGE_REFUSED, file->path,
                  "the file was changed after the change was %s",
                  same->state == CHANGE_COMPLETED ? "completed" : "started");
        return error_hint(error, same->state == CHANGE_COMPLETED
                                     ? "Write what is to be done now into a file of its own."
                                     : "Put it back as it was, or `transhume change abort` first.");
    }
    return STATUS_OK;
}

static enum status run_start(struct change_work *work, const struct change_views *views,
                             struct error *error)
{
    bool there;
    if (run_find(work, views, &there, error) != STATUS_OK ||
        (!there && change_run_begin(work, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (work->view.state != CHANGE_STARTING) {
        return STATUS_OK;
    }
    if (change_go(work, CHANGE_OPEN, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    work->view.state = CHANGE_STARTED;
    /* A failure from before is over. */
    return work->view.error == NULL ? STATUS_OK
                                    : change_put_act(work, HISTORY_RUNNING, NULL, NULL, error);
}

/* ---------------------------------------------------------------- switch, complete, abort */

static enum status need_started(const struct change_view *view, struct error *error)
{
    if (view->state == CHANGE_ABORTING) {
        return refuse_other(view, error);
    }
    if (view->state == CHANGE_STARTING) {
        error_set(error, ERROR_CHANGE_REFUSED, view->version, "%s_%s is not started wholly",
                  view->version, view->name);
        return error_hint(error, "`transhume change start FILE DB` goes on with it.");
    }
    return STATUS_OK;
}

static bool has_phase(const struct change_view *view, enum change_phase phase)
{
    for (uint32_t i = 0; i < view->plan.count; i++) {
        if (view->plan.steps[i].phase == phase) {
            return true;
        }
    }
    return false;
}

static enum status switch_over(struct change_work *work, struct error *error)
{
    const struct change_view *view = &work->view;
    bool reads_done = change_is_done(view, CHANGE_SWITCH_READS);
    int wanted = work->options->switches;
    if (need_started(view, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!has_phase(view, CHANGE_SWITCH_READS) && !has_phase(view, CHANGE_SWITCH_WRITES)) {
        error_set(error, ERROR_CHANGE_REFUSED, view->version,
                  "this change has no switch: each application chooses its version");
        return error_hint(error, "`transhume change status` says where each one looks.");
    }
    if (wanted == 'w' && !reads_done) {
        error_set(error, ERROR_CHANGE_REFUSED, view->version, "reads come first");
        return error_hint(error, "`transhume change switch DB reads`");
    }
    bool writes = wanted == 'w' || (wanted == 0 && reads_done);
    return change_go(work, writes ? CHANGE_SWITCH_WRITES : CHANGE_SWITCH_READS, error);
}

/* An abort that could take nothing back yet, since a value does not fit the old schema, may be
 * given up. */
static bool can_give_up_abort(const struct change_view *view)
{
    bool can = view->abort != 0 && change_is_done(view, CHANGE_OPEN);
    for (uint32_t i = 0; can && i < view->plan.count; i++) {
        can = !view->steps[i].undone || !view->steps[i].begun || view->plan.steps[i].prepares;
    }
    return can;
}

static enum status complete(struct change_work *work, struct error *error)
{
    struct change_view *view = &work->view;
    if (view->state == CHANGE_ABORTING && can_give_up_abort(view) &&
        change_give_up_abort(work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (need_started(view, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Where reads are led over by themselves a person decides when; else it is all one. */
    if (view->state == CHANGE_STARTED && has_phase(view, CHANGE_SWITCH_READS) &&
        !change_is_done(view, CHANGE_SWITCH_WRITES)) {
        error_set(error, ERROR_CHANGE_REFUSED, view->version,
                  "applications were not led over to it");
        return error_hint(error, "`transhume change switch DB reads`, then `writes`.");
    }
    if ((view->state == CHANGE_STARTED && change_prove_again(work, error) != STATUS_OK) ||
        change_go(work, CHANGE_CONTRACT, error) != STATUS_OK ||
        failpoint_hit("change.before_end_row", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* From here on no failure is noted: it might be written over the row that says it is done. */
    view->state = CHANGE_COMPLETED;
    return change_put_act(work, HISTORY_DONE, NULL, NULL, error);
}

/* Did its completion remove nothing yet? Its first statement may have failed on the rows. */
static enum status is_untouched(struct change_work *work, bool *untouched, struct error *error)
{
    const struct change_view *view = &work->view;
    *untouched = true;
    for (uint32_t i = 0; i < view->plan.count && *untouched; i++) {
        const struct change_step *step = &view->plan.steps[i];
        const struct change_step_state *state = &view->steps[i];
        enum change_stands stands = CHANGE_STANDS;
        if (step->phase != CHANGE_CONTRACT || (!state->begun && !state->done)) {
            continue;
        }
        if (!state->done && step->stands != NULL && !change_is_bound(work, step) &&
            change_ask_stands(work, step, &stands, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *untouched = stands == CHANGE_STANDS_NOT;
    }
    return STATUS_OK;
}

static enum status take_back(struct change_work *work, struct error *error)
{
    const struct change_view *view = &work->view;
    bool untouched = true;
    if (view->state == CHANGE_COMPLETING && is_untouched(work, &untouched, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!untouched) {
        error_set(error, ERROR_CHANGE_REFUSED, view->version,
                  "its completion was begun: there is no way back");
        return error_hint(error, "`transhume change complete DB` goes on.");
    }
    enum status status = change_take_back(work, error);
    if (status == STATUS_FAILED && error->code == ERROR_MIGRATION_FAILED &&
        can_give_up_abort(view)) {
        return error_hint(error, "Nothing was taken back yet. Correct the rows and give the "
                                 "command again, or keep the new schema: `transhume change "
                                 "complete DB` gives the abort up.");
    }
    return status;
}

static enum status run_whole(struct change_work *work, const struct change_views *views,
                             struct error *error)
{
    if (run_start(work, views, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->view.state == CHANGE_COMPLETED) {
        return STATUS_OK;
    }
    return change_go(work, CHANGE_SWITCH_WRITES, error) == STATUS_OK ? complete(work, error)
                                                                     : STATUS_FAILED;
}

/* The change that is under way; the last one that ended so is fine, too. */
static enum status find_under_way(struct change_work *work, const struct change_views *views,
                                  bool *over, struct error *error)
{
    const struct change_view *view = change_under_way(views);
    enum change_state wanted =
        work->options->command == CHANGE_DO_ABORT ? CHANGE_ABORTED : CHANGE_COMPLETED;
    *over = view == NULL;
    if (view != NULL) {
        work->view = *view;
        return STATUS_OK;
    }
    if (views->count > 0 && views->items[views->count - 1].state == wanted &&
        work->options->command != CHANGE_DO_SWITCH && work->options->command != CHANGE_DO_SKIP) {
        work->view = views->items[views->count - 1];
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_REFUSED, NULL, "no change is under way");
    return error_hint(error, "`transhume change start FILE DB` starts one.");
}

static enum status run_act(struct change_work *work, const struct change_views *views,
                           struct error *error)
{
    enum change_command command = work->options->command;
    bool over;
    if (command == CHANGE_DO_START || command == CHANGE_DO_RUN) {
        return command == CHANGE_DO_START ? run_start(work, views, error)
                                          : run_whole(work, views, error);
    }
    if (find_under_way(work, views, &over, error) != STATUS_OK || over) {
        return over && error->code == ERROR_NONE ? STATUS_OK : STATUS_FAILED;
    }
    return command == CHANGE_DO_SWITCH     ? switch_over(work, error)
           : command == CHANGE_DO_COMPLETE ? complete(work, error)
           : command == CHANGE_DO_SKIP     ? change_skip(work, error)
                                           : take_back(work, error);
}

/* ---------------------------------------------------------------- the session */

static void work_begin(struct change_work *work, const struct change_options *options,
                       struct arena *arena)
{
    *work = (struct change_work){
        .options = options, .arena = arena, .change = options->schema.database->connector->change};
    work_init(&work->base, &options->schema);
}

static void work_finish(struct change_work *work)
{
    change_pace_end(work);
    work_end(&work->base);
}

/* Its row says why, for people; it goes on from where it is. */
static void note_failure(struct change_work *work, const struct error *failure)
{
    struct error ignored = {0};
    char text[sizeof(failure->message)];
    bool runs = work->view.number > 0 &&
                (work->view.state == CHANGE_STARTING || work->view.state == CHANGE_STARTED ||
                 work->view.state == CHANGE_COMPLETING);
    if (!runs || work->base.session == NULL || failure->code == ERROR_INTERRUPTED ||
        failure->code == ERROR_RUN_FENCED || failure->code == ERROR_CHANGE_REFUSED) {
        return;
    }
    memcpy(text, failure->message, sizeof(text));
    if (change_put_act(work, HISTORY_RUNNING, NULL, text, &ignored) != STATUS_OK) {
        log_write(LOG_WARNING, "the failure could not be noted in the history: %s",
                  ignored.message);
    }
}

static enum status attempt(struct change_work *work, struct error *error)
{
    struct change_views views;
    if (work_open(&work->base, false, error) != STATUS_OK ||
        work_claim(&work->base, error) != STATUS_OK || work_read(&work->base, error) != STATUS_OK ||
        change_read(&work->base, work->arena, &views, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return run_act(work, &views, error);
}

enum status change_run(const struct change_options *options, struct arena *arena,
                       struct change_view *view, struct error *error)
{
    enum { PATIENCE_MS = 120000 };
    struct change_work work;
    struct retry retry;
    retry_init(&retry, PATIENCE_MS);
    retry.stop_level = 1;
    work_begin(&work, options, arena);
    enum status status;
    while ((status = attempt(&work, error)) != STATUS_OK) {
        if (!change_is_lost(error)) {
            note_failure(&work, error);
            break;
        }
        error->class = ERROR_CLASS_RETRY;
        if (!retry_wait(&retry, error)) {
            break;
        }
        const struct schema_event event = {.kind = SCHEMA_RECONNECTS, .text = error->message};
        work_tell(&work.base, &event);
        work_close(&work.base);
        arena_reset(work.base.arena);
        work.view = (struct change_view){0};
        error_clear(error);
    }
    *view = work.view;
    work_finish(&work);
    return status;
}

/* ---------------------------------------------------------------- looking */

enum status change_look(const struct change_options *options, struct arena *arena,
                        struct change_views *views, struct error *error)
{
    struct change_work work;
    work_begin(&work, options, arena);
    enum status status = work_open(&work.base, true, error);
    if (status == STATUS_OK) {
        status = change_read(&work.base, arena, views, error);
    }
    work_finish(&work);
    return status;
}

static enum status estimate(struct change_work *work, uint64_t *rows, struct error *error)
{
    const struct change_plan *plan = &work->view.plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        /* A table that the change itself makes has no rows yet, and is none that could be asked. */
        if (plan->steps[i].kind == CHANGE_BATCHES && work->change->estimate != NULL &&
            work->change->estimate(work->base.session, &plan->steps[i], &rows[i], error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status change_look_ahead(const struct change_options *options, struct arena *arena,
                              struct change_plan *plan, uint64_t **rows, struct error *error)
{
    struct change_work work;
    struct change_views views;
    work_begin(&work, options, arena);
    enum status status = work_open(&work.base, true, error);
    if (status == STATUS_OK && work_read(&work.base, error) == STATUS_OK &&
        change_read(&work.base, arena, &views, error) == STATUS_OK) {
        const struct change_view *under_way = change_under_way(&views);
        status = under_way != NULL ? refuse_other(under_way, error)
                                   : check_schema(&work, &options->file->change, error);
    } else {
        status = STATUS_FAILED;
    }
    status = status == STATUS_OK ? compile(&work, &options->file->change, error) : status;
    if (status == STATUS_OK) {
        *plan = work.view.plan;
        *rows = arena_allocate_zeroed(arena, plan->count + 1, sizeof(**rows));
        status = estimate(&work, *rows, error);
    }
    work_finish(&work);
    return status;
}
