/* The claim on a run: one process a folder, and a guard against those who think that they have it
 * still. */
#include "connectors/folder/folder_claim.h"

#include "connectors/folder/bucket/bucket.h"

#include "base/file.h"
#include "base/memory.h"
#include "connectors/common/run_lock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_TRIES_MAX = 100 };

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

/* Files in folders that are not durable themselves are not durable. An account that may only
 * search the folder above has made nothing there. */
static enum status sync_parent(const struct folder *folder, bool is_new, struct arena *arena,
                               struct error *error)
{
    enum status status = file_sync_folder(folder_parent(arena, folder->path), error);
    if (status != STATUS_OK && !is_new && error->native_code == EACCES) {
        error_clear(error);
        return STATUS_OK;
    }
    return status;
}

static enum status make_place(struct folder *folder, struct arena *arena, struct error *error)
{
    bool is_new = !file_exists(folder->path);
    enum status status = file_make_folder(folder_path(arena, folder, ""), error);
    if (status == STATUS_OK && is_new) {
        status = file_write_atomic(folder_path(arena, folder, FOLDER_MADE), "", 0, NULL, error);
    }
    status = status == STATUS_OK ? file_sync_folder(folder->path, error) : status;
    return status == STATUS_OK ? sync_parent(folder, is_new, arena, error) : status;
}

enum status folder_make_place(struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = make_place(folder, arena, error);
    for (int tries = 1;
         status != STATUS_OK && error->native_code == ENOENT && tries < PLACE_TRIES_MAX;
         tries++) { /* another process tidies it away */
        error_clear(error);
        status = make_place(folder, arena, error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- the lock */

/* A live or stopped process keeps its lock and is never taken over: kill it, and the lock is
 * gone. */
static enum status folder_claim_take(struct database *self, const char *run_id, uint64_t epoch,
                                     bool take_over, struct ledger_holder *found,
                                     struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(1024);
    (void)epoch;
    (void)take_over;
    enum status status = folder_make_place(folder, error);
    if (status == STATUS_OK) {
        status = run_lock_take(folder_path(arena, folder, "lock"), run_id, &folder->lock_descriptor,
                               found, error);
    }
    arena_destroy(arena);
    return status;
}

/* There is one lock of all runs: while another one is claimed it is that one's. */
static void give_back(struct database *self, const char *run_id)
{
    struct folder *folder = of(self);
    if (folder->run.id == NULL || strcmp(folder->run.id, run_id) == 0) {
        run_lock_give_back(&folder->lock_descriptor);
    }
}

const struct lock_functions folder_lock = {.take = folder_claim_take, .give_back = give_back};

/* ---------------------------------------------------------------- the claim */

enum status folder_check_claim(struct folder *folder, struct error *error)
{
    const struct folder_run *run = &folder->run;
    if (folder->bucket != NULL) {
        return bucket_check_claim(folder, error);
    }
    if (run->guard_key == NULL) {
        return STATUS_OK;
    }
    enum status status = folder_log_begin(&folder->log, false, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    bool ours = false;
    if (status == STATUS_OK) {
        const struct folder_log_entry *entry = folder_log_find(&folder->log, run->guard_key);
        ours = entry != NULL && entry->version == run->guard_version;
        folder_log_end(&folder->log);
    }
    if (!ours) {
        error_set(error, ERROR_RUN_FENCED, run->id, "another attempt has taken this run over");
        return error_hint(error, "let that one finish; nothing of this chunk was kept");
    }
    return STATUS_OK;
}

void folder_released(struct database *self)
{
    struct folder *folder = of(self);
    folder_done_drop(folder, NULL);
    free(folder->run.id);
    free(folder->run.folder);
    free(folder->run.guard_key);
    folder->run = (struct folder_run){0};
}

static enum status take_mark(void *context, uint64_t chunk, const char *extra, size_t length,
                             struct error *error)
{
    return extra == NULL ? STATUS_OK : folder_done_take(context, chunk, extra, length, error);
}

static enum status make_run_folder(struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(1024);
    enum status status = STATUS_OK;
    if (!file_exists(folder->run.folder)) {
        status = file_make_folder(folder->run.folder, error);
        if (status == STATUS_OK) {
            status = file_sync_folder(folder_path(arena, folder, ""), error);
        }
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    arena_destroy(arena);
    return status;
}

/* Once segments go in a rollback, those that are gone are not lost. */
static bool is_rolled_back(const struct folder *folder, struct arena *arena)
{
    return file_exists(file_join(arena, folder->run.folder, FOLDER_ROLLING));
}

enum status folder_claimed(struct database *self, const struct run_claim *claim,
                           struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    folder_released(self);
    struct folder_run *run = &folder->run;
    run->id = memory_copy_string(claim->run_id);
    run->folder = memory_format("%s/_transhume/run-%s", folder->path,
                                file_safe_name(arena, run->id, strlen(run->id)));
    run->guard_key = claim->guard_key == NULL ? NULL : memory_copy_string(claim->guard_key);
    run->guard_version = claim->guard_version;
    folder_tag(run->id, run->tag);
    enum status status = folder_make_place(folder, error);
    status = status == STATUS_OK ? make_run_folder(folder, error) : status;
    status = status == STATUS_OK ? claim->visit_marks(claim, take_mark, folder, error) : status;
    if (status == STATUS_OK && !is_rolled_back(folder, arena)) {
        status = folder_sweep(folder, error);
    }
    arena_destroy(arena);
    return status;
}
