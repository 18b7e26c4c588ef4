/* Dropping the ledger once nothing is to be resumed or rolled back any more. */
#include "base/failpoint.h"
#include "base/file.h"
#include "engine/claim.h"
#include "engine/json_text.h"
#include "engine/rollback_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALIDATION_BYTES_MAX = 64 << 20 };

/* The newest run as the ledger has it. */
static enum status load(struct rollback *rollback, const char *id, struct error *error)
{
    struct run *run = &rollback->run;
    struct database *target = rollback->session.target;
    enum status status =
        target->connector->ledger->load(target, id, run->arena, &rollback->ledger, error);
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(run->id, sizeof(run->id), "%s", rollback->ledger->id);
    ledger_status_free(&run->status);
    return ledger_status_read(rollback->ledger->status, &run->status, error);
}

/* Was the run validated without a difference? validation.json is `transhume validate`'s. */
static bool was_validated(const struct rollback *rollback)
{
    struct arena *arena = arena_create(0);
    struct error ignored;
    char *text;
    size_t length;
    json_t *object = NULL;
    const char *path =
        arena == NULL ? NULL : file_join(arena, rollback->run.folder.path, "validation.json");
    bool good = false;
    if (path != NULL &&
        file_read_all(path, VALIDATION_BYTES_MAX, arena, &text, &length, &ignored) == STATUS_OK &&
        json_from_text(text, path, ERROR_STATE_INVALID, &object, &ignored) == STATUS_OK) {
        good = json_member_true(object, "ok") &&
               strcmp(json_member_text(object, "run", ""), rollback->run.id) == 0;
        json_decref(object);
    }
    arena_destroy(arena);
    return good;
}

static const char *doubt_of(const struct rollback *rollback, struct arena *arena)
{
    const struct run *run = &rollback->run;
    if (run->status.phase == LEDGER_ROLLING_BACK) {
        return arena_format(arena, "run %s is being rolled back", run->id);
    }
    if (run->status.phase != LEDGER_COMPLETED) {
        return arena_format(arena, "run %s is not finished and could not be resumed any more",
                            run->id);
    }
    return was_validated(rollback)
               ? NULL
               : arena_format(arena, "run %s was not validated without a difference", run->id);
}

static enum status forget_one(struct rollback *rollback, const char *id, bool take_over,
                              struct error *error)
{
    struct run *run = &rollback->run;
    struct database *target = rollback->session.target;
    enum status status = load(rollback, id, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    status = run_claim(run, rollback->ledger->epoch, take_over, error);
    if (status != STATUS_OK || failpoint_hit("finish.before_forget", error) != STATUS_OK) {
        return status == STATUS_END ? STATUS_END : STATUS_FAILED;
    }
    claim_keeper_stop(run->keeper);
    run->keeper = NULL;
    status = target->connector->ledger->forget(target, run->id, run->epoch, false, error);
    run->claimed = status != STATUS_OK;
    return status == STATUS_OK ? failpoint_hit("finish.after_forget", error) : status;
}

/* A finished run without a ledger: resume and rollback say that there is none. */
static enum status end_local(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    struct local_run local;
    enum status status = local_run_read(&run->folder, run->arena, &local, error);
    if (status != STATUS_OK) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    if (local.target == NULL || strcmp(local.target, rollback->session.target_uri->shown) != 0) {
        return STATUS_OK;
    }
    local.finished = true;
    return local_run_write(&run->folder, &local, error) == STATUS_OK
               ? file_remove_tree(run->folder.before, error)
               : STATUS_FAILED;
}

static enum status finish(struct rollback *rollback, const struct rollback_options *options,
                          bool dry_run, bool confirm, struct arena *arena,
                          struct finish_report *report, struct error *error)
{
    struct database *target = rollback->session.target;
    const char **ids;
    enum status status =
        target->connector->ledger->list(target, arena, &ids, &report->run_count, error);
    report->runs = ids;
    report->target = arena_copy_string(arena, rollback->session.target_uri->shown);
    if (status != STATUS_OK || report->run_count == 0) {
        return status == STATUS_OK ? STATUS_END : STATUS_FAILED;
    }
    status = load(rollback, NULL, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    report->doubt = status == STATUS_OK ? doubt_of(rollback, arena) : NULL;
    if (report->doubt != NULL && !confirm && !dry_run) {
        return STATUS_AGAIN;
    }
    if (dry_run) {
        return STATUS_OK;
    }
    /* the newest last: until then a crash leaves what can be finished again */
    for (uint32_t i = 0; i < report->run_count; i++) {
        status = forget_one(rollback, ids[i], options->take_over, error);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return end_local(rollback, error);
}

enum status finish_run(const struct rollback_options *options, bool dry_run, bool confirm,
                       struct arena *arena, struct finish_report *report, struct error *error)
{
    struct rollback *rollback = calloc(1, sizeof(*rollback));
    *report = (struct finish_report){0};
    if (rollback == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to finish");
    }
    enum status status = rollback_open_target(rollback, options, error);
    if (status == STATUS_OK) {
        status = finish(rollback, options, dry_run, confirm, arena, report, error);
    }
    rollback_free(rollback);
    return status;
}
