/* The script that proves a migration: its statements run without an error, and leave nothing
 * behind. Where a transaction holds rows, they run in one that is rolled back. */
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum status verify_folder(struct schema_work *work, const char *text,
                                 struct alter_answer *answer, struct error *error)
{
    const struct alter_request request = {
        .text = text, .length = strlen(text), .lock_ms = work->options->lock_ms};
    return work->alter->run(work->session, &request, answer, error);
}

/* The step that failed is named as a check that was not as expected. */
static enum status run_steps(struct schema_work *work, const struct migration_text *text,
                             const struct migration_steps *steps, struct error *error)
{
    for (uint32_t i = 0; i < steps->count; i++) {
        const struct migration_step *step = &steps->items[i];
        struct alter_answer answer = {.fault = SIZE_MAX};
        const char *sql = arena_copy(work->act_arena, step->text, step->length);
        if (verify_folder(work, sql, &answer, error) == STATUS_OK) {
            continue;
        }
        if (error->code == ERROR_NETWORK || error->code == ERROR_TARGET_UNKNOWN_OUTCOME) {
            return STATUS_FAILED;
        }
        char message[sizeof error->message];
        memcpy(message, error->message, sizeof message);
        char place[sizeof error->object];
        snprintf(place, sizeof place, "%s:%" PRIu32, text->path, step->place.line);
        error_set(error, ERROR_CHECK_FAILED, place, "it does not verify: %s", message);
        return STATUS_AGAIN;
    }
    return STATUS_OK;
}

/* Within the transaction of the migration: up to a mark in it. */
static enum status run_to_mark(struct schema_work *work, const struct migration_text *text,
                               const struct migration_steps *steps, struct error *error)
{
    struct alter_answer answer = {.fault = SIZE_MAX};
    if (verify_folder(work, "SAVEPOINT transhume_verify", &answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = run_steps(work, text, steps, error);
    return status != STATUS_OK
               ? status
               : verify_folder(work, "ROLLBACK TO SAVEPOINT transhume_verify", &answer, error);
}

static enum status run_and_roll_back(struct schema_work *work, const struct migration_text *text,
                                     const struct migration_steps *steps, struct error *error)
{
    struct error ignored = {0};
    if (work->alter->begin == NULL) {
        return run_steps(work, text, steps, error);
    }
    if (work->alter->begin(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = run_steps(work, text, steps, error);
    (void)!work->alter->end(work->session, STATUS_FAILED, &ignored);
    return status;
}

enum status work_verify_script(struct schema_work *work, const struct act_work *at,
                               struct error *error)
{
    const struct migration *file = at->act->file;
    struct migration_steps steps;
    struct plan_faults faults;
    if (file == NULL || file->verify.text == NULL || at->act->action == HISTORY_DOWN) {
        return STATUS_OK;
    }
    plan_faults_init(&faults, file->verify.path, NULL);
    if (migration_read_steps(&file->verify, file->language, work->alter, work->act_arena, &steps,
                             &faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return at->in_transaction ? run_to_mark(work, &file->verify, &steps, error)
                              : run_and_roll_back(work, &file->verify, &steps, error);
}
