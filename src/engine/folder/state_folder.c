/* Names, lock and moves within the state folder, and run.json. */
#include "engine/folder/state_folder.h"

#include "base/file.h"
#include "base/trust.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN_FILE_BYTES_MAX = 4 << 20 };

/* The files of one run, in the order in which they are moved away with it. run.json goes last:
 * until then a crash leaves a run that is known as finished. */
static const char *const file_names[] = {
    "input.jsonl",     "plan.yaml",      "transhume.log", "metrics.jsonl", "events.jsonl",
    "chunks.jsonl",    "fence.json",     "quiet.json",    "hooks.json",    "types.json",
    "validation.json", "validate.jsonl", "report.html",   "report.json",   "report.md",
    "state.json",      "run.json"};
enum { FILE_COUNT = sizeof(file_names) / sizeof(file_names[0]) };

static const char *const room_names[] = {"rejects", "before"};
enum { ROOM_COUNT = sizeof(room_names) / sizeof(room_names[0]) };

/* Lists of records that a repair is to write and to take out: made before the repair is a run, so
 * that they may lie beside another's files. */
static const char *const list_names[] = {"repair.jsonl", "delete.jsonl", STATE_UNMADE};
enum { LIST_COUNT = sizeof(list_names) / sizeof(list_names[0]) };

/* Files about databases that the folder's run has nothing to do with, or may have. */
static const char *const other_names[] = {STATE_OTHER_VALIDATION, "validate-other.jsonl",
                                          STATE_CHECKPOINT, STATE_CHECKPOINT_FULL};
enum { OTHER_COUNT = sizeof(other_names) / sizeof(other_names[0]) };

/* Not there at all is fine. */
static enum status refuse_file(const char *path, struct error *error)
{
    struct stat facts;
    bool there = stat(path, &facts) == 0;
    if (there ? S_ISDIR(facts.st_mode) : errno != ENOTDIR) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, path, "%s where the state folder is to be",
              there ? "this is a file" : "it would lie below a file");
    error_hint(error, "--state DIR names a folder, which need not be there");
    return STATUS_FAILED;
}

enum status state_folder_name(struct state_folder *folder, const char *path, struct arena *arena,
                              struct error *error)
{
    *folder = (struct state_folder){.lock = -1};
    folder->path = arena_copy_string(arena, path);
    folder->run_file = file_join(arena, path, "run.json");
    folder->plan_file = file_join(arena, path, "plan.yaml");
    folder->state_file = file_join(arena, path, "state.json");
    folder->rejects = file_join(arena, path, "rejects");
    folder->before = file_join(arena, path, "before");
    folder->input_file = file_join(arena, path, "input.jsonl");
    folder->spill = file_join(arena, path, "spill");
    folder->spill_source = file_join(arena, path, "spill/source");
    folder->spill_target = file_join(arena, path, "spill/target");
    folder->log_file = file_join(arena, path, "transhume.log");
    folder->event_file = file_join(arena, path, "events.jsonl");
    folder->metrics_file = file_join(arena, path, "metrics.jsonl");
    folder->chunk_file = file_join(arena, path, "chunks.jsonl");
    folder->runs = file_join(arena, path, "runs");
    return refuse_file(path, error);
}

