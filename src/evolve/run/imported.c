/* Entries of another tool's history, as acts of ours. */
#include "base/failpoint.h"
#include "evolve/folder/version.h"
#include "evolve/run/run_internal.h"
#include <string.h>

static bool stands(const struct schema_history *history, const char *version, const char *name,
                   struct arena *arena)
{
    const char *key = version != NULL ? migration_version_key(version, arena) : name;
    uint32_t found = name_index_find(version != NULL ? &history->by_version : &history->by_name,
                                     key, strlen(key));
    return found != NAME_INDEX_NONE && history->entries[found].stands;
}

static enum status imported_note(struct schema_work *work, const char *tool,
                                 const struct schema_imported *imported, uint64_t number,
                                 struct error *error)
{
    const struct migration_set *set = work->options->set;
    const struct migration *file =
        imported->version != NULL
            ? migration_by_key(set, migration_version_key(imported->version, work->arena))
            : migration_repeatable(set, imported->name);
    struct history_row row =
        work_row(work, number, HISTORY_IMPORT, HISTORY_DONE, imported->version, imported->name);
    row.origin = tool;
    if (file != NULL) {
        row.checksum = file->up.checksum;
        row.down_checksum = file->down.text != NULL ? file->down.checksum : NULL;
        row.origin_checksum = file->origin_checksum;
        row.down_text =
            file->down.text != NULL && file->down.length < (1 << 20) ? file->down.text : NULL;
    }
    return work->alter->history_put(work->session, &row, error);
}

static enum status note_all(struct schema_work *work, const char *tool,
                            const struct schema_imported *rows, uint32_t count, struct error *error)
{
    const struct alter_functions *alter = work->alter;
    bool together = alter->begin != NULL;
    uint64_t number = work->history.last_number;
    if (failpoint_hit("evolve.before_repair", error) != STATUS_OK ||
        (together && alter->begin(work->session, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!stands(&work->history, rows[i].version, rows[i].name, work->arena)) {
            status = imported_note(work, tool, &rows[i], ++number, error);
        }
    }
    return together ? alter->end(work->session, status, error) : status;
}

enum status schema_note_imported(const struct schema_options *options, const char *tool,
                                 const struct schema_imported *rows, uint32_t count,
                                 struct error *error)
{
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
        status = note_all(&work, tool, rows, count, error);
    }
    if (status == STATUS_OK) {
        work_note_schema(&work);
    }
    work_end(&work);
    return status;
}
