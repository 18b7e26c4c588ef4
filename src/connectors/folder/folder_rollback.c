/* Taking a run back: a folder knows the run's records by their segments' names, so nothing needs to
 * be kept for it. */
#include "connectors/folder/folder_rollback.h"

#include "base/entries.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/folder/folder_ledger.h"
#include "connectors/folder/folder_rewrite.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NANOSECONDS_A_MICROSECOND = 1000 };

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

/* ---- what the run owns */

static bool is_ours(const struct folder *folder, const char *path, const char *kind,
                    struct arena *arena)
{
    struct error ignored;
    char *text;
    size_t length;
    return folder_sealed_read(path, kind, folder->run.id, arena, &text, &length, &ignored) ==
           STATUS_OK;
}

static enum status remove_file(const char *path, struct error *error)
{
    return unlink(path) == 0 || errno == ENOENT
               ? STATUS_OK
               : error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't remove it");
}

/* Once segments go, a claim must not take those that are gone for lost ones. */
static enum status note_begun(const struct folder *folder, struct arena *arena, struct error *error)
{
    char *path = file_join(arena, folder->run.folder, FOLDER_ROLLING);
    return file_exists(path)
               ? STATUS_OK
               : folder_sealed_write(path, FOLDER_ROLLING, folder->run.id, "\n", 1, NULL, error);
}

/* ---- records */

struct undoing {
    struct folder *folder;
    struct arena *arena;
    const struct target_table *table;
    const char *path;
    int64_t ended_us;
    bool dry_run;
    struct undo_counts *counts;
    bool others; /* there are files of others */
    bool removed;
    struct folder_marked marked;
};

/* Does the file hold just what a run wrote? By its bytes; where an earlier version's mark does not
 * tell them, by the time of its last change. */
