/* The claim on a run in a bucket: what it remembers, and what it puts in order. */
#include "connectors/folder/bucket/bucket.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include "connectors/folder/folder_claim.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

/* The guard's version moves on with each renewal of the lease, and says nothing here. */
enum status bucket_check_claim(struct folder *folder, struct error *error)
{
    return lease_check(&folder->base, 0, error);
}

/* ---------------------------------------------------------------- the sweep */

struct sweep {
    struct folder *folder;
    struct arena *arena;
    struct bucket_list list;
    const char **kept; /* keys that marks name, sorted */
};

static enum status is_emptied(struct folder *folder, const char *table, bool *is,
                              struct error *error)
{
    struct arena *arena = arena_create(1024);
    const char *entry = folder_entry_name(arena, table);
    const char *key =
        bucket_run_key(folder, arena, arena_format(arena, BUCKET_EMPTIED "%s", entry));
    enum status status = bucket_is_noted(folder, key, "emptied", is, error);
    arena_destroy(arena);
    return status;
}

/* Segments without duplicates are shorter; the list of these says that they may be. */
static enum status check_segment(struct sweep *sweep, const struct folder_segment *segment,
                                 const char *key, struct error *error)
{
    const struct s3_object *object = bucket_find(&sweep->list, key);
    struct bucket_settled settled = {0};
    bool emptied = false;
    if (object != NULL && bucket_is_as_marked(segment, object)) {
        return STATUS_OK;
    }
    if (bucket_read_settled(sweep->folder, segment->table, sweep->arena, &settled, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (object == NULL) {
        if (is_emptied(sweep->folder, segment->table, &emptied, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (emptied) {
            return STATUS_OK;
        }
        error_set(error, ERROR_LEDGER_INVALID, key,
                  "the ledger counts this segment as done, and it is not there");
    } else if (settled.begun) {
        return STATUS_OK;
    } else if (object->bytes != segment->bytes) {
        error_set(error, ERROR_LEDGER_INVALID, key,
                  "the segment has %" PRIu64 " bytes; it was done with %" PRIu64, object->bytes,
                  segment->bytes);
    } else {
        error_set(error, ERROR_LEDGER_INVALID, key,
                  "somebody wrote another object in the segment's place");
    }
    return error_hint(error, "put the object back, or empty the prefix and migrate again");
}

static enum status check_segments(struct sweep *sweep, struct error *error)
{
    const struct folder_done *done = &sweep->folder->run.done;
    enum status status = STATUS_OK;
    sweep->kept = arena_allocate_zeroed(sweep->arena, done->count + 1, sizeof *sweep->kept);
    for (size_t at = 0; at < done->count && status == STATUS_OK; at++) {
        const struct folder_segment *segment = &done->segments[at];
        sweep->kept[at] =
            bucket_table_key(sweep->folder, sweep->arena, segment->table, segment->file);
        status = check_segment(sweep, segment, sweep->kept[at], error);
    }
    if (status == STATUS_OK && done->count > 1) {
        qsort(sweep->kept, done->count, sizeof *sweep->kept, text_compare_strings);
    }
    return status;
}

static enum status remove_others(struct sweep *sweep, struct error *error)
{
    size_t kept = sweep->folder->run.done.count;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < sweep->list.count && status == STATUS_OK; at++) {
        const struct s3_object *object = &sweep->list.objects[at];
        if (!bucket_is_own_segment(sweep->folder, object) ||
            (kept > 0 && bsearch(&object->key, sweep->kept, kept, sizeof *sweep->kept,
                                 text_compare_strings) != NULL)) {
            continue;
        }
        status = bucket_remove(sweep->folder, object->key, error);
        status = status == STATUS_OK ? failpoint_hit("files.sweep_removed", error) : status;
    }
    return status;
}

/* Uploads that a former attempt of the run began; those of others are theirs. */
static enum status abort_uploads(struct folder *folder, struct arena *arena, struct error *error)
{
    struct s3_upload *uploads = NULL;
    uint32_t count = 0;
    uint32_t aborted = 0;
    uint32_t others = 0;
    const char *prefix = bucket_key(folder->bucket, arena, "");
    struct s3_bucket *connection = bucket_borrow(folder->bucket);
    enum status status = s3_list_uploads(connection, prefix, arena, &uploads, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct s3_object object = {.key = uploads[at].key};
        if (bucket_is_own_segment(folder, &object)) {
            status = s3_abort(connection, &uploads[at], error);
            aborted++;
        } else {
            others++;
        }
    }
    bucket_give_back(folder->bucket);
    if (status == STATUS_OK && aborted > 0) {
        log_write(LOG_INFO, "s3: %" PRIu32 " uploads of a former attempt were aborted", aborted);
    }
    if (status == STATUS_OK && others > 0) {
        log_write(LOG_INFO,
                  "s3: %" PRIu32 " uploads of others below %s were begun and not ended; the parts "
                  "of uploads that nobody ends are stored until they are aborted",
                  others, folder->bucket->identity);
    }
    return status;
}

static enum status sweep_run(struct folder *folder, struct error *error)
{
    struct sweep sweep = {.folder = folder, .arena = arena_create(0)};
    const char *prefix = bucket_key(folder->bucket, sweep.arena, "");
    enum status status = bucket_list(folder, prefix, sweep.arena, &sweep.list, error);
    status = status == STATUS_OK ? check_segments(&sweep, error) : status;
    status = status == STATUS_OK ? remove_others(&sweep, error) : status;
    status = status == STATUS_OK ? abort_uploads(folder, sweep.arena, error) : status;
    arena_destroy(sweep.arena);
    return status == STATUS_OK ? failpoint_hit("files.after_sweep", error) : status;
}

/* ---------------------------------------------------------------- the claim */

static enum status take_mark(void *context, uint64_t chunk, const char *extra, size_t length,
                             struct error *error)
{
    return extra == NULL ? STATUS_OK : folder_done_take(context, chunk, extra, length, error);
}

static enum status make_local(const struct folder *folder, struct arena *arena, struct error *error)
{
    enum status status = file_remove_tree(folder->run.folder, error);
    status = status == STATUS_OK
                 ? file_make_folder(file_join(arena, folder->run.folder, "tmp"), error)
                 : status;
    return status == STATUS_OK ? file_make_folder(folder_path(arena, folder, "tables"), error)
                               : status;
}

enum status bucket_claimed(struct database *self, const struct run_claim *claim,
                           struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    bool rolling = false;
    folder_released(self);
    struct folder_run *run = &folder->run;
    run->id = memory_copy_string(claim->run_id);
    run->folder = memory_format("%s/" BUCKET_OWN "run-%s", folder->path,
                                file_safe_name(arena, run->id, strlen(run->id)));
    folder_tag(run->id, run->tag);
    enum status status = make_local(folder, arena, error);
    if (status == STATUS_OK) {
        status = bucket_note(folder, bucket_run_key(folder, arena, BUCKET_CLAIMED), "run", error);
    }
    status = status == STATUS_OK ? claim->visit_marks(claim, take_mark, folder, error) : status;
    if (status == STATUS_OK) {
        const char *key = bucket_run_key(folder, arena, BUCKET_ROLLING);
        status = bucket_is_noted(folder, key, BUCKET_ROLLING, &rolling, error);
    }
    if (status == STATUS_OK && !rolling) {
        status = sweep_run(folder, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- emptying tables */

static enum status empty_table(struct folder *folder, const char *table, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    const char *prefix = bucket_table_key(folder, arena, table, "");
    enum status status = bucket_list(folder, prefix, arena, &list, error);
    for (uint32_t at = 0; at < list.count && status == STATUS_OK; at++) {
        if (bucket_is_own_segment(folder, &list.objects[at])) {
            status = bucket_remove(folder, list.objects[at].key, error);
            status = status == STATUS_OK ? failpoint_hit("files.sweep_removed", error) : status;
        }
    }
    arena_destroy(arena);
    return status;
}

/* The marks go after the segments: it is noted first that these are not lost. */
enum status bucket_empty(struct database *self, const struct target_table *const *tables,
                         uint32_t table_count, struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    enum status status = bucket_check_claim(folder, error);
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        const char *entry = folder_entry_name(arena, tables[at]->name);
        const char *note = arena_format(arena, BUCKET_EMPTIED "%s", entry);
        status = bucket_note(folder, bucket_run_key(folder, arena, note), "emptied", error);
    }
    status = status == STATUS_OK ? failpoint_hit("files.before_empty", error) : status;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = empty_table(folder, tables[at]->name, error);
        folder_done_drop(folder, tables[at]->name);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("files.after_empty", error) : status;
}

enum status bucket_end_emptying(struct folder *folder, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    const char *prefix = bucket_run_key(folder, arena, BUCKET_EMPTIED);
    enum status status = bucket_list(folder, prefix, arena, &list, error);
    for (uint32_t at = 0; at < list.count && status == STATUS_OK; at++) {
        status = bucket_remove(folder, list.objects[at].key, error);
    }
    arena_destroy(arena);
    return status;
}
