#include "base/log.h"
#include "base/signals.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <stdio.h>

static enum status history_look(struct schema_work *work, struct arena *arena,
                                struct schema_history *history, struct error *error)
{
    *history = (struct schema_history){.arena = arena};
    if (work_open(work, true, error) != STATUS_OK ||
        work->alter->history_read(work->session, schema_history_add, history, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->options->set != NULL) {
        schema_history_match(history, work->options->set);
    }
    return STATUS_OK;
}

enum status schema_look(const struct schema_options *options, struct arena *arena,
                        struct schema_history *history, struct error *error)
{
    struct schema_work work;
    work_init(&work, options);
    enum status status = history_look(&work, arena, history, error);
    work_end(&work);
    return status;
}

/* For schema_plan_fill. */
struct asking {
    struct schema_work *work;
    struct arena *arena;
};

static enum status read_way_back(void *context, uint64_t number, const char **text,
                                 struct error *error)
{
    const struct asking *asking = context;
    return asking->work->alter->history_down_text(asking->work->session, number, asking->arena,
                                                  text, error);
}

enum status schema_look_ahead(const struct schema_options *options, struct arena *arena,
                              struct schema_plan *plan, struct error *error)
{
    struct schema_work work;
    struct schema_history history;
    struct asking asking = {&work, arena};
    work_init(&work, options);
    enum status status = history_look(&work, arena, &history, error);
    if (status == STATUS_OK) {
        status = schema_plan_make(&history, options->set, &options->order, arena, plan, error);
    }
    if (status == STATUS_OK) {
        status = schema_plan_fill(plan, arena, read_way_back, &asking, error);
    }
    if (status == STATUS_OK) {
        status = schema_plan_check(plan, work.alter, options->faults, error);
    }
    work_end(&work);
    return status;
}

/* ---------------------------------------------------------------- one attempt */

static enum status steps_plan(struct schema_work *work, struct error *error)
{
    struct schema_order order = work->options->order;
    work_count_lost(work);
    if (order.down && order.to == NULL && order.most == 0) {
        order.most = 1;
    }
    if (order.most > 0) {
        order.most -= work->result->count < order.most ? work->result->count : order.most;
        order.finishes = order.most == 0; /* what was asked for is done, but for what broke off */
    }
    struct asking asking = {work, work->arena};
    if (schema_plan_make(&work->history, work->options->set, &order, work->arena, &work->plan,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return schema_plan_fill(&work->plan, work->arena, read_way_back, &asking, error);
}

static enum status run_acts(struct schema_work *work, struct error *error)
{
    for (uint32_t i = 0; i < work->plan.count; i++) {
        if (signals_stop_level() > 0) {
            error_set(error, ERROR_INTERRUPTED, NULL, "stopped behind what is done");
            return error_hint(error, "`%s` goes on.", work->options->program);
        }
        work_relax(work, i + 1 < work->plan.count);
        if (work_act(work, &work->plan.acts[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Everything that was to stand by now does. */
static enum status verify_end(struct schema_work *work, struct error *error)
{
    if (work_settle(work, error) != STATUS_OK || work_read(work, error) != STATUS_OK ||
        steps_plan(work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->plan.count > 0 && !work->options->order.down) {
        return error_set(error, ERROR_INTERNAL, work->plan.acts[0].text->path,
                         "it was run, and the history does not say so");
    }
    return STATUS_OK;
}

/* Findings that do not stop it, but that somebody should know of. */
static void warn_of_findings(const struct schema_work *work)
{
    const struct schema_plan *plan = &work->plan;
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        const struct schema_finding *finding = &plan->findings[i];
        if (finding->kind == SCHEMA_MISSING) {
            log_write(LOG_WARNING, "%s_%s is applied, and its file is not in %s",
                      finding->entry->version != NULL ? finding->entry->version : "R",
                      finding->entry->name, work->options->set->folder);
        } else if (finding->kind == SCHEMA_DOWN_CHANGED) {
            log_write(LOG_WARNING, "%s: the way back was changed after the migration was applied",
                      finding->file->down.path);
        }
    }
}

/* All files are looked at before the first one runs; once, since they are in memory. */
static enum status check_files(struct schema_work *work, struct error *error)
{
    if (work->checked) {
        return STATUS_OK;
    }
    work->checked = true;
    return schema_plan_check(&work->plan, work->alter, work->options->faults, error);
}

static enum status attempt(struct schema_work *work, struct error *error)
{
    if (work_open(work, false, error) != STATUS_OK || work_read(work, error) != STATUS_OK ||
        steps_plan(work, error) != STATUS_OK || check_files(work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    warn_of_findings(work);
    if (work->plan.count == 0) {
        return STATUS_OK;
    }
    if (work_claim(work, error) != STATUS_OK || work_read(work, error) != STATUS_OK ||
        steps_plan(work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->plan.count == 0) {
        return STATUS_OK;
    }
    work_clear_left_over(work);
    enum status status = run_acts(work, error);
    if (status != STATUS_OK) {
        return status;
    }
    work_note_schema(work);
    return work->options->order.most > 0 || work->options->order.down ? STATUS_OK
                                                                      : verify_end(work, error);
}

/* ---------------------------------------------------------------- the command */

/* The session is gone; what became of the last commit the history says in the next one. */
static bool may_go_on(struct error *error, struct retry *retry)
{
    if (error->code != ERROR_NETWORK && error->code != ERROR_TARGET_UNKNOWN_OUTCOME) {
        return false;
    }
    error->class = ERROR_CLASS_RETRY;
    return retry_wait(retry, error);
}

enum status schema_run(const struct schema_options *options, struct schema_result *result,
                       struct error *error)
{
    struct schema_work work;
    struct retry retry;
    enum { PATIENCE_MS = 120000 };
    retry_init(&retry, PATIENCE_MS);
    retry.stop_level = 1;
    work_init(&work, options);
    work.result = result;
    enum status status;
    while ((status = attempt(&work, error)) != STATUS_OK) {
        if (!may_go_on(error, &retry)) {
            break;
        }
        const struct schema_event event = {.kind = SCHEMA_RECONNECTS, .text = error->message};
        work_tell(&work, &event);
        work_close(&work);
        arena_reset(work.arena);
    }
    work_end(&work);
    return status;
}
