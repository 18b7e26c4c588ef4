/* Reports of runs: where the files of one lie, and making it when a run ends. */
#include "engine/state/run_report.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/folder/past_runs.h"
#include "observe/report.h"
#include <dirent.h>
#include <string.h>

static enum status no_such_run(const struct state_folder *folder, const char *run_id,
                               struct error *error)
{
    struct buffer known = {0};
    struct dirent *entry;
    uint32_t count = 0;
    DIR *directory = opendir(folder->runs);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            count++;
            buffer_clear(&known);
            buffer_append_string(&known, entry->d_name);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    error_set(error, ERROR_RUN_NOTHING, folder->path, "there is no run %s in it", run_id);
    if (count == 0) {
        error_hint(error, "without --run the report is about the last run");
    } else {
        error_hint(error, "it keeps %u finished run%s, such as %s, in %s", (unsigned)count,
                   count == 1 ? "" : "s", buffer_string(&known), folder->runs);
    }
    buffer_free(&known);
    return STATUS_FAILED;
}

static enum status find_named(const struct state_folder *folder, const char *run_id,
                              struct arena *arena, const char **path, struct error *error)
{
    struct local_run local;
    struct error ignored; /* a damaged run.json names no run */
    if (run_id[0] == '\0' || run_id[0] == '.' || strchr(run_id, '/') != NULL) {
        return error_set(error, ERROR_BAD_VALUE, "--run", "'%s' is no run's id", run_id);
    }
    if (local_run_read(folder, arena, &local, &ignored) == STATUS_OK &&
        strcmp(local.id, run_id) == 0) {
        *path = folder->path;
        return STATUS_OK;
    }
    *path = file_join(arena, folder->runs, run_id);
    return file_exists(*path) ? STATUS_OK : no_such_run(folder, run_id, error);
}

/* The path of the state folder's own run, or of the one before where the last was rolled back. */
static enum status find_current(const struct state_folder *folder, struct arena *arena,
                                const char **path, struct error *error)
{
    struct past_run current;
    enum status status = STATUS_END;
    if (!file_exists(folder->state_file) && !file_exists(folder->run_file)) {
        status = past_runs_current(folder, arena, &current, error);
    }
    *path = status == STATUS_OK ? current.folder.path : folder->path;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status run_report_folder(const char *state_folder, const char *run_id, struct arena *arena,
                              const char **path, bool *at_work, struct error *error)
{
    struct state_folder folder;
    if (state_folder_name(&folder, state_folder, arena, error) != STATUS_OK ||
        (run_id != NULL && find_named(&folder, run_id, arena, path, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (run_id == NULL && find_current(&folder, arena, path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *state = file_join(arena, *path, "state.json");
    const char *lock = file_join(arena, folder.path, "lock");
    *at_work = *path == folder.path && file_is_locked(lock);
    if (!file_exists(state)) {
        error_set(error, ERROR_RUN_NOTHING, *path,
                  "no run began here, so there is nothing to report");
        error_hint(error, "`transhume migrate` begins one; `transhume resume` writes a lost state "
                          "folder again from the target's ledger");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* False: there is none. */
static bool write_report(const char *folder, bool at_work)
{
    struct error error;
    enum status status = report_write(folder, at_work, &error);
    if (status == STATUS_FAILED) {
        log_write(LOG_WARNING,
                  "the report was not written: %s: %s; `transhume report` makes it again",
                  error.object, error.message);
    }
    return status == STATUS_OK;
}

void run_report_end(const struct run *run, struct run_result *result)
{
    if (write_report(run->folder.path, false)) {
        result->report_file = file_join(run->session->arena, run->folder.path, "report.html");
    }
}

void run_report_rollback(const char *folder, bool at_work)
{
    (void)write_report(folder, at_work);
}
