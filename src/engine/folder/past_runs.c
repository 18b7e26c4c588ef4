/* Looking through runs/. */
#include "engine/folder/past_runs.h"

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "engine/ledger/json_text.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STATE_BYTES_MAX = 256 << 20 };
/* As the status of state.json says it. */
static const char ROLLED_BACK[] = "rolled_back";

/* Ids begin with the time. */
static int newest_first(const void *left, const void *right)
{
    const struct past_run *a = left;
    const struct past_run *b = right;
    return strcmp(b->local.id, a->local.id);
}

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* STATUS_END: it does not count. What can't be read may be none of the runs that are looked for. */
static enum status read_one(const struct state_folder *folder, const char *name,
                            struct arena *arena, struct past_run *run, struct error *error)
{
    if (name[0] == '.' || past_runs_is_rolled_back(folder, name, NULL)) {
        return STATUS_END;
    }
    const char *path = file_join(arena, folder->runs, name);
    if (!is_folder(path)) {
        return STATUS_END;
    }
    enum status status = state_folder_name(&run->folder, path, arena, error);
    status = status == STATUS_OK ? local_run_read(&run->folder, arena, &run->local, error) : status;
    if (status == STATUS_FAILED && error->code == ERROR_STATE_INVALID) {
        log_write(LOG_WARNING, "an older run is passed over: %s: %s", error->object,
                  error->message);
        error_clear(error);
        return STATUS_END;
    }
    return status;
}

static enum status read_all(struct entries *entries, const struct state_folder *folder,
                            struct arena *arena, struct buffer *found, struct error *error)
{
    const char *name;
    enum status status;
    while ((status = entries_next(entries, &name, error)) == STATUS_OK) {
        struct past_run run = {0};
        status = read_one(folder, name, arena, &run, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        if (status == STATUS_OK) {
            buffer_append(found, &run, sizeof(run));
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status past_runs_list(const struct state_folder *folder, struct arena *arena,
                           struct past_run **runs, uint32_t *count, struct error *error)
{
    struct buffer found = {0};
    struct entries entries;
    *runs = NULL;
    *count = 0;
    enum status status = entries_open(&entries, folder->runs, ERROR_STATE_INVALID, error);
    if (status == STATUS_OK) {
        status = read_all(&entries, folder, arena, &found, error);
        entries_close(&entries);
    } else if (status == STATUS_END) {
        return STATUS_OK;
    }
    if (status == STATUS_OK && found.length > 0) {
        *runs = (void *)arena_copy(arena, found.data, found.length);
        *count = (uint32_t)(found.length / sizeof(**runs));
    }
    buffer_free(&found);
    if (status == STATUS_OK && *count > 1) {
        qsort(*runs, *count, sizeof(**runs), newest_first);
    }
    return status;
}

enum status past_runs_current(const struct state_folder *folder, struct arena *arena,
                              struct past_run *current, struct error *error)
{
    struct past_run *past;
    uint32_t count;
    current->folder = *folder;
    enum status status = local_run_read(folder, arena, &current->local, error);
    if (status != STATUS_END) {
        return status;
    }
    if (past_runs_list(folder, arena, &past, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (past[i].local.source != NULL) { /* else all that is known is that it goes back */
            *current = past[i];
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

enum status past_runs_find(const struct state_folder *folder, const char *id, struct arena *arena,
                           struct past_run *found, struct error *error)
{
    struct past_run *past;
    uint32_t count;
    found->folder = *folder;
    enum status status = local_run_read(folder, arena, &found->local, error);
    if (status == STATUS_FAILED || (status == STATUS_OK && strcmp(found->local.id, id) == 0)) {
        return status;
    }
    if (past_runs_list(folder, arena, &past, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (past[i].local.source != NULL && strcmp(past[i].local.id, id) == 0) {
            *found = past[i];
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

enum status past_runs_recall(const struct state_folder *folder, struct arena *arena,
                             struct error *error)
{
    struct past_run current;
    if (file_exists(folder->run_file)) {
        return STATUS_OK;
    }
    enum status status = past_runs_current(folder, arena, &current, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    return state_folder_recall(folder, current.local.id, error);
}

const char *past_runs_path(const struct state_folder *folder, const char *run_id,
                           struct arena *arena)
{
    /* Names that people give may lead out of runs/. */
    return run_id != NULL && run_id[0] != '\0' && run_id[0] != '.' && strchr(run_id, '/') == NULL
               ? file_join(arena, folder->runs, run_id)
               : NULL;
}

json_t *past_runs_read_state(const char *path)
{
    struct error ignored;
    char *text;
    size_t length;
    json_t *object = NULL;
    struct arena *arena = arena_create(0);
    if (file_read_all(path, STATE_BYTES_MAX, arena, &text, &length, &ignored) != STATUS_OK ||
        json_from_text(text, path, ERROR_STATE_INVALID, &object, &ignored) != STATUS_OK) {
        object = NULL;
    }
    arena_destroy(arena);
    return object;
}

bool past_runs_is_rolled_back(const struct state_folder *folder, const char *run_id,
                              const char *target)
{
    struct arena *arena = arena_create(0);
    const char *path = past_runs_path(folder, run_id, arena);
    json_t *object =
        path == NULL ? NULL : past_runs_read_state(file_join(arena, path, "state.json"));
    bool noted =
        strcmp(json_member_text(object, "status", ""), ROLLED_BACK) == 0 &&
        (target == NULL || secret_is_same_uri(json_member_text(object, "target", ""), target));
    json_decref(object);
    arena_destroy(arena);
    return noted;
}
