/* Taking a run back out of a bucket, and forgetting it: its segments are known by their names. */
#include "connectors/folder/bucket/bucket.h"

#include "base/failpoint.h"
#include "base/text.h"
#include <string.h>

enum { MICROSECONDS_A_MILLISECOND = 1000 };

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

/* ---------------------------------------------------------------- records */

struct undoing {
    struct folder *folder;
    struct arena *arena;
    const struct target_table *table;
    int64_t ended_us;
    bool dry_run;
    struct undo_counts *counts;
    bool others; /* there are objects of others */
    struct folder_marked marked;
    struct bucket_settled settled;
};

/* Is it just what a run wrote? One that no mark names, by the time of its last change. */
static bool is_untouched(const struct undoing *undoing, const struct s3_object *object,
                         const struct folder_segment *segment)
{
    if (segment == NULL) {
        return undoing->ended_us == 0 ||
               object->modified_ms * MICROSECONDS_A_MILLISECOND <= undoing->ended_us;
    }
    return (segment->bytes == object->bytes &&
            (segment->etag[0] == '\0' || strcmp(segment->etag, object->etag) == 0)) ||
           bucket_is_settled(&undoing->settled, segment->file, object->etag);
}

static enum status undo_object(struct undoing *undoing, const struct s3_object *object,
                               struct error *error)
{
    const char *name = strrchr(object->key, '/') + 1;
    const struct folder_segment *segment = folder_marked_find(&undoing->marked, name);
    bool known = segment != NULL && !undoing->settled.begun;
    uint64_t records = known ? segment->records : 0;
    if (!is_untouched(undoing, object, segment)) {
        undoing->counts->changed++;
        return STATUS_OK;
    }
    if (!known && bucket_count_records(undoing->folder, undoing->table->name, object, &records,
                                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    undoing->counts->removed += records;
    if (undoing->dry_run) {
        return STATUS_OK;
    }
    return bucket_remove(undoing->folder, object->key, error) == STATUS_OK
               ? failpoint_hit("files.undo_removed", error)
               : STATUS_FAILED;
}

static enum status undo_objects(struct undoing *undoing, struct error *error)
{
    struct bucket_list list = {0};
    const char *prefix =
        bucket_table_key(undoing->folder, undoing->arena, undoing->table->name, "");
    enum status status = bucket_list(undoing->folder, prefix, undoing->arena, &list, error);
    for (uint32_t at = 0; at < list.count && status == STATUS_OK; at++) {
        if (bucket_is_own_segment(undoing->folder, &list.objects[at])) {
            status = undo_object(undoing, &list.objects[at], error);
        } else {
            undoing->others = true;
        }
    }
    return status;
}

/* A definition that this run was the first to write, of a table in which nothing is left. */
static enum status remove_definition(const struct undoing *undoing, struct error *error)
{
    struct folder *folder = undoing->folder;
    const char *name = undoing->table->name;
    const char *defined = bucket_note_key(folder, undoing->arena, name, ".defined");
    bool ours = false;
    if (undoing->others) {
        return STATUS_OK;
    }
    enum status status = bucket_is_noted(folder, defined, "defined", &ours, error);
    if (status == STATUS_OK && ours) {
        status =
            bucket_remove(folder, bucket_note_key(folder, undoing->arena, name, ".json"), error);
        status = status == STATUS_OK ? bucket_remove(folder, defined, error) : status;
    }
    return status;
}

static enum status bucket_rollback_undo(struct database *self, const struct target_table *table,
                                        int64_t ended_us, bool dry_run, struct undo_counts *counts,
                                        struct error *error)
{
    struct folder *folder = of(self);
    struct undoing undoing = {.folder = folder,
                              .arena = arena_create(0),
                              .table = table,
                              .ended_us = ended_us,
                              .dry_run = dry_run,
                              .counts = counts};
    *counts = (struct undo_counts){0};
    enum status status = STATUS_OK;
    if (!dry_run) { /* once segments go, a claim must not take those that are gone for lost ones */
        const char *rolling = bucket_run_key(folder, undoing.arena, BUCKET_ROLLING);
        status = bucket_check_claim(folder, error);
        status = status == STATUS_OK ? bucket_note(folder, rolling, BUCKET_ROLLING, error) : status;
        status = status == STATUS_OK ? failpoint_hit("files.before_undo", error) : status;
    }
    folder_marked_load(folder, table->name, undoing.arena, &undoing.marked);
    if (status == STATUS_OK) {
        status = bucket_read_settled(folder, table->name, undoing.arena, &undoing.settled, error);
    }
    status = status == STATUS_OK ? undo_objects(&undoing, error) : status;
    if (status == STATUS_OK && !dry_run) {
        status = remove_definition(&undoing, error);
        status = status == STATUS_OK ? failpoint_hit("files.after_undo", error) : status;
    }
    arena_destroy(undoing.arena);
    return status;
}

/* A table in which somebody put something stays. */
static enum status remove_table(struct database *self, const struct target_table *table,
                                struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    const char *owner = bucket_note_key(folder, arena, table->name, ".owner");
    bool ours = false;
    enum status status = STATUS_OK;
    if (table->created) {
        status = bucket_is_noted(folder, owner, "owner", &ours, error);
    }
    if (status == STATUS_OK && ours) {
        const char *prefix = bucket_table_key(folder, arena, table->name, "");
        status = bucket_list(folder, prefix, arena, &list, error);
    }
    if (status == STATUS_OK && ours && list.count == 0) {
        status = bucket_remove(folder, bucket_note_key(folder, arena, table->name, ".json"), error);
        status = status == STATUS_OK ? failpoint_hit("files.before_remove_table", error) : status;
        status = status == STATUS_OK ? bucket_remove(folder, owner, error) : status;
    }
    arena_destroy(arena);
    return status;
}

const struct rollback_functions bucket_rollback = {
    .undo = bucket_rollback_undo, .undoes_all = true, .remove_table = remove_table};

/* ---------------------------------------------------------------- forgetting */

/* Until the ledger has forgotten it, a run that was rolled back says so. */
enum status bucket_forget_run(struct database *self, const char *run_id, bool rolled_back,
                              struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    const char *rolling = bucket_run_key(folder, arena, BUCKET_ROLLING);
    (void)run_id;
    enum status status = bucket_check_claim(folder, error);
    status = status == STATUS_OK ? failpoint_hit("files.before_forget", error) : status;
    if (status == STATUS_OK) {
        status = bucket_list(folder, bucket_run_key(folder, arena, ""), arena, &list, error);
    }
    for (uint32_t at = 0; at < list.count && status == STATUS_OK; at++) {
        if (!rolled_back || strcmp(list.objects[at].key, rolling) != 0) {
            status = bucket_remove(folder, list.objects[at].key, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("files.after_forget", error) : status;
}

static bool is_below(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* Is there a ledger, or a run whose ledger is elsewhere? */
static bool has_runs(const struct bucket_list *list, const char *store, const char *runs)
{
    bool has = false;
    for (uint32_t at = 0; at < list->count; at++) {
        const char *key = list->objects[at].key;
        has = has || strcmp(key, store) == 0 ||
              (is_below(key, runs) && !text_ends_with(key, "/" BUCKET_ROLLING));
    }
    return has;
}

/* Objects that were there before it was seen that there are no runs are of forgotten ones. */
enum status bucket_tidy(struct database *self, bool rolled_back, struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    struct bucket_list list = {0};
    struct bucket_list now = {0};
    const char *own = bucket_key(folder->bucket, arena, BUCKET_OWN);
    const char *runs = bucket_key(folder->bucket, arena, BUCKET_OWN "run-");
    const char *store = bucket_key(folder->bucket, arena, BUCKET_OWN "store");
    (void)rolled_back;
    enum status status = bucket_list(folder, own, arena, &list, error);
    status = status == STATUS_OK ? bucket_list(folder, own, arena, &now, error) : status;
    bool keeps = has_runs(&now, store, runs);
    for (uint32_t at = 0; at < list.count && status == STATUS_OK && !keeps; at++) {
        /* Who made which table is of no use without runs; definitions stay, since they tell the
         * types. */
        if (text_ends_with(list.objects[at].key, ".owner") ||
            text_ends_with(list.objects[at].key, ".defined") ||
            is_below(list.objects[at].key, runs)) {
            status = bucket_remove(folder, list.objects[at].key, error);
        }
    }
    arena_destroy(arena);
    return status;
}
