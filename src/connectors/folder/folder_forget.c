/*
 * Forgetting runs, and what a folder keeps for all of them once the last one is gone.
 *
 * Who removes the place, DIR/_transhume, holds its lock and a ledger.log that it made itself; who
 * makes a place at the same time waits for that one and finds that it is gone (folder_log.c).
 */
#include "base/text.h"
#include "connectors/folder/folder_claim.h"
#include "connectors/folder/folder_rewrite.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/common/run_lock.h"
#include "connectors/common/store_key.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Calls `visit` for each name in a folder that need not be there. */
static enum status each_name(const char *path,
                             enum status (*visit)(void *context, const char *name,
                                                  struct error *error),
                             void *context, struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, path, ERROR_LEDGER_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        status = visit(context, name, error);
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- one run */

static enum status remove_but_rolling(void *context, const char *name, struct error *error)
{
    struct arena *arena = arena_create(1024);
    const char *path = file_join(arena, context, name);
    enum status status =
        strcmp(name, FOLDER_ROLLING) == 0 ? STATUS_OK : file_remove_tree(path, error);
    arena_destroy(arena);
    return status;
}

/* Until the ledger has forgotten it, a run that was rolled back says so. */
enum status folder_forget_run(struct database *self, const char *run_id, bool rolled_back,
                              struct error *error)
{
    struct folder *folder = (struct folder *)self;
    struct arena *arena = arena_create(0);
    char *run_folder = folder->run.folder;
    (void)run_id;
    enum status status = folder_check_claim(folder, error);
    status = status == STATUS_OK ? failpoint_hit("files.before_forget", error) : status;
    if (status == STATUS_OK && !rolled_back) {
        status = folder_remove_file(folder_path(arena, folder, FOLDER_MADE), error);
    }
    if (status == STATUS_OK) {
        status = rolled_back ? each_name(run_folder, remove_but_rolling, run_folder, error)
                             : file_remove_tree(run_folder, error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("files.after_forget", error) : status;
}

/* ---------------------------------------------------------------- folders of forgotten runs */

struct leftovers {
    struct folder *folder;
    struct arena *arena;
    bool runs;  /* a run's folder stays */
    bool keeps; /* there is a definition, or what is not ours */
    bool notes; /* there is a note of a table */
    bool removes;
};

static enum status count_others(void *context, const char *name, struct error *error)
{
    (void)error;
    *(bool *)context = *(bool *)context || strcmp(name, FOLDER_ROLLING) != 0;
    return STATUS_OK;
}

/* Nothing of it is left but that it was rolled back, and the ledger does not know it. */
static enum status is_forgotten(struct leftovers *leftovers, const char *path, const char *name,
                                bool *forgotten, struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    bool others = false;
    struct folder_log *log = &leftovers->folder->log;
    enum status status = each_name(path, count_others, &others, error);
    if (status == STATUS_OK && !others) {
        status = folder_log_begin(log, false, error);
    }
    *forgotten = !others;
    if (status == STATUS_OK && !others) {
        store_name_key(prefix, "run/", name + strlen("run-"));
        strncat(prefix, "/", sizeof(prefix) - strlen(prefix) - 1);
        size_t at = folder_log_search(log, prefix);
        *forgotten = at == log->count || strncmp(log->entries[at].key, prefix, strlen(prefix)) != 0;
        folder_log_end(log);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status remove_if_forgotten(void *context, const char *name, struct error *error)
{
    struct leftovers *leftovers = context;
    bool forgotten = false;
    if (strncmp(name, "run-", 4) != 0) {
        return STATUS_OK;
    }
    const char *path = folder_path(leftovers->arena, leftovers->folder, name);
    enum status status = is_forgotten(leftovers, path, name, &forgotten, error);
    if (status == STATUS_OK && forgotten) {
        status = file_remove_tree(path, error);
    }
    leftovers->runs = leftovers->runs || !forgotten;
    return status;
}

/* ---------------------------------------------------------------- the place */

static enum status visit_note(void *context, const char *name, struct error *error)
{
    struct leftovers *leftovers = context;
    /* Who made which table is of no use without runs; definitions stay, since they tell the types.
     * Names with .tmp- are what a crash left half written. */
    if (!text_ends_with(name, ".owner") && !text_ends_with(name, ".defined") &&
        strstr(name, ".tmp-") == NULL) {
        leftovers->keeps = true;
        return STATUS_OK;
    }
    leftovers->notes = true;
    const char *tables = folder_path(leftovers->arena, leftovers->folder, "tables");
    return leftovers->removes ? folder_remove_file(file_join(leftovers->arena, tables, name), error)
                              : STATUS_OK;
}

static enum status visit_notes(struct leftovers *leftovers, bool removes, struct error *error)
{
    leftovers->removes = removes;
    leftovers->keeps = false;
    return each_name(folder_path(leftovers->arena, leftovers->folder, "tables"), visit_note,
                     leftovers, error);
}

/* DIR-transhume-forgotten: the place, once DIR is to go, too. While it is there, DIR is. */
static char *path_aside(const struct folder *folder, struct arena *arena)
{
    return arena_format(arena, "%s-transhume-forgotten", folder->path);
}

/* Another process does the same. It may also put the next place at the name of one that was just
 * emptied here, and that one is its own to remove. */
static bool is_gone(enum status status, struct error *error)
{
    bool gone = status == STATUS_FAILED &&
                (error->native_code == ENOENT || error->native_code == ENOTEMPTY);
    if (gone) {
        error_clear(error);
    }
    return gone;
}

static enum status end_aside(const struct folder *folder, const char *aside, struct error *error)
{
    rmdir(folder->path); /* others may have files in it */
    enum status status = file_remove_tree(aside, error);
    return is_gone(status, error) ? STATUS_OK : status;
}

/* STATUS_AGAIN: that name can't be had. */
static enum status remove_whole(const struct folder *folder, struct arena *arena,
                                struct error *error)
{
    char *aside = path_aside(folder, arena);
    if (rename(folder_path(arena, folder, ""), aside) != 0) {
        return STATUS_AGAIN;
    }
    if (file_sync_folder(folder->path, error) != STATUS_OK ||
        file_sync_folder(folder_parent(arena, folder->path), error) != STATUS_OK ||
        failpoint_hit("files.after_aside", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return end_aside(folder, aside, error);
}

static void remove_if_empty(const struct leftovers *leftovers)
{
    rmdir(folder_path(leftovers->arena, leftovers->folder, "tables"));
    rmdir(folder_path(leftovers->arena, leftovers->folder, ""));
}

/* All but definitions. */
static enum status remove_notes(struct leftovers *leftovers, struct error *error)
{
    struct folder *folder = leftovers->folder;
    struct arena *arena = leftovers->arena;
    if (visit_notes(leftovers, true, error) != STATUS_OK ||
        folder_versions_remove(folder, arena, error) != STATUS_OK ||
        folder_remove_file(folder_path(arena, folder, "lock"), error) != STATUS_OK ||
        folder_remove_file(folder_path(arena, folder, FOLDER_MADE), error) != STATUS_OK ||
        failpoint_hit("files.after_notes", error) != STATUS_OK ||
        folder_log_remove(&folder->log, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    remove_if_empty(leftovers);
    return STATUS_OK;
}

/* With the lock, and no ledger there. */
static enum status remove_place(struct leftovers *leftovers, bool rolled_back, struct error *error)
{
    struct folder *folder = leftovers->folder;
    bool made = file_exists(folder_path(leftovers->arena, folder, FOLDER_MADE));
    enum status status = folder_log_make(&folder->log, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (folder->log.count > 0) { /* somebody made a run meanwhile */
        folder_log_end(&folder->log);
        return STATUS_OK;
    }
    status = visit_notes(leftovers, false, error);
    if (status == STATUS_OK) {
        status = rolled_back && made && !leftovers->keeps
                     ? remove_whole(folder, leftovers->arena, error)
                     : STATUS_AGAIN;
    }
    if (status == STATUS_AGAIN) {
        status = remove_notes(leftovers, error);
    }
    folder_log_end(&folder->log);
    return status;
}

/* ---------------------------------------------------------------- tidy */

/* Nothing but what a place holds: else the name is somebody else's. */
static bool is_place(const char *path)
{
    struct entries entries;
    const char *name;
    struct error ignored; /* what can't be read may be somebody else's */
    bool is = true;
    if (entries_open(&entries, path, ERROR_LEDGER_INVALID, &ignored) != STATUS_OK) {
        return false;
    }
    enum status status = STATUS_OK;
    while (is && (status = entries_next(&entries, &name, &ignored)) == STATUS_OK) {
        is = strncmp(name, "run-", 4) == 0 || strncmp(name, "ledger.log", 10) == 0 ||
             strcmp(name, "lock") == 0 || strcmp(name, "tables") == 0 ||
             strcmp(name, "versions") == 0 || strcmp(name, FOLDER_MADE) == 0;
    }
    entries_close(&entries);
    return is && status == STATUS_END;
}

static enum status note_leftover(void *context, const char *name, struct error *error)
{
    struct leftovers *leftovers = context;
    (void)error;
    leftovers->removes = leftovers->removes || strcmp(name, "tables") != 0;
    return STATUS_OK;
}

static enum status tidy_locked(struct leftovers *leftovers, bool rolled_back, struct error *error)
{
    struct folder *folder = leftovers->folder;
    const char *place = folder_path(leftovers->arena, folder, "");
    if (each_name(place, remove_if_forgotten, leftovers, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = folder_log_begin(&folder->log, false, error);
    if (status == STATUS_OK) {
        folder_log_end(&folder->log);
    }
    return status == STATUS_END && !leftovers->runs ? remove_place(leftovers, rolled_back, error)
           : status == STATUS_FAILED                ? STATUS_FAILED
                                                    : STATUS_OK;
}

static enum status tidy(struct leftovers *leftovers, bool rolled_back, struct error *error)
{
    struct folder *folder = leftovers->folder;
    struct ledger_holder holder;
    char *aside = path_aside(folder, leftovers->arena);
    if (is_place(aside) && end_aside(folder, aside, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (each_name(folder_path(leftovers->arena, folder, ""), note_leftover, leftovers, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    bool any = leftovers->removes;
    if (visit_notes(leftovers, false, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!any && !leftovers->notes) {
        remove_if_empty(leftovers);
        return STATUS_OK;
    }
    bool held = folder->lock_descriptor >= 0;
    const char *run_id = folder->run.id == NULL ? "" : folder->run.id;
    enum status status = run_lock_take(folder_path(leftovers->arena, folder, "lock"), run_id,
                                       &folder->lock_descriptor, &holder, error);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN || is_gone(status, error) ? STATUS_OK : STATUS_FAILED;
    }
    status = tidy_locked(leftovers, rolled_back, error);
    if (!held) {
        run_lock_give_back(&folder->lock_descriptor);
    }
    return status;
}

enum status folder_tidy(struct database *self, bool rolled_back, struct error *error)
{
    struct leftovers leftovers = {.folder = (struct folder *)self, .arena = arena_create(0)};
    enum status status = tidy(&leftovers, rolled_back, error);
    if (is_gone(status, error)) {
        status = STATUS_OK;
    } else if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    arena_destroy(leftovers.arena);
    return status;
}