enum status state_folder_lock(struct state_folder *folder, struct error *error)
{
    char lock_file[4096];
    int64_t holder = 0;
    struct stat facts;
    if (lstat(folder->path, &facts) == 0 && S_ISLNK(facts.st_mode)) {
        error_set(error, ERROR_STATE_INVALID, folder->path, "the state folder is a symbolic link");
        error_hint(error, "name the folder itself with --state");
        return STATUS_FAILED;
    }
    if (trust_check_folder(folder->path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (file_make_folder(folder->path, error) != STATUS_OK) {
        error_hint(error, "--state DIR names a folder that may be written");
        return STATUS_FAILED;
    }
    /* somebody else may have made it meanwhile */
    if (trust_check_folder(folder->path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    snprintf(lock_file, sizeof(lock_file), "%s/lock", folder->path);
    switch (file_lock(lock_file, &folder->lock, &holder, error)) {
    case STATUS_OK:
        return STATUS_OK;
    case STATUS_AGAIN:
        folder->lock = -1;
        error_set(error, ERROR_RUN_HELD, folder->path, "process %" PRId64 " works with it", holder);
        error_hint(error,
                   "wait for it or stop it (kill %" PRId64 "); --state DIR gives another "
                   "run a folder of its own",
                   holder);
        return STATUS_FAILED;
    default:
        return STATUS_FAILED;
    }
}

void state_folder_unlock(struct state_folder *folder)
{
    if (folder->lock >= 0) {
        close(folder->lock);
        folder->lock = -1;
    }
}

static bool is_temporary(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(name, names[i], length) == 0 &&
            strncmp(name + length, ".tmp-", strlen(".tmp-")) == 0) {
            return true;
        }
    }
    return false;
}

void state_folder_remove_temporary(const struct state_folder *folder)
{
    DIR *directory = opendir(folder->path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (is_temporary(entry->d_name, file_names, FILE_COUNT) ||
            is_temporary(entry->d_name, other_names, OTHER_COUNT)) {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

enum status state_folder_make_rooms(struct state_folder *folder, struct error *error)
{
    state_folder_remove_temporary(folder);
    if (file_remove_tree(folder->spill_source, error) != STATUS_OK ||
        file_make_folder(folder->rejects, error) != STATUS_OK ||
        file_make_folder(folder->spill_source, error) != STATUS_OK ||
        file_make_folder(folder->spill_target, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status state_folder_move(const char *from_folder, const char *name,
                                     const char *to_folder, struct error *error)
{
    char from[4096];
    char to[4096];
    snprintf(from, sizeof(from), "%s/%s", from_folder, name);
    snprintf(to, sizeof(to), "%s/%s", to_folder, name);
    if (rename(from, to) != 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, from, "can't move to %s", to);
    }
    return STATUS_OK;
}

static enum status move_all(const char *folder, const char *const *names, size_t count,
                            const char *to_folder, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (state_folder_move(folder, names[i], to_folder, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status state_folder_retire(struct state_folder *folder, const char *run_id, bool keeps_lists,
                                struct error *error)
{
    char finished[4096];
    snprintf(finished, sizeof(finished), "%s/%s", folder->runs, run_id);
    if (file_make_folder(finished, error) != STATUS_OK ||
        move_all(folder->path, room_names, ROOM_COUNT, finished, error) != STATUS_OK ||
        move_all(folder->path, list_names, keeps_lists ? 0 : LIST_COUNT, finished, error) !=
            STATUS_OK ||
        move_all(folder->path, file_names, FILE_COUNT, finished, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (file_sync_folder(folder->path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    state_folder_clean(folder);
    return STATUS_OK;
}

/* Files that were made since stay, but for the log, which is again what the run said. */
static enum status move_back(const struct state_folder *folder, const char *from_folder,
                             const char *const *names, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        char to[4096];
        snprintf(to, sizeof(to), "%s/%s", folder->path, names[i]);
        bool stays = rmdir(to) != 0 && file_exists(to) && strcmp(to, folder->log_file) != 0;
        if (!stays && state_folder_move(from_folder, names[i], folder->path, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status state_folder_recall(const struct state_folder *folder, const char *run_id,
                                struct error *error)
{
    char from[4096];
    snprintf(from, sizeof(from), "%s/%s", folder->runs, run_id);
    if (move_back(folder, from, room_names, ROOM_COUNT, error) != STATUS_OK ||
        move_back(folder, from, list_names, LIST_COUNT, error) != STATUS_OK ||
        move_back(folder, from, file_names, FILE_COUNT, error) != STATUS_OK ||
        file_sync_folder(folder->path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    rmdir(from); /* stays if it holds what is not ours */
    return STATUS_OK;
}

void state_folder_clean(struct state_folder *folder)
{
    struct error ignored; /* what stays is only room taken, and goes with the next run */
    enum status status = file_remove_tree(folder->spill, &ignored);
    (void)status;
}

enum status state_folder_remove_file(const struct state_folder *folder, const char *name,
                                     struct error *error)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/%s", folder->path, name);
    return unlink(file) == 0 || errno == ENOENT
               ? STATUS_OK
               : error_set_errno(error, ERROR_STATE_WRITE, errno, file, "can't remove it");
}

static enum status remove_all(const struct state_folder *folder, const char *const *names,
                              size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (state_folder_remove_file(folder, names[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status state_folder_remove(struct state_folder *folder, struct error *error)
{
    if (file_remove_tree(folder->rejects, error) != STATUS_OK ||
        file_remove_tree(folder->before, error) != STATUS_OK ||
        file_remove_tree(folder->spill, error) != STATUS_OK ||
        file_remove_tree(folder->runs, error) != STATUS_OK ||
        remove_all(folder, list_names, LIST_COUNT, error) != STATUS_OK ||
        remove_all(folder, other_names, OTHER_COUNT, error) != STATUS_OK ||
        remove_all(folder, file_names, FILE_COUNT, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    char lock_file[4096];
    snprintf(lock_file, sizeof(lock_file), "%s/lock", folder->path);
    unlink(lock_file);
    state_folder_remove_temporary(folder);
    rmdir(folder->path); /* stays if it holds what is not ours */
    return STATUS_OK;
}

/* ---- run.json */

static void list_read(const json_t *object, const char *name, struct arena *arena,
                      const char *const **texts, uint32_t *count)
{
    const json_t *list = json_object_get(object, name);
    *count = (uint32_t)json_array_size(list);
    const char **made = arena_allocate_zeroed(arena, *count, sizeof(*made));
    for (uint32_t i = 0; i < *count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        made[i] = arena_copy_string(arena, text == NULL ? "" : text);
    }
    *texts = made;
}

static const char *state_folder_keep(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_member_text(object, name, NULL);
    return text == NULL ? NULL : arena_copy_string(arena, text);
}

static int64_t bound_member(const json_t *object, const char *name)
{
    int64_t bound = json_member_integer(object, name, -1);
    return bound < 0 ? -1 : bound;
}

enum status local_run_read(const struct state_folder *folder, struct arena *arena,
                           struct local_run *run, struct error *error)
{
    char *text;
    size_t length;
    enum status status =
        file_read_all(folder->run_file, RUN_FILE_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        return status;
    }
    json_t *object;
    if (json_from_text(text, folder->run_file, ERROR_STATE_INVALID, &object, error) != STATUS_OK) {
        error_hint(error, "`transhume reset --confirm` forgets the local state; `transhume resume` "
                          "with the same plan then continues from the ledger");
        return STATUS_FAILED;
    }
    *run = (struct local_run){
        .id = state_folder_keep(object, "run", arena),
        .kind = state_folder_keep(object, "kind", arena),
        .begun = json_member_true(object, "begun"),
        .finished = json_member_true(object, "finished"),
        .rolling_back = json_member_true(object, "rolling_back"),
        .source = state_folder_keep(object, "source", arena),
        .target = state_folder_keep(object, "target", arena),
        .source_name = state_folder_keep(object, "source_name", arena),
        .target_name = state_folder_keep(object, "target_name", arena),
        .ledger = state_folder_keep(object, "ledger", arena),
        .ledger_schema = state_folder_keep(object, "ledger_schema", arena),
        .plan_path = state_folder_keep(object, "plan", arena),
        .follows = json_member_true(object, "follows"),
        .mirrors = json_member_true(object, "mirrors"),
        .no_code = json_member_true(object, "no_code"),
        .learned = json_member_true(object, "learned"),
        .existing = (int)json_member_integer(object, "existing", -1),
        .max_rejects = bound_member(object, "max_rejects"),
        .plan_rejects = bound_member(object, "plan_rejects"),
        .time_zone = state_folder_keep(object, "time_zone", arena),
        .plan_time_zone = state_folder_keep(object, "plan_time_zone", arena),
        .sample_rows = (uint64_t)json_member_integer(object, "sample_rows", 0),
        .sample_seed = (uint64_t)json_member_integer(object, "sample_seed", 0),
        .names = state_folder_keep(object, "names", arena),
        .since = state_folder_keep(object, "since", arena),
        .parts = state_folder_keep(object, "parts", arena),
    };
    if (run->id == NULL || run->kind == NULL || run->id[0] == '\0' ||
        strchr(run->id, '/') != NULL || run->id[0] == '.') {
        status =
            error_set(error, ERROR_STATE_INVALID, folder->run_file, "is damaged: it names no run");
        error_hint(error, "`transhume reset --confirm` forgets the local state; `transhume resume` "
                          "with the same plan then continues from the ledger");
    } else {
        list_read(object, "include", arena, &run->include, &run->include_count);
        list_read(object, "exclude", arena, &run->exclude, &run->exclude_count);
        list_read(object, "renumber", arena, &run->renumber, &run->renumber_count);
        list_read(object, "schemas", arena, &run->schemas.names, &run->schemas.count);
    }
    json_decref(object);
    return status;
}

enum status local_run_write(const struct state_folder *folder, const struct local_run *run,
                            struct error *error)
{
    json_t *object = json_pack(
        "{s:i,s:o,s:o,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:i}", "format", CONTROL_FORMAT, "run",
        json_text(run->id), "kind", json_text(run->kind), "begun", run->begun, "finished",
        run->finished, "source", json_text(run->source), "target", json_text(run->target), "plan",
        json_text(run->plan_path), "include", json_texts(run->include, run->include_count),
        "exclude", json_texts(run->exclude, run->exclude_count), "existing", run->existing);
    if (run->renumber_count > 0) {
        json_object_set_new(object, "renumber", json_texts(run->renumber, run->renumber_count));
    }
    if (run->sample_rows > 0) {
        json_object_set_new(object, "sample_rows", json_integer((json_int_t)run->sample_rows));
        json_object_set_new(object, "sample_seed", json_integer((json_int_t)run->sample_seed));
    }
    if (run->source_name != NULL) {
        json_object_set_new(object, "source_name", json_text(run->source_name));
    }
    if (run->target_name != NULL) {
        json_object_set_new(object, "target_name", json_text(run->target_name));
    }
    if (run->parts != NULL) {
        json_object_set_new(object, "parts", json_text(run->parts));
    }
    if (run->names != NULL) {
        json_object_set_new(object, "names", json_text(run->names));
    }
    if (run->since != NULL) {
        json_object_set_new(object, "since", json_text(run->since));
    }
    if (run->schemas.count > 0) {
        json_object_set_new(object, "schemas", json_texts(run->schemas.names, run->schemas.count));
    }
    if (run->follows) {
        json_object_set_new(object, "follows", json_true());
    }
    if (run->no_code) {
        json_object_set_new(object, "no_code", json_true());
    }
    if (run->mirrors) {
        json_object_set_new(object, "mirrors", json_true());
    }
    if (run->learned) {
        json_object_set_new(object, "learned", json_true());
    }
    if (run->rolling_back) {
        json_object_set_new(object, "rolling_back", json_true());
    }
    if (run->ledger != NULL) {
        json_object_set_new(object, "ledger", json_text(run->ledger));
    }
    if (run->ledger_schema != NULL) {
        json_object_set_new(object, "ledger_schema", json_text(run->ledger_schema));
    }
    if (run->max_rejects >= 0) {
        json_object_set_new(object, "max_rejects", json_integer(run->max_rejects));
    }
    if (run->plan_rejects >= 0) {
        json_object_set_new(object, "plan_rejects", json_integer(run->plan_rejects));
    }
    if (run->time_zone != NULL) {
        json_object_set_new(object, "time_zone", json_text(run->time_zone));
    }
    if (run->plan_time_zone != NULL) {
        json_object_set_new(object, "plan_time_zone", json_text(run->plan_time_zone));
    }
    struct buffer text = {0};
    enum status status =
        json_tree_append(object, JSON_INDENT(2), &text)
            ? file_write_atomic(folder->run_file, text.data, text.length, NULL, error)
            : error_set(error, ERROR_INTERNAL, folder->run_file,
                        "what it is to say can't be put as JSON");
    json_decref(object);
    buffer_free(&text);
    return status;
}
