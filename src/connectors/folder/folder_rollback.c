/* Taking a run back: a folder knows the run's records by their segments' names, so nothing needs to
 * be kept for it. */
#include "connectors/folder/folder_claim.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/folder/folder_changes.h"
#include "connectors/folder/folder_rewrite.h"
#include <errno.h>
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

enum status folder_remove_file(const char *path, struct error *error)
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

/* Does the file hold just what a run wrote? One that no mark names, by the time of its last change.
 */
static enum status is_untouched(struct undoing *undoing, const struct folder_file *file,
                                const char *path, bool *untouched, struct error *error)
{
    const struct folder_segment *segment = folder_marked_find(&undoing->marked, file->name);
    struct folder_version *versions;
    uint32_t count;
    struct folder_print now;
    if (segment == NULL) {
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
    return folder_remove_file(path, error) == STATUS_OK ? failpoint_hit("files.undo_removed", error)
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
    return folder_remove_file(definition, error) == STATUS_OK ? folder_remove_file(defined, error)
                                                              : STATUS_FAILED;
}

static enum status folder_rollback_undo(struct database *self, const struct target_table *table,
                                        int64_t ended_us, bool dry_run, struct undo_counts *counts,
                                        struct error *error)
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
        status = folder_check_claim(folder, error);
        status = status == STATUS_OK ? note_begun(folder, arena, error) : status;
        status = status == STATUS_OK ? failpoint_hit("files.before_undo", error) : status;
    }
    folder_marked_load(folder, table->name, arena, &undoing.marked);
    status = status == STATUS_OK ? undo_files(&undoing, error) : status;
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
        status = folder_changes_remove(folder, table->name, error);
        status = status == STATUS_OK ? folder_remove_file(definition, error) : status;
        status = status == STATUS_OK ? failpoint_hit("files.before_remove_table", error) : status;
        status = status == STATUS_OK ? folder_remove_file(owner, error) : status;
    }
    arena_destroy(arena);
    return status;
}

const struct rollback_functions folder_rollback = {.undo = folder_rollback_undo,
                                                   .undoes_all = true,
                                                   .keeps_deleted = true,
                                                   .remove_table = remove_table};
