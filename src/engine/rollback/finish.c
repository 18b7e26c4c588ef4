/* Dropping the ledger once nothing is to be resumed or rolled back any more. */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/follow/apply/quiet.h"
#include "engine/ledger/json_text.h"
#include "engine/rollback/rollback_parts.h"
#include "engine/session/opening.h"
#include "engine/state/claim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALIDATION_BYTES_MAX = 64 << 20 };

/* A run as the ledger has it. */
static enum status finish_load(struct rollback *rollback, const char *id, struct error *error)
{
    struct run *run = &rollback->run;
    enum status status =
        ledger_load(rollback->session.ledger, id, run->arena, &rollback->ledger, error);
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(run->id, sizeof(run->id), "%s", rollback->ledger->id);
    ledger_status_free(&run->status);
    return ledger_status_read(rollback->ledger->status, &run->status, error);
}

/* Did it look at every record, of the newest run's own plan, and in this very target? Of a copy the
 * ledger says what it says here. */
static bool proves(const struct rollback *rollback, const json_t *validation, const char *newest)
{
    const char *identity = rollback->session.target_identity;
    const char *level = validation == NULL ? "" : json_member_text(validation, "level", "");
    return (strcmp(level, "hash") == 0 || strcmp(level, "full") == 0) &&
           json_member_true(validation, "ok") && identity != NULL &&
           strcmp(json_member_text(validation, "target_identity", ""), identity) == 0 &&
           strcmp(json_member_text(validation, "run", ""), newest) == 0;
}

/* One that is damaged proves nothing; one that can't be read might. */
static enum status read_validation(const struct rollback *rollback, const char *name,
                                   json_t **validation, struct error *error)
{
    char *text;
    size_t length;
    const struct run *run = &rollback->run;
    const char *path = file_join(run->arena, run->folder.path, name);
    *validation = NULL;
    enum status status =
        file_read_all(path, VALIDATION_BYTES_MAX, run->arena, &text, &length, error);
    if (status == STATUS_OK) {
        status = json_from_text(text, path, ERROR_STATE_INVALID, validation, error);
    }
    bool fails = status == STATUS_FAILED && error->code != ERROR_STATE_INVALID;
    *validation = status == STATUS_OK ? *validation : NULL;
    return fails ? STATUS_FAILED : STATUS_OK;
}

/* The last result of `transhume validate` on that run, which need not be the state folder's own.
 * NULL: there is none. */
