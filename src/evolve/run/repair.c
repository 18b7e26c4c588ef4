/* A person's word on a version, as an act of the history. */
#include "base/failpoint.h"
#include "evolve/folder/version.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <string.h>

static enum status repair_put(struct schema_work *work, const struct history_row *row,
                              struct error *error)
{
    if (failpoint_hit("evolve.before_repair", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return work->alter->history_put(work->session, row, error);
}

static const struct migration *file_of(const struct schema_work *work, const char *version)
{
    const char *key = migration_version_key(version, work->arena);
    const struct migration *file = migration_by_key(work->options->set, key);
    return file != NULL ? file : migration_repeatable(work->options->set, version);
}

static const struct schema_entry *entry_of(const struct schema_work *work, const char *version)
{
    const struct schema_history *history = &work->history;
    const char *key = migration_version_key(version, work->arena);
    uint32_t found = name_index_find(&history->by_version, key, strlen(key));
    if (found == NAME_INDEX_NONE) {
        found = name_index_find(&history->by_name, version, strlen(version));
    }
    return found == NAME_INDEX_NONE ? NULL : &history->entries[found];
}

static enum status unknown_version(const struct schema_repair *repair, struct error *error)
{
    error_set(error, ERROR_USAGE, repair->version, "there is no such version");
    return error_hint(error, "`transhume schema status DB` lists them.");
}

/* The part of a row that is of the file, as if it had been applied. */
static void fill_of_file(const struct migration *file, struct history_row *row)
{
    row->checksum = file->up.checksum;
    row->down_checksum = file->down.text != NULL ? file->down.checksum : NULL;
    row->origin_checksum = file->origin_checksum;
    row->down_text =
        file->down.text != NULL && file->down.length < (1 << 20) ? file->down.text : NULL;
}

static enum status repair_mark(struct schema_work *work, const struct schema_repair *repair,
                               struct error *error)
{
    bool applied = repair->kind == SCHEMA_MARK_APPLIED;
    const struct migration *file = file_of(work, repair->version);
    const struct schema_entry *entry = entry_of(work, repair->version);
    if (file == NULL && (applied || entry == NULL)) {
        return unknown_version(repair, error);
    }
    if (entry != NULL && schema_entry_is_change(entry)) {
        error_set(error, ERROR_MIGRATION_REFUSED, repair->version, "it is a declared change");
        return error_hint(error, "`transhume change status` says where it stands; complete, abort "
                                 "and skip bring it to its end.");
    }
    bool repeats = file != NULL ? file->kind == MIGRATION_REPEATABLE : entry->version == NULL;
    struct history_row row = work_row(
        work, work->history.last_number + 1, applied ? HISTORY_MARK : HISTORY_UNMARK, HISTORY_DONE,
        file != NULL ? file->version : entry->version, file != NULL ? file->name : entry->name);
    row.version = repeats ? NULL : row.version;
    if (file != NULL) {
        fill_of_file(file, &row);
    }
    return repair_put(work, &row, error);
}

static enum status repair_accept(struct schema_work *work, const struct schema_repair *repair,
                                 struct error *error)
{
    const struct migration *file = file_of(work, repair->version);
    const struct schema_entry *entry = entry_of(work, repair->version);
    if (file == NULL || entry == NULL) {
        return unknown_version(repair, error);
    }
    if (!entry->stands || entry->unfinished) {
        return error_set(error, ERROR_MIGRATION_REFUSED, repair->version, "it is not applied");
    }
    struct history_row row = work_row(work, work->history.last_number + 1, HISTORY_MARK,
                                      HISTORY_DONE, file->version, file->name);
    fill_of_file(file, &row);
    return repair_put(work, &row, error);
}

static enum status put_steps(struct schema_work *work, const struct schema_repair *repair,
                             const struct schema_entry *entry, const struct migration_steps *steps,
                             struct error *error)
{
    for (uint32_t i = 0; i < steps->count && i < repair->step; i++) {
        const struct migration_step *step = &steps->items[i];
        bool done = step->number < repair->step;
        struct history_step note = {.number = entry->act.number,
                                    .step = step->number,
                                    .state = done ? HISTORY_STEP_DONE : HISTORY_STEP_INTENT,
                                    .checksum = done ? step->checksum : "",
                                    .line = step->place.line};
        if (work->alter->history_put_step(work->session, &note, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status resume_from(struct schema_work *work, const struct schema_repair *repair,
                               struct error *error)
{
    const struct schema_entry *entry = entry_of(work, repair->version);
    const struct migration *file = file_of(work, repair->version);
    struct migration_steps steps;
    struct plan_faults faults;
    if (file == NULL || entry == NULL) {
        return unknown_version(repair, error);
    }
    if (!entry->unfinished) {
        return error_set(error, ERROR_MIGRATION_REFUSED, repair->version, "it was not broken off");
    }
    const struct migration_text *text = entry->act.action == HISTORY_DOWN ? &file->down : &file->up;
    plan_faults_init(&faults, text->path, NULL);
    if (migration_read_steps(text, file->language, work->alter, work->arena, &steps, &faults,
                             error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (repair->step == 0 || repair->step > steps.count + 1) {
        return error_set(error, ERROR_USAGE, "--resume-from",
                         "%s has statements 1 to %" PRIu32 "; %" PRIu32 " means that all are done",
                         text->path, steps.count, steps.count + 1);
    }
    if (failpoint_hit("evolve.before_repair", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct alter_functions *alter = work->alter;
    bool together = alter->begin != NULL;
    if (together && alter->begin(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = put_steps(work, repair, entry, &steps, error);
    return together ? alter->end(work->session, status, error) : status;
}

static enum status baseline(struct schema_work *work, const struct schema_repair *repair,
                            struct error *error)
{
    const struct migration *file = file_of(work, repair->version);
    for (uint32_t i = 0; i < work->history.count; i++) {
        const struct schema_entry *entry = &work->history.entries[i];
        if (entry->version != NULL && (entry->stands || entry->unfinished)) {
            error_set(error, ERROR_MIGRATION_REFUSED, entry->version,
                      "it stands in the history: a baseline comes first");
            return error_hint(error, "`transhume schema repair VERSION DB --mark-applied` says of "
                                     "single versions that they are applied.");
        }
    }
    struct history_row row =
        work_row(work, work->history.last_number + 1, HISTORY_BASELINE, HISTORY_DONE,
                 repair->version, file != NULL ? file->name : "baseline");
    return repair_put(work, &row, error);
}

static enum status drop_images(struct schema_work *work, const struct schema_repair *repair,
                               struct error *error)
{
    const struct schema_entry *entry = entry_of(work, repair->version);
    if (entry == NULL) {
        return unknown_version(repair, error);
    }
    uint32_t count;
    if (work_drop_images(work, entry->version != NULL ? entry->version : entry->name, &count,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return count > 0 ? STATUS_OK
                     : error_set(error, ERROR_USAGE, repair->version, "no rows are kept of it");
}

enum status schema_repair(const struct schema_options *options, const struct schema_repair *repair,
                          struct error *error)
{
    static enum status (*const kinds[])(struct schema_work * work,
                                        const struct schema_repair *repair, struct error *error) = {
        [SCHEMA_MARK_APPLIED] = repair_mark, [SCHEMA_MARK_REVERTED] = repair_mark,
        [SCHEMA_RESUME_FROM] = resume_from,  [SCHEMA_ACCEPT_CHECKSUM] = repair_accept,
        [SCHEMA_DROP_IMAGES] = drop_images,  [SCHEMA_BASELINE] = baseline,
    };
    struct schema_work work;
    work_init(&work, options);
    enum status status = work_open(&work, false, error);
    if (status == STATUS_OK) {
        status = work_claim(&work, error);
    }
    if (status == STATUS_OK) {
        status = work_read(&work, error);
    }
    if (status == STATUS_OK) {
        status = kinds[repair->kind](&work, repair, error);
    }
    if (status == STATUS_OK && repair->kind == SCHEMA_BASELINE) {
        work_note_schema(&work);
    }
    work_end(&work);
    return status;
}
