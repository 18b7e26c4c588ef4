/* Making a folder agree with its done marks: removing segments, making chunks not done again. */
#include "connectors/folder/folder_ledger.h"
#include "connectors/folder/folder_rewrite.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "<table>/<file>" of all segments that marks name, sorted. */
static void marked_names(const struct folder_done_list *list, struct arena *arena,
                         const char ***names, size_t *count)
{
    size_t room = 0;
    for (uint64_t at = 0; at < list->count; at++) {
        room += list->items[at].segment_count;
    }
    *names = (const char **)arena_allocate_zeroed(arena, room + 1, sizeof(**names));
    *count = 0;
    for (uint64_t at = 0; at < list->count; at++) {
        for (uint32_t segment = 0; segment < list->items[at].segment_count; segment++) {
            const struct folder_segment *marked = &list->items[at].segments[segment];
            const char *name = folder_entry_name(arena, marked->table);
            (*names)[(*count)++] = arena_format(arena, "%s/%s", name, marked->file);
        }
    }
    qsort(*names, *count, sizeof(**names), text_compare_strings);
}

static bool is_marked(const char *name, const char *const *names, size_t count)
{
    return count > 0 && bsearch(&name, names, count, sizeof(*names), text_compare_strings) != NULL;
}

static enum status remove_file(const char *path, struct error *error)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                               "can't remove a segment that is not done");
    }
    return failpoint_hit("files.sweep_removed", error);
}

/* Removes the run's segments in one table's folder, but those in `kept`. */
static enum status sweep_table(const struct folder *folder, const char *table,
                               const char *const *kept, size_t kept_count, struct arena *arena,
                               struct error *error)
{
    struct folder_file *files = NULL;
    uint32_t count = 0;
    bool removed = false;
    char *path = file_join(arena, folder->path, table);
    enum status status = folder_list(folder->format, path, arena, &files, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        uint64_t chunk = 0;
        uint32_t entity = 0;
        uint32_t part = 0;
        if (!folder_segment_parse(folder->format, files[at].name, folder->run.tag, &chunk, &entity,
                                  &part)) {
            continue;
        }
        char *below = file_join(arena, table, files[at].name);
        char *file = file_join(arena, folder->path, below);
        if (is_marked(below, kept, kept_count)) {
            continue;
        }
        status = remove_file(file, error);
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

/* A segment rewritten without duplicates is shorter; the list of duplicates says that it may be.
 * One that was written again since is as its versions say. */
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

static enum status empty_folder(const char *path, struct error *error)
{
    enum status status = file_remove_tree(path, error);
    if (status == STATUS_OK) {
        status = file_make_folder(path, error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}

enum status folder_ledger_sweep(struct folder *folder, const struct folder_done_list *list,
                                struct arena *arena, struct error *error)
{
    const char **tables = NULL;
    const char **kept = NULL;
    uint32_t table_count = 0;
    size_t kept_count = 0;
    char *tmp = file_join(arena, folder->run.folder, "tmp");
    marked_names(list, arena, &kept, &kept_count);
    for (uint64_t at = 0; at < list->count; at++) {
        for (uint32_t segment = 0; segment < list->items[at].segment_count; segment++) {
            if (check_segment(folder, &list->items[at].segments[segment], arena, error) !=
                STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    if (empty_folder(tmp, error) != STATUS_OK ||
        folder_subfolders(folder->path, arena, &tables, &table_count, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < table_count; at++) {
        if (strcmp(tables[at], "_transhume") != 0 &&
            sweep_table(folder, tables[at], kept, kept_count, arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return failpoint_hit("files.after_sweep", error);
}

/* ---------------------------------------------------------------- reopen */

static int compare_numbers(const void *left, const void *right)
{
    uint64_t one = *(const uint64_t *)left;
    uint64_t two = *(const uint64_t *)right;
    return one < two ? -1 : one > two;
}

static bool is_emptied(const char *table, const struct target_table *const *tables,
                       uint32_t table_count)
{
    for (uint32_t at = 0; at < table_count; at++) {
        if (strcmp(tables[at]->name, table) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the chunks out of the list, and segments of emptied tables out of what stays. */
static void strike(struct folder_done_list *list, const uint64_t *sorted, uint64_t chunk_count,
                   const struct target_table *const *tables, uint32_t table_count)
{
    uint64_t kept = 0;
    for (uint64_t at = 0; at < list->count; at++) {
        struct folder_done done = list->items[at];
        uint32_t segments = 0;
        if (chunk_count > 0 && bsearch(&done.mark.chunk, sorted, chunk_count, sizeof(*sorted),
                                       compare_numbers) != NULL) {
            continue;
        }
        for (uint32_t segment = 0; segment < done.segment_count; segment++) {
            if (!is_emptied(done.segments[segment].table, tables, table_count)) {
                done.segments[segments++] = done.segments[segment];
            }
        }
        done.segment_count = segments;
        list->items[kept++] = done;
    }
    list->count = kept;
}

static enum status reopen_with(struct folder *folder, struct arena *arena, const uint64_t *chunks,
                               uint64_t chunk_count, const struct target_table *const *tables,
                               uint32_t table_count, struct error *error)
{
    struct folder_run *run = &folder->run;
    struct folder_done_list list;
    uint64_t *sorted = (uint64_t *)arena_allocate_zeroed(arena, chunk_count + 1, sizeof(*sorted));
    char *settle = file_join(arena, run->folder, "settle");
    if (chunk_count > 0) {
        memcpy(sorted, chunks, chunk_count * sizeof(*sorted));
        qsort(sorted, chunk_count, sizeof(*sorted), compare_numbers);
    }
    if (folder_done_load(folder->format, run->folder, run->id, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    strike(&list, sorted, chunk_count, tables, table_count);
    if (failpoint_hit("files.before_reopen", error) != STATUS_OK ||
        folder_done_rewrite(run->folder, run->id, &list, error) != STATUS_OK ||
        failpoint_hit("files.after_reopen", error) != STATUS_OK ||
        file_remove_tree(settle, error) != STATUS_OK ||
        folder_done_load(folder->format, run->folder, run->id, arena, &list, error) != STATUS_OK ||
        folder_ledger_sweep(folder, &list, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    close(run->done_descriptor);
    run->done_descriptor = -1;
    return folder_done_open(run, &list, error);
}

enum status folder_ledger_reopen(struct database *self, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables_to_empty,
                                 uint32_t table_count, struct error *error)
{
    struct folder *folder = (struct folder *)self;
    if (folder->run.id == NULL || strcmp(folder->run.id, run_id) != 0) {
        return error_set(error, ERROR_RUN_FENCED, folder->path,
                         "this process does not hold the run");
    }
    if (folder_ledger_check_epoch(&folder->run, epoch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    pthread_mutex_lock(&folder->mutex);
    enum status status =
        reopen_with(folder, arena, chunks, chunk_count, tables_to_empty, table_count, error);
    pthread_mutex_unlock(&folder->mutex);
    arena_destroy(arena);
    return status;
}