static enum status find_proof(const struct rollback *rollback, const char *newest, json_t **proof,
                              struct error *error)
{
    static const char *const names[] = {STATE_VALIDATION, STATE_OTHER_VALIDATION};
    *proof = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *validation;
        if (read_validation(rollback, names[i], &validation, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (proves(rollback, validation, newest)) {
            *proof = validation;
            return STATUS_OK;
        }
        json_decref(validation);
    }
    return STATUS_OK;
}

static bool covers_table(const json_t *validation, const char *table)
{
    const json_t *entities = json_object_get(validation, "entities");
    for (size_t i = 0; i < json_array_size(entities); i++) {
        if (strcmp(json_member_text(json_array_get(entities, i), "table", ""), table) == 0) {
            return true;
        }
    }
    return false;
}

static bool covers(const json_t *validation, const struct ledger_header *header)
{
    for (uint32_t i = 0; i < header->table_count; i++) {
        if (!covers_table(validation, header->tables[i].name)) {
            return false;
        }
    }
    return header->tables != NULL;
}

/* By a plan with conditions, or of another source, it did not look at what this run wrote, even to
 * the same tables. */
static bool is_alike(const struct ledger_header *header, const struct ledger_header *newest)
{
    return header->mapping_hash != NULL && newest->mapping_hash != NULL &&
           header->source_identity != NULL && newest->source_identity != NULL &&
           strcmp(header->mapping_hash, newest->mapping_hash) == 0 &&
           strcmp(header->source_identity, newest->source_identity) == 0;
}

/* The doubt about the run that was loaded last; the first one is the newest, which the validation
 * is of. */
static enum status doubt_of_run(const struct rollback *rollback, const json_t *validation,
                                struct ledger_header *newest, struct arena *arena,
                                const char **doubt, struct error *error)
{
    const struct run *run = &rollback->run;
    struct ledger_header header;
    if (ledger_header_read(rollback->ledger->header, run->arena, &header, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (newest->run_id == NULL) {
        *newest = header;
    }
    if (run->status.phase == LEDGER_ROLLING_BACK) {
        *doubt = arena_format(arena, "run %s is being rolled back", run->id);
    } else if (run->status.phase != LEDGER_COMPLETED) {
        *doubt = arena_format(arena, "run %s is not finished and could not be resumed any more",
                              run->id);
    } else if (validation == NULL || !covers(validation, &header)) {
        *doubt = arena_format(arena,
                              "run %s was not validated without a difference, all of it, at level "
                              "hash or full",
                              run->id);
    } else if (!is_alike(&header, newest)) {
        *doubt = arena_format(arena,
                              "run %s has another plan or source than %s, the last one, of which "
                              "the validation was",
                              run->id, newest->run_id);
    }
    return STATUS_OK;
}

/* The newest first: what it says is of most use. */
static enum status find_doubt(struct rollback *rollback, const char *const *ids, uint32_t count,
                              struct arena *arena, const char **doubt, struct error *error)
{
    json_t *proof;
    struct ledger_header newest = {0};
    enum status status = find_proof(rollback, ids[count - 1], &proof, error);
    *doubt = NULL;
    for (uint32_t i = count; i > 0 && *doubt == NULL && status != STATUS_FAILED; i--) {
        status = finish_load(rollback, ids[i - 1], error);
        if (status == STATUS_OK) {
            status = doubt_of_run(rollback, proof, &newest, arena, doubt, error);
        }
    }
    json_decref(proof);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* A finished run without a ledger: resume and rollback say that there is none. Its images go
 * first, since nobody would look for them afterwards. */
static enum status end_local(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    struct local_run local;
    if (!rollback_find_place(rollback, run->id, &local) || rollback->place == ROLLBACK_NOWHERE) {
        return STATUS_OK;
    }
    if (rollback->place == ROLLBACK_IN_RUNS) {
        return rollback_remove_images(rollback, error);
    }
    local.finished = true;
    return local_run_write(&run->folder, &local, error) == STATUS_OK
               ? rollback_remove_images(rollback, error)
               : STATUS_FAILED;
}

static enum status forget_one(struct rollback *rollback, const char *id, bool take_over,
                              struct error *error)
{
    struct run *run = &rollback->run;
    enum status status = finish_load(rollback, id, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    if (ledger_header_read(rollback->ledger->header, run->arena, &run->header, error) !=
        STATUS_OK) { /* damaged: it goes all the same */
        run->header = (struct ledger_header){0};
        error_clear(error);
    }
    status = opening_use_schemas(rollback->session.target, run->header.schemas, true, error);
    if (status == STATUS_OK) {
        status = run_claim(run, rollback->ledger->epoch, take_over, error);
    }
    if (status != STATUS_OK || failpoint_hit("finish.before_forget", error) != STATUS_OK ||
        end_local(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    claim_keeper_stop(run->claim.keeper);
    run->claim.keeper = NULL;
    struct retry retry;
    session_retry_begin(&rollback->session, &retry);
    do {
        status = ledger_forget(rollback->session.ledger, run->id, run->claim.epoch, false, error);
    } while (session_tries_again(&retry, &status, error));
    run->claim.held = status != STATUS_OK;
    if (status == STATUS_END) {
        error_set(error, ERROR_INTERRUPTED, run->id, "stopped before the ledger forgot this run");
        error_hint(error, "the same command continues it");
        return STATUS_FAILED;
    }
    return status == STATUS_OK ? failpoint_hit("finish.after_forget", error) : STATUS_FAILED;
}

/* A target without leases has one claim for all of its runs: whoever works on one is in the way. It
 * is fenced out of that one before any is forgotten. */
static enum status claim_from_others(struct rollback *rollback, const char *newest, bool take_over,
                                     struct error *error)
{
    struct run *run = &rollback->run;
    struct ledger_holder holder;
    if (ledger_has_lease(rollback->session.ledger) || !claim_is_held(run, newest, &holder)) {
        return STATUS_OK;
    }
    enum status status = finish_load(rollback, holder.run[0] != '\0' ? holder.run : newest, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    if (run_claim(run, rollback->ledger->epoch, take_over, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run->claim.held = false;
    return ledger_release(rollback->session.ledger, run->id, run->claim.epoch, error);
}

/* One that is not finished keeps its tables from others that wrote them, so it goes first. Then the
 * newest last: until then a crash leaves what can be finished again. */
static enum status forget_all(struct rollback *rollback, const char *const *ids, uint32_t count,
                              bool take_over, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < 2 * count && status != STATUS_FAILED; i++) {
        const char *id = ids[i % count];
        status = finish_load(rollback, id, error);
        bool first = status == STATUS_OK && rollback->run.status.phase != LEDGER_COMPLETED;
        if (status == STATUS_OK && first == (i < count)) {
            status = forget_one(rollback, id, take_over, error);
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* No run is known, but one that was killed while it dropped them may have left something. */
static enum status tidy(struct rollback *rollback, struct error *error)
{
    return ledger_tidy(rollback->session.ledger, false, error) == STATUS_OK ? STATUS_END
                                                                            : STATUS_FAILED;
}

static enum status rollback_finish(struct rollback *rollback,
                                   const struct rollback_options *options, bool dry_run,
                                   bool confirm, struct arena *arena, struct finish_report *report,
                                   struct error *error)
{
    const char **ids;
    enum status status =
        ledger_list(rollback->session.ledger, arena, &ids, &report->run_count, error);
    report->runs = ids;
    report->target = arena_copy_string(arena, rollback->session.target_uri->shown);
    if (status == STATUS_OK && report->run_count == 0) {
        return dry_run ? STATUS_END : tidy(rollback, error);
    }
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = find_doubt(rollback, ids, report->run_count, arena, &report->doubt, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (report->doubt != NULL && !confirm) {
        return STATUS_AGAIN;
    }
    if (dry_run) {
        return STATUS_OK;
    }
    status = claim_from_others(rollback, ids[report->run_count - 1], options->take_over, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    report->begun = true;
    return forget_all(rollback, ids, report->run_count, options->take_over, error);
}

enum status finish_run(const struct rollback_options *options, bool dry_run, bool confirm,
                       struct arena *arena, struct finish_report *report, struct error *error)
{
    struct rollback *rollback = memory_allocate_zeroed(1, sizeof(*rollback));
    *report = (struct finish_report){0};
    rollback->finishing = true;
    enum status status = rollback_open_target(rollback, options, error);
    if (status == STATUS_OK) {
        status = rollback_finish(rollback, options, dry_run, confirm, arena, report, error);
    }
    if (!dry_run && (status == STATUS_OK || status == STATUS_END)) { /* triggers fire again */
        quiet_forget(rollback->run.folder.path, rollback->session.target_identity);
    }
    rollback_free(rollback);
    return status;
}
