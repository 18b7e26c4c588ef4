/* Making a folder agree with its done marks: removing segments that none names. */
#include "connectors/folder/bucket/bucket.h"
#include "connectors/folder/folder_claim.h"
#include "connectors/folder/folder_rewrite.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status remove_file(const char *path, struct error *error)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                               "can't remove a segment that is not done");
    }
    return failpoint_hit("files.sweep_removed", error);
}

/* Removes the run's segments in one table's folder (`entry`), but those in `kept`, which is sorted:
 * "<entry>/<file>". */
static enum status sweep_table(const struct folder *folder, const char *entry,
                               const char *const *kept, size_t kept_count, struct arena *arena,
                               struct error *error)
{
    struct folder_file *files = NULL;
    uint32_t count = 0;
    bool removed = false;
    char *path = file_join(arena, folder->path, entry);
    enum status status = folder_list(folder->format, path, arena, &files, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        uint64_t chunk = 0;
        uint32_t entity = 0;
        uint32_t part = 0;
        const char *below = file_join(arena, entry, files[at].name);
        if (!folder_segment_parse(folder->format, files[at].name, folder->run.tag, &chunk, &entity,
                                  &part) ||
            (kept_count > 0 &&
             bsearch(&below, kept, kept_count, sizeof(*kept), text_compare_strings) != NULL)) {
            continue;
        }
        status = remove_file(file_join(arena, folder->path, below), error);
        removed = true;
    }
    if (status == STATUS_OK && removed) {
        status = file_sync_folder(path, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static bool has_bytes(const struct folder_version *versions, uint32_t count, uint64_t bytes)
{
    for (uint32_t at = 0; at < count; at++) {
        if (versions[at].print.bytes == bytes) {
            return true;
        }
    }
    return false;
}

static char *emptied_path(const struct folder *folder, const char *table, struct arena *arena)
{
    return arena_format(arena, "%s/" FOLDER_EMPTIED "/%s", folder->run.folder,
                        folder_entry_name(arena, table));
}

/* A segment rewritten without duplicates is shorter; the list of duplicates says that it may be.
 * One that was written again since is as its versions say. STATUS_END: it is gone, with others of
 * its table that was being emptied. */
static enum status check_segment(const struct folder *folder, const struct folder_segment *segment,
                                 struct arena *arena, struct error *error)
{
    struct stat facts;
    struct folder_version *versions;
    uint32_t count;
    char *name = folder_entry_name(arena, segment->table);
    char *path = arena_format(arena, "%s/%s/%s", folder->path, name, segment->file);
    char *list = arena_format(arena, "%s/settle/%s.duplicates", folder->run.folder, name);
    enum status status = STATUS_OK;
    if (lstat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        if (file_exists(emptied_path(folder, segment->table, arena))) {
            return STATUS_END;
        }
        status = error_set(error, ERROR_LEDGER_INVALID, path,
                           "the ledger counts this segment as done, and it is not there");
    } else if (folder_versions(folder, segment->table, segment->file, arena, &versions, &count,
                               error) != STATUS_OK) {
        return STATUS_FAILED;
    } else if ((uint64_t)facts.st_size != segment->bytes && !file_exists(list) &&
               !has_bytes(versions, count, (uint64_t)facts.st_size)) {
        status = error_set(error, ERROR_LEDGER_INVALID, path,
                           "the segment has %lld bytes; it was done with %llu",
                           (long long)facts.st_size, (unsigned long long)segment->bytes);
    }
    if (status != STATUS_OK) {
        error_hint(error, "put the file back, or empty the target's folder and migrate again");
    }
    return status;
}

/* "<entry>/<file>" of all segments that marks name, sorted. */
static enum status check_segments(const struct folder *folder, struct arena *arena,
                                  const char ***names, struct error *error)
{
    const struct folder_done *done = &folder->run.done;
    struct arena *scratch = arena_create(0);
    enum status status = STATUS_OK;
    *names = arena_allocate_zeroed(arena, done->count + 1, sizeof(**names));
    for (size_t at = 0; at < done->count && status != STATUS_FAILED; at++) {
        const struct folder_segment *segment = &done->segments[at];
        arena_reset(scratch);
        status = check_segment(folder, segment, scratch, error);
        (*names)[at] =
            arena_format(arena, "%s/%s", folder_entry_name(scratch, segment->table), segment->file);
    }
    if (status != STATUS_FAILED && done->count > 1) {
        qsort(*names, done->count, sizeof(**names), text_compare_strings);
    }
    arena_destroy(scratch);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status empty_folder(const char *path, struct error *error)
{
    enum status status = file_remove_tree(path, error);
    status = status == STATUS_OK ? file_make_folder(path, error) : status;
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}

enum status folder_sweep(struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(0);
    const char **tables = NULL;
    const char **kept = NULL;
    uint32_t table_count = 0;
    enum status status = check_segments(folder, arena, &kept, error);
    if (status == STATUS_OK) {
        status = empty_folder(file_join(arena, folder->run.folder, "tmp"), error);
    }
    if (status == STATUS_OK &&
        folder_subfolders(folder->path, arena, &tables, &table_count, error) == STATUS_FAILED) {
        status = STATUS_FAILED;
    }
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        if (!folder_is_own(tables[at])) {
            status = sweep_table(folder, tables[at], kept, folder->run.done.count, arena, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("files.after_sweep", error) : status;
}

/* ---------------------------------------------------------------- emptying tables */

/* The marks go after the segments: it is noted first that these are not lost. */
static enum status note_emptied(const struct folder *folder,
                                const struct target_table *const *tables, uint32_t table_count,
                                struct arena *arena, struct error *error)
{
    char *notes = file_join(arena, folder->run.folder, FOLDER_EMPTIED);
    enum status status = file_make_folder(notes, error);
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        const char *path = emptied_path(folder, tables[at]->name, arena);
        status = file_write_atomic(path, "", 0, NULL, error);
    }
    status = status == STATUS_OK ? file_sync_folder(folder->run.folder, error) : status;
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}

enum status folder_empty(struct database *self, const struct target_table *const *tables,
                         uint32_t table_count, struct error *error)
{
    struct folder *folder = (struct folder *)self;
    struct arena *arena = arena_create(0);
    enum status status = folder_check_claim(folder, error);
    status = status == STATUS_OK ? note_emptied(folder, tables, table_count, arena, error) : status;
    status = status == STATUS_OK ? failpoint_hit("files.before_empty", error) : status;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        const char *entry = folder_entry_name(arena, tables[at]->name);
        status = sweep_table(folder, entry, NULL, 0, arena, error);
        folder_done_drop(folder, tables[at]->name);
    }
    if (status == STATUS_OK) {
        status = file_remove_tree(file_join(arena, folder->run.folder, "settle"), error);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("files.after_empty", error) : status;
}

enum status folder_end_emptying(struct folder *folder, struct error *error)
{
    if (folder->bucket != NULL) {
        return bucket_end_emptying(folder, error);
    }
    struct arena *arena = arena_create(1024);
    char *notes = file_join(arena, folder->run.folder, FOLDER_EMPTIED);
    pthread_mutex_lock(&folder->mutex);
    enum status status = file_exists(notes) ? file_remove_tree(notes, error) : STATUS_OK;
    pthread_mutex_unlock(&folder->mutex);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    arena_destroy(arena);
    return status;
}