static enum status is_untouched(struct undoing *undoing, const struct folder_file *file,
                                const char *path, bool *untouched, struct error *error)
{
    const struct folder_segment *segment = folder_marked_find(&undoing->marked, file->name);
    struct folder_version *versions;
    uint32_t count;
    struct folder_print now;
    if (segment == NULL || !segment->has_checksum) {
        *untouched = undoing->ended_us == 0 ||
                     file->modified_ns / NANOSECONDS_A_MICROSECOND <= undoing->ended_us;
        return STATUS_OK;
    }
    if (folder_versions(undoing->folder, undoing->table->name, file->name, undoing->arena,
                        &versions, &count, error) != STATUS_OK ||
        folder_print_file(path, &now, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    *untouched = (now.bytes == segment->bytes && now.checksum == segment->checksum) ||
                 folder_version_is_known(versions, count, &now, NULL);
    return STATUS_OK;
}

static enum status undo_file(struct undoing *undoing, const struct folder_file *file,
                             struct error *error)
{
    uint64_t records = 0;
    bool untouched = false;
    char *path = file_join(undoing->arena, undoing->path, file->name);
    if (is_untouched(undoing, file, path, &untouched, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!untouched) {
        undoing->counts->changed++;
        return STATUS_OK;
    }
    if (folder_count_records(undoing->folder, undoing->table->name, path, &records, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    undoing->counts->removed += records;
    if (undoing->dry_run) {
        return STATUS_OK;
    }
    undoing->removed = true;
    return remove_file(path, error) == STATUS_OK ? failpoint_hit("files.undo_removed", error)
                                                 : STATUS_FAILED;
}

static enum status undo_files(struct undoing *undoing, struct error *error)
{
    struct folder_file *files = NULL;
    uint32_t count = 0;
    const struct folder *folder = undoing->folder;
    enum status status =
        folder_list(folder->format, undoing->path, undoing->arena, &files, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        uint64_t chunk;
        uint32_t entity;
        uint32_t part;
        if (folder_segment_parse(folder->format, files[at].name, folder->run.tag, &chunk, &entity,
                                 &part)) {
            status = undo_file(undoing, &files[at], error);
        } else {
            undoing->others = true;
        }
    }
    if (status == STATUS_OK && undoing->removed) {
        status = file_sync_folder(undoing->path, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* A definition that this run was the first to write, of a table in which nothing is left. */
static enum status remove_definition(const struct undoing *undoing, struct error *error)
{
    const struct folder *folder = undoing->folder;
    const char *name = undoing->table->name;
    char *defined = folder_definition_path(undoing->arena, folder, name, ".defined");
    char *definition = folder_definition_path(undoing->arena, folder, name, ".json");
    if (undoing->others || !is_ours(folder, defined, "defined", undoing->arena)) {
        return STATUS_OK;
    }
    return remove_file(definition, error) == STATUS_OK ? remove_file(defined, error)
                                                       : STATUS_FAILED;
}

static enum status undo(struct database *self, const struct target_table *table, int64_t ended_us,
                        bool dry_run, struct undo_counts *counts, struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    *counts = (struct undo_counts){0};
    struct undoing undoing = {.folder = folder,
                              .arena = arena,
                              .table = table,
                              .ended_us = ended_us,
                              .dry_run = dry_run,
                              .counts = counts};
    undoing.path = folder_table_path(arena, folder, table->name);
    enum status status = STATUS_OK;
    if (!dry_run) {
        status = folder_ledger_check_epoch(&folder->run, folder->run.epoch, error);
        status = status == STATUS_OK ? note_begun(folder, arena, error) : status;
        status = status == STATUS_OK ? failpoint_hit("files.before_undo", error) : status;
    }
    if (status == STATUS_OK) {
        status = folder_marked_load(folder, table->name, arena, &undoing.marked, error);
    }
    if (status == STATUS_OK) {
        status = undo_files(&undoing, error);
    }
    if (status == STATUS_OK) {
        uint64_t changed = 0;
        status = folder_restore(folder, table->name, dry_run, &counts->restored, &changed, error);
        counts->changed += changed;
    }
    if (status == STATUS_OK && !dry_run) {
        status = remove_definition(&undoing, error);
        status = status == STATUS_OK ? failpoint_hit("files.after_undo", error) : status;
    }
    arena_destroy(arena);
    return status;
}

/* ---- tables */

/* rmdir(2) spares a folder in which somebody put something. */
static enum status remove_table(struct database *self, const struct target_table *table,
                                struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    char *path = folder_table_path(arena, folder, table->name);
    char *owner = folder_definition_path(arena, folder, table->name, ".owner");
    char *definition = folder_definition_path(arena, folder, table->name, ".json");
    enum status status = STATUS_OK;
    if (table->created && is_ours(folder, owner, "owner", arena) &&
        (rmdir(path) == 0 || errno == ENOENT)) {
        status = remove_file(definition, error);
        status = status == STATUS_OK ? failpoint_hit("files.before_remove_table", error) : status;
        status = status == STATUS_OK ? remove_file(owner, error) : status;
    }
    arena_destroy(arena);
    return status;
}

const struct rollback_functions folder_rollback = {
    .undo = undo, .undoes_all = true, .keeps_deleted = true, .remove_table = remove_table};

/* ---- the ledger */

struct numbered {
    uint64_t number;
    const char *id;
};

static int compare_numbered(const void *left, const void *right)
{
    const struct numbered *a = left;
    const struct numbered *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

struct listing {
    struct arena *arena;
    struct numbered *runs;
    uint32_t count;
};

static enum status add_run(void *context, uint64_t number, const char *id, struct error *error)
{
    (void)error;
    struct listing *listing = context;
    struct numbered *grown =
        arena_allocate_zeroed(listing->arena, listing->count + 1u, sizeof(*grown));
    if (listing->count > 0) {
        memcpy(grown, listing->runs, listing->count * sizeof(*grown));
    }
    grown[listing->count++] = (struct numbered){.number = number, .id = id};
    listing->runs = grown;
    return STATUS_OK;
}

enum status folder_ledger_list(struct database *self, struct arena *arena, const char ***ids,
                               uint32_t *count, struct error *error)
{
    struct listing listing = {.arena = arena};
    *ids = NULL;
    *count = 0;
    if (folder_ledger_each_run(of(self), arena, add_run, &listing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (listing.count > 0) {
        qsort(listing.runs, listing.count, sizeof(*listing.runs), compare_numbered);
    }
    *ids = arena_allocate_zeroed(arena, listing.count + 1u, sizeof(**ids));
    for (uint32_t at = 0; at < listing.count; at++) {
        (*ids)[at] = listing.runs[at].id;
    }
    *count = listing.count;
    return STATUS_OK;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text);
    size_t end = strlen(ending);
    return length > end && strcmp(text + length - end, ending) == 0;
}

/* Who made which table is of no use without runs; definitions stay, since they tell the types.
 * Names with .tmp- are what a crash left half written. */
static bool is_note(const char *name)
{
    return ends_with(name, ".owner") || ends_with(name, ".defined") ||
           strstr(name, ".tmp-") != NULL;
}

/* Removes the notes; or only tells whether there is something else. */
static enum status visit_notes(const struct folder *folder, bool removes, bool *keeps,
                               struct arena *arena, struct error *error)
{
    char *path = folder_path(arena, folder, "tables");
    struct entries entries;
    const char *name;
    *keeps = false;
    enum status status = entries_open(&entries, path, ERROR_LEDGER_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (!is_note(name)) {
            *keeps = true;
        } else if (removes) {
            status = remove_file(file_join(arena, path, name), error);
        }
    }
    entries_close(&entries);
    if (removes && status == STATUS_END && !*keeps) {
        rmdir(path);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* With the last run goes what only runs need. What is left of the run itself goes last: while it is
 * there, folder_ledger_tidy goes on. */
static enum status remove_rest(struct folder *folder, const char *forgotten, struct arena *arena,
                               struct error *error)
{
    const char **ids;
    uint32_t count;
    bool keeps;
    char *ledger = folder_path(arena, folder, "");
    char *lock = folder_path(arena, folder, "lock");
    if (folder_ledger_list(&folder->base, arena, &ids, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count > 0) {
        return file_remove_tree(forgotten, error);
    }
    if (visit_notes(folder, true, &keeps, arena, error) != STATUS_OK ||
        folder_versions_remove(folder, arena, error) != STATUS_OK ||
        remove_file(lock, error) != STATUS_OK ||
        failpoint_hit("files.after_notes", error) != STATUS_OK ||
        file_remove_tree(forgotten, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    rmdir(ledger);
    return STATUS_OK;
}

/* The run's folder gets another name first: after that nobody finds it. */
static enum status remove_run(struct folder *folder, struct arena *arena, struct error *error)
{
    char *forgotten = folder_path(arena, folder, ".forgotten");
    char *ledger = folder_path(arena, folder, "");
    if (file_remove_tree(forgotten, error) != STATUS_OK ||
        failpoint_hit("files.before_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rename(folder->run.folder, forgotten) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, folder->run.folder,
                               "can't remove it from the ledger");
    }
    if (file_sync_folder(ledger, error) != STATUS_OK ||
        failpoint_hit("files.after_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return remove_rest(folder, forgotten, arena, error);
}

/* ---- where the database's folder goes, too */

/* DIR-transhume-forgotten: the ledger of a run that made DIR and was its last. While it is there,
 * DIR is to go. */
static char *path_aside(const struct folder *folder, struct arena *arena)
{
    size_t length = strlen(folder->path);
    while (length > 1 && folder->path[length - 1] == '/') {
        length--;
    }
    return arena_format(arena, "%.*s-transhume-forgotten", (int)length, folder->path);
}

/* Did this run make the folder, and is nothing to be kept of the ledger? */
static enum status goes_whole(struct folder *folder, bool *whole, struct arena *arena,
                              struct error *error)
{
    const char **ids;
    uint32_t count;
    bool keeps = true;
    char *made = file_join(arena, folder->run.folder, FOLDER_MADE);
    *whole = false;
    if (!is_ours(folder, made, FOLDER_MADE, arena)) {
        return STATUS_OK;
    }
    if (folder_ledger_list(&folder->base, arena, &ids, &count, error) != STATUS_OK ||
        visit_notes(folder, false, &keeps, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *whole = count == 1 && !keeps;
    return STATUS_OK;
}

static enum status end_aside(const struct folder *folder, const char *aside, struct error *error)
{
    rmdir(folder->path); /* others may have files in it */
    return file_remove_tree(aside, error);
}

/* One rename leaves the run with its whole ledger, or the note that the folder is to go.
 * STATUS_AGAIN: that name can't be had. */
static enum status remove_whole(const struct folder *folder, struct arena *arena,
                                struct error *error)
{
    char *aside = path_aside(folder, arena);
    char *ledger = folder_path(arena, folder, "");
    char *parent = folder_parent(arena, folder->path);
    if (failpoint_hit("files.before_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rename(ledger, aside) != 0) {
        return STATUS_AGAIN;
    }
    if (file_sync_folder(folder->path, error) != STATUS_OK ||
        file_sync_folder(parent, error) != STATUS_OK ||
        failpoint_hit("files.after_forget", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return end_aside(folder, aside, error);
}

enum status folder_ledger_forget_run(struct database *self, const char *run_id, uint64_t epoch,
                                     bool rolled_back, struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    bool whole = false;
    (void)run_id;
    enum status status = folder_ledger_check_epoch(&folder->run, epoch, error);
    if (status == STATUS_OK && rolled_back) {
        status = goes_whole(folder, &whole, arena, error);
    }
    if (status == STATUS_OK) {
        status = whole ? remove_whole(folder, arena, error) : STATUS_AGAIN;
    }
    if (status == STATUS_AGAIN) {
        status = remove_run(folder, arena, error);
    }
    if (status == STATUS_OK) {
        folder_ledger_forget(folder);
    }
    arena_destroy(arena);
    return status;
}

/* Nothing but what a ledger holds: else the name is somebody else's. */
static bool is_ledger(const char *path)
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
        is = name[0] == '.' || strncmp(name, "run-", 4) == 0 || strcmp(name, "lock") == 0 ||
             strcmp(name, "tables") == 0 || strcmp(name, "versions") == 0;
    }
    entries_close(&entries);
    return is && status == STATUS_END;
}

static enum status tidy(struct folder *folder, struct arena *arena, struct error *error)
{
    int64_t holder;
    char *aside = path_aside(folder, arena);
    char *forgotten = folder_path(arena, folder, ".forgotten");
    if (is_ledger(aside) && end_aside(folder, aside, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!file_exists(forgotten)) {
        return STATUS_OK;
    }
    enum status status = folder_ledger_lock(folder, arena, &holder, error);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? STATUS_OK : STATUS_FAILED;
    }
    status = remove_rest(folder, forgotten, arena, error);
    folder_ledger_forget(folder);
    return status;
}

enum status folder_ledger_tidy(struct database *self, bool rolled_back, struct error *error)
{
    (void)rolled_back;
    struct arena *arena = arena_create(0);
    enum status status = tidy(of(self), arena, error);
    arena_destroy(arena);
    return status;
}
